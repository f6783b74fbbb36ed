//! What accounts are used to, and whom they have written to, over restarts.
//!
//! Written now and then beside the counts of the circuits, what changed alone; read once at start. Whom an account knows
//! is kept as pages of bits: no address stands here.

use repute_types::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::Circuits;
use crate::LedgerError;

pub(super) const TABLES: &str = "
    CREATE TABLE learnt (
        account     TEXT PRIMARY KEY,
        since       INTEGER NOT NULL,
        last        INTEGER NOT NULL,
        days        INTEGER NOT NULL,
        meant_until INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE day (
        account    TEXT NOT NULL,
        day        INTEGER NOT NULL,
        busiest    INTEGER NOT NULL,
        recipients INTEGER NOT NULL,
        strangers  INTEGER NOT NULL,
        meant      INTEGER NOT NULL,
        PRIMARY KEY (account, day)
    ) WITHOUT ROWID;
    CREATE TABLE known (
        account TEXT NOT NULL,
        layer   INTEGER NOT NULL,
        page    INTEGER NOT NULL,
        size    INTEGER NOT NULL,
        entries INTEGER NOT NULL,
        bits    BLOB NOT NULL,
        PRIMARY KEY (account, layer, page)
    );
";

/// An account that has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearntAccount {
    pub account: String,
    /// When it sent first, and last.
    pub since: Timestamp,
    pub last: Timestamp,
    /// Different days on which it sent.
    pub days: u32,
    /// Until then a person has said that much is meant to come.
    pub meant_until: Timestamp,
    /// The oldest layer that is remembered; those before it go.
    pub first_layer: u32,
}

/// What an account sent on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearntDay {
    pub account: String,
    /// Days since 1970 (UTC).
    pub day: i64,
    /// Recipients of its busiest hour.
    pub busiest: u32,
    pub recipients: u32,
    pub strangers: u32,
    /// A person said that it was meant.
    pub meant: bool,
}

/// A part of what an account remembers of its recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPage {
    pub account: String,
    pub layer: u32,
    pub page: u32,
    /// Octets of the whole layer.
    pub size: u32,
    /// Recipients in the whole layer.
    pub entries: u32,
    pub bits: Vec<u8>,
}

/// All of it at start; what changed at a save.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    pub accounts: Vec<LearntAccount>,
    pub days: Vec<LearntDay>,
    pub pages: Vec<KnownPage>,
    /// Accounts that are forgotten, before anything else is written.
    pub forgotten: Vec<String>,
}

impl Habits {
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.days.is_empty() && self.pages.is_empty() && self.forgotten.is_empty()
    }
}

impl Circuits {
    /// All that was learnt; days and pages in their order.
    pub fn load_habits(&self) -> Result<Habits, LedgerError> {
        let db = self.db.lock();
        let mut statement = db.prepare("SELECT account, since, last, days, meant_until FROM learnt")?;
        let accounts = statement.query_map([], |row| {
            Ok(LearntAccount {
                account: row.get(0)?,
                since: Timestamp(row.get(1)?),
                last: Timestamp(row.get(2)?),
                days: row.get(3)?,
                meant_until: Timestamp(row.get(4)?),
                first_layer: 0,
            })
        })?;
        let accounts = accounts.collect::<Result<_, _>>()?;
        let mut statement =
            db.prepare("SELECT account, day, busiest, recipients, strangers, meant FROM day ORDER BY account, day")?;
        let days = statement.query_map([], |row| {
            Ok(LearntDay {
                account: row.get(0)?,
                day: row.get(1)?,
                busiest: row.get(2)?,
                recipients: row.get(3)?,
                strangers: row.get(4)?,
                meant: row.get(5)?,
            })
        })?;
        let days = days.collect::<Result<_, _>>()?;
        let mut statement =
            db.prepare("SELECT account, layer, page, size, entries, bits FROM known ORDER BY account, layer, page")?;
        let pages = statement.query_map([], |row| {
            Ok(KnownPage {
                account: row.get(0)?,
                layer: row.get(1)?,
                page: row.get(2)?,
                size: row.get(3)?,
                entries: row.get(4)?,
                bits: row.get(5)?,
            })
        })?;
        Ok(Habits { accounts, days, pages: pages.collect::<Result<_, _>>()?, forgotten: Vec::new() })
    }

    /// Writes what changed, durably, and forgets days before `oldest`.
    pub async fn save_habits(&self, changed: Habits, oldest: i64) -> Result<(), LedgerError> {
        let work = move |db: &mut Connection| {
            let transaction = db.transaction()?;
            write(&transaction, &changed, oldest)?;
            Ok(transaction.commit()?)
        };
        self.db.blocking(work).await
    }
}

fn write(transaction: &Transaction<'_>, changed: &Habits, oldest: i64) -> rusqlite::Result<()> {
    for account in &changed.forgotten {
        for table in ["learnt", "day", "known"] {
            transaction.prepare_cached(&format!("DELETE FROM {table} WHERE account = ?1"))?.execute([account])?;
        }
    }
    let mut add = transaction.prepare_cached("INSERT OR REPLACE INTO learnt VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut outgrown = transaction.prepare_cached("DELETE FROM known WHERE account = ?1 AND layer < ?2")?;
    for a in &changed.accounts {
        add.execute(params![a.account, a.since.0, a.last.0, a.days, a.meant_until.0])?;
        if a.first_layer > 0 {
            outgrown.execute(params![a.account, a.first_layer])?;
        }
    }
    let mut add = transaction.prepare_cached("INSERT OR REPLACE INTO day VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for d in &changed.days {
        add.execute(params![d.account, d.day, d.busiest, d.recipients, d.strangers, d.meant])?;
    }
    transaction.execute("DELETE FROM day WHERE day < ?1", [oldest])?;
    let mut add = transaction.prepare_cached("INSERT OR REPLACE INTO known VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for p in &changed.pages {
        add.execute(params![p.account, p.layer, p.page, p.size, p.entries, p.bits])?;
    }
    Ok(())
}
