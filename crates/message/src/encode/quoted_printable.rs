//! Quoted-printable (RFC 2045 §6.7), fed piece by piece; line ends of the input are CRLF.
//!
//! Promise: lines of at most 76 octets, 7-bit, no blank before a line end, and decoded it is
//! what was fed.

use std::io::Write;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Text as it is meant.
    Plain,
    /// Quoted-printable already, with octets or line lengths that it may not have.
    Encoded,
}

pub struct QuotedPrintable {
    pub(super) out: Vec<u8>,
    input: Input,
    column: usize,
    /// A blank whose form depends on whether a line end follows.
    blank: Option<u8>,
    cr: bool,
    /// Octets that belong to an escape that was there already and must not be parted.
    escaped: u8,
}

/// Octets in a line before the `=` of a soft line break.
const WIDTH: usize = 75;

impl QuotedPrintable {
    pub fn new(input: Input) -> QuotedPrintable {
        QuotedPrintable { out: Vec::new(), input, column: 0, blank: None, cr: false, escaped: 0 }
    }

    pub fn feed(&mut self, octets: &[u8]) {
        for &b in octets {
            self.octet(b);
        }
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.settle_cr();
        if let Some(blank) = self.blank.take() {
            self.escape(blank);
        }
        self.out
    }

    fn octet(&mut self, b: u8) {
        if self.cr {
            if b == b'\n' {
                self.cr = false;
                self.line_end();
                return;
            }
            self.settle_cr();
        }
        if b == b'\r' {
            self.cr = true;
            return;
        }
        if let Some(blank) = self.blank.take() {
            self.literal(blank, 1);
        }
        match b {
            b' ' | b'\t' => self.blank = Some(b),
            b'=' if self.input == Input::Encoded => {
                self.literal(b'=', 3);
                self.escaped = 2;
            }
            33..=126 if b != b'=' => self.literal(b, 1),
            _ => self.escape(b),
        }
    }

    fn line_end(&mut self) {
        match self.blank.take() {
            // A blank after a soft line break's `=` means nothing (RFC 2045 §6.7, rule 3).
            Some(_) if self.input == Input::Encoded && self.out.ends_with(b"=") => {}
            Some(blank) => self.escape(blank),
            None => {}
        }
        self.out.extend_from_slice(b"\r\n");
        self.column = 0;
        self.escaped = 0;
    }

    /// A CR that ended no line.
    fn settle_cr(&mut self) {
        if std::mem::take(&mut self.cr) {
            if let Some(blank) = self.blank.take() {
                self.literal(blank, 1);
            }
            self.escape(b'\r');
        }
    }

    fn escape(&mut self, b: u8) {
        self.room(3);
        write!(self.out, "={b:02X}").expect("a vector takes all that is written");
        self.column += 3;
    }

    /// `needs` is how many octets must stay in one line with this one and those after it.
    fn literal(&mut self, b: u8, needs: usize) {
        match self.escaped {
            0 => self.room(needs),
            _ => self.escaped -= 1,
        }
        self.out.push(b);
        self.column += 1;
    }

    fn room(&mut self, octets: usize) {
        if self.column + octets > WIDTH {
            self.out.extend_from_slice(b"=\r\n");
            self.column = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(input: Input, octets: &[u8], size: usize) -> String {
        let mut encoder = QuotedPrintable::new(input);
        octets.chunks(size).for_each(|piece| encoder.feed(piece));
        String::from_utf8(encoder.finish()).unwrap()
    }

    /// RFC 2045 §6.7, read backwards.
    fn decode(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        for line in text.replace("=\r\n", "").split_inclusive("\r\n") {
            let mut rest = line.as_bytes();
            while let [first, more @ ..] = rest {
                rest = match (first, more) {
                    (b'=', [a, b, more @ ..]) => {
                        let digits = [*a, *b];
                        out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                        more
                    }
                    _ => {
                        out.push(*first);
                        more
                    }
                };
            }
        }
        out
    }

    #[test]
    fn text_is_encoded_where_it_must_be() {
        let check = |input: &str, expect: &str| assert_eq!(encode(Input::Plain, input.as_bytes(), 100), expect);
        check("plain text\r\n", "plain text\r\n");
        check("a=b \r\n", "a=3Db=20\r\n");
        check("gr\u{fc}n\t\r\n", "gr=C3=BCn=09\r\n");
        check("end ", "end=20");
        check("bare\rcr", "bare=0Dcr");
    }

    #[test]
    fn what_is_encoded_already_keeps_its_escapes() {
        let check = |input: &str, expect: &str| assert_eq!(encode(Input::Encoded, input.as_bytes(), 100), expect);
        check("a=3Db =C3=BC \u{fc}\r\n", "a=3Db =C3=BC =C3=BC\r\n");
        check("soft=\r\nbreak= \r\nagain\r\n", "soft=\r\nbreak=\r\nagain\r\n");
        let long = "=C3=BC".repeat(200);
        let out = encode(Input::Encoded, long.as_bytes(), 100);
        assert!(out.lines().all(|line| line.len() <= 76));
        assert_eq!(decode(&out), "\u{fc}".repeat(200).as_bytes());
    }

    proptest::proptest! {
        #[test]
        fn decoded_it_is_what_was_fed(text in "([ \t]|\r\n|[ -~]{0,90}|é|\r)*", size in 1usize..200) {
            let out = encode(Input::Plain, text.as_bytes(), size);
            proptest::prop_assert!(out.is_ascii());
            proptest::prop_assert!(out.split("\r\n").all(|line| line.len() <= 76 && !line.ends_with([' ', '\t'])));
            proptest::prop_assert_eq!(decode(&out), text.into_bytes());
        }
    }
}
