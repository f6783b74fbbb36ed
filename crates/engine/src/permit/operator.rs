//! What an operator may ask of permits, incidents and the history of trust, and say about them.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use repute_ledger::{Incident, Score, TrustChange};
use repute_trust::permit::{Override, Rights, Standing, State, Subject, Trail, Word};
use repute_types::event::Level;
use repute_types::{Domain, Timestamp};
use serde::{Deserialize, Serialize};

use super::board;
use crate::control::{Control, ControlError};
use crate::disk;

/// For how many seconds a word may hold: 30 days at most, and no word holds for no time.
pub const HOLDS: RangeInclusive<u64> = 1..=30 * 24 * 3600;

/// A permit as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct PermitRow {
    /// `None`: by a relay host.
    pub address: Option<IpAddr>,
    pub domain: Domain,
    /// `permitted`, `unproven`, `suspended`, `allowed` or `barred` (by an operator).
    pub word: &'static str,
    pub may: bool,
    /// Why it may not leave, and what to do.
    pub why: Option<String>,
    /// Points of trust, of 100.
    pub trust: u32,
    #[serde(flatten)]
    pub rights: Rights,
}

#[derive(Clone, Debug, Serialize)]
pub struct PermitList {
    /// Whether mail without a permit waits.
    pub enforced: bool,
    /// Whether checks are repeated.
    pub watched: bool,
    /// Checks that are taken as passed.
    pub assumed: Vec<String>,
    pub rows: Vec<PermitRow>,
    /// Parts that wait for a permit.
    pub waiting: usize,
}

/// What an operator says about permits.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Say {
    /// `None` takes back what was said before.
    pub word: Option<Word>,
    /// `None`: every address.
    pub address: Option<IpAddr>,
    /// `None`: every domain.
    pub domain: Option<Domain>,
    /// For how many seconds it holds.
    pub seconds: u64,
    pub reason: String,
    pub who: String,
}

/// What is known of one check about one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckRow {
    pub check: String,
    pub address: Option<IpAddr>,
    pub domain: Option<Domain>,
    pub about: String,
    /// `good`, `warns`, `bad`, or `unknown` where nothing definite has been answered yet.
    pub result: &'static str,
    pub since: Timestamp,
    /// What the last definite answer said.
    pub verdict: String,
    /// What to do about it; empty where nothing is.
    pub cure: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct TrustHistory {
    pub changes: Vec<TrustChange>,
    pub scores: Vec<Score>,
}

/// The state in a word.
pub(crate) fn word(rights: &Rights) -> &'static str {
    match (&rights.overridden, &rights.found) {
        (Some(said), _) if said.word == Word::Allow => "allowed",
        (Some(_), _) => "barred",
        (None, State::Unproven { .. }) => "unproven",
        (None, State::Permitted { .. }) => "permitted",
        (None, State::Suspended { .. }) => "suspended",
    }
}

impl Control {
    /// Each address with each domain, and the domains by a relay host where there are routes.
    pub fn permits(&self) -> PermitList {
        let (settings, now) = (self.works.settings(), self.works.now());
        let watched = self.works.doors.trust.is_some() && settings.permit.watch;
        let rows = self.works.board.permits(|permits| {
            let keys =
                permits.keys().into_iter().filter(|key| key.address.is_some() || settings.permit.chosen.is_empty());
            let keys = keys.filter(|key| key.address.is_some() || settings.egresses.is_empty());
            let points = permits.points();
            keys.filter_map(|key| {
                let rights = permits.rights(&key, now);
                let trust = points.of(key.address, key.domain.as_ref());
                let why = (!rights.may()).then(|| rights.why_not());
                let (word, may) = (word(&rights), rights.may());
                Some(PermitRow { address: key.address, domain: key.domain?, word, may, why, trust, rights })
            })
            .collect()
        });
        let waiting = self.works.queue(|queue| queue.barred());
        let enforced = self.works.doors.trust.is_some() && settings.permit.enforce;
        PermitList { enforced, watched, assumed: settings.permit.assume.clone(), rows, waiting }
    }

