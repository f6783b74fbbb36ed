//! What a program hands to `sendmail`: a message with LF line ends, perhaps without From, whose
//! recipients may stand in its header (`-t`).
//!
//! Promise: the result has CRLF line ends, a From field, and an empty line between header and
//! body, as the smtp door asks for; what else is missing is added where all mail is made whole.
//! Bcc stays for the caller to read and is removed there too.

use repute_types::{Address, Content};

use crate::compose::Person;
use crate::encode::{Folder, words};
use crate::fault::{Fault, excerpt};
use crate::header::{self, Header};

#[derive(Clone, Debug)]
pub struct Options {
    /// From `-f` or the user who calls; with a name from `-F`. Used where there is no From field.
    pub from: Person,
    /// A line of one dot ends the message (without `-i`).
    pub dot_ends: bool,
}

/// Reads what came on standard input.
pub fn read(input: &[u8], options: &Options) -> Content {
    let input = without_envelope_line(input);
    let mut head: Vec<u8> = Vec::new();
    let mut out = Vec::with_capacity(input.len() + input.len() / 32 + 256);
    let mut in_header = true;
    let mut has_from = false;
    for line in lines(input) {
        if options.dot_ends && line == b"." {
            break;
        }
        if in_header && !is_header_line(line, out.is_empty()) {
            in_header = false;
            // A program that forgot the empty line gets it (cron jobs, shell scripts).
            if !line.is_empty() {
                out.extend_from_slice(b"\r\n");
            }
        }
        has_from |= in_header && name_is(line, b"from");
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    if !has_from {
        head = from_field(&options.from).into_bytes();
    }
    if in_header {
        out.extend_from_slice(b"\r\n");
    }
    let mut content = Content::from(head);
    content.push(out);
    content
}

/// The recipients that the header names: To, Cc and Bcc, or the Resent ones where there are
/// such (RFC 5322 §3.6.6); each once, in their order.
pub fn recipients(content: &Content) -> Result<Vec<Address>, Fault> {
    let header = Header::read(content)?;
    let resent = header.fields().any(|f| ["Resent-To", "Resent-Cc", "Resent-Bcc"].iter().any(|name| f.is(name)));
    let names = if resent { ["Resent-To", "Resent-Cc", "Resent-Bcc"] } else { ["To", "Cc", "Bcc"] };
    let mut out: Vec<Address> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for field in header.fields().filter(|f| names.iter().any(|name| f.is(name))) {
        let list = header::addresses(field.value).map_err(|error| Fault::BadRecipients {
            field: field.name.to_owned(),
            text: excerpt(&field.text()),
            why: error.to_string(),
        })?;
        out.extend(list.into_iter().filter(|address| seen.insert(address.clone())));
    }
    Ok(out)
}

/// An mbox line at the top (`From ann Tue Nov 24 ...`) is no field and no text.
fn without_envelope_line(input: &[u8]) -> &[u8] {
    match input.strip_prefix(b">").unwrap_or(input).starts_with(b"From ") {
        true => memchr::memchr(b'\n', input).map_or(&[], |i| &input[i + 1..]),
        false => input,
    }
}

/// Lines ended by LF, CRLF, or (as old programs do) a bare CR within them.
fn lines(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ended = input.strip_suffix(b"\n").unwrap_or(input);
    let none = if input.is_empty() { 0 } else { usize::MAX };
    let lines = ended.split(|b| *b == b'\n').take(none);
    lines.flat_map(|line| line.strip_suffix(b"\r").unwrap_or(line).split(|b| *b == b'\r'))
}

fn is_header_line(line: &[u8], first: bool) -> bool {
    match line.first() {
        Some(b' ' | b'\t') => !first,
        Some(_) => header::field_name(line).is_some(),
        None => false,
    }
}

fn name_is(line: &[u8], name: &[u8]) -> bool {
    header::field_name(line).is_some_and(|found| found.eq_ignore_ascii_case(name))
}

fn from_field(from: &Person) -> String {
    let mut folder = Folder::field("From");
    if from.name.trim().is_empty() {
        folder.word(" ", &from.address.to_string());
    } else {
        words::phrase(&mut folder, from.name.trim());
        folder.word(" ", &format!("<{}>", from.address));
    }
    folder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(input: &str, dot_ends: bool) -> String {
        let from = Person { name: "Ann Lee".into(), address: Address::parse("ann@a.example").unwrap() };
        let content = read(input.as_bytes(), &Options { from, dot_ends });
        String::from_utf8(content.to_vec()).unwrap()
    }

    #[test]
    fn what_programs_write_becomes_a_message() {
        let check = |input: &str, expect: &str| assert_eq!(read_text(input, true), expect, "{input:?}");
        check("From: x@y.example\n\nbody\n", "From: x@y.example\r\n\r\nbody\r\n");
        check("Subject: x\n\nbody", "From: Ann Lee <ann@a.example>\r\nSubject: x\r\n\r\nbody\r\n");
        check(
            "From: x@y.example\r\nSubject: a\r\n b\r\n\r\nbody\r\n",
            "From: x@y.example\r\nSubject: a\r\n b\r\n\r\nbody\r\n",
        );
        check("Hello, no header\nmore\n", "From: Ann Lee <ann@a.example>\r\n\r\nHello, no header\r\nmore\r\n");
        check(
            "From: x@y.example\nHello: not\nforgot the line\n",
            "From: x@y.example\r\nHello: not\r\n\r\nforgot the line\r\n",
        );
        check(
            "From ann Tue Nov 24 02:05:50 2026\nFrom: x@y.example\n\nFrom here on\n",
            "From: x@y.example\r\n\r\nFrom here on\r\n",
        );
        check("From: x@y.example\n\none\n.\ntwo\n", "From: x@y.example\r\n\r\none\r\n");
        check("From: x@y.example\n", "From: x@y.example\r\n\r\n");
        check("", "From: Ann Lee <ann@a.example>\r\n\r\n");
        check("From: x@y.example\n\na\rb\n\n\n", "From: x@y.example\r\n\r\na\r\nb\r\n\r\n\r\n");
        assert_eq!(read_text("From: x@y.example\n\n.\ntwo\n", false), "From: x@y.example\r\n\r\n.\r\ntwo\r\n");
    }

    #[test]
    fn recipients_stand_in_the_header() {
        let check = |lines: &str, expect: &[&str]| {
            let content = Content::from(format!("{}\r\n\r\n", lines.replace('\n', "\r\n")).into_bytes());
            let found: Vec<String> = recipients(&content).unwrap().iter().map(ToString::to_string).collect();
            assert_eq!(found, expect, "{lines}");
        };
        check(
            "To: a@x.example, B <b@x.example>\ncc: c@x.example\nBcc: a@x.example,\n d@x.example",
            &["a@x.example", "b@x.example", "c@x.example", "d@x.example"],
        );
        check("To: a@x.example\nResent-To: r@x.example", &["r@x.example"]);
        check("Subject: none", &[]);
        let content = Content::from(&b"To: nobody\r\n\r\n"[..]);
        assert_eq!(
            recipients(&content).unwrap_err().to_string(),
            "the To field \"nobody\" is not a list of addresses (\"nobody\" is not an address): write name@domain, name@domain"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_input_becomes_lines_with_a_header(input in "([ -~é]{0,20}[\n\r]{0,2}){0,20}") {
            let text = read_text(&input, false);
            let header = Header::read(&Content::from(text.clone().into_bytes())).unwrap();
            proptest::prop_assert!(header.find("From").is_some());
            proptest::prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
        }
    }
}
