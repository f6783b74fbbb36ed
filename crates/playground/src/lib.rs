//! A private little internet on loopback: a name server with zones given as text, and
//! receivers that behave and judge as real ones do. The demo and the rehearsal send to it.
//!
//! Promise: it speaks DNS and SMTP over real sockets and knows nothing of the server that
//! sends to it; it judges with code that is independent of ours (`mail-auth`). Everything is
//! a value that somebody owns: there is no global state, and a thousand receivers can share
//! one name server. What is dropped is stopped.

pub mod dns;
pub mod judge;
pub mod receiver;

pub use dns::{DnsServer, Trouble, Zones};
pub use judge::{Facts, Judge, Report};
pub use receiver::{Inbox, Personality, Received, Receiver};
