//! The findings of a run, and what they come to for each address and domain.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use repute_trust::checks::{Finding, Outcome, Rule, catalogue, entry};
use repute_trust::setup::{Sending, Setup};
use repute_types::{Domain, Timestamp};
use serde::Serialize;

use crate::doors::Kept;

/// Large receivers whose rules are known, in the order in which they are shown.
pub const PROVIDERS: [&str; 6] = ["Gmail", "Outlook", "Yahoo", "iCloud", "GMX", "T-Online"];

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    pub at: Timestamp,
    pub hostname: Domain,
    /// All checks were made; otherwise `trust` and `takes` speak of those made alone.
    pub whole: bool,
    /// Each address with each domain; without domains, each address. Empty where the run was to leave them out.
    pub pairs: Vec<Pair>,
    /// By rule, then by check.
    pub findings: Vec<Finding>,
    /// What is kept for the next run beside the findings.
    #[serde(skip)]
    pub kept: Kept,
}

/// Mail of a domain from an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    pub address: Option<IpAddr>,
    pub ehlo: Domain,
    pub domain: Option<Domain>,
    /// Points of 100: what is left after the weights of what failed, and a third of the weights
    /// of what is to be warned of.
    pub trust: u32,
    /// Something could not be found out: it may be less.
    pub at_most: bool,
    pub takes: Vec<Takes>,
}

/// What a receiver is known to do with the mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Takes {
    pub provider: &'static str,
    /// `Fail`: it refuses. `Unknown`: something that it asks for was not found out, or is not
    /// checked yet.
    pub outcome: Outcome,
    /// Its code for the refusal, where it gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The check that it refuses for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<&'static str>,
}

impl Report {
    pub(crate) fn new(setup: &Setup, findings: Vec<Finding>, at: Timestamp, whole: bool, kept: Kept) -> Report {
        Report { at, hostname: setup.hostname.clone(), whole, pairs: Vec::new(), findings, kept }
    }

    /// Says what the findings come to for each pair.
    pub(crate) fn with_pairs(mut self, setup: &Setup) -> Report {
        self.pairs = self.judged(setup);
        self
    }

    fn judged(&self, setup: &Setup) -> Vec<Pair> {
        let (places, mut pairs) = (self.places(), Vec::new());
        let domains: Vec<Option<&Sending>> = match setup.domains.as_slice() {
            [] => vec![None],
            some => some.iter().map(Some).collect(),
        };
        let mut sources: Vec<_> = setup.sources().map(|source| (Some(source.address), source.ehlo)).collect();
        if sources.is_empty() {
            sources.push((None, setup.hostname.clone()));
        }
        for (address, ehlo) in sources {
            let of_pool = |of: &&Option<&Sending>| of.zip(address).is_none_or(|(of, address)| of.leaves_from(address));
            for sending in domains.iter().filter(of_pool) {
                let domain = sending.map(|sending| sending.name.clone());
                let of: Vec<&Finding> = concerns(&places, address, domain.as_ref()).collect();
                let worst = Worst::of(&of);
                let (trust, at_most) = trust(&worst);
                let takes = PROVIDERS.map(|p| takes(p, &worst)).to_vec();
                pairs.push(Pair { address, ehlo: ehlo.clone(), domain, trust, at_most, takes });
            }
        }
        pairs
    }

    /// What concerns mail of a domain from an address.
    pub fn of(&self, address: Option<IpAddr>, domain: Option<&Domain>) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |f| {
            let here = f.address.is_none() || f.address == address;
            here && (f.domain.is_none() || f.domain.as_ref() == domain)
        })
    }

    /// By what they are about: with thousands of pairs each looks at its own alone.
    fn places(&self) -> Places<'_> {
        let mut places = Places::new();
        for finding in &self.findings {
            places.entry((finding.address, finding.domain.as_ref())).or_default().push(finding);
        }
        places
    }

    pub fn has(&self, outcome: Outcome) -> bool {
        self.findings.iter().any(|f| f.outcome == outcome)
    }

    /// 0 all passes; 2 something fails; 3 something could not be found out; 1 warnings alone.
    pub fn exit_code(&self) -> u8 {
        match () {
            _ if self.has(Outcome::Fail) => 2,
            _ if self.has(Outcome::Unknown) => 3,
            _ if self.has(Outcome::Warn) => 1,
            _ => 0,
        }
    }
}

/// Findings by the address and the domain that they are about.
type Places<'a> = HashMap<(Option<IpAddr>, Option<&'a Domain>), Vec<&'a Finding>>;

/// The same of each pair.
fn concerns<'a>(
    places: &Places<'a>,
    address: Option<IpAddr>,
    domain: Option<&'a Domain>,
) -> impl Iterator<Item = &'a Finding> {
    // Where there is no address or no domain, some of the four are one.
    let about = BTreeSet::from([(None, None), (None, domain), (address, None), (address, domain)]);
    about.into_iter().filter_map(|about| places.get(&about)).flatten().copied()
}

/// The rule that a finding belongs to.
pub fn rule_of(finding: &Finding) -> Rule {
    entry(finding.id).map_or(Rule::SinceThen, |entry| entry.rule)
}

/// How each check came out at worst: with thousands of domains this is asked a thousand times for each.
pub(crate) struct Worst(HashMap<&'static str, Of>);

#[derive(Default)]
struct Of {
    all: Option<Outcome>,
    /// Of what is known and follows from no other check.
    counted: Option<Outcome>,
    is_unknown: bool,
}

impl Worst {
    pub fn of(findings: &[&Finding]) -> Worst {
        let mut worst = HashMap::<&'static str, Of>::new();
        for finding in findings {
            let of = worst.entry(finding.id).or_default();
            let outcome = Some(finding.outcome);
            of.all = of.all.max(outcome);
            match finding.outcome {
                Outcome::Unknown => of.is_unknown = true,
                _ if finding.follows.is_none() => of.counted = of.counted.max(outcome),
                _ => {}
            }
        }
        Worst(worst)
    }
}

/// Each check counts once, and not beside the one that it follows from.
pub(crate) fn trust(worst: &Worst) -> (u32, bool) {
    let lost = worst.0.iter().filter_map(|(id, of)| {
        let weight = entry(id)?.weight;
        match of.counted? {
            Outcome::Fail => Some(weight),
            Outcome::Warn => Some(weight.div_ceil(3)),
            _ => None,
        }
    });
    (100u32.saturating_sub(lost.sum()), worst.0.values().any(|of| of.is_unknown))
}

/// Checks that a run leaves out only where it may connect to nobody; the others that are missing have
/// nothing to look at (no IPv6 address, no mail sent yet).
const ALWAYS_MADE: [&str; 1] = ["name.imprint"];

pub(crate) fn takes(provider: &'static str, worst: &Worst) -> Takes {
    let mut takes = Takes { provider, outcome: Outcome::Pass, code: None, because: None };
    for check in catalogue() {
        let Some(written) = check.refused_by.iter().find_map(|by| by.strip_prefix(provider)) else { continue };
        match worst.0.get(check.id.as_str()).and_then(|of| of.all) {
            Some(Outcome::Fail) => {
                let code = Some(written.trim()).filter(|code| !code.is_empty());
                return Takes { outcome: Outcome::Fail, code, because: Some(&check.id), provider };
            }
            Some(Outcome::Unknown) => takes.outcome = Outcome::Unknown,
            // What it refuses for was not checked: nothing can be promised.
            None if !check.built || ALWAYS_MADE.contains(&check.id.as_str()) => takes.outcome = Outcome::Unknown,
            _ => {}
        }
    }
    takes
}
