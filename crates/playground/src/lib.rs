//! A private little internet on loopback: a name server with zones given as text, and
//! receivers that behave and judge as real ones do. The demo and the rehearsal send to it.
//!
//! Promise: it speaks DNS and SMTP over real sockets and knows nothing of the server that
//! sends to it. Signatures are verified by code that is independent of ours (`mail-auth`), and so
//! are SPF and DMARC a second time; what a receiver does with a message is decided by the trust
//! engine, the one that `repute check` judges with. Everything is a value that somebody owns: there is no global state, and a thousand receivers can share
//! one name server. What is dropped is stopped.

pub mod dns;
pub mod judge;
pub mod receiver;

pub use dns::{DnsServer, Trouble, Zones};
pub use judge::{Facts, Judge, Report, Seen};
pub use receiver::{Inbox, Personality, Received, Receiver};
