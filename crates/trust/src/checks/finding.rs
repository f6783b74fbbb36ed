//! What a check found.

use std::fmt;
use std::net::IpAddr;

use repute_types::Domain;
use serde::{Deserialize, Serialize};

/// How a check came out. The order is that of how much it asks of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Pass,
    /// Some receivers count it, or it breaks soon.
    Warn,
    /// It could not be found out.
    Unknown,
    /// Receivers refuse mail for it, or junk it.
    Fail,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Pass => "pass",
            Outcome::Warn => "warn",
            Outcome::Unknown => "unknown",
            Outcome::Fail => "fail",
        })
    }
}

/// What to do, with the values filled in.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
pub struct Fix {
    pub advice: String,
    /// Lines of a zone file to publish.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Of the catalogue: `name.ptr.exists`.
    pub id: &'static str,
    pub outcome: Outcome,
    /// What was looked at: an address, a name, a list. With the id it tells findings apart.
    pub about: String,
    /// The egress that it concerns; `None` where it concerns all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The sending domain that it concerns; `None` where it concerns all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// One sentence: what was found, and what was expected.
    pub verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// The check whose fix puts this one right too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<&'static str>,
    /// Checks that a list makes itself before it removes an entry, and how they come out for us
    /// (`None`: not made in this run).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prechecks: Vec<(String, Option<Outcome>)>,
}

impl Finding {
    pub fn new(id: &'static str, outcome: Outcome, about: impl fmt::Display, verdict: impl Into<String>) -> Finding {
        let (about, verdict) = (about.to_string(), verdict.into());
        Finding {
            id,
            outcome,
            about,
            address: None,
            domain: None,
            verdict,
            fix: None,
            follows: None,
            prechecks: Vec::new(),
        }
    }

    pub fn pass(id: &'static str, about: impl fmt::Display, verdict: impl Into<String>) -> Finding {
        Finding::new(id, Outcome::Pass, about, verdict)
    }

    pub fn warn(id: &'static str, about: impl fmt::Display, verdict: impl Into<String>) -> Finding {
        Finding::new(id, Outcome::Warn, about, verdict)
    }

    pub fn fail(id: &'static str, about: impl fmt::Display, verdict: impl Into<String>) -> Finding {
        Finding::new(id, Outcome::Fail, about, verdict)
    }

    /// `what` could not be found out, and why.
    pub fn unknown(id: &'static str, about: impl fmt::Display, what: impl fmt::Display, why: &str) -> Finding {
        Finding::new(id, Outcome::Unknown, about, format!("{what} could not be found out ({why})"))
    }

    pub fn fix(mut self, advice: impl Into<String>) -> Finding {
        self.fix.get_or_insert_default().advice = advice.into();
        self
    }

    /// A line of a zone file to publish.
    pub fn record(mut self, line: impl Into<String>) -> Finding {
        self.fix.get_or_insert_default().records.push(line.into());
        self
    }

    pub fn follows(mut self, id: &'static str) -> Finding {
        if self.id != id && self.outcome != Outcome::Pass {
            self.follows = Some(id);
        }
        self
    }

    /// As [`Finding::follows`], by the name of a check of the catalogue; another name changes nothing.
    pub fn follows_any(self, id: &str) -> Finding {
        match super::entry(id) {
            Some(entry) => self.follows(&entry.id),
            None => self,
        }
    }

    pub fn for_address(mut self, address: IpAddr) -> Finding {
        self.address = Some(address);
        self
    }

    pub fn for_domain(mut self, domain: &Domain) -> Finding {
        self.domain = Some(domain.clone());
        self
    }
}
