//! What readers see: what waits for the writer, what stands in the journal, what stands in the database.
//!
//! Things move from the first to the last and are asked for in that order, so that nothing is missed on its way.

use std::io;
use std::sync::Arc;

use repute_types::{Content, MessageId, PartId};
use tokio::sync::oneshot;

use super::beside::Beside;
use super::inbox::Inbox;
use super::journal::{Files, Place};
use super::pending::{Kept, Known, Pending};
use super::reader::{self, Page, Readers, Stored};
use crate::{Campaign, Change, Member, MessageMeta, PartRecord, SpoolError};

pub(super) struct View {
    pub inbox: Arc<Inbox>,
    pub pending: Arc<Pending>,
    pub files: Files,
    pub beside: Beside,
    pub readers: Arc<Readers>,
}

impl View {
    /// Waits until each settlement that was handed in is on disk: a disk without room has that of the journal.
    pub async fn flush(&self) -> Result<(), SpoolError> {
        self.settled(false).await
    }

    /// Waits until readers of the database see each settlement that was handed in.
    pub async fn drain(&self) -> Result<(), SpoolError> {
        self.settled(true).await
    }

    async fn settled(&self, is_drain: bool) -> Result<(), SpoolError> {
        let (answer, answered) = oneshot::channel();
        self.inbox.flush(is_drain, answer);
        answered.await.unwrap_or(Err(SpoolError::Closed))
    }

    pub async fn meta(&self, id: MessageId) -> Result<MessageMeta, SpoolError> {
        if let Some(notice) = self.inbox.notice(id, |notice| notice.meta.clone()) {
            return Ok(notice);
        }
        match self.pending.message(id) {
            Some(kept) => Ok(kept.meta.clone()),
            None => self.readers.ask(move |db| reader::meta(db, id)).await,
        }
    }

    pub async fn content(&self, id: MessageId) -> Result<Content, SpoolError> {
        if let Some(content) = self.inbox.notice(id, |notice| notice.content.clone()) {
            return Ok(content);
        }
        while let Some(kept) = self.pending.message(id) {
            let Place { segment, offset, seal } = kept.content;
            let (files, beside) = (self.files.clone(), self.beside.clone());
            let content = read(move || match offset {
                Some(offset) => files.read(segment, offset, seal).map(|(content, whole)| whole.then_some(content)),
                None => beside.read(id, seal),
            });
            if let Some(content) = content.await? {
                return Ok(content);
            }
            // It may have gone into the database meanwhile, and its place been written over.
            if self.pending.message(id).is_some_and(|now| now.content == kept.content) {
                return Err(SpoolError::Damaged(id));
            }
        }
        let seal = match self.readers.ask(move |db| reader::content(db, id)).await? {
            Stored::Here(content) => return Ok(content),
            Stored::Beside(seal) => seal,
        };
        let beside = self.beside.clone();
        if let Some(content) = read(move || beside.read(id, seal)).await? {
            return Ok(content);
        }
        // It may have gone meanwhile.
        self.readers.ask(move |db| reader::meta(db, id)).await.and(Err(SpoolError::Damaged(id)))
    }

    pub async fn part(&self, id: PartId) -> Result<PartRecord, SpoolError> {
        match self.inbox.change(id) {
            Some(Change::Done | Change::Ended(_)) => Err(SpoolError::Missing(id.message)),
            // A change of a part that is gone does nothing, so what is on disk decides.
            Some(Change::Keep(record)) => self.kept_part(id).await.map(|_| record),
            None => match self.inbox.notice(id.message, |n| n.parts.get(id.number as usize).cloned()) {
                Some(record) => record.ok_or(SpoolError::Missing(id.message)),
                None => self.kept_part(id).await,
            },
        }
    }

    /// A part as it is on disk.
    async fn kept_part(&self, id: PartId) -> Result<PartRecord, SpoolError> {
        let changed = match self.pending.part(id) {
            Known::Part(record) => return Ok(record),
            Known::Gone | Known::Changed(Change::Done | Change::Ended(_)) => {
                return Err(SpoolError::Missing(id.message));
            }
            Known::Changed(Change::Keep(record)) => Some(record),
            Known::Unknown => None,
        };
        let stored = self.readers.ask(move |db| reader::part(db, id)).await?;
        Ok(changed.unwrap_or(stored))
    }

