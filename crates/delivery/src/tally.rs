//! How sessions with the hosts of a domain went, as to TLS: counted for the reports that the domain may ask for (RFC
//! 8460 §4.3), in memory, until whoever keeps the counts takes them.
//!
//! A session counts once for each domain whose mail it carries, and is held against that domain's own policy: the TLSA
//! records of the host where they decided, else its MTA-STS policy, also one that is only being tested, else none. A host
//! that cannot be reached, or that breaks off before TLS could be begun, is no session; neither is one with a relay.
//!
//! Bounded: [`KINDS_MOST`] kinds of sessions between two takings; sessions of further kinds are left out, and their number is told.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use repute_net::CertificateFault;
use repute_trust::tlsrpt::{PolicyType, ResultType};
use repute_types::{Clock, Domain};

use crate::HostName;
use crate::sts::{Policies, Standing};

const KINDS_MOST: usize = 20_000;
/// Octets of a reason: others have to read it.
const REASON_MOST: usize = 200;
/// Octets of a policy's text and of its hosts each: it is a stranger's, and kept with each kind.
const POLICY_MOST: usize = 4096;

/// What was counted. Shared by whoever delivers and whoever keeps.
pub struct Tally {
    clock: Arc<dyn Clock>,
    counts: Mutex<Counts>,
}

/// Counts since they were taken last.
#[derive(Debug, Default)]
pub struct Counts {
    pub kinds: HashMap<SessionKind, u64>,
    /// Sessions that found no room.
    pub left_out: u64,
}

/// Sessions that are alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionKind {
    /// Days since 1970-01-01, UTC.
    pub day: i64,
    /// Whose mail it was for.
    pub domain: Domain,
    pub policy: AppliedPolicy,
    /// The MX host.
    pub host: String,
    /// `None`: it was as the policy asks; or, without a policy, it was TLS.
    pub failure: Option<SessionFailure>,
}

/// The policy that a session was held against, as reports have it (RFC 8460 §4.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AppliedPolicy {
    pub kind: PolicyType,
    /// Where it stands: of TLSA records the host's name, else the domain.
    pub domain: Domain,
    /// The records, or the lines of the file.
    pub strings: Vec<String>,
    /// The hosts that an MTA-STS policy names.
    pub hosts: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionFailure {
    pub result: ResultType,
    /// A sentence for whoever runs the host.
    pub reason: String,
    pub receiving: Option<IpAddr>,
    pub sending: Option<IpAddr>,
}

impl AppliedPolicy {
    /// What is beyond a bound is left out of it.
    pub(crate) fn new(kind: PolicyType, domain: &Domain, strings: Vec<String>, hosts: Vec<String>) -> AppliedPolicy {
        AppliedPolicy { kind, domain: domain.clone(), strings: bounded(strings), hosts: bounded(hosts) }
    }
}

fn bounded(mut texts: Vec<String>) -> Vec<String> {
    let mut octets = 0;
    let fit = texts.iter().take_while(|text| {
        octets += text.len();
        octets <= POLICY_MOST
    });
    texts.truncate(fit.count());
    texts
}

impl Tally {
    pub fn new(clock: Arc<dyn Clock>) -> Tally {
        Tally { clock, counts: Mutex::default() }
    }

    /// All that was counted since the last time.
    pub fn take(&self) -> Counts {
        std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn count(&self, kind: SessionKind) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let full = counts.kinds.len() >= KINDS_MOST;
        match counts.kinds.get_mut(&kind) {
            Some(count) => *count += 1,
            None if full => counts.left_out += 1,
            None => drop(counts.kinds.insert(kind, 1)),
        }
    }
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tally")
    }
}

/// What was wrong with a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub result: ResultType,
    pub reason: String,
}

impl Flaw {
    pub fn new(result: ResultType, reason: impl Into<String>) -> Flaw {
        let mut reason = reason.into();
        reason.truncate(reason.floor_char_boundary(REASON_MOST));
        Flaw { result, reason }
    }

    /// `reason` in the words of whoever verified; may be empty.
    pub fn of_certificate(fault: CertificateFault, reason: impl Into<String>) -> Flaw {
        let result = match fault {
            CertificateFault::Expired => ResultType::CertificateExpired,
            CertificateFault::OtherName => ResultType::CertificateHostMismatch,
            CertificateFault::NotTrusted => ResultType::CertificateNotTrusted,
            CertificateFault::Other => ResultType::ValidationFailure,
        };
        Flaw::new(result, reason)
    }

    pub fn unnamed(host: &HostName) -> Flaw {
        Flaw::new(ResultType::ValidationFailure, format!("the MTA-STS policy does not name the MX host {host}"))
    }
}

/// What a session showed, whoever's mail it is for.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub host: HostName,
    pub receiving: Option<IpAddr>,
    pub sending: Option<IpAddr>,
    /// The TLSA records, where they decide.
    pub dane: Option<AppliedPolicy>,
    /// Wrong by any policy.
    pub flaw: Option<Flaw>,
    /// What verification would have found, which a policy minds and nobody else.
    pub certificate: Option<CertificateFault>,
}

impl Seen {
    /// A host that is not spoken to.
    pub fn unspoken(host: &HostName, dane: Option<AppliedPolicy>, flaw: Flaw) -> Seen {
        let host = host.clone();
        Seen { host, receiving: None, sending: None, dane, flaw: Some(flaw), certificate: None }
    }

    pub fn count_for(&self, domain: &Domain, tally: &Tally, policies: Option<&Policies>) {
        let (policy, flaw) = self.judged(domain, policies);
        let failure = flaw.map(|Flaw { result, reason }| SessionFailure {
            result,
            reason,
            receiving: self.receiving,
            sending: self.sending,
        });
        let day = tally.clock.now().day();
        tally.count(SessionKind { day, domain: domain.clone(), policy, host: self.host.to_string(), failure });
    }

    fn judged(&self, domain: &Domain, policies: Option<&Policies>) -> (AppliedPolicy, Option<Flaw>) {
        if let Some(dane) = &self.dane {
            return (dane.clone(), self.flaw.clone());
        }
        let of = |kind| AppliedPolicy::new(kind, domain, Vec::new(), Vec::new());
        match policies.map_or(Standing::Nothing, |policies| policies.standing(domain)) {
            Standing::Kept(policy) => {
                let unnamed = || (!policy.names(&self.host.to_string())).then(|| Flaw::unnamed(&self.host));
                let certificate = || self.certificate.map(|fault| Flaw::of_certificate(fault, ""));
                let flaw = self.flaw.clone().or_else(unnamed).or_else(certificate);
                let strings = policy.to_string().lines().map(str::to_owned).collect();
                (AppliedPolicy::new(PolicyType::Sts, domain, strings, policy.mx.clone()), flaw)
            }
            Standing::NotHad(result, reason) => (of(PolicyType::Sts), Some(Flaw::new(result, reason))),
            Standing::Nothing => (of(PolicyType::NoPolicyFound), self.flaw.clone()),
        }
    }
}

/// A session that is open, and the domains that it was counted for.
pub(crate) struct Counting {
    pub seen: Seen,
    pub tally: Arc<Tally>,
    pub policies: Option<Arc<Policies>>,
    pub domains: Vec<Domain>,
}

impl Counting {
    /// Once for each domain.
    pub fn count_for(&mut self, domain: &Domain) {
        if !self.domains.contains(domain) {
            self.seen.count_for(domain, &self.tally, self.policies.as_deref());
            self.domains.push(domain.clone());
        }
    }
}
