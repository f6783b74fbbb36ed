//! What it looks like and where its links lead: `msg.mime`, and hosts for `bl.content`.

use mail_parser::{Message, MessageParser, PartType};
use repute_types::{Domain, Level, Remark};

use super::{LINKS_MOST, Letter};

/// Gmail shows no more than this of an HTML part.
const HTML_SHOWN: usize = 102 * 1024;
/// Text of one part that is searched for links.
const SEARCHED_MOST: usize = 1024 * 1024;

pub(super) fn judge(letter: &Letter<'_>, remarks: &mut Vec<Remark>) -> Vec<Domain> {
    let mut add = |level, sign, found: String, fix: &str| {
        remarks.push(Remark::new("msg.mime", level, found, fix).sign(sign));
    };
    let field = |name: &str| letter.header.find(name);
    if field("MIME-Version").is_none()
        && (field("Content-Type").is_some() || field("Content-Transfer-Encoding").is_some())
    {
        let found = "there are MIME fields and no MIME-Version".to_owned();
        add(Level::Warn, "mime.version", found, "Repute adds MIME-Version: 1.0 at submission");
    }
    // The library stops itself at some damaged multiparts ("could not find multipart", mail-parser 0.11).
    let parsed = std::panic::catch_unwind(|| MessageParser::default().parse(letter.octets));
    let Ok(parsed) = parsed else {
        let found = "its parts cannot be told from each other".to_owned();
        add(Level::Warn, "", found, "end each multipart with its boundary, and each inner one before the outer");
        return Vec::new();
    };
    let Some(message) = parsed else { return Vec::new() };
    let (mut html, mut text, mut links) = (0, 0, Vec::new());
    for part in &message.parts {
        match &part.body {
            PartType::Html(body) => {
                html += 1;
                if body.len() > HTML_SHOWN {
                    let found = format!("the HTML has {} kB, and Gmail cuts it at 102", body.len() / 1024);
                    add(Level::Warn, "", found, "make it smaller: take out comments and repeated styles");
                }
                hosts(body, &mut links);
            }
            PartType::Text(body) => {
                text += 1;
                hosts(body, &mut links);
            }
            _ => {}
        }
    }
    if html > 0 && text == 0 && !is_attachment_alone(&message) {
        let found = "there is HTML and no text beside it".to_owned();
        add(Level::Warn, "html.only", found, "send both, as multipart/alternative with the text first");
    }
    links
}

fn is_attachment_alone(message: &Message<'_>) -> bool {
    message.html_body.is_empty()
}

/// Adds the hosts of http and https links, each once.
fn hosts(text: &str, links: &mut Vec<Domain>) {
    let text = text.get(..SEARCHED_MOST).unwrap_or(text);
    for (at, _) in text.match_indices("://") {
        if links.len() == LINKS_MOST || !ends_in_scheme(&text.as_bytes()[..at]) {
            continue;
        }
        let rest = &text[at + 3..];
        let is_end = |c: char| c.is_whitespace() || "/?#\"'<>()[]\\,;&".contains(c);
        let authority = rest.split(is_end).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
        if let Ok(host) = Domain::parse(host.trim_end_matches('.'))
            && host.as_str().contains('.')
            && !links.contains(&host)
        {
            links.push(host);
        }
    }
}

/// Whether the text ends in `http` or `https`, in any case.
fn ends_in_scheme(text: &[u8]) -> bool {
    let ends =
        |scheme: &[u8]| text.len() >= scheme.len() && text[text.len() - scheme.len()..].eq_ignore_ascii_case(scheme);
    ends(b"http") || ends(b"https")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_links_are_found_once() {
        let mut links = Vec::new();
        hosts(
            "See http://A.example/x, <a href=\"HTTPS://user:pw@b.example:8080/?q=http://c.example\">, \
             ftp://d.example, https://a.example. and https:// and https://localhost/ and https://[::1]/",
            &mut links,
        );
        let names: Vec<&str> = links.iter().map(Domain::as_str).collect();
        assert_eq!(names, ["a.example", "b.example", "c.example"]);
    }
}
