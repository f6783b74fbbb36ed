//! Trust over time: what is known of each check, permits and operators' words, the history of
//! what changed, incidents, and the score of each pair.
//!
//! Promise: what [`Trust::keep`] wrote is there after a restart. The history and closed incidents
//! are kept for a time, then forgotten; all of it is small, since it is written when something
//! changes. What the kept records mean is their writer's.

use std::collections::BTreeMap;
use std::path::Path;

use repute_types::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use crate::LedgerError;
use crate::file::{File, FileKind};

const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE kept (
        name  TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE change (
        id      INTEGER PRIMARY KEY,
        at      INTEGER NOT NULL,
        what    TEXT NOT NULL,
        state   TEXT NOT NULL,
        address TEXT,
        domain  TEXT,
        text    TEXT NOT NULL,
        who     TEXT
    );
    CREATE INDEX change_at ON change (at);
    CREATE TABLE incident (
        id      INTEGER PRIMARY KEY AUTOINCREMENT,
        opened  INTEGER NOT NULL,
        closed  INTEGER,
        what    TEXT NOT NULL,
        subject TEXT NOT NULL,
        text    TEXT NOT NULL,
        cure    TEXT NOT NULL,
        -- Whether the operator has been written to: of its opening 1, of its closing 2.
        told    INTEGER NOT NULL DEFAULT 0
    );
    CREATE UNIQUE INDEX incident_open ON incident (what, subject) WHERE closed IS NULL;
    CREATE TABLE score (
        at      INTEGER NOT NULL,
        address TEXT NOT NULL,
        domain  TEXT NOT NULL,
        points  INTEGER NOT NULL,
        PRIMARY KEY (at, address, domain)
    ) WITHOUT ROWID;
",
    "
    -- Incidents of others than the watch, under the ids by which they told them.
    CREATE TABLE others_incident (
        id      INTEGER PRIMARY KEY,
        opened  INTEGER NOT NULL,
        closed  INTEGER,
        what    TEXT NOT NULL,
        subject TEXT NOT NULL,
        text    TEXT NOT NULL,
        cure    TEXT NOT NULL
    );
",
];

/// Something about trust that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrustChange {
    pub at: Timestamp,
    /// A check (`name.fcrdns`), `permit` or `override`.
    pub what: String,
    /// What it is now.
    pub state: String,
    pub address: Option<String>,
    pub domain: Option<String>,
    pub text: String,
    /// Who did it, where a person did.
    pub who: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Incident {
    pub id: u64,
    pub opened: Timestamp,
    pub closed: Option<Timestamp>,
    /// The check or rule that found it.
    pub what: String,
    pub subject: String,
    pub text: String,
    pub cure: String,
}

/// Points of 100 that a pair had from a time on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Score {
    pub at: Timestamp,
    pub address: String,
    pub domain: String,
    pub points: u32,
}

/// Cheap to clone: all clones are one store.
#[derive(Clone)]
pub struct Trust {
    db: File,
}

impl Trust {
    pub fn open(path: &Path) -> Result<Trust, LedgerError> {
        Ok(Trust { db: File::open(path, FileKind { cache: 512, log: 1 << 20, ..FileKind::FACTS }, MIGRATIONS)? })
    }

