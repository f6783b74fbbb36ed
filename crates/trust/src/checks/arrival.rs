//! A message that has come, or is about to go: its signatures, and whether it passes DMARC.
//!
//! What a receiver judges of one message, where [`super::dkim`] and [`super::dmarc`] judge how a
//! domain is set up.

use repute_types::Domain;

use super::Finding;
use crate::dkim::Written;
use crate::dmarc::{Alignment, Demand, Policy};
use crate::spf;

/// A signature and whether it verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `None` where the field cannot be read.
    pub written: Option<Written>,
    pub verdict: Verified,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    Pass,
    /// It does not, and why.
    Fail(String),
    /// It does not, since nobody published its key: the sentence names where.
    NoKey(String),
    /// The key could not be got.
    Unknown(String),
}

impl Signature {
    fn says(&self) -> String {
        match &self.written {
            Some(w) => format!("the signature {} ({}, d={})", w.selector, w.algorithm, w.domain),
            None => "a signature".to_owned(),
        }
    }

    /// The signing domain, where it verified.
    pub fn verified_domain(&self) -> Option<&Domain> {
        self.written.as_ref().filter(|_| self.verdict == Verified::Pass).map(|w| &w.domain)
    }
}

/// What DMARC comes to for one message (RFC 9989 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dmarc {
    /// No record holds.
    None,
    Pass,
    /// And what the domain asks for then.
    Fail(Demand),
    Unknown(String),
}

/// What DMARC is decided by.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The domain in From.
    pub from: &'a Domain,
    /// The domain that SPF was asked about, and what it came to; `None` where the connection is
    /// not known.
    pub spf: Option<(&'a str, spf::Verdict)>,
    pub signatures: &'a [Signature],
    pub policy: &'a Result<Policy, (Domain, String)>,
    /// The fields of the message, in lower case.
    pub names: &'a [String],
}

/// Fields whose change or absence from a signature would matter to its reader.
const SHOWN: [&str; 8] =
    ["from", "subject", "to", "date", "reply-to", "content-type", "list-unsubscribe", "list-unsubscribe-post"];

pub fn judge(facts: &Facts<'_>) -> (Vec<Finding>, Dmarc) {
    let mut findings = signatures(facts.signatures, facts.names);
    findings.push(align(facts));
    let (dmarc, finding) = dmarc(facts);
    findings.push(finding);
    (findings, dmarc)
}

/// Each signature by itself.
pub fn signatures(signatures: &[Signature], names: &[String]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = signatures.iter().map(verifies).collect();
    if signatures.is_empty() {
        findings.push(
            Finding::fail("dkim.sign.verify", "the message", "the message carries no signature")
                .fix("send it through Repute, which signs with every key of the domain: repute domain add"),
        );
    }
    for written in signatures.iter().filter_map(|s| s.written.as_ref()) {
        let about = written.key_name();
        findings.push(headers(written, &about, names));
        findings.push(match written.has_length {
            true => Finding::fail("dkim.l", &about, "the signature covers a part of the body alone (l=)")
                .fix("sign without l=: text could be added behind it"),
            false => Finding::pass("dkim.l", &about, "the signature covers the whole body"),
        });
        findings.push(match written.relaxed {
            (true, true) => Finding::pass("dkim.canon", &about, "the signature bears blanks that change on the way"),
            _ => {
                Finding::warn("dkim.canon", &about, "the signature breaks where a blank changes on the way (c=simple)")
                    .fix("sign with c=relaxed/relaxed")
            }
        });
    }
    findings
}

fn verifies(signature: &Signature) -> Finding {
    let (id, says) = ("dkim.sign.verify", signature.says());
    let about = signature.written.as_ref().map_or("DKIM-Signature".to_owned(), Written::key_name);
    match &signature.verdict {
        Verified::Pass => Finding::pass(id, about, format!("{says} verifies")),
        Verified::Fail(why) | Verified::NoKey(why) => {
            Finding::fail(id, about, format!("{says} does not verify: {why}"))
                .fix("sign after the last change, and publish the key that signs")
        }
        Verified::Unknown(why) => Finding::unknown(id, about, format!("whether {says} verifies"), why),
    }
}

/// RFC 6376 §5.4; RFC 8058 §4 for the fields of unsubscribing.
fn headers(written: &Written, about: &str, names: &[String]) -> Finding {
    let id = "dkim.headers";
    let stands = |name: &str| names.iter().filter(|n| *n == name).count();
    let open: Vec<&str> = SHOWN.into_iter().filter(|n| written.covers(n) < stands(n)).collect();
    let needed = ["from", "list-unsubscribe", "list-unsubscribe-post"];
    if let Some(name) = open.iter().find(|n| needed.contains(n)) {
        return Finding::fail(id, about, format!("the signature does not cover {name}, which it has to"))
            .fix(format!("put {name} into h="));
    }
    if !open.is_empty() {
        return Finding::warn(id, about, format!("the signature does not cover {}", open.join(", ")))
            .fix(format!("put {} into h=", open.join(":")));
    }
    match written.covers("from") > stands("from") {
        true => Finding::pass(id, about, "the fields that show are signed, and none can be added"),
        false => Finding::pass(id, about, "the fields that show are signed"),
    }
}

