//! A list that is one JSON array of objects, made JSON lines as it comes: octet by octet, so that places stay what they
//! were, and nothing of it is kept.
//!
//! Promise: whatever does not begin with `[` stays as it is. What is between the brackets is not judged here: each line is
//! read as any line of JSON lines is. An array without its last bracket is a list that was cut off, and is told as that.

use std::io::{self, Read};

/// How far an array was read.
#[derive(Clone, Debug, Default)]
pub struct Array {
    /// Not known before the first octet that is no blank.
    is_one: Option<bool>,
    /// Of brackets within it.
    depth: u32,
    is_text: bool,
    is_escaped: bool,
    is_closed: bool,
}

/// What is said of a list whose array has no end.
pub const CUT_OFF: &str =
    "the list ends before its array does: part of it is missing, or a quote or bracket in it is not closed";

impl Array {
    /// Whether all that comes stays as it is.
    pub fn is_none(&self) -> bool {
        self.is_one == Some(false)
    }

    /// Whether it began as an array.
    pub fn has_begun(&self) -> bool {
        self.is_one == Some(true)
    }

    /// Whether nothing may come behind it.
    pub fn may_end(&self) -> bool {
        self.is_closed || !self.has_begun()
    }

    /// The octet as JSON lines have it: the array's own brackets are blanks, its commas line ends, and its line ends blanks.
    pub fn line(&mut self, octet: u8) -> u8 {
        if self.is_one.is_none() {
            // With a mark of UTF-8 before it, which is passed over.
            if octet.is_ascii_whitespace() || matches!(octet, 0xef | 0xbb | 0xbf) {
                return octet;
            }
            self.is_one = Some(octet == b'[');
            return if octet == b'[' { b' ' } else { octet };
        }
        match octet {
            _ if self.is_none() => return octet,
            b'\r' | b'\n' => return b' ',
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.is_text => self.is_escaped = true,
            b'"' => self.is_text = !self.is_text,
            _ if self.is_text => {}
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' if self.depth > 0 => self.depth -= 1,
            b']' => {
                self.is_closed = true;
                return b' ';
            }
            b',' if self.depth == 0 => return b'\n',
            _ => {}
        }
        octet
    }
}

/// A file of JSON lines, or of an array.
pub struct Flat<R> {
    inner: R,
    array: Array,
}

impl<R: Read> Flat<R> {
    pub fn of(inner: R) -> Flat<R> {
        Flat { inner, array: Array::default() }
    }
}

impl<R: Read> Read for Flat<R> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(octets)?;
        if read == 0 && !octets.is_empty() && !self.array.may_end() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, CUT_OFF));
        }
        if !self.array.is_none() {
            octets[..read].iter_mut().for_each(|octet| *octet = self.array.line(*octet));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, expect: &[&str]) {
        let mut text = String::new();
        Flat::of(list.as_bytes()).read_to_string(&mut text).unwrap();
        assert_eq!(text.len(), list.len(), "places stay what they were");
        let lines: Vec<&str> = text.split('\n').map(|line| line.trim_matches([' ', '\u{feff}'])).collect();
        assert_eq!(lines, expect, "{list}");
    }

    #[test]
    fn an_array_is_a_line_an_object() {
        check(
            r#"[{"a":1},{"b":"x, ]\"}\\"},{"c":[1,{"d":2}]}]"#,
            &[r#"{"a":1}"#, r#"{"b":"x, ]\"}\\"}"#, r#"{"c":[1,{"d":2}]}"#],
        );
        check("\u{feff}\n[\n  {\n\"a\": 1\n},\r\n{}\n]\n", &["", "{ \"a\": 1 }", "{}"]);
        check("[]", &[""]);
        // Broken ones end nothing but themselves.
        check("[{\"a\":1},]]}", &["{\"a\":1}", "}"]);
    }

    /// What had come of a list that was cut off between two rows was taken for all of it.
    #[test]
    fn an_array_without_its_end_is_not_whole() {
        for list in ["[", "[{\"a\":1}", "[{\"a\":1},", "[{\"a\":\"]\"}", "[{\"a\":[1]"] {
            let told = Flat::of(list.as_bytes()).read_to_string(&mut String::new()).unwrap_err();
            assert_eq!(told.to_string(), CUT_OFF, "{list}");
        }
    }

    #[test]
    fn what_is_no_array_stays_as_it_is() {
        check("{\"a\":[1,2]}\n{\"b\":1}", &["{\"a\":[1,2]}", "{\"b\":1}"]);
        check("email,name\na,b", &["email,name", "a,b"]);
    }
}
