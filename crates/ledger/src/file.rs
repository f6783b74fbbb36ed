//! How a file of facts is opened and reached: SQLite with a write-ahead log, one connection that writes,
//! and calls that wait for the disk on a thread that may wait.
//!
//! A damaged file, one that cannot be made, and one of a later version are refused with the file's name.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::{LedgerError, migrate};

/// Another process that holds the file (`repute` beside the server) is waited for so long.
const BUSY: Duration = Duration::from_secs(5);

/// What a file is for, as SQLite has to be told.
#[derive(Clone, Copy, Debug)]
pub struct FileKind {
    /// Synced with each commit. Else a power cut may lose the last ones, and never damages what was before.
    pub durable: bool,
    /// Gives the space of what was deleted back, by [`give_back`](crate::give_back).
    pub shrinks: bool,
    /// Pages kept in memory, in KiB.
    pub cache: u32,
    /// Octets to which the log is cut when it has been copied.
    pub log: u32,
    /// Pages of the log after which it is copied into the file.
    pub copied_after: u32,
}

impl FileKind {
    /// A few facts that have to be there after a power cut.
    pub const FACTS: FileKind =
        FileKind { durable: true, shrinks: false, cache: 1024, log: 4 << 20, copied_after: 1000 };

    fn pragmas(&self) -> String {
        format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {}; PRAGMA cache_size = -{}; \
             PRAGMA wal_autocheckpoint = {}; PRAGMA journal_size_limit = {};",
            if self.durable { "FULL" } else { "NORMAL" },
            self.cache,
            self.copied_after,
            self.log,
        )
    }
}

/// The connection that writes, to a file that is made where there is none and brought to the newest of
/// `migrations`.
pub fn open(path: &Path, kind: FileKind, migrations: &[&str]) -> Result<Connection, LedgerError> {
    let failed = |source| LedgerError::Open { path: path.to_owned(), source };
    let mut db = Connection::open(path).map_err(failed)?;
    db.busy_timeout(BUSY).map_err(failed)?;
    // It has to come first, and takes effect in a new file alone: in another it would be a write, for which a full disk
    // has no room.
    if kind.shrinks && db.query_row("PRAGMA auto_vacuum", [], |row| row.get::<_, i64>(0)).map_err(failed)? == 0 {
        db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL").map_err(failed)?;
    }
    db.execute_batch(&kind.pragmas()).map_err(failed)?;
    db.set_prepared_statement_cache_capacity(32);
    migrate(&mut db, path, migrations)?;
    Ok(db)
}

/// A connection that only reads what is there, with a cache of so many KiB.
pub fn open_reader(path: &Path, cache: u32) -> Result<Connection, LedgerError> {
    let failed = |source| LedgerError::Open { path: path.to_owned(), source };
    // Write access is needed to share a write-ahead log; `query_only` keeps it to that.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(failed)?;
    db.busy_timeout(BUSY).map_err(failed)?;
    db.execute_batch(&format!("PRAGMA query_only = ON; PRAGMA cache_size = -{cache};")).map_err(failed)?;
    Ok(db)
}

/// One connection that all clones share.
#[derive(Clone)]
pub(crate) struct File(Arc<Mutex<Connection>>);

impl File {
    pub fn open(path: &Path, kind: FileKind, migrations: &[&str]) -> Result<File, LedgerError> {
        Ok(File(Arc::new(Mutex::new(open(path, kind, migrations)?))))
    }

    /// See [`open_reader`].
    pub fn open_reader(path: &Path, cache: u32) -> Result<File, LedgerError> {
        Ok(File(Arc::new(Mutex::new(open_reader(path, cache)?))))
    }

    pub fn lock(&self) -> MutexGuard<'_, Connection> {
        lock(&self.0)
    }

    /// Works on the file where waiting for a disk holds nobody up.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let file = self.clone();
        blocking(move || work(&mut file.lock())).await
    }
}

pub(crate) fn lock(db: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    // A transaction that a panic cut off was rolled back when it was dropped.
    db.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(LedgerError::Closed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After a crash on a full disk the server did not start, though what waited could have been delivered: each start
    /// wrote into the history.
    #[test]
    fn a_file_that_is_there_is_opened_without_a_write() {
        let state = repute_testkit::State::new();
        let path = state.join("facts.sqlite");
        let kind = FileKind { shrinks: true, ..FileKind::FACTS };
        let migrations = &["CREATE TABLE fact (what TEXT)"];
        let first = open(&path, kind, migrations).unwrap();
        let mode: i64 = first.query_row("PRAGMA auto_vacuum", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, 2, "a new file shrinks by steps");
        // Nobody else can write now; who tries waits for five seconds, and is refused.
        first.execute_batch("BEGIN IMMEDIATE").unwrap();
        open(&path, kind, migrations).unwrap();
    }
}
