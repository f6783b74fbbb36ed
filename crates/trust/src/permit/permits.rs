//! All permits of a server, computed from what is known of each check.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::ops::Bound;

use repute_types::{Domain, Timestamp};
use serde::{Deserialize, Serialize};

use super::override_::Override;
use super::rules::{Scope, Suspending, suspending};
use super::trail::{Standing, Subject, Trail, Turn};
use crate::checks::catalogue::is_within;
use crate::checks::{Finding, Outcome, entry};

/// A finding that is not made any more is forgotten after so many runs without it.
const ABSENT_MOST: u8 = 3;

/// What a permit is for. Without an address: by a relay host, where the receivers see the relay's;
/// without a domain: mail whose domain is not of the configuration (any more).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    pub address: Option<IpAddr>,
    pub domain: Option<Domain>,
}

/// What the findings come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// Not every question has been answered yet.
    Unproven {
        why: String,
    },
    Permitted {
        since: Timestamp,
    },
    Suspended {
        check: String,
        verdict: String,
        cure: String,
        because: &'static str,
        since: Timestamp,
    },
}

/// What holds for a pair: what was found, and what an operator says beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rights {
    #[serde(flatten)]
    pub found: State,
    #[serde(rename = "override")]
    pub overridden: Option<Override>,
}

impl Rights {
    /// Whether mail may leave.
    pub fn may(&self) -> bool {
        match &self.overridden {
            Some(said) => said.word == super::Word::Allow,
            None => matches!(self.found, State::Permitted { .. }),
        }
    }

    /// Why not, with the cure: one sentence for a person whose mail waits.
    pub fn why_not(&self) -> String {
        if let Some(said) = &self.overridden {
            return format!("{} suspended it until {}: {}", said.who, said.until, said.reason);
        }
        match &self.found {
            State::Unproven { why } => why.clone(),
            State::Permitted { .. } => "it is permitted".into(),
            State::Suspended { check, verdict, cure, .. } if cure.is_empty() => format!("{check}: {verdict}"),
            State::Suspended { check, verdict, cure, .. } => format!("{check}: {verdict}; fix: {cure}"),
        }
    }
}

/// A check that turned about a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub subject: Subject,
    /// `None`: it was bad, and is not looked at any more.
    pub turn: Option<Turn>,
    pub trail: Trail,
}

/// One record of what has to outlive a restart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {
    Trail(Subject, Trail),
    Proven(Key, Timestamp),
    Override(Override),
    /// An address, and what it was checked with.
    Address(IpAddr, String),
    Domain(Domain, String),
}

/// What there is to be permitted.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// Each with what its findings hold for: the EHLO name.
    pub addresses: BTreeMap<IpAddr, String>,
    /// Each with its return path and keys.
    pub domains: BTreeMap<Domain, String>,
    /// The addresses that mail of a domain may leave from; every address where it is not here.
    pub pools: BTreeMap<Domain, BTreeSet<IpAddr>>,
    /// Checks that are taken as passed.
    pub assumed: Vec<String>,
}

impl Configured {
    /// Whether mail of the domain may leave from the address at all.
    fn pairs(&self, address: Option<&IpAddr>, domain: Option<&Domain>) -> bool {
        let (Some(address), Some(domain)) = (address, domain) else { return true };
        self.pools.get(domain).is_none_or(|pool| pool.contains(address))
    }
}

#[derive(Debug, Default)]
pub struct Permits {
    configured: Configured,
    trails: BTreeMap<Subject, Trail>,
    proven: BTreeMap<Key, Timestamp>,
    overrides: Vec<Override>,
    /// Runs without a finding that was there before.
    absent: HashMap<Subject, u8>,
}

