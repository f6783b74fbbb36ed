//! A submitted message made whole: what is missing is added, what must not go out is taken
//! away, and nothing is rewritten that need not be.
//!
//! Promise: the result has From, To, Date, Message-ID and a Received field of ours, no Bcc and
//! no return path of the submitter's, nothing that gives a private account's client away except
//! in Received fields from before, and can be signed. What is added stands in one slice in
//! front; what was right before is shared with the submitted content, not copied.
//! Fails with a [`Fault`] that says what the submitter has to do.

mod edit;
mod received;
mod vendor;

use repute_types::{Address, Content, Domain, MessageId, Timestamp};

pub(crate) use self::edit::Edits;
pub use self::received::Received;
pub use self::vendor::{CONFIGURATION_SET, Said};
use crate::fault::Fault;
use crate::header::{self, Header};
use crate::lint;
use crate::safe::{self, Safe};
use crate::scan;

#[derive(Clone, Debug)]
pub struct Whole<'a> {
    pub now: Timestamp,
    /// What Date says where the message has none: when it leaves, which may be later.
    pub date: Timestamp,
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
    /// 8-bit octets had to stay (a signed part, or a header in UTF-8): MAIL FROM must say BODY=8BITMIME.
    pub needs_eight_bit: bool,
    /// The header is in UTF-8: only servers with SMTPUTF8 can take it.
    pub needs_smtputf8: bool,
    /// What fields said that were for the server alone; they do not go out.
    pub said: Said,
    /// What was done beside adding Received, in the order in which it was done.
    pub changed: Vec<Change>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Added(&'static str),
    Removed(&'static str),
    /// Body or header text was encoded or folded anew, to be 7-bit in lines of at most 998 octets.
    Encoded,
    /// Lines of blanks at the end, which verifiers of signatures do not agree about, were cut off.
    Trimmed,
}

/// Fields that never leave: who else got it (RFC 5322 §3.6.3), and the return path that only
/// the last server writes (RFC 5321 §4.4).
const REMOVED: [&str; 3] = ["Bcc", "Resent-Bcc", "Return-Path"];

/// Fields that programs write to say where, and by whom, a message was submitted; taken away for
/// an account that asks for privacy. Received fields stay also there: without them a loop over
/// this server would never be seen (RFC 5321 §6.3).
pub(crate) const REVEALING: [&str; 14] = [
    "X-Originating-IP",
    "X-Originating-Email",
    "X-Client-IP",
    "X-Sender-IP",
    "X-Source-IP",
    "X-Remote-IP",
    "X-Forwarded-For",
    "X-Real-IP",
    "X-PHP-Script",
    "X-PHP-Originating-Script",
    "X-Source",
    "X-Source-Args",
    "X-Source-Dir",
    "X-Authentication-Warning",
];

pub fn make_whole(content: Content, whole: &Whole<'_>) -> Result<Made, Fault> {
    let found = scan::scan(&content);
    if let Some(offset) = found.nul {
        return Err(Fault::Nul { offset });
    }
    let header = Header::read(&content)?;
    let passed = lint::lint(&header, whole.hops)?;
    let mut changed = Vec::new();
    let mut edits = Edits::default();
    let content = close(content, &header, &mut changed);
    remove(&header, &REMOVED, &mut edits, &mut changed);
    let said = vendor::take(&header, &mut edits, &mut changed);
    if whole.received.private {
        remove(&header, &REVEALING, &mut edits, &mut changed);
    }
    let header_id = passed.message_id.clone().unwrap_or_else(|| format!("{}@{}", whole.id, whole.hostname));
    let mut front = String::with_capacity(512);
    whole.received.write(&mut front, whole);
    // Before anything is made safe: what is taken out asks for nothing.
    let mut add = Add { header: &header, front: &mut front, edits: &mut edits, changed: &mut changed };
    add.missing(&passed, whole, &header_id);
    let mut safe = Safe::default();
    if !found.is_safe() {
        safe = safe::make_safe(&content, &header, whole.smtputf8, &mut edits)?;
        changed.extend(safe.rewritten.then_some(Change::Encoded));
    }
    close_names(&header, &mut edits);
    Add { header: &header, front: &mut front, edits: &mut edits, changed: &mut changed }.mime(safe.mime_added);
    let content = edits.apply(content, front);
    Ok(Made {
        content,
        header_id,
        from: passed.from,
        needs_eight_bit: safe.eight_bit,
        needs_smtputf8: safe.utf8_header,
        said,
        changed,
    })
}

fn remove(header: &Header, names: &[&'static str], edits: &mut Edits, changed: &mut Vec<Change>) {
    for name in names {
        for field in header.all(name) {
            edits.remove(field.range);
            changed.push(Change::Removed(name));
        }
    }
}

/// Blanks between a name and its colon are obsolete (RFC 5322 §4.5.8), and verifiers of
/// signatures stumble over them.
fn close_names(header: &Header, edits: &mut Edits) {
    for field in header.blank_before_colon() {
        if !edits.touches(&field.range) {
            let name = field.range.start + field.name.len();
            let colon = memchr::memchr(b':', &header.octets()[name..]).map_or(name, |i| name + i);
            edits.remove(name..colon);
        }
    }
}

/// Puts what is missing in front; a field that is there but empty or unusable is taken out first.
struct Add<'a> {
    header: &'a Header,
    front: &'a mut String,
    edits: &'a mut Edits,
    changed: &'a mut Vec<Change>,
}

impl Add<'_> {
    fn missing(&mut self, passed: &lint::Passed, whole: &Whole<'_>, header_id: &str) {
        self.field("Message-ID", || format!("<{header_id}>"), &|_| passed.message_id.is_some());
        self.field("Date", || whole.date.rfc5322(), &header::is_date);
        self.field("To", || "undisclosed-recipients:;".to_owned(), &is_there);
    }

    fn mime(&mut self, added: bool) {
        let has = |name| self.header.find(name).is_some();
        if added || has("Content-Type") || has("Content-Transfer-Encoding") {
            self.field("MIME-Version", || "1.0".to_owned(), &is_there);
        }
    }

    fn field(&mut self, name: &'static str, value: impl FnOnce() -> String, usable: &dyn Fn(&[u8]) -> bool) {
        let present = self.header.find(name);
        if present.as_ref().is_some_and(|field| usable(field.value)) {
            return;
        }
        if let Some(present) = present {
            // It may have been encoded or folded anew before.
            self.edits.remove_changed(present.range);
            self.changed.push(Change::Removed(name));
        }
        for part in [name, ": ", &value(), "\r\n"] {
            self.front.push_str(part);
        }
        self.changed.push(Change::Added(name));
    }
}

