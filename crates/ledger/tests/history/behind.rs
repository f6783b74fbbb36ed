//! A history whose disk refuses it is asked all the same.

use std::time::Duration;

use repute_types::event::EventSink as _;

use crate::{accepted, address, history};

/// `repute why` waited for a history whose disk is full until the command gave up.
#[test]
fn a_question_does_not_wait_for_a_history_that_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let history = history(&dir);
    let bob = address("bob@example.net");
    history.emit(accepted(1, &["bob@example.net"]));
    history.flush();
    let asked = history.questions().unwrap();
    let holder = rusqlite::Connection::open(dir.path().join("history.sqlite")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    history.emit(accepted(2, &["bob@example.net"]));
    assert!(!history.flush_within(Duration::from_millis(20)));
    assert_eq!(asked.by_recipient(&bob, 10).unwrap().len(), 1);
    holder.execute_batch("COMMIT").unwrap();
    assert!(history.flush_within(Duration::from_secs(60)));
    assert_eq!(asked.by_recipient(&bob, 10).unwrap().len(), 2);
}
