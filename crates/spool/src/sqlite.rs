//! The embedded spool: a journal and an SQLite database in a folder of its own, one thread that writes.
//!
//! Promise: whatever commits and settlements wait are one block of the journal and one sync, and only then are
//! the commits answered. What is not delivered soon goes on into the database. The order of the instants,
//! the formats and the measurements stand in docs/spool.md.
//! Reads have their own connections and never wait for the writer. One process at a time:
//! the folder holds a lock file.
//! Fails: a disk that is full, read-only or broken fails the commits that met it; nothing of
//! them is kept, settlements are kept in memory and tried again, and the thread goes on.

mod beside;
mod checkpoint;
mod company;
mod damage;
mod database;
mod health;
mod inbox;
mod journal;
mod pending;
mod reader;
mod reserve;
mod rows;
mod schema;
mod store;
mod vacuum;
mod view;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use repute_types::{Content, MessageId, PartId, Timestamp};
use rusqlite::ErrorCode;
use tokio::sync::{Semaphore, oneshot};

use self::beside::Beside;
use self::checkpoint::Checkpointer;
use self::company::Company;
pub use self::company::Idle;
use self::database::Database;
use self::health::Health;
use self::inbox::{Arrival, Inbox, Work};
#[doc(hidden)]
pub use self::journal::try_journal;
use self::journal::{Found, Journal};
use self::reader::Readers;
use self::reserve::Reserve;
use self::store::Store;
use self::view::View;
use crate::{
    BoxFuture, Campaign, CampaignWrite, Committed, Member, MessageMeta, NewMessage, PartRecord, Refusal, Settlement,
    Spool, SpoolError,
};

/// Where a test may watch, delay, fail or kill the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A large content is written and synced; its message is not. On the thread of whoever hands it in.
    Beside,
    /// A batch is taken, nothing is written.
    BeforeTransaction,
    /// A message is put down, in memory or in a transaction that is open.
    AfterInsert,
    /// Everything of the batch is written, nothing is synced.
    BeforeCommit,
    /// Synced; nobody has been told.
    AfterCommit,
    /// The callers have been told.
    AfterAnswer,
    /// A step of the journal is about to go into the database.
    BeforeDrain,
    /// All of a segment is in the database, and synced.
    Drained,
    AfterDrain,
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

/// Called on the writer's thread at each step, but for the first.
pub trait Hook: Send + Sync + 'static {
    fn at(&self, step: Step) -> Result<(), Fault>;
}

/// Who tells the outside what became of mail. What is settled is forgotten here, so it is written down after it
/// was kept there: else a crash between the two would leave it untold for ever.
pub trait Told: Send + Sync + 'static {
    /// How much was handed in so far.
    fn handed_in(&self) -> u64;

    /// How much of that is kept, or was given up.
    fn kept(&self) -> u64;
}

/// Such a part of a segment of the journal a content may take; a larger one goes beside.
const LARGE: usize = 4;
/// Large contents that are written at a time: the disk is no sooner with more.
const LARGE_AT_A_TIME: usize = 8;

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
    /// Octets of each of the journal's two segments, and of the database's write-ahead log at which it is copied
    /// into the database and begun again. Twice as much of the disk is set aside; where that cannot be had, no
    /// mail is accepted.
    pub log_octets: u64,
    /// Octets that the database may have; a bound for tests of a full disk. `None`: the disk's.
    pub max_octets: Option<u64>,
    pub hook: Arc<dyn Hook>,
    /// Settlements wait for it, a second at most. `None`: nobody is told.
    pub told: Option<Arc<dyn Told>>,
    /// Of the threads that serve clients. While all are busy, commits wait longer for others to share their sync.
    pub idle: Option<Arc<Idle>>,
    /// How long to wait for another process that has the spool open: a server that starts finds a command that is
    /// reading the queue.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            waiting: 1024,
            log_octets: 16 << 20,
            max_octets: None,
            hook: Arc::new(NoHook),
            told: None,
            idle: None,
            // A process that was just forked keeps the lock of a spool that was closed until it runs its own program.
            patience: Duration::from_millis(200),
        }
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
    #[error("the spool's database {path} cannot be opened: {}", cure(.source))]
    Database { path: PathBuf, source: rusqlite::Error },
    #[error(
        "the spool's journal in {path} cannot be opened: make room for it on the disk, or see what is wrong with that"
    )]
    Journal { path: PathBuf, source: std::io::Error },
    #[error("cannot start the spool's thread")]
    Thread(#[source] std::io::Error),
}

