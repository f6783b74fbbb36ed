//! Small facts that people ask about: the history of every message, returned mail, who is not
//! written to, and trust.
//!
//! [`History`] reads the stream of events and never slows it; [`Returned`], [`Suppressions`] and [`Trust`]
//! are durable before they answer. Each has its own SQLite file, so that none shares the spool's writer.

mod circuits;
pub mod file;
mod history;
mod policies;
mod reports;
pub mod requests;
mod returned;
mod sessions;
pub mod suppression;
mod trust;
mod warm_up;

pub use circuits::{Circuits, Counted, Habits, KnownPage, LearntAccount, LearntDay, Opened};
pub use history::{
    Cause, Counts, History, HistoryOptions, Questions, ReceiverTraffic, Settled, Step, StepKind, Traffic,
};
pub use policies::{KeptPolicies, KeptPolicy};
pub use reports::{ReportDetail, ReportFailure, ReportRecord, ReportSummary, Reports, ReportsOptions, Source};
pub use returned::{AfterReading, Heard, Returned, ReturnedMail, ReturnedOptions, ReturnedSummary};
pub use sessions::{DomainSessions, OwedReport, TlsSessions};
pub use suppression::Suppressions;
pub use trust::{Incident, Score, Trust, TrustChange};
pub use warm_up::{WarmUps, Warmth};

use rusqlite::ErrorCode;

#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("cannot open {path}: {}", cure(.source))]
    Open { path: std::path::PathBuf, source: rusqlite::Error },
    #[error("{path} was written by a later version (schema {found}, this one knows {known}): use that version")]
    Newer { path: std::path::PathBuf, found: i64, known: i64 },
    #[error(
        "{path} was written by an earlier version (schema {found}, this one knows {known}): start the server, which brings it up to date"
    )]
    Older { path: std::path::PathBuf, found: i64, known: i64 },
    /// With SQLite's reason: who notes it down has nothing else to say what is wrong.
    #[error("the database cannot be used just now: {0}")]
    Database(rusqlite::Error),
    #[error("cannot start the history's thread")]
    Thread(#[source] std::io::Error),
    #[error("the ledger is closed: the server is stopping")]
    Closed,
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> LedgerError {
        LedgerError::Database(error)
    }
}

/// A file that the disk has no room for is whole: only of one that is no database it is said to move it away.
fn cure(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "make room on the disk; what is in the file is whole, leave it where it is",
        Some(ErrorCode::SystemIoFailure) => {
            "make room on the disk where it is full, else see what is wrong with the disk; leave the file where it is"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "it is damaged: restore it, or move it away to start without what is in it"
        }
        _ => "make it and its folder writable for the user that runs this",
    }
}

/// The row key of a message: the order of ids is the order of keys over the whole range.
fn key(id: repute_types::MessageId) -> i64 {
    (id.0 ^ (1 << 63)) as i64
}

fn id_of_key(key: i64) -> repute_types::MessageId {
    repute_types::MessageId(key as u64 ^ (1 << 63))
}

/// Gives free pages back to the file system, some at most. The statement frees a page for each
/// row that is taken from it.
pub fn give_back(db: &rusqlite::Connection, pages: u32) -> rusqlite::Result<()> {
    let mut statement = db.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// Brings a database to the newest of `migrations`; its `user_version` says where it stands.
pub fn migrate(db: &mut rusqlite::Connection, path: &std::path::Path, migrations: &[&str]) -> Result<(), LedgerError> {
    let failed = |source| LedgerError::Open { path: path.to_owned(), source };
    let found: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    let known = migrations.len() as i64;
    if found > known {
        return Err(LedgerError::Newer { path: path.to_owned(), found, known });
    }
    if found < known {
        let transaction = db.transaction().map_err(failed)?;
        for step in migrations.iter().skip(found as usize) {
            transaction.execute_batch(step).map_err(failed)?;
        }
        transaction.pragma_update(None, "user_version", known).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn why_a_database_cannot_be_used_is_told_and_not_twice() {
        let said = Some("database or disk is full".to_owned());
        let full = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), said);
        let error = LedgerError::from(full);
        assert_eq!(error.to_string(), "the database cannot be used just now: database or disk is full");
        assert!(std::error::Error::source(&error).is_none());
    }
}