impl Permits {
    /// What there is to be permitted. What was found about an address or a domain that is set
    /// up otherwise now holds no more. Returns what was bad and is forgotten by it.
    pub fn configure(&mut self, now: Configured) -> Vec<Changed> {
        let was = &self.configured;
        let address_holds = |a: &IpAddr| now.addresses.get(a).is_some_and(|of| was.addresses.get(a) == Some(of));
        let domain_holds = |d: &Domain| now.domains.get(d).is_some_and(|of| was.domains.get(d) == Some(of));
        let holds = |a: Option<&IpAddr>, d: Option<&Domain>| {
            a.is_none_or(address_holds) && d.is_none_or(domain_holds) && now.pairs(a, d)
        };
        let gone: Vec<Subject> =
            self.trails.keys().filter(|s| !holds(s.address.as_ref(), s.domain.as_ref())).cloned().collect();
        self.proven.retain(|key, _| holds(key.address.as_ref(), key.domain.as_ref()));
        self.configured = now;
        gone.into_iter().filter_map(|subject| self.forget(subject)).collect()
    }

    /// Takes the findings of a run in, of which `made` says whether a check was part.
    pub fn observe(&mut self, findings: &[Finding], made: impl Fn(&str) -> bool, at: Timestamp) -> Vec<Changed> {
        let mut changes = Vec::new();
        for finding in findings {
            let subject = Subject::of(finding);
            self.absent.remove(&subject);
            let trail = self.trails.entry(subject).or_insert_with(|| Trail::new(at));
            if let Some(turn) = trail.observe(finding, at) {
                changes.push(Changed { subject: Subject::of(finding), turn: Some(turn), trail: trail.clone() });
            }
        }
        changes.extend(self.forget_absent(findings, made));
        self.prove(at);
        changes
    }

    /// What is not found any more, though nothing was unknown, is forgotten after some runs.
    fn forget_absent(&mut self, findings: &[Finding], made: impl Fn(&str) -> bool) -> Vec<Changed> {
        let seen: HashSet<(&str, Option<IpAddr>, Option<&Domain>, &str)> =
            findings.iter().map(|f| (f.id, f.address, f.domain.as_ref(), f.about.as_str())).collect();
        let seen = |s: &Subject| seen.contains(&(s.check.as_str(), s.address, s.domain.as_ref(), s.about.as_str()));
        let unknown: HashSet<(Option<IpAddr>, Option<&Domain>)> =
            findings.iter().filter(|f| f.outcome == Outcome::Unknown).map(|f| (f.address, f.domain.as_ref())).collect();
        let unknown = |s: &Subject| unknown.contains(&(s.address, s.domain.as_ref()));
        let absent = self.trails.keys().filter(|s| made(&s.check) && !seen(s) && !unknown(s));
        let mut gone = Vec::new();
        for subject in absent {
            let runs = self.absent.entry(subject.clone()).or_default();
            *runs += 1;
            if *runs >= ABSENT_MOST {
                gone.push(subject.clone());
            }
        }
        gone.into_iter().filter_map(|subject| self.forget(subject)).collect()
    }

    fn forget(&mut self, subject: Subject) -> Option<Changed> {
        self.absent.remove(&subject);
        let trail = self.trails.remove(&subject)?;
        trail.is_bad().then_some(Changed { subject, turn: None, trail })
    }

    fn prove(&mut self, at: Timestamp) {
        for key in self.keys() {
            if !self.proven.contains_key(&key) && self.questions(&key).is_ok_and(|open| open.is_none()) {
                self.proven.insert(key, at);
            }
        }
    }

    /// Everything that there is a permit for: each address with each domain whose pool it is in, the domains by a
    /// relay host, and each address with domains that are not ours any more.
    pub fn keys(&self) -> Vec<Key> {
        let addresses = || std::iter::once(None).chain(self.configured.addresses.keys().copied().map(Some));
        let domains = || std::iter::once(None).chain(self.configured.domains.keys().cloned().map(Some));
        let all = addresses().flat_map(|address| domains().map(move |domain| Key { address, domain }));
        all.filter(|key| self.configured.pairs(key.address.as_ref(), key.domain.as_ref())).collect()
    }

    /// Whether mail of the domain may leave from the address at all, by its pool.
    pub fn pairs(&self, address: IpAddr, domain: &Domain) -> bool {
        self.configured.pairs(Some(&address), Some(domain))
    }

