//! Faults of a header that large receivers reject: found at submission, where the one who can
//! cure them is still listening.
//!
//! Promise: a header that passes has one From field with well-formed addresses, a Sender where
//! From needs one (RFC 5322 §3.6.2), and no field twice that may stand once (§3.6).

use repute_types::Address;

use crate::fault::{Fault, excerpt};
use crate::header::{self, Field, Header};

/// Fields that may stand once (RFC 5322 §3.6; RFC 2045 §3 for those of MIME); receivers reject a
/// second. Of two Content-Type fields a signature may cover one and a reader use the other, and
/// then the signed text is not the text that is read.
pub(crate) const UNIQUE: [&str; 14] = [
    "From",
    "Date",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Message-ID",
    "Subject",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];

/// What the lint has found out on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The authors; at least one.
    pub from: Vec<Address>,
    /// Without brackets; `None` where the field is missing or empty.
    pub message_id: Option<String>,
}

/// `hops` is the number of Received fields above which a message is taken to loop (RFC 5321 §6.3).
pub fn lint(header: &Header, hops: usize) -> Result<Passed, Fault> {
    if header.fields().len() == 0 {
        return Err(Fault::NoHeader);
    }
    unique(header)?;
    let count = header.all("Received").count();
    if count > hops {
        return Err(Fault::Loop { count });
    }
    let from = authors(header)?;
    sender(header, from.len())?;
    Ok(Passed { from, message_id: message_id(header)? })
}

fn unique(header: &Header) -> Result<(), Fault> {
    let mut counts = [0usize; UNIQUE.len()];
    for name in header.names() {
        if let Some(i) = UNIQUE.iter().position(|unique| name.eq_ignore_ascii_case(unique.as_bytes())) {
            counts[i] += 1;
        }
    }
    match counts.iter().position(|count| *count > 1) {
        Some(i) => Err(Fault::Duplicate { name: UNIQUE[i], count: counts[i] }),
        None => Ok(()),
    }
}

fn authors(header: &Header) -> Result<Vec<Address>, Fault> {
    let field = header.find("From").ok_or(Fault::NoFrom)?;
    let bad = |why: String| Fault::BadFrom { text: excerpt(&field.text()), why };
    let from = header::addresses(field.value).map_err(|error| bad(error.to_string()))?;
    if from.is_empty() {
        return Err(bad("there is no address in it".to_owned()));
    }
    Ok(from)
}

fn sender(header: &Header, authors: usize) -> Result<(), Fault> {
    match header.find("Sender").filter(|field| !field.text().is_empty()) {
        Some(field) => match header::addresses(field.value) {
            Ok(list) if list.len() == 1 => Ok(()),
            _ => Err(Fault::BadSender),
        },
        None if authors > 1 => Err(Fault::NoSender { count: authors }),
        None => Ok(()),
    }
}

/// A Message-ID that is none is refused and not replaced: the application keeps it, and
/// replies will refer to it.
fn message_id(header: &Header) -> Result<Option<String>, Fault> {
    let Some(field) = header.find("Message-ID") else { return Ok(None) };
    let bad = |field: &Field<'_>| Fault::BadMessageId { text: excerpt(&field.text()) };
    match header::message_ids(field.value).as_deref() {
        Some([]) => Ok(None),
        Some([id]) => Ok(Some((*id).to_owned())),
        _ => Err(bad(&field)),
    }
}

#[cfg(test)]
mod tests {
    use repute_types::Content;

    use super::*;

    fn lint_text(lines: &str) -> Result<Passed, Fault> {
        let octets = lines.replace('\n', "\r\n") + "\r\n\r\nbody\r\n";
        lint(&Header::read(&Content::from(octets.into_bytes()))?, 3)
    }

    #[test]
    fn a_header_that_is_right_passes() {
        let passed = lint_text("From: Ann <ann@a.example>\nTo: bob@b.example\nMessage-ID: <1@a.example>").unwrap();
        assert_eq!(passed.from, [Address::parse("ann@a.example").unwrap()]);
        assert_eq!(passed.message_id.as_deref(), Some("1@a.example"));
        let two = lint_text("From: ann@a.example, bob@a.example\nSender: ann@a.example").unwrap();
        assert_eq!(two.from.len(), 2);
        assert_eq!(lint_text("From: a@b.example\nMessage-ID:").unwrap().message_id, None);
    }

    #[test]
    fn each_fault_is_refused_with_its_cure() {
        let check = |lines: &str, expect: &str| {
            let reply = lint_text(lines).unwrap_err().into_reply();
            assert_eq!(reply.to_string(), expect, "{lines}");
        };
        check("Subject: x", "550 5.6.0 the message has no From field: add one with the author's address");
        check(
            "From: a@b.example\nFrom: c@d.example",
            "550 5.6.0 there are 2 From fields and receivers reject more than one: leave one",
        );
        check(
            "From: a@b.example\nsubject: x\nSubject: y",
            "550 5.6.0 there are 2 Subject fields and receivers reject more than one: leave one",
        );
        check(
            "From: a@b.example\nContent-Type: text/plain\ncontent-type: text/html",
            "550 5.6.0 there are 2 Content-Type fields and receivers reject more than one: leave one",
        );
        check(
            "From: a@b.example\nContent-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: 7bit",
            "550 5.6.0 there are 2 Content-Transfer-Encoding fields and receivers reject more than one: leave one",
        );
        check(
            "MIME-Version: 1.0\nFrom: a@b.example\nMime-Version: 1.0",
            "550 5.6.0 there are 2 MIME-Version fields and receivers reject more than one: leave one",
        );
        check(
            "From: me",
            "550 5.6.0 the From field \"me\" is not a list of addresses (\"me\" is not an address): \
             write From: Name <name@domain>",
        );
        check(
            "From:",
            "550 5.6.0 the From field \"\" is not a list of addresses (there is no address in it): \
             write From: Name <name@domain>",
        );
        check(
            "From: a@b.example, c@d.example",
            "550 5.6.0 From names 2 addresses and there is no Sender field: \
             name one author, or add Sender (RFC 5322 3.6.2)",
        );
        check(
            "From: a@b.example\nSender: a@b.example, c@d.example",
            "550 5.6.0 the Sender field must hold one address: write Sender: name@domain",
        );
        check(
            "From: a@b.example\nMessage-ID: 17",
            "550 5.6.0 the Message-ID \"17\" is not of the form <unique@domain>: \
             correct it, or leave it out and one is added",
        );
        check(
            "From: a@b.example\nReceived: x\nReceived: x\nReceived: x\nReceived: x",
            "554 5.4.6 the message has passed 4 servers: it runs in a loop; look for a forward that leads back here",
        );
        check(
            "Hello\nWorld",
            "550 5.6.0 line 1 of the header, \"Hello\", is not a field: write \"Name: value\", \
             and put an empty line between header and body",
        );
    }

    #[test]
    fn a_message_without_a_header_is_told_so() {
        let header = Header::read(&Content::from(&b"\r\nbody\r\n"[..])).unwrap();
        assert_eq!(lint(&header, 3), Err(Fault::NoHeader));
        let header = Header::read(&Content::new()).unwrap();
        assert_eq!(lint(&header, 3), Err(Fault::NoHeader));
    }
}
