//! Copying the log into the database, off the path of the commits.
//!
//! The log can only be begun again when all of it is copied, and while mail comes it never
//! is. So a thread of its own copies what is there while the writer goes on, once or a few
//! times; when little is left, the writer copies that rest between two transactions, and its
//! next one begins the log again. A page that was written many times meanwhile (one that
//! a delivered message gave back to the next) is copied once.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::schema::{self, PAGE_OCTETS};
use super::{Hook, OpenError, Step};

/// Of the bound, so much may be left for the writer: about 4 MiB, some milliseconds.
const REST: u64 = 8;
/// Of the bound, so much may be written before it is looked again how long the log is: that costs as much as a
/// small transaction.
const LOOK: u64 = 16;
/// Passes after which the writer takes whatever is left.
const PASSES: u32 = 4;

pub(super) struct Checkpointer {
    /// Octets written since the last look, more or less.
    written: u64,
    /// Frames of the log at which it is copied.
    bound: u64,
    /// Copies of the log since it was last begun again.
    passes: u32,
    /// Whether the thread is at work.
    busy: Arc<AtomicBool>,
    /// Asks the thread for a pass; dropped to end it.
    ask: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What of the log is written, and what of that is copied, in frames (one page each).
pub(super) struct Log {
    frames: u64,
    copied: u64,
}

impl Log {
    pub fn look(db: &Connection) -> rusqlite::Result<Log> {
        Log::from(db, "PRAGMA wal_checkpoint(NOOP)")
    }

    fn from(db: &Connection, pragma: &str) -> rusqlite::Result<Log> {
        let frames = |n: i64| n.max(0) as u64;
        db.prepare_cached(pragma)?
            .query_row([], |row| Ok(Log { frames: frames(row.get(1)?), copied: frames(row.get(2)?) }))
    }
}

impl Checkpointer {
    pub fn start(path: &Path, log_octets: u64, hook: Arc<dyn Hook>) -> Result<Checkpointer, OpenError> {
        let failed = |source| OpenError::Database { path: path.to_owned(), source };
        let db = schema::open_checkpointer(path).map_err(failed)?;
        let busy = Arc::new(AtomicBool::new(false));
        let (ask, asked) = sync_channel(1);
        let at_work = busy.clone();
        let thread = std::thread::Builder::new()
            .name("spool-log".into())
            .spawn(move || {
                while asked.recv().is_ok() {
                    // What fails here is met again by the writer, who can say so.
                    let _ = copy(&db, &*hook);
                    at_work.store(false, Ordering::Release);
                }
            })
            .map_err(OpenError::Thread)?;
        let bound = (log_octets / PAGE_OCTETS).max(1);
        Ok(Checkpointer { written: 0, bound, passes: 0, busy, ask: Some(ask), thread: Some(thread) })
    }

    /// The writer has added about so much to the log.
    pub fn added(&mut self, octets: u64) {
        self.written += octets;
    }

    /// Called by the writer between two transactions.
    pub fn look_after(&mut self, db: &Connection, hook: &dyn Hook) -> rusqlite::Result<()> {
        if self.written < self.bound * PAGE_OCTETS / LOOK {
            return Ok(());
        }
        self.written = 0;
        let too_long = self.bound + self.bound / 2;
        let mut log = Log::look(db)?;
        if self.busy.load(Ordering::Acquire) {
            if log.frames < too_long {
                return Ok(());
            }
            // The thread does not keep up. The log must not outgrow the reserve (two bounds), or a
            // full disk could neither take it into the database nor add to it: mail waits.
            while self.busy.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(1));
            }
            log = Log::look(db)?;
        }
        if log.frames < self.bound {
            self.passes = 0;
            return Ok(());
        }
        let rest = log.frames.saturating_sub(log.copied);
        if rest == 0 {
            // The next transaction begins the log again, unless somebody still reads it.
            return Ok(());
        }
        if rest <= self.bound / REST || self.passes >= PASSES || log.frames >= too_long {
            self.passes = 0;
            return copy(db, hook).map(drop);
        }
        self.passes += 1;
        self.ask();
        Ok(())
    }

    /// Whether the thread does nothing, and nothing waits for it.
    pub fn is_at_rest(&self) -> bool {
        !self.busy.load(Ordering::Acquire)
    }

    /// Has what is there copied, unless that is under way.
    pub fn ask(&self) {
        if self.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        if self.ask.as_ref().is_none_or(|ask| ask.try_send(()).is_err()) {
            self.busy.store(false, Ordering::Release);
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.ask = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has left the log as it was.
            let _ = thread.join();
        }
    }
}

/// Copies as much of the log as can be without anybody waiting for it.
pub(super) fn copy(db: &Connection, hook: &dyn Hook) -> rusqlite::Result<Log> {
    // Whoever watches may delay or end this, not fail it.
    let _ = hook.at(Step::BeforeCheckpoint);
    let log = Log::from(db, "PRAGMA wal_checkpoint(PASSIVE)")?;
    let _ = hook.at(Step::AfterCheckpoint);
    Ok(log)
}
