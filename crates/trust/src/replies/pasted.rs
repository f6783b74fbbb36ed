//! Reads a reply as a person pastes it: from a log line, a bounce, a dashboard.
//!
//! It takes `550 5.7.1 text`, several lines `550-5.7.1 one / 550 5.7.1 two` (also joined into
//! one), and what other servers write around it: `host mx.example[192.0.2.1] said: 550 …
//! (in reply to RCPT TO command)`, `smtp; 550 …`.

use repute_types::{EnhancedCode, Reply};

/// A reply, and the host that is said to have given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pasted {
    pub reply: Reply,
    pub host: Option<String>,
}

/// `None` where there is no reply code of 4xx or 5xx in the text.
pub fn parse_pasted(text: &str) -> Option<Pasted> {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let start = reply_start(&flat)?;
    let host = host_before(&flat[..start]);
    let said = &flat[start..];
    let said = said.split(" (in reply to ").next().unwrap_or(said);
    let code: u16 = said[..3].parse().ok()?;
    let first = said[3..].trim_start_matches(['-', ';', ' ']);
    let enhanced = EnhancedCode::parse_prefix(first);
    // Each further line repeats the code and perhaps the status; they are no part of the text.
    let status = enhanced.map(|status| status.to_string());
    let words = said.split(' ').map(|word| without_code(word, &said[..3]));
    let words: Vec<&str> = words.filter(|word| !word.is_empty() && Some(*word) != status.as_deref()).collect();
    let lines = vec![words.join(" ")];
    Some(Pasted { reply: Reply { code, enhanced, lines }, host })
}

/// `550`, `550-5.7.1`, `550-The`: what is left of a word that repeats the code.
fn without_code<'t>(word: &'t str, code: &str) -> &'t str {
    match word.strip_prefix(code) {
        Some("" | ";") => "",
        Some(rest) => rest.strip_prefix('-').unwrap_or(word),
        None => word,
    }
}

/// Where a code of three digits stands as a word, followed by a blank, a hyphen, a semicolon or the end.
fn reply_start(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_code = |place: usize| {
        let code = &bytes[place..place + 3];
        let free_before =
            place == 0 || !matches!(bytes[place - 1], b'0'..=b'9' | b'.' | b'-' | b'a'..=b'z' | b'A'..=b'Z');
        let free_after = matches!(bytes.get(place + 3), None | Some(b' ' | b'-' | b';'));
        matches!(code[0], b'4' | b'5') && code.iter().all(u8::is_ascii_digit) && free_before && free_after
    };
    (0..bytes.len().saturating_sub(2)).find(|place| is_code(*place))
}

/// `host mx.example.com[192.0.2.1] said:`, `host mx.example.com [192.0.2.1]`.
fn host_before(text: &str) -> Option<String> {
    let (_, after) = text.rsplit_once("host ")?;
    let name = after.split(['[', ' ', ':', ',']).next()?.trim_end_matches('.');
    name.contains('.').then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str, host: Option<&str>) {
        let pasted = parse_pasted(text).unwrap();
        assert_eq!((pasted.reply.to_string().as_str(), pasted.host.as_deref()), (expected, host));
    }

    #[test]
    fn a_reply_is_found_in_what_people_paste() {
        check("550 5.7.25 no PTR", "550 5.7.25 no PTR", None);
        check("550", "550 ", None);
        check(
            "550-5.7.25 [192.0.2.1] The IP address sending this\n550-5.7.25 message does not have\n550 5.7.25 a PTR record",
            "550 5.7.25 [192.0.2.1] The IP address sending this message does not have a PTR record",
            None,
        );
        check("550-5.7.1 one 550 5.7.1 two", "550 5.7.1 one two", None);
        check("smtp;421 Service not available", "421 Service not available", None);
        check(
            "status=bounced (host mx1.example.org[192.0.2.25] said: 554 5.7.1 Service unavailable (in reply to RCPT TO command))",
            "554 5.7.1 Service unavailable",
            Some("mx1.example.org"),
        );
        check(
            "<bob@example.org>: host MX.Example.Org. [192.0.2.25] SMTP error after initial connection: 554 no",
            "554 no",
            Some("mx.example.org"),
        );
        assert_eq!(parse_pasted("nothing 123 here, 192.0.2.550"), None);
    }
}
