//! How far each address has come with each receiver while it warms up, over restarts.
//!
//! Written now and then: a crash loses what was counted in the last minute.

use std::path::Path;

use rusqlite::{Connection, params};

use crate::LedgerError;
use crate::file::{File, FileKind};

const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE warmth (
        egress   TEXT NOT NULL,
        receiver TEXT NOT NULL,
        step     INTEGER NOT NULL,
        day      INTEGER NOT NULL,
        sent     INTEGER NOT NULL,
        slowed   INTEGER NOT NULL,
        PRIMARY KEY (egress, receiver)
    ) WITHOUT ROWID;
",
    "
    ALTER TABLE warmth ADD COLUMN complaints INTEGER NOT NULL DEFAULT 0;
",
];

/// How far an address has come with a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warmth {
    pub egress: String,
    pub receiver: String,
    pub step: u16,
    /// The day that was counted last, since 1970.
    pub day: i64,
    /// Messages of that day, and those that were put off or refused because of the address.
    pub sent: u64,
    pub slowed: u64,
    /// Complaints of that day.
    pub complaints: u64,
}

/// Cheap to clone: all clones are one store.
#[derive(Clone)]
pub struct WarmUps {
    db: File,
}

impl WarmUps {
    pub fn open(path: &Path) -> Result<WarmUps, LedgerError> {
        Ok(WarmUps { db: File::open(path, FileKind::FACTS, MIGRATIONS)? })
    }

    /// All that is known, read once at start.
    pub fn load(&self) -> Result<Vec<Warmth>, LedgerError> {
        let db = self.db.lock();
        let mut statement = db.prepare("SELECT egress, receiver, step, day, sent, slowed, complaints FROM warmth")?;
        let number = |n: i64| n.max(0) as u64;
        let rows = statement.query_map([], |row| {
            Ok(Warmth {
                egress: row.get(0)?,
                receiver: row.get(1)?,
                step: row.get(2)?,
                day: row.get(3)?,
                sent: number(row.get(4)?),
                slowed: number(row.get(5)?),
                complaints: number(row.get(6)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Writes what changed, and forgets what is as if it had never been.
    pub async fn save(&self, changed: Vec<Warmth>, forgotten: Vec<(String, String)>) -> Result<(), LedgerError> {
        let work = move |db: &mut Connection| {
            let transaction = db.transaction()?;
            {
                let sql = "INSERT OR REPLACE INTO warmth (egress, receiver, step, day, sent, slowed, complaints)
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
                let mut add = transaction.prepare_cached(sql)?;
                for w in &changed {
                    let n = [w.sent, w.slowed, w.complaints].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
                    add.execute(params![w.egress, w.receiver, w.step, w.day, n[0], n[1], n[2]])?;
                }
                let mut forget =
                    transaction.prepare_cached("DELETE FROM warmth WHERE egress = ?1 AND receiver = ?2")?;
                for (egress, receiver) in &forgotten {
                    forget.execute([egress, receiver])?;
                }
            }
            Ok(transaction.commit()?)
        };
        self.db.blocking(work).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_counted_outlives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("warm_up.sqlite");
        let of = |receiver: &str, step, sent| Warmth {
            egress: "192.0.2.1".into(),
            receiver: receiver.into(),
            step,
            day: 20_782,
            sent,
            slowed: 1,
            complaints: 2,
        };
        let store = WarmUps::open(&path).unwrap();
        store.save(vec![of("Google", 0, 10), of("Yahoo", 3, 700)], Vec::new()).await.unwrap();
        let gone = vec![("192.0.2.1".into(), "Yahoo".into())];
        store.save(vec![of("Google", 1, 60)], gone).await.unwrap();
        drop(store);
        assert_eq!(WarmUps::open(&path).unwrap().load().unwrap(), [of("Google", 1, 60)]);
    }
}
