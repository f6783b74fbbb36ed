//! The body of a letter: text, HTML, what the HTML shows, what is attached (RFC 2046 §5.1.3,
//! §5.1.4, RFC 2387; Content-Disposition of RFC 2183).
//!
//! Promise: binary content is base64 in lines of 76, an attached message as it is; a boundary stands in no part.

use std::borrow::Cow;

use bytes::Bytes;
use repute_types::Content;

use super::media::Media;
use super::{Letter, LetterFault, brief, one_line};
use crate::encode::{Base64Lines, Folder, Input, QuotedPrintable};
use crate::safe::parameters;
use crate::scan;

/// A file that goes with a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The file's name as the reader sees it; may be empty.
    pub name: String,
    /// `type/subtype`, with its parameters; empty: as the name says.
    pub media: String,
    /// Set for what the HTML shows by `cid:`; without brackets.
    pub content_id: Option<String>,
    pub content: Bytes,
}

impl Attachment {
    /// All that keeps it from being attached.
    pub fn faults(&self) -> Vec<LetterFault> {
        let media = self.known_media().err();
        let id = self.content_id.as_deref().filter(|id| !is_content_id(id));
        media.into_iter().chain(id.map(|id| LetterFault::ContentId(brief(id)))).collect()
    }

    fn known_media(&self) -> Result<Media, LetterFault> {
        let known = Media::of(&self.media, &self.name, &self.content);
        known.ok_or_else(|| LetterFault::Media(brief(&self.media)))
    }
}

/// A part with its own header, as it stands alone or in a multipart.
type Part = Vec<Bytes>;

pub(super) fn write(letter: &Letter, out: &mut Content) -> Result<(), LetterFault> {
    let has_html = letter.html.is_some();
    // Without HTML there is nothing to be shown in.
    let is_shown = |a: &&Attachment| has_html && a.content_id.is_some();
    let shown = letter.attachments.iter().filter(is_shown).map(file).collect::<Result<Vec<_>, _>>()?;
    let attached = letter.attachments.iter().filter(|a| !is_shown(a)).map(file).collect::<Result<Vec<_>, _>>()?;
    let html = letter.html.as_deref().map(|html| {
        let html = match letter.text {
            None => leaf("html", &as_document(html)),
            Some(_) => leaf("html", html),
        };
        if shown.is_empty() { html } else { multipart(letter, Kind::Related, [vec![html], shown].concat()) }
    });
    let text = letter.text.as_deref().map(|text| leaf("plain", text));
    let body = match (text, html) {
        (Some(text), Some(html)) => multipart(letter, Kind::Alternative, vec![text, html]),
        (None, Some(html)) => html,
        (text, None) => text.unwrap_or_else(|| leaf("plain", "")),
    };
    let kind = letter.report_type.map_or(Kind::Mixed, Kind::Report);
    let whole = if attached.is_empty() { body } else { multipart(letter, kind, [vec![body], attached].concat()) };
    whole.into_iter().for_each(|piece| out.push(piece));
    Ok(())
}

/// A fragment as a document: filters count it where HTML stands alone and has no `html` element, as programs that send spam
/// leave it out. Whatever has an element that only a document has stays as it is.
fn as_document(html: &str) -> Cow<'_, str> {
    let lower = html.to_ascii_lowercase();
    let is_document = ["<!doctype", "<html", "<head", "<body", "<frameset"].iter().any(|begin| lower.contains(begin));
    match is_document || html.trim().is_empty() {
        true => Cow::Borrowed(html),
        false => Cow::Owned(format!("<!DOCTYPE html>\n<html><body>\n{html}\n</body></html>\n")),
    }
}

fn leaf(subtype: &str, text: &str) -> Part {
    let mut text = with_line_ends(text);
    if !text.is_empty() && !text.ends_with("\r\n") {
        text.push_str("\r\n");
    }
    let plain = scan::scan_octets(text.as_bytes()).is_safe();
    let encoding = if plain { "7bit" } else { "quoted-printable" };
    let head = format!("Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
    let body = if plain {
        text.into_bytes()
    } else {
        let mut encoder = QuotedPrintable::new(Input::Plain);
        encoder.feed(text.as_bytes());
        encoder.finish()
    };
    vec![head.into(), body.into()]
}

fn with_line_ends(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

fn file(attachment: &Attachment) -> Result<Part, LetterFault> {
    let Attachment { name, content_id, content, .. } = attachment;
    let mut media = attachment.known_media()?;
    let message = if media.is_message() { as_message(content) } else { None };
    if media.is_message() && message.is_none() {
        media = Media::octets();
    }
    let mut head = media.field();
    if let Some(id) = content_id {
        if !is_content_id(id) {
            return Err(LetterFault::ContentId(brief(id)));
        }
        head.push_str(&format!("Content-ID: <{id}>\r\n"));
    }
    let encoding = if message.is_some() { "7bit" } else { "base64" };
    head.push_str(&format!("Content-Transfer-Encoding: {encoding}\r\n"));
    let mut folder = Folder::field("Content-Disposition");
    folder.word(" ", if content_id.is_some() { "inline" } else { "attachment" });
    let name = one_line(name);
    if !name.is_empty() {
        parameters::put(&mut folder, "filename", &name, true);
    }
    head.push_str(&folder.finish());
    head.push_str("\r\n");
    if let Some(message) = message {
        return Ok(vec![head.into(), message]);
    }
    let mut encoder = Base64Lines::default();
    encoder.feed(content);
    Ok(vec![head.into(), encoder.finish().into()])
}

/// A message as it stands among parts; `None` where its octets are not safe there.
fn as_message(content: &[u8]) -> Option<Bytes> {
    let text = with_line_ends(std::str::from_utf8(content).ok()?);
    scan::scan_octets(text.as_bytes()).is_safe().then(|| text.into())
}

fn is_content_id(id: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.@".contains(&b);
    (1..=200).contains(&id.len()) && id.bytes().all(good)
}

#[derive(Clone, Copy)]
enum Kind {
    Mixed,
    Report(&'static str),
    Alternative,
    Related,
}

fn multipart(letter: &Letter, kind: Kind, parts: Vec<Part>) -> Part {
    let (subtype, name) = match kind {
        Kind::Mixed => ("mixed".to_owned(), "mixed"),
        Kind::Report(of) => (format!("report; report-type={of}"), "report"),
        Kind::Alternative => ("alternative".to_owned(), "alternative"),
        Kind::Related => ("related; type=\"text/html\"".to_owned(), "related"),
    };
    let boundary = boundary(letter, name);
    let mut out = vec![Bytes::from(format!("Content-Type: multipart/{subtype}; boundary=\"{boundary}\"\r\n"))];
    for part in parts {
        out.push(format!("\r\n--{boundary}\r\n").into());
        out.extend(part);
    }
    out.push(format!("\r\n--{boundary}--\r\n").into());
    out
}

/// One that stands in no text and no message. In quoted-printable and base64 none can, for `=_` is neither.
fn boundary(letter: &Letter, name: &str) -> String {
    let mut boundary = format!("=_{name}");
    let files = || letter.attachments.iter().map(|file| &file.content[..]);
    let texts = || letter.text.iter().chain(&letter.html).map(String::as_bytes).chain(files());
    while texts().any(|text| memchr::memmem::find(text, boundary.as_bytes()).is_some()) {
        boundary.push('_');
    }
    boundary
}
