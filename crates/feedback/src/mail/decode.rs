//! Transfer encodings undone (RFC 2045 §6.7, §6.8) and charsets made UTF-8, forgivingly: what
//! is no code stands for itself or is left out, and nothing fails.

/// The octets behind a transfer encoding; at most `limit` of them.
pub(crate) fn decoded(body: &[u8], encoding: Option<&str>, limit: usize) -> Vec<u8> {
    match encoding.map(|e| e.trim().to_ascii_lowercase()).as_deref() {
        Some("base64") => base64(body, limit),
        Some("quoted-printable") => quoted_printable(body, limit),
        _ => body[..body.len().min(limit)].to_vec(),
    }
}

/// Base64 in lines of any length; what is no digit of it is left out, padding ends nothing.
pub(crate) fn base64(text: &[u8], limit: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity((text.len() / 4 * 3).min(limit));
    let (mut bits, mut have) = (0u32, 0u8);
    for octet in text {
        let digit = match octet {
            b'A'..=b'Z' => octet - b'A',
            b'a'..=b'z' => octet - b'a' + 26,
            b'0'..=b'9' => octet - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                (bits, have) = (0, 0);
                continue;
            }
            _ => continue,
        };
        bits = bits << 6 | u32::from(digit);
        have += 6;
        if have >= 8 {
            have -= 8;
            if out.len() == limit {
                break;
            }
            out.push((bits >> have) as u8);
            bits &= (1 << have) - 1;
        }
    }
    out
}

fn quoted_printable(text: &[u8], limit: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len().min(limit));
    for line in text.split_inclusive(|b| *b == b'\n') {
        if out.len() >= limit {
            break;
        }
        let end = line.iter().rposition(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n')).map_or(0, |n| n + 1);
        let (inside, is_soft) = match line[..end].strip_suffix(b"=") {
            Some(inside) if end < line.len() => (inside, true),
            _ => (&line[..end], false),
        };
        let mut rest = inside;
        while let Some((first, after)) = rest.split_first() {
            let pair = (*first == b'=').then(|| after.get(..2)).flatten().and_then(hex);
            out.push(pair.unwrap_or(*first));
            rest = if pair.is_some() { &after[2..] } else { after };
        }
        if !is_soft && line.ends_with(b"\n") {
            out.extend_from_slice(if line.ends_with(b"\r\n") { b"\r\n" } else { b"\n" });
        }
    }
    out.truncate(limit);
    out
}

fn hex(pair: &[u8]) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8)
}

/// Text of a charset. Letters of charsets that are not known here become replacement
/// characters; their ASCII, in which notices speak, is kept.
pub(crate) fn text_of(octets: &[u8], charset: Option<&str>) -> String {
    let charset = charset.unwrap_or("utf-8").to_ascii_lowercase();
    match charset.as_str() {
        "iso-8859-1" | "iso-8859-15" | "latin1" | "windows-1252" => octets.iter().map(|b| char::from(*b)).collect(),
        "utf-16" | "utf-16le" | "utf-16be" => {
            let from = if charset.ends_with("be") { u16::from_be_bytes } else { u16::from_le_bytes };
            let (pairs, _) = octets.as_chunks::<2>();
            char::decode_utf16(pairs.iter().map(|pair| from(*pair))).map(|c| c.unwrap_or('\u{fffd}')).collect()
        }
        _ => String::from_utf8_lossy(octets).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_forgives() {
        for (text, expected) in
            [("aGVs\r\nbG8=", "hello"), ("aGVsbG8", "hello"), ("a G!V s=", "hel"), ("aGk=aGk=", "hihi"), ("", "")]
        {
            assert_eq!(base64(text.as_bytes(), 100), expected.as_bytes(), "{text}");
        }
        assert_eq!(base64(b"aGVsbG8=", 2), b"he");
    }

    #[test]
    fn quoted_printable_forgives() {
        for (text, expected) in
            [("a=20b=\r\nc", "a bc"), ("=e2=9C=93\r\n", "✓\r\n"), ("50% =X1 =", "50% =X1 ="), ("end  \n", "end\n")]
        {
            assert_eq!(String::from_utf8(quoted_printable(text.as_bytes(), 100)).unwrap(), expected, "{text}");
        }
        assert_eq!(quoted_printable(b"abcdef", 3), b"abc");
    }

    #[test]
    fn charsets_become_utf_8() {
        assert_eq!(text_of(b"caf\xe9", Some("ISO-8859-1")), "café");
        assert_eq!(text_of("café".as_bytes(), None), "café");
        assert_eq!(text_of(b"a\xffb", Some("us-ascii")), "a\u{fffd}b");
    }
}
