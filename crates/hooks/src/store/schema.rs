//! The tables and settings of the file of events.

use std::path::Path;
use std::time::Duration;

use repute_ledger::{LedgerError, migrate};
use rusqlite::Connection;

const MIGRATIONS: &[&str] = &["
    -- Events as they are told. Those of one chain (a message, an incident) are sent in order.
    CREATE TABLE event (
        id      INTEGER PRIMARY KEY,
        at      INTEGER NOT NULL,
        type    TEXT NOT NULL,
        account TEXT,
        chain   INTEGER NOT NULL,
        json    TEXT NOT NULL
    );
    CREATE INDEX event_chain ON event (chain);
    -- How far each webhook has come: everything up to `done_to` was taken by it or stands in `waiting`.
    CREATE TABLE webhook (
        id           INTEGER PRIMARY KEY,
        name         TEXT NOT NULL UNIQUE,
        url          TEXT NOT NULL,
        done_to      INTEGER NOT NULL,
        state        TEXT NOT NULL DEFAULT 'active',
        reason       TEXT NOT NULL DEFAULT '',
        failures     INTEGER NOT NULL DEFAULT 0,
        since        INTEGER,
        incident     INTEGER,
        taken        INTEGER NOT NULL DEFAULT 0,
        given_up     INTEGER NOT NULL DEFAULT 0,
        lost         INTEGER NOT NULL DEFAULT 0,
        last_taken   INTEGER,
        last_failed  INTEGER,
        last_failure TEXT NOT NULL DEFAULT ''
    );
    -- Events that a webhook was offered in vain or that wait behind such a one (no `due`).
    -- A parcel goes out as one request.
    CREATE TABLE waiting (
        webhook  INTEGER NOT NULL,
        event    INTEGER NOT NULL,
        chain    INTEGER NOT NULL,
        parcel   INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        due      INTEGER,
        PRIMARY KEY (webhook, event)
    ) WITHOUT ROWID;
    CREATE INDEX waiting_due ON waiting (webhook, due) WHERE due IS NOT NULL;
    CREATE INDEX waiting_chain ON waiting (webhook, chain, event);
    CREATE INDEX waiting_parcel ON waiting (webhook, parcel);
    -- Up to here events were deleted; one row.
    CREATE TABLE mark (gone_to INTEGER NOT NULL);
"];

pub(super) fn open(path: &Path) -> Result<Connection, LedgerError> {
    let failed = |source| LedgerError::Open { path: path.to_owned(), source };
    let mut db = Connection::open(path).map_err(failed)?;
    db.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    // NORMAL: a commit is a write without a sync. A power cut may lose the last ones and never
    // damages what was before. The log is copied by `sync`; this copies what that leaves.
    db.execute_batch(
        "PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = NORMAL;
         PRAGMA cache_size = -8192;
         PRAGMA wal_autocheckpoint = 8192;
         PRAGMA journal_size_limit = 67108864;",
    )
    .map_err(failed)?;
    db.set_prepared_statement_cache_capacity(32);
    migrate(&mut db, path, MIGRATIONS)?;
    Ok(db)
}
