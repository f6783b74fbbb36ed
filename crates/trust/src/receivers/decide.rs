//! How a large receiver decides: what it refuses for comes first, then its points.

use std::net::IpAddr;
use std::sync::LazyLock;

use serde::Deserialize;

use super::points::{Filter, Score, scores};
use crate::names::generic;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    /// As a report calls it: `Gmail`.
    pub name: String,
    /// As it is asked for: `gmail`.
    pub key: String,
    /// An MX host of its, by which its replies are told from those of others.
    pub host: String,
    pub filter: Filter,
    /// From so many points on a message goes where nobody looks.
    pub junk: f64,
    /// From so many points on it is refused; never where it is not said.
    pub reject: Option<f64>,
    pub source: String,
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// It holds where one of these is seen …
    pub signs: Vec<String>,
    /// … and none of these.
    #[serde(default)]
    pub unless: Vec<String>,
    /// It holds for those who send to many alone.
    #[serde(default)]
    pub bulk: bool,
    /// Our check of the same.
    pub check: String,
    /// `None` where the message is taken, as junk.
    pub reply: Option<String>,
    #[serde(default)]
    pub junk: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    receiver: Vec<Receiver>,
}

static RECEIVERS: LazyLock<Vec<Receiver>> = LazyLock::new(|| {
    let table: Table = toml::from_str(include_str!("../../data/receivers.toml")).expect("a test reads the same table");
    table.receiver
});

pub fn receivers() -> &'static [Receiver] {
    &RECEIVERS
}

/// By its key, or its name in any case.
pub fn receiver(name: &str) -> Option<&'static Receiver> {
    RECEIVERS.iter().find(|r| r.key.eq_ignore_ascii_case(name) || r.name.eq_ignore_ascii_case(name))
}

/// What a receiver sees, and what its reply names.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub signs: &'a [String],
    /// What makes the reverse name look machine-made.
    pub generic: &'a [generic::Sign],
    /// The sender sends to many.
    pub bulk: bool,
    /// `None` for a message that is not sent yet.
    pub ip: Option<IpAddr>,
    /// The domain in From, in MAIL FROM, the EHLO name, the list that has the address; empty
    /// where there is none.
    pub from: &'a str,
    pub mail_from: &'a str,
    pub helo: &'a str,
    /// Where that list is asked.
    pub list: &'a str,
    /// Some list has the address; some list has a name.
    pub listed: (bool, bool),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Inbox,
    /// It is taken, and nobody sees it.
    Junk {
        check: String,
        because: String,
    },
    /// With the receiver's words: `550 5.7.25 …`.
    Refused {
        check: String,
        reply: String,
    },
}

impl Decision {
    /// The check that tells of the same, where it did not reach the inbox.
    pub fn check(&self) -> Option<&str> {
        match self {
            Decision::Inbox => None,
            Decision::Junk { check, .. } | Decision::Refused { check, .. } => Some(check),
        }
    }

    /// `inbox`, `junk`, `refused`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Decision::Inbox => "inbox",
            Decision::Junk { .. } => "junk",
            Decision::Refused { .. } => "refused",
        }
    }
}

impl Receiver {
    pub fn decide(&self, view: &View<'_>) -> Decision {
        let scores = scores(view.signs, view.generic);
        let score = scores.iter().find(|s| s.filter == self.filter);
        if let Some((rule, sign)) = self.rules.iter().find_map(|rule| Some((rule, rule.sign(view)?))) {
            let because = super::points::sign(sign).map_or_else(|| words(sign).to_owned(), |s| s.says.clone());
            return match &rule.reply {
                Some(reply) => Decision::Refused { check: rule.check.clone(), reply: view.fill(reply) },
                None => Decision::Junk { check: rule.check.clone(), because },
            };
        }
        match score {
            Some(score) if self.reject.is_some_and(|most| score.points >= most) => {
                let reply = format!("554 5.7.1 Spam message rejected ({:.1} points)", score.points);
                Decision::Refused { check: dearest(score), reply }
            }
            Some(score) if score.points >= self.junk => {
                let because = format!("{:.1} points, and {:.0} are too many", score.points, self.junk);
                Decision::Junk { check: dearest(score), because }
            }
            _ => Decision::Inbox,
        }
    }
}

/// Signs that no filter has points for.
fn words(sign: &str) -> &'static str {
    match sign {
        "unsub.missing" => "bulk mail cannot be unsubscribed with one click",
        "listed" => "the address is on a black list",
        "listed-name" => "a name is on a black list",
        "generic" | "dynamic" => "the reverse name looks machine-made",
        _ => "a rule of the receiver's",
    }
}

/// The check behind the symbol that costs most.
fn dearest(score: &Score) -> String {
    score.symbols.first().map_or(String::new(), |s| s.check.clone())
}

impl Rule {
    /// The sign by which it holds.
    fn sign(&self, view: &View<'_>) -> Option<&str> {
        if self.bulk && !view.bulk || self.unless.iter().any(|s| view.has(s)) {
            return None;
        }
        self.signs.iter().map(String::as_str).find(|s| view.has(s))
    }
}

impl View<'_> {
    fn has(&self, sign: &str) -> bool {
        match sign {
            "listed" => self.listed.0,
            "listed-name" => self.listed.1,
            "generic" => generic::points(self.generic).0 > 0,
            "dynamic" => generic::points(self.generic).0 >= 200,
            _ => self.signs.iter().any(|s| s == sign),
        }
    }

    fn fill(&self, reply: &str) -> String {
        let ip = self.ip.map_or_else(|| "your address".to_owned(), |ip| ip.to_string());
        let filled = reply.replace("{ip}", &ip).replace("{from}", self.from).replace("{mailfrom}", self.mail_from);
        filled.replace("{helo}", self.helo).replace("{list}", self.list)
    }
}
