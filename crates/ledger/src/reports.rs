//! DMARC and TLS reports that came in, and what they say together: who sends as us, what passes, what fails, and
//! how that changed.
//!
//! Promise: a report is kept once, however often it comes, and it is synced when [`Reports::keep_dmarc`],
//! [`Reports::keep_tls`] or [`Reports::keep_failure`] returns. Bounded by number of reports, of records, and by
//! age; at a bound the oldest go first. What strangers report is kept as they said it: nothing here believes it.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use repute_feedback::{Aggregate, AuthFailure, TlsReport};
use repute_types::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;

use crate::file::{File, FileKind};
use crate::{LedgerError, give_back};

mod insert;

const MIGRATIONS: &[&str] = &["
    CREATE TABLE report (
        id       INTEGER PRIMARY KEY AUTOINCREMENT,
        kind     TEXT NOT NULL,
        reporter TEXT NOT NULL,
        name     TEXT NOT NULL,
        domain   TEXT NOT NULL,
        -- The span it is about, as the reporter has it: seconds for DMARC, RFC 3339 for TLS.
        span     TEXT NOT NULL,
        policy   TEXT NOT NULL,
        at       INTEGER NOT NULL,
        good     INTEGER NOT NULL,
        bad      INTEGER NOT NULL,
        records  INTEGER NOT NULL,
        UNIQUE (kind, reporter, name, domain)
    );
    CREATE INDEX report_at ON report (at);
    CREATE TABLE record (
        report        INTEGER NOT NULL,
        source        TEXT NOT NULL,
        count         INTEGER NOT NULL,
        dkim          INTEGER NOT NULL,
        spf           INTEGER NOT NULL,
        disposition   TEXT NOT NULL,
        header_from   TEXT NOT NULL,
        envelope_from TEXT NOT NULL,
        signers       TEXT NOT NULL,
        spf_seen      TEXT NOT NULL,
        reasons       TEXT NOT NULL
    );
    CREATE INDEX record_report ON record (report);
    CREATE TABLE failure (
        report INTEGER NOT NULL,
        domain TEXT NOT NULL,
        result TEXT NOT NULL,
        host   TEXT NOT NULL,
        source TEXT NOT NULL,
        count  INTEGER NOT NULL
    );
    CREATE INDEX failure_report ON failure (report);
"];

/// Pages given back to the file system with each report deleted: 256 KiB.
const VACUUM_PAGES: u32 = 64;
/// Sources that an answer holds.
const SOURCES: usize = 1000;

#[derive(Clone, Debug)]
pub struct ReportsOptions {
    /// Reports kept at most.
    pub reports: u64,
    /// Records of all of them.
    pub records: u64,
    pub age: Duration,
}

impl Default for ReportsOptions {
    fn default() -> ReportsOptions {
        ReportsOptions { reports: 50_000, records: 1_000_000, age: Duration::from_secs(400 * 24 * 3600) }
    }
}

/// One report, as a list shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReportSummary {
    pub id: i64,
    /// `dmarc`, `tls`, or `failure`: one message that did not pass DMARC.
    pub kind: String,
    pub reporter: String,
    /// The reporter's own name for it.
    pub name: String,
    pub domain: String,
    /// When it came.
    pub at: Timestamp,
    /// What it is about, as the reporter has it.
    pub span: String,
    pub policy: String,
    /// Messages that passed, or sessions that were safe.
    pub good: u64,
    pub bad: u64,
}

/// A report with what it says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReportDetail {
    #[serde(flatten)]
    pub summary: ReportSummary,
    pub records: Vec<ReportRecord>,
    pub failures: Vec<ReportFailure>,
}

/// Messages from one address that were judged alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReportRecord {
    pub source: String,
    pub count: u64,
    pub dkim: bool,
    pub spf: bool,
    pub disposition: String,
    pub header_from: String,
    pub envelope_from: String,
    /// `example.com/s1=pass`, with commas between them.
    pub signers: String,
    /// `example.com=pass`
    pub spf_seen: String,
    pub reasons: String,
}

/// Sessions that failed alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReportFailure {
    pub domain: String,
    pub result: String,
    pub host: String,
    pub source: String,
    pub count: u64,
}

/// An address that sends in our name, in a span of time and in the span before it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Source {
    pub source: String,
    pub header_from: String,
    pub count: u64,
    /// Of them: DMARC passed.
    pub passed: u64,
    pub dkim: u64,
    pub spf: u64,
    /// Of them: rejected or put aside.
    pub refused: u64,
    /// The same in the span before.
    pub count_before: u64,
    pub passed_before: u64,
    /// Who reported it.
    pub reporters: u64,
}

