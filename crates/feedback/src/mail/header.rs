//! A header section as it comes (RFC 5322 §2.2): line ends of either kind, a line of mbox
//! before it, lines that are no fields.
//!
//! Bounds: [`OCTETS`] of header, [`FIELDS`] fields; what is beyond is not looked at.

use super::decode::text_of;
use super::words;

const OCTETS: usize = 128 * 1024;
const FIELDS: usize = 500;

#[derive(Clone, Debug, Default)]
pub(crate) struct Header<'a> {
    fields: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Header<'a> {
    /// Names as written, values unfolded and decoded.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, String)> + '_ {
        self.fields.iter().map(|(name, value)| (*name, unfolded(value)))
    }

    /// The first field of this name, unfolded, as it was written otherwise.
    pub fn first(&self, name: &str) -> Option<String> {
        self.all(name).next()
    }

    pub fn all<'h>(&'h self, name: &'h str) -> impl Iterator<Item = String> + 'h {
        self.fields.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| unfolded(value))
    }

    /// The first field of this name with its encoded words (RFC 2047) decoded.
    pub fn decoded(&self, name: &str) -> Option<String> {
        self.first(name).map(|value| words::decoded(&value))
    }

    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
    }
}

/// The header and the body of a message or part. What does not begin with a field has no header.
pub(crate) fn split(content: &[u8]) -> (Header<'_>, &[u8]) {
    let mut header = Header::default();
    let mut lines = Lines { octets: content, at: 0 };
    let mut field: Option<(&str, usize, usize)> = None;
    let mut body = content.len();
    while let Some((start, line)) = lines.next() {
        let text = line.trim_ascii_end();
        if text.is_empty() {
            // A part may begin with its empty line; empty lines before a message's header are noise.
            if start == 0 && !begins_with_field(&content[lines.at..]) || field.is_some() {
                body = lines.at;
                break;
            }
            if field.is_none() && start > 8 {
                body = start;
                break;
            }
            continue;
        }
        if start > OCTETS {
            body = start;
            break;
        }
        if line[0] == b' ' || line[0] == b'\t' {
            if let Some((_, _, end)) = &mut field {
                *end = start + line.len();
                continue;
            }
        } else if let Some((name, value)) = field_start(line) {
            if let Some((name, from, to)) = field.replace((name, start + value, start + line.len())) {
                header.fields.push((name, &content[from..to]));
            }
            if header.fields.len() == FIELDS {
                field = None;
                body = start;
                break;
            }
            continue;
        } else if is_mbox_line(line) || (field.is_some() && begins_with_field(&content[lines.at..])) {
            continue;
        }
        body = start;
        break;
    }
    if let Some((name, from, to)) = field {
        header.fields.push((name, &content[from..to]));
    }
    (header, &content[body..])
}

struct Lines<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Lines<'a> {
    /// Where the line begins, and the line with its end.
    type Item = (usize, &'a [u8]);

    fn next(&mut self) -> Option<(usize, &'a [u8])> {
        let start = self.at;
        if start >= self.octets.len() {
            return None;
        }
        self.at = memchr::memchr(b'\n', &self.octets[start..]).map_or(self.octets.len(), |n| start + n + 1);
        Some((start, &self.octets[start..self.at]))
    }
}

/// The name, and where the value starts in the line.
pub(crate) fn field_start(line: &[u8]) -> Option<(&str, usize)> {
    let colon = memchr::memchr(b':', &line[..line.len().min(100)])?;
    let name = line[..colon].trim_ascii_end();
    let good = !name.is_empty() && name.iter().all(|b| (33..=126).contains(b));
    let name = std::str::from_utf8(name).ok().filter(|_| good)?;
    Some((name, colon + 1))
}

fn begins_with_field(octets: &[u8]) -> bool {
    let line = &octets[..memchr::memchr(b'\n', octets).unwrap_or(octets.len())];
    field_start(line).is_some() && !line.starts_with(b" ")
}

/// `From someone Thu Apr 29 …`, perhaps quoted.
fn is_mbox_line(line: &[u8]) -> bool {
    line.starts_with(b"From ") || line.starts_with(b">From ")
}

fn unfolded(value: &[u8]) -> String {
    let text = text_of(value, None);
    if !text.contains('\n') {
        return text.trim().to_owned();
    }
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content: &str, fields: &[(&str, &str)], body: &str) {
        let (header, rest) = split(content.as_bytes());
        let found: Vec<_> = header.fields().collect();
        let expected: Vec<_> = fields.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
        assert_eq!((found, std::str::from_utf8(rest).unwrap()), (expected, body), "{content:?}");
    }

    #[test]
    fn fields_are_read_however_they_end() {
        check("A: b\r\nC:\td\r\n e\r\n\r\nbody\r\n", &[("A", "b"), ("C", "d e")], "body\r\n");
        check("A: b\nC: d\n\nbody", &[("A", "b"), ("C", "d")], "body");
        check("From x@y Thu Apr 29\nA: b\n\nbody", &[("A", "b")], "body");
        check("A: b", &[("A", "b")], "");
        check("", &[], "");
    }

    #[test]
    fn what_is_no_field_ends_the_header_unless_one_follows() {
        check("A: b\nno field\nC: d\n\nbody", &[("A", "b"), ("C", "d")], "body");
        check("A: b\nno field\nnor this\n", &[("A", "b")], "no field\nnor this\n");
        check("no header here\n\nbody", &[], "no header here\n\nbody");
        check("\nno header here", &[], "no header here");
        check("\nA: b\n\nbody", &[("A", "b")], "body");
    }

    #[test]
    fn the_bounds_hold() {
        let many = "A: b\n".repeat(10_000);
        assert_eq!(split(many.as_bytes()).0.fields().count(), FIELDS);
        let long = format!("A: b\n {}", " x\n".repeat(OCTETS));
        assert!(split(long.as_bytes()).0.first("a").unwrap().len() < OCTETS);
    }
}
