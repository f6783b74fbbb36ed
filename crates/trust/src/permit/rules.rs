//! `data/permit.toml`: which checks take a permit away, and how often each is repeated.

use std::sync::LazyLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::checks::catalogue::is_within;
use crate::dnsbl::Tier;

/// What a failure stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All mail from the address.
    Address,
    /// All mail of the domain, also by a relay host.
    Domain,
    /// Mail of the domain from the address.
    Pair,
}

/// A check whose failure takes permits away.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Suspending {
    pub check: String,
    pub scope: Scope,
    /// Who refuses mail for it.
    pub because: String,
    /// Of several findings (one a key) a single good one keeps the permit.
    #[serde(default)]
    pub one_is_enough: bool,
    /// Whether it has to be known before a first permit.
    #[serde(default = "yes")]
    pub proves: bool,
}

fn yes() -> bool {
    true
}

/// How often a check is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    pub every: Duration,
    /// While it fails.
    pub failing: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    suspends: Vec<Suspending>,
    cadence: Vec<Times>,
    lists: Vec<ListTimes>,
    connects: Connects,
}

/// What the watch connects for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Connects {
    checks: Vec<String>,
}

/// How often the watch asks lists of a tier.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListTimes {
    tier: Tier,
    every: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Times {
    checks: Vec<String>,
    every: String,
    failing: Option<String>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| toml::from_str(include_str!("../../data/permit.toml")).expect("a test reads the same table"));

const DAILY: Duration = Duration::from_secs(24 * 3600);
/// What fails is looked at again this soon, so that whoever puts it right need not wait long.
const FAILING: Duration = Duration::from_secs(60);

/// The checks that take permits away, in the order in which they are told.
pub fn suspending() -> &'static [Suspending] {
    &TABLE.suspends
}

/// Whether the watch connects to servers for this check; else it asks DNS alone.
pub fn connects(check: &str) -> bool {
    TABLE.connects.checks.iter().any(|of| is_within(check, of))
}

/// How often this check is repeated: as the most special entry says, else once a day.
pub fn cadence(check: &str) -> Cadence {
    let entries = TABLE.cadence.iter().flat_map(|times| times.checks.iter().map(move |of| (of, times)));
    let found = entries.filter(|(of, _)| is_within(check, of)).max_by_key(|(of, _)| of.len());
    let Some((_, times)) = found else { return Cadence { every: DAILY, failing: FAILING * 60 } };
    let every = seconds(&times.every);
    let failing = times.failing.as_deref().map_or(FAILING, seconds);
    Cadence { every, failing: failing.min(every) }
}

/// How often lists of this tier are asked while they have none of ours: as the table says, else with every
/// check of lists.
pub fn list_every(tier: Tier) -> Duration {
    let times = TABLE.lists.iter().find(|times| times.tier == tier);
    times.map_or(Duration::ZERO, |times| seconds(&times.every))
}

/// `5m`, `1h`; the table is ours, and a test reads all of it.
fn seconds(text: &str) -> Duration {
    let (number, unit) = text.split_at(text.len() - 1);
    let number: u64 = number.parse().expect("a number of the table");
    Duration::from_secs(match unit {
        "s" => number,
        "m" => number * 60,
        "h" => number * 3600,
        _ => panic!("{text} in data/permit.toml has no unit"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::catalogue::{entry, within};

    #[test]
    fn the_table_names_checks_that_there_are() {
        for one in suspending() {
            assert!(entry(&one.check).is_some() && !one.because.is_empty(), "{}", one.check);
        }
        for times in &TABLE.cadence {
            for of in &times.checks {
                assert!(!within(of).is_empty(), "{of}");
                assert!(cadence(of).every >= Duration::from_secs(60), "{of}");
            }
        }
        for of in &TABLE.connects.checks {
            let calm = within(of).iter().all(|check| cadence(&check.id).failing >= Duration::from_secs(300));
            assert!(!within(of).is_empty() && calm, "{of}");
        }
    }

    #[test]
    fn the_most_special_entry_says_how_often() {
        let minutes = |check| cadence(check).every.as_secs() / 60;
        assert_eq!(minutes("name.fcrdns"), 1);
        assert_eq!(minutes("name.from.soa"), 60);
        assert_eq!(minutes("spf.pass.each"), 5);
        assert_eq!(minutes("ip.rpki"), 24 * 60);
        let hours = |tier| list_every(tier).as_secs() / 3600;
        assert_eq!([Tier::Blocking, Tier::Notice, Tier::Minor, Tier::Info].map(hours), [1, 6, 24, 24]);
        assert_eq!(cadence("bl.ip"), Cadence { every: Duration::from_secs(3600), failing: Duration::from_secs(300) });
    }
}
