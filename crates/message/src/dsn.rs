//! Notices to senders: what failed, what takes long, what was handed on (RFC 3464, with the
//! semantics of RFC 3461 and, for addresses beyond ASCII, RFC 6533).
//!
//! Promise: a notice is 7-bit but for a To field beyond ASCII, in lines of at most 998 octets, says first to a person and then
//! to a program what happened to whom, in the receiver's own words and with what to do, and
//! marks itself so that no program answers it (`Auto-Submitted`, RFC 3834 §5). Its envelope, the
//! null sender, is the caller's. What is returned of the original is bounded: the whole of it
//! only for failures, where it was asked for, and up to [`WHOLE`] octets.

mod advice;
mod status;
mod text;

use repute_types::event::NoticeKind;
use repute_types::{Address, Content, Domain, MessageId, Outcome, Recipient, Ret, Timestamp};

use crate::encode::{Folder, Input, QuotedPrintable, words};
use crate::header::{self, Header};
use crate::scan;

/// The largest original that is returned whole: the header tells the sender which one it was.
pub const WHOLE: usize = 100 * 1024;
/// A longer Message-ID of an original is not referred to: the line would be over 998 octets.
const LONGEST_ID: usize = 900;

#[derive(Clone, Debug)]
pub struct Notice<'a> {
    pub kind: NoticeKind,
    pub now: Timestamp,
    /// The notice's own id; its Message-ID is made of it.
    pub id: MessageId,
    /// Ours.
    pub hostname: &'a Domain,
    /// Who writes, such as `postmaster@` the domain that signs.
    pub author: &'a Address,
    /// The original's return path.
    pub to: &'a Address,
    pub original: Original<'a>,
    /// At least one.
    pub recipients: Vec<Told<'a>>,
}

#[derive(Clone, Debug)]
pub struct Original<'a> {
    pub id: MessageId,
    pub received: Timestamp,
    /// RFC 3461 §4.4, decoded.
    pub envid: Option<&'a str>,
    pub ret: Option<Ret>,
    pub content: &'a Content,
}

/// One recipient, with what its last attempt said.
#[derive(Clone, Debug)]
pub struct Told<'a> {
    pub recipient: &'a Recipient,
    pub outcome: &'a Outcome,
    /// When the last attempt was made, if one was.
    pub attempted: Option<Timestamp>,
    /// Until when it is tried again; for delays.
    pub until: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub struct Composed {
    pub content: Content,
    /// The Message-ID without its brackets.
    pub header_id: String,
    /// The To field holds an address beyond ASCII: the envelope must say SMTPUTF8.
    pub smtputf8: bool,
}

pub fn compose(notice: &Notice<'_>) -> Composed {
    let header = Header::read(notice.original.content).ok();
    let parts = [text::part(notice, header.as_ref()), status::part(notice), returned(notice, header.as_ref())];
    let boundary = boundary(notice.id, &parts);
    let header_id = format!("{}@{}", notice.id, notice.hostname);
    let mut out = fields(notice, header.as_ref(), &header_id, &boundary).into_bytes();
    for part in &parts {
        out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
        out.extend_from_slice(part);
    }
    out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    Composed { content: Content::from(out), header_id, smtputf8: notice.to.needs_smtputf8() }
}

fn fields(notice: &Notice<'_>, original: Option<&Header>, header_id: &str, boundary: &str) -> String {
    let mut out = String::with_capacity(1024);
    let mut from = Folder::field("From");
    words::phrase(&mut from, "Mail Delivery System");
    from.word(" ", &format!("<{}>", notice.author));
    let mut to = Folder::field("To");
    to.word(" ", &format!("<{}>", notice.to));
    let mut subject = Folder::field("Subject");
    words::unstructured(&mut subject, &subject_of(notice), words::Marks::Literal);
    out.push_str(&(from.finish() + &to.finish() + &subject.finish()));
    out.push_str(&format!("Date: {}\r\nMessage-ID: <{header_id}>\r\n", notice.now.rfc5322()));
    let original_id = original.and_then(|h| h.find("Message-ID"));
    let ids = original_id.as_ref().and_then(|field| header::message_ids(field.value)).unwrap_or_default();
    if let [id] = ids[..]
        && id.is_ascii()
        && id.len() <= LONGEST_ID
    {
        out.push_str(&format!("In-Reply-To: <{id}>\r\nReferences: <{id}>\r\n"));
    }
    out.push_str("Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
    out.push_str(&format!(
        "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"{boundary}\"\r\n"
    ));
    out
}

fn subject_of(notice: &Notice<'_>) -> String {
    let whom = match &notice.recipients[..] {
        [one] => one.recipient.address.to_string(),
        many => format!("{} recipients", many.len()),
    };
    match notice.kind {
        NoticeKind::Failure => format!("Not delivered: your message to {whom}"),
        NoticeKind::Delay => format!("Delayed: your message to {whom}"),
        NoticeKind::Relay => format!("Handed on: your message to {whom}"),
    }
}

/// What comes back of the original: its header, or all of it.
fn returned(notice: &Notice<'_>, header: Option<&Header>) -> Vec<u8> {
    let content = notice.original.content;
    let whole = notice.kind == NoticeKind::Failure && notice.original.ret == Some(Ret::Full) && content.len() <= WHOLE;
    let octets = match header {
        Some(header) if !whole => header.octets().to_vec(),
        None if !whole => Vec::new(),
        _ => content.to_vec(),
    };
    // Whatever was accepted: what a receiver refuses in a notice, nobody is told.
    let is_safe = scan::scan_octets(&octets).is_safe();
    let (media, encoding) = match (whole, is_safe) {
        (true, true) => ("message/rfc822", "7bit"),
        (false, true) => ("text/rfc822-headers", "7bit"),
        // RFC 6533 §4, §5: these may be encoded, the older two may not; ASCII is UTF-8 too.
        (true, false) => ("message/global", "quoted-printable"),
        (false, false) => ("message/global-headers", "quoted-printable"),
    };
    let head = format!(
        "Content-Description: {}\r\nContent-Type: {media}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n",
        if whole { "Your message" } else { "Header of your message" }
    );
    let body = if is_safe { octets } else { quoted(&octets) };
    [head.as_bytes(), &body].concat()
}

fn quoted(octets: &[u8]) -> Vec<u8> {
    let mut encoder = QuotedPrintable::new(Input::Plain);
    encoder.feed(octets);
    encoder.finish()
}

/// A text that none of the parts holds.
fn boundary(id: MessageId, parts: &[Vec<u8>]) -> String {
    let mut boundary = format!("=_{id}");
    while parts.iter().any(|part| memchr::memmem::find(part, boundary.as_bytes()).is_some()) {
        boundary.push('_');
    }
    boundary
}

/// A value for a field or a line: what would end it, and what is not seen, becomes a blank.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
