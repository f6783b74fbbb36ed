//! The MIME tree of a message as a list of parts with their ranges (RFC 2045, RFC 2046).
//!
//! Promise: one pass over the lines; nested multiparts and messages to a depth of 32, 10,000
//! parts; what is deeper is taken as octets, more parts are refused.

use std::ops::Range;

use repute_types::Content;

use super::lines::{self, Line};
use super::parameters;
use crate::fault::Fault;
use crate::header::{self, Header};
use crate::scan::Found;

const DEPTH: usize = 32;
const PARTS: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `text/*`, or nothing said.
    Text,
    Other,
    Multipart,
    /// A message inside, which is the next part.
    Message,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// 7bit, 8bit, binary, or nothing said.
    Identity,
    QuotedPrintable,
    Base64,
    Unknown,
}

#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub kind: Kind,
    pub encoding: Encoding,
    /// The fields with their line ends.
    pub header: Range<usize>,
    /// The field Content-Transfer-Encoding, where there is one.
    pub encoding_field: Option<Range<usize>>,
    /// It says 8bit or binary.
    pub says_eight_bit: bool,
    pub has_type: bool,
    /// Of a leaf: without the line end that belongs to the boundary after it.
    pub body: Range<usize>,
    /// What stands in the leaf's body.
    pub body_found: Found,
    /// What stands in the header; the message's own header is not looked at here.
    pub header_found: Found,
    /// Before the first boundary and after the last: text that nobody reads.
    pub between: Vec<(Range<usize>, Found)>,
    /// Within a multipart/signed: no octet may change.
    pub frozen: bool,
    /// The message itself, whose header is made safe elsewhere.
    pub top: bool,
}

impl Part {
    pub fn found(&self) -> Found {
        let mut all = self.body_found;
        let between = self.between.iter().map(|(_, found)| found);
        for found in between.chain([&self.header_found]) {
            all.eight_bit |= found.eight_bit;
            all.long_line |= found.long_line;
        }
        all
    }
}

pub(crate) fn walk(content: &Content, header: &Header) -> Result<Vec<Part>, Fault> {
    let mut walk = Walk { parts: Vec::new(), open: Vec::new(), place: Place::Header(Vec::new()), frozen_from: None };
    walk.begin(0, true)?;
    walk.header_ends(header.octets(), header.octets().len(), header.body_start())?;
    lines::each(content, header.body_start(), |line| walk.line(&line))?;
    // Where a boundary was never closed, its line end may be missing too.
    let line_end = if ends_a_line(content) { 2 } else { 0 };
    walk.close_leaf(content.len(), line_end);
    Ok(walk.parts)
}

fn ends_a_line(content: &Content) -> bool {
    let mut last = content.chunks().iter().rev().flat_map(|chunk| chunk.iter().rev());
    (last.next(), last.next()) == (Some(&b'\n'), Some(&b'\r'))
}

struct Walk {
    parts: Vec<Part>,
    open: Vec<Open>,
    place: Place,
    /// The depth of the multipart/signed within which the walk is.
    frozen_from: Option<usize>,
}

/// A multipart whose last boundary has not come.
struct Open {
    part: usize,
    boundary: Vec<u8>,
}

enum Place {
    /// In a part's header, with its octets so far.
    Header(Vec<u8>),
    Body,
    /// Before the first or after the last boundary of this multipart.
    Between(usize),
}

impl Walk {
    fn begin(&mut self, start: usize, top: bool) -> Result<(), Fault> {
        if self.parts.len() == PARTS {
            return Err(Fault::TooManyParts { limit: PARTS });
        }
        self.parts.push(Part {
            kind: Kind::Text,
            encoding: Encoding::Identity,
            header: start..start,
            encoding_field: None,
            says_eight_bit: false,
            has_type: false,
            body: start..start,
            body_found: Found::default(),
            header_found: Found::default(),
            between: Vec::new(),
            frozen: self.frozen_from.is_some(),
            top,
        });
        self.place = Place::Header(Vec::new());
        Ok(())
    }

    fn line(&mut self, line: &Line<'_>) -> Result<(), Fault> {
        if line.text.starts_with(b"--")
            && let Some((depth, last)) = self.boundary(line.text)
        {
            return self.at_boundary(line, depth, last);
        }
        match &mut self.place {
            Place::Header(octets) if line.text.is_empty() => {
                let octets = std::mem::take(octets);
                self.header_ends(&octets, line.start, line.end)
            }
            Place::Header(octets) => {
                octets.extend_from_slice(line.text);
                octets.extend_from_slice(b"\r\n");
                // A line that was not kept whole would put the fields after it at wrong places.
                let cut = line.text.len() + 2 < line.end - line.start;
                if cut || octets.len() > header::MAX_OCTETS {
                    return Err(Fault::HeaderTooLarge { limit: header::MAX_OCTETS });
                }
                let part = self.parts.last_mut().expect("a header belongs to a part that was begun");
                note(&mut part.header_found, line);
                part.header.end = line.end;
                part.body = line.end..line.end;
                Ok(())
            }
            Place::Body => {
                let part = self.parts.last_mut().expect("a body belongs to a part that was begun");
                note(&mut part.body_found, line);
                Ok(())
            }
            Place::Between(part) => {
                let between = &mut self.parts[*part].between;
                if let Some((range, found)) = between.last_mut() {
                    range.end = line.end;
                    note(found, line);
                }
                Ok(())
            }
        }
    }

