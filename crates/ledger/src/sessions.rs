//! Sessions with receivers' hosts as they were counted for reports on TLS (RFC 8460), by UTC day, and the reports that are
//! owed. What is reported is forgotten, and so is what nobody asked for.
//!
//! A report is owed first to nowhere: where it goes is asked when its day is over. Then it is owed to each of its places,
//! until that place has it or its time is over.
//!
//! Bounded: [`ROWS_MOST`] kinds of sessions; at the bound further kinds are left out, and known ones still counted.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use repute_feedback::{SessionCount, TlsPolicy};
use repute_types::Timestamp;
use rusqlite::{Connection, params};

use crate::LedgerError;
use crate::file::{File, FileKind};

/// About 200 octets each.
const ROWS_MOST: u64 = 500_000;

const MIGRATIONS: &[&str] = &["
    CREATE TABLE session (
        day       INTEGER NOT NULL,
        domain    TEXT NOT NULL,
        policy    TEXT NOT NULL,
        host      TEXT NOT NULL,
        result    TEXT NOT NULL,
        reason    TEXT NOT NULL,
        receiving TEXT NOT NULL,
        sending   TEXT NOT NULL,
        sessions  INTEGER NOT NULL,
        PRIMARY KEY (day, domain, policy, host, result, reason, receiving, sending)
    ) WITHOUT ROWID;
    CREATE TABLE owed (
        day      INTEGER NOT NULL,
        domain   TEXT NOT NULL,
        place    TEXT NOT NULL,
        next     INTEGER NOT NULL,
        since    INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        PRIMARY KEY (day, domain, place)
    ) WITHOUT ROWID;
    CREATE INDEX owed_next ON owed (next);
"];

/// Sessions of a day with the hosts of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainSessions {
    /// Days since 1970-01-01, UTC.
    pub day: i64,
    pub domain: String,
    pub count: SessionCount,
}

/// A report that is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedReport {
    pub day: i64,
    pub domain: String,
    /// A URI; `None` where it is to be asked yet.
    pub place: Option<String>,
    /// When it was first due.
    pub since: Timestamp,
    pub attempts: u32,
}

/// Cheap to clone: all clones are one store.
#[derive(Clone)]
pub struct TlsSessions {
    db: File,
    rows: Arc<AtomicU64>,
}

impl TlsSessions {
    pub fn open(path: &Path) -> Result<TlsSessions, LedgerError> {
        let db = File::open(path, FileKind::FACTS, MIGRATIONS)?;
        let rows: i64 = db.lock().query_row("SELECT count(*) FROM session", [], |row| row.get(0))?;
        Ok(TlsSessions { db, rows: Arc::new(AtomicU64::new(rows.max(0) as u64)) })
    }

