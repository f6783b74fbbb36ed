//! The relaxed header canonicalisation (RFC 6376 §3.4.2).

/// Appends `name:value`: name in lower case, unfolded, blanks as one, none at the ends, no line end.
pub(super) fn field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend(name.trim_ascii_end().iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let start = out.len();
    let mut blank = false;
    for &b in value {
        match b {
            b' ' | b'\t' => blank = true,
            b'\r' | b'\n' => {}
            _ => {
                if blank && out.len() > start {
                    out.push(b' ');
                }
                blank = false;
                out.push(b);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn fields_are_canonicalised_as_the_rfc_says() {
        let check = |name: &str, value: &str, expect: &str| {
            let mut out = Vec::new();
            super::field(name.as_bytes(), value.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expect);
        };
        check("A", " X", "a:X");
        check("B ", " Y\t\r\n\tZ  ", "b:Y Z");
        check("Subject", "", "subject:");
        check("Subject", "\r\n folded\r\n  twice\r\n", "subject:folded twice");
    }
}
