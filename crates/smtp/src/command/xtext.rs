//! xtext (RFC 3461 §4): how ENVID, ORCPT and AUTH= carry octets that a parameter may not hold.
//! Printable ASCII stands for itself except `+` and `=`; every other octet is `+` and two
//! upper-case hexadecimal digits.

use std::fmt;

/// Decodes xtext; `None` where it is not well formed, or is not UTF-8 after decoding, or
/// hides a control character that could break a line later.
pub fn decode(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(b) = rest.next() {
        match b {
            b'+' => {
                let (high, low) = (hex(rest.next()?)?, hex(rest.next()?)?);
                octets.push(high << 4 | low);
            }
            b'!'..=b'~' if b != b'=' => octets.push(b),
            _ => return None,
        }
    }
    let text = String::from_utf8(octets).ok()?;
    (!text.chars().any(char::is_control)).then_some(text)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        // Not in the grammar, but written by some and without ambiguity.
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Writes text as xtext.
pub struct Encode<'a>(pub &'a str);

impl fmt::Display for Encode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for b in self.0.bytes() {
            match b {
                b'!'..=b'~' if b != b'+' && b != b'=' => write!(f, "{}", char::from(b))?,
                _ => write!(f, "+{b:02X}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xtext_reads_back() {
        for text in ["QQ314159", "a+b=c d", "jürgen@example.org", ""] {
            assert_eq!(decode(&Encode(text).to_string()).as_deref(), Some(text));
        }
        assert_eq!(decode("rfc822+3Bx").as_deref(), Some("rfc822;x"));
    }

    #[test]
    fn what_is_no_xtext_is_refused() {
        for bad in ["a b", "+4", "+G0", "a=b", "+0D+0A", "+FF", "+00", "ü"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
