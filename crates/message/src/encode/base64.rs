//! Base64 in lines of 76 (RFC 2045 §6.8), fed piece by piece.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What fills a line of 76.
const LINE: usize = 57;

#[derive(Default)]
pub struct Base64Lines {
    pub(super) out: Vec<u8>,
    pending: Vec<u8>,
}

impl Base64Lines {
    pub fn feed(&mut self, mut octets: &[u8]) {
        if !self.pending.is_empty() {
            let (head, rest) = octets.split_at(octets.len().min(LINE - self.pending.len()));
            self.pending.extend_from_slice(head);
            octets = rest;
            if self.pending.len() < LINE {
                return;
            }
            let line = std::mem::take(&mut self.pending);
            self.line(&line);
        }
        let lines = octets.chunks_exact(LINE);
        self.pending.extend_from_slice(lines.remainder());
        lines.for_each(|line| self.line(line));
    }

    /// Ends with a line end, unless nothing was fed.
    pub fn finish(mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.pending);
        if !rest.is_empty() {
            self.line(&rest);
        }
        self.out
    }

    fn line(&mut self, octets: &[u8]) {
        let mut line = [0u8; 76];
        let length = STANDARD.encode_slice(octets, &mut line).expect("57 octets become 76 characters at most");
        self.out.extend_from_slice(&line[..length]);
        self.out.extend_from_slice(b"\r\n");
    }
}

/// Puts base64 text that stands in lines of any length into lines of 76; what is no base64
/// character is left out, as decoders leave it out (RFC 2045 §6.8).
#[derive(Default)]
pub struct Rewrap {
    pub(super) out: Vec<u8>,
    column: usize,
}

impl Rewrap {
    pub fn feed(&mut self, octets: &[u8]) {
        for &b in octets.iter().filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=')) {
            if self.column == 76 {
                self.out.extend_from_slice(b"\r\n");
                self.column = 0;
            }
            self.out.push(b);
            self.column += 1;
        }
    }

    pub fn finish(mut self) -> Vec<u8> {
        if self.column > 0 {
            self.out.extend_from_slice(b"\r\n");
        }
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn pieces_do_not_matter_and_nothing_is_lost(octets: Vec<u8>, size in 1usize..200) {
            let mut encoder = Base64Lines::default();
            octets.chunks(size).for_each(|piece| encoder.feed(piece));
            let text = String::from_utf8(encoder.finish()).unwrap();
            proptest::prop_assert!(text.lines().all(|line| line.len() <= 76));
            let joined: String = text.split("\r\n").collect();
            proptest::prop_assert_eq!(STANDARD.decode(&joined).unwrap(), octets);
            let mut rewrap = Rewrap::default();
            joined.as_bytes().chunks(size).for_each(|piece| rewrap.feed(piece));
            proptest::prop_assert_eq!(String::from_utf8(rewrap.finish()).unwrap(), text);
        }
    }
}
