//! What is known of one check about one subject over time: a standing that takes two definite
//! answers to turn.

use std::net::IpAddr;
use std::time::Duration;

use repute_types::{Domain, Timestamp};
use serde::{Deserialize, Serialize};

use crate::checks::{Finding, Outcome};

/// A second answer counts as another one only this long after the first: the same server would
/// say the same at once, whatever it says a moment later.
pub const CONFIRM_AFTER: Duration = Duration::from_secs(5);
/// A doubt that was not confirmed for so long is begun anew.
const DOUBT_HOLDS: Duration = Duration::from_secs(3600);

/// What an answer is about. The order is that of the table of trails: by check, then by route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    pub check: String,
    pub address: Option<IpAddr>,
    pub domain: Option<Domain>,
    pub about: String,
}

impl Subject {
    pub fn of(finding: &Finding) -> Subject {
        Subject {
            check: finding.id.to_owned(),
            address: finding.address,
            domain: finding.domain.clone(),
            about: finding.about.clone(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    Good,
    Bad,
}

/// How a standing turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It was good or not known, and is bad; or it was told with another failure, and is one of its own now.
    Failed,
    /// It was bad and is good.
    Recovered,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    /// `None`: nothing definite is known yet.
    pub standing: Option<Standing>,
    /// Since when it stands.
    pub since: Timestamp,
    /// When a definite answer first contradicted it.
    pub doubt: Option<Timestamp>,
    /// It is bad, was told with another failure, and was first found bad without that one then.
    pub alone: Option<Timestamp>,
    /// A warning: good for the permit, and some trust lost.
    pub warns: bool,
    /// What the last definite answer said; until there is one, why there is none.
    pub verdict: String,
    /// What to do about it; empty where nothing is.
    pub cure: String,
    /// The check whose fix puts this one right too.
    pub follows: Option<String>,
}

impl Trail {
    pub fn new(at: Timestamp) -> Trail {
        Trail {
            standing: None,
            since: at,
            doubt: None,
            alone: None,
            warns: false,
            verdict: String::new(),
            cure: String::new(),
            follows: None,
        }
    }

    pub fn is_bad(&self) -> bool {
        self.standing == Some(Standing::Bad)
    }

    /// Takes an answer in.
    pub fn observe(&mut self, finding: &Finding, at: Timestamp) -> Option<Turn> {
        let heard = match finding.outcome {
            Outcome::Unknown => {
                // Who waits for a first answer is told why there is none.
                if self.standing.is_none() && self.doubt.is_none() {
                    self.keep(finding);
                }
                return None;
            }
            Outcome::Pass | Outcome::Warn => Standing::Good,
            Outcome::Fail => Standing::Bad,
        };
        if self.is_bad() && heard == Standing::Bad && self.follows.is_some() && finding.follows.is_none() {
            return self.come_to_light(finding, at);
        }
        self.alone = None;
        if self.standing == Some(heard) {
            self.doubt = None;
            self.keep(finding);
            return None;
        }
        // A first good answer is believed as it is: without it nothing could ever leave.
        if self.standing.is_none() && heard == Standing::Good {
            return self.turn(heard, finding, at);
        }
        match self.doubt {
            Some(first) if at.since(first) > DOUBT_HOLDS => self.doubt = Some(at),
            Some(first) if at.since(first) >= CONFIRM_AFTER => return self.turn(heard, finding, at),
            Some(_) => {}
            None => self.doubt = Some(at),
        }
        if self.standing.is_none() {
            self.keep(finding);
        }
        None
    }

    /// It was told with another failure, which is mended, and it stays: that is a failure of its own. As any other it takes two
    /// answers, since what is mended at one server may not be at the next.
    fn come_to_light(&mut self, finding: &Finding, at: Timestamp) -> Option<Turn> {
        self.doubt = None;
        let first = *self.alone.get_or_insert(at);
        if at.since(first) < CONFIRM_AFTER {
            return None;
        }
        self.alone = None;
        self.keep(finding);
        Some(Turn::Failed)
    }

    fn turn(&mut self, to: Standing, finding: &Finding, at: Timestamp) -> Option<Turn> {
        let before = self.standing.replace(to);
        (self.since, self.doubt) = (at, None);
        self.keep(finding);
        match (before, to) {
            (_, Standing::Bad) => Some(Turn::Failed),
            (Some(Standing::Bad), Standing::Good) => Some(Turn::Recovered),
            _ => None,
        }
    }

    fn keep(&mut self, finding: &Finding) {
        self.warns = finding.outcome == Outcome::Warn;
        self.verdict.clone_from(&finding.verdict);
        self.cure = finding.fix.as_ref().map_or(String::new(), cure);
        self.follows = finding.follows.map(str::to_owned);
    }
}

/// A fix as one line.
fn cure(fix: &crate::checks::Fix) -> String {
    match fix.records.as_slice() {
        [] => fix.advice.clone(),
        records => format!("{}: {}", fix.advice, records.join("; ")),
    }
}
