//! The history answers what the events said.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod behind;
mod found;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use repute_ledger::{History, HistoryOptions, LedgerError, Questions, Step, StepKind};
use repute_types::event::{self, EventSink, Level, NoticeKind};
use repute_types::{
    Address, Cause, Culprit, EnhancedCode, Event, EventKind, ManualClock, MessageId, Outcome, PartId, Peer, Reply,
    Stage, Timestamp, TlsAsked, TlsUsed, Verdict,
};
use serde::Deserialize as _;

const NOW: Timestamp = Timestamp(1_795_485_950_120);

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

/// The n-th message, accepted n seconds after `NOW`.
fn id(n: u64) -> MessageId {
    MessageId::first_at(NOW + Duration::from_secs(n))
}

fn at(n: u64, kind: EventKind) -> Event {
    Event { at: NOW + Duration::from_secs(n), kind }
}

fn accepted(n: u64, to: &[&str]) -> Event {
    let kind = EventKind::Accepted(event::Accepted {
        message: id(n),
        account: Some("shop".into()),
        from: Some(address("Shop@example.com")),
        recipients: to.iter().map(|text| address(text)).collect(),
        recipient_count: to.len() as u64,
        size: 4096,
        header_id: format!("{n}.abc@mail.example.com"),
        client: Some("192.0.2.7".parse().unwrap()),
        tls: Some(tls()),
        labels: None,
    });
    at(n, kind)
}

fn tls() -> TlsUsed {
    TlsUsed {
        version: "TLSv1.3".into(),
        cipher: "TLS13_AES_256_GCM_SHA384".into(),
        verified: true,
        asked: TlsAsked::Opportunistic,
    }
}

fn settled(n: u64, later: u64, to: &str, reply: (u16, &str)) -> Event {
    let (enhanced, text) = match EnhancedCode::parse_prefix(reply.1) {
        Some(code) => (Some(code), reply.1.split_once(' ').unwrap().1),
        None => (None, reply.1),
    };
    let reply = Reply { code: reply.0, enhanced, lines: vec![text.into()] };
    let mut outcome = Outcome::from_reply(Stage::Rcpt, reply);
    let peer_ip = Some("198.51.100.25".parse().unwrap());
    outcome.peer = Some(Peer { name: "mx.example.net".into(), address: peer_ip, port: 25 });
    outcome.tls = Some(tls());
    let next_attempt = (outcome.verdict == Verdict::Deferred).then_some(NOW + Duration::from_secs(n + later + 60));
    let kind = EventKind::Settled(event::Settled {
        account: None,
        labels: None,
        part: PartId { message: id(n), number: 0 },
        recipient: address(to),
        attempt: 1,
        outcome: Arc::new(outcome),
        cause: None,
        next_attempt,
        age: Duration::from_secs(later),
        egress: Some("203.0.113.10".parse().unwrap()),
    });
    at(n + later, kind)
}

fn history(dir: &tempfile::TempDir) -> History {
    let clock = Arc::new(ManualClock::at(NOW));
    History::open(&dir.path().join("history.sqlite"), HistoryOptions { clock, ..Default::default() }).unwrap()
}

const DAY: Duration = Duration::from_secs(24 * 3600);

/// One that keeps a day, and its clock.
fn of_a_day(path: &Path) -> (History, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW));
    let options = HistoryOptions { retention: DAY, clock: clock.clone(), ..Default::default() };
    (History::open(path, options).unwrap(), clock)
}

/// Emits, waits until written, and gives a connection to ask with.
fn after(history: &History, events: impl IntoIterator<Item = Event>) -> Questions {
    events.into_iter().for_each(|event| history.emit(event));
    history.flush();
    history.questions().unwrap()
}

fn lines(steps: &[Step]) -> String {
    steps.iter().map(|step| format!("{step}\n")).collect()
}

