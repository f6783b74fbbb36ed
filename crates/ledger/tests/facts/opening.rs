//! A file that cannot be opened says why, and what to do about that and nothing else.

use repute_ledger::file::{FileKind, open};
use repute_ledger::{LedgerError, Suppressions};
use rusqlite::ffi;

/// "Move it away" was said of a file that was whole.
#[test]
fn a_full_disk_at_start_asks_for_room() {
    let dir = tempfile::tempdir().unwrap();
    // A bound on the file is the disk's, as SQLite tells it.
    let full = "PRAGMA max_page_count = 1; CREATE TABLE fact (id INTEGER PRIMARY KEY);";
    let text = open(&dir.path().join("facts.sqlite"), FileKind::FACTS, &[full]).unwrap_err().to_string();
    assert!(text.contains("facts.sqlite: make room on the disk"), "{text}");
    assert!(!text.contains("move"), "{text}");
    // The shared memory beside the file is refused in these words where the disk is full.
    let source = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR_SHMSIZE), None);
    let text = LedgerError::Open { path: "facts.sqlite".into(), source }.to_string();
    assert!(text.contains("make room on the disk") && !text.contains("move"), "{text}");
}

#[test]
fn a_damaged_file_is_named_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("suppression.sqlite");
    std::fs::write(&path, [7; 4096]).unwrap();
    let Err(error) = Suppressions::open(&path) else { panic!("a damaged file was opened") };
    assert!(error.to_string().contains("it is damaged: restore it, or move it away"), "{error}");
}
