//! A letter that came to one address of ours, handed on to another in our own name.
//!
//! Sent on as it is it would fail SPF and, being changed on its way, DKIM: so its author becomes us, with the
//! writer in Reply-To, and it is made whole and signed like any message of ours. Promise: what a reader needs stays
//! (subject, date, what it answers, the body as it is); of the rest of the header only the Received fields do, by
//! which a loop is seen (RFC 5321 §6.3). Fails where there is no header that can be read.

use repute_types::{Address, Content};

use crate::compose::{Person, people};
use crate::fault::Fault;
use crate::header::{self, Header};

/// Those fields are kept, the first of each.
const KEPT: [&str; 9] = [
    "Date",
    "Subject",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Language",
];

/// The field that says where a letter was handed on before.
const MARK: &str = "X-Loop";

#[derive(Clone, Debug)]
pub struct Forward {
    /// The new author: an address of the domain that signs.
    pub from: Person,
    /// Who wrote it.
    pub reply_to: Person,
    pub to: Address,
    /// One word, ours alone: what has it was handed on by us before.
    pub mark: String,
}

/// The letter for its new recipient, still to be made whole and signed.
pub fn forward(content: &Content, forward: &Forward) -> Result<Content, Fault> {
    let header = Header::read(content)?;
    let mut front = String::with_capacity(1024);
    front.push_str(&people("From", std::slice::from_ref(&forward.from)));
    front.push_str(&people("Reply-To", std::slice::from_ref(&forward.reply_to)));
    front.push_str(&people("To", &[forward.to.clone().into()]));
    front.push_str(&format!("{MARK}: {}\r\n", forward.mark));
    let mut out = Vec::with_capacity(4096);
    let mut has = [false; KEPT.len()];
    for field in header.fields() {
        let keeps = match KEPT.iter().position(|name| field.is(name)) {
            Some(at) => !std::mem::replace(&mut has[at], true) && (KEPT[at] != "Message-ID" || is_id(field.value)),
            None => field.is("Received"),
        };
        if keeps {
            let raw = &header.octets()[field.range];
            let end = raw.iter().rposition(|b| !matches!(b, b'\r' | b'\n')).map_or(0, |last| last + 1);
            out.extend_from_slice(&raw[..end]);
            out.extend_from_slice(b"\r\n");
        }
    }
    out.splice(0..0, front.into_bytes());
    out.extend_from_slice(b"\r\n");
    let mut whole = Content::from(out);
    for chunk in content.slice(header.body_start(), content.len()).into_chunks() {
        whole.push(chunk);
    }
    Ok(whole)
}

/// Whether a person wrote to a person, by the header: not to a list, not in bulk, and not handed on by us
/// before. What has no header that can be read is nobody's.
pub fn is_personal(content: &Content, mark: &str) -> bool {
    let Ok(header) = Header::read(content) else { return false };
    let in_bulk = |value: &[u8]| [&b"bulk"[..], b"list", b"junk"].iter().any(|word| value.eq_ignore_ascii_case(word));
    header.find("List-Id").is_none()
        && !header.all("Precedence").any(|field| in_bulk(&field.text()))
        && !header.all(MARK).any(|field| field.text().eq_ignore_ascii_case(mark.as_bytes()))
}

/// A Message-ID that is none is left out, and gets a new one.
fn is_id(value: &[u8]) -> bool {
    header::message_ids(value).is_some_and(|ids| ids.len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handed_on(letter: &str) -> String {
        let address = |text: &str| Address::parse(text).unwrap();
        let to_support = Forward {
            from: Person { name: "Ann, of A via example.com".into(), address: address("postmaster@example.com") },
            reply_to: Person { name: "Ann, of A".into(), address: address("ann@a.test") },
            to: address("support@example.com"),
            mark: "replies@bounces.example.com".into(),
        };
        let content = Content::from(letter.replace('\n', "\r\n").into_bytes());
        String::from_utf8(forward(&content, &to_support).unwrap().to_vec()).unwrap().replace("\r\n", "\n")
    }

    #[test]
    fn who_wrote_it_is_answered_and_we_are_its_author() {
        let text = handed_on(
            "Return-Path: <ann@a.test>\nReceived: from a by b; x\nDKIM-Signature: v=1\nFrom: Ann <ann@a.test>\n\
             To: <token@bounces.example.com>\nCc: ben@a.test\nSubject: Re: your\n order\nMessage-ID: <1@a.test>\n\
             subject: second\nIn-Reply-To: <0@example.com>\nContent-Type: text/plain\nX-Mailer: x\n\nHello.\n",
        );
        assert_eq!(
            text,
            "From: \"Ann, of A via example.com\" <postmaster@example.com>\n\
             Reply-To: \"Ann, of A\" <ann@a.test>\nTo: support@example.com\nX-Loop: replies@bounces.example.com\n\
             Received: from a by b; x\nSubject: Re: your\n order\nMessage-ID: <1@a.test>\n\
             In-Reply-To: <0@example.com>\nContent-Type: text/plain\n\nHello.\n"
        );
    }

    #[test]
    fn what_is_no_message_id_is_left_out_and_a_message_may_have_no_body() {
        let text = handed_on("From: ann@a.test\nMessage-ID: 17\nSubject: x");
        assert!(text.ends_with("Subject: x\n\n") && !text.contains("Message-ID"), "{text}");
    }

    #[test]
    fn lists_bulk_and_our_own_are_not_personal() {
        let check = |field: &str, expected: bool| {
            let content = Content::from(format!("From: ann@a.test\r\n{field}\r\n\r\nx\r\n").into_bytes());
            assert_eq!(is_personal(&content, "replies@b.test"), expected, "{field}");
        };
        check("Subject: hi", true);
        check("List-Id: <x.a.test>", false);
        check("Precedence: Bulk", false);
        check("Precedence: first-class", true);
        check("X-Loop: Replies@b.test", false);
        check("X-Loop: other@b.test", true);
        assert!(!is_personal(&Content::from(&b"no header\r\n\r\nx"[..]), "x"));
    }
}
