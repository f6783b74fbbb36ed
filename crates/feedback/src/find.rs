//! Things that stand somewhere in a text: addresses, status codes, reply codes, replies.

use repute_types::EnhancedCode;

/// The first mail address, without what is around it.
pub(crate) fn address(text: &str) -> Option<String> {
    addresses(text).next()
}

/// All mail addresses, in order. An address is what stands around an `@`; nothing is checked
/// but its letters.
pub(crate) fn addresses(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(at) = text[from..].find('@').map(|n| from + n) {
            let start = at - local_length(&text[from..at]);
            let end = at + 1 + domain_length(&text[at + 1..]);
            from = end;
            if start < at && end > at + 1 {
                return Some(text[start..end].to_owned());
            }
        }
        None
    })
}

/// How many octets at the end of the text are a local part.
fn local_length(before: &str) -> usize {
    let before = &before[before.floor_char_boundary(before.len().saturating_sub(200))..];
    if let Some(inside) = before.strip_suffix('"') {
        return inside.rfind('"').map_or(0, |n| before.len() - n);
    }
    let is_local = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let Some((start, _)) = before.char_indices().rev().take_while(|(_, c)| is_local(*c)).last() else { return 0 };
    // A quote or mark before it is none of the address, nor what kind it is: `SMTP=u@example.com`.
    let local = before[start..].trim_start_matches(['\'', '`', '.', '*', '=', '?']);
    ["SMTP=", "smtp=", "rfc822="].iter().find_map(|kind| local.strip_prefix(kind)).unwrap_or(local).len()
}

fn domain_length(after: &str) -> usize {
    if after.starts_with('[') {
        return after.find(']').filter(|n| *n < 64).map_or(0, |n| n + 1);
    }
    let is_domain = |c: char| c.is_alphanumeric() || c == '-' || c == '.' || c == '_';
    let length = after.find(|c| !is_domain(c)).unwrap_or(after.len()).min(255);
    let length = after.floor_char_boundary(length);
    after[..length].trim_end_matches(['.', '-']).len()
}

/// The first status code (RFC 3463) that stands alone or in brackets, with or without `#`:
/// no piece of an IP address or version.
pub(crate) fn status(text: &str) -> Option<EnhancedCode> {
    statuses(text).next()
}

pub(crate) fn statuses(text: &str) -> impl Iterator<Item = EnhancedCode> + '_ {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')));
    words.filter_map(|word| {
        // `550-5.7.1`
        let word = word.rsplit_once('-').filter(|(before, _)| before.len() == 3).map_or(word, |(_, after)| after);
        EnhancedCode::parse_prefix(word.trim_end_matches('.'))
    })
}

/// A service that gave up quotes the last reply that it got: `554 4.4.7 Message expired<421 4.4.2 timed out>`.
pub(crate) fn quoted_reply(diagnostic: &str) -> Option<(u16, EnhancedCode)> {
    let inner = diagnostic.rsplit_once('<')?.1.split_once('>')?.0;
    let (code, words) = inner.split_once(' ')?;
    let is_code = code.len() == 3 && code.starts_with(['4', '5']) && code.bytes().all(|b| b.is_ascii_digit());
    let found = status(words.split(' ').next()?)?;
    let is_plain = (found.1, found.2) != (0, 0);
    let is_one = is_code && is_plain && code.starts_with(char::from(b'0' + found.0));
    is_one.then(|| Some((code.parse().ok()?, found)))?
}

/// The code of the first line that is a reply of a class, as a transcript has them: `550 5.1.2 <u@example.com>... no`, `<<< 421`.
pub(crate) fn code_of_a_line(text: &str, class: u8) -> Option<u16> {
    let codes = text.lines().filter_map(|line| {
        let line = line.trim_start();
        let (code, place) = reply_code(line.strip_prefix("<<< ").unwrap_or(line))?;
        (place == 0).then_some(code)
    });
    codes.take(100).find(|code| *code >= 400 && code / 100 == u16::from(class))
}

/// A code of three digits that begins a reply in the text, and where it stands.
pub(crate) fn reply_code(text: &str) -> Option<(u16, usize)> {
    reply_codes(text).next()
}