fn is_aligned(facts: &Facts<'_>, other: &Domain, how: impl Fn(&crate::dmarc::Record) -> Alignment) -> bool {
    let Ok(policy) = facts.policy else { return other == facts.from };
    match policy.found.as_ref().map(|(_, record)| how(record)) {
        Some(Alignment::Strict) => other == facts.from,
        _ => other.is_within(&policy.organisation) && facts.from.is_within(&policy.organisation),
    }
}

/// Whether a signature belongs to the From domain, verified or not.
fn align(facts: &Facts<'_>) -> Finding {
    let (id, from) = ("dkim.align", facts.from);
    let domains: Vec<&Domain> = facts.signatures.iter().filter_map(|s| Some(&s.written.as_ref()?.domain)).collect();
    match domains.iter().find(|d| is_aligned(facts, d, |r| r.dkim)) {
        Some(domain) => Finding::pass(id, from, format!("it is signed as {domain}, which is the domain in From")),
        None if domains.is_empty() => {
            Finding::fail(id, from, format!("no signature speaks for {from}")).follows("dkim.sign.verify")
        }
        None => {
            let signed: Vec<String> = domains.iter().map(ToString::to_string).collect();
            Finding::fail(id, from, format!("it is signed as {}, and From says {from}", signed.join(", ")))
                .fix(format!("sign as {from}: repute domain add {from}"))
        }
    }
    .for_domain(from)
}

fn dmarc(facts: &Facts<'_>) -> (Dmarc, Finding) {
    let (id, from) = ("dmarc.align", facts.from);
    let policy = match facts.policy {
        Ok(policy) => policy,
        Err((at, why)) => {
            let finding = Finding::unknown(id, from, format!("the record of _dmarc.{at}"), why).for_domain(from);
            return (Dmarc::Unknown(why.clone()), finding);
        }
    };
    let by_spf = facts.spf.and_then(|(domain, verdict)| Some((Domain::parse(domain).ok()?, verdict)));
    let spf_aligned = by_spf.as_ref().filter(|(domain, _)| is_aligned(facts, domain, |r| r.spf));
    let mut signed = facts.signatures.iter().filter_map(Signature::verified_domain);
    let signed = signed.find(|d| is_aligned(facts, d, |r| r.dkim));
    let passes = match (signed, spf_aligned) {
        (Some(domain), _) => Some(format!("the signature of {domain}")),
        (None, Some((domain, spf::Verdict::Pass))) => Some(format!("SPF of {domain}")),
        _ => None,
    };
    let has_record = policy.found.is_some();
    if let Some(by) = passes {
        let finding = Finding::pass(id, from, format!("{by} speaks for {from}")).for_domain(from);
        return (if has_record { Dmarc::Pass } else { Dmarc::None }, finding);
    }
    if let Some(why) = undecided(facts, spf_aligned.map(|(_, v)| *v)) {
        let finding = Finding::unknown(id, from, format!("whether it speaks for {from}"), &why).for_domain(from);
        return (if has_record { Dmarc::Unknown(why) } else { Dmarc::None }, finding);
    }
    let said = match facts.spf {
        Some((domain, verdict)) => format!("neither a signature nor SPF ({verdict} for {domain}) speaks for {from}"),
        None => format!("no signature speaks for {from}"),
    };
    let asks = policy.demand(from).map_or(String::new(), |d| format!(", which asks for p={}", d.as_str()));
    let finding = Finding::fail(id, from, format!("{said}{asks}"))
        .fix(format!("sign as {from}, or use a return path of {from} that permits the address"))
        .follows(if signed_at_all(facts) { id } else { "dkim.sign.verify" })
        .for_domain(from);
    (policy.demand(from).map_or(Dmarc::None, Dmarc::Fail), finding)
}

/// Without a signature that verifies there is nothing that could be aligned.
fn signed_at_all(facts: &Facts<'_>) -> bool {
    facts.signatures.iter().any(|s| s.verdict == Verified::Pass)
}

/// Why it may still pass: something was not found out, or the connection is not known yet.
fn undecided(facts: &Facts<'_>, spf: Option<spf::Verdict>) -> Option<String> {
    let key = facts.signatures.iter().find_map(|s| match &s.verdict {
        Verified::Unknown(why) => Some(why.clone()),
        _ => None,
    });
    let sending = facts.spf.is_none().then(|| "the address that it leaves from is not known".to_owned());
    key.or(sending).or_else(|| (spf == Some(spf::Verdict::TempError)).then(|| "SPF could not be found out".to_owned()))
}
