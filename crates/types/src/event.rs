//! What happened, one typed event a step. The log, the history, metrics and webhooks are
//! readers of this one stream and none can slow the mail down.

use std::net::IpAddr;

use crate::{AccountName, Address, Cause, MessageId, Outcome, PartId, Timestamp, TlsUsed};

#[derive(Clone, Debug)]
pub struct Event {
    pub at: Timestamp,
    pub kind: EventKind,
}

#[derive(Clone, Debug)]
pub enum EventKind {
    /// Committed to the spool; the client was or will be told so.
    Accepted {
        message: MessageId,
        /// `None` for a notice that we made ourselves.
        account: Option<AccountName>,
        from: Option<Address>,
        recipients: Vec<Address>,
        /// Octets as stored.
        size: usize,
        /// The header field Message-ID, without brackets, so that a message can be found by it.
        header_id: String,
        client: Option<IpAddr>,
        tls: Option<TlsUsed>,
    },
    /// A submission was refused after the client was known; nothing is stored.
    Refused {
        account: Option<AccountName>,
        client: Option<IpAddr>,
        reply: crate::Reply,
    },
    /// One recipient's outcome of one attempt (or of expiry or cancellation).
    Settled {
        part: PartId,
        recipient: Address,
        /// Counts from 1; 0 where no attempt was made.
        attempt: u32,
        outcome: Box<Outcome>,
        /// What the receiver's reply means, where there is one and it is not a success.
        cause: Option<Cause>,
        /// Set exactly where the outcome is a deferral.
        next_attempt: Option<Timestamp>,
        /// From acceptance to now.
        age: std::time::Duration,
        egress: Option<IpAddr>,
    },
    Held {
        part: PartId,
        reason: String,
    },
    Released {
        part: PartId,
    },
    /// A delay, failure or success notice about `about` was queued as `notice`.
    Noticed {
        about: MessageId,
        notice: MessageId,
        kind: &'static str,
    },
    /// A message for our return path came in on port 25 and was kept.
    Returned {
        message: MessageId,
        recipient: Address,
        client: Option<IpAddr>,
    },
    /// Something an operator should know that belongs to no message.
    Note {
        level: Level,
        what: &'static str,
        text: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Info,
    Warning,
    Error,
}

/// Where events go. Never blocks and never fails: a reader that cannot keep up loses events
/// and counts what it lost.
pub trait EventSink: Send + Sync + 'static {
    fn emit(&self, event: Event);
}

/// Events go nowhere; for tests that do not look at them.
pub struct NoEvents;

impl EventSink for NoEvents {
    fn emit(&self, _: Event) {}
}
