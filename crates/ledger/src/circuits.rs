//! What the circuit breakers have counted, and which of them are open, over restarts.
//!
//! Written now and then: a crash loses what was counted in the last minute. A circuit that opens or is
//! closed by a person is synced before the answer.

mod habits;

use std::path::Path;

use repute_types::Timestamp;
use rusqlite::{Connection, params};

pub use self::habits::{Habits, KnownPage, LearntAccount, LearntDay};
use crate::LedgerError;
use crate::file::{File, FileKind};

const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE counted (
        account    TEXT NOT NULL,
        campaign   TEXT NOT NULL,
        since      INTEGER NOT NULL,
        sent       INTEGER NOT NULL,
        unknown    INTEGER NOT NULL,
        complaints INTEGER NOT NULL,
        spam       INTEGER NOT NULL,
        PRIMARY KEY (account, campaign, since)
    ) WITHOUT ROWID;
    CREATE TABLE open (
        account  TEXT NOT NULL,
        campaign TEXT NOT NULL,
        what     TEXT NOT NULL,
        at       INTEGER NOT NULL,
        text     TEXT NOT NULL,
        incident INTEGER NOT NULL,
        PRIMARY KEY (account, campaign)
    ) WITHOUT ROWID;
",
    habits::TABLES,
];

/// What was counted in one slice of time. An empty `campaign` is the account's mail as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    pub account: String,
    pub campaign: String,
    /// When the slice began.
    pub since: Timestamp,
    /// Recipients with an outcome, then those of each kind of trouble.
    pub sent: u64,
    pub unknown: u64,
    pub complaints: u64,
    pub spam: u64,
}

/// A circuit that was opened: mail of the account or campaign is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub account: String,
    pub campaign: String,
    /// `circuit.unknown`, `circuit.complaints`, `circuit.spam`.
    pub what: String,
    pub at: Timestamp,
    /// Numbers and examples.
    pub text: String,
    pub incident: u64,
}

/// Cheap to clone: all clones are one store.
#[derive(Clone)]
pub struct Circuits {
    db: File,
}

impl Circuits {
    pub fn open(path: &Path) -> Result<Circuits, LedgerError> {
        Ok(Circuits { db: File::open(path, FileKind::FACTS, MIGRATIONS)? })
    }

    /// All that is known, read once at start.
    pub fn load(&self) -> Result<(Vec<Counted>, Vec<Opened>), LedgerError> {
        let db = self.db.lock();
        let number = |n: i64| n.max(0) as u64;
        let mut statement = db.prepare("SELECT * FROM counted")?;
        let counted = statement.query_map([], |row| {
            Ok(Counted {
                account: row.get(0)?,
                campaign: row.get(1)?,
                since: Timestamp(row.get(2)?),
                sent: number(row.get(3)?),
                unknown: number(row.get(4)?),
                complaints: number(row.get(5)?),
                spam: number(row.get(6)?),
            })
        })?;
        let counted = counted.collect::<Result<_, _>>()?;
        let mut statement = db.prepare("SELECT * FROM open")?;
        let opened = statement.query_map([], |row| {
            Ok(Opened {
                account: row.get(0)?,
                campaign: row.get(1)?,
                what: row.get(2)?,
                at: Timestamp(row.get(3)?),
                text: row.get(4)?,
                incident: row.get::<_, i64>(5)? as u64,
            })
        })?;
        Ok((counted, opened.collect::<Result<_, _>>()?))
    }

    /// Writes slices that changed and all open circuits, durably, and forgets slices from before `oldest`.
    pub async fn save(&self, changed: Vec<Counted>, open: Vec<Opened>, oldest: Timestamp) -> Result<(), LedgerError> {
        let work = move |db: &mut Connection| {
            let transaction = db.transaction()?;
            {
                let mut add =
                    transaction.prepare_cached("INSERT OR REPLACE INTO counted VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
                for c in &changed {
                    let n = [c.sent, c.unknown, c.complaints, c.spam].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
                    add.execute(params![c.account, c.campaign, c.since.0, n[0], n[1], n[2], n[3]])?;
                }
                transaction.execute("DELETE FROM counted WHERE since < ?1", [oldest.0])?;
                transaction.execute("DELETE FROM open", [])?;
                let mut add = transaction.prepare_cached("INSERT INTO open VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
                for o in &open {
                    add.execute(params![o.account, o.campaign, o.what, o.at.0, o.text, o.incident as i64])?;
                }
            }
            Ok(transaction.commit()?)
        };
        self.db.blocking(work).await
    }
}
