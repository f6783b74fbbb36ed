//! One list: where it is asked, what its answers say, and what a person needs to know of it.

use std::net::IpAddr;

use serde::Deserialize;

use super::code::CodePattern;
use crate::lookup::{Kind, Query, can_be_asked};
use crate::names::reverse::reversed;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// For people: `Spamhaus ZEN`.
    pub name: String,
    /// Where it is asked without a key; `None` for a list that answers only those who have one.
    pub zone: Option<String>,
    /// Where it is asked with a key, which stands for `{key}`.
    pub keyed_zone: Option<String>,
    /// Which key of the configuration: `spamhaus`. Several lists may share one.
    pub key: Option<String>,
    pub holds: Holds,
    /// Whether addresses of the family are in it.
    #[serde(default)]
    pub v4: bool,
    #[serde(default)]
    pub v6: bool,
    pub tier: Tier,
    /// What each answer means.
    #[serde(default, rename = "code")]
    pub codes: Vec<Code>,
    /// For lists whose last octet is a sum of bits.
    #[serde(default, rename = "bit")]
    pub bits: Vec<Bit>,
    /// For domain lists: a name that always is listed, and one that never is, where they are
    /// not those of RFC 5782 §5 (`TEST`, `INVALID`).
    pub test_listed: Option<String>,
    pub test_clean: Option<String>,
    /// Where a person looks up why; `{q}` stands for what is listed.
    pub lookup: String,
    /// Where a person asks for removal, if it is elsewhere.
    pub delist: Option<String>,
    /// When and how a listing ends.
    pub expiry: Option<String>,
    /// Checks that have to pass before one asks for removal, since the list itself makes them.
    #[serde(default)]
    pub precheck: Vec<String>,
    /// Who may ask, how much.
    pub terms: Option<String>,
    /// When somebody last saw it alive (`2026-08-15`); `None` where nobody has proved it: then
    /// its own test points have to, before its first answer counts.
    pub alive_as_of: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holds {
    Addresses,
    Domains,
}

/// How much a listing matters, ordered from most to least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Large receivers refuse mail for it.
    Blocking,
    /// Some receivers do, or count it.
    Notice,
    /// Few ask it.
    Minor,
    /// Good to know; never a reason to act.
    Info,
}

/// What an entry says about what is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Meaning {
    #[default]
    Bad,
    /// Known, and neither good nor bad.
    Neutral,
    Good,
    /// No entry at all: the list does not answer us, or not this question.
    Error,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    pub code: CodePattern,
    /// `SBL`, `PBL`.
    pub name: String,
    #[serde(default)]
    pub meaning: Meaning,
    /// The likely cause, for people.
    pub cause: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bit {
    /// 1, 2, 4, … 128.
    pub bit: u8,
    pub name: String,
    #[serde(default)]
    pub meaning: Meaning,
    pub cause: String,
}

/// What a list is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    Address(IpAddr),
    /// A domain without trailing dot.
    Domain(&'a str),
}

impl List {
    /// Whether the list can hold such a thing at all.
    pub fn covers(&self, subject: Subject<'_>) -> bool {
        match subject {
            Subject::Address(ip) => {
                let family = if ip.to_canonical().is_ipv4() { self.v4 } else { self.v6 };
                self.holds == Holds::Addresses && family
            }
            // An address asked of a domain list is answered with an error code.
            Subject::Domain(name) => self.holds == Holds::Domains && name.parse::<IpAddr>().is_err(),
        }
    }

    /// The question about a subject, to the zone that [`super::Table::zone`] gave. `None` where
    /// the list does not cover it, or no query can carry the name.
    pub fn query(&self, zone: &str, subject: Subject<'_>) -> Option<Query> {
        if !self.covers(subject) {
            return None;
        }
        let prefix = match subject {
            Subject::Address(ip) => reversed(ip.to_canonical()),
            Subject::Domain(name) => name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase(),
        };
        let name = format!("{prefix}.{zone}");
        can_be_asked(&name).then_some(Query { name, kind: Kind::A })
    }

    /// The page where a person looks it up.
    pub fn lookup_page(&self, subject: Subject<'_>) -> String {
        let q = match subject {
            Subject::Address(ip) => ip.to_string(),
            Subject::Domain(name) => name.to_owned(),
        };
        self.lookup.replace("{q}", &q)
    }
}
