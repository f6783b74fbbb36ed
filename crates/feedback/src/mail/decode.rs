//! Transfer encodings undone (RFC 2045 §6.7, §6.8) and charsets made UTF-8, forgivingly: what
//! is no code stands for itself or is left out, and nothing fails.

use encoding_rs::{Encoding, GBK, ISO_2022_JP, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE};

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

/// Text of a charset. What is UTF-8 is read as such whatever it is called: servers put their own words into parts that
/// are labelled as the message of the sender was. What has no known name is told by its octets; its ASCII, in which
/// notices speak, is kept in any case.
pub(crate) fn text_of(octets: &[u8], charset: Option<&str>) -> String {
    if charset.is_some_and(|name| name.to_ascii_lowercase().ends_with("utf-7")) {
        return utf_7(octets);
    }
    let known = charset.and_then(|name| Encoding::for_label(name.trim().as_bytes()));
    // What no browser reads any more (ISO-2022-KR) would be thrown away whole.
    let known = known.filter(|encoding| *encoding != UTF_8 && *encoding != REPLACEMENT);
    let is_wide = known.is_some_and(|encoding| encoding == UTF_16LE || encoding == UTF_16BE);
    let escapes = memchr::memmem::find(octets, b"\x1b$").is_some();
    if !is_wide
        && !escapes
        && let Ok(text) = std::str::from_utf8(octets)
    {
        return text.to_owned();
    }
    let encoding = if escapes && !is_wide { ISO_2022_JP } else { known.unwrap_or_else(|| likely(octets)) };
    encoding.decode_without_bom_handling(octets).0.into_owned()
}

/// RFC 2152, in which Exchange wrote its notices for twenty years: `Empf+AOQ-nger`.
fn utf_7(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    let (mut out, mut rest) = (String::with_capacity(text.len()), text.as_ref());
    while let Some((before, after)) = rest.split_once('+') {
        out.push_str(before);
        let length = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '/' || c == '+')).unwrap_or(after.len());
        let (shifted, behind) = after.split_at(length);
        rest = behind.strip_prefix('-').unwrap_or(behind);
        if shifted.is_empty() {
            out.push('+');
            continue;
        }
        let letters = base64(shifted.as_bytes(), shifted.len());
        let (pairs, _) = letters.as_chunks::<2>();
        let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
        out.extend(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
    }
    out.push_str(rest);
    out
}

/// The charset of octets that do not say one: what is legacy and unmarked comes from East Asia, nearly all of it.
fn likely(octets: &[u8]) -> &'static Encoding {
    // GB 2312 writes its letters as pairs, the first of them of rows 16 to 87 for nearly all that is text.
    let (mut pairs, mut others, mut at) = (0, 0, 0);
    while at < octets.len() {
        match octets[at..] {
            [0xa1..=0xf7, 0xa1..=0xfe, ..] => (pairs, at) = (pairs + 1, at + 2),
            [0x80..=0xff, ..] => (others, at) = (others + 1, at + 1),
            _ => at += 1,
        }
    }
    if pairs >= 4 && others == 0 { GBK } else { UTF_8 }
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
        assert_eq!(text_of(b"a\xffb", Some("no-such")), "a\u{fffd}b");
        assert_eq!(text_of(b"\x1b$BEE;R\x1b(B: ok", Some("ISO-2022-JP")), "電子: ok");
        assert_eq!(text_of(b"\x1b$BEE;R\x1b(B", None), "電子");
        assert_eq!(text_of("電子".as_bytes(), Some("ISO-2022-JP")), "電子", "a label that is wrong");
        assert_eq!(text_of(b"\xd3\xca\xbc\xfe\xb4\xab\xb5\xdd", None), "邮件传递");
        assert_eq!(text_of(b"\xd0\xd1\xd4", Some("koi8-r")), "пят");
        assert_eq!(text_of(b"a\x00b\x00", Some("utf-16le")), "ab");
        assert_eq!(text_of(b"Empf+AOQ-nger 1 +- 1+", Some("unicode-1-1-utf-7")), "Empfänger 1 + 1+");
    }
}
