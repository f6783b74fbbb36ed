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

/// Something that filters see, with our check of the same.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    pub name: String,
    pub check: String,
    /// A half sentence for people.
    pub says: String,
    rspamd: Vec<(String, f64)>,
    spamassassin: Vec<(String, f64)>,
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
    for sign in seen.iter().filter_map(|name| sign(name)) {
        let rules = match filter {
            Filter::Rspamd => &sign.rspamd,
            Filter::SpamAssassin => &sign.spamassassin,
        };
        for (name, points) in rules {
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
            add(sign.rule, f64::from(sign.points.0) / 100.0, "name.ptr.generic", &because);
        }
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
