//! A history whose disk refuses it is asked all the same.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::sync::Arc;
use std::time::Duration;

use repute_ledger::{History, HistoryOptions};
use repute_types::event::EventSink as _;
use repute_types::{Address, Event, EventKind, ManualClock, MessageId, Timestamp};

const NOW: Timestamp = Timestamp(1_795_485_950_120);

fn bob() -> Address {
    Address::parse("bob@example.net").unwrap()
}

fn accepted(second: u64) -> Event {
    let at = NOW + Duration::from_secs(second);
    let kind = EventKind::Accepted {
        message: MessageId::first_at(at),
        account: None,
        from: None,
        recipients: vec![bob()],
        recipient_count: 1,
        size: 4096,
        header_id: format!("{second}@mail.example.com"),
        client: None,
        tls: None,
        labels: None,
    };
    Event { at, kind }
}

/// `repute why` waited for a history whose disk is full until the command gave up.
#[test]
fn a_question_does_not_wait_for_a_history_that_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.sqlite");
    let history =
        History::open(&path, HistoryOptions { clock: Arc::new(ManualClock::at(NOW)), ..Default::default() }).unwrap();
    history.emit(accepted(1));
    history.flush();
    let asked = history.questions().unwrap();
    let holder = rusqlite::Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    history.emit(accepted(2));
    assert!(!history.flush_within(Duration::from_millis(20)));
    assert_eq!(asked.by_recipient(&bob(), 10).unwrap().len(), 1);
    holder.execute_batch("COMMIT").unwrap();
    assert!(history.flush_within(Duration::from_secs(60)));
    assert_eq!(asked.by_recipient(&bob(), 10).unwrap().len(), 2);
}
