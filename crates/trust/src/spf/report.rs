//! What an evaluation found, with the way it went: term by term, what each resolved to, and
//! what it cost.

use std::fmt;

use super::record::RecordError;
use crate::lookup::{Answer, Query};

/// The results of `check_host` (RFC 7208 §2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// There is no record, or no domain to ask.
    None,
    Neutral,
    Pass,
    Fail,
    SoftFail,
    /// It could not be found out now.
    TempError,
    /// The record cannot be evaluated.
    PermError,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::None => "none",
            Verdict::Neutral => "neutral",
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::SoftFail => "softfail",
            Verdict::TempError => "temperror",
            Verdict::PermError => "permerror",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub verdict: Verdict,
    /// Why it is an error or no result; `None` for the other verdicts.
    pub problem: Option<Problem>,
    /// The text that the domain's `exp` gives to a sender that failed.
    pub explanation: Option<String>,
    /// The domain's record and everything it led to, as far as the evaluation went.
    pub visit: Visit,
    /// Terms that cost a look-up, out of `limits.lookups`.
    pub lookups: u32,
    /// Look-ups that found nothing, out of `limits.voids`.
    pub voids: u32,
    pub limits: Limits,
}

/// Bounds of one evaluation (§4.6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Terms that make the receiver ask DNS.
    pub lookups: u32,
    pub voids: u32,
    /// Hosts that one `mx` may lead to; more is an error.
    pub mx_hosts: usize,
    /// Names of the address that `ptr` and `%{p}` look at; the rest is passed over.
    pub ptr_names: usize,
}

impl Default for Limits {
    /// The RFC's numbers.
    fn default() -> Limits {
        Limits { lookups: 10, voids: 2, mx_hosts: 10, ptr_names: 10 }
    }
}

/// Why there is no usable result; each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("{domain:?} is not a domain name that could have an SPF record")]
    NoDomain { domain: String },
    #[error("{domain} has no SPF record")]
    NoRecord { domain: String },
    #[error("{domain} has {count} SPF records: merge them into one")]
    SeveralRecords { domain: String, count: usize },
    #[error("the SPF record of {domain} is wrong: {error}")]
    Syntax { domain: String, error: RecordError },
    #[error("{term} leads to {domain}, which has no SPF record: remove the term or correct the name")]
    DeadEnd { term: String, domain: String },
    #[error("more than {limit} DNS look-ups are needed; the one too many is {term} in the record of {domain}")]
    TooManyLookups { limit: u32, term: String, domain: String },
    #[error(
        "more than {limit} look-ups found nothing; the one too many is {name}: remove it from the record of {domain}"
    )]
    TooManyVoids { limit: u32, name: String, domain: String },
    #[error("{domain} has {count} MX hosts, and an mx term may lead to {limit}: use ip4: and ip6: instead")]
    TooManyHosts { domain: String, count: usize, limit: usize },
    #[error("{query} could not be found out ({why}): try again later")]
    Dns { query: Query, why: String },
}

impl Problem {
    pub fn verdict(&self) -> Verdict {
        match self {
            Problem::NoDomain { .. } | Problem::NoRecord { .. } => Verdict::None,
            Problem::Dns { .. } => Verdict::TempError,
            _ => Verdict::PermError,
        }
    }
}

/// One record on the way.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Visit {
    pub domain: String,
    /// `None` where there is none, or not exactly one.
    pub record: Option<String>,
    /// What a DNS answer with all TXT records of the name takes, in octets, about.
    pub answer_octets: usize,
    /// The terms that were looked at, in their order; the last one decided.
    pub terms: Vec<TermTrace>,
    pub verdict: Option<Verdict>,
}

/// One term that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TermTrace {
    /// As written.
    pub text: String,
    /// The name that it asked about, after macros; `None` where the record holds all it needs.
    pub target: Option<String>,
    pub matched: bool,
    /// What this term cost, with everything below it.
    pub lookups: u32,
    pub voids: u32,
    /// What was asked for it and what came, without what lies below an include or a redirect.
    pub answers: Vec<(Query, Answer)>,
    /// The record behind an include or a redirect.
    pub inner: Option<Box<Visit>>,
}

impl Report {
    /// The term that decided, with the domain of its record; for an include the include's own
    /// matching term, which is what a person has to look at.
    pub fn deciding(&self) -> Option<(&str, &str)> {
        fn last(visit: &Visit) -> Option<(&str, &str)> {
            let step = visit.terms.last().filter(|s| s.matched)?;
            let inner = step.inner.as_deref().and_then(last);
            Some(inner.unwrap_or((&step.text, &visit.domain)))
        }
        last(&self.visit)
    }
}

/// For people: the verdict with its reason, then the tree of terms.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.verdict)?;
        match (&self.problem, self.deciding()) {
            (Some(problem), _) => writeln!(f, ": {problem}")?,
            (None, Some((term, domain))) => writeln!(f, ": {term} in the record of {domain} decides")?,
            (None, None) => writeln!(f, ": no term of the record matches")?,
        }
        if let Some(text) = &self.explanation {
            writeln!(f, "the domain explains: {text}")?;
        }
        let Limits { lookups, voids, .. } = self.limits;
        writeln!(f, "{} of {lookups} look-ups, {} of {voids} found nothing", self.lookups, self.voids)?;
        write_visit(f, &self.visit, 0)
    }
}

fn write_visit(f: &mut fmt::Formatter<'_>, visit: &Visit, depth: usize) -> fmt::Result {
    let indent = "  ".repeat(depth);
    match &visit.record {
        Some(record) => writeln!(f, "{indent}{}: {record} ({} octets)", visit.domain, record.len())?,
        None => writeln!(f, "{indent}{}: no usable record", visit.domain)?,
    }
    for step in &visit.terms {
        let sign = if step.matched { "matches" } else { "no match" };
        write!(f, "{indent}  {}: {sign}", step.text)?;
        if step.lookups > 0 {
            write!(f, " ({} look-up{})", step.lookups, if step.lookups == 1 { "" } else { "s" })?;
        }
        writeln!(f)?;
        for (query, answer) in &step.answers {
            writeln!(f, "{indent}    {query}: {answer}")?;
        }
        if let Some(inner) = &step.inner {
            write_visit(f, inner, depth + 2)?;
        }
    }
    Ok(())
}
