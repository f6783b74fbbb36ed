//! A message of a stranger, taken apart: header fields and the leaves of its MIME tree
//! (RFC 5322, RFC 2045, RFC 2046), as broken as they come.
//!
//! Promise: never fails, whatever the octets are; what cannot be understood is text. Time and
//! memory are linear in the content: nesting, parts, fields and decoded octets are bounded, and
//! what is beyond a bound is not looked at.

mod decode;
mod header;
mod html;
mod mbox;
mod words;

pub(crate) use decode::{base64, text_of};
pub(crate) use header::{Header, split};
pub(crate) use html::to_text;
pub(crate) use mbox::messages;

/// Multiparts within multiparts; a notice has two.
const DEPTH: usize = 8;
/// Leaves looked at; a notice has three.
const LEAVES: usize = 64;
/// Decoded text of one leaf: more than any notice says, and enough for headers of an original.
pub(crate) const TEXT_OCTETS: usize = 512 * 1024;

/// A message and its leaves, in order.
pub(crate) struct Mail<'a> {
    pub header: Header<'a>,
    pub leaves: Vec<Leaf<'a>>,
    /// `multipart/report`'s parameter report-type, lower case, whatever level it stands on.
    pub report_type: Option<String>,
}

/// A part that has no parts. What is inside a `message/rfc822` is not taken apart.
pub(crate) struct Leaf<'a> {
    pub header: Header<'a>,
    /// `text/plain`, lower case; `text/plain` where nothing is said (RFC 2045 §5.2).
    pub kind: String,
    pub body: &'a [u8],
}

impl<'a> Mail<'a> {
    pub fn read(content: &'a [u8]) -> Mail<'a> {
        let (header, body) = split(without_blank_lines(content));
        let mut mail = Mail { header: header.clone(), leaves: Vec::new(), report_type: None };
        mail.take_apart(header, body, 0);
        mail
    }

    /// The first leaf of one of these kinds.
    pub fn leaf(&self, kinds: &[&str]) -> Option<&Leaf<'a>> {
        self.leaves.iter().find(|leaf| kinds.contains(&leaf.kind.as_str()))
    }

    fn take_apart(&mut self, header: Header<'a>, body: &'a [u8], depth: usize) {
        let content_type = header.first("content-type").map(|value| ContentType::parse(&value)).unwrap_or_default();
        if content_type.kind.starts_with("multipart/") && depth < DEPTH {
            if self.report_type.is_none() {
                self.report_type = content_type.parameter("report-type").map(str::to_ascii_lowercase);
            }
            let parts = content_type.parameter("boundary").map(|b| parts(body, b)).unwrap_or_default();
            if !parts.is_empty() {
                for part in parts {
                    let (header, body) = split(part);
                    self.take_apart(header, body, depth + 1);
                }
                return;
            }
        }
        if self.leaves.len() < LEAVES {
            let is_leaf = !content_type.kind.is_empty() && !content_type.kind.starts_with("multipart/");
            let kind = if is_leaf { content_type.kind } else { "text/plain".to_owned() };
            self.leaves.push(Leaf { header, kind, body });
        }
    }
}

/// The content from its first line that says anything: programs that keep mail put blanks before it.
fn without_blank_lines(content: &[u8]) -> &[u8] {
    let first = content.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or_default();
    let line = content[..first].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
    &content[line..]
}

impl Leaf<'_> {
    /// The content, its transfer encoding undone; at most `limit` octets of it.
    pub fn octets(&self, limit: usize) -> Vec<u8> {
        decode::decoded(self.body, self.header.first("content-transfer-encoding").as_deref(), limit)
    }

    /// The content as text, lines ended by `\n`; markup taken out of HTML.
    pub fn text(&self) -> String {
        let content_type = self.header.first("content-type").map(|value| ContentType::parse(&value));
        let charset = content_type.as_ref().and_then(|c| c.parameter("charset"));
        let text = text_of(&self.octets(TEXT_OCTETS), charset).replace("\r\n", "\n");
        if self.kind == "text/html" { to_text(&text) } else { text }
    }

    /// A file's name, lower case, from either field that may say one.
    pub fn file_name(&self) -> Option<String> {
        let of = |field: &str, parameter: &str| {
            let parsed = ContentType::parse(&self.header.first(field)?);
            parsed.parameter(parameter).map(str::to_ascii_lowercase)
        };
        of("content-disposition", "filename").or_else(|| of("content-type", "name"))
    }

    pub fn is_text(&self) -> bool {
        self.kind.starts_with("text/") && self.kind != "text/rfc822-headers"
    }

    /// Whether this is the returned message or its header (RFC 3462, RFC 6522).
    pub fn is_message(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "message/rfc822"
                | "text/rfc822-headers"
                | "message/rfc822-headers"
                | "message/global"
                | "message/global-headers"
                | "message/partial"
        )
    }
}

