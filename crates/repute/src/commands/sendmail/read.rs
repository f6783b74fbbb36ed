//! A message as programs write it, to lines as mail has them.

use std::io::BufRead;

use super::{Failed, code};

/// What a program may hand over at most; the server's own limit is said at MAIL.
const MOST: usize = 256 << 20;

/// Reads up to the end, or to a line with a dot alone. Lines end in CRLF afterwards, whatever
/// they ended in; an mbox line `From ` at the top is dropped.
pub fn message(mut input: impl BufRead, ignore_dots: bool) -> Result<Vec<u8>, Failed> {
    let mut message = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.read_until(b'\n', &mut line);
        if read.map_err(|e| Failed::new(code::TEMPFAIL, format!("standard input cannot be read: {e}")))? == 0 {
            return Ok(message);
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text == b"." && !ignore_dots {
            return Ok(message);
        }
        if message.is_empty() && text.starts_with(b"From ") {
            continue;
        }
        push_line(&mut message, text);
        if message.len() > MOST {
            return Err(Failed::new(code::DATAERR, "the message is larger than 256 MiB"));
        }
    }
}

/// A carriage return within a line is a line end of old; mail knows no other reading of it.
fn push_line(message: &mut Vec<u8>, text: &[u8]) {
    for piece in text.split(|b| *b == b'\r') {
        message.extend_from_slice(piece);
        message.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, ignore_dots: bool, expect: &str) {
        let read = message(input.as_bytes(), ignore_dots).unwrap();
        assert_eq!(String::from_utf8(read).unwrap(), expect);
    }

    #[test]
    fn lines_become_lines() {
        check("a\nb\r\nc", true, "a\r\nb\r\nc\r\n");
        check("a\n.\nb\n", true, "a\r\n.\r\nb\r\n");
        check("a\n.\nb\n", false, "a\r\n");
        check("From root Mon\nTo: x\n\nFrom here\n", true, "To: x\r\n\r\nFrom here\r\n");
        check("a\rb\n", true, "a\r\nb\r\n");
        check("", true, "");
    }
}
