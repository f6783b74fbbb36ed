//! Addresses without a domain get one: cron writes `From: root (Cron Daemon)` and `To: root`.

use bytes::Bytes;
use repute_message::Header;
use repute_types::Content;

use super::{Failed, code};

/// Fields whose addresses are completed.
const ADDRESS_FIELDS: [&str; 11] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Resent-From",
    "Resent-Sender",
    "Resent-To",
    "Resent-Cc",
    "Resent-Bcc",
];

/// `user@domain` for a bare name.
pub fn address(text: &str, domain: &str) -> String {
    let text = text.trim().trim_start_matches('<').trim_end_matches('>');
    match text.is_empty() || text.contains('@') {
        true => text.to_owned(),
        false => format!("{text}@{domain}"),
    }
}

/// Completes the addresses of the header.
pub fn header(content: Content, domain: &str) -> Result<Content, Failed> {
    let header = Header::read(&content).map_err(|fault| Failed::new(code::DATAERR, fault.to_string()))?;
    let octets = header.octets();
    let mut completed = Vec::with_capacity(octets.len() + 256);
    let mut done = 0;
    for field in header.fields().filter(|f| ADDRESS_FIELDS.iter().any(|name| f.is(name))) {
        let end = field.range.end - if octets[field.range.clone()].ends_with(b"\r\n") { 2 } else { 0 };
        completed.extend_from_slice(&octets[done..end - field.value.len()]);
        completed.extend_from_slice(&list(field.value, domain));
        done = end;
    }
    completed.extend_from_slice(&octets[done..]);
    let mut whole = Content::from(completed);
    for chunk in content.slice(octets.len(), content.len()).chunks() {
        whole.push(Bytes::clone(chunk));
    }
    Ok(whole)
}

/// Adds the domain to each address of a list that has none.
fn list(value: &[u8], domain: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 32);
    for element in elements(value) {
        complete_element(&mut out, element, domain);
    }
    out
}

/// The list cut behind each comma, colon and semicolon that separates (RFC 5322 §3.4), not
/// within quotes, comments and angle brackets.
fn elements(value: &[u8]) -> Vec<&[u8]> {
    let mut elements = Vec::new();
    let (mut start, mut depth, mut quoted, mut angle, mut escaped) = (0, 0u32, false, false, false);
    for (i, b) in value.iter().enumerate() {
        match b {
            _ if escaped => {
                escaped = false;
                continue;
            }
            b'\\' if quoted || depth > 0 => escaped = true,
            b'"' if depth == 0 => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            b'<' if !quoted && depth == 0 => angle = true,
            b'>' if !quoted && depth == 0 => angle = false,
            b',' | b';' | b':' if !quoted && depth == 0 && !angle => {
                elements.push(&value[start..=i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    elements.push(&value[start..]);
    elements
}

/// One mailbox, with the separator behind it.
fn complete_element(out: &mut Vec<u8>, element: &[u8], domain: &str) {
    // The name of a group is no address, and neither is what has a domain.
    if element.ends_with(b":") || element.contains(&b'@') {
        out.extend_from_slice(element);
        return;
    }
    let insert_at = match element.iter().position(|b| *b == b'<') {
        Some(open) => match element[open..].iter().position(|b| *b == b'>') {
            Some(length) if length > 1 => Some(open + length),
            _ => None,
        },
        None => bare_word_end(element),
    };
    match insert_at {
        Some(at) => {
            out.extend_from_slice(&element[..at]);
            out.push(b'@');
            out.extend_from_slice(domain.as_bytes());
            out.extend_from_slice(&element[at..]);
        }
        None => out.extend_from_slice(element),
    }
}

/// The end of the element's only word; `None` where there is none or several, which is for the
/// server to refuse.
fn bare_word_end(element: &[u8]) -> Option<usize> {
    let is_word = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(b) || !b.is_ascii();
    let start = element.iter().position(|b| !b.is_ascii_whitespace())?;
    let end = start + element[start..].iter().position(|b| !is_word(b)).unwrap_or(element.len() - start);
    let rest = element[end..].trim_ascii_start();
    let alone = rest.is_empty() || rest.starts_with(b"(") || matches!(rest, b"," | b";");
    (end > start && alone).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expect: &str) {
        assert_eq!(String::from_utf8(list(value.as_bytes(), "x.example")).unwrap(), expect);
    }

    #[test]
    fn bare_names_get_the_domain_and_nothing_else_changes() {
        check(" root", " root@x.example");
        check(" root (Cron Daemon)\r\n", " root@x.example (Cron Daemon)\r\n");
        check(" \"Cron, Daemon\" <root>, bob@y.example", " \"Cron, Daemon\" <root@x.example>, bob@y.example");
        check(" a, b (x, y),\r\n c\r\n", " a@x.example, b@x.example (x, y),\r\n c@x.example\r\n");
        check(" team: a, b@y.example;", " team: a@x.example, b@y.example;");
        check(" undisclosed-recipients:;", " undisclosed-recipients:;");
        check(" two words", " two words");
        check(" <>", " <>");
    }

    #[test]
    fn fields_of_addresses_are_completed_and_the_rest_stays() {
        let text = "From: root (Cron Daemon)\r\nTo: a,\r\n b@y.example\r\nSubject: To: d\r\nbcc:c\r\n\r\nTo: e\r\n";
        let done = header(Content::from(text), "x.example").unwrap();
        let expect = "From: root@x.example (Cron Daemon)\r\nTo: a@x.example,\r\n b@y.example\r\nSubject: To: d\r\n\
                      bcc:c@x.example\r\n\r\nTo: e\r\n";
        assert_eq!(String::from_utf8(done.to_vec()).unwrap(), expect);
    }
}