fn is_there(value: &[u8]) -> bool {
    !value.trim_ascii().is_empty()
}

/// The empty line between header and body and the line end after them, which signing and every
/// transport presume; and no lines of blanks at the end.
fn close(mut content: Content, header: &Header, changed: &mut Vec<Change>) -> Content {
    if !ends_line(&content) {
        content.push(&b"\r\n"[..]);
    }
    if !header.is_separated() {
        content.push(&b"\r\n"[..]);
        return content;
    }
    match blank_tail(&content, header.body_start()) {
        Some(end) => {
            changed.push(Change::Trimmed);
            content.slice(0, end)
        }
        None => content,
    }
}

/// Where lines of blanks at the end of the body begin, if one of them holds a blank. Verifiers
/// do not agree whether such a line counts as empty (RFC 6376 §3.4.4 says it does).
fn blank_tail(content: &Content, body: usize) -> Option<usize> {
    let mut at = content.len();
    // Behind the earliest line end seen so far, going backwards.
    let mut line_end = at;
    let (mut blanks_in_line, mut blank_line) = (false, false);
    for &b in content.chunks().iter().rev().flat_map(|chunk| chunk.iter().rev()) {
        if at == body {
            return (blank_line || blanks_in_line).then_some(body);
        }
        match b {
            b'\n' => {
                blank_line |= std::mem::take(&mut blanks_in_line);
                line_end = at;
            }
            b'\r' => {}
            b' ' | b'\t' => blanks_in_line = true,
            _ => return blank_line.then_some(line_end),
        }
        at -= 1;
    }
    None
}

fn ends_line(content: &Content) -> bool {
    let length = content.len();
    length >= 2 && content.slice(length - 2, length).to_vec() == b"\r\n"
}

#[cfg(test)]
mod tests;
