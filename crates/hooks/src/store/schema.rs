//! The tables and settings of the file of events.

use std::path::Path;

use repute_ledger::LedgerError;
use repute_ledger::file::{self, FileKind};
use rusqlite::Connection;

const MIGRATIONS: &[&str] = &[
    "
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
",
    "
    -- Milliseconds of the failures since `since` in which the server ran.
    ALTER TABLE webhook ADD COLUMN failing INTEGER NOT NULL DEFAULT 0;
",
];

/// A commit is a write without a sync. The log is copied by `sync`; this copies what that leaves.
const KIND: FileKind = FileKind { durable: false, shrinks: true, cache: 8192, log: 64 << 20, copied_after: 8192 };

pub(super) fn open(path: &Path) -> Result<Connection, LedgerError> {
    file::open(path, KIND, MIGRATIONS)
}
