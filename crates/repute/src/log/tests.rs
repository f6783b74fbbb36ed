//! Lines as they are read, and what happens to a log that nobody reads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use repute_types::event::{self, Level};
use repute_types::{
    Cause, Culprit, EnhancedCode, MessageId, Outcome, PartId, Peer, Reply, Stage, Timestamp, TlsAsked, TlsUsed, Verdict,
};

use super::*;
use repute_types::EventKind;

fn event(kind: EventKind) -> Event {
    Event { at: Timestamp(1_795_485_950_120), kind }
}

fn settled(outcome: Outcome) -> EventKind {
    let part = PartId { message: MessageId::first_at(Timestamp(1_795_485_948_920)), number: 0 };
    EventKind::Settled(event::Settled {
        account: None,
        labels: None,
        part,
        recipient: "bob@example.net".parse().unwrap(),
        attempt: 1,
        next_attempt: (outcome.verdict == Verdict::Deferred).then_some(Timestamp(1_795_486_100_000)),
        outcome: Arc::new(outcome),
        cause: None,
        age: Duration::from_millis(1200),
        egress: Some("203.0.113.10".parse().unwrap()),
    })
}

fn delivered() -> EventKind {
    let mut outcome = Outcome::from_reply(Stage::Body, Reply::new(250, EnhancedCode(2, 0, 0), "ok \"queued\""));
    outcome.peer = Some(Peer { name: "mx.example.net".into(), address: Some("192.0.2.1".parse().unwrap()), port: 25 });
    outcome.tls = Some(TlsUsed {
        version: "TLSv1.3".into(),
        cipher: "TLS13_AES_256_GCM_SHA384".into(),
        verified: false,
        asked: TlsAsked::Opportunistic,
    });
    settled(outcome)
}

fn check(kind: EventKind, expect: &str) {
    let mut out = Vec::new();
    text::line(&mut out, &event(kind));
    assert_eq!(String::from_utf8(out).unwrap(), format!("2026-11-24T02:05:50.120Z {expect}\n"));
}

#[test]
fn a_line_reads_alone() {
    let id = MessageId::first_at(Timestamp(1_795_485_948_920));
    check(
        delivered(),
        &format!(
            "delivered id={id} part=0 to=bob@example.net attempt=1 host=mx.example.net ip=192.0.2.1 tls=TLSv1.3 \
             stage=body reply=\"250 2.0.0 ok \\\"queued\\\"\" egress=203.0.113.10 after=1.200s"
        ),
    );
    let nobody = Outcome::ours(Verdict::Deferred, Stage::Route, Culprit::Dns, EnhancedCode(4, 4, 3), "SERVFAIL for MX");
    check(
        settled(nobody),
        &format!(
            "deferred id={id} part=0 to=bob@example.net attempt=1 stage=route status=4.4.3 text=\"SERVFAIL for MX\" \
             egress=203.0.113.10 after=1.200s next=2026-11-24T02:08:20.000Z"
        ),
    );
    let grey = Outcome::from_reply(Stage::Rcpt, Reply::new(451, EnhancedCode(4, 7, 1), "greylisted"));
    let mut grey = settled(grey);
    if let EventKind::Settled(event::Settled { cause, .. }) = &mut grey {
        *cause = Some(Cause { rule: "any.greylisting", class: "greylisting", fault: "remote" });
    }
    check(
        grey,
        &format!(
            "deferred id={id} part=0 to=bob@example.net attempt=1 stage=rcpt reply=\"451 4.7.1 greylisted\" \
             cause=any.greylisting class=greylisting fault=remote egress=203.0.113.10 after=1.200s \
             next=2026-11-24T02:08:20.000Z"
        ),
    );
    check(
        EventKind::Accepted(event::Accepted {
            message: id,
            account: Some("shop".into()),
            from: None,
            recipients: vec!["a@x.example".parse().unwrap(), "b@x.example".parse().unwrap()],
            recipient_count: 2,
            size: 4096,
            header_id: "x@y".into(),
            client: None,
            tls: None,
            labels: None,
        }),
        &format!("accepted id={id} account=shop from=<> to=a@x.example,+1 size=4096 message-id=x@y"),
    );
    let forged = "two\nlines and a \u{1b}[31mcolour".to_owned();
    check(
        EventKind::Note { level: Level::Warning, what: "spool", text: forged },
        "warning spool text=\"two\\nlines and a ?[31mcolour\"",
    );
    // Line separators and what turns text around; in addresses as well, which may be beyond ASCII. Letters stay.
    let turned = "b\u{fc}cher\u{2028}2026 delivered \u{202e}txt\u{2066}\u{85}".to_owned();
    check(
        EventKind::Note { level: Level::Warning, what: "spool", text: turned },
        "warning spool text=\"b\u{fc}cher\\u{2028}2026 delivered \\u{202e}txt\\u{2066}\\u{85}\"",
    );
    let mut turned = delivered();
    if let EventKind::Settled(event::Settled { recipient, .. }) = &mut turned {
        *recipient = "b\u{fc}b\u{202e}@example.net".parse().unwrap();
    }
    let mut out = Vec::new();
    text::line(&mut out, &event(turned));
    let line = String::from_utf8(out).unwrap();
    assert!(line.contains(" to=b\u{fc}b\\u{202e}@example.net "), "{line}");
}

