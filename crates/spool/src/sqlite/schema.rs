//! The database's shape, its settings, and the lock that keeps a second process out.
//!
//! `user_version` is the schema's number; a database with a lower one is migrated in one
//! transaction at opening, one with a higher one is refused.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{OpenError, Options};

/// The size of an overflow page of content: measured against 8 and 16 KiB in docs/spool.md.
pub(super) const PAGE_OCTETS: u64 = 4096;

/// Between two tries at a lock that somebody has.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Each entry brings the schema from its index to the next number.
const MIGRATIONS: &[&str] = &[
    "
    -- One row a message. `first` and `chunks` are its rows in `content`, `crc` is the CRC-32
    -- of all their octets together; `meta` is the codec's.
    CREATE TABLE message (
        id     INTEGER PRIMARY KEY,
        first  INTEGER NOT NULL,
        chunks INTEGER NOT NULL,
        crc    INTEGER NOT NULL,
        meta   BLOB NOT NULL
    );
    -- Content in pieces of at most 1 MiB, numbered in the order in which they came.
    CREATE TABLE content (
        id   INTEGER PRIMARY KEY,
        data BLOB NOT NULL
    );
    CREATE TABLE part (
        message INTEGER NOT NULL,
        number  INTEGER NOT NULL,
        record  BLOB NOT NULL,
        PRIMARY KEY (message, number)
    ) WITHOUT ROWID;
",
    "
    -- One row a campaign: the codec's record, how many rows of the list it has, and what became of them.
    CREATE TABLE campaign (
        id         INTEGER PRIMARY KEY,
        record     BLOB NOT NULL,
        rows       INTEGER NOT NULL,
        taken      INTEGER NOT NULL,
        refused    INTEGER NOT NULL,
        left_out   INTEGER NOT NULL,
        delivered  INTEGER NOT NULL,
        failed     INTEGER NOT NULL,
        suppressed INTEGER NOT NULL,
        cancelled  INTEGER NOT NULL
    );
    -- To whom each part of bulk mail went, for longer than the part is there.
    CREATE TABLE member (
        message INTEGER NOT NULL,
        number  INTEGER NOT NULL,
        record  BLOB NOT NULL,
        PRIMARY KEY (message, number)
    ) WITHOUT ROWID;
",
    "
    -- One row: the youngest generation of the journal of which everything is here.
    CREATE TABLE journal (generation INTEGER NOT NULL);
    INSERT INTO journal VALUES (0);
",
    // Blocks of the journal have a second form since: a version that does not know it would take them for none.
    "",
    // Large contents stand beside since, with -1 `chunks` and their length as `first`, and a record of the journal says so:
    // a version that does not know it would take them for damaged.
    "",
];

/// Makes the folder and takes its lock, which is released when the file is closed. Blocks for as long as `patience`.
pub(super) fn lock_folder(dir: &Path, patience: Duration) -> Result<File, OpenError> {
    let folder = |source| OpenError::Folder { path: dir.to_owned(), source };
    // Mail is private: nobody but the server's user reads it.
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(folder)?;
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(dir.join("lock"))
        .map_err(folder)?;
    let mut left = patience;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if !left.is_zero() => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { path: dir.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(folder(source)),
        }
        left = left.saturating_sub(LOCK_PAUSE);
    }
}

/// The names of new files are durable only after their folder is synced.
pub(super) fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()?;
    match dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

pub(super) fn open_writer(path: &Path, options: &Options) -> Result<Connection, OpenError> {
    let failed = |source| OpenError::Database { path: path.to_owned(), source };
    let mut db = connect(path).map_err(failed)?;
    set_up_writer(&db, options).map_err(failed)?;
    let found: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    migrate(&mut db, found as usize).map_err(failed)?;
    Ok(db)
}

/// The youngest generation of the journal of which everything is in the database.
pub(super) fn taken(db: &Connection) -> rusqlite::Result<u64> {
    db.query_row("SELECT generation FROM journal", [], |row| row.get::<_, i64>(0)).map(|n| n.max(0) as u64)
}

/// Octets of the pages that are used.
pub(super) fn octets(db: &Connection) -> rusqlite::Result<u64> {
    let pages = |pragma| db.prepare_cached(pragma)?.query_row([], |row| row.get::<_, i64>(0));
    let used = pages("PRAGMA page_count")? - pages("PRAGMA freelist_count")?;
    Ok(used.max(0) as u64 * PAGE_OCTETS)
}

pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let db = connect(path)?;
    db.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -1024;")?;
    Ok(db)
}

pub(super) fn open_checkpointer(path: &Path) -> rusqlite::Result<Connection> {
    let db = connect(path)?;
    db.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA checkpoint_fullfsync = ON;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA cache_size = -64;",
    )?;
    Ok(db)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE;
    // One process at a time has the spool, so its connections need no locks between processes (a tenth of
    // the writer's processor time), and the index of the log is in this process's memory.
    let db = Connection::open_with_flags_and_vfs(path, flags, "unix-excl")?;
    // Only a checkpoint or a recovery in another connection of ours can be in the way.
    db.busy_timeout(Duration::from_secs(5))?;
    // No mmap: an I/O error under it is a signal that ends the process instead of an error.
    db.execute_batch("PRAGMA mmap_size = 0;")?;
    Ok(db)
}

fn set_up_writer(db: &Connection, options: &Options) -> rusqlite::Result<()> {
    // Both count only for a database that is empty yet; in another the second would be a write, for which a full disk has
    // no room.
    db.execute_batch(&format!("PRAGMA page_size = {PAGE_OCTETS};"))?;
    if db.query_row("PRAGMA auto_vacuum", [], |row| row.get::<_, i64>(0))? == 0 {
        db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL;")?;
    }
    db.execute_batch(&format!(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON;
         PRAGMA secure_delete = OFF;
         PRAGMA foreign_keys = OFF;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -4096;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = {};",
        options.log_octets
    ))?;
    if let Some(octets) = options.max_octets {
        db.execute_batch(&format!("PRAGMA max_page_count = {};", octets / PAGE_OCTETS))?;
    }
    Ok(())
}

fn migrate(db: &mut Connection, found: usize) -> rusqlite::Result<()> {
    if found == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = db.transaction()?;
    for step in MIGRATIONS.iter().skip(found) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After a crash on a full disk the spool could not be opened, though the database had all that waits.
    #[test]
    fn a_database_that_is_there_is_opened_without_a_write() {
        let state = repute_testkit::State::new();
        let path = state.join("spool.sqlite");
        let first = open_writer(&path, &Options::default()).unwrap();
        let mode: i64 = first.query_row("PRAGMA auto_vacuum", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, 2, "a new database shrinks by steps");
        drop(first);
        let _again = open_writer(&path, &Options::default()).unwrap();
        let log = std::fs::metadata(path.with_extension("sqlite-wal")).map_or(0, |log| log.len());
        assert_eq!(log, 0, "octets in its log");
    }
}