    /// Every kept record by its name.
    pub async fn kept(&self) -> Result<BTreeMap<String, String>, LedgerError> {
        self.db
            .blocking(|db| {
                let mut statement = db.prepare("SELECT name, value FROM kept")?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// Writes records, and takes out those without a value, durably and as a whole.
    pub async fn keep(&self, records: Vec<(String, Option<String>)>) -> Result<(), LedgerError> {
        self.db
            .blocking(move |db| {
                let transaction = db.transaction()?;
                for (name, value) in &records {
                    match value {
                        Some(value) => transaction
                            .prepare_cached("INSERT OR REPLACE INTO kept VALUES (?1, ?2)")?
                            .execute([name, value])?,
                        None => transaction.prepare_cached("DELETE FROM kept WHERE name = ?1")?.execute([name])?,
                    };
                }
                transaction.commit()?;
                Ok(())
            })
            .await
    }

    pub async fn note(&self, changes: Vec<TrustChange>) -> Result<(), LedgerError> {
        self.db
            .blocking(move |db| {
                let transaction = db.transaction()?;
                for c in &changes {
                    transaction
                        .prepare_cached(
                            "INSERT INTO change (at, what, state, address, domain, text, who)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                        )?
                        .execute(params![c.at.0, c.what, c.state, c.address, c.domain, c.text, c.who])?;
                }
                transaction.commit()?;
                Ok(())
            })
            .await
    }

    /// What changed since then, the oldest first; of too many the newest.
    pub async fn changes(&self, since: Timestamp, limit: usize) -> Result<Vec<TrustChange>, LedgerError> {
        self.db
            .blocking(move |db| {
                let mut statement = db.prepare_cached(
                    "SELECT at, what, state, address, domain, text, who FROM change
                 WHERE at >= ?1 ORDER BY at DESC, id DESC LIMIT ?2",
                )?;
                let rows = statement.query_map(params![since.0, bound(limit)], |row| {
                    Ok(TrustChange {
                        at: Timestamp(row.get(0)?),
                        what: row.get(1)?,
                        state: row.get(2)?,
                        address: row.get(3)?,
                        domain: row.get(4)?,
                        text: row.get(5)?,
                        who: row.get(6)?,
                    })
                })?;
                let mut found = rows.collect::<Result<Vec<_>, _>>()?;
                found.reverse();
                Ok(found)
            })
            .await
    }

    /// Opens an incident; `None` where the same is open already. The ids only ever grow.
    pub async fn open_incident(
        &self,
        at: Timestamp,
        what: String,
        subject: String,
        text: String,
        cure: String,
    ) -> Result<Option<Incident>, LedgerError> {
        self.db
            .blocking(move |db| {
                let inserted = db
                    .prepare_cached(
                        "INSERT INTO incident (opened, what, subject, text, cure) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT DO NOTHING",
                    )?
                    .execute(params![at.0, what, subject, text, cure])?;
                if inserted == 0 {
                    return Ok(None);
                }
                let id = db.last_insert_rowid().unsigned_abs();
                Ok(Some(Incident { id, opened: at, closed: None, what, subject, text, cure }))
            })
            .await
    }

    /// Closes the open incident about this, if there is one, and gives it back.
    pub async fn close_incident(
        &self,
        at: Timestamp,
        what: String,
        subject: String,
    ) -> Result<Option<Incident>, LedgerError> {
        self.db
            .blocking(move |db| {
                let found = db
                    .prepare_cached(
                        "SELECT id, opened, closed, what, subject, text, cure FROM incident
                     WHERE closed IS NULL AND what = ?1 AND subject = ?2",
                    )?
                    .query_row([&what, &subject], incident)
                    .optional()?;
                let Some(mut found) = found else { return Ok(None) };
                db.execute("UPDATE incident SET closed = ?1 WHERE id = ?2", params![at.0, found.id as i64])?;
                found.closed = Some(at);
                Ok(Some(found))
            })
            .await
    }

    /// Writes down, as it is now, an incident that another part of the server opened or closed under an id of its own.
    pub async fn keep_incident(&self, one: Incident) -> Result<(), LedgerError> {
        self.db
            .blocking(move |db| {
                let Incident { id, opened, closed, what, subject, text, cure } = one;
                db.prepare_cached(
                    "INSERT INTO others_incident VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                     ON CONFLICT (id) DO UPDATE SET closed = ?3",
                )?
                .execute(params![
                    id as i64,
                    opened.0,
                    closed.map(|at| at.0),
                    what,
                    subject,
                    text,
                    cure
                ])?;
                Ok(())
            })
            .await
    }

    /// The open ones, and `closed` of the others, the newest first.
    pub async fn incidents(&self, closed: usize) -> Result<Vec<Incident>, LedgerError> {
        self.db
            .blocking(move |db| {
                let mut found = Vec::new();
                for (which, limit) in [("closed IS NULL", usize::MAX), ("closed IS NOT NULL", closed)] {
                    let mut statement = db.prepare(&format!(
                        "SELECT * FROM (SELECT id, opened, closed, what, subject, text, cure FROM incident
                                     UNION ALL SELECT * FROM others_incident)
                     WHERE {which} ORDER BY opened DESC, id DESC LIMIT ?1"
                    ))?;
                    let rows = statement.query_map([bound(limit)], incident)?;
                    found.extend(rows.collect::<Result<Vec<_>, _>>()?);
                }
                Ok(found)
            })
            .await
    }

    /// Incidents whose opening or closing the operator has not been written of; those that opened
    /// and closed without a letter are nobody's concern any more.
    pub async fn untold(&self) -> Result<Vec<Incident>, LedgerError> {
        self.db
            .blocking(|db| {
                let mut statement = db.prepare_cached(
                    "SELECT id, opened, closed, what, subject, text, cure FROM incident
                 WHERE (told = 0 AND closed IS NULL) OR (told = 1 AND closed IS NOT NULL) ORDER BY id LIMIT 200",
                )?;
                let rows = statement.query_map([], incident)?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// The operator has been written of these, as they are in the list.
    pub async fn told(&self, incidents: Vec<Incident>) -> Result<(), LedgerError> {
        self.db
            .blocking(move |db| {
                let transaction = db.transaction()?;
                for one in &incidents {
                    let told = if one.closed.is_some() { 2 } else { 1 };
                    transaction
                        .prepare_cached("UPDATE incident SET told = ?1 WHERE id = ?2")?
                        .execute(params![told, one.id as i64])?;
                }
                transaction.commit()?;
                Ok(())
            })
            .await
    }

    /// Keeps the scores that differ from the last ones.
    pub async fn score(&self, at: Timestamp, scores: Vec<(String, String, u32)>) -> Result<(), LedgerError> {
        self.db
            .blocking(move |db| {
                let transaction = db.transaction()?;
                for (address, domain, points) in &scores {
                    let last: Option<u32> = transaction
                        .prepare_cached(
                            "SELECT points FROM score WHERE address = ?1 AND domain = ?2 ORDER BY at DESC LIMIT 1",
                        )?
                        .query_row([address, domain], |row| row.get(0))
                        .optional()?;
                    if last != Some(*points) {
                        transaction
                            .prepare_cached("INSERT OR REPLACE INTO score VALUES (?1, ?2, ?3, ?4)")?
                            .execute(params![at.0, address, domain, points])?;
                    }
                }
                transaction.commit()?;
                Ok(())
            })
            .await
    }

    /// Scores since then, the oldest first, with the one that each pair had then.
    pub async fn scores(&self, since: Timestamp) -> Result<Vec<Score>, LedgerError> {
        self.db
            .blocking(move |db| {
                let mut statement = db.prepare_cached(
                    "SELECT at, address, domain, points FROM score AS s WHERE at >= ?1 OR at =
                     (SELECT max(at) FROM score WHERE address = s.address AND domain = s.domain AND at < ?1)
                 ORDER BY at, address, domain LIMIT 100000",
                )?;
                let rows = statement.query_map([since.0], |row| {
                    Ok(Score {
                        at: Timestamp(row.get(0)?),
                        address: row.get(1)?,
                        domain: row.get(2)?,
                        points: row.get(3)?,
                    })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// Forgets what is over and older; the last score of each pair stays.
    pub async fn forget_before(&self, at: Timestamp) -> Result<(), LedgerError> {
        self.db
            .blocking(move |db| {
                db.execute("DELETE FROM change WHERE at < ?1", [at.0])?;
                db.execute("DELETE FROM incident WHERE closed < ?1", [at.0])?;
                db.execute("DELETE FROM others_incident WHERE closed < ?1", [at.0])?;
                db.execute(
                    "DELETE FROM score AS s WHERE at < ?1 AND EXISTS
                     (SELECT 1 FROM score WHERE address = s.address AND domain = s.domain AND at > s.at)",
                    [at.0],
                )?;
                Ok(())
            })
            .await
    }
}

fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn incident(row: &Row<'_>) -> rusqlite::Result<Incident> {
    Ok(Incident {
        id: row.get::<_, i64>(0)?.unsigned_abs(),
        opened: Timestamp(row.get(1)?),
        closed: row.get::<_, Option<i64>>(2)?.map(Timestamp),
        what: row.get(3)?,
        subject: row.get(4)?,
        text: row.get(5)?,
        cure: row.get(6)?,
    })
}
