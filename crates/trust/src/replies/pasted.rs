//! Reads a reply as a person pastes it: from a log line, a bounce, a dashboard.
//!
//! It takes `550 5.7.1 text`, several lines `550-5.7.1 one / 550 5.7.1 two` (also joined into
//! one), and what other servers write around it: `host mx.example[192.0.2.1] said: 550 …
//! (in reply to RCPT TO command)`, `smtp; 550 …`; a whole bounce, by its Diagnostic-Code; and
//! our own log line, by its `reply="…"`.

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
    let (before, said) = around_reply(&flat)?;
    let host = host_before(before);
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

/// What stands before the reply, and the reply with what follows it.
fn around_reply(flat: &str) -> Option<(&str, &str)> {
    if let Some((before, rest)) = flat.split_once(" reply=\"") {
        // To the next quote that is not part of the reply.
        let end = rest.match_indices('"').find(|(n, _)| !rest[..*n].ends_with('\\')).map_or(rest.len(), |(n, _)| n);
        return reply_start(&rest[..end]).map(|start| (before, &rest[start..end]));
    }
    // In a bounce other numbers come before: the fields of its head, the sentences for people.
    const FIELD: &str = "diagnostic-code:";
    let from = flat.to_ascii_lowercase().find(FIELD).map_or(0, |n| n + FIELD.len());
    let start = from + reply_start(&flat[from..])?;
    let said = &flat[start..];
    // Another recipient's block of fields may follow.
    let end =
        if from == 0 { None } else { said.find(" Final-Recipient:").or_else(|| said.find(" Original-Recipient:")) };
    Some((&flat[..start], &said[..end.unwrap_or(said.len())]))
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

/// `host mx.example.com[192.0.2.1] said:`, `host=mx.example.com`, `H=mx.example.com [192.0.2.1]:`,
/// `Remote-MTA: dns; mx.example.com`.
fn host_before(text: &str) -> Option<String> {
    let leads = ["host ", " host=", " H=", "Remote-MTA: dns; ", "Remote-MTA: dns;", " relay="];
    let names = leads.iter().filter_map(|lead| {
        let (_, after) = text.rsplit_once(lead)?;
        let name = after.split(['[', ' ', ':', ',', ';']).next()?.trim_end_matches('.');
        name.contains('.').then(|| name.to_ascii_lowercase())
    });
    names.into_iter().next()
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
        check(
            "2026-11-24T02:05:50.120Z deferred id=1a-2b part=0 to=bob@example.org attempt=1 host=mx.example.org \
             ip=192.0.2.25 port=587 tls=TLSv1.3 stage=rcpt reply=\"451 4.7.1 \\\"grey\\\" listed\" cause=x after=1.200s",
            "451 4.7.1 \\\"grey\\\" listed",
            Some("mx.example.org"),
        );
        check(
            "2026-11-24 02:05 1abc-0x ** bob@example.org R=dnslookup T=remote_smtp H=mx.example.org [192.0.2.25]: SMTP \
             error from remote mail server after RCPT TO:<bob@example.org>: 550 5.1.1 no",
            "550 5.1.1 no",
            Some("mx.example.org"),
        );
        check(
            "It could not be delivered after 450 minutes.\n\nReporting-MTA: dns; mail.example.com\n\n\
             Final-Recipient: rfc822; bob@example.org\nAction: failed\nStatus: 5.7.25\n\
             Remote-MTA: dns; mx.example.org\nDiagnostic-Code: smtp; 550-5.7.25 no\n 550 5.7.25 PTR\n\n\
             Final-Recipient: rfc822; eve@example.org\nDiagnostic-Code: smtp; 550 5.1.1 other",
            "550 5.7.25 no PTR",
            Some("mx.example.org"),
        );
        assert_eq!(parse_pasted("nothing 123 here, 192.0.2.550"), None);
    }
}
