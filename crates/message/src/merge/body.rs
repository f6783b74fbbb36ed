//! The letter's text parts: found in its MIME tree, decoded, made templates, encoded again.

use bytes::Bytes;
use repute_types::Content;

use super::form::{Form, has_markup};
use super::{LetterFault, Piece, decode};
use crate::encode::{Input, QuotedPrintable};
use crate::header::Header;
use crate::safe::parameters;
use crate::safe::tree::{self, Encoding, Kind, Part};

pub(super) struct Body {
    pub pieces: Vec<Piece>,
    /// The message is a single text with merge fields: its Content fields stand in `pieces`' place.
    pub top_is_text: bool,
}

/// Says how a merged text is encoded, in place of what the letter said.
const ENCODING: &str = "Content-Transfer-Encoding: quoted-printable\r\n";

pub(super) fn read(content: &Content, header: &Header, form: &mut Form<'_>) -> Result<Body, LetterFault> {
    let octets: Bytes = match content.chunks() {
        [one] => one.clone(),
        _ => content.to_vec().into(),
    };
    let mut body = Body { pieces: Vec::new(), top_is_text: false };
    let mut at = header.body_start();
    for (number, part) in tree::walk(content, header)?.iter().enumerate() {
        if part.kind != Kind::Text || part.frozen {
            continue;
        }
        let Some(text) = shown(&octets, part, number, form)? else { continue };
        if part.top {
            body.top_is_text = true;
            body.pieces.push(Piece::Text { template: text.template });
            at = part.body.end;
            continue;
        }
        body.pieces.push(Piece::Octets(octets.slice(at..part.header.start)));
        body.pieces.push(Piece::Octets(text.fields.into()));
        body.pieces.push(Piece::Text { template: text.template });
        at = part.body.end;
    }
    body.pieces.push(Piece::Octets(octets.slice(at.min(octets.len())..)));
    Ok(body)
}

struct Shown {
    template: String,
    /// The part's header with the empty line after it.
    fields: String,
}

/// The part as a template, if it is text that people are shown and there are merge fields in it.
fn shown(octets: &Bytes, part: &Part, number: usize, form: &mut Form<'_>) -> Result<Option<Shown>, LetterFault> {
    let raw = octets.slice(part.header.clone());
    let Ok(header) = Header::read(&Content::from(raw.clone())) else { return Ok(None) };
    let disposition = header.find("Content-Disposition");
    if disposition.is_some_and(|field| field.text().get(..10).is_some_and(|d| d.eq_ignore_ascii_case(b"attachment"))) {
        return Ok(None);
    }
    let written = header.find("Content-Type").map(|field| field.text().into_owned());
    let (media, parameters) = parameters::parse(written.as_deref().unwrap_or(b"text/plain"));
    let media = String::from_utf8_lossy(&media).to_ascii_lowercase();
    let kind = if media == "text/html" { "html" } else { "text" };
    let place = if part.top { format!("the body ({kind})") } else { format!("part {number} ({kind})") };
    let Some(text) = decoded(&octets.slice(part.body.clone()), part.encoding) else { return Ok(None) };
    let charset = parameters.iter().find(|p| p.name.eq_ignore_ascii_case(b"charset"));
    let charset = charset.map_or_else(|| "utf-8".into(), |p| String::from_utf8_lossy(&p.value).into_owned());
    let text = match String::from_utf8(text) {
        Ok(text) if text.is_ascii() || decode::is_unicode(&charset) => text,
        other => {
            let octets = other.map_or_else(|error| error.into_bytes(), String::into_bytes);
            return match has_markup(&String::from_utf8_lossy(&octets)) {
                true => Err(LetterFault::Charset { place, charset }),
                false => Ok(None),
            };
        }
    };
    if !has_markup(&text) {
        return Ok(None);
    }
    let mut content_type = format!("Content-Type: {media}; charset=utf-8");
    for parameter in parameters.iter().filter(|p| !p.name.eq_ignore_ascii_case(b"charset")) {
        let value = String::from_utf8_lossy(&parameter.value).replace('\\', "\\\\").replace('"', "\\\"");
        content_type += &format!(";\r\n {}=\"{value}\"", String::from_utf8_lossy(&parameter.name));
    }
    let mut fields = String::new();
    for field in header.fields().filter(|_| !part.top) {
        if !field.is("Content-Type") && !field.is("Content-Transfer-Encoding") {
            fields += &String::from_utf8_lossy(&raw[field.range.clone()]);
        }
    }
    fields += &format!("{content_type}\r\n{ENCODING}");
    if part.top {
        form.top_fields = fields.clone();
    }
    fields += "\r\n";
    let template = form.add(&place, text)?;
    Ok(Some(Shown { template, fields }))
}

fn decoded(body: &[u8], encoding: Encoding) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Identity => Some(body.to_vec()),
        Encoding::QuotedPrintable => Some(decode::quoted(&String::from_utf8_lossy(body))),
        Encoding::Base64 => decode::base64(body),
        Encoding::Unknown => None,
    }
}

/// The text in quoted-printable, its line ends put right, ending in one.
pub(super) fn encoded(text: &str) -> Vec<u8> {
    let mut encoder = QuotedPrintable::new(Input::Plain);
    let mut lines = text.split('\n').peekable();
    while let Some(line) = lines.next() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        // A CR within a line would be read as a line end by some.
        encoder.feed(line.replace('\r', " ").as_bytes());
        if lines.peek().is_some() {
            encoder.feed(b"\r\n");
        }
    }
    encoder.finish()
}
