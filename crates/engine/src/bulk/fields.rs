//! The header fields of bulk mail that are ours to write: by which a recipient leaves (RFC 2369,
//! RFC 8058), and by which a receiver tells campaigns apart (Feedback-ID). They are in front of the message before it is signed.

use repute_feedback::Token;
use repute_message::Header;
use repute_types::{Content, MessageId, PartId, Stream};

use super::leave::{MAILTO, unsubscribe_url};
use crate::config::{SendingDomain, Settings};
use crate::door::Account;
use crate::works::Works;

/// What the fields of one message are about.
pub(super) struct About<'a> {
    pub part: PartId,
    pub domain: &'a SendingDomain,
    pub account: &'a str,
    pub campaign: Option<&'a str>,
    pub list: Option<&'a str>,
}

/// The fields in the order in which they stand in front of the message.
pub(super) fn write(works: &Works, url: &str, about: &About<'_>) -> String {
    let SendingDomain { name, return_path, .. } = about.domain;
    let token = works.doors.tokens.write(&Token::Unsubscribe { part: about.part, recipient: 0 });
    let mut out = format!("List-Unsubscribe: <{}>", unsubscribe_url(url, &token));
    if let Some(domain) = return_path {
        out += &format!(",\r\n <mailto:{MAILTO}+{token}@{domain}?subject=unsubscribe>");
    }
    out += "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n";
    if let Some(list) = about.list {
        out += &format!("List-Id: <{}.{name}>\r\n", label(list));
    }
    let campaign = about.campaign.or(about.list).map_or_else(|| "mail".to_owned(), label);
    // The last one is the sender, and stays the same for all its mail.
    out += &format!("Feedback-ID: {campaign}:{}:bulk:{name}\r\n", label(about.account));
    out
}

/// As it may stand between colons and dots.
fn label(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' }).collect()
}

/// The fields for a message of a bulk account to one recipient that has none of its own; whether
/// there were any to add.
pub(crate) fn add_to_single(
    works: &Works,
    settings: &Settings,
    account: &Account,
    domain: &SendingDomain,
    id: MessageId,
    list: Option<&str>,
    content: &mut Content,
) -> bool {
    let Some(url) = settings.bulk.url.as_deref() else { return false };
    if account.stream != Stream::Bulk || !settings.bulk.list_unsubscribe {
        return false;
    }
    let has_its_own = Header::read(content).is_ok_and(|header| header.find("List-Unsubscribe").is_some());
    if has_its_own {
        return false;
    }
    let about = About { part: PartId { message: id, number: 0 }, domain, account: &account.name, campaign: None, list };
    content.prepend(write(works, url, &about));
    true
}
