//! One line of the suppression list.

use std::fmt;
use std::str::FromStr;

use repute_types::labels::list_name;
use repute_types::{Address, MessageId, Timestamp};
use serde::{Deserialize, Serialize};

/// For whose mail an entry counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "scope", rename_all = "snake_case")]
pub enum Scope {
    /// Nobody here writes to the address.
    All,
    /// Nothing from this account.
    Account { account: String },
    /// Nothing by this list of the account; what else the account sends goes on.
    List { account: String, list: String },
}

impl Scope {
    /// A list is always one of an account; it is known by the one spelling of its name.
    pub fn of(account: Option<&str>, list: Option<&str>) -> Scope {
        match (account, list) {
            (None, _) => Scope::All,
            (Some(account), None) => Scope::Account { account: account.to_owned() },
            (Some(account), Some(list)) => Scope::List { account: account.to_owned(), list: list_name(list) },
        }
    }

    pub fn account(&self) -> Option<&str> {
        match self {
            Scope::All => None,
            Scope::Account { account } | Scope::List { account, .. } => Some(account),
        }
    }

    pub fn list(&self) -> Option<&str> {
        match self {
            Scope::List { list, .. } => Some(list),
            _ => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::All => f.write_str("all mail"),
            Scope::Account { account } => write!(f, "account {account}"),
            Scope::List { account, list } => write!(f, "list {list} of account {account}"),
        }
    }
}

/// Why nothing is sent. The order is that of weight: where several stand for an address, the
/// greatest is the one that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The recipient's own permanent fault: there is no such mailbox, or it is closed.
    Unknown,
    /// A person put it here.
    Manual,
    Unsubscribed,
    Complaint,
}

impl Why {
    pub const ALL: [Why; 4] = [Why::Unknown, Why::Manual, Why::Unsubscribed, Why::Complaint];

    pub fn as_str(self) -> &'static str {
        match self {
            Why::Unknown => "unknown",
            Why::Manual => "manual",
            Why::Unsubscribed => "unsubscribed",
            Why::Complaint => "complaint",
        }
    }

    /// The end of "mail to this address is suppressed: ".
    pub fn sentence(self) -> &'static str {
        match self {
            Why::Unknown => "the receiving server says that there is no such mailbox",
            Why::Manual => "an operator put it on the suppression list",
            Why::Unsubscribed => "the recipient has unsubscribed",
            Why::Complaint => "the recipient has called mail from here spam",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is none of unknown, manual, unsubscribed, complaint")]
pub struct NoSuchWhy;

impl FromStr for Why {
    type Err = NoSuchWhy;

    fn from_str(text: &str) -> Result<Why, NoSuchWhy> {
        Why::ALL.into_iter().find(|why| why.as_str().eq_ignore_ascii_case(text)).ok_or(NoSuchWhy)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// As it was written to; looked up by its [`spelling`].
    pub address: Address,
    #[serde(flatten)]
    pub scope: Scope,
    pub why: Why,
    /// A sentence for people; may be empty.
    #[serde(default)]
    pub reason: String,
    /// The reply or the diagnostic text that proves it.
    #[serde(default)]
    pub reply: Option<String>,
    /// The message that it was learnt from.
    #[serde(default)]
    pub message: Option<MessageId>,
    /// Since when.
    pub at: Timestamp,
    /// Until when; `None` is for good.
    #[serde(default)]
    pub expires: Option<Timestamp>,
}

impl Entry {
    /// An entry without evidence, for good.
    pub fn new(address: Address, scope: Scope, why: Why, at: Timestamp) -> Entry {
        Entry { address, scope, why, reason: String::new(), reply: None, message: None, at, expires: None }
    }

    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Cause, date and evidence in one line, for a reply or an event.
    pub fn told(&self) -> String {
        let mut text = format!("{} ({}, since {})", self.why.sentence(), self.scope, self.at);
        for more in [Some(self.reason.as_str()), self.reply.as_deref()].into_iter().flatten() {
            if !more.is_empty() {
                text.push_str(": ");
                text.push_str(more);
            }
        }
        text
    }
}

/// The spelling by which an address is known here: the domain in lower-case A-labels (as every
/// [`Domain`](repute_types::Domain) is), the local part in lower case, without quotes that it does not need.
///
/// RFC 5321 §2.4 leaves the case of a local part to the receiver; no receiver of note tells two people
/// apart by it, and who left as `Ann@` has not asked to be written to as `ann@`. Subaddresses
/// (`ann+news@`) and dots are the receiver's own business, and stay different.
pub fn spelling(address: &Address) -> String {
    let local = address.local();
    let bare = local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|inside| !inside.contains('\\') && Address::parse(&format!("{inside}@{}", address.domain())).is_ok());
    let (local, domain) = (bare.unwrap_or(local), address.domain().as_str());
    let mut spelling = String::with_capacity(local.len() + 1 + domain.len());
    if local.is_ascii() {
        spelling.push_str(local);
        spelling.make_ascii_lowercase();
    } else {
        spelling.push_str(&local.to_lowercase());
    }
    spelling.push('@');
    spelling.push_str(domain);
    spelling
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_mailbox_are_one() {
        let check = |a: &str, b: &str, same: bool| {
            let [a, b] = [a, b].map(|text| Address::parse(text).unwrap());
            assert_eq!(spelling(&a) == spelling(&b), same, "{a} {b}");
        };
        check("Ann@Example.NET", "ann@example.net", true);
        check("\"ann\"@example.net", "ann@example.net", true);
        check("JÜRGEN@example.net", "jürgen@example.net", true);
        check("ann@bücher.example", "ann@xn--bcher-kva.example", true);
        check("\"a b\"@example.net", "\"A B\"@example.net", true);
        check("ann+news@example.net", "ann@example.net", false);
        check("a.nn@example.net", "ann@example.net", false);
        check("\"a..b\"@example.net", "\"a.b\"@example.net", false);
    }

    #[test]
    fn an_entry_is_flat_in_json() {
        let mut entry = Entry::new(
            Address::parse("ann@example.net").unwrap(),
            Scope::of(Some("shop"), Some("news")),
            Why::Unsubscribed,
            Timestamp(1_795_485_950_120),
        );
        entry.message = Some(MessageId(5));
        let json = serde_json::to_value(&entry).unwrap();
        assert_eq!((json["scope"].as_str(), json["account"].as_str()), (Some("list"), Some("shop")));
        assert_eq!(serde_json::from_value::<Entry>(json).unwrap(), entry);
        let short = serde_json::json!({
            "address": "a@b.test", "scope": "all", "why": "manual", "at": "2026-11-24T01:02:03Z"
        });
        assert_eq!(serde_json::from_value::<Entry>(short).unwrap().scope, Scope::All);
    }
}