    pub fn rights(&self, key: &Key, now: Timestamp) -> Rights {
        let found = match self.questions(key) {
            Err(suspended) => suspended,
            Ok(open) => match (self.proven.get(key), open) {
                (Some(since), _) => State::Permitted { since: *since },
                (None, None) => State::Permitted { since: now },
                (None, Some(why)) => State::Unproven { why },
            },
        };
        Rights { found, overridden: self.overridden(key, now).cloned() }
    }

    /// The one that was said last holds.
    fn overridden(&self, key: &Key, now: Timestamp) -> Option<&Override> {
        let of = self.overrides.iter().filter(|o| !o.is_over(now) && o.covers(key.address, key.domain.as_ref()));
        of.max_by_key(|o| o.at)
    }

    /// `Err` where a failure stops it; else the first question that has no answer yet.
    fn questions(&self, key: &Key) -> Result<Option<String>, State> {
        let mut open = None;
        for rule in self.rules() {
            let (address, domain) = match rule.scope {
                Scope::Address => (key.address, None),
                Scope::Domain => (None, key.domain.as_ref()),
                Scope::Pair => (key.address, key.domain.as_ref()),
            };
            let asks = match rule.scope {
                Scope::Address => address.is_some(),
                Scope::Domain => domain.is_some(),
                Scope::Pair => address.is_some() && domain.is_some(),
            };
            if asks && let Some(why) = self.answer(rule, address, domain)? {
                open.get_or_insert(why);
            }
        }
        Ok(open)
    }