/// To move the database away is to throw the queue away: it is said of one that cannot be read as a database alone.
fn cure(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "make room on the disk; what is in it is whole, leave it where it is",
        Some(ErrorCode::SystemIoFailure) => {
            "make room on the disk where it is full, else see what is wrong with the disk; leave the database where it is"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "it is damaged: restore it, or move it away to start empty"
        }
        _ => "make it and its folder writable for the user that runs this; leave it where it is",
    }
}

pub struct SqliteSpool {
    /// What readers see.
    view: View,
    health: Arc<Health>,
    damaged_blocks: u64,
    /// A content of more octets goes beside.
    large: usize,
    /// Bounds the large contents that are written at a time.
    large_turns: Semaphore,
    hook: Arc<dyn Hook>,
    /// Bounds the commits that wait: backpressure instead of memory.
    turns: Semaphore,
    writer: Option<JoinHandle<()>>,
    /// Held as long as the spool is open; the lock goes with the file.
    _lock: std::fs::File,
}

impl SqliteSpool {
    /// Opens the spool in `dir`, making the folder, the journal and the database where there are none.
    pub fn open(dir: &Path, options: Options) -> Result<SqliteSpool, OpenError> {
        let lock = schema::lock_folder(dir, options.patience)?;
        let path = dir.join("spool.sqlite");
        let failed = |source| OpenError::Database { path: path.clone(), source };
        let connection = schema::open_writer(&path, &options)?;
        let checkpointer = Checkpointer::start(&path, options.log_octets, options.hook.clone())?;
        let mut reserve = Reserve::new(dir.join("reserve"), &path, 2 * options.log_octets);
        let taken = schema::taken(&connection).map_err(failed)?;
        let journal = open_journal(dir, &options, taken, &mut reserve)?;
        let beside = Beside::open(dir).map_err(|source| OpenError::Folder { path: dir.join("large"), source })?;
        let database = Database::new(connection, beside.clone(), &options, checkpointer, reserve).map_err(failed)?;
        let readers = Arc::new(Readers::new(path.clone()));
        readers.warm().map_err(failed)?;
        schema::sync_folder(dir).map_err(|source| OpenError::Folder { path: dir.to_owned(), source })?;

        let damaged_blocks = journal.1.iter().map(|found| found.damaged).sum();
        let segment = journal.0.octets() as usize;
        let most_content = inbox::MOST_CONTENT.min(segment / 4);
        let inbox = Arc::new(Inbox::new(most_content, options.told.clone()));
        let store = Store::new((database, beside.clone()), taken, journal, options.hook.clone()).map_err(failed)?;
        if damaged_blocks == 0 {
            // What is left there takes room and does no harm.
            let _ = beside.sweep(|id| store.may_hold(id));
        }
        let (pending, files, health) = (store.pending().clone(), store.files(), store.health().clone());
        let (for_thread, company) = (inbox.clone(), Company::new(options.idle.clone()));
        let writer = std::thread::Builder::new()
            .name("spool".into())
            .spawn(move || writer::run(store, &for_thread, company))
            .map_err(OpenError::Thread)?;
        let view = View { inbox, pending, files, beside, readers };
        let turns = Semaphore::new(options.waiting.max(1));
        let (large, large_turns) = (segment / LARGE, Semaphore::new(LARGE_AT_A_TIME));
        let hook = options.hook;
        Ok(SqliteSpool {
            view,
            health,
            damaged_blocks,
            large,
            large_turns,
            hook,
            turns,
            writer: Some(writer),
            _lock: lock,
        })
    }

    /// Blocks of the journal that could not be read at the start: what they held is lost, and whose it was is not known. A
    /// place behind the last block that the disk refuses to read counts as one.
    pub fn damaged_blocks(&self) -> u64 {
        self.damaged_blocks
    }

