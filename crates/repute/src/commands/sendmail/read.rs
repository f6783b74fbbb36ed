//! Standard input, as far as the message goes. What programs write becomes lines as mail has
//! them in `repute_message::sendmail`.

use std::io::BufRead;

use super::{Failed, code};

/// What a program may hand over at most; the server's own limit is said at MAIL.
const MOST: usize = 256 << 20;

/// Reads up to the end, or to a line with a dot alone: whoever types does not end his input.
pub fn message(mut input: impl BufRead, ignore_dots: bool) -> Result<Vec<u8>, Failed> {
    let mut message = Vec::new();
    loop {
        let start = message.len();
        let read = input.read_until(b'\n', &mut message);
        let read = read.map_err(|e| Failed::new(code::TEMPFAIL, format!("standard input cannot be read: {e}")))?;
        if read == 0 || !ignore_dots && matches!(&message[start..], b".\n" | b".\r\n") {
            return Ok(message);
        }
        if message.len() > MOST {
            return Err(Failed::new(code::DATAERR, "the message is larger than 256 MiB"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_ends_the_reading_where_it_is_heeded() {
        let check = |input: &str, ignore_dots, expect: &str| {
            assert_eq!(message(input.as_bytes(), ignore_dots).unwrap(), expect.as_bytes(), "{input:?}");
        };
        check("a\n.\nb\n", false, "a\n.\n");
        check("a\r\n.\r\nb\n", false, "a\r\n.\r\n");
        check("a\n.\nb\n", true, "a\n.\nb\n");
        check(".x\n", false, ".x\n");
    }
}