/// Cheap to clone: all clones are one store.
#[derive(Clone)]
pub struct Reports {
    db: File,
    options: ReportsOptions,
}

impl Reports {
    pub fn open(path: &Path, options: ReportsOptions) -> Result<Reports, LedgerError> {
        Ok(Reports { db: File::open(path, FileKind { shrinks: true, ..FileKind::FACTS }, MIGRATIONS)?, options })
    }

    /// Opens a store that exists, for questions alone, also beside a server that writes it.
    pub fn open_reader(path: &Path) -> Result<Reports, LedgerError> {
        Ok(Reports { db: File::open_reader(path, FileKind::FACTS.cache)?, options: ReportsOptions::default() })
    }

    /// Keeps a DMARC report that came `at`; `false` where it is known already.
    pub async fn keep_dmarc(&self, report: Aggregate, at: Timestamp) -> Result<bool, LedgerError> {
        self.keep(at, move |transaction| insert::dmarc(transaction, &report, at)).await
    }

    /// Keeps a TLS report that came `at`; `false` where it is known already.
    pub async fn keep_tls(&self, report: TlsReport, at: Timestamp) -> Result<bool, LedgerError> {
        self.keep(at, move |transaction| insert::tls(transaction, &report, at)).await
    }

    /// Keeps a DMARC failure report that came `at`, without the people that it names; `false` where it is
    /// known already.
    pub async fn keep_failure(&self, report: AuthFailure, at: Timestamp) -> Result<bool, LedgerError> {
        self.keep(at, move |transaction| insert::failure(transaction, &report, at)).await
    }