    fn rules(&self) -> impl Iterator<Item = &'static Suspending> {
        suspending().iter().filter(|rule| {
            let built = entry(&rule.check).is_some_and(|entry| entry.built);
            built && !self.configured.assumed.iter().any(|assumed| is_within(&rule.check, assumed))
        })
    }

    fn answer(
        &self,
        rule: &'static Suspending,
        address: Option<IpAddr>,
        domain: Option<&Domain>,
    ) -> Result<Option<String>, State> {
        let trails: Vec<&Trail> = self.about(&rule.check, address, domain).map(|(_, trail)| trail).collect();
        let bad = trails.iter().find(|trail| trail.is_bad());
        let all_bad = trails.iter().all(|trail| trail.is_bad());
        if let Some(trail) = bad
            && (all_bad || !rule.one_is_enough)
        {
            return Err(State::Suspended {
                check: rule.check.clone(),
                verdict: trail.verdict.clone(),
                cure: self.cure(trail, address, domain),
                because: &rule.because,
                since: trail.since,
            });
        }
        let good = trails.iter().any(|trail| trail.standing == Some(Standing::Good));
        let open = trails.iter().find(|trail| trail.standing.is_none());
        Ok(match open {
            _ if !rule.proves || (good && rule.one_is_enough) => None,
            Some(trail) if trail.doubt.is_some() => {
                Some(format!("{} failed once and is asked again: {}", rule.check, trail.verdict))
            }
            Some(trail) => Some(format!("{}: {}", rule.check, trail.verdict)),
            None if !good => Some(format!("{} has not been checked yet", rule.check)),
            None => None,
        })
    }

    /// What to do; where the fix of another check puts it right, that one's.
    fn cure(&self, trail: &Trail, address: Option<IpAddr>, domain: Option<&Domain>) -> String {
        if !trail.cure.is_empty() {
            return trail.cure.clone();
        }
        let leads = trail.follows.iter().flat_map(|check| self.about(check, address, domain));
        leads.map(|(_, trail)| trail.cure.clone()).find(|cure| !cure.is_empty()).unwrap_or_default()
    }

    fn about(
        &self,
        check: &str,
        address: Option<IpAddr>,
        domain: Option<&Domain>,
    ) -> impl Iterator<Item = (&Subject, &Trail)> {
        let first = Subject { check: check.to_owned(), address, domain: domain.cloned(), about: String::new() };
        let like = first.clone();
        let same = move |s: &Subject| (&s.check, s.address, &s.domain) == (&like.check, like.address, &like.domain);
        self.trails.range((Bound::Included(first), Bound::Unbounded)).take_while(move |(subject, _)| same(subject))
    }

    pub fn trail(&self, subject: &Subject) -> Option<&Trail> {
        self.trails.get(subject)
    }

    pub fn trails(&self) -> impl Iterator<Item = (&Subject, &Trail)> {
        self.trails.iter()
    }

    pub fn overrides(&self) -> &[Override] {
        &self.overrides
    }

    /// The word that was said before about the same is replaced.
    pub fn say(&mut self, said: Override) {
        self.unsay(said.address, said.domain.as_ref());
        self.overrides.push(said);
    }

    /// Takes an operator's word back; whether there was one.
    pub fn unsay(&mut self, address: Option<IpAddr>, domain: Option<&Domain>) -> bool {
        let before = self.overrides.len();
        self.overrides.retain(|said| !said.is_about(address, domain));
        self.overrides.len() < before
    }

    /// Forgets words whose time is over, and says which.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Override> {
        let (over, rest) = std::mem::take(&mut self.overrides).into_iter().partition(|said| said.is_over(now));
        self.overrides = rest;
        over
    }

    /// What has to outlive a restart, each under a name of its own; the first `passed` are passed over.
    pub fn records(&self, passed: usize) -> impl Iterator<Item = (String, Record)> {
        let of = &self.configured;
        let trails = self.trails.iter().map(|(subject, trail)| Kept::Trail(subject, trail));
        let proven = self.proven.iter().map(|(key, at)| Kept::Proven(key, *at));
        let overrides = self.overrides.iter().map(Kept::Override);
        let addresses = of.addresses.iter().map(|(address, of)| Kept::Address(*address, of));
        let domains = of.domains.iter().map(|(domain, of)| Kept::Domain(domain, of));
        trails.chain(proven).chain(overrides).chain(addresses).chain(domains).skip(passed).map(Kept::record)
    }

    /// What a former run of the server kept. `configure` comes after it.
    pub fn restore(records: impl IntoIterator<Item = Record>) -> Permits {
        let mut permits = Permits::default();
        for record in records {
            match record {
                Record::Trail(subject, trail) => drop(permits.trails.insert(subject, trail)),
                Record::Proven(key, at) => drop(permits.proven.insert(key, at)),
                Record::Override(said) => permits.overrides.push(said),
                Record::Address(address, of) => drop(permits.configured.addresses.insert(address, of)),
                Record::Domain(domain, of) => drop(permits.configured.domains.insert(domain, of)),
            }
        }
        permits
    }
}

/// A record before it is one.
enum Kept<'a> {
    Trail(&'a Subject, &'a Trail),
    Proven(&'a Key, Timestamp),
    Override(&'a Override),
    Address(IpAddr, &'a String),
    Domain(&'a Domain, &'a String),
}

impl Kept<'_> {
    fn record(self) -> (String, Record) {
        let word = |a: Option<IpAddr>| a.map_or("*".to_owned(), |a| a.to_string());
        let name = |d: Option<&Domain>| d.map_or("*".to_owned(), Domain::to_string);
        match self {
            Kept::Trail(s, trail) => {
                let text = format!("trail {} {} {} {}", s.check, word(s.address), name(s.domain.as_ref()), s.about);
                (text, Record::Trail(s.clone(), trail.clone()))
            }
            Kept::Proven(key, at) => {
                let text = format!("proven {} {}", word(key.address), name(key.domain.as_ref()));
                (text, Record::Proven(key.clone(), at))
            }
            Kept::Override(said) => {
                let text = format!("override {} {}", word(said.address), name(said.domain.as_ref()));
                (text, Record::Override(said.clone()))
            }
            Kept::Address(address, of) => (format!("address {address}"), Record::Address(address, of.clone())),
            Kept::Domain(domain, of) => (format!("domain {domain}"), Record::Domain(domain.clone(), of.clone())),
        }
    }
}