    /// The parts after `after`. Settlements that the disk refuses are laid over what it has.
    pub async fn scan(
        &self,
        after: Option<PartId>,
        limit: usize,
    ) -> Result<Vec<(MessageMeta, PartRecord)>, SpoolError> {
        if self.inbox.unsettled() > 0 {
            let _ = self.flush().await;
        }
        let mut after = after;
        loop {
            // Before the database: what goes there in between is seen twice rather than not at all.
            let pending = self.pending.after(after, limit);
            let page = match self.readers.ask(move |db| reader::scan(db, after, limit)).await {
                Ok(page) => page,
                Err(error) => return before_damage(error, pending, after, limit),
            };
            let (last, is_all) = (page.rows.last().map(|(_, part)| part.id), page.is_all);
            let mut rows = merge(page, pending, after, limit);
            rows.retain_mut(|(_, part)| self.lay_over(part));
            match last {
                // All of the page is done: what follows is not known yet.
                Some(last) if rows.is_empty() && !is_all => after = Some(last),
                _ => return Ok(rows),
            }
        }
    }

    /// The last change of a part that the database does not have yet; whether there is still a part.
    fn lay_over(&self, part: &mut PartRecord) -> bool {
        let change = self.inbox.change(part.id).or_else(|| match self.pending.part(part.id) {
            Known::Changed(change) => Some(change),
            Known::Gone => Some(Change::Done),
            Known::Part(_) | Known::Unknown => None,
        });
        match change {
            Some(Change::Done | Change::Ended(_)) => false,
            Some(Change::Keep(record)) => {
                *part = record;
                true
            }
            None => true,
        }
    }

    pub async fn last_id(&self) -> Result<Option<MessageId>, SpoolError> {
        let pending = self.pending.last_id();
        let stored = self.readers.ask(reader::last_id).await?;
        Ok(pending.max(stored))
    }

    pub async fn campaigns(&self) -> Result<Vec<Campaign>, SpoolError> {
        // Where the disk refuses, the counts are those it has.
        let _ = self.drain().await;
        self.readers.ask(reader::campaigns).await
    }

    pub async fn member(&self, part: PartId) -> Result<Option<Member>, SpoolError> {
        self.readers.ask(move |db| reader::member(db, part)).await
    }
}

/// Reads a content off the async threads.
async fn read(
    read: impl FnOnce() -> io::Result<Option<Content>> + Send + 'static,
) -> Result<Option<Content>, SpoolError> {
    match tokio::task::spawn_blocking(read).await {
        Ok(read) => read.map_err(|error| SpoolError::Storage(format!("a content: {error}"))),
        // The task is lost only where the runtime is shutting down.
        Err(_) => Err(SpoolError::Closed),
    }
}

/// The parts in the journal that come before what is damaged in the database, or what is.
fn before_damage(
    error: SpoolError,
    pending: Vec<Arc<Kept>>,
    after: Option<PartId>,
    limit: usize,
) -> Result<Vec<(MessageMeta, PartRecord)>, SpoolError> {
    let damaged_from = match error {
        SpoolError::Damaged(message) => Some(PartId { message, number: 0 }),
        SpoolError::Gap { next } => next,
        _ => return Err(error),
    };
    let rows = parts_of(pending, |part| {
        after.is_none_or(|after| part > after) && damaged_from.is_none_or(|damaged| part < damaged)
    });
    let rows: Vec<_> = rows.take(limit).collect();
    if rows.is_empty() { Err(error) } else { Ok(rows) }
}

/// The wanted parts of messages, in order.
fn parts_of(
    pending: Vec<Arc<Kept>>,
    is_wanted: impl Fn(PartId) -> bool,
) -> impl Iterator<Item = (MessageMeta, PartRecord)> {
    pending.into_iter().flat_map(move |kept| {
        let wanted = kept.parts.iter().filter(|part| is_wanted(part.id));
        wanted.map(|part| (kept.meta.clone(), part.clone())).collect::<Vec<_>>()
    })
}

/// A page of the database's parts and those in the journal, in order, once each.
fn merge(page: Page, pending: Vec<Arc<Kept>>, after: Option<PartId>, limit: usize) -> Vec<(MessageMeta, PartRecord)> {
    let known_to = if page.is_all { None } else { Some(page.rows.last().map(|(_, part)| part.id)) };
    let mut rows = page.rows;
    let in_database = rows.len();
    // What the database has behind its page is not known, and comes first.
    rows.extend(parts_of(pending, |part| {
        after.is_none_or(|after| part > after) && known_to.is_none_or(|last| last.is_some_and(|last| part <= last))
    }));
    if rows.len() > in_database {
        // Stable: of a part that has gone into the database in between, that row comes first.
        rows.sort_by_key(|(_, part)| part.id);
        rows.dedup_by_key(|(_, part)| part.id);
        rows.truncate(limit);
    }
    rows
}