    /// Which open multipart this line delimits, and whether it is its last boundary.
    fn boundary(&self, text: &[u8]) -> Option<(usize, bool)> {
        let text = text[2..].trim_ascii_end();
        self.open.iter().enumerate().rev().find_map(|(depth, open)| match text.strip_prefix(&open.boundary[..]) {
            Some(b"") => Some((depth, false)),
            Some(b"--") => Some((depth, true)),
            _ => None,
        })
    }

    fn at_boundary(&mut self, line: &Line<'_>, depth: usize, last: bool) -> Result<(), Fault> {
        self.close_leaf(line.start, 2);
        self.open.truncate(depth + 1);
        if self.frozen_from.is_some_and(|from| depth < from) {
            self.frozen_from = None;
        }
        if !last {
            return self.begin(line.end, false);
        }
        let part = self.open[depth].part;
        self.open.truncate(depth);
        if self.frozen_from.is_some_and(|from| depth <= from) {
            self.frozen_from = None;
        }
        self.parts[part].between.push((line.end..line.end, Found::default()));
        self.place = Place::Between(part);
        Ok(())
    }

    /// What was open ends at `end`, less the line end that belongs to the boundary.
    /// Within a multipart the line end before `end`, of so many octets, belongs to the boundary after it.
    fn close_leaf(&mut self, end: usize, line_end: usize) {
        let at_boundary = !self.open.is_empty();
        if let (Place::Body, Some(part)) = (&self.place, self.parts.last_mut()) {
            let end = if at_boundary { end.saturating_sub(line_end) } else { end };
            part.body.end = end.max(part.body.start);
        }
        if let Place::Between(part) = self.place
            && let Some((range, _)) = self.parts[part].between.last_mut()
        {
            // The line end before a boundary is the boundary's.
            range.end = range.end.saturating_sub(line_end).max(range.start);
        }
        self.place = Place::Body;
    }

    fn header_ends(&mut self, octets: &[u8], end: usize, body: usize) -> Result<(), Fault> {
        let index = self.parts.len() - 1;
        let depth = self.open.len();
        let part = &mut self.parts[index];
        part.header.end = end;
        part.body = body..body;
        self.place = Place::Body;
        let Ok(header) = Header::read(&Content::from(octets.to_vec())) else {
            // Not a header that anyone can read: its part is octets.
            part.kind = Kind::Other;
            return Ok(());
        };
        if let Some(field) = header.find("Content-Transfer-Encoding") {
            part.encoding = encoding(&field.text());
            part.says_eight_bit = part.encoding == Encoding::Identity && !field.text().eq_ignore_ascii_case(b"7bit");
            part.encoding_field = Some(part.header.start + field.range.start..part.header.start + field.range.end);
        }
        let Some(field) = header.find("Content-Type") else { return Ok(()) };
        part.has_type = true;
        let text = field.text();
        let (media, parameters) = parameters::parse(&text);
        let media = media.to_ascii_lowercase();
        let boundary = parameters.iter().find(|p| p.name.eq_ignore_ascii_case(b"boundary")).map(|p| p.value.clone());
        let boundary = boundary.filter(|b| !b.is_empty() && depth < DEPTH);
        part.kind = match (&media[..], boundary) {
            (media, Some(boundary)) if media.starts_with(b"multipart/") => {
                part.between.push((body..body, Found::default()));
                self.place = Place::Between(index);
                self.open.push(Open { part: index, boundary });
                if media == b"multipart/signed" {
                    self.frozen_from.get_or_insert(depth);
                }
                Kind::Multipart
            }
            (b"message/rfc822" | b"message/global", _) if part.encoding == Encoding::Identity => {
                part.kind = Kind::Message;
                return self.begin(body, false);
            }
            (media, _) if media.starts_with(b"multipart/") => Kind::Multipart,
            (media, _) if media.starts_with(b"text/") => Kind::Text,
            _ => Kind::Other,
        };
        Ok(())
    }
}

fn note(found: &mut Found, line: &Line<'_>) {
    found.eight_bit |= line.eight_bit;
    found.long_line |= line.long;
}

fn encoding(text: &[u8]) -> Encoding {
    // A comment may follow.
    let word = text.split(|b| matches!(b, b' ' | b'\t' | b'(' | b';')).next().unwrap_or_default();
    match &word.to_ascii_lowercase()[..] {
        b"" | b"7bit" | b"8bit" | b"binary" => Encoding::Identity,
        b"quoted-printable" => Encoding::QuotedPrintable,
        b"base64" => Encoding::Base64,
        _ => Encoding::Unknown,
    }
}