    /// The last ones, newest first. Blocks.
    pub fn list(&self, domain: Option<&str>, limit: usize) -> Result<Vec<ReportSummary>, LedgerError> {
        let db = self.db.lock();
        let mut statement = db.prepare_cached(
            "SELECT id, kind, reporter, name, domain, at, span, policy, good, bad FROM report
             WHERE ?1 IS NULL OR domain = ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![domain, i64::try_from(limit).unwrap_or(i64::MAX)], summary)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One report with what it says. Blocks.
    pub fn show(&self, id: i64) -> Result<Option<ReportDetail>, LedgerError> {
        let db = self.db.lock();
        let found = db
            .prepare_cached(
                "SELECT id, kind, reporter, name, domain, at, span, policy, good, bad FROM report WHERE id = ?1",
            )?
            .query_row([id], summary)
            .optional()?;
        let Some(summary) = found else { return Ok(None) };
        Ok(Some(ReportDetail { summary, records: records(&db, id)?, failures: failures(&db, id)? }))
    }

    /// Who sends as us, the largest first: in the `span` up to `now`, and in the one before it. Blocks.
    pub fn sources(&self, domain: Option<&str>, span: Duration, now: Timestamp) -> Result<Vec<Source>, LedgerError> {
        let db = self.db.lock();
        let (recent, before) = (now - span, now - span * 2);
        let mut sources: HashMap<(String, String), Source> = HashMap::new();
        for (is_recent, from, to) in [(true, recent, now), (false, before, recent)] {
            let mut statement = db.prepare_cached(SUMS)?;
            let mut rows = statement.query(params![domain, from.0, to.0])?;
            while let Some(row) = rows.next()? {
                let key: (String, String) = (row.get(0)?, row.get(1)?);
                let source = sources.entry(key.clone()).or_insert_with(|| Source::new(key));
                let number = |n: usize| row.get::<_, i64>(n).map(|n| n.max(0) as u64);
                if is_recent {
                    (source.count, source.passed) = (number(2)?, number(3)?);
                    (source.dkim, source.spf, source.refused) = (number(4)?, number(5)?, number(6)?);
                    source.reporters = number(7)?;
                } else {
                    (source.count_before, source.passed_before) = (number(2)?, number(3)?);
                }
            }
        }
        let mut sources: Vec<Source> = sources.into_values().collect();
        sources.sort_by(|a, b| (b.count, b.count_before, &a.source).cmp(&(a.count, a.count_before, &b.source)));
        sources.truncate(SOURCES);
        Ok(sources)
    }

    async fn keep(
        &self,
        at: Timestamp,
        insert: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<bool> + Send + 'static,
    ) -> Result<bool, LedgerError> {
        let options = self.options.clone();
        let work = move |db: &mut Connection| {
            let transaction = db.transaction()?;
            let is_new = insert(&transaction)?;
            transaction.commit()?;
            // The report is safe; what is too much goes now or with the next one.
            let _ = make_room(db, &options, at);
            Ok(is_new)
        };
        self.db.blocking(work).await
    }
}

/// By address and domain of From, of reports that came in a span.
const SUMS: &str = "
    SELECT source, header_from, SUM(count), SUM(CASE WHEN dkim OR spf THEN count ELSE 0 END),
           SUM(CASE WHEN dkim THEN count ELSE 0 END), SUM(CASE WHEN spf THEN count ELSE 0 END),
           SUM(CASE WHEN disposition IN ('reject', 'quarantine') THEN count ELSE 0 END),
           COUNT(DISTINCT reporter)
    FROM record JOIN report ON report.id = record.report
    WHERE kind = 'dmarc' AND (?1 IS NULL OR domain = ?1) AND at > ?2 AND at <= ?3
    GROUP BY source, header_from ORDER BY SUM(count) DESC LIMIT 10000";

impl Source {
    fn new((source, header_from): (String, String)) -> Source {
        Source {
            source,
            header_from,
            count: 0,
            passed: 0,
            dkim: 0,
            spf: 0,
            refused: 0,
            count_before: 0,
            passed_before: 0,
            reporters: 0,
        }
    }
}

fn summary(row: &rusqlite::Row<'_>) -> rusqlite::Result<ReportSummary> {
    Ok(ReportSummary {
        id: row.get(0)?,
        kind: row.get(1)?,
        reporter: row.get(2)?,
        name: row.get(3)?,
        domain: row.get(4)?,
        at: Timestamp(row.get(5)?),
        span: row.get(6)?,
        policy: row.get(7)?,
        good: row.get::<_, i64>(8)?.max(0) as u64,
        bad: row.get::<_, i64>(9)?.max(0) as u64,
    })
}

fn records(db: &Connection, report: i64) -> rusqlite::Result<Vec<ReportRecord>> {
    let mut statement = db.prepare_cached(
        "SELECT source, count, dkim, spf, disposition, header_from, envelope_from, signers, spf_seen, reasons
         FROM record WHERE report = ?1 ORDER BY count DESC",
    )?;
    let rows = statement.query_map([report], |row| {
        Ok(ReportRecord {
            source: row.get(0)?,
            count: row.get::<_, i64>(1)?.max(0) as u64,
            dkim: row.get(2)?,
            spf: row.get(3)?,
            disposition: row.get(4)?,
            header_from: row.get(5)?,
            envelope_from: row.get(6)?,
            signers: row.get(7)?,
            spf_seen: row.get(8)?,
            reasons: row.get(9)?,
        })
    })?;
    rows.collect()
}

fn failures(db: &Connection, report: i64) -> rusqlite::Result<Vec<ReportFailure>> {
    let mut statement = db.prepare_cached(
        "SELECT domain, result, host, source, count FROM failure WHERE report = ?1 ORDER BY count DESC",
    )?;
    let rows = statement.query_map([report], |row| {
        Ok(ReportFailure {
            domain: row.get(0)?,
            result: row.get(1)?,
            host: row.get(2)?,
            source: row.get(3)?,
            count: row.get::<_, i64>(4)?.max(0) as u64,
        })
    })?;
    rows.collect()
}

fn make_room(db: &mut Connection, options: &ReportsOptions, now: Timestamp) -> rusqlite::Result<()> {
    let (mut reports, mut records): (i64, i64) =
        db.query_row("SELECT COUNT(*), COALESCE(SUM(records), 0) FROM report", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    loop {
        let oldest: Option<(i64, i64, i64)> = db
            .prepare_cached("SELECT id, at, records FROM report ORDER BY id LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((id, at, of_this)) = oldest else { return Ok(()) };
        let fits = reports.max(0) as u64 <= options.reports && records.max(0) as u64 <= options.records;
        if fits && at >= (now - options.age).0 {
            return Ok(());
        }
        let transaction = db.transaction()?;
        for table in ["record", "failure"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE report = ?1"), [id])?;
        }
        transaction.execute("DELETE FROM report WHERE id = ?1", [id])?;
        transaction.commit()?;
        give_back(db, VACUUM_PAGES)?;
        reports -= 1;
        records -= of_this;
    }
}
