//! The points of rspamd and SpamAssassin for what they see.

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::names::generic;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    Rspamd,
    SpamAssassin,
}

impl Filter {
    pub const ALL: [Filter; 2] = [Filter::Rspamd, Filter::SpamAssassin];

    pub fn as_str(self) -> &'static str {
        match self {
            Filter::Rspamd => "rspamd",
            Filter::SpamAssassin => "SpamAssassin",
        }
    }
}

/// Something that filters see, with our check of the same: what a check that fails predicts.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    pub name: String,
    pub check: String,
    /// A half sentence for people.
    pub says: String,
    /// Rules and points; empty where the filter does not mind.
    rspamd: Vec<(String, f64)>,
    spamassassin: Vec<(String, f64)>,
    /// A sign of signs holds where each of `all` does, and one of `any` if there are some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub any: Vec<String>,
    /// Rules whose points do not count beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    takes_back: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    sign: Vec<Sign>,
}

static SIGNS: LazyLock<Vec<Sign>> = LazyLock::new(|| {
    let table: Table = toml::from_str(include_str!("../../data/signs.toml")).expect("a test reads the same table");
    table.sign
});

/// Every sign that a filter has a symbol for.
pub fn signs() -> &'static [Sign] {
    &SIGNS
}

pub fn sign(name: &str) -> Option<&'static Sign> {
    SIGNS.iter().find(|sign| sign.name == name)
}

/// What filters see where a check of ours fails: the symbols that it predicts.
pub fn predicted(check: &str) -> Vec<Sign> {
    let of_table = SIGNS.iter().filter(|sign| sign.check == check).cloned();
    let machine_made = generic::rules().filter(|_| check == MACHINE_MADE).map(|rule| Sign {
        name: format!("generic {}", rule.rule),
        check: MACHINE_MADE.to_owned(),
        says: rule.because.clone(),
        rspamd: of_filter(&rule, generic::Filter::Rspamd),
        spamassassin: of_filter(&rule, generic::Filter::SpamAssassin),
        all: Vec::new(),
        any: Vec::new(),
        takes_back: Vec::new(),
    });
    of_table.chain(machine_made).collect()
}

/// The check of a reverse name that looks machine-made.
const MACHINE_MADE: &str = "name.ptr.generic";

fn of_filter(rule: &generic::Sign, filter: generic::Filter) -> Vec<(String, f64)> {
    let points = f64::from(rule.points.0) / 100.0;
    if rule.filter == filter { vec![(rule.rule.to_owned(), points)] } else { Vec::new() }
}

impl Sign {
    /// Whether a sign of signs holds beside these.
    fn follows_from(&self, seen: &[String]) -> bool {
        let is_seen = |wanted: &String| match wanted.as_str() {
            "listed" => seen.iter().filter_map(|name| sign(name)).any(Sign::is_costly_entry),
            _ => seen.contains(wanted),
        };
        !(self.all.is_empty() && self.any.is_empty())
            && self.all.iter().all(is_seen)
            && (self.any.is_empty() || self.any.iter().any(is_seen))
    }

    fn is_costly_entry(&self) -> bool {
        self.name.starts_with("listed ") && self.rspamd.iter().any(|(_, points)| *points > 0.0)
    }

    /// The rules of a filter that fire, with their points.
    pub fn rules(&self, filter: Filter) -> &[(String, f64)] {
        match filter {
            Filter::Rspamd => &self.rspamd,
            Filter::SpamAssassin => &self.spamassassin,
        }
    }
}

/// A rule of a filter that fires.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Symbol {
    pub name: String,
    pub points: f64,
    /// Our check of the same.
    pub check: String,
    pub because: String,
}

/// What a filter comes to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    pub filter: Filter,
    pub points: f64,
    /// Those that cost most first; none of no points.
    pub symbols: Vec<Symbol>,
}

/// Both filters' points. `generic` is what makes the reverse name look machine-made.
pub fn scores(signs: &[String], generic: &[generic::Sign]) -> Vec<Score> {
    Filter::ALL.iter().map(|filter| score(*filter, signs, generic)).collect()
}

fn score(filter: Filter, seen: &[String], generic: &[generic::Sign]) -> Score {
    let mut symbols: Vec<Symbol> = Vec::new();
    let mut add = |name: &str, points: f64, check: &str, because: &str| {
        // A symbol counts once, however often it is found.
        if points != 0.0 && symbols.iter().all(|s| s.name != name) {
            symbols.push(Symbol { name: name.into(), points, check: check.into(), because: because.into() });
        }
    };
    let of_signs: Vec<&'static Sign> = SIGNS.iter().filter(|sign| sign.follows_from(seen)).collect();
    for sign in seen.iter().filter_map(|name| sign(name)).chain(of_signs.iter().copied()) {
        for (name, points) in sign.rules(filter) {
            add(name, *points, &sign.check, &sign.says);
        }
    }
    for sign in generic {
        let same = match sign.filter {
            generic::Filter::Rspamd => filter == Filter::Rspamd,
            generic::Filter::SpamAssassin => filter == Filter::SpamAssassin,
            generic::Filter::Receivers => false,
        };
        if same {
            let because = format!("the reverse name looks machine-made: {}", sign.because);
            add(sign.rule, f64::from(sign.points.0) / 100.0, MACHINE_MADE, &because);
        }
    }
    if filter == Filter::Rspamd {
        let of_table = seen.iter().filter_map(|name| sign(name));
        let taken: Vec<&String> = of_table.chain(of_signs).flat_map(|sign| &sign.takes_back).collect();
        symbols.retain(|symbol| !taken.contains(&&symbol.name));
    }
    symbols.sort_by(|a, b| b.points.total_cmp(&a.points).then_with(|| a.name.cmp(&b.name)));
    let sum: f64 = symbols.iter().map(|s| s.points).sum();
    Score { filter, points: (sum * 1000.0).round() / 1000.0, symbols }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Less than a tenth below nothing is nothing.
        let points = if self.points.abs() < 0.05 { 0.0 } else { self.points };
        write!(f, "{} {points:.1}", self.filter.as_str())?;
        // Marks of no weight say nothing to people.
        let told =
            self.symbols.iter().filter(|s| s.points.abs() >= 0.05).map(|s| format!("{} {:.1}", s.name, s.points));
        let told: Vec<String> = told.collect();
        if told.is_empty() { Ok(()) } else { write!(f, ": {}", told.join(", ")) }
    }
}
