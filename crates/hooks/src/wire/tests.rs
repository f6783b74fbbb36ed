//! `docs/events.md` shows each event as it is; `UPDATE_EXPECT=1` writes its examples anew.

use std::sync::Arc;
use std::time::Duration;

use repute_types::{
    Cause, Culprit, EnhancedCode, Labels, Outcome, PartId, Peer, Reply, Stage, Timestamp, TlsAsked, TlsUsed, event,
};

use super::*;

const AT: Timestamp = Timestamp(1_795_485_950_120);

fn labels() -> Option<Arc<Labels>> {
    let metadata = vec![("order".to_owned(), "4711".to_owned())];
    Labels { campaign: Some("spring".into()), tags: vec!["receipt".into()], metadata, list: Some("news".into()) }.kept()
}

fn settled(outcome: Outcome, attempt: u32) -> EventKind {
    let mut outcome = outcome;
    if attempt > 0 {
        outcome.peer =
            Some(Peer { name: "mx.example.net".into(), address: Some("192.0.2.1".parse().unwrap()), port: 25 });
        let cipher = "TLS13_AES_256_GCM_SHA384".into();
        outcome.tls =
            Some(TlsUsed { version: "TLSv1.3".into(), cipher, verified: true, asked: TlsAsked::Opportunistic });
    }
    let cause = match (outcome.verdict, attempt) {
        (Verdict::Delivered, _) | (_, 0) => None,
        (Verdict::Deferred, _) => Some(Cause { rule: "any.greylisting", class: "greylisting", fault: "remote" }),
        (Verdict::Failed, _) => Some(Cause { rule: "any.5.1.1", class: "unknown-user", fault: "recipient" }),
    };
    EventKind::Settled(event::Settled {
        part: part(),
        account: Some("shop".into()),
        labels: labels(),
        recipient: "bob@example.net".parse().unwrap(),
        attempt,
        next_attempt: (outcome.verdict == Verdict::Deferred).then_some(Timestamp(AT.0 + 150_000)),
        outcome: Arc::new(outcome),
        cause,
        age: Duration::from_millis(1200),
        egress: (attempt > 0).then(|| "203.0.113.10".parse().unwrap()),
    })
}

fn part() -> PartId {
    PartId { message: MessageId::first_at(Timestamp(AT.0 - 1200)), number: 0 }
}

fn came_back(what: Back, text: &str) -> EventKind {
    let bounced = what == Back::Bounced;
    EventKind::CameBack {
        what,
        account: Some("shop".into()),
        labels: labels(),
        message: Some(part().message),
        recipient: "bob@example.net".parse().unwrap(),
        status: bounced.then_some(EnhancedCode(5, 2, 2)),
        cause: bounced.then_some(Cause { rule: "any.5.2.2", class: "mailbox-full", fault: "recipient" }),
        text: text.into(),
    }
}

fn incident(state: IncidentState) -> EventKind {
    let (text, cure) = match state {
        IncidentState::Opened => (
            "203.0.113.10 has the reverse name static.203-0-113-10.isp.example, but mail leaves as mail.example.com",
            "ask the provider to set the PTR of 203.0.113.10 to mail.example.com",
        ),
        IncidentState::Closed => ("203.0.113.10 and mail.example.com agree", ""),
    };
    EventKind::Incident {
        id: 7_530_924_190_123_008,
        state,
        what: "name.fcrdns".into(),
        subject: "203.0.113.10".into(),
        text: text.into(),
        cure: cure.into(),
    }
}

/// One of each, under the name that it has in the document.
fn examples() -> Vec<(&'static str, EventKind)> {
    let reply = |stage, code, status, text| Outcome::from_reply(stage, Reply::new(code, status, text));
    let recipients = vec!["bob@example.net".parse().unwrap()];
    let (account, reason) = (Some("shop".into()), "held by an operator".into());
    vec![
        (
            "accepted",
            EventKind::Accepted(event::Accepted {
                message: part().message,
                account: account.clone(),
                from: Some("shop@example.com".parse().unwrap()),
                recipients: recipients.clone(),
                recipient_count: 1,
                size: 4096,
                header_id: "4711@example.com".into(),
                client: Some("198.51.100.7".parse().unwrap()),
                tls: None,
                labels: labels(),
            }),
        ),
        (
            "held",
            EventKind::Held {
                message: part().message,
                part: Some(part().number),
                account: account.clone(),
                labels: None,
                recipients: recipients.clone(),
                reason,
            },
        ),
        (
            "released",
            EventKind::Released {
                message: part().message,
                part: Some(part().number),
                account: account.clone(),
                labels: None,
                recipients,
            },
        ),
        ("deferred", settled(reply(Stage::Rcpt, 451, EnhancedCode(4, 7, 1), "greylisted, try again later"), 1)),
        ("delivered", settled(reply(Stage::Body, 250, EnhancedCode(2, 0, 0), "queued as 8D2F1"), 2)),
        ("bounced", settled(reply(Stage::Rcpt, 550, EnhancedCode(5, 1, 1), "no such user here"), 1)),
        (
            "bounced, given up by us",
            settled(
                Outcome::ours(
                    Verdict::Failed,
                    Stage::Queue,
                    Culprit::Us,
                    EnhancedCode(4, 4, 7),
                    "not delivered within 5 days",
                ),
                0,
            ),
        ),
        ("bounced, by a later notice", came_back(Back::Bounced, "smtp; 552 5.2.2 mailbox full")),
        ("complained", came_back(Back::Complained, "abuse")),
        ("unsubscribed", came_back(Back::Unsubscribed, "")),
        (
            "suppressed",
            EventKind::Suppressed {
                message: part().message,
                account,
                labels: None,
                recipient: "bob@example.net".parse().unwrap(),
                why: "complaint",
                text: "since 2026-11-02, by a report of example.net".into(),
            },
        ),
        (
            "cancelled",
            EventKind::Cancelled {
                message: part().message,
                account: Some("shop".into()),
                labels: labels(),
                recipient_count: 148_211,
            },
        ),
        ("incident.opened", incident(IncidentState::Opened)),
        ("incident.closed", incident(IncidentState::Closed)),
    ]
}

