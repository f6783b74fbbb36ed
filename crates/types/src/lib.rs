//! Floor 0: the values that every other floor speaks in.
//!
//! A name stands here when two floors that must not know each other exchange it: an address,
//! an envelope, a message's content, what became of an attempt, an event. There is no I/O,
//! and no decision, in this crate. Values are parsed at the door: a [`Domain`] or an
//! [`Address`] that exists is well formed, so nobody validates it again.

mod address;
pub mod clock;
mod content;
mod domain;
pub mod envelope;
pub mod event;
pub mod files;
pub mod id;
pub mod labels;
mod map;
mod outcome;
mod random;
pub mod remark;
mod reply;
pub mod shell;
pub mod short;
mod tlsa;

pub use address::{Address, AddressError};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use content::Content;
pub use domain::Domain;
pub use envelope::{Body, Envelope, Notify, Recipient, Ret};
pub use event::{Event, EventKind};
pub use id::{MessageId, PartId};
pub use labels::Labels;
pub use map::{Map, Set};
pub use outcome::{Cause, Culprit, Outcome, Peer, Stage, TlsAsked, TlsUsed, Verdict};
pub use random::{Random, SeededRandom, SystemRandom};
pub use remark::{Level, Remark};
pub use reply::{EnhancedCode, Reply};
pub use tlsa::Tlsa;

/// The name of an account, as the configuration gives it; it also stands in log lines.
pub type AccountName = std::sync::Arc<str>;

/// What kind of mail a message is. Transactional mail (a receipt, a password reset) goes
/// before bulk mail to the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Stream {
    #[default]
    Transactional,
    Bulk,
}

impl Stream {
    pub fn as_str(self) -> &'static str {
        match self {
            Stream::Transactional => "transactional",
            Stream::Bulk => "bulk",
        }
    }
}
