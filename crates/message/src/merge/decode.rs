//! What stands in a letter as people read it: encoded words (RFC 2047) and transfer encodings
//! (RFC 2045 §6) of UTF-8, ASCII and, in words, Latin-1 undone, so that merge fields can be found in it.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Whether text in it is taken as it is.
pub(super) fn is_unicode(charset: &str) -> bool {
    ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known))
}

/// An unstructured value in one line. Encoded words of another charset stay as they are.
pub fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut after_word = false;
    while let Some(start) = rest.find("=?") {
        let (before, from) = rest.split_at(start);
        let Some((decoded, more)) = word(from) else {
            out.push_str(before);
            out.push_str("=?");
            (rest, after_word) = (&from[2..], false);
            continue;
        };
        // Blanks between two encoded words mean nothing.
        if !(after_word && before.chars().all(|c| c == ' ' || c == '\t')) {
            out.push_str(before);
        }
        out.push_str(&decoded);
        (rest, after_word) = (more, true);
    }
    out + rest
}

/// Octets of what is encoded in one word, at most: RFC 2047 §2 allows 75, and some write more. Without a bound, a long text
/// of beginnings would be read to its end for each of them.
const WORD: usize = 1000;

/// The encoded word that the text begins with, and what follows it.
fn word(text: &str) -> Option<(String, &str)> {
    let mut parts = text.strip_prefix("=?")?.splitn(3, '?');
    let (charset, kind, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let end = rest.as_bytes().windows(2).take(WORD).position(|two| two == b"?=")?;
    let (inside, more) = (&rest[..end], &rest[end + 2..]);
    let charset = charset.split('*').next()?;
    let is_latin = ["iso-8859-1", "latin1"].iter().any(|known| charset.eq_ignore_ascii_case(known));
    if !is_latin && !is_unicode(charset) {
        return None;
    }
    let octets = match kind {
        "q" | "Q" => quoted(&inside.replace('_', " ")),
        "b" | "B" => LENIENT.decode(inside).ok()?,
        _ => return None,
    };
    let text = if is_latin { octets.into_iter().map(char::from).collect() } else { String::from_utf8(octets).ok()? };
    Some((text, more))
}

/// Quoted-printable; what is no escape stays.
pub(super) fn quoted(text: &str) -> Vec<u8> {
    let octets = text.as_bytes();
    let mut out = Vec::with_capacity(octets.len());
    let mut at = 0;
    while at < octets.len() {
        match octets[at..] {
            [b'=', b'\r', b'\n', ..] => at += 3,
            [b'=', b'\n', ..] => at += 2,
            [b'=', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |b: u8| (b as char).to_digit(16).unwrap_or(0) as u8;
                out.push(digit(high) << 4 | digit(low));
                at += 3;
            }
            [octet, ..] => {
                out.push(octet);
                at += 1;
            }
            [] => break,
        }
    }
    out
}

/// Base64 in lines; what is no letter of it is passed over.
pub(super) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let letters: Vec<u8> =
        text.iter().copied().filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=')).collect();
    LENIENT.decode(letters).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_are_read_as_people_do() {
        assert_eq!(words("=?utf-8?q?Gr=C3=BC=C3=9Fe?= an {{ name }}"), "Grüße an {{ name }}");
        assert_eq!(words("=?UTF-8?B?SGFsbG8g?=\t=?utf-8?Q?=7B=7B_name_=7D=7D?= !"), "Hallo {{ name }} !");
        assert_eq!(words("=?koi8-r?q?x?= =? a"), "=?koi8-r?q?x?= =? a");
        assert_eq!(words("=?ISO-8859-1?Q?Gr=FC=DFe?="), "Grüße");
        let long = format!("=?utf-8?q?{}?=", "x".repeat(WORD));
        assert_eq!(words(&long), long);
        assert_eq!(words(&long.replacen('x', "", 1)), "x".repeat(WORD - 1));
        assert_eq!(quoted("a=3D=\r\nb=zz"), b"a=b=zz");
        assert_eq!(base64(b"SGFs\r\nbG8=\r\n").unwrap(), b"Hallo");
    }
}
