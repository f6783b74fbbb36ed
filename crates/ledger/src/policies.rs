//! MTA-STS policies of domains that mail goes to (RFC 8461), over restarts: who stands in between must not
//! be able to take a policy away by waiting for one.
//!
//! Durable before the answer.

use std::path::Path;

use repute_types::Timestamp;
use rusqlite::{Connection, params};

use crate::LedgerError;
use crate::file::{File, FileKind};

const MIGRATIONS: &[&str] = &["
    CREATE TABLE policy (
        domain  TEXT NOT NULL PRIMARY KEY,
        id      TEXT NOT NULL,
        text    TEXT NOT NULL,
        fetched INTEGER NOT NULL,
        expires INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX policy_expires ON policy (expires);
"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPolicy {
    pub domain: String,
    /// Of the record that announced it.
    pub id: String,
    /// As the file has it.
    pub text: String,
    pub fetched: Timestamp,
    pub expires: Timestamp,
}

/// Cheap to clone: all clones are one store.
#[derive(Clone)]
pub struct KeptPolicies {
    db: File,
}

impl KeptPolicies {
    pub fn open(path: &Path) -> Result<KeptPolicies, LedgerError> {
        Ok(KeptPolicies { db: File::open(path, FileKind::FACTS, MIGRATIONS)? })
    }

    /// Those whose time is not over, the longest first, `most` at most; the others are forgotten.
    pub fn load(&self, now: Timestamp, most: usize) -> Result<Vec<KeptPolicy>, LedgerError> {
        let db = self.db.lock();
        db.execute("DELETE FROM policy WHERE expires <= ?1", [now.0])?;
        let mut statement =
            db.prepare("SELECT domain, id, text, fetched, expires FROM policy ORDER BY expires DESC LIMIT ?1")?;
        let rows = statement.query_map([i64::try_from(most).unwrap_or(i64::MAX)], |row| {
            Ok(KeptPolicy {
                domain: row.get(0)?,
                id: row.get(1)?,
                text: row.get(2)?,
                fetched: Timestamp(row.get(3)?),
                expires: Timestamp(row.get(4)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Keeps a policy in place of its domain's earlier one.
    pub async fn keep(&self, policy: KeptPolicy) -> Result<(), LedgerError> {
        let work = move |db: &mut Connection| {
            let p = &policy;
            db.execute(
                "INSERT OR REPLACE INTO policy (domain, id, text, fetched, expires) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![p.domain, p.id, p.text, p.fetched.0, p.expires.0],
            )?;
            Ok(())
        };
        self.db.blocking(work).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(domain: &str, id: &str, expires: i64) -> KeptPolicy {
        let text = "version: STSv1\r\nmode: none\r\n".to_owned();
        KeptPolicy { domain: domain.into(), id: id.into(), text, fetched: Timestamp(1), expires: Timestamp(expires) }
    }

    #[tokio::test]
    async fn a_policy_outlives_a_restart_until_its_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policies.sqlite");
        let store = KeptPolicies::open(&path).unwrap();
        for kept in [policy("a.example", "1", 100), policy("b.example", "1", 200), policy("a.example", "2", 300)] {
            store.keep(kept).await.unwrap();
        }
        drop(store);
        let store = KeptPolicies::open(&path).unwrap();
        let both = [policy("a.example", "2", 300), policy("b.example", "1", 200)];
        assert_eq!(store.load(Timestamp(50), 10).unwrap(), both);
        assert_eq!(store.load(Timestamp(50), 1).unwrap(), both[..1]);
        assert_eq!(store.load(Timestamp(200), 10).unwrap(), both[..1]);
        assert_eq!(store.load(Timestamp(50), 10).unwrap(), both[..1], "what is over is forgotten");
    }
}
