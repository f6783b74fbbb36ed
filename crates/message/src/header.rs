//! A message's header section, read in place (RFC 5322 §2.2, §3.6; obsolete syntax of §4.5
//! tolerated in reading).
//!
//! Promise: fields are ranges into the content's own octets; nothing is copied unless the
//! header spans two chunks. Bounds: 256 KiB of header, 1000 fields; beyond them the message is
//! refused. A line that is no field is a [`Fault`], not the silent end of the header.

mod date;
mod mailbox;
mod message_id;
mod token;

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use repute_types::Content;

pub use self::date::is_date;
pub use self::mailbox::{ListError, Mailbox, addresses, mailboxes};
pub use self::message_id::message_ids;
pub use self::token::{Kind, Token, tokens};
use crate::fault::{Fault, excerpt};

/// More than any receiver takes (Gmail refuses far less), and small enough to hold.
pub const MAX_OCTETS: usize = 256 * 1024;
pub const MAX_FIELDS: usize = 1000;

#[derive(Clone, Debug)]
pub struct Header {
    /// The fields with their line ends, without the empty line.
    raw: Bytes,
    spans: Vec<Span>,
    /// Where the body starts in the content; its length where there is no empty line.
    body: usize,
    separated: bool,
}

/// Offsets in the header; 32 bits hold them, since the header is bounded.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    name_end: u32,
    value: u32,
    /// After the line end.
    end: u32,
}

impl Span {
    fn has_blank_before_colon(self) -> bool {
        self.name_end + 1 < self.value
    }
}

/// One field, borrowed from the header.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    /// As written, without blanks before the colon.
    pub name: &'a str,
    /// What stands after the colon, folding and all, without the last line end.
    pub value: &'a [u8],
    /// Obsolete, but found.
    pub has_blank_before_colon: bool,
    /// The whole field with its line end, as offsets in the content.
    pub range: Range<usize>,
}

impl Field<'_> {
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value in one line, without the blanks around it.
    pub fn text(&self) -> Cow<'_, [u8]> {
        let value = self.value.trim_ascii();
        match memchr::memchr2(b'\r', b'\n', value) {
            None => Cow::Borrowed(value),
            Some(_) => Cow::Owned(value.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')).collect()),
        }
    }
}

impl Header {
    /// Reads the header of a message.
    pub fn read(content: &Content) -> Result<Header, Fault> {
        let (raw, body, separated) = section(content)?;
        let spans = split(&raw)?;
        Ok(Header { raw, spans, body, separated })
    }

    pub fn fields(&self) -> impl DoubleEndedIterator<Item = Field<'_>> + ExactSizeIterator {
        self.spans.iter().map(|span| self.field(span))
    }

    /// The fields' names as written, in their order.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().map(|span| self.name(span))
    }

    /// The first field of this name.
    pub fn find(&self, name: &str) -> Option<Field<'_>> {
        self.all(name).next()
    }

    pub fn all(&self, name: &str) -> impl Iterator<Item = Field<'_>> {
        self.spans
            .iter()
            .filter(|span| self.name(span).eq_ignore_ascii_case(name.as_bytes()))
            .map(|span| self.field(span))
    }

    /// The fields with blanks before their colons.
    pub fn blank_before_colon(&self) -> impl Iterator<Item = Field<'_>> {
        self.spans.iter().filter(|span| span.has_blank_before_colon()).map(|span| self.field(span))
    }

    /// Where the body starts in the content.
    pub fn body_start(&self) -> usize {
        self.body
    }

    /// The fields as they stand, without the empty line.
    pub fn octets(&self) -> &Bytes {
        &self.raw
    }

    /// Whether an empty line stands between header and body.
    pub fn is_separated(&self) -> bool {
        self.separated
    }

    fn name(&self, span: &Span) -> &[u8] {
        &self.raw[span.start as usize..span.name_end as usize]
    }

    fn field(&self, span: &Span) -> Field<'_> {
        let value = &self.raw[span.value as usize..span.end as usize];
        Field {
            name: std::str::from_utf8(self.name(span))
                .expect("a field name is printable ASCII: `split` has seen to it"),
            value: value.strip_suffix(b"\r\n").unwrap_or(value),
            has_blank_before_colon: span.has_blank_before_colon(),
            range: span.start as usize..span.end as usize,
        }
    }
}

/// The header's octets, where the body starts, and whether there was an empty line.
fn section(content: &Content) -> Result<(Bytes, usize, bool), Fault> {
    let too_large = Fault::HeaderTooLarge { limit: MAX_OCTETS };
    let mut gathered: Vec<u8> = Vec::new();
    for (i, chunk) in content.chunks().iter().enumerate() {
        // The end may lie across the border of two chunks.
        let from = gathered.len().saturating_sub(3);
        let end = match i {
            0 => end_of_header(chunk),
            _ => {
                let room = MAX_OCTETS + 4 - gathered.len().min(MAX_OCTETS + 4);
                gathered.extend_from_slice(&chunk[..chunk.len().min(room)]);
                end_of_header_after(&gathered, from)
            }
        };
        match end {
            Some(end) if end > MAX_OCTETS => return Err(too_large),
            Some(end) if i == 0 => return Ok((chunk.slice(..end), end + 2, true)),
            Some(end) => {
                gathered.truncate(end);
                return Ok((gathered.into(), end + 2, true));
            }
            None if content.len() > MAX_OCTETS && gathered.len().max(chunk.len()) > MAX_OCTETS => {
                return Err(too_large);
            }
            None if i == 0 && content.chunks().len() == 1 => return Ok((chunk.clone(), chunk.len(), false)),
            None if i == 0 => gathered.extend_from_slice(chunk),
            None => {}
        }
    }
    let length = gathered.len();
    Ok((gathered.into(), length, false))
}

