//! Dot-stuffing (RFC 5321 §4.5.2) without copying: the content as a run of slices, with a dot
//! put between them where a line begins with one, and the end-of-data line behind.
//!
//! Where no line begins with a dot, the slices are the content's own chunks.

use bytes::Bytes;
use memchr::memmem::Finder;
use repute_types::Content;

/// The octets that follow the 354, in order.
pub struct Stuffed<'a> {
    chunks: std::slice::Iter<'a, Bytes>,
    rest: &'a [u8],
    dot_line: Finder<'static>,
    at_line_start: bool,
    /// The dot before `rest` was given out.
    doubled: bool,
    ended: bool,
}

impl<'a> Stuffed<'a> {
    pub fn new(content: &'a Content) -> Stuffed<'a> {
        Stuffed {
            chunks: content.chunks().iter(),
            rest: &[],
            dot_line: Finder::new(b"\n."),
            at_line_start: true,
            doubled: false,
            ended: false,
        }
    }

    fn end(&mut self) -> Option<&'a [u8]> {
        if self.ended {
            return None;
        }
        self.ended = true;
        Some(if self.at_line_start { b".\r\n" } else { b"\r\n.\r\n" })
    }
}

impl<'a> Iterator for Stuffed<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            match self.chunks.next() {
                Some(chunk) => self.rest = chunk,
                None => return self.end(),
            }
        }
        if self.at_line_start && !self.doubled && self.rest.first() == Some(&b'.') {
            self.doubled = true;
            return Some(b".");
        }
        self.doubled = false;
        let end = self.dot_line.find(self.rest).map_or(self.rest.len(), |at| at + 1);
        let (piece, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.at_line_start = piece.last() == Some(&b'\n');
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(chunks: &[&str], expected: &str) {
        let mut content = Content::new();
        for chunk in chunks {
            content.push(chunk.as_bytes().to_vec());
        }
        let got = Stuffed::new(&content).collect::<Vec<_>>().concat();
        assert_eq!(String::from_utf8(got).unwrap(), expected, "{chunks:?}");
    }

    #[test]
    fn dots_at_line_starts_are_doubled() {
        check(&["a\r\nb\r\n"], "a\r\nb\r\n.\r\n");
        check(&[".a\r\n..\r\nb.c\r\n"], "..a\r\n...\r\nb.c\r\n.\r\n");
        check(&["a\r\n", ".b\r\n"], "a\r\n..b\r\n.\r\n");
        check(&["a\r", "\n", ".", "\r\n"], "a\r\n..\r\n.\r\n");
        check(&["a", ".b\r\n"], "a.b\r\n.\r\n");
        check(&["\r\n.\r\n.\r\n"], "\r\n..\r\n..\r\n.\r\n");
    }

    #[test]
    fn a_last_line_without_its_end_gets_one() {
        check(&["a"], "a\r\n.\r\n");
        check(&[], ".\r\n");
    }

    #[test]
    fn without_dots_the_slices_are_the_chunks() {
        let mut content = Content::from(&b"From: a@b.invalid\r\n\r\n"[..]);
        content.push(&b"text. more\r\n"[..]);
        assert_eq!(Stuffed::new(&content).count(), 3);
    }

    proptest::proptest! {
        /// However the content is cut into chunks, taking the doubled dots away gives it back.
        #[test]
        fn any_content_comes_back(
            lines in "([.a]{0,3}\r\n){0,8}",
            cuts in proptest::collection::vec(1usize..6, 0..20),
        ) {
            let mut content = Content::new();
            let mut rest = lines.as_bytes();
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                content.push(piece.to_vec());
                rest = after;
            }
            content.push(rest.to_vec());
            let sent = String::from_utf8(Stuffed::new(&content).collect::<Vec<_>>().concat()).unwrap();
            let body = sent.strip_suffix(".\r\n").unwrap();
            let back: String = body.split_inclusive("\r\n").map(|l| l.strip_prefix('.').unwrap_or(l)).collect();
            proptest::prop_assert!(body.split_inclusive("\r\n").all(|line| line != ".\r\n"));
            proptest::prop_assert_eq!(back, lines);
        }
    }
}