    /// What the watch has found so far, by check.
    pub fn checks(&self) -> Vec<CheckRow> {
        let row = |(subject, trail): (&Subject, &Trail)| CheckRow {
            check: subject.check.clone(),
            address: subject.address,
            domain: subject.domain.clone(),
            about: subject.about.clone(),
            result: match (trail.standing, trail.warns) {
                (None, _) => "unknown",
                (Some(Standing::Bad), _) => "bad",
                (Some(Standing::Good), true) => "warns",
                (Some(Standing::Good), false) => "good",
            },
            since: trail.since,
            verdict: trail.verdict.clone(),
            cure: trail.cure.clone(),
        };
        self.works.board.permits(|permits| permits.trails().map(row).collect())
    }

    /// Allows or suspends for a time, or takes that back. It is written down with the reason.
    pub async fn say(&self, say: Say) -> Result<PermitList, ControlError> {
        let works = &self.works;
        let doors = works.doors.trust.clone().ok_or(ControlError::NoPermits)?;
        let now = works.now();
        self.knows(&say)?;
        let before = board::states(works, now);
        let held = Duration::from_secs(say.seconds.min(*HOLDS.end()));
        let until = now + held;
        works.board.permits(|permits| match say.word {
            Some(word) => permits.say(Override {
                word,
                address: say.address,
                domain: say.domain.clone(),
                at: now,
                until,
                reason: say.reason.clone(),
                who: say.who.clone(),
            }),
            None => drop(permits.unsay(say.address, say.domain.as_ref())),
        });
        board::refresh(works);
        let state = say.word.map_or("reset", Word::as_str);
        let text = match say.word {
            Some(_) => format!("until {until}: {}", say.reason),
            None => say.reason.clone(),
        };
        works.note(Level::Warning, "permit", format!("{} said {state} ({}) {text}", say.who, about(&say)));
        let change = TrustChange {
            at: now,
            what: "override".into(),
            state: state.into(),
            address: say.address.map(|a| a.to_string()),
            domain: say.domain.as_ref().map(Domain::to_string),
            text,
            who: Some(say.who),
        };
        doors.store.note(vec![change]).await.map_err(ControlError::Trust)?;
        board::follow(works, &doors, Vec::new(), before, now).await;
        Ok(self.permits())
    }

    /// A word about what there is not would look as if it held.
    fn knows(&self, say: &Say) -> Result<(), ControlError> {
        let setup = board::setup(&self.works.settings());
        if let Some(address) = say.address
            && setup.sources().all(|source| source.address != address)
        {
            return Err(ControlError::NoSuchEgress(address));
        }
        match &say.domain {
            Some(domain) if setup.domains.iter().all(|sending| sending.name != *domain) => {
                Err(ControlError::NoSuchDomain(domain.clone()))
            }
            Some(domain) => match say.address {
                Some(ip) if !self.works.board.permits(|permits| permits.pairs(ip, domain)) => {
                    Err(ControlError::NotInPool(ip, domain.clone()))
                }
                _ => Ok(()),
            },
            None => Ok(()),
        }
    }

    /// Wants checks made now, or groups of them; all that permits need where none is named.
    pub fn recheck(&self, checks: Vec<String>) {
        self.works.board.ask(checks);
    }

    /// Open incidents, open circuits and a spool that takes no mail among them, and so many closed ones, the newest first.
    pub async fn incidents(&self, closed: usize) -> Result<Vec<Incident>, ControlError> {
        let mut found = match &self.works.doors.trust {
            Some(doors) => doors.store.incidents(closed).await.map_err(ControlError::Trust)?,
            None => Vec::new(),
        };
        found.extend(self.works.circuits.incidents());
        // What the spool refuses now, and nobody has met yet, becomes an incident by being asked for.
        disk::refusal(&self.works);
        self.works.disk.lay_over(&mut found, closed > 0);
        found.sort_by_key(|one| std::cmp::Reverse((one.closed.is_none(), one.opened)));
        Ok(found)
    }

    /// What changed since then, and the scores of each pair.
    pub async fn trust_history(&self, since: Timestamp, limit: usize) -> Result<TrustHistory, ControlError> {
        let Some(doors) = &self.works.doors.trust else {
            return Ok(TrustHistory { changes: Vec::new(), scores: Vec::new() });
        };
        let changes = doors.store.changes(since, limit).await.map_err(ControlError::Trust)?;
        let scores = doors.store.scores(since).await.map_err(ControlError::Trust)?;
        Ok(TrustHistory { changes, scores })
    }
}

fn about(say: &Say) -> String {
    let address = say.address.map_or("every address".to_owned(), |a| a.to_string());
    let domain = say.domain.as_ref().map_or("every domain".to_owned(), Domain::to_string);
    format!("{address}, {domain}")
}
