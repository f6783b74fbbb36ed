//! Every check there is (`data/checks.toml`): its rule, who refuses mail for it, its weight,
//! its source, and whether it is built.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// What a check belongs to, in the order in which it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "u8")]
pub enum Rule {
    /// What has to hold before the rules can be judged.
    Before,
    StaticAddress,
    Names,
    BlackLists,
    Spf,
    DomainKeys,
    SinceThen,
}

impl Rule {
    pub const ALL: [Rule; 7] = [
        Rule::Before,
        Rule::StaticAddress,
        Rule::Names,
        Rule::BlackLists,
        Rule::Spf,
        Rule::DomainKeys,
        Rule::SinceThen,
    ];

    /// 1 to 5 for the five rules.
    pub fn number(self) -> u8 {
        self as u8
    }

    pub fn title(self) -> &'static str {
        match self {
            Rule::Before => "DNS",
            Rule::StaticAddress => "Static IP",
            Rule::Names => "Forward/reverse",
            Rule::BlackLists => "Black lists",
            Rule::Spf => "SPF",
            Rule::DomainKeys => "DomainKeys",
            Rule::SinceThen => "since then",
        }
    }
}

impl TryFrom<u8> for Rule {
    type Error = String;
    fn try_from(number: u8) -> Result<Rule, String> {
        Rule::ALL.get(usize::from(number)).copied().ok_or_else(|| format!("there is no rule {number}"))
    }
}

impl Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u8(self.number())
    }
}

/// `1 Static IP`, `since then`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Before | Rule::SinceThen => f.write_str(self.title()),
            _ => write!(f, "{} {}", self.number(), self.title()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub id: String,
    pub rule: Rule,
    pub title: String,
    /// Receivers that refuse mail for it, each with its code where it gives one: `Gmail 5.7.25`.
    #[serde(default)]
    pub refused_by: Vec<String>,
    /// Points of trust, of 100, that a failure costs.
    #[serde(default)]
    pub weight: u32,
    #[serde(default)]
    pub source: String,
    #[serde(default)]
    pub built: bool,
    /// It judges one message, not a set-up: `repute message check` makes it.
    #[serde(default)]
    pub message: bool,
    /// Why it is not built, and where what it asks for is done instead.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why_not: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    check: Vec<Entry>,
}

static TABLE: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let table: Table = toml::from_str(include_str!("../../data/checks.toml")).expect("a test reads the same table");
    table.check
});

/// Where each stands: a run of thousands of domains asks it for each of a hundred thousand findings.
static PLACES: LazyLock<HashMap<&str, usize>> =
    LazyLock::new(|| TABLE.iter().enumerate().map(|(place, entry)| (entry.id.as_str(), place)).collect());

/// All checks, by rule, the one that leads a rule first.
pub fn catalogue() -> &'static [Entry] {
    &TABLE
}

pub fn entry(id: &str) -> Option<&'static Entry> {
    PLACES.get(id).and_then(|place| TABLE.get(*place))
}

/// Where a check stands in the catalogue; unknown ones last.
pub fn place(id: &str) -> usize {
    PLACES.get(id).copied().unwrap_or(TABLE.len())
}

/// The checks of an id, or of a group: `spf` is all of `spf.…`.
pub fn within(wanted: &str) -> Vec<&'static Entry> {
    TABLE.iter().filter(|entry| is_within(&entry.id, wanted)).collect()
}

pub fn is_within(id: &str, wanted: &str) -> bool {
    id.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_table_is_whole() {
        let ids: HashSet<&str> = catalogue().iter().map(|e| e.id.as_str()).collect();
        assert_eq!(ids.len(), catalogue().len(), "an id stands twice");
        assert!(catalogue().is_sorted_by_key(|e| e.rule));
        for entry in catalogue().iter().filter(|e| e.built) {
            assert!(!entry.source.is_empty() && entry.weight <= 30, "{}", entry.id);
        }
        for entry in catalogue() {
            assert_eq!(entry.built, entry.why_not.is_empty(), "{} says why it is not built, if it is not", entry.id);
        }
    }

    #[test]
    fn groups_end_at_dots() {
        let ids = |wanted| within(wanted).iter().map(|e| e.id.as_str()).collect::<Vec<_>>();
        assert_eq!(ids("bl.ip"), ["bl.ip"]);
        assert!(ids("dns").contains(&"dns.ttl") && !ids("dns").contains(&"dnssec.own"));
        assert!(ids("sp").is_empty());
    }
}
