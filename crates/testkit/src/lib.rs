//! What tests of all floors share: SMTP dialogues as text, scripted peers, a clock that
//! follows tokio's paused time, temporary state folders, children that are
//! killed, and a real name server.
//!
//! Promise: strict. A peer that hears what it does not expect fails the test and shows the
//! dialogue up to that line. For tests only; no crate depends on it outside
//! `[dev-dependencies]`.

pub mod bind;
pub mod child;
pub mod client;
pub mod clock;
pub mod dialogue;
mod pattern;
pub mod peer;
mod player;
pub mod power;
pub mod state;
pub mod stream;
pub mod tls;

pub use bind::Bind;
pub use child::Child;
pub use client::Client;
pub use clock::TokioClock;
pub use dialogue::{Dialogue, Mismatch};
pub use peer::Peer;
pub use state::State;
pub use stream::{Stream, Wire};
