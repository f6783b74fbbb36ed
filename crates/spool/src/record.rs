//! What the spool keeps: messages, their parts, and the changes that settle them.

use std::sync::Arc;

use repute_types::envelope::EnvelopeOptions;
use repute_types::{
    AccountName, Address, Content, Domain, Labels, MessageId, Outcome, PartId, Recipient, Stream, Timestamp, event,
};
use serde::{Deserialize, Serialize};

use crate::campaign::Ended;

/// A message that is to be accepted: everything that one transaction writes.
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub meta: MessageMeta,
    /// At least one, numbered from 0 without gaps.
    pub parts: Vec<PartRecord>,
    pub content: Content,
}

/// What never changes about a message after it is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageMeta {
    pub id: MessageId,
    /// Who submitted it; `None` for a notice of ours. A message without an account is never
    /// answered with a notice.
    pub account: Option<AccountName>,
    pub stream: Stream,
    pub from: Option<Address>,
    /// The domain in From, whose keys signed it; `None` for messages of versions that did not keep it.
    pub author: Option<Domain>,
    pub options: EnvelopeOptions,
    pub received: Timestamp,
    /// After this instant nothing is tried any more, in whatever state a part is.
    pub expires: Timestamp,
    /// The Message-ID field without brackets; empty where there is none.
    pub header_id: String,
    /// Octets of content as stored.
    pub size: u64,
    /// What its sender gave it to be known by.
    pub labels: Option<Arc<Labels>>,
    /// Set where the content is a letter, merged for each recipient: the names of its fields, in
    /// the order of [`PartRecord::values`].
    pub letter: Option<Arc<[String]>>,
    /// Bulk mail that recipients can leave: it is kept for longer than the message to whom it went.
    pub members: bool,
}

impl MessageMeta {
    /// Of a message that is nobody's and asks for nothing: whoever makes another says in what.
    pub fn new(id: MessageId, received: Timestamp, expires: Timestamp) -> MessageMeta {
        MessageMeta {
            id,
            account: None,
            stream: Stream::Transactional,
            from: None,
            author: None,
            options: EnvelopeOptions::default(),
            received,
            expires,
            header_id: String::new(),
            size: 0,
            labels: None,
            letter: None,
            members: false,
        }
    }

    /// What is told of its acceptance; how it came is not known here. Of a campaign the recipients are counted and not named.
    pub fn accepted(&self, recipients: Vec<Address>, recipient_count: u64) -> event::Accepted {
        event::Accepted {
            message: self.id,
            account: self.account.clone(),
            from: self.from.clone(),
            recipients,
            recipient_count,
            size: usize::try_from(self.size).unwrap_or(usize::MAX),
            header_id: self.header_id.clone(),
            client: None,
            tls: None,
            labels: self.labels.clone(),
        }
    }
}

/// The recipients of one message at one domain: what is scheduled, sent and settled together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRecord {
    pub id: PartId,
    pub domain: Domain,
    /// Those that are not done yet; never empty.
    pub recipients: Vec<Pending>,
    /// Attempts made so far.
    pub attempts: u32,
    pub state: PartState,
    /// When a `Due` part is next tried. A held part keeps it for its release.
    pub due: Timestamp,
    /// Whether the sender has been told that it takes long (once, RFC 3461 §5.2.6 needs no more).
    pub delay_noticed: bool,
    /// The merge fields of a letter's one recipient, in the order of [`MessageMeta::letter`]; empty
    /// where there are none.
    pub values: Vec<String>,
}

impl PartRecord {
    /// A part that waits for its first attempt.
    pub fn new(id: PartId, domain: Domain, recipients: Vec<Recipient>, due: Timestamp) -> PartRecord {
        let recipients = recipients.into_iter().map(|recipient| Pending { recipient, last: None }).collect();
        PartRecord {
            id,
            domain,
            recipients,
            attempts: 0,
            state: PartState::Due,
            due,
            delay_noticed: false,
            values: Vec::new(),
        }
    }

    /// The recipients that are not done.
    pub fn addresses(&self) -> Vec<Address> {
        self.recipients.iter().map(|p| p.recipient.address.clone()).collect()
    }
}

/// A recipient that is not done, with what the last attempt said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    pub recipient: Recipient,
    pub last: Option<Outcome>,
}

/// The states that stand on disk (docs/queue-states.md): being leased is a matter of memory
/// alone, and being done is the absence of the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartState {
    Due,
    Held(Hold),
}

/// That a part does not go by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub by: Holder,
    /// Why, as a person reads it; nothing is decided by it.
    pub reason: String,
}

impl Hold {
    pub fn new(by: Holder, reason: impl Into<String>) -> Hold {
        Hold { by, reason: reason.into() }
    }
}

/// Who holds a part, and lets it go. An operator can let go all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holder {
    Operator,
    /// A start after which nothing of before goes by itself.
    Start,
    /// The circuit of the message's account, until it is closed.
    AccountCircuit,
    /// The circuit of the message's campaign.
    CampaignCircuit,
    /// Its letter cannot be merged or signed as the configuration is.
    Letter,
    /// Its content is damaged on disk.
    Damage,
}

/// How a part changes after an attempt, an expiry or an operator's word.
#[derive(Clone, Debug)]
pub struct Settlement {
    pub part: PartId,
    pub change: Change,
    /// Notices to the sender that this settlement causes: in the same transaction, so that
    /// neither is lost without the other.
    pub notices: Vec<NewMessage>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// No recipient is left. With its last part a message's content goes too.
    Done,
    /// The same for a recipient of a campaign, which counts how it ended.
    Ended(Ended),
    /// Replaces the record as a whole.
    Keep(PartRecord),
}

impl Settlement {
    /// Whether it takes a part out and brings nothing.
    pub fn is_bare_end(&self) -> bool {
        self.change.is_end() && self.notices.is_empty()
    }
}

impl Change {
    /// Whether the part is gone with it.
    pub fn is_end(&self) -> bool {
        !matches!(self, Change::Keep(_))
    }
}
