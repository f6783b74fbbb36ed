//! Encoded words in a field (RFC 2047), decoded forgivingly.

use super::decode::{base64, decoded as undo, text_of};

/// A longer value is left as it is: nothing that is looked for in a field is so long.
const LIMIT: usize = 8 * 1024;

/// The value with its encoded words decoded; what is none stays as it is.
pub(crate) fn decoded(value: &str) -> String {
    if value.len() > LIMIT {
        return value.to_owned();
    }
    let (mut out, mut rest, mut after_word) = (String::new(), value, false);
    while let Some(start) = rest.find("=?") {
        let Some((text, length)) = word(&rest[start..]) else {
            out.push_str(&rest[..start + 2]);
            (rest, after_word) = (&rest[start + 2..], false);
            continue;
        };
        // Blanks between two encoded words are not shown (RFC 2047 §6.2).
        if !(after_word && rest[..start].trim().is_empty()) {
            out.push_str(&rest[..start]);
        }
        out.push_str(&text);
        (rest, after_word) = (&rest[start + length..], true);
    }
    out.push_str(rest);
    out
}

/// `=?charset?B?text?=`: what it says, and how long it is.
fn word(text: &str) -> Option<(String, usize)> {
    let inside = text.strip_prefix("=?")?;
    let (charset, rest) = inside.split_once('?').filter(|(charset, _)| charset.len() <= 40)?;
    let (encoding, rest) = rest.split_once('?').filter(|(encoding, _)| encoding.len() == 1)?;
    let (content, _) = rest.split_once("?=")?;
    let octets = match encoding {
        "B" | "b" => base64(content.as_bytes(), LIMIT),
        "Q" | "q" => undo(content.replace('_', " ").as_bytes(), Some("quoted-printable"), LIMIT),
        _ => return None,
    };
    let charset = charset.split('*').next();
    let length = 2 + charset.map_or(0, |_| inside.len() - rest.len()) + content.len() + 2;
    Some((text_of(&octets, charset), length))
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn encoded_words_are_decoded_and_joined() {
        for (value, expected) in [
            ("=?utf-8?B?SGVsbG8=?= =?utf-8?q?_w=C3=B6rld?=", "Hello wörld"),
            ("Re: =?iso-8859-1?Q?caf=E9?= x", "Re: café x"),
            ("=?broken?= a =?utf-8?X?a?=", "=?broken?= a =?utf-8?X?a?="),
            ("plain", "plain"),
        ] {
            assert_eq!(decoded(value), expected, "{value}");
        }
    }
}