/// The length of the fields with their line ends, if an empty line follows them.
fn end_of_header(octets: &[u8]) -> Option<usize> {
    let octets = &octets[..octets.len().min(MAX_OCTETS + 4)];
    if octets.starts_with(b"\r\n") {
        return Some(0);
    }
    end_of_header_after(octets, 0)
}

fn end_of_header_after(octets: &[u8], from: usize) -> Option<usize> {
    if octets.starts_with(b"\r\n") {
        return Some(0);
    }
    memchr::memmem::find(&octets[from..], b"\r\n\r\n").map(|i| from + i + 2)
}

fn split(raw: &[u8]) -> Result<Vec<Span>, Fault> {
    let mut spans: Vec<Span> = Vec::with_capacity(16);
    let mut start = 0;
    let mut number = 0;
    while start < raw.len() {
        let end = memchr::memchr(b'\n', &raw[start..]).map_or(raw.len(), |i| start + i + 1);
        number += 1;
        let line = &raw[start..end];
        match (line[0], spans.last_mut()) {
            (b' ' | b'\t', Some(last)) => last.end = end as u32,
            _ => {
                let not_a_field = || Fault::NotAField { line: number, text: excerpt(line.trim_ascii()) };
                let (name_end, value) = name(line).ok_or_else(not_a_field)?;
                if spans.len() == MAX_FIELDS {
                    return Err(Fault::TooManyFields { limit: MAX_FIELDS });
                }
                let at = |offset: usize| (start + offset) as u32;
                spans.push(Span { start: at(0), name_end: at(name_end), value: at(value), end: end as u32 });
            }
        }
        start = end;
    }
    Ok(spans)
}

/// Where a field's name ends and its value starts (RFC 5322 §2.2, §4.5: blanks before the colon).
fn name(line: &[u8]) -> Option<(usize, usize)> {
    let colon = memchr::memchr(b':', line)?;
    let name = line[..colon].trim_ascii_end();
    let good = !name.is_empty() && name.iter().all(|b| (33..=126).contains(b));
    good.then_some((name.len(), colon + 1))
}

/// The name of a field that begins with this line; `None` where it begins none.
pub fn field_name(line: &[u8]) -> Option<&[u8]> {
    name(line).map(|(end, _)| &line[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expect: &[(&str, &str)]) {
        let header = Header::read(&Content::from(input.as_bytes().to_vec())).unwrap();
        let fields: Vec<_> =
            header.fields().map(|f| (f.name.to_owned(), String::from_utf8(f.text().into_owned()).unwrap())).collect();
        let expect: Vec<_> = expect.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        assert_eq!(fields, expect, "{input:?}");
    }

    #[test]
    fn fields_are_read_with_folding_and_obsolete_blanks() {
        check("From: a@b.c\r\nSubject: one\r\n two\r\n\r\nbody", &[("From", "a@b.c"), ("Subject", "one two")]);
        check("From : a@b.c\r\n\r\n", &[("From", "a@b.c")]);
        check("X:\r\n\r\n", &[("X", "")]);
        check("X: header only\r\n", &[("X", "header only")]);
        check("X: no line end", &[("X", "no line end")]);
        check("\r\nbody: not a field\r\n", &[]);
        check("", &[]);
    }

    #[test]
    fn the_body_starts_after_the_empty_line_however_the_chunks_are_cut() {
        let octets = b"From: a@b.c\r\nTo: d@e.f\r\n\r\nbody\r\n\r\nmore\r\n";
        for cut in 0..octets.len() {
            let mut content = Content::from(&octets[..cut]);
            content.push(&octets[cut..]);
            let header = Header::read(&content).unwrap();
            assert_eq!((header.fields().len(), header.body_start()), (2, 26), "cut at {cut}");
            assert_eq!(&header.octets()[..], &octets[..24]);
            assert_eq!(header.find("to").unwrap().range, 13..24);
        }
    }

    #[test]
    fn what_is_no_field_is_named_with_its_line() {
        for (input, line, text) in [
            ("From: a@b.c\r\nHello there\r\n\r\n", 2, "Hello there"),
            (" From: a@b.c\r\n\r\n", 1, "From: a@b.c"),
            ("From: a@b.c\r\nBad Name: x\r\n\r\n", 2, "Bad Name: x"),
            (": x\r\n\r\n", 1, ": x"),
            ("From someone Tue Nov 24 02:05:50 2026\r\n\r\n", 1, "From someone Tue Nov 24 02:05:50 2026"),
        ] {
            let fault = Header::read(&Content::from(input.as_bytes().to_vec())).unwrap_err();
            assert_eq!(fault, Fault::NotAField { line, text: text.to_owned() }, "{input:?}");
        }
    }

    #[test]
    fn the_bounds_hold_in_one_chunk_and_in_many() {
        let line = format!("X: {}\r\n", "x".repeat(900));
        let large = line.repeat(MAX_OCTETS / line.len() + 2) + "\r\nbody";
        let many = "X: y\r\n".repeat(MAX_FIELDS + 1) + "\r\nbody";
        for (input, fault) in
            [(large, Fault::HeaderTooLarge { limit: MAX_OCTETS }), (many, Fault::TooManyFields { limit: MAX_FIELDS })]
        {
            assert_eq!(Header::read(&Content::from(input.clone().into_bytes())).unwrap_err(), fault);
            let mut cut = Content::new();
            input.as_bytes().chunks(1000).for_each(|chunk| cut.push(chunk.to_vec()));
            assert_eq!(Header::read(&cut).unwrap_err(), fault);
        }
    }
}
