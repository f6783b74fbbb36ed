//! Rule 4: the record permits every address that mail leaves from, at a bearable cost.

use std::collections::BTreeMap;
use std::net::IpAddr;

use repute_types::Domain;

use super::{Finding, Outcome};
use crate::remark::Level;
use crate::spf::{Branch, Limits, Network, Node, Problem, Qualifier, Report, State, Tree, Use, Verdict, Wanted};
use crate::spf::{lint, propose, propose_ahead, zone_file_text};

/// What is known of one identity: the domain of the return path, or the EHLO name.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The sending domain of the configuration.
    pub sending: Domain,
    /// The domain in MAIL FROM.
    pub identity: Domain,
    /// TXT records of the identity, as published.
    pub texts: Vec<Vec<u8>>,
    pub tree: Tree,
    /// What a receiver finds for each egress.
    pub reports: Vec<(IpAddr, Report)>,
}

/// What a report without remarks passes, and how it says so.
const LINTED: [(&str, &str); 8] = [
    ("spf.exists", "has one SPF record"),
    ("spf.syntax", "has an SPF record that receivers can read"),
    ("spf.lookups", ""),
    ("spf.void", "has an SPF record whose names exist"),
    ("spf.ptr", "does without ptr"),
    ("spf.mx10", "has no mx term with more than 10 hosts"),
    ("spf.all", "refuses strangers at the end of its SPF record"),
    ("spf.size", "has an SPF record that fits into an answer"),
];

pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = facts.reports.iter().map(|(ip, report)| each(facts, *ip, report)).collect();
    findings.extend(record(facts));
    findings.into_iter().map(|f| f.for_domain(&facts.sending)).collect()
}

/// What there is to say about the record itself.
fn record(facts: &Facts) -> Vec<Finding> {
    let identity = &facts.identity;
    let has = |v4: bool| facts.reports.iter().any(|(ip, _)| ip.is_ipv4() == v4);
    let remarks = lint(&facts.tree, Use { v4: has(true), v6: has(false), tcp: None });
    let mut findings: Vec<Finding> = Vec::new();
    for remark in &remarks {
        let about = if remarks.iter().filter(|r| r.check == remark.check).count() > 1 {
            format!("{identity}: {}", remark.found)
        } else {
            identity.to_string()
        };
        let mut finding =
            Finding::new(remark.check, super::names::outcome(remark.level), about, &remark.found).fix(&remark.fix);
        if remark.check == "spf.exists" && remark.level == Level::Fail {
            finding = finding.fix("publish this record").record(proposal(facts));
        }
        findings.push(finding);
    }
    if matches!(facts.tree.root.state, State::Record(_)) {
        let clean = LINTED.iter().filter(|(id, _)| remarks.iter().all(|r| r.check != *id));
        findings.extend(clean.map(|(id, says)| match *id {
            "spf.lookups" => {
                let (used, most) = (facts.tree.root.lookups(), Limits::default().lookups);
                Finding::pass(id, identity, format!("{used} of {most} look-ups are used"))
            }
            _ => Finding::pass(id, identity, format!("{identity} {says}")),
        }));
    }
    if matches!(facts.tree.root.state, State::Record(_)) && remarks.iter().all(|r| r.check != "spf.breadth") {
        let breadth = facts.tree.breadth();
        let verdict =
            format!("the record lets {} IPv4 addresses and {} IPv6 networks send", breadth.v4, breadth.v6_subnets);
        findings.push(Finding::pass("spf.breadth", identity, verdict));
    }
    findings
}

/// The record that permits all egresses, as a line of a zone file.
fn proposal(facts: &Facts) -> String {
    let network = |ip: &IpAddr| Network { address: *ip, prefix: if ip.is_ipv4() { 32 } else { 128 } };
    let wanted = Wanted {
        networks: facts.reports.iter().map(|(ip, _)| network(ip)).collect(),
        includes: Vec::new(),
        // As `repute setup` has it: a domain may have senders that its owner forgot, its other names have not.
        all: if facts.identity == facts.sending { Qualifier::SoftFail } else { Qualifier::Fail },
    };
    let gives_up = facts.reports.iter().any(|(_, report)| report.verdict == Verdict::PermError);
    let proposal = match &facts.tree.root.state {
        // What is well formed and ends in an error all the same does so at a term before ours, or at ours.
        State::Record(_) if gives_up => propose_ahead(&facts.texts, &wanted, &nowhere(facts)),
        _ => propose(&facts.texts, &wanted),
    };
    format!("{}. IN TXT {}", facts.identity, zone_file_text(&proposal.text))
}

/// The terms of the record that lead to none, or back to itself.
fn nowhere(facts: &Facts) -> Vec<String> {
    let leads_nowhere = |node: &Node| {
        let back = |branch: &Branch| branch.inner.as_ref().is_some_and(|inner| inner.state == State::Loop);
        matches!(node.state, State::NoRecord | State::Loop) || node.branches.iter().any(back)
    };
    let branches = facts.tree.root.branches.iter();
    let gone = branches.filter(|branch| branch.inner.as_deref().is_some_and(leads_nowhere));
    gone.map(|branch| branch.term.text.clone()).collect()
}

