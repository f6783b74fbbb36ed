//! A submitted message made whole: what is missing is added, what must not go out is taken
//! away, and nothing is rewritten that need not be.
//!
//! Promise: the result has From, To, Date, Message-ID and a Received field of ours, no Bcc and
//! no return path of the submitter's, and can be signed. What is added stands in one slice in
//! front; what was right before is shared with the submitted content, not copied.
//! Fails with a [`Fault`] that says what the submitter has to do.

mod edit;
mod received;

use repute_types::{Address, Content, Domain, MessageId, Timestamp};

use self::edit::Edits;
pub use self::received::Received;
use crate::fault::Fault;
use crate::header::{self, Header};
use crate::lint;
use crate::scan;

#[derive(Clone, Debug)]
pub struct Whole<'a> {
    pub now: Timestamp,
    pub id: MessageId,
    /// Ours: it stands in Received and to the right in a Message-ID that is added.
    pub hostname: &'a Domain,
    pub received: Received<'a>,
    /// The envelope declared SMTPUTF8 (RFC 6531): the header may be in UTF-8.
    pub smtputf8: bool,
    /// More Received fields than this are a loop (RFC 5321 §6.3).
    pub hops: usize,
}

#[derive(Clone, Debug)]
pub struct Made {
    pub content: Content,
    /// The Message-ID without its brackets, found or added.
    pub header_id: String,
    /// The authors, from the From field; at least one.
    pub from: Vec<Address>,
    /// What was done beside adding Received, in the order in which it was done.
    pub changed: Vec<Change>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Added(&'static str),
    Removed(&'static str),
}

/// Fields that never leave: who else got it (RFC 5322 §3.6.3), and the return path that only
/// the last server writes (RFC 5321 §4.4).
const REMOVED: [&str; 3] = ["Bcc", "Resent-Bcc", "Return-Path"];

pub fn make_whole(content: Content, whole: &Whole<'_>) -> Result<Made, Fault> {
    let found = scan::scan(&content);
    if let Some(offset) = found.nul {
        return Err(Fault::Nul { offset });
    }
    let header = Header::read(&content)?;
    let passed = lint::lint(&header, whole.hops)?;
    let mut changed = Vec::new();
    let mut edits = Edits::default();
    remove(&header, &mut edits, &mut changed);
    let header_id = passed.message_id.clone().unwrap_or_else(|| format!("{}@{}", whole.id, whole.hostname));
    let mut front = String::with_capacity(512);
    whole.received.write(&mut front, whole);
    add(&header, &passed, whole, &header_id, &mut front, &mut edits, &mut changed);
    let content = assemble(content, &header, front, edits);
    Ok(Made { content, header_id, from: passed.from, changed })
}

fn remove(header: &Header, edits: &mut Edits, changed: &mut Vec<Change>) {
    for field in header.fields() {
        if let Some(name) = REMOVED.iter().find(|name| field.is(name)) {
            edits.remove(field.range);
            changed.push(Change::Removed(name));
        }
    }
}

/// What is missing, in front; a field that is there but empty or unusable is taken out first.
fn add(
    header: &Header,
    passed: &lint::Passed,
    whole: &Whole<'_>,
    header_id: &str,
    front: &mut String,
    edits: &mut Edits,
    changed: &mut Vec<Change>,
) {
    let mut field = |name: &'static str, value: &str, usable: &dyn Fn(&[u8]) -> bool| {
        let present = header.find(name);
        if present.as_ref().is_some_and(|field| usable(field.value)) {
            return;
        }
        if let Some(present) = present {
            edits.remove(present.range);
            changed.push(Change::Removed(name));
        }
        for part in [name, ": ", value, "\r\n"] {
            front.push_str(part);
        }
        changed.push(Change::Added(name));
    };
    let is_there = |value: &[u8]| !value.trim_ascii().is_empty();
    field("Message-ID", &format!("<{header_id}>"), &|_| passed.message_id.is_some());
    field("Date", &whole.now.rfc5322(), &header::is_date);
    field("To", "undisclosed-recipients:;", &is_there);
    if header.fields().any(|f| f.is("Content-Type") || f.is("Content-Transfer-Encoding")) {
        field("MIME-Version", "1.0", &is_there);
    }
}

/// Header and body get the empty line between them and the line end after them that signing
/// and every transport presume.
fn assemble(mut content: Content, header: &Header, front: String, edits: Edits) -> Content {
    if !ends_line(&content) {
        content.push(&b"\r\n"[..]);
    }
    if !header.is_separated() {
        content.push(&b"\r\n"[..]);
    }
    edits.apply(content, front)
}

fn ends_line(content: &Content) -> bool {
    let length = content.len();
    length >= 2 && content.slice(length - 2, length).to_vec() == b"\r\n"
}

#[cfg(test)]
mod tests;