#[test]
fn json_has_the_same_keys() {
    let mut out = Vec::new();
    json::line(&mut out, &event(delivered()));
    let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(value["event"], "delivered");
    assert_eq!(value["to"], "bob@example.net");
    assert_eq!(value["tls"], "TLSv1.3");
    assert_eq!(value["after"], 1.2);
    assert_eq!(value["next"], serde_json::Value::Null);
    assert_eq!(out.iter().filter(|b| **b == b'\n').count(), 1);
}

#[test]
fn every_json_line_is_an_object_of_its_own() {
    let id = MessageId::first_at(Timestamp(1_795_485_948_920));
    let part = PartId { message: id, number: 3 };
    let check = |kind: EventKind, expect: serde_json::Value| {
        let mut out = Vec::new();
        json::line(&mut out, &event(kind));
        let mut value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["time"].take(), "2026-11-24T02:05:50.120Z");
        let mut expect = expect;
        expect["time"] = serde_json::Value::Null;
        assert_eq!(value, expect);
    };
    let held = EventKind::Held {
        message: part.message,
        part: Some(part.number),
        account: Some("shop".into()),
        labels: None,
        recipients: vec!["a@x.example".parse().unwrap()],
        reason: "a \"quoted\"\nreason".into(),
    };
    check(
        held,
        serde_json::json!({
            "event": "held", "id": id, "part": 3, "account": "shop", "to": ["a@x.example"], "reason": "a \"quoted\"\nreason"
        }),
    );
    let accepted = EventKind::Accepted(event::Accepted {
        message: id,
        account: None,
        from: None,
        recipients: vec!["a@x.example".parse().unwrap(), "b@x.example".parse().unwrap()],
        recipient_count: 2,
        size: 4096,
        header_id: "x@y".into(),
        client: Some("192.0.2.7".parse().unwrap()),
        tls: None,
        labels: None,
    });
    check(
        accepted,
        serde_json::json!({
            "event": "accepted", "id": id, "from": "", "to": ["a@x.example", "b@x.example"], "size": 4096,
            "message-id": "x@y", "client": "192.0.2.7"
        }),
    );
}

/// Standard error that somebody stopped reading.
#[derive(Clone, Default)]
struct Stuck {
    written: Arc<Mutex<Vec<u8>>>,
    gate: Arc<Mutex<()>>,
}

impl Write for Stuck {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        let _open = self.gate.lock().unwrap();
        self.written.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_stops_costs_lines_and_no_time() {
    let stuck = Stuck::default();
    let closed_gate = stuck.gate.lock().unwrap();
    let log = Log::to(LogFormat::Text, stuck.clone()).unwrap();
    let one = event(delivered());
    let start = Instant::now();
    for _ in 0..60_000 {
        log.record(&one);
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    drop(closed_gate);
    drop(log);
    let written = String::from_utf8(stuck.written.lock().unwrap().clone()).unwrap();
    assert!(written.contains("log dropped lines="), "{} lines", written.lines().count());
    assert!(written.len() <= 2 * ROOM + 4096, "{}", written.len());
}

/// The server could neither be stopped nor told anything any more while the pipe of its log was full.
#[test]
fn a_reader_that_stops_for_good_does_not_hold_up_the_end() {
    let stuck = Stuck::default();
    let closed_gate = stuck.gate.lock().unwrap();
    let log = Log::to(LogFormat::Text, stuck.clone()).unwrap();
    log.record(&event(delivered()));
    let start = Instant::now();
    log.say("repute: stopping\n");
    drop(log);
    assert!(start.elapsed() < LAST_LINES * 4, "{:?}", start.elapsed());
    drop(closed_gate);
}

#[test]
fn words_of_the_server_stand_between_the_lines_of_events_in_their_turn() {
    let out = Stuck::default();
    let log = Log::to(LogFormat::Text, out.clone()).unwrap();
    log.record(&event(delivered()));
    log.say("repute: reloaded\n");
    log.record(&event(delivered()));
    drop(log);
    let written = String::from_utf8(out.written.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert!(lines.len() == 3 && lines[1] == "repute: reloaded" && lines[2].contains(" delivered "), "{written}");
}
