//! A whole message as an application made it.

use bytes::{BufMut as _, Bytes, BytesMut};

/// The octets with CRLF line ends. `None` where a CR stands alone: nobody can say whether that
/// ends a line, and two servers that disagree see two messages.
pub(crate) fn with_crlf(octets: Bytes) -> Option<Bytes> {
    let mut bare_lf = 0;
    for (i, &octet) in octets.iter().enumerate() {
        match octet {
            b'\r' if octets.get(i + 1) != Some(&b'\n') => return None,
            b'\n' if i == 0 || octets[i - 1] != b'\r' => bare_lf += 1,
            _ => {}
        }
    }
    if bare_lf == 0 {
        return Some(octets);
    }
    let mut out = BytesMut::with_capacity(octets.len() + bare_lf);
    for (i, &octet) in octets.iter().enumerate() {
        if octet == b'\n' && (i == 0 || octets[i - 1] != b'\r') {
            out.put_u8(b'\r');
        }
        out.put_u8(octet);
    }
    Some(out.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_become_one_kind() {
        let check = |text: &'static str, expect: Option<&str>| {
            let made = with_crlf(Bytes::from_static(text.as_bytes()));
            assert_eq!(made.as_deref(), expect.map(str::as_bytes), "{text:?}");
        };
        check("a\r\nb\r\n", Some("a\r\nb\r\n"));
        check("a\nb\r\n\n", Some("a\r\nb\r\n\r\n"));
        check("\n", Some("\r\n"));
        check("a\rb", None);
        check("a\r", None);
        check("", Some(""));
    }
}
