//! What happened, one typed event a step. The log, the history, metrics and webhooks are
//! readers of this one stream and none can slow the mail down.

use std::net::IpAddr;
use std::sync::Arc;

use crate::{AccountName, Address, Cause, EnhancedCode, Labels, MessageId, Outcome, PartId, Timestamp, TlsUsed};

#[derive(Clone, Debug)]
pub struct Event {
    pub at: Timestamp,
    pub kind: EventKind,
}

#[derive(Clone, Debug)]
pub enum EventKind {
    /// Committed to the spool; the client was or will be told so.
    Accepted(Accepted),
    /// A submission was refused after the client was known; nothing is stored.
    Refused { account: Option<AccountName>, client: Option<IpAddr>, reply: crate::Reply },
    /// One recipient's outcome of one attempt (or of expiry or cancellation).
    Settled(Settled),
    /// Kept from being tried, by an operator or by a rule.
    Held {
        message: MessageId,
        /// `None`: all of a campaign.
        part: Option<u32>,
        account: Option<AccountName>,
        labels: Option<Arc<Labels>>,
        /// Those of the part that are not done; none are named of a campaign.
        recipients: Vec<Address>,
        reason: String,
    },
    /// What was held may be tried again.
    Released {
        message: MessageId,
        /// `None`: all of a campaign.
        part: Option<u32>,
        account: Option<AccountName>,
        labels: Option<Arc<Labels>>,
        recipients: Vec<Address>,
    },
    /// A notice to the sender of `about` was queued as `notice`.
    Noticed { about: MessageId, notice: MessageId, kind: NoticeKind },
    /// A message for our return path came in on port 25 and was kept.
    Returned { message: MessageId, recipient: Address, client: Option<IpAddr> },
    /// What came back about a message after a server had taken it.
    CameBack {
        what: Back,
        account: Option<AccountName>,
        labels: Option<Arc<Labels>>,
        /// Always known but for a wish to leave, which needs no message.
        message: Option<MessageId>,
        /// Whom the message went to.
        recipient: Address,
        /// Of a bounce.
        status: Option<EnhancedCode>,
        cause: Option<Cause>,
        /// The diagnostic text of a bounce, the kind of a complaint; may be empty.
        text: String,
    },
    /// A recipient was left out, because mail to it is suppressed.
    Suppressed {
        message: MessageId,
        account: Option<AccountName>,
        labels: Option<Arc<Labels>>,
        recipient: Address,
        /// `unknown`, `complaint`, `unsubscribed` or `manual`; `suppressed` of a row of a campaign's list.
        why: &'static str,
        /// Since when, and by what evidence.
        text: String,
    },
    /// A campaign was cancelled, and all of it has ended.
    Cancelled {
        message: MessageId,
        account: Option<AccountName>,
        labels: Option<Arc<Labels>>,
        /// Of its list: to whom nothing was delivered because of that.
        recipient_count: u64,
    },
    /// Something that lowers trust or needs a person began or ended; told once each.
    Incident {
        /// The same at its opening and its closing.
        id: u64,
        state: IncidentState,
        /// The check or rule that found it: `name.fcrdns`, `circuit.unknown`.
        what: String,
        /// What it is about: an address, a domain, an account, a campaign.
        subject: String,
        text: String,
        /// What to do about it; empty once it is closed.
        cure: String,
    },
    /// Something an operator should know that belongs to no message.
    Note { level: Level, what: &'static str, text: String },
}

/// A message that is ours from now on.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub message: MessageId,
    /// `None` for a notice that we made ourselves.
    pub account: Option<AccountName>,
    pub from: Option<Address>,
    /// Empty for a campaign, whose recipients are named when there is something to say of them.
    pub recipients: Vec<Address>,
    /// Of a campaign those of its list; else the number of `recipients`.
    pub recipient_count: u64,
    /// Octets as stored.
    pub size: usize,
    /// The header field Message-ID, without brackets, so that a message can be found by it.
    pub header_id: String,
    pub client: Option<IpAddr>,
    pub tls: Option<TlsUsed>,
    pub labels: Option<Arc<Labels>>,
}

/// What came of a try for one recipient.
#[derive(Clone, Debug)]
pub struct Settled {
    pub part: PartId,
    /// `None` for a notice of ours.
    pub account: Option<AccountName>,
    pub labels: Option<Arc<Labels>>,
    pub recipient: Address,
    /// Counts from 1; 0 where no attempt was made.
    pub attempt: u32,
    pub outcome: Arc<Outcome>,
    /// What the receiver's reply means, where there is one and it is not a success.
    pub cause: Option<Cause>,
    /// Set exactly where the outcome is a deferral.
    pub next_attempt: Option<Timestamp>,
    /// From acceptance to now.
    pub age: std::time::Duration,
    pub egress: Option<IpAddr>,
}

/// What a notice tells a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    Failure,
    Delay,
    /// The next server took it and will not tell more (RFC 3461 §5.2.2).
    Relay,
}

impl NoticeKind {
    pub const ALL: [NoticeKind; 3] = [NoticeKind::Failure, NoticeKind::Delay, NoticeKind::Relay];

    pub fn as_str(self) -> &'static str {
        match self {
            NoticeKind::Failure => "failure",
            NoticeKind::Delay => "delay",
            NoticeKind::Relay => "relay",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// A notice that it could not be delivered after all.
    Bounced,
    /// The recipient called it spam.
    Complained,
    /// The recipient wants no more of it.
    Unsubscribed,
}

impl Back {
    pub const ALL: [Back; 3] = [Back::Bounced, Back::Complained, Back::Unsubscribed];

    pub fn as_str(self) -> &'static str {
        match self {
            Back::Bounced => "bounced",
            Back::Complained => "complained",
            Back::Unsubscribed => "unsubscribed",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentState {
    Opened,
    Closed,
}

impl IncidentState {
    pub fn as_str(self) -> &'static str {
        match self {
            IncidentState::Opened => "opened",
            IncidentState::Closed => "closed",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Info,
    Warning,
    Error,
}

impl Level {
    pub const ALL: [Level; 3] = [Level::Info, Level::Warning, Level::Error];

    pub fn as_str(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
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