#[test]
fn the_document_shows_every_event_as_it_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/events.md");
    let before = std::fs::read_to_string(path).unwrap();
    let mut text = before.clone();
    for (n, (name, kind)) in examples().iter().enumerate() {
        let id = EventId(MessageId::first_at(AT).0 + n as u64);
        let r#type = kind_of(kind).unwrap().as_str();
        let envelope = Envelope { id, r#type, version: VERSION, timestamp: AT, data: Data::of(kind) };
        let shown = serde_json::to_string_pretty(&envelope).unwrap();
        let mark = format!("<!-- {name} -->\n```json\n");
        let start = text.find(&mark).unwrap_or_else(|| panic!("docs/events.md has no {mark}")) + mark.len();
        let end = start + text[start..].find("\n```").unwrap();
        text.replace_range(start..end, &shown);
        // What goes out is the same in one line.
        let told = told(id, &Event { at: AT, kind: kind.clone() }).unwrap();
        let compact: serde_json::Value = serde_json::from_str(&told.json).unwrap();
        assert_eq!(compact, serde_json::from_str::<serde_json::Value>(&shown).unwrap());
        assert!(!told.json.contains('\n'));
    }
    for name in Type::NAMES {
        assert!(text.contains(&format!("| `{name}` |")), "the table of docs/events.md does not name {name}");
    }
    if text != before && std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, text).unwrap();
    } else {
        assert_eq!(text, before, "docs/events.md differs: run this test with UPDATE_EXPECT=1");
    }
}

#[test]
fn what_is_of_no_application_is_not_told() {
    let nobodys = |kind: &EventKind| kind_of(kind).is_none();
    let mut notice = settled(Outcome::from_reply(Stage::Body, Reply::new(250, EnhancedCode(2, 0, 0), "ok")), 1);
    let EventKind::Settled(event::Settled { account, .. }) = &mut notice else { unreachable!() };
    *account = None;
    assert!(nobodys(&notice), "the delivery of a notice of ours");
    let level = repute_types::event::Level::Info;
    assert!(nobodys(&EventKind::Note { level, what: "start", text: String::new() }));
}

#[test]
fn an_event_stays_small_whatever_its_message_is() {
    let recipients = (0..5000).map(|n| format!("u{n}@example.net").parse().unwrap()).collect();
    let (message, part) = (part().message, Some(0));
    let kind = EventKind::Released { message, part, account: Some("shop".into()), labels: None, recipients };
    let told = told(EventId(1), &Event { at: AT, kind }).unwrap();
    let read: serde_json::Value = serde_json::from_str(&told.json).unwrap();
    assert_eq!(read["data"]["recipient_count"], 5000);
    assert_eq!(read["data"]["recipients"].as_array().unwrap().len(), 100);
}

#[test]
fn ids_and_filters_read_back() {
    let id = EventId(MessageId::first_at(AT).0);
    assert_eq!(id.to_string().parse(), Ok(id));
    assert!("0rkmz00000000".parse::<EventId>().is_err());
    assert!(EventId::before(AT) < id && EventId::before(Timestamp(AT.0 + 1)) >= id);
    for kind in Type::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
    let event = told(id, &Event { at: AT, kind: came_back(Back::Complained, "") }).unwrap();
    let takes = |types: &[Type], account: Option<&str>| {
        Filter { types: types.iter().copied().collect(), account: account.map(str::to_owned) }.takes(&event)
    };
    assert!(takes(&[Type::Complained], None) && takes(&[Type::Complained], Some("shop")));
    assert!(!takes(&[Type::Bounced], None) && !takes(&[Type::Complained], Some("blog")));
}
