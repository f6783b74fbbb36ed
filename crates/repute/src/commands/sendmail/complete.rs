//! A local program's message made one for the world: addresses without a domain get one, and
//! what is missing of From is added. cron writes `From: root (Cron Daemon)` and `To: root`.

use super::Flags;

/// Fields whose addresses are completed.
const ADDRESS_FIELDS: [&str; 9] =
    ["from", "sender", "reply-to", "to", "cc", "bcc", "resent-from", "resent-to", "resent-cc"];
/// Fields that `-t` takes recipients from.
const RECIPIENT_FIELDS: [&str; 3] = ["to", "cc", "bcc"];

pub struct Completed {
    pub content: Vec<u8>,
    /// The values of To, Cc and Bcc, completed.
    pub recipient_values: Vec<Vec<u8>>,
}

/// `user@domain` for a bare name.
pub fn address(text: &str, domain: &str) -> String {
    let text = text.trim().trim_start_matches('<').trim_end_matches('>');
    match text.is_empty() || text.contains('@') {
        true => text.to_owned(),
        false => format!("{text}@{domain}"),
    }
}

/// Completes the header; a message that begins with something else gets one.
pub fn message(message: &[u8], flags: &Flags, user: &str, domain: &str) -> Completed {
    let mut content = Vec::with_capacity(message.len() + 256);
    let mut recipient_values = Vec::new();
    let (fields, body) = split(message);
    let mut has_from = false;
    for field in fields {
        let (name, value) = halves(field);
        let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
        has_from |= name == "from";
        if !ADDRESS_FIELDS.contains(&name.as_str()) {
            content.extend_from_slice(field);
            continue;
        }
        let value = list(value, domain);
        content.extend_from_slice(&field[..field.len() - halves(field).1.len()]);
        content.extend_from_slice(&value);
        if RECIPIENT_FIELDS.contains(&name.as_str()) {
            recipient_values.push(value);
        }
    }
    if !has_from {
        content.extend_from_slice(from_field(flags, user, domain).as_bytes());
    }
    content.extend_from_slice(b"\r\n");
    content.extend_from_slice(body);
    Completed { content, recipient_values }
}

fn from_field(flags: &Flags, user: &str, domain: &str) -> String {
    let sender = flags.sender.as_deref().filter(|s| !s.is_empty()).unwrap_or(user);
    let sender = address(sender, domain);
    match &flags.full_name {
        Some(name) => {
            let quoted: String = name.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect();
            format!("From: \"{quoted}\" <{sender}>\r\n")
        }
        None => format!("From: {sender}\r\n"),
    }
}

/// The fields, each with its folded lines, and the body without the empty line before it.
fn split(message: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut fields: Vec<&[u8]> = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < message.len() {
        let end = message[at..].iter().position(|b| *b == b'\n').map_or(message.len(), |i| at + i + 1);
        let line = &message[at..end];
        let folded = at > start && matches!(line[0], b' ' | b'\t');
        if !folded {
            if at > start {
                fields.push(&message[start..at]);
            }
            if line == b"\r\n" {
                return (fields, &message[end..]);
            }
            if !is_field(line) {
                return (fields, &message[at..]);
            }
            start = at;
        }
        at = end;
    }
    if at > start {
        fields.push(&message[start..at]);
    }
    (fields, &[])
}

/// A name of printable characters up to a colon (RFC 5322 §2.2).
fn is_field(line: &[u8]) -> bool {
    let name = line.split(|b| *b == b':').next().unwrap_or_default();
    let name = name.trim_ascii_end();
    line.contains(&b':') && !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

fn halves(field: &[u8]) -> (&[u8], &[u8]) {
    let colon = field.iter().position(|b| *b == b':').unwrap_or(field.len());
    (&field[..colon], field.get(colon + 1..).unwrap_or_default())
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
        check(" root\r\n", " root@x.example\r\n");
        check(" root (Cron Daemon)\r\n", " root@x.example (Cron Daemon)\r\n");
        check(" \"Cron, Daemon\" <root>, bob@y.example", " \"Cron, Daemon\" <root@x.example>, bob@y.example");
        check(" a, b (x, y),\r\n c\r\n", " a@x.example, b@x.example (x, y),\r\n c@x.example\r\n");
        check(" team: a, b@y.example;", " team: a@x.example, b@y.example;");
        check(" undisclosed-recipients:;", " undisclosed-recipients:;");
        check(" two words", " two words");
        check(" <>", " <>");
    }

    #[test]
    fn a_message_without_a_header_gets_one() {
        let flags = Flags::parse(&["-FBackup", "ops@y.example"]).unwrap();
        let done = message(b"it is done: all of it\r\n", &flags, "root", "x.example");
        // "it is done" has blanks, so the line is no field.
        let text = String::from_utf8(done.content).unwrap();
        assert_eq!(text, "From: \"Backup\" <root@x.example>\r\n\r\nit is done: all of it\r\n");
    }

    #[test]
    fn recipients_of_the_header_are_found() {
        let flags = Flags::parse(&["-t"]).unwrap();
        let text = b"From: shop@x.example\r\nTo: a,\r\n b@y.example\r\nBcc: c\r\nSubject: To: d\r\n\r\nhello\r\n";
        let done = message(text, &flags, "www-data", "x.example");
        let values: Vec<String> = done.recipient_values.iter().map(|v| String::from_utf8_lossy(v).into()).collect();
        assert_eq!(values, [" a@x.example,\r\n b@y.example\r\n", " c@x.example\r\n"]);
        assert!(done.content.ends_with(b"\r\n\r\nhello\r\n"));
    }
}
