//! One pass over a message that decides whether anything in it needs making safe: octets
//! beyond ASCII, lines over 998 octets (RFC 5322 §2.1.1), NUL.
//!
//! Promise: a few tens of nanoseconds a KiB, so that the message that is already right, which
//! is nearly every message, pays nothing for the others. Line ends are CRLF (the door's promise).

use repute_types::Content;

/// The longest line without its CRLF (RFC 5322 §2.1.1, RFC 5321 §4.5.3.1.6).
pub const LINE: usize = 998;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Found {
    pub eight_bit: bool,
    pub long_line: bool,
    /// Where the first NUL stands.
    pub nul: Option<usize>,
}

impl Found {
    /// 7-bit, short lines, no NUL: safe as it is.
    pub fn is_safe(&self) -> bool {
        *self == Found::default()
    }
}

pub fn scan(content: &Content) -> Found {
    let mut found = Found::default();
    let mut lines = LineLengths::default();
    let mut at = 0;
    for chunk in content.chunks() {
        found.eight_bit |= !chunk.is_ascii();
        if found.nul.is_none() {
            found.nul = memchr::memchr(0, chunk).map(|i| at + i);
        }
        lines.feed(chunk);
        at += chunk.len();
    }
    found.long_line = lines.is_long();
    found
}

/// The same for octets in one piece.
pub fn scan_octets(octets: &[u8]) -> Found {
    let mut lines = LineLengths::default();
    lines.feed(octets);
    Found { eight_bit: !octets.is_ascii(), long_line: lines.is_long(), nul: memchr::memchr(0, octets) }
}

/// Looks for a line over the limit by jumping: where every stretch of 1000 octets holds a line
/// end, no line is over 998, and four short searches are enough for 4 KiB.
#[derive(Default)]
struct LineLengths {
    /// Octets since the last line feed, in the chunks before.
    open: usize,
    /// The last octet is a CR: what it belongs to is not seen yet.
    ends_in_cr: bool,
    long: bool,
}

impl LineLengths {
    fn feed(&mut self, chunk: &[u8]) {
        // A line's octets, its CR and its LF.
        const WINDOW: usize = LINE + 2;
        let mut rest = chunk;
        while !self.long && self.open + rest.len() > WINDOW {
            // `open` is at most a window: more without a line feed is long already.
            let window = &rest[..(WINDOW - self.open).min(rest.len())];
            match memchr::memrchr(b'\n', window) {
                Some(i) => {
                    self.open = 0;
                    rest = &rest[i + 1..];
                }
                None => self.long = true,
            }
        }
        match memchr::memrchr(b'\n', rest) {
            Some(i) => self.open = rest.len() - i - 1,
            None => self.open += rest.len(),
        }
        self.ends_in_cr = chunk.last().map_or(self.ends_in_cr, |last| *last == b'\r');
    }

    fn is_long(&self) -> bool {
        // What is left has no line feed: its limit is that of the octets alone, a CR aside.
        self.long || self.open > LINE + usize::from(self.ends_in_cr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the definition, one octet at a time.
    fn plainly(octets: &[u8]) -> bool {
        let text = String::from_utf8(octets.to_vec()).unwrap();
        // A CR at the end waits for its LF.
        let text = text.strip_suffix('\r').unwrap_or(&text);
        text.split("\r\n").any(|line| line.len() > LINE)
    }

    #[test]
    fn long_lines_are_found_at_the_limit_wherever_the_chunks_are_cut() {
        for length in [0, 1, 997, 998, 999, 1000, 1001, 2500] {
            for before in ["", "a\r\n", "abc\r\n\r\n"] {
                for after in ["", "\r", "\r\n", "\r\nrest\r\n"] {
                    let octets = format!("{before}{}{after}", "x".repeat(length)).into_bytes();
                    let expect = plainly(&octets);
                    assert_eq!(scan_octets(&octets).long_line, expect, "{length} {before:?} {after:?}");
                    for cut in [0, 1, 2, 500, 998, 999, 1000, 1001] {
                        let cut = cut.min(octets.len());
                        let mut content = Content::from(octets[..cut].to_vec());
                        content.push(octets[cut..].to_vec());
                        assert_eq!(scan(&content).long_line, expect, "{length} {before:?} {after:?} {cut}");
                    }
                }
            }
        }
    }

    #[test]
    fn eight_bit_and_nul_are_found_with_their_place() {
        assert!(scan(&Content::from(&b"plain\r\n"[..])).is_safe());
        assert!(scan(&Content::from("gr\u{fc}n".as_bytes().to_vec())).eight_bit);
        let mut content = Content::from(&b"abc"[..]);
        content.push(&b"d\0"[..]);
        assert_eq!(scan(&content).nul, Some(4));
    }
}