    /// Adds to the counts; how many sessions found no room.
    pub async fn add(&self, counted: Vec<DomainSessions>) -> Result<u64, LedgerError> {
        let rows = self.rows.clone();
        let work = move |db: &mut Connection| {
            let transaction = db.transaction()?;
            let (mut known, mut left_out) = (rows.load(Ordering::Relaxed), 0);
            for DomainSessions { day, domain, count: c } in &counted {
                let policy = serde_json::to_string(&c.policy).unwrap_or_default();
                let result = c.result.as_deref().unwrap_or_default();
                let sessions = i64::try_from(c.sessions).unwrap_or(i64::MAX);
                let key = params![day, domain, policy, c.host, result, c.reason, c.receiving, c.sending, sessions];
                if transaction.prepare_cached(ADD)?.execute(key)? > 0 {
                    continue;
                }
                if known >= ROWS_MOST {
                    left_out += c.sessions;
                    continue;
                }
                transaction
                    .prepare_cached("INSERT INTO session VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?
                    .execute(key)?;
                known += 1;
            }
            transaction.commit()?;
            rows.store(known, Ordering::Relaxed);
            Ok(left_out)
        };
        self.db.blocking(work).await
    }

    /// What was counted on a day, of one domain or of all; `most` rows at most.
    pub async fn of_day(
        &self,
        day: i64,
        domain: Option<String>,
        most: usize,
    ) -> Result<Vec<DomainSessions>, LedgerError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let work = move |db: &mut Connection| {
            let mut statement = db.prepare_cached(
                "SELECT * FROM session WHERE day = ?1 AND (?2 IS NULL OR domain = ?2) ORDER BY domain, policy LIMIT ?3",
            )?;
            let rows = statement.query_map(params![day, domain, most], read)?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        self.db.blocking(work).await
    }

    /// Makes a report owed for each domain of the days before this one; `due` says when.
    pub async fn close_before(
        &self,
        day: i64,
        due: impl Fn(i64, &str) -> Timestamp + Send + 'static,
    ) -> Result<(), LedgerError> {
        let work = move |db: &mut Connection| {
            let transaction = db.transaction()?;
            {
                let mut find = transaction.prepare(
                    "SELECT DISTINCT day, domain FROM session s WHERE day < ?1
                     AND NOT EXISTS (SELECT 1 FROM owed o WHERE o.day = s.day AND o.domain = s.domain)",
                )?;
                let mut owe = transaction.prepare("INSERT INTO owed VALUES (?1, ?2, '', ?3, ?3, 0)")?;
                let mut rows = find.query([day])?;
                while let Some(row) = rows.next()? {
                    let (day, domain): (i64, String) = (row.get(0)?, row.get(1)?);
                    owe.execute(params![day, domain, due(day, &domain).0])?;
                }
            }
            Ok(transaction.commit()?)
        };
        self.db.blocking(work).await
    }

    /// Reports that are due, the first ones first.
    pub async fn due(&self, now: Timestamp, most: usize) -> Result<Vec<OwedReport>, LedgerError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let work = move |db: &mut Connection| {
            let mut statement = db.prepare_cached(
                "SELECT day, domain, place, since, attempts FROM owed WHERE next <= ?1 ORDER BY next LIMIT ?2",
            )?;
            let rows = statement.query_map(params![now.0, most], |row| {
                let place: String = row.get(2)?;
                Ok(OwedReport {
                    day: row.get(0)?,
                    domain: row.get(1)?,
                    place: (!place.is_empty()).then_some(place),
                    since: Timestamp(row.get(3)?),
                    attempts: row.get(4)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        self.db.blocking(work).await
    }

    /// It is owed to these places now; to none, and it is forgotten.
    pub async fn owe(&self, owed: &OwedReport, places: Vec<String>, now: Timestamp) -> Result<(), LedgerError> {
        let places = move |db: &Connection, owed: &OwedReport| {
            let mut owe = db.prepare_cached("INSERT OR IGNORE INTO owed VALUES (?1, ?2, ?3, ?4, ?4, 0)")?;
            for place in &places {
                owe.execute(params![owed.day, owed.domain, place, now.0])?;
            }
            Ok(())
        };
        self.end(owed, places).await
    }

    /// The place has it, or never will.
    pub async fn done(&self, owed: &OwedReport) -> Result<(), LedgerError> {
        self.end(owed, |_, _| Ok(())).await
    }

    /// It could not be handed in, and is tried again then.
    pub async fn later(&self, owed: &OwedReport, next: Timestamp) -> Result<(), LedgerError> {
        let owed = owed.clone();
        let work = move |db: &mut Connection| {
            db.execute(
                "UPDATE owed SET next = ?4, attempts = attempts + 1 WHERE day = ?1 AND domain = ?2 AND place = ?3",
                params![owed.day, owed.domain, owed.place.unwrap_or_default(), next.0],
            )?;
            Ok(())
        };
        self.db.blocking(work).await
    }

    /// Ends one debt; what was counted is forgotten with the last of its day and domain.
    async fn end(
        &self,
        owed: &OwedReport,
        before: impl FnOnce(&Connection, &OwedReport) -> Result<(), LedgerError> + Send + 'static,
    ) -> Result<(), LedgerError> {
        let (owed, rows) = (owed.clone(), self.rows.clone());
        let work = move |db: &mut Connection| {
            let transaction = db.transaction()?;
            let place = owed.place.as_deref().unwrap_or_default();
            let end = "DELETE FROM owed WHERE day = ?1 AND domain = ?2 AND place = ?3";
            transaction.execute(end, params![owed.day, owed.domain, place])?;
            before(&transaction, &owed)?;
            let forgotten = transaction.execute(
                "DELETE FROM session WHERE day = ?1 AND domain = ?2
                 AND NOT EXISTS (SELECT 1 FROM owed WHERE day = ?1 AND domain = ?2)",
                params![owed.day, owed.domain],
            )?;
            transaction.commit()?;
            rows.fetch_sub(forgotten as u64, Ordering::Relaxed);
            Ok(())
        };
        self.db.blocking(work).await
    }
}

const ADD: &str = "UPDATE session SET sessions = sessions + ?9 WHERE day = ?1 AND domain = ?2 AND policy = ?3
    AND host = ?4 AND result = ?5 AND reason = ?6 AND receiving = ?7 AND sending = ?8";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<DomainSessions> {
    let (policy, result): (String, String) = (row.get(2)?, row.get(4)?);
    let count = SessionCount {
        // What cannot be read any more is a policy without a name.
        policy: serde_json::from_str(&policy).unwrap_or_else(|_| TlsPolicy::default()),
        host: row.get(3)?,
        result: (!result.is_empty()).then_some(result),
        reason: row.get(5)?,
        receiving: row.get(6)?,
        sending: row.get(7)?,
        sessions: row.get::<_, i64>(8)?.max(0) as u64,
    };
    Ok(DomainSessions { day: row.get(0)?, domain: row.get(1)?, count })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(day: i64, domain: &str, result: Option<&str>, sessions: u64) -> DomainSessions {
        let policy = TlsPolicy { policy_type: "sts".into(), policy_domain: domain.into(), ..TlsPolicy::default() };
        let count = SessionCount {
            policy,
            host: format!("mx.{domain}"),
            result: result.map(str::to_owned),
            reason: String::new(),
            receiving: String::new(),
            sending: String::new(),
            sessions,
        };
        DomainSessions { day, domain: domain.into(), count }
    }

    fn owed(place: Option<&str>, attempts: u32) -> OwedReport {
        let place = place.map(str::to_owned);
        OwedReport { day: 7, domain: "a.test".into(), place, since: Timestamp(100), attempts }
    }

    #[tokio::test]
    async fn counts_add_up_over_restarts_and_are_forgotten_with_their_last_report() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tls.sqlite");
        let store = TlsSessions::open(&path).unwrap();
        let good = |n| sessions(7, "a.test", None, n);
        store.add(vec![good(2), sessions(7, "a.test", Some("certificate-expired"), 1)]).await.unwrap();
        store.add(vec![good(3), sessions(8, "a.test", None, 1), sessions(7, "b.test", None, 1)]).await.unwrap();
        drop(store);
        let store = TlsSessions::open(&path).unwrap();
        let expected = [good(5), sessions(7, "a.test", Some("certificate-expired"), 1)];
        assert_eq!(store.of_day(7, Some("a.test".into()), 10).await.unwrap(), expected);

        // The day is over: both domains are asked, each at its time, and once.
        for _ in 0..2 {
            let due = |_, domain: &str| Timestamp(if domain == "a.test" { 100 } else { 200 });
            store.close_before(8, due).await.unwrap();
        }
        assert_eq!(store.due(Timestamp(150), 10).await.unwrap(), [owed(None, 0)]);
        assert_eq!(store.due(Timestamp(200), 10).await.unwrap().len(), 2);
        let places = vec!["mailto:x@a.test".to_owned(), "https://a.test/".to_owned()];
        store.owe(&owed(None, 0), places, Timestamp(100)).await.unwrap();
        let both = [owed(Some("https://a.test/"), 0), owed(Some("mailto:x@a.test"), 0)];
        assert_eq!(store.due(Timestamp(150), 10).await.unwrap(), both);
        store.done(&both[1]).await.unwrap();
        store.later(&both[0], Timestamp(300)).await.unwrap();
        assert_eq!(store.due(Timestamp(150), 10).await.unwrap(), []);
        store.close_before(8, |_, _| Timestamp(0)).await.unwrap();
        let again = owed(Some("https://a.test/"), 1);
        assert!(store.due(Timestamp(300), 10).await.unwrap().contains(&again), "it is still owed");
        assert_eq!(store.of_day(7, Some("a.test".into()), 10).await.unwrap().len(), 2);
        store.done(&again).await.unwrap();
        assert_eq!(store.of_day(7, Some("a.test".into()), 10).await.unwrap(), []);
        // Nobody asks.
        let b = OwedReport { domain: "b.test".into(), since: Timestamp(200), ..owed(None, 0) };
        store.owe(&b, Vec::new(), Timestamp(200)).await.unwrap();
        assert_eq!(store.of_day(7, None, 10).await.unwrap(), []);
        assert_eq!(store.of_day(8, None, 10).await.unwrap(), [sessions(8, "a.test", None, 1)]);
    }
}
