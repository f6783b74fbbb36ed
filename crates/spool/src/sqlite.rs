//! The embedded spool: one SQLite database in a folder of its own, one thread that writes.
//!
//! Promise: whatever commits and settlements wait are one transaction and one sync
//! (`synchronous=FULL` on a write-ahead log), and only then are the commits answered. The
//! order of the instants, the schema and the measurements stand in docs/spool.md.
//! Reads have their own connections and never wait for the writer. One process at a time:
//! the folder holds a lock file.
//! Fails: a disk that is full, read-only or broken fails the commits that met it; nothing of
//! them is kept, settlements are kept in memory and tried again, and the thread goes on.

mod checkpoint;
mod damage;
mod inbox;
mod reader;
mod reserve;
mod rows;
mod schema;
mod store;
mod vacuum;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use repute_types::{Content, MessageId, PartId, Timestamp};
use tokio::sync::{Semaphore, oneshot};

use self::checkpoint::Checkpointer;
use self::inbox::{Inbox, Work};
use self::reader::Readers;
use self::reserve::Reserve;
use self::store::Store;
use crate::{
    BoxFuture, Campaign, CampaignWrite, Change, Committed, Member, MessageMeta, NewMessage, PartRecord, Settlement,
    Spool, SpoolError,
};

/// Where a test may watch, delay, fail or kill the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A batch is taken, nothing is written.
    BeforeTransaction,
    /// A message's rows are written, the transaction is open.
    AfterInsert,
    /// Everything of the batch is written, nothing is synced.
    BeforeCommit,
    /// Synced; nobody has been told.
    AfterCommit,
    /// The callers have been told.
    AfterAnswer,
    /// The log is about to be copied into the database.
    BeforeCheckpoint,
    AfterCheckpoint,
}

/// A failure that a test asks the writer to meet, as SQLite would report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No space is left.
    Full,
    /// A write or a sync failed.
    Io,
}

/// Called on the writer's thread at each step.
pub trait Hook: Send + Sync + 'static {
    fn at(&self, step: Step) -> Result<(), Fault>;
}

/// Lets everything pass.
struct NoHook;

impl Hook for NoHook {
    fn at(&self, _: Step) -> Result<(), Fault> {
        Ok(())
    }
}

#[derive(Clone)]
pub struct Options {
    /// Commits that may wait for the writer at once; one more waits for its turn to wait.
    pub waiting: usize,
    /// Octets of the write-ahead log at which it is copied into the database and begun again.
    /// Twice as much of the disk is set aside; where that cannot be had, no mail is accepted.
    pub log_octets: u64,
    /// Octets that the database may have; a bound for tests of a full disk. `None`: the disk's.
    pub max_octets: Option<u64>,
    pub hook: Arc<dyn Hook>,
}

impl Default for Options {
    fn default() -> Options {
        Options { waiting: 1024, log_octets: 32 << 20, max_octets: None, hook: Arc::new(NoHook) }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot use the spool folder {path}: make it writable for the user that runs this")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("the spool {path} is in use by another process: stop that one first")]
    InUse { path: PathBuf },
    #[error("the spool was written by a later version (schema {found}, this one knows {known}): use that version")]
    Newer { found: i64, known: i64 },
    #[error("the spool's database {path} cannot be opened or is damaged: restore it, or move it away to start empty")]
    Database { path: PathBuf, source: rusqlite::Error },
    #[error("cannot start the spool's thread")]
    Thread(#[source] std::io::Error),
}

pub struct SqliteSpool {
    inbox: Arc<Inbox>,
    /// Bounds the commits that wait: backpressure instead of memory.
    turns: Semaphore,
    readers: Arc<Readers>,
    writer: Option<JoinHandle<()>>,
    /// Held as long as the spool is open; the lock goes with the file.
    _lock: std::fs::File,
}

impl SqliteSpool {
    /// Opens the spool in `dir`, making the folder and the database where there are none.
    pub fn open(dir: &Path, options: Options) -> Result<SqliteSpool, OpenError> {
        let lock = schema::lock_folder(dir)?;
        let path = dir.join("spool.sqlite");
        let failed = |source| OpenError::Database { path: path.clone(), source };
        let connection = schema::open_writer(&path, &options)?;
        let checkpointer = Checkpointer::start(&path, options.log_octets, options.hook.clone())?;
        let reserve = Reserve::new(dir.join("reserve"), 2 * options.log_octets);
        let store = Store::new(connection, options.hook.clone(), checkpointer, reserve).map_err(failed)?;
        let readers = Arc::new(Readers::new(path.clone()));
        readers.warm().map_err(failed)?;
        schema::sync_folder(dir).map_err(|source| OpenError::Folder { path: dir.to_owned(), source })?;

        let inbox = Arc::new(Inbox::default());
        let for_thread = inbox.clone();
        let writer = std::thread::Builder::new()
            .name("spool".into())
            .spawn(move || writer::run(store, &for_thread))
            .map_err(OpenError::Thread)?;
        let turns = Semaphore::new(options.waiting.max(1));
        Ok(SqliteSpool { inbox, turns, readers, writer: Some(writer), _lock: lock })
    }
}

impl SqliteSpool {
    /// Waits its turn, then until the writer has it on disk.
    async fn write(&self, work: Work) -> Result<(), SpoolError> {
        let _turn = self.turns.acquire().await.map_err(|_| SpoolError::Closed)?;
        let (answer, answered) = oneshot::channel();
        self.inbox.commit(work, answer);
        answered.await.unwrap_or(Err(SpoolError::Closed))
    }
}

impl Drop for SqliteSpool {
    /// Writes what waits, then ends the thread.
    fn drop(&mut self) {
        self.inbox.close();
        if let Some(writer) = self.writer.take() {
            // A thread that panicked has answered nobody; there is nothing to add here.
            let _ = writer.join();
        }
    }
}

impl Spool for SqliteSpool {
    fn commit(&self, message: NewMessage) -> BoxFuture<'_, Result<Committed, SpoolError>> {
        Box::pin(async move {
            let id = message.meta.id;
            self.write(Work::Message(message)).await?;
            Ok(Committed::proof(id))
        })
    }

    fn settle(&self, settlement: Settlement) {
        self.inbox.settle(settlement);
    }

    fn unsettled(&self) -> usize {
        self.inbox.unsettled()
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), SpoolError>> {
        let (answer, answered) = oneshot::channel();
        self.inbox.flush(answer);
        Box::pin(async move { answered.await.unwrap_or(Err(SpoolError::Closed)) })
    }

    fn meta(&self, id: MessageId) -> BoxFuture<'_, Result<MessageMeta, SpoolError>> {
        Box::pin(async move {
            if let Some(notice) = self.inbox.notice(id, |notice| notice.meta.clone()) {
                return Ok(notice);
            }
            self.readers.ask(move |db| reader::meta(db, id)).await
        })
    }