/// All of them.
pub(crate) fn reply_codes(text: &str) -> impl Iterator<Item = (u16, usize)> + '_ {
    let bytes = text.as_bytes();
    (0..bytes.len().saturating_sub(2)).filter_map(|place| {
        let code = &bytes[place..place + 3];
        let good =
            matches!(code[0], b'2' | b'4' | b'5') && (b'0'..=b'7').contains(&code[1]) && code[2].is_ascii_digit();
        let before = place.checked_sub(1).map(|n| bytes[n]);
        let free = before.is_none_or(|b| {
            !(b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'@' | b'=' | b'/' | b'+' | b':' | b'$'))
        });
        let ends = matches!(
            bytes.get(place + 3),
            None | Some(b' ' | b'-' | b';' | b':' | b'\t' | b'\n' | b',' | b')' | b']' | b'\r' | b'_')
        );
        (good && free && ends).then(|| {
            (u16::from(code[0] - b'0') * 100 + u16::from(code[1] - b'0') * 10 + u16::from(code[2] - b'0'), place)
        })
    })
}

/// The words of a text, without the code and status that begin each further line of a reply: `550-5.1.1 No such 550
/// 5.1.1 user`.
pub(crate) fn in_one_line(text: &str, code: u16) -> String {
    let code = code.to_string();
    let mut words = Vec::new();
    let (mut seen, mut is_after_code) = (false, false);
    for word in text.split_whitespace() {
        let (begins, inner) = match word.strip_prefix(code.as_str()) {
            Some("") => (true, ""),
            Some(rest) if rest.starts_with('-') => (true, &rest[1..]),
            _ => (false, word),
        };
        let is_again = begins && seen;
        let is_status = |word: &str| word.len() < 10 && status(word).is_some();
        if (is_again && (inner.is_empty() || is_status(inner))) || (is_after_code && !begins && is_status(word)) {
            is_after_code = is_again && inner.is_empty();
            continue;
        }
        words.push(if is_again { inner } else { word });
        seen |= begins;
        is_after_code = false;
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_sentences() {
        for (text, expected) in [
            ("<u@example.com>:", vec!["u@example.com"]),
            ("To: a.b+c@x.example., 'd@y.example'", vec!["a.b+c@x.example", "d@y.example"]),
            ("rfc822;\"u v\"@example.com (x)", vec!["\"u v\"@example.com"]),
            ("u@[192.0.2.1] said", vec!["u@[192.0.2.1]"]),
            ("no @ here @example.com u@", vec![]),
            ("mailto:u@example.com", vec!["u@example.com"]),
            ("süß@bücher.example", vec!["süß@bücher.example"]),
        ] {
            assert_eq!(addresses(text).collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn codes_are_found_where_they_stand_alone() {
        for (text, expected) in [
            ("550 5.1.1 no", Some(EnhancedCode(5, 1, 1))),
            ("(#5.1.1)", Some(EnhancedCode(5, 1, 1))),
            ("550-5.7.26 x", Some(EnhancedCode(5, 7, 26))),
            ("from 5.1.1.9, mx-5.1.2.example", None),
            ("4.4.0 (other)", Some(EnhancedCode(4, 4, 0))),
            ("5.1.1.", Some(EnhancedCode(5, 1, 1))),
        ] {
            assert_eq!(status(text), expected, "{text}");
        }
        for (text, expected) in [
            ("smtp; 550 5.1.1 no", Some((550, 6))),
            ("said: 421-busy", Some((421, 6))),
            ("192.0.2.250 ", None),
            ("in 2550 days", None),
            ("port:550", None),
            ("552", Some((552, 0))),
        ] {
            assert_eq!(reply_code(text), expected, "{text}");
        }
    }

    #[test]
    fn the_reply_is_found_that_a_transcript_or_a_last_word_quotes() {
        let quoted = "554 4.4.7 Message expired: unable to deliver.<421 4.4.2 Connection timed out>";
        assert_eq!(quoted_reply(quoted), Some((421, EnhancedCode(4, 4, 2))));
        assert_eq!(quoted_reply("550 5.1.1 <u@example.com>... no"), None);
        let transcript = ">>> RCPT To:<u@x>\n<<< 250 fine\n<<< 421\n554 5.0.0 Service unavailable in 550 days\n";
        assert_eq!(code_of_a_line(transcript, 4), Some(421));
        assert_eq!(code_of_a_line(transcript, 5), Some(554));
        assert_eq!(code_of_a_line("told you: 550 no", 5), None);
    }

    #[test]
    fn a_reply_of_several_lines_is_one_sentence() {
        for (text, expected) in [
            ("550-5.1.1 No such\n550 5.1.1 user here", "550-5.1.1 No such user here"),
            ("said: 550-The account\n550-or domain 550 may not", "said: 550-The account or domain may not"),
            ("550 5.1.1 no 5.5.5 such", "550 5.1.1 no 5.5.5 such"),
            ("room 5501", "room 5501"),
        ] {
            assert_eq!(in_one_line(text, 550), expected);
        }
    }
}
