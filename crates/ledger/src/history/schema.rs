//! The history's tables and settings.

use std::cmp::Ordering;
use std::path::Path;

use rusqlite::Connection;

use crate::LedgerError;
use crate::file::{self, FileKind, open};

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
    "
    -- A campaign names no recipients when it is accepted: `count` says how many they are, and each step about one of
    -- them has the hash of the address in `whom`, by which it is found. Both are NULL for other mail. The index goes
    -- with the steps.
    ALTER TABLE message ADD COLUMN count INTEGER;
    ALTER TABLE step ADD COLUMN whom INTEGER;
    CREATE INDEX step_whom ON step (whom, message, seq) WHERE whom IS NOT NULL;
",
    "
    -- Finds messages, and steps about recipients of campaigns (`step` is 0 else), by the same hashes, in volumes: see
    -- volume.rs. `opened` is in milliseconds. It stands for `find` and for `whom`, which is NULL from here on.
    CREATE TABLE volume (
        id     INTEGER PRIMARY KEY,
        opened INTEGER NOT NULL
    );
    CREATE TABLE lookup (
        volume  INTEGER NOT NULL,
        hash    INTEGER NOT NULL,
        message INTEGER NOT NULL,
        step    INTEGER NOT NULL,
        PRIMARY KEY (volume, hash, message, step)
    ) WITHOUT ROWID;
    INSERT INTO lookup SELECT 1, hash, message, 0 FROM find;
    INSERT INTO lookup SELECT 1, whom, message, seq FROM step WHERE whom IS NOT NULL;
    INSERT INTO volume SELECT 1, CAST(strftime('%s', 'now') AS INTEGER) * 1000 WHERE EXISTS (SELECT 1 FROM lookup);
    DROP TABLE find;
    DROP INDEX step_whom;
",
];

/// A power cut may lose the last batches.
const KIND: FileKind = FileKind { durable: false, shrinks: true, cache: 8192, log: 32 << 20, copied_after: 4096 };

pub(super) fn open_writer(path: &Path) -> Result<Connection, LedgerError> {
    open(path, KIND, MIGRATIONS)
}

/// A connection that only reads, with a cache of so many KiB. What no writer of this version has opened yet is refused.
pub(super) fn open_reader(path: &Path, cache: u32) -> Result<Connection, LedgerError> {
    let db = file::open_reader(path, cache)?;
    let (found, known): (i64, _) =
        (db.query_row("PRAGMA user_version", [], |row| row.get(0))?, MIGRATIONS.len() as i64);
    match found.cmp(&known) {
        Ordering::Less => Err(LedgerError::Older { path: path.to_owned(), found, known }),
        Ordering::Equal => Ok(db),
        Ordering::Greater => Err(LedgerError::Newer { path: path.to_owned(), found, known }),
    }
}
