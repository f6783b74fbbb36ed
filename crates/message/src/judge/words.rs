//! Encoded words (RFC 2047) as they stand in a field, opened.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// One encoded word.
pub(super) struct Word {
    /// `b` or `q`.
    pub method: u8,
    pub octets: Vec<u8>,
}

impl Word {
    /// Whether plain text would have done: printable ASCII alone.
    pub fn is_needless(&self) -> bool {
        self.octets.iter().all(|b| (32..127).contains(b))
    }
}

/// Words looked at in one field; a field of more is refused for its size.
const WORDS_MOST: usize = 500;

/// The encoded words of a value; what only looks like one is passed over.
pub(super) fn encoded(value: &[u8]) -> Vec<Word> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(start) = memchr::memmem::find(&value[at..], b"=?") {
        at += start + 2;
        if words.len() == WORDS_MOST {
            break;
        }
        let rest = &value[at..];
        let mut parts = rest.splitn(3, |b| *b == b'?');
        let (Some(charset), Some(method), Some(text)) = (parts.next(), parts.next(), parts.next()) else { break };
        let Some(end) = memchr::memmem::find(text, b"?=") else { continue };
        let is_charset = !charset.is_empty() && charset.iter().all(|b| b.is_ascii_graphic());
        if !is_charset || method.len() != 1 {
            continue;
        }
        let octets = match method[0].to_ascii_lowercase() {
            b'b' => STANDARD.decode(&text[..end]).ok(),
            b'q' => Some(quoted(&text[..end])),
            _ => None,
        };
        if let Some(octets) = octets {
            words.push(Word { method: method[0].to_ascii_lowercase(), octets });
            at += charset.len() + method.len() + 2 + end + 2;
        }
    }
    words
}

fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let hex = (text[at] == b'=').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()) {
            Some(octet) => {
                out.push(octet);
                at += 3;
            }
            None => {
                out.push(if text[at] == b'_' { b' ' } else { text[at] });
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_opened_and_needless_ones_told() {
        let check = |value: &str, expect: &[(&str, bool)]| {
            let found = encoded(value.as_bytes());
            let found: Vec<(String, bool)> =
                found.iter().map(|w| (String::from_utf8_lossy(&w.octets).into_owned(), w.is_needless())).collect();
            let expect: Vec<(String, bool)> = expect.iter().map(|(t, n)| ((*t).to_owned(), *n)).collect();
            assert_eq!(found, expect, "{value}");
        };
        check("=?utf-8?q?J=C3=BCrgen_M?=", &[("Jürgen M", false)]);
        check("=?utf-8?B?SGVsbG8=?= =?us-ascii?Q?there?=", &[("Hello", true), ("there", true)]);
        check("a =?= b =?x?y?z and =? and ?=", &[]);
        check("=?utf-8?b?***?= =?utf-8?q?ok?=", &[("ok", true)]);
    }

    proptest::proptest! {
        #[test]
        fn no_octets_make_it_fall_over(text in "[=?bq_A-C0-9 ]{0,60}") {
            let _ = encoded(text.as_bytes());
        }
    }
}