#[test]
fn the_steps_of_a_message_read_as_they_happened() {
    let dir = tempfile::tempdir().unwrap();
    let history = history(&dir);
    let part = PartId { message: id(1), number: 0 };
    let mut expired = settled(1, 500, "bob@example.net", (550, ""));
    if let EventKind::Settled(event::Settled { outcome, attempt, egress, .. }) = &mut expired.kind {
        let status = EnhancedCode(5, 4, 7);
        *outcome =
            Arc::new(Outcome::ours(Verdict::Failed, Stage::Queue, Culprit::Us, status, "not delivered in five days"));
        (*attempt, *egress) = (0, None);
    }
    let asked = after(
        &history,
        [
            accepted(1, &["bob@example.net", "eve@example.net"]),
            settled(1, 2, "bob@example.net", (451, "4.7.1 greylisted")),
            at(
                5,
                EventKind::Held {
                    message: part.message,
                    part: Some(part.number),
                    account: None,
                    labels: None,
                    recipients: Vec::new(),
                    reason: "an operator said so".into(),
                },
            ),
            at(
                6,
                EventKind::Released {
                    message: part.message,
                    part: Some(part.number),
                    account: None,
                    labels: None,
                    recipients: Vec::new(),
                },
            ),
            settled(1, 100, "eve@example.net", (250, "2.1.5 ok")),
            at(200, EventKind::Noticed { about: id(1), notice: id(9), kind: NoticeKind::Delay }),
            expired,
        ],
    );
    let steps = asked.steps_of(id(1)).unwrap();
    let (a, b) = (id(1), id(9));
    let expected = format!(
        "2026-11-24T02:05:51.120Z {a} accepted from <Shop@example.com> for bob@example.net and 1 more, 4096 octets, account shop, client 192.0.2.7, TLSv1.3\n\
         2026-11-24T02:05:53.120Z {a} deferred bob@example.net by mx.example.net [198.51.100.25]:25 TLSv1.3 from 203.0.113.10, attempt 1, at rcpt: 451 4.7.1 greylisted; next attempt 2026-11-24T02:06:53.120Z\n\
         2026-11-24T02:05:55.120Z {a} held (part 0): an operator said so\n\
         2026-11-24T02:05:56.120Z {a} released (part 0)\n\
         2026-11-24T02:07:31.120Z {a} delivered eve@example.net by mx.example.net [198.51.100.25]:25 TLSv1.3 from 203.0.113.10, attempt 1, at rcpt: 250 2.1.5 ok\n\
         2026-11-24T02:09:10.120Z {a} delay notice to the sender, as {b}\n\
         2026-11-24T02:14:11.120Z {a} failed bob@example.net, at queue: 5.4.7 not delivered in five days\n"
    );
    assert_eq!(lines(&steps), expected);
    assert!(asked.steps_of(id(2)).unwrap().is_empty());
}

/// `repute why` showed the reply alone, and not what it meant to us: that TLS was needed, or which password is wrong.
#[test]
fn what_we_have_to_say_of_a_reply_stands_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut refused = settled(1, 2, "bob@example.net", (454, "4.7.0 TLS not available"));
    if let EventKind::Settled(event::Settled { outcome, .. }) = &mut refused.kind {
        Arc::make_mut(outcome).text = "TLS is needed, and the server refused STARTTLS".into();
    }
    let steps = after(&history(&dir), [refused]).steps_of(id(1)).unwrap();
    let said = lines(&steps);
    assert!(
        said.contains(": TLS is needed, and the server refused STARTTLS: 454 4.7.0 TLS not available; next"),
        "{said}"
    );
}

/// The event with a cause.
fn because(mut event: Event, of: Cause) -> Event {
    if let EventKind::Settled(event::Settled { cause, .. }) = &mut event.kind {
        *cause = Some(of);
    }
    event
}

const GREYLISTED: Cause = Cause { rule: "any.greylisting", class: "greylisting", fault: "remote" };

#[test]
fn the_cause_of_a_refusal_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let history = history(&dir);
    let deferred = settled(1, 2, "bob@example.net", (451, "4.7.1 greylisted"));
    let asked = after(&history, [because(deferred, GREYLISTED), settled(1, 200, "bob@example.net", (250, "2.0.0 ok"))]);
    let steps = asked.steps_of(id(1)).unwrap();
    let json = serde_json::to_value(&steps).unwrap();
    let expected = serde_json::json!({ "rule": "any.greylisting", "class": "greylisting", "fault": "remote" });
    assert_eq!((&json[0]["cause"], &json[1]["cause"]), (&expected, &serde_json::Value::Null));
    assert_eq!(Vec::<Step>::deserialize(&json).unwrap(), steps);
}