/// The value of Content-Type or Content-Disposition.
#[derive(Default)]
pub(crate) struct ContentType {
    /// Lower case.
    pub kind: String,
    parameters: Vec<(String, String)>,
}

impl ContentType {
    pub fn parse(value: &str) -> ContentType {
        let mut pieces = unquoted_pieces(value).into_iter();
        let kind = pieces.next().unwrap_or_default().trim().to_ascii_lowercase();
        let parameters = pieces.filter_map(|piece| {
            let (name, value) = piece.split_once('=')?;
            let value = value.trim();
            let value = match value.strip_prefix('"') {
                Some(quoted) => unescaped(quoted),
                None => value.split([' ', '\t']).next().unwrap_or_default().to_owned(),
            };
            Some((name.trim().to_ascii_lowercase(), value))
        });
        ContentType { kind, parameters: parameters.take(32).collect() }
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Cut at semicolons that stand in no quotes.
fn unquoted_pieces(value: &str) -> Vec<&str> {
    let (mut pieces, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (place, c) in value.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' if !quoted => {
                pieces.push(&value[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    pieces.push(&value[start..]);
    pieces
}

fn unescaped(quoted: &str) -> String {
    let mut out = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

/// The parts between the delimiter lines (RFC 2046 §5.1.1); none where there is no such line.
/// What follows the last delimiter is no part.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let boundary = boundary.trim_end();
    if boundary.is_empty() || boundary.len() > 200 {
        return Vec::new();
    }
    let delimiter = format!("--{boundary}");
    let finder = memchr::memmem::Finder::new(&delimiter);
    let (mut parts, mut start) = (Vec::new(), None);
    let mut from = 0;
    while let Some(place) = finder.find(&body[from..]).map(|n| from + n) {
        let after = place + delimiter.len();
        from = after;
        if place > 0 && body[place - 1] != b'\n' {
            continue;
        }
        let line_end = memchr::memchr(b'\n', &body[after..]).map_or(body.len(), |n| after + n + 1);
        let rest = body[after..line_end].trim_ascii();
        if !rest.is_empty() && rest != b"--" {
            continue;
        }
        if let Some(start) = start.take() {
            parts.push(without_line_end(&body[start..place]));
        }
        if rest == b"--" || parts.len() >= LEAVES {
            return parts;
        }
        start = Some(line_end);
        from = line_end;
    }
    // Cut off before its last delimiter.
    parts.extend(start.map(|start| &body[start..]));
    parts
}

/// The line end before a delimiter belongs to the delimiter.
fn without_line_end(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(content: &str) -> Vec<(String, String)> {
        let mail = Mail::read(content.as_bytes());
        mail.leaves.iter().map(|leaf| (leaf.kind.clone(), leaf.text())).collect()
    }

    #[test]
    fn leaves_are_found_in_order_and_decoded() {
        let content = "Content-Type: multipart/mixed; boundary=\"a b\"\n\npreamble\n--a b\n\nplain\n--a b\n\
            Content-Type: multipart/alternative; boundary=c\n\n--c\nContent-Type: text/html\n\n<p>x&amp;y</p>\n\
            --c\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n--c--\n--a b\nContent-Type: MESSAGE/rfc822\n\nA: b\n\n--a b--\nepilogue";
        let expected =
            [("text/plain", "plain"), ("text/html", "x&y"), ("text/plain", "hello"), ("message/rfc822", "A: b\n")];
        let found = kinds(content);
        let found: Vec<(&str, &str)> = found.iter().map(|(k, t)| (k.as_str(), t.trim_matches(' '))).collect();
        assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), expected.map(|e| e.0));
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found.1.trim(), expected.1.trim());
        }
    }

    #[test]
    fn a_boundary_that_never_comes_leaves_text() {
        assert_eq!(kinds("Content-Type: multipart/mixed; boundary=zz\n\nbody"), [("text/plain".into(), "body".into())]);
        assert_eq!(kinds("Content-Type: multipart/mixed\n\nbody"), [("text/plain".into(), "body".into())]);
    }

    #[test]
    fn nesting_ends_at_its_bound() {
        let mut content = String::from("Content-Type: multipart/mixed; boundary=b0\n\n");
        for n in 0..1000 {
            content += &format!("--b{n}\nContent-Type: multipart/mixed; boundary=b{}\n\n", n + 1);
        }
        assert_eq!(kinds(&content).len(), 1);
    }
}