    /// The message with its content on the disk, where that is large.
    async fn arrival(&self, message: NewMessage) -> Result<Arrival, SpoolError> {
        if message.content.len() <= self.large {
            return Ok(Arrival { message, beside: None });
        }
        let _turn = self.large_turns.acquire().await.map_err(|_| SpoolError::Closed)?;
        let (beside, hook) = (self.view.beside.clone(), self.hook.clone());
        let (id, content) = (message.meta.id, message.content.clone());
        let written = tokio::task::spawn_blocking(move || {
            let written = beside.write(id, &content).map_err(|error| error.to_string())?;
            hook.at(Step::Beside).map(|()| written).map_err(|fault| format!("a test says: {fault:?}"))
        });
        match written.await {
            Ok(Ok(written)) => Ok(Arrival { message, beside: Some(written) }),
            Ok(Err(text)) => Err(SpoolError::Storage(format!("a large content: {text}"))),
            // The task is lost only where the runtime is shutting down.
            Err(_) => Err(SpoolError::Closed),
        }
    }

    /// Waits its turn, then until the writer has it on disk.
    async fn write(&self, work: Work) -> Result<(), SpoolError> {
        let _turn = self.turns.acquire().await.map_err(|_| SpoolError::Closed)?;
        let (answer, answered) = oneshot::channel();
        self.view.inbox.commit(work, answer);
        answered.await.unwrap_or(Err(SpoolError::Closed))
    }
}

/// On a full disk what is set aside for that makes room for a journal, where there is none yet.
fn open_journal(
    dir: &Path,
    options: &Options,
    taken: u64,
    reserve: &mut Reserve,
) -> Result<(Journal, Vec<Found>), OpenError> {
    let open = || Journal::open(dir, options.log_octets, taken);
    open()
        .or_else(|_| {
            reserve.give_up();
            open()
        })
        .map_err(|source| OpenError::Journal { path: dir.to_owned(), source })
}

impl Drop for SqliteSpool {
    /// Writes what waits, then ends the thread.
    fn drop(&mut self) {
        self.view.inbox.close();
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
            let arrival = self.arrival(message).await?;
            self.write(Work::Message(arrival)).await?;
            Ok(Committed::proof(id))
        })
    }

    fn settle(&self, settlement: Settlement) {
        self.view.inbox.settle(settlement);
    }

    fn unsettled(&self) -> usize {
        self.view.inbox.unsettled()
    }

    fn refusal(&self) -> Option<Refusal> {
        self.health.refusal()
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), SpoolError>> {
        Box::pin(self.view.flush())
    }

    fn meta(&self, id: MessageId) -> BoxFuture<'_, Result<MessageMeta, SpoolError>> {
        Box::pin(self.view.meta(id))
    }

    fn content(&self, id: MessageId) -> BoxFuture<'_, Result<Content, SpoolError>> {
        Box::pin(self.view.content(id))
    }

    fn part(&self, id: PartId) -> BoxFuture<'_, Result<PartRecord, SpoolError>> {
        Box::pin(self.view.part(id))
    }

    fn scan(
        &self,
        after: Option<PartId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(MessageMeta, PartRecord)>, SpoolError>> {
        Box::pin(self.view.scan(after, limit))
    }

    fn last_id(&self) -> BoxFuture<'_, Result<Option<MessageId>, SpoolError>> {
        Box::pin(self.view.last_id())
    }

    fn change_campaign(&self, write: CampaignWrite) -> BoxFuture<'_, Result<(), SpoolError>> {
        Box::pin(async move {
            if let CampaignWrite::TakeOut { .. } = write {
                // How a part ended before stands in the journal, maybe, and counts.
                self.view.drain().await?;
            }
            self.write(Work::Campaign(write)).await
        })
    }

    fn campaigns(&self) -> BoxFuture<'_, Result<Vec<Campaign>, SpoolError>> {
        Box::pin(self.view.campaigns())
    }

    fn member(&self, part: PartId) -> BoxFuture<'_, Result<Option<Member>, SpoolError>> {
        Box::pin(self.view.member(part))
    }

    fn forget_members(&self, before: Timestamp) -> BoxFuture<'_, Result<(), SpoolError>> {
        Box::pin(self.write(Work::Forget(MessageId::first_at(before))))
    }
}