    fn content(&self, id: MessageId) -> BoxFuture<'_, Result<Content, SpoolError>> {
        Box::pin(async move {
            if let Some(content) = self.inbox.notice(id, |notice| notice.content.clone()) {
                return Ok(content);
            }
            self.readers.ask(move |db| reader::content(db, id)).await
        })
    }

    fn part(&self, id: PartId) -> BoxFuture<'_, Result<PartRecord, SpoolError>> {
        Box::pin(async move {
            match self.inbox.change(id) {
                Some(Change::Done | Change::Ended(_)) => Err(SpoolError::Missing(id.message)),
                // A change of a part that is gone does nothing, so what is on disk decides.
                Some(Change::Keep(record)) => self.readers.ask(move |db| reader::part(db, id)).await.map(|_| record),
                None => match self.inbox.notice(id.message, |n| n.parts.get(id.number as usize).cloned()) {
                    Some(record) => record.ok_or(SpoolError::Missing(id.message)),
                    None => self.readers.ask(move |db| reader::part(db, id)).await,
                },
            }
        })
    }

    fn scan(
        &self,
        after: Option<PartId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(MessageMeta, PartRecord)>, SpoolError>> {
        Box::pin(async move {
            if self.inbox.unsettled() > 0 {
                // Where the disk refuses, what is known of the changes is laid over what it has.
                let _ = self.flush().await;
            }
            let mut rows = self.readers.ask(move |db| reader::scan(db, after, limit)).await?;
            if self.inbox.unsettled() > 0 {
                rows.retain_mut(|(_, part)| match self.inbox.change(part.id) {
                    Some(Change::Done | Change::Ended(_)) => false,
                    Some(Change::Keep(record)) => {
                        *part = record;
                        true
                    }
                    None => true,
                });
            }
            Ok(rows)
        })
    }

    fn last_id(&self) -> BoxFuture<'_, Result<Option<MessageId>, SpoolError>> {
        Box::pin(async move { self.readers.ask(reader::last_id).await })
    }

    fn change_campaign(&self, write: CampaignWrite) -> BoxFuture<'_, Result<(), SpoolError>> {
        Box::pin(self.write(Work::Campaign(write)))
    }

    fn campaigns(&self) -> BoxFuture<'_, Result<Vec<Campaign>, SpoolError>> {
        Box::pin(async move {
            if self.inbox.unsettled() > 0 {
                // Where the disk refuses, the counts are those it has.
                let _ = self.flush().await;
            }
            self.readers.ask(reader::campaigns).await
        })
    }

    fn member(&self, part: PartId) -> BoxFuture<'_, Result<Option<Member>, SpoolError>> {
        Box::pin(async move { self.readers.ask(move |db| reader::member(db, part)).await })
    }

    fn forget_members(&self, before: Timestamp) -> BoxFuture<'_, Result<(), SpoolError>> {
        Box::pin(self.write(Work::Forget(MessageId::first_at(before))))
    }
}
