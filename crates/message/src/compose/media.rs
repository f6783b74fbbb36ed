//! What an attached file is called (RFC 2045 §5.1): the type that its sender gives, with its parameters, or else what the file's
//! name says.
//!
//! Promise: the field stays one field, whatever is given; what is no type of a file is refused.

use crate::encode::Folder;
use crate::safe::parameters;

/// Octets of a type with its parameters.
const LONGEST: usize = 1000;
const PARAMETERS: usize = 16;
const OCTETS: &str = "application/octet-stream";

/// By the end of a file's name.
const BY_NAME: [(&str, &str); 25] = [
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("txt", "text/plain"),
    ("csv", "text/csv"),
    ("ics", "text/calendar"),
    ("vcf", "text/vcard"),
    ("json", "application/json"),
    ("xml", "application/xml"),
    ("zip", "application/zip"),
    ("gz", "application/gzip"),
    ("doc", "application/msword"),
    ("xls", "application/vnd.ms-excel"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("eml", MESSAGE),
];

/// It may not be in base64 (RFC 2046 §5.2.1).
pub(super) const MESSAGE: &str = "message/rfc822";

/// A type that can be written.
pub(super) struct Media {
    kind: String,
    parameters: Vec<(String, String)>,
}

impl Media {
    /// As it was given; where nothing was, as the file's name says. `None` for what is no type of a file.
    pub fn of(given: &str, name: &str, content: &[u8]) -> Option<Media> {
        if given.trim().is_empty() {
            return Some(Media::by_name(name, content));
        }
        if given.len() > LONGEST || given.chars().any(char::is_control) {
            return None;
        }
        let (kind, parameters) = parameters::parse(given.as_bytes());
        let kind = String::from_utf8(kind).ok().filter(|kind| is_kind(kind))?;
        let parameters = parameters.into_iter().take(PARAMETERS).filter_map(|parameter| {
            let name = String::from_utf8(parameter.name).ok().filter(|name| is_token(name))?;
            // There are no parts in it.
            let may_be = !name.eq_ignore_ascii_case("boundary");
            may_be.then_some((name, String::from_utf8(parameter.value).ok()?))
        });
        Some(Media { parameters: parameters.collect(), kind })
    }

    fn by_name(name: &str, content: &[u8]) -> Media {
        let end = name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default();
        let known = BY_NAME.iter().find(|(known, _)| *known == end).map_or(OCTETS, |(_, kind)| kind);
        match (known.starts_with("text/"), std::str::from_utf8(content).is_ok()) {
            (true, true) => Media { kind: known.into(), parameters: vec![("charset".into(), "utf-8".into())] },
            // In which characters it is nobody said.
            (true, false) => Media::octets(),
            _ => Media { kind: known.into(), parameters: Vec::new() },
        }
    }

    pub fn octets() -> Media {
        Media { kind: OCTETS.into(), parameters: Vec::new() }
    }

    pub fn is_message(&self) -> bool {
        self.kind.eq_ignore_ascii_case(MESSAGE)
    }

    /// The field, with its line end.
    pub fn field(&self) -> String {
        let mut folder = Folder::field("Content-Type");
        folder.word(" ", &self.kind);
        for (name, value) in &self.parameters {
            parameters::put(&mut folder, name, value, !is_token(value));
        }
        folder.finish()
    }
}

fn is_token(text: &str) -> bool {
    (1..=127).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
}

/// Parts of several parts have no file.
fn is_kind(media: &str) -> bool {
    let of_file = |kind: &str| !["multipart", "message"].iter().any(|other| kind.eq_ignore_ascii_case(other));
    media.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype) && of_file(kind))
        || media.eq_ignore_ascii_case(MESSAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: &str, name: &str, content: &[u8], expect: &str) {
        let field = Media::of(given, name, content).map(|media| media.field()).unwrap_or_default();
        assert_eq!(field.trim_end(), expect, "{given:?} {name}");
    }

    #[test]
    fn a_type_keeps_its_parameters() {
        check(
            "text/calendar; method=REQUEST; charset=\"UTF-8\"",
            "i.ics",
            b"",
            "Content-Type: text/calendar; method=REQUEST; charset=UTF-8",
        );
        check(
            "application/pdf; name=\"a; \\\"b\\\".pdf\"",
            "",
            b"",
            "Content-Type: application/pdf; name=\"a; \\\"b\\\".pdf\"",
        );
        check("application/pdf;", "", b"", "Content-Type: application/pdf");
        check("application/pdf; boundary=x; =y; z", "", b"", "Content-Type: application/pdf");
        for wrong in
            ["pdf", "a/b/c", "text/plain\r\nX: y", "text/plain; a=\"\r\nX: y\"", "multipart/mixed", "message/partial"]
        {
            check(wrong, "", b"", "");
        }
    }

    #[test]
    fn without_a_type_the_name_says_it() {
        check("", "Receipt.PDF", b"", "Content-Type: application/pdf");
        check(" ", "a.csv", "ä".as_bytes(), "Content-Type: text/csv; charset=utf-8");
        check("", "a.csv", b"\xe4", "Content-Type: application/octet-stream");
        for name in ["", "pdf", "a.", "a.exe"] {
            check("", name, b"", "Content-Type: application/octet-stream");
        }
    }
}
