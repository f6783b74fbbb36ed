//! One click to unsubscribe (RFC 8058), which Gmail and Yahoo ask of bulk mail.

use repute_types::{Level, Remark};

use super::Letter;
use crate::header::Header;

const ID: &str = "unsub.oneclick";
const FIX: &str = "write List-Unsubscribe: <https://…> and List-Unsubscribe-Post: List-Unsubscribe=One-Click; \
                   the link takes a POST without a log-in";

/// Whether it says itself that it goes to many.
pub(super) fn says_bulk(header: &Header) -> bool {
    let precedence = header.find("Precedence").map(|f| f.text().to_ascii_lowercase());
    let says = |p: Vec<u8>| p == b"bulk" || p == b"list" || p == b"junk";
    header.find("List-Id").is_some() || header.find("List-Unsubscribe").is_some() || precedence.is_some_and(says)
}

/// The https link, where there is one.
pub(super) fn judge(letter: &Letter<'_>, remarks: &mut Vec<Remark>) -> Option<String> {
    let header = letter.header;
    let bulk = letter.about.bulk || says_bulk(header);
    let text = |name: &str| header.find(name).map(|f| String::from_utf8_lossy(&f.text()).into_owned());
    let (list, post) = (text("List-Unsubscribe"), text("List-Unsubscribe-Post"));
    let links: Vec<&str> = list.iter().flat_map(|l| l.split('<').skip(1)).filter_map(|l| l.split('>').next()).collect();
    let https = links.iter().map(|l| l.trim()).find(|l| l.to_ascii_lowercase().starts_with("https://"));
    let one_click = post.as_deref().is_some_and(|p| p.trim().eq_ignore_ascii_case("List-Unsubscribe=One-Click"));
    let mut add = |level, sign, found: String| remarks.push(Remark::new(ID, level, found, FIX).sign(sign));
    // Without the rules for bulk mail a broken field is a blemish, no reason to be refused.
    let bad = if bulk { Level::Fail } else { Level::Warn };
    match (&list, https, one_click) {
        (None, _, _) if !bulk => {
            let found = "it does not say that it goes to many, so it need not be unsubscribed (--bulk says it does)";
            remarks.push(Remark::new(ID, Level::Info, found.to_owned(), ""));
        }
        (None, _, _) => add(bad, "unsub.missing", "bulk mail has no List-Unsubscribe field".into()),
        (Some(_), None, _) => add(bad, "unsub.missing", "List-Unsubscribe has no https link in < >".into()),
        (Some(_), Some(_), false) => {
            let what = if post.is_some() { "is not List-Unsubscribe=One-Click" } else { "is missing" };
            add(bad, "unsub.missing", format!("List-Unsubscribe-Post {what}, so one click is not enough"));
        }
        (Some(_), Some(link), true) => {
            let found = format!("one click unsubscribes at {}", host(link));
            remarks.push(Remark::new(ID, Level::Info, found, ""));
        }
    }
    https.map(|link| (*link).to_owned())
}

/// The link's host alone: its path is a person's.
fn host(link: &str) -> &str {
    link.get(8..).unwrap_or_default().split(['/', '?', '#']).next().unwrap_or_default()
}
