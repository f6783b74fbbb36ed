//! The history's tables and settings.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::{LedgerError, migrate};

const MIGRATIONS: &[&str] = &[
    "
    -- A message as it was accepted. `id` is the message id with its highest bit turned over, so
    -- that keys sort as ids do. Addresses of several recipients are separated by line feeds.
    CREATE TABLE message (
        id         INTEGER PRIMARY KEY,
        at         INTEGER NOT NULL,
        account    TEXT,
        sender     TEXT,
        recipients TEXT NOT NULL,
        size       INTEGER NOT NULL,
        header_id  TEXT NOT NULL,
        client     TEXT,
        tls        TEXT
    );
    -- What happened to it, in the order of `seq`; kept together by message, and so by age.
    CREATE TABLE step (
        message   INTEGER NOT NULL,
        seq       INTEGER NOT NULL,
        at        INTEGER NOT NULL,
        kind      TEXT NOT NULL,
        part      INTEGER,
        recipient TEXT,
        attempt   INTEGER,
        verdict   TEXT,
        stage     TEXT,
        culprit   TEXT,
        status    TEXT,
        reply     TEXT,
        text      TEXT,
        peer      TEXT,
        peer_ip   TEXT,
        peer_port INTEGER,
        tls       TEXT,
        egress    TEXT,
        next      INTEGER,
        age       INTEGER,
        other     INTEGER,
        PRIMARY KEY (message, seq)
    ) WITHOUT ROWID;
    -- Finds messages by a 64-bit hash of an address, a domain or a Message-ID field.
    CREATE TABLE find (
        hash    INTEGER NOT NULL,
        message INTEGER NOT NULL,
        PRIMARY KEY (hash, message)
    ) WITHOUT ROWID;
    -- What belongs to no message: refused submissions and notes.
    CREATE TABLE note (
        seq     INTEGER PRIMARY KEY,
        at      INTEGER NOT NULL,
        kind    TEXT NOT NULL,
        level   TEXT,
        what    TEXT,
        text    TEXT NOT NULL,
        account TEXT,
        client  TEXT
    );
    -- How often, minute by minute.
    CREATE TABLE tally (
        minute INTEGER NOT NULL,
        what   TEXT NOT NULL,
        n      INTEGER NOT NULL,
        PRIMARY KEY (minute, what)
    ) WITHOUT ROWID;
",
    "
    -- What the receiver's reply means, by the rules of then: the rule, its class, whose fault.
    ALTER TABLE step ADD COLUMN cause TEXT;
    ALTER TABLE step ADD COLUMN class TEXT;
    ALTER TABLE step ADD COLUMN fault TEXT;
",
];

pub(super) fn open_writer(path: &Path) -> Result<Connection, LedgerError> {
    let failed = |source| LedgerError::Open { path: path.to_owned(), source };
    let mut db = Connection::open(path).map_err(failed)?;
    db.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    // NORMAL: a power cut may lose the last batches but never damages what was before.
    db.execute_batch(
        "PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = NORMAL;
         PRAGMA cache_size = -8192;
         PRAGMA wal_autocheckpoint = 4096;
         PRAGMA journal_size_limit = 33554432;",
    )
    .map_err(failed)?;
    db.set_prepared_statement_cache_capacity(32);
    migrate(&mut db, path, MIGRATIONS)?;
    Ok(db)
}

pub(super) fn open_reader(path: &Path) -> Result<Connection, LedgerError> {
    let failed = |source| LedgerError::Open { path: path.to_owned(), source };
    // Write access is needed to share a write-ahead log; `query_only` keeps it to that.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(failed)?;
    db.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    db.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -1024;").map_err(failed)?;
    Ok(db)
}