/// What a receiver that asks gets for one egress.
fn each(facts: &Facts, ip: IpAddr, report: &Report) -> Finding {
    let (identity, id) = (&facts.identity, "spf.pass.each");
    let about = format!("{ip} {identity}");
    let finding = match (report.verdict, &report.problem) {
        (Verdict::Pass, _) => {
            let by = report.deciding().map_or(String::new(), |(term, domain)| match domain == identity.as_str() {
                true => format!(" by {term}"),
                false => format!(" by {term} of {domain}"),
            });
            Finding::pass(id, about, format!("{ip} passes for {identity}{by}"))
        }
        (Verdict::TempError, Some(Problem::Dns { query, why })) => {
            Finding::unknown(id, about, format!("whether {ip} passes SPF for {identity}: {query}"), why)
        }
        (verdict, Some(problem)) => {
            let because = match problem {
                Problem::NoRecord { .. } | Problem::SeveralRecords { .. } => "spf.exists",
                Problem::TooManyLookups { .. } => "spf.lookups",
                Problem::TooManyVoids { .. } => "spf.void",
                Problem::TooManyHosts { .. } => "spf.mx10",
                _ => "spf.syntax",
            };
            Finding::fail(id, about, format!("{ip} gets {verdict} for {identity}: {problem}"))
                .fix("publish this record")
                .record(proposal(facts))
                .follows(because)
        }
        (verdict, None) => {
            let by = report.deciding().map_or("no term of the record names it".to_owned(), |(term, domain)| {
                format!("{term} of {domain} decides")
            });
            Finding::fail(id, about, format!("{ip} gets {verdict} for {identity}: {by}"))
                .fix(format!("permit {ip} in the record of {identity}"))
                .record(proposal(facts))
        }
    };
    finding.for_address(ip)
}

/// Bounces have an empty sender and are judged by the EHLO name (RFC 7208 §2.4): `name.helo.spf`, and
/// what follows from it for them, `spf.null`. `all` are the addresses that say this name: one record is theirs.
pub fn bounces(ip: IpAddr, all: &[IpAddr], name: &Domain, report: &Report) -> [Finding; 2] {
    let by_name = helo(ip, all, name, report);
    let null = match by_name.outcome {
        Outcome::Pass => Finding::pass("spf.null", ip, format!("bounces from {ip} pass SPF")),
        outcome => Finding::new("spf.null", outcome, ip, format!("bounces from {ip}: {}", by_name.verdict)),
    };
    let null = null.follows("name.helo.spf").for_address(ip);
    [by_name, null]
}

/// What each include permits, by its term: networks as text, sorted.
pub type Permits = BTreeMap<String, Vec<String>>;

/// What the records of others permit that ours includes.
pub fn permits(tree: &Tree) -> Permits {
    let mut permits = Permits::new();
    for grant in tree.grants().into_iter().filter(|g| g.domain != tree.root.domain) {
        permits.entry(grant.through.to_owned()).or_default().push(grant.network.to_string());
    }
    for networks in permits.values_mut() {
        networks.sort();
        networks.dedup();
    }
    permits
}

/// What changed in the records of others since the last run: good to know, for they speak for us.
/// `complete`: every record was read this time.
pub fn drift(sending: &Domain, identity: &Domain, now: &Permits, before: Option<&Permits>, complete: bool) -> Finding {
    let id = "spf.drift";
    let finding = match before {
        _ if !complete => Finding::unknown(
            id,
            identity,
            format!("what the records included by {identity} permit"),
            "not all of them were read",
        ),
        None => Finding::pass(
            id,
            identity,
            format!("what {} includes of {identity} permit is noted for the next run", now.len()),
        ),
        Some(before) => {
            let added = |(term, networks): (&String, &Vec<String>)| {
                let old = before.get(term)?;
                let new: Vec<&str> = networks.iter().filter(|n| !old.contains(n)).map(String::as_str).collect();
                (!new.is_empty()).then(|| (term.clone(), new.into_iter().map(str::to_owned).collect::<Vec<_>>()))
            };
            match now.iter().find_map(added) {
                None => Finding::pass(id, identity, format!("the records that {identity} includes permit nobody new")),
                Some((term, new)) => {
                    let some: Vec<&str> = new.iter().take(3).map(String::as_str).collect();
                    let more = if new.len() > 3 { format!(" and {} more", new.len() - 3) } else { String::new() };
                    Finding::pass(
                        id,
                        identity,
                        format!("{term} permits {} networks more than before: {}{more}", new.len(), some.join(", ")),
                    )
                    .fix(format!("ask who is behind {term} whether that is meant"))
                }
            }
        }
    };
    finding.for_domain(sending)
}

/// `name.helo.spf`.
pub fn helo(ip: IpAddr, all: &[IpAddr], helo: &Domain, report: &Report) -> Finding {
    let (id, about) = ("name.helo.spf", format!("{ip} {helo}"));
    let term = |ip: &IpAddr| format!("{}:{ip}", if ip.is_ipv4() { "ip4" } else { "ip6" });
    let terms: Vec<String> = all.iter().map(term).collect();
    let line = format!("{helo}. IN TXT \"v=spf1 {} -all\"", terms.join(" "));
    let advice = "bounces carry an empty sender and are judged by the EHLO name: publish a record for it";
    match (report.verdict, &report.problem) {
        (Verdict::Pass, _) => Finding::pass(id, about, format!("{ip} passes SPF as {helo}")),
        (Verdict::TempError, Some(problem)) => {
            Finding::unknown(id, about, format!("whether {ip} passes SPF as {helo}"), &problem.to_string())
        }
        (Verdict::None, _) => Finding::warn(id, about, format!("{helo} has no SPF record, so bounces pass no SPF"))
            .fix(advice)
            .record(line),
        (verdict, _) => Finding::fail(id, about, format!("{ip} gets {verdict} as {helo}")).fix(advice).record(line),
    }
    .for_address(ip)
}
