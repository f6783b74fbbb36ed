//! A letter from its fields: what `repute send`, the HTTP API and notices to people are made of.
//!
//! Promise: 7-bit in lines of at most 78 octets, so that it needs nothing done to it before it
//! is signed; ASCII stays as it is; text and HTML together become multipart/alternative, what
//! the HTML shows multipart/related, what is attached multipart/mixed. No value of a field can
//! begin another field.
//! Date, Message-ID and the rest are added by [`crate::whole::make_whole`].

mod body;
mod media;

use repute_types::{Address, Content};

pub use self::body::Attachment;
use crate::encode::{Folder, words};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Empty where only the address is shown.
    pub name: String,
    pub address: Address,
}

impl From<Address> for Person {
    fn from(address: Address) -> Person {
        Person { name: String::new(), address }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    pub from: Option<Person>,
    pub reply_to: Vec<Person>,
    pub to: Vec<Person>,
    pub cc: Vec<Person>,
    pub subject: String,
    /// Further fields, unstructured.
    pub fields: Vec<(String, String)>,
    /// Plain text with LF or CRLF line ends.
    pub text: Option<String>,
    pub html: Option<String>,
    pub attachments: Vec<Attachment>,
    /// What is attached is a report of this type (RFC 6522), not a file beside a letter.
    pub report_type: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LetterFault {
    #[error("a letter needs a From address")]
    NoFrom,
    #[error("\"{0}\" is not the name of a header field: use letters, digits and hyphens")]
    FieldName(String),
    #[error("\"{0}\" is not a media type that can be attached: write type/subtype, such as application/pdf")]
    Media(String),
    #[error("\"{0}\" is not a Content-ID: write letters, digits and .-_@ without brackets")]
    ContentId(String),
}

/// The letter as a message. Line ends within a field's value become blanks, so that no field
/// can be smuggled in.
pub fn compose(letter: &Letter) -> Result<Content, LetterFault> {
    let from = letter.from.as_ref().ok_or(LetterFault::NoFrom)?;
    let mut out = people("From", std::slice::from_ref(from));
    out.push_str(&people("Reply-To", &letter.reply_to));
    out.push_str(&people("To", &letter.to));
    out.push_str(&people("Cc", &letter.cc));
    if !letter.subject.is_empty() {
        out.push_str(&unstructured("Subject", &letter.subject));
    }
    for (name, value) in &letter.fields {
        if let Some(fault) = name_fault(name) {
            return Err(fault);
        }
        out.push_str(&unstructured(name, value));
    }
    out.push_str("MIME-Version: 1.0\r\n");
    let mut content = Content::from(out.into_bytes());
    body::write(letter, &mut content)?;
    Ok(content)
}

/// Why this cannot be the name of a header field, if it cannot.
pub fn name_fault(name: &str) -> Option<LetterFault> {
    let good = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (!good).then(|| LetterFault::FieldName(brief(name)))
}

fn brief(text: &str) -> String {
    text.chars().take(60).collect()
}

pub(crate) fn people(name: &str, people: &[Person]) -> String {
    if people.is_empty() {
        return String::new();
    }
    let mut folder = Folder::field(name);
    for (i, person) in people.iter().enumerate() {
        if i > 0 {
            folder.glue(",");
        }
        if person.name.trim().is_empty() {
            folder.word(" ", &person.address.to_string());
        } else {
            words::phrase(&mut folder, &one_line(&person.name));
            folder.word(" ", &format!("<{}>", person.address));
        }
    }
    folder.finish()
}

fn unstructured(name: &str, value: &str) -> String {
    let mut folder = Folder::field(name);
    words::unstructured(&mut folder, &one_line(value), words::Marks::Literal);
    folder.finish()
}

fn one_line(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan;

    fn person(name: &str, address: &str) -> Person {
        Person { name: name.into(), address: Address::parse(address).unwrap() }
    }

    #[track_caller]
    fn check(letter: &Letter, expect: &str) {
        let octets = compose(letter).unwrap().to_vec();
        assert!(scan::scan_octets(&octets).is_safe());
        assert_eq!(String::from_utf8(octets).unwrap().replace("\r\n", "\n"), expect);
    }

    #[test]
    fn a_letter_is_plain_where_it_can_be() {
        let letter = Letter {
            from: Some(person("Ann Lee", "ann@a.example")),
            to: vec![person("Lee, Bob", "bob@b.example"), Address::parse("carol@c.example").unwrap().into()],
            subject: "Hello".into(),
            text: Some("Line one\nline two".into()),
            ..Letter::default()
        };
        check(
            &letter,
            "From: Ann Lee <ann@a.example>\nTo: \"Lee, Bob\" <bob@b.example>, carol@c.example\nSubject: Hello\n\
             MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 7bit\n\n\
             Line one\nline two\n",
        );
    }

    #[test]
    fn what_is_beyond_ascii_is_encoded_and_nothing_is_smuggled() {
        let letter = Letter {
            from: Some(person("Jürgen", "j@a.example")),
            cc: vec![person("", "bob@b.example")],
            subject: "Grüße\r\nBcc: evil@c.example".into(),
            fields: vec![("X-Tag".into(), "a\nb".into())],
            text: Some("Köln".into()),
            html: Some("<p>Köln</p>".into()),
            ..Letter::default()
        };
        check(
            &letter,
            "From: =?utf-8?q?J=C3=BCrgen?= <j@a.example>\nCc: bob@b.example\n\
             Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=  Bcc: evil@c.example\nX-Tag: a b\nMIME-Version: 1.0\n\
             Content-Type: multipart/alternative; boundary=\"=_alternative\"\n\n--=_alternative\n\
             Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nK=C3=B6ln\n\n\
             --=_alternative\nContent-Type: text/html; charset=utf-8\n\
             Content-Transfer-Encoding: quoted-printable\n\n<p>K=C3=B6ln</p>\n\n--=_alternative--\n",
        );
    }

    /// A fragment by itself got 0.6 points at SpamAssassin, for HTML without an `html` element.
    #[test]
    fn html_that_stands_alone_is_a_document() {
        let body = |text: Option<&str>, html: &str| {
            let (text, html) = (text.map(str::to_owned), Some(html.to_owned()));
            let letter = Letter { from: Some(person("", "a@a.example")), text, html, ..Letter::default() };
            let octets = compose(&letter).unwrap().to_vec();
            String::from_utf8(octets).unwrap().replace("\r\n", "\n")
        };
        let made = body(None, "<p>x</p>");
        assert!(made.ends_with("\n\n<!DOCTYPE html>\n<html><body>\n<p>x</p>\n</body></html>\n"), "{made}");
        for document in
            ["<!doctype html><p>x</p>\n", "<HTML lang=en><p>x</p>\n", "<style>p{}</style><body>x</body>\n", "\n"]
        {
            assert!(body(None, document).ends_with(&format!("\n\n{document}")), "{document}");
        }
        assert!(body(Some("x"), "<p>x</p>").contains("7bit\n\n<p>x</p>\n"), "beside its text nobody counts it");
    }

    #[test]
    fn what_cannot_be_composed_is_said() {
        assert_eq!(compose(&Letter::default()).unwrap_err(), LetterFault::NoFrom);
        let from = Some(person("", "a@b.example"));
        let letter = Letter { from, fields: vec![("X Y".into(), String::new())], ..Letter::default() };
        assert_eq!(compose(&letter).unwrap_err(), LetterFault::FieldName("X Y".into()));
    }

    fn attachment(name: &str, inline: Option<&str>) -> Attachment {
        let (name, media) = (name.to_owned(), "image/png".to_owned());
        Attachment { name, media, content_id: inline.map(str::to_owned), content: bytes::Bytes::from_static(b"PNG") }
    }

    #[test]
    fn what_is_shown_stands_beside_the_html_and_what_is_attached_around_it() {
        let letter = Letter {
            from: Some(person("", "a@a.example")),
            text: Some("See.".into()),
            html: Some("<img src=cid:logo>".into()),
            attachments: vec![attachment("logo.png", Some("logo")), attachment("Grüße\r\nX: y.png", None)],
            ..Letter::default()
        };
        check(
            &letter,
            "From: a@a.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"=_mixed\"\n\n\
             --=_mixed\nContent-Type: multipart/alternative; boundary=\"=_alternative\"\n\n\
             --=_alternative\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 7bit\n\nSee.\n\n\
             --=_alternative\nContent-Type: multipart/related; type=\"text/html\"; boundary=\"=_related\"\n\n\
             --=_related\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 7bit\n\n\
             <img src=cid:logo>\n\n\
             --=_related\nContent-Type: image/png\nContent-ID: <logo>\nContent-Transfer-Encoding: base64\n\
             Content-Disposition: inline; filename=\"logo.png\"\n\nUE5H\n\n--=_related--\n\n--=_alternative--\n\n\
             --=_mixed\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\
             Content-Disposition: attachment;\n filename*=utf-8''Gr%C3%BC%C3%9Fe%20%20X%3A%20y.png\n\nUE5H\n\n\
             --=_mixed--\n",
        );
    }

    #[test]
    fn a_report_is_what_is_attached() {
        let letter = Letter {
            from: Some(person("", "a@a.example")),
            text: Some("See.".into()),
            attachments: vec![attachment("r.png", None)],
            report_type: Some("tlsrpt"),
            ..Letter::default()
        };
        check(
            &letter,
            "From: a@a.example\nMIME-Version: 1.0\n\
             Content-Type: multipart/report; report-type=tlsrpt; boundary=\"=_report\"\n\n\
             --=_report\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 7bit\n\nSee.\n\n\
             --=_report\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\
             Content-Disposition: attachment; filename=\"r.png\"\n\nUE5H\n\n--=_report--\n",
        );
    }

    /// Messages could not be attached.
    #[test]
    fn a_message_is_attached_as_one_where_its_lines_allow_it() {
        let attached = |content: &'static [u8]| {
            let file = Attachment {
                name: "a.eml".into(),
                media: "message/rfc822".into(),
                content: bytes::Bytes::from_static(content),
                ..attachment("", None)
            };
            let from = Some(person("", "a@a.example"));
            let letter = Letter { from, text: Some("See.".into()), attachments: vec![file], ..Letter::default() };
            let octets = compose(&letter).unwrap().to_vec();
            assert!(scan::scan_octets(&octets).is_safe());
            String::from_utf8(octets).unwrap().replace("\r\n", "\n")
        };
        let plain = attached(b"Subject: x\n\n--=_mixed\n");
        assert!(plain.contains("boundary=\"=_mixed_\""), "a boundary stands in no part: {plain}");
        assert!(
            plain.contains(
                "--=_mixed_\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\n\
                 Content-Disposition: attachment; filename=\"a.eml\"\n\nSubject: x\n\n--=_mixed\n\n--=_mixed_--\n"
            ),
            "{plain}"
        );
        let other = attached(b"Subject: \xfc\n\nx\n");
        assert!(
            other.contains("Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n"),
            "{other}"
        );
    }

    #[test]
    fn an_attachment_smuggles_nothing() {
        let check = |change: fn(&mut Attachment), expect: &str| {
            let mut bad = attachment("a", None);
            change(&mut bad);
            let from = Some(person("", "a@b.example"));
            let letter = Letter { from, attachments: vec![bad], ..Letter::default() };
            assert_eq!(compose(&letter).unwrap_err().to_string(), expect);
        };
        let media = "is not a media type that can be attached: write type/subtype, such as application/pdf";
        check(|a| a.media = "text/plain\r\nX: y".into(), &format!("\"text/plain\r\nX: y\" {media}"));
        check(|a| a.media = "multipart/mixed".into(), &format!("\"multipart/mixed\" {media}"));
        check(
            |a| a.content_id = Some("a>\r\nX: <b".into()),
            "\"a>\r\nX: <b\" is not a Content-ID: write letters, digits and .-_@ without brackets",
        );
    }
}
