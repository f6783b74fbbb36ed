//! A line for programs: one JSON object with the keys of the text form, written as it goes: no
//! value is built first.

use std::fmt::Display;
use std::io;

use repute_types::event::{Accepted, Settled};
use repute_types::{Cause, Event, EventKind, Outcome, PartId};
use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

/// Appends the event's line.
pub fn line(out: &mut Vec<u8>, event: &Event) {
    out.extend_from_slice(b"{\"time\":");
    let mut object = Object(out);
    object.value(event.at);
    object.event(&event.kind);
    out.extend_from_slice(b"}\n");
}

/// What is shown as text is text here, too.
struct Shown<T>(T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

/// JSON for lines that people read as well: JSON lets DEL stand as it is, and terminals do not.
struct Line;

impl Formatter for Line {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        for (n, piece) in text.split('\u{7f}').enumerate() {
            if n > 0 {
                out.write_all(b"\\u007f")?;
            }
            out.write_all(piece.as_bytes())?;
        }
        Ok(())
    }
}

/// An object that has a first key already and is not closed yet.
struct Object<'a>(&'a mut Vec<u8>);

impl Object<'_> {
    fn value(&mut self, value: impl Serialize) {
        // Plain values always have a text, and memory takes it.
        let _ = value.serialize(&mut serde_json::Serializer::with_formatter(&mut *self.0, Line));
    }

    /// `key` is a word of ours.
    fn put(&mut self, key: &str, value: impl Serialize) {
        for piece in [",\"", key, "\":"] {
            self.0.extend_from_slice(piece.as_bytes());
        }
        self.value(value);
    }

    /// A key without a value is left out.
    fn maybe(&mut self, key: &str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    fn event(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Accepted(accepted) => self.accepted(accepted),
            EventKind::Refused { account, client, reply } => {
                self.put("event", "refused");
                self.maybe("account", account.as_deref());
                self.maybe("client", client.as_ref());
                self.put("reply", Shown(reply));
            }
            EventKind::Settled(settled) => self.settled(settled),
            EventKind::Held { message, part, account, labels, recipients, reason } => {
                self.put("event", "held");
                self.put("id", message);
                self.maybe("part", part.as_ref());
                self.maybe("account", account.as_deref());
                self.maybe("labels", labels.as_deref());
                self.put("to", recipients);
                self.put("reason", reason);
            }
            EventKind::Released { message, part, account, labels, recipients } => {
                self.put("event", "released");
                self.put("id", message);
                self.maybe("part", part.as_ref());
                self.maybe("account", account.as_deref());
                self.maybe("labels", labels.as_deref());
                self.put("to", recipients);
            }
            EventKind::Noticed { about, notice, kind } => {
                self.put("event", "noticed");
                self.put("id", about);
                self.put("notice", notice);
                self.put("kind", kind.as_str());
            }
            EventKind::Returned { message, recipient, client } => {
                self.put("event", "returned");
                self.put("id", message);
                self.put("to", recipient);
                self.maybe("client", client.as_ref());
            }
            EventKind::CameBack { what, account, labels, message, recipient, status, cause, text } => {
                self.put("event", what.as_str());
                self.maybe("id", message.as_ref());
                self.maybe("account", account.as_deref());
                self.maybe("labels", labels.as_deref());
                self.put("to", recipient);
                self.maybe("status", status.map(Shown));
                self.cause(cause.as_ref());
                self.maybe("text", Some(text).filter(|t| !t.is_empty()));
            }
            EventKind::Suppressed { message, account, labels, recipient, why, text } => {
                self.put("event", "suppressed");
                self.put("id", message);
                self.maybe("account", account.as_deref());
                self.maybe("labels", labels.as_deref());
                self.put("to", recipient);
                self.put("why", why);
                self.put("text", text);
            }
            EventKind::Cancelled { message, account, labels, recipient_count } => {
                self.put("event", "cancelled");
                self.put("id", message);
                self.maybe("account", account.as_deref());
                self.maybe("labels", labels.as_deref());
                self.put("recipients", recipient_count);
            }
            EventKind::Incident { id, state, what, subject, text, cure } => {
                self.put("event", "incident");
                self.put("incident", id);
                self.put("state", state.as_str());
                self.put("what", what);
                self.put("subject", subject);
                self.put("text", text);
                self.maybe("cure", Some(cure).filter(|c| !c.is_empty()));
            }
            EventKind::Note { level, what, text } => {
                self.put("event", "note");
                self.put("level", level.as_str());
                self.put("what", what);
                self.put("text", text);
            }
        }
    }

    fn accepted(&mut self, accepted: &Accepted) {
        self.put("event", "accepted");
        self.put("id", accepted.message);
        self.maybe("account", accepted.account.as_deref());
        self.put("from", Shown(accepted.from.as_ref().map_or(&"" as &dyn Display, |from| from)));
        self.put("to", &accepted.recipients);
        self.maybe("recipients", Some(accepted.recipient_count).filter(|_| accepted.recipients.is_empty()));
        self.put("size", accepted.size);
        self.put("message-id", &accepted.header_id);
        self.maybe("client", accepted.client);
        self.maybe("tls", accepted.tls.as_ref().map(|t| &t.version));
        self.maybe("labels", accepted.labels.as_deref());
    }

    fn settled(&mut self, settled: &Settled) {
        self.put("event", settled.outcome.verdict.as_str());
        self.part(settled.part);
        self.put("to", &settled.recipient);
        self.put("attempt", settled.attempt);
        self.outcome(&settled.outcome);
        self.cause(settled.cause.as_ref());
        self.maybe("egress", settled.egress);
        self.put("after", settled.age.as_secs_f64());
        self.maybe("next", settled.next_attempt);
    }

    fn cause(&mut self, cause: Option<&Cause>) {
        if let Some(cause) = cause {
            self.put("cause", cause.rule);
            self.put("class", cause.class);
            self.put("fault", cause.fault);
        }
    }

    fn part(&mut self, part: PartId) {
        self.put("id", part.message);
        self.put("part", part.number);
    }

    fn outcome(&mut self, outcome: &Outcome) {
        if let Some(peer) = &outcome.peer {
            self.put("host", &peer.name);
            self.maybe("ip", peer.address);
            self.put("port", peer.port);
        }
        if let Some(tls) = &outcome.tls {
            self.put("tls", &tls.version);
            self.put("tls_verified", tls.verified);
            self.maybe("tls_asked", tls.asked.demand());
        }
        self.put("stage", outcome.stage.as_str());
        self.put("status", Shown(outcome.status));
        self.maybe("reply", outcome.reply.as_ref().map(Shown));
        self.maybe("text", Some(&outcome.text).filter(|t| !t.is_empty()));
    }
}