/// Makes a file what the version before volumes wrote.
const BEFORE_VOLUMES: &str = "
    CREATE TABLE find (hash INTEGER NOT NULL, message INTEGER NOT NULL, PRIMARY KEY (hash, message)) WITHOUT ROWID;
    INSERT INTO find SELECT hash, message FROM lookup WHERE step = 0;
    UPDATE step SET whom = (SELECT hash FROM lookup l WHERE l.message = step.message AND l.step = step.seq);
    CREATE INDEX step_whom ON step (whom, message, seq) WHERE whom IS NOT NULL;
    DROP TABLE lookup; DROP TABLE volume; PRAGMA user_version = 3";

/// A file of the version before causes were kept: the server brings it up to date, and until then it is not read.
#[test]
fn a_history_from_before_there_were_causes_has_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.sqlite");
    drop(after(&history(&dir), [settled(1, 2, "bob@example.net", (451, "4.7.1 greylisted"))]));
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(BEFORE_VOLUMES).unwrap();
    db.execute_batch("DROP INDEX step_whom; ALTER TABLE message DROP COLUMN count").unwrap();
    for column in ["cause", "class", "fault", "whom"] {
        db.execute_batch(&format!("ALTER TABLE step DROP COLUMN {column}")).unwrap();
    }
    db.execute_batch("PRAGMA user_version = 1").unwrap();
    drop(db);
    let causes = |asked: &Questions, n| -> Vec<Option<String>> {
        let steps = asked.steps_of(id(n)).unwrap();
        let rule = |step: &Step| match &step.kind {
            StepKind::Settled(settled) => settled.cause.as_ref().map(|cause| cause.rule.clone()),
            other => panic!("{other:?}"),
        };
        steps.iter().map(rule).collect()
    };
    let Err(error) = Questions::open(&path) else { panic!("a file of an earlier version was read") };
    assert!(error.to_string().ends_with("start the server, which brings it up to date"), "{error}");
    let deferred = settled(2, 200, "bob@example.net", (451, "4.7.1 greylisted"));
    let asked = after(&history(&dir), [because(deferred, GREYLISTED)]);
    assert_eq!((causes(&asked, 1), causes(&asked, 2)), (vec![None], vec![Some("any.greylisting".into())]));
}

#[test]
fn a_step_is_json() {
    let dir = tempfile::tempdir().unwrap();
    let history = history(&dir);
    let asked = after(&history, [settled(1, 2, "bob@example.net", (250, "2.0.0 ok"))]);
    let json = serde_json::to_value(asked.steps_of(id(1)).unwrap()).unwrap();
    let step = &json[0];
    for (field, expected) in [
        ("step", "settled"),
        ("at", "2026-11-24T02:05:53.120Z"),
        ("verdict", "delivered"),
        ("stage", "rcpt"),
        ("culprit", "receiver"),
        ("status", "2.0.0"),
        ("peer", "mx.example.net"),
        ("peer_ip", "198.51.100.25"),
        ("tls", "TLSv1.3"),
        ("egress", "203.0.113.10"),
    ] {
        assert_eq!(step[field], expected, "{field} of {step}");
    }
    assert_eq!((&step["attempt"], &step["peer_port"], &step["age"]), (&1.into(), &25.into(), &2000.into()));
    assert_eq!(step["message"], id(1).to_string());
}

#[test]
fn what_happened_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let history = history(&dir);
    let refused = EventKind::Refused { account: None, client: None, reply: Reply::bare(554, "no") };
    let mut events = vec![at(3, refused), settled(1, 500, "a@b.example", (250, "2.0.0 ok"))];
    for n in 1..=10 {
        events.push(accepted(n, &["a@b.example"]));
        events.push(settled(n, 1, "a@b.example", (if n > 7 { 450 } else { 250 }, "")));
    }
    let asked = after(&history, events);
    let counts = asked.counts(NOW, NOW + Duration::from_secs(60)).unwrap();
    let counts: Vec<_> = counts.iter().map(|(what, n)| (what.as_str(), *n)).collect();
    assert_eq!(counts, [("accepted", 10), ("deferred", 3), ("delivered", 7), ("refused", 1)]);
    assert_eq!(asked.counts(NOW, NOW + Duration::from_secs(3600)).unwrap()["delivered"], 8);
}

