//! A line for programs: one JSON object with the keys of the text form.

use repute_types::{Event, EventKind, Outcome, PartId};
use serde_json::{Map, Value, json};

/// Appends the event's line.
pub fn line(out: &mut Vec<u8>, event: &Event) {
    let mut object = Map::new();
    object.insert("time".into(), event.at.to_string().into());
    fields(&mut object, &event.kind);
    object.retain(|_, value| !value.is_null());
    // A map of strings to plain values always has a text.
    let _ = serde_json::to_writer(&mut *out, &object);
    out.push(b'\n');
}

fn fields(o: &mut Map<String, Value>, kind: &EventKind) {
    let mut put = |key: &str, value: Value| drop(o.insert(key.to_owned(), value));
    match kind {
        EventKind::Accepted { message, account, from, recipients, size, header_id, client, tls } => {
            put("event", "accepted".into());
            put("id", message.to_string().into());
            put("account", json!(account.as_deref()));
            put("from", from.as_ref().map_or_else(String::new, ToString::to_string).into());
            put("to", json!(recipients));
            put("size", json!(size));
            put("message-id", json!(header_id));
            put("client", json!(client));
            put("tls", json!(tls.as_ref().map(|t| &t.version)));
        }
        EventKind::Refused { account, client, reply } => {
            put("event", "refused".into());
            put("account", json!(account.as_deref()));
            put("client", json!(client));
            put("reply", reply.to_string().into());
        }
        EventKind::Settled { part, recipient, attempt, outcome, next_attempt, age, egress } => {
            put("event", outcome.verdict.as_str().into());
            put("to", json!(recipient));
            put("attempt", json!(attempt));
            put("egress", json!(egress));
            put("after", json!(age.as_secs_f64()));
            put("next", json!(next_attempt));
            self::part(o, *part);
            self::outcome(o, outcome);
        }
        EventKind::Held { part, reason } => {
            put("event", "held".into());
            put("reason", json!(reason));
            self::part(o, *part);
        }
        EventKind::Released { part } => {
            put("event", "released".into());
            self::part(o, *part);
        }
        EventKind::Noticed { about, notice, kind } => {
            put("event", "noticed".into());
            put("id", about.to_string().into());
            put("notice", notice.to_string().into());
            put("kind", json!(kind));
        }
        EventKind::Returned { message, recipient, client } => {
            put("event", "returned".into());
            put("id", message.to_string().into());
            put("to", json!(recipient));
            put("client", json!(client));
        }
        EventKind::Note { level, what, text } => {
            put("event", "note".into());
            put("level", super::text::level_name(*level).into());
            put("what", json!(what));
            put("text", json!(text));
        }
    }
}

fn part(o: &mut Map<String, Value>, part: PartId) {
    o.insert("id".into(), part.message.to_string().into());
    o.insert("part".into(), json!(part.number));
}

fn outcome(o: &mut Map<String, Value>, outcome: &Outcome) {
    let mut put = |key: &str, value: Value| drop(o.insert(key.to_owned(), value));
    if let Some(peer) = &outcome.peer {
        put("host", json!(peer.name));
        put("ip", json!(peer.address));
        put("port", json!(peer.port));
    }
    put("tls", json!(outcome.tls.as_ref().map(|t| &t.version)));
    put("tls_verified", json!(outcome.tls.as_ref().map(|t| t.verified)));
    put("stage", outcome.stage.as_str().into());
    put("status", outcome.status.to_string().into());
    put("reply", json!(outcome.reply.as_ref().map(ToString::to_string)));
    put("text", json!(Some(&outcome.text).filter(|t| !t.is_empty())));
}
