//! Accepted mail, durable.
//!
//! Promise: [`Spool::commit`] returns only after the message is on disk and synced, and the
//! [`Committed`] it returns can be made nowhere else; one sync serves every message that
//! waits (group commit). [`Spool::settle`] is lazy: it is applied in the order of the calls,
//! soon, and a crash before that makes a message go twice, never zero times.
//! Fails with [`SpoolError`], after which nothing of the failed message is kept.

mod campaign;
mod codec;
pub mod memory;
mod record;
pub mod sqlite;
pub mod walk;

use std::future::Future;
use std::pin::Pin;

pub use campaign::{Campaign, CampaignState, CampaignWrite, Ended, Member, Tally};
#[doc(hidden)]
pub use codec::try_record;
pub use memory::MemorySpool;
pub use record::{Change, Hold, Holder, MessageMeta, NewMessage, PartRecord, PartState, Pending, Settlement};
use repute_types::{Content, MessageId, PartId, Timestamp};
#[doc(hidden)]
pub use sqlite::try_journal;
pub use sqlite::{OpenError, SqliteSpool};
pub use walk::{Stretch, Walk};

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Proof that a message is on disk: what a 250 or a 202 needs.
#[derive(Debug)]
pub struct Committed {
    id: MessageId,
}

impl Committed {
    /// Only a spool that has synced the message may call this.
    fn proof(id: MessageId) -> Committed {
        Committed { id }
    }

    pub fn id(&self) -> MessageId {
        self.id
    }
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum SpoolError {
    /// The disk is full, read-only, or failing: nothing was kept, the client may try again.
    #[error("the spool's disk fails: {0}")]
    Storage(String),
    /// What is stored of this message does not check or cannot be read: it is damaged, others are not.
    #[error("message {0} is damaged in the spool")]
    Damaged(MessageId),
    /// A part is damaged, or a page, and which parts it held nobody can tell. `next` is the first that can be read
    /// behind it, or an earlier one; none where nothing is there.
    #[error("a part of the spool's database is damaged")]
    Gap { next: Option<PartId> },
    #[error("message {0} is not in the spool")]
    Missing(MessageId),
    #[error("the spool is closed")]
    Closed,
}

/// Why no mail is taken now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The disk has no room, or not enough for what has to be written of mail that was taken before.
    Full(String),
    /// A write or a sync failed.
    Failing(String),
}

pub trait Spool: Send + Sync + 'static {
    /// Makes a message durable. Many calls that wait at once share one sync; where too many
    /// wait already, this waits its turn. A message whose caller gave up waiting (dropped the
    /// future) is taken out again: nobody was told of it.
    fn commit(&self, message: NewMessage) -> BoxFuture<'_, Result<Committed, SpoolError>>;

    /// Applies a change after those handed in before. Returns at once. [`Spool::part`] answers
    /// with the change from now on, and [`Spool::content`] knows its notices; on disk it is soon.
    /// A change of a part that is gone already does nothing.
    fn settle(&self, settlement: Settlement);

    /// How many settlements are not on disk yet. It stays near zero unless the disk refuses
    /// to be written; then it grows with each outcome, because forgetting one would send a
    /// message twice. Who hands out attempts stops doing so while this is above a bound.
    fn unsettled(&self) -> usize;

    /// Why commits are refused now, whatever they are of; `None` where mail is taken. Known of the last write and looked
    /// at again each second while it is so, whether mail comes or not. Waits for nothing.
    fn refusal(&self) -> Option<Refusal>;

    /// Waits until every settlement handed in so far is on disk.
    fn flush(&self) -> BoxFuture<'_, Result<(), SpoolError>>;

    fn meta(&self, id: MessageId) -> BoxFuture<'_, Result<MessageMeta, SpoolError>>;

    /// The content, its checksum verified.
    fn content(&self, id: MessageId) -> BoxFuture<'_, Result<Content, SpoolError>>;

    fn part(&self, id: PartId) -> BoxFuture<'_, Result<PartRecord, SpoolError>>;

    /// The parts after `after` in the order of their ids, at most `limit`, with the metadata
    /// of their messages: what the queue is filled from at start, and what `repute queue` lists.
    /// Settlements handed in before are seen. Whatever is damaged ends the list before it, so that a short list says
    /// nothing about its end. Where it would be the first, the error is [`SpoolError::Damaged`] if it is the message,
    /// whose parts all are behind `PartId { message, number: u32::MAX }`, and [`SpoolError::Gap`] if it is a part or a
    /// page. [`Walk`] goes past all of them.
    fn scan(
        &self,
        after: Option<PartId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(MessageMeta, PartRecord)>, SpoolError>>;

    /// The highest message id ever committed and still known, so that ids go on growing.
    fn last_id(&self) -> BoxFuture<'_, Result<Option<MessageId>, SpoolError>>;

    /// Changes a campaign, durably, in the order of the calls that are waited for.
    fn change_campaign(&self, write: CampaignWrite) -> BoxFuture<'_, Result<(), SpoolError>>;

    /// The campaigns that are known, oldest first, with what was settled before counted in.
    fn campaigns(&self) -> BoxFuture<'_, Result<Vec<Campaign>, SpoolError>>;

    /// To whom a part of bulk mail went, also after it is gone; `None` where that is not known.
    fn member(&self, part: PartId) -> BoxFuture<'_, Result<Option<Member>, SpoolError>>;

    /// Forgets whom bulk mail from before that time went to, some thousands at a call, and
    /// campaigns of which nothing is left.
    fn forget_members(&self, before: Timestamp) -> BoxFuture<'_, Result<(), SpoolError>>;
}