#[test]
fn notes_and_refusals_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let history = history(&dir);
    let reply = Reply::new(550, EnhancedCode(5, 7, 1), "example.org is not set up here");
    let refused = EventKind::Refused { account: Some("shop".into()), client: "192.0.2.7".parse().ok(), reply };
    let note = EventKind::Note { level: Level::Warning, what: "spool_full", text: "no mail is accepted".into() };
    let asked = after(&history, [at(1, refused), at(2, note)]);
    assert_eq!(
        lines(&asked.notes(10).unwrap()),
        "2026-11-24T02:05:52.120Z warning spool_full: no mail is accepted\n\
         2026-11-24T02:05:51.120Z refused to account shop at 192.0.2.7: 550 5.7.1 example.org is not set up here\n"
    );
}

#[test]
fn too_many_events_are_dropped_and_counted_and_nobody_waits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.sqlite");
    let options = HistoryOptions { waiting: 100, ..Default::default() };
    let history = History::open(&path, options).unwrap();
    // Somebody holds the database; the history waits, and nobody else does.
    let holder = rusqlite::Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    for n in 0..5_000 {
        history.emit(accepted(n, &["bob@example.net"]));
    }
    holder.execute_batch("COMMIT").unwrap();
    history.flush();
    history.emit(accepted(9_999, &["bob@example.net"]));
    history.flush();
    let asked = history.questions().unwrap();
    let kept = asked.by_recipient(&address("bob@example.net"), 10_000).unwrap().len() as u64;
    let notes = asked.notes(10).unwrap();
    let lost: u64 = notes
        .iter()
        .map(|step| match &step.kind {
            StepKind::Note { what, text, .. } if what == "events_lost" => {
                text.split(' ').next().unwrap().parse::<u64>().unwrap()
            }
            other => panic!("{other:?}"),
        })
        .sum();
    assert!(lost > 0 && kept >= 100);
    assert_eq!(kept + lost, 5_001);
}

#[test]
fn what_is_older_than_the_retention_is_forgotten_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.sqlite");
    let (history, clock) = of_a_day(&path);
    let old =
        (0..1_500).flat_map(|n| [accepted(n, &["bob@example.net"]), settled(n, 1, "bob@example.net", (250, "ok"))]);
    let asked = after(&history, old);
    assert_eq!(asked.by_recipient(&address("bob@example.net"), 10_000).unwrap().len(), 1_500);

    clock.advance(3 * DAY);
    let three_days = 3 * 24 * 3600;
    // Each batch forgets a little; a few are enough.
    for n in 0..5 {
        after(&history, [accepted(three_days + n, &["bob@example.net"])]);
    }
    drop(history);
    let db = rusqlite::Connection::open(&path).unwrap();
    let rows = |table| db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(["message", "step", "lookup", "note"].map(rows), [5, 0, 14, 0]);
}

#[test]
fn a_history_survives_its_process_and_one_of_the_future_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = history(&dir);
    first.emit(accepted(1, &["bob@example.net"]));
    drop(first);
    let second = history(&dir);
    let asked = after(&second, [settled(1, 2, "bob@example.net", (250, "ok"))]);
    assert_eq!(asked.steps_of(id(1)).unwrap().len(), 2);
    drop((second, asked));
    let path = dir.path().join("history.sqlite");
    rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 9").unwrap();
    assert!(matches!(History::open(&path, HistoryOptions::default()), Err(LedgerError::Newer { found: 9, .. })));
}

#[tokio::test]
async fn it_is_asked_off_the_async_threads() {
    let dir = tempfile::tempdir().unwrap();
    let history = history(&dir);
    after(&history, [accepted(1, &["bob@example.net"])]);
    assert_eq!(history.ask(|asked| asked.steps_of(id(1))).await.unwrap().len(), 1);
}
