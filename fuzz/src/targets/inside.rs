//! What the server writes for itself and reads again: records, events, the configuration, words of the control
//! socket, ids and tokens.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use repute::dry;
use repute_feedback::{Token, Tokens};
use repute_hooks::{EventId, Secret, Target, Type};
use repute_types::event::{self, Back, IncidentState, Level};
use repute_types::{
    Address, Cause, Event, EventKind, Labels, MessageId, Outcome, PartId, Peer, Reply, Stage, Timestamp, TlsAsked,
    TlsUsed,
};

use super::{Choices, pieces};

/// A stored record that is not one is told; one that is, is written as it was read.
pub fn spool_record(octets: &[u8]) {
    repute_spool::try_record(octets);
}

/// The spool's journal: whatever stands in its file, and what was written and then damaged in one place.
pub fn spool_journal(octets: &[u8]) {
    repute_spool::try_journal(octets);
}

/// A configuration is one, or all that is wrong with it is said, each fault with its place.
pub fn config(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    if let Err(faults) = dry::config(text) {
        assert!(faults.contains("repute.toml"), "{faults}");
    }
}

/// A line of the control socket: what is a request is written so that it reads as the same.
pub fn control(octets: &[u8]) {
    let Some(written) = dry::control(octets) else { return };
    let again = dry::control(written.as_bytes());
    assert_eq!(again.as_deref(), Some(&*written));
}

/// Texts from outside in every event: the log's line stays one line, JSON stays JSON.
pub fn event(octets: &[u8]) {
    let mut choices = Choices(octets);
    let (which, number) = (choices.next(), choices.next());
    let texts: [String; 4] = pieces(choices.0);
    let event = Event { at: Timestamp(1_795_485_950_120), kind: kind(which, number, &texts) };
    for json in [false, true] {
        let line = dry::log_line(&event, json);
        let ends = line.iter().filter(|b| **b == b'\n').count();
        assert!(ends == 1 && line.ends_with(b"\n"), "{:?}", String::from_utf8_lossy(&line));
        assert!(!line[..line.len() - 1].iter().any(u8::is_ascii_control), "{:?}", String::from_utf8_lossy(&line));
        assert!(!json || serde_json::from_slice::<serde_json::Value>(&line).is_ok(), "{line:?}");
    }
    if let Some(told) = repute_hooks::told(EventId(7), &event) {
        let value: serde_json::Value = serde_json::from_str(&told.json).expect("JSON");
        assert_eq!(value["type"], told.kind.as_str());
        assert!(!told.json.contains('\n'), "an event is a line");
    }
}

fn kind(which: u8, number: u8, texts: &[String; 4]) -> EventKind {
    let [one, two, three, four] = texts.clone();
    let address = Address::parse(&one).unwrap_or_else(|_| Address::parse("ann@example.net").unwrap());
    let account = Some(Arc::from("shop"));
    let metadata = vec![(two.clone(), three.clone()), (three.clone(), two.clone())];
    let labels = Labels { campaign: Some(one.clone()), list: Some(two.clone()), tags: vec![three.clone()], metadata };
    let (labels, message) = (labels.kept(), MessageId(u64::from(number) << 40));
    let part = PartId { message, number: number.into() };
    let cause = Some(Cause { rule: "google.ptr", class: "reverse-dns", fault: "address" });
    let reply = Reply { code: 550, enhanced: None, lines: vec![two.clone(), three.clone()] };
    match which % 10 {
        0 => EventKind::Accepted(event::Accepted {
            message,
            account,
            from: Some(address.clone()),
            recipients: vec![address],
            recipient_count: 1,
            size: 4096,
            header_id: two,
            client: None,
            tls: Some(tls()),
            labels,
        }),
        1 => EventKind::Refused { account, client: None, reply },
        2 => {
            let outcome = Outcome {
                peer: Some(Peer { name: "mx.example.net".into(), address: None, port: 25 }),
                tls: Some(tls()),
                text: four,
                ..Outcome::from_reply(Stage::Rcpt, reply)
            };
            let (age, outcome) = (Duration::from_millis(u64::from(number)), std::sync::Arc::new(outcome));
            let (recipient, attempt, next_attempt) = (address, number.into(), None);
            EventKind::Settled(event::Settled {
                part,
                account,
                labels,
                recipient,
                attempt,
                outcome,
                cause,
                next_attempt,
                age,
                egress: None,
            })
        }
        3 => {
            let part = (number & 4 > 0).then_some(part.number);
            EventKind::Held { message, part, account, labels, recipients: vec![address], reason: two }
        }
        4 => {
            let part = (number & 4 > 0).then_some(part.number);
            EventKind::Released { message, part, account, labels, recipients: vec![address] }
        }
        5 => EventKind::CameBack {
            what: [Back::Bounced, Back::Complained, Back::Unsubscribed][usize::from(number % 3)],
            account,
            labels,
            message: (number & 8 > 0).then_some(message),
            recipient: address,
            status: None,
            cause,
            text: four,
        },
        6 => EventKind::Suppressed { message, account, labels, recipient: address, why: "manual", text: two },
        7 => EventKind::Incident {
            id: number.into(),
            state: [IncidentState::Opened, IncidentState::Closed][usize::from(number % 2)],
            what: "name.fcrdns".into(),
            subject: two,
            text: three,
            cure: four,
        },
        8 => EventKind::Cancelled { message, account, labels, recipient_count: number.into() },
        _ => EventKind::Note { level: Level::Warning, what: "spool", text: two },
    }
}

/// The library's words, not the peer's.
fn tls() -> TlsUsed {
    TlsUsed {
        version: "TLSv1.3".into(),
        cipher: "TLS13_AES_256_GCM_SHA384".into(),
        verified: true,
        asked: TlsAsked::Dane,
    }
}

/// Ids, tokens, and the words that the configuration has for webhooks: what is read is written as it was, in its
/// one spelling.
pub fn words(octets: &[u8]) {
    static TOKENS: OnceLock<Tokens> = OnceLock::new();
    let tokens = TOKENS.get_or_init(|| Tokens::new(&[7; 32]));
    let Ok(text) = std::str::from_utf8(octets) else { return };
    if let Ok(id) = text.parse::<MessageId>() {
        assert_eq!(id.to_string(), text.to_ascii_lowercase());
    }
    if let Ok(id) = text.parse::<EventId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    if let Some(token) = tokens.read(text) {
        assert_eq!(tokens.write(&token), text.to_ascii_lowercase());
    }
    let number = octets.iter().take(8).fold(0u64, |n, b| n << 8 | u64::from(*b));
    let part = PartId { message: MessageId(number), number: number as u32 };
    let written = tokens.write(&Token::Unsubscribe { part, recipient: (number >> 32) as u32 });
    assert_eq!(tokens.read(&written), Some(Token::Unsubscribe { part, recipient: (number >> 32) as u32 }));
    if let Ok(kind) = text.parse::<Type>() {
        assert_eq!(kind.as_str(), text);
    }
    let _ = (text.parse::<Secret>().is_ok(), text.parse::<Target>().is_ok(), text.parse::<Timestamp>().is_ok());
    if let Ok(time) = text.parse::<Timestamp>() {
        assert_eq!(time.to_string().parse().ok(), Some(time), "{time}");
    }
}
