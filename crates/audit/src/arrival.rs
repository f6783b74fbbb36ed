//! One message as a receiver sees it: who connected, what it said, what it brought.
//!
//! The same facts and the same judges as for a set-up of our own; used for a message before it is
//! sent, by the playground's receivers, and by `repute mirror`. Promise: it ends by its deadline,
//! and what was not answered by then is unknown.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use repute_dns::Inspect;
use repute_message::judge::{About, Judged, judge as judge_message};
use repute_trust::checks::arrival::{self, Dmarc, Signature, Verified};
use repute_trust::checks::catalogue::place;
use repute_trust::checks::lists::{Asked, Target};
use repute_trust::checks::names::outcome;
use repute_trust::checks::sender::{Facts as SenderFacts, judge as judge_sender};
use repute_trust::checks::{Finding, Outcome, lists as judge_lists};
use repute_trust::dmarc::Policy;
use repute_trust::dnsbl::Verdict;
use repute_trust::names::{generic, helo};
use repute_trust::receivers::View;
use repute_trust::setup::{Sending, Source};
use repute_trust::spf;
use repute_types::{Content, Domain, Remark, Timestamp};

use crate::doors::Doors;
use crate::gather::{dmarc, lists, names, sender, spf as gather_spf};
use crate::questions::{Progress, Questions};
use crate::report::{PROVIDERS, Takes, Worst, takes, trust};
use crate::signatures;

/// What a receiver knows when the last octet has come.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// `None` for a message that is not sent yet.
    pub connection: Option<Connection>,
    /// MAIL FROM, empty for a bounce; `None` where it is not known.
    pub mail_from: Option<String>,
    /// Header and body, lines in CRLF.
    pub content: Content,
    /// It goes to many: the rules for bulk mail hold.
    pub bulk: bool,
}

#[derive(Clone, Debug)]
pub struct Connection {
    pub ip: IpAddr,
    /// As said in EHLO or HELO, whatever it was.
    pub helo: String,
    pub tls: bool,
}

#[derive(Clone, Debug)]
pub struct Limits {
    /// Questions under way at the same time.
    pub at_once: usize,
    pub deadline: Duration,
    /// Whether black lists are asked.
    pub lists: bool,
}

impl Default for Limits {
    /// A client waits ten minutes for the reply to its last dot (RFC 5321 §4.5.3.2.6); a receiver
    /// that takes more than some seconds keeps too many of them waiting.
    fn default() -> Limits {
        Limits { at_once: 64, deadline: Duration::from_secs(20), lists: true }
    }
}

/// An entry of a black list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The list's name: `Spamhaus ZEN`.
    pub list: String,
    /// Where it is asked.
    pub zone: String,
    /// Of the entry: `SBL`.
    pub entry: String,
    /// What is listed.
    pub what: String,
    pub is_address: bool,
}

/// Everything that a receiver found out.
#[derive(Clone, Debug)]
pub struct Sight {
    pub findings: Vec<Finding>,
    /// What filters have symbols for: see `repute_trust::receivers`.
    pub signs: Vec<String>,
    /// The reverse names of the address.
    pub ptr: Vec<String>,
    /// What makes the first of them look machine-made.
    pub generic: Vec<generic::Sign>,
    /// The name in EHLO has no address at all.
    pub helo_unknown: bool,
    pub listed: Vec<Listing>,
    /// `None` where the connection is not known.
    pub spf: Option<spf::Report>,
    pub signatures: Vec<Signature>,
    /// The DMARC record that holds, or what was not answered and why; `None` as below.
    pub policy: Option<Result<Policy, (Domain, String)>>,
    /// `None` without a domain in From.
    pub dmarc: Option<Dmarc>,
    pub message: Judged,
    /// Points of 100, as in a report of a set-up.
    pub trust: u32,
    /// Something could not be found out: it may be less.
    pub at_most: bool,
    pub takes: Vec<Takes>,
}

impl Sight {
    /// As the rules of receivers take it.
    pub fn view<'a>(&'a self, arrival: &'a Arrival) -> View<'a> {
        let path = arrival.mail_from.as_deref().and_then(|f| f.rsplit_once('@'));
        let address = self.listed.iter().find(|l| l.is_address);
        View {
            signs: &self.signs,
            generic: &self.generic,
            bulk: self.message.bulk,
            ip: arrival.connection.as_ref().map(|c| c.ip),
            from: self.message.from.as_ref().map_or("", |a| a.domain().as_str()),
            mail_from: path.map_or("", |(_, domain)| domain),
            helo: arrival.connection.as_ref().map_or("", |c| c.helo.as_str()),
            list: address.map_or("", |l| l.zone.as_str()),
            listed: (address.is_some(), self.listed.iter().any(|l| !l.is_address)),
        }
    }
}

pub async fn judge(arrival: &Arrival, dns: Arc<dyn Inspect>, limits: &Limits, now: Timestamp) -> Sight {
    let q = Questions::new(&Doors::from(dns), limits.at_once, limits.deadline, Arc::new(Progress::default()));
    let message = judge_message(&arrival.content, &About { now, bulk: arrival.bulk });
    let octets = arrival.content.to_vec();
    let (signatures, by_connection, by_sender, by_lists) = tokio::join!(
        signatures::of_message(&q, &octets, &message.signatures),
        connection(&q, arrival, &message),
        sender_of(&q, arrival, &message, now),
        listings(&q, arrival, &message, limits.lists),
    );
    let mut findings: Vec<Finding> = message.remarks.iter().map(finding).collect();
    findings.extend(by_connection.findings);
    findings.extend(by_sender.findings);
    findings.extend(by_lists.0);
    let mut dmarc = None;
    match (&by_sender.from, &by_sender.policy) {
        (Some(from), Some(policy)) => {
            let facts = arrival::Facts {
                from,
                spf: by_sender.spf.as_ref().map(|(domain, report)| (domain.as_str(), report.verdict)),
                signatures: &signatures,
                policy,
                names: &message.names,
            };
            let (more, found) = arrival::judge(&facts);
            findings.extend(more);
            dmarc = Some(found);
        }
        _ => findings.extend(arrival::signatures(&signatures, &message.names)),
    }
    findings.sort_by(|a, b| (place(a.id), &a.about).cmp(&(place(b.id), &b.about)));
    findings.dedup();
    let mut sight = Sight {
        findings,
        signs: Vec::new(),
        ptr: by_connection.ptr,
        generic: by_connection.generic,
        helo_unknown: by_connection.helo_unknown,
        listed: by_lists.1,
        spf: by_sender.spf.map(|(_, report)| report),
        signatures,
        policy: by_sender.policy,
        dmarc,
        message,
        trust: 0,
        at_most: false,
        takes: Vec::new(),
    };
    sight.signs = signs(arrival, &sight, by_sender.takes_no_mail);
    let all: Vec<&Finding> = sight.findings.iter().collect();
    let worst = Worst::of(&all);
    (sight.trust, sight.at_most) = trust(&worst);
    sight.takes = PROVIDERS.map(|p| takes(p, &worst)).to_vec();
    sight
}

/// A remark about the message, as a finding.
fn finding(remark: &Remark) -> Finding {
    let finding = Finding::new(remark.check, outcome(remark.level), "the message", &remark.found);
    if remark.fix.is_empty() { finding } else { finding.fix(&remark.fix) }
}

#[derive(Default)]
struct ByConnection {
    findings: Vec<Finding>,
    ptr: Vec<String>,
    generic: Vec<generic::Sign>,
    helo_unknown: bool,
}

/// Rule 2, for whoever connected.
async fn connection(q: &Questions, arrival: &Arrival, message: &Judged) -> ByConnection {
    let Some(Connection { ip, helo: said, tls }) = &arrival.connection else { return ByConnection::default() };
    let ptr = q.ptr(*ip).await.names().to_vec();
    let mut generic = ptr.first().map(|name| generic::signs(name, *ip)).unwrap_or_default();
    if !message.names.iter().any(|name| name == "received") {
        generic.extend(ptr.first().and_then(|name| generic::once_received(name)));
    }
    let as_name = Domain::parse(said.trim_end_matches('.')).ok();
    // What is no name at all is judged by its form alone, and the address by its own name.
    let stand_in = || ptr.first().and_then(|name| Domain::parse(name).ok());
    let mut findings = Vec::new();
    let helo_unknown = match &as_name {
        Some(name) => q.addresses(name, *ip).await.is_void(),
        None => false,
    };
    if let Some(ehlo) = as_name.clone().or_else(stand_in) {
        findings = names::check(q.clone(), Source { address: *ip, ehlo }, Vec::new()).await;
        // It came from there: that the address exists is no question.
        findings.retain(|f| f.id != "ip.public" && (as_name.is_some() || !f.id.starts_with("name.helo")));
    } else {
        let verdict = format!("{ip} has no reverse name, and said no name in EHLO");
        findings.push(Finding::fail("name.ptr.exists", ip, verdict).for_address(*ip));
    }
    if as_name.is_none() {
        findings.extend(
            helo::lint(said, *ip).iter().map(|r| Finding::new(r.check, outcome(r.level), ip, &r.found).fix(&r.fix)),
        );
    }
    findings.push(match tls {
        true => Finding::pass("tls.out", "the connection", "it came over TLS"),
        false => {
            Finding::fail("tls.out", "the connection", "it came without TLS").fix("use STARTTLS where it is offered")
        }
    });
    ByConnection { findings, ptr, generic, helo_unknown }
}

#[derive(Default)]
struct BySender {
    findings: Vec<Finding>,
    /// The domain in From takes no mail, or that in the envelope, as filters see it.
    takes_no_mail: bool,
    from: Option<Domain>,
    /// The identity, and what came of it.
    spf: Option<(String, spf::Report)>,
    policy: Option<Result<Policy, (Domain, String)>>,
}

/// Rule 4, and the domains in From and in the envelope.
async fn sender_of(q: &Questions, arrival: &Arrival, message: &Judged, now: Timestamp) -> BySender {
    let from = message.from.as_ref().map(|a| a.domain().clone());
    let path = arrival.mail_from.as_deref().and_then(|f| Domain::parse(f.rsplit_once('@')?.1).ok());
    let mut by = BySender { from: from.clone(), ..BySender::default() };
    let Some(sending) = from.clone().or_else(|| path.clone()).map(|name| Sending {
        return_path: path.clone().filter(|p| *p != name),
        name,
        pool: None,
        keys: Vec::new(),
    }) else {
        return by;
    };
    let policy = async {
        match &from {
            Some(from) => Some(dmarc::policy(q, from).await),
            None => None,
        }
    };
    let domains = sender::facts(q, &sending);
    let spf = spf_of(q, arrival, &sending, path.as_ref(), now);
    let (policy, domains, (found, spf)) = tokio::join!(policy, domains, spf);
    by.findings.extend(domains.iter().flat_map(judge_sender));
    by.takes_no_mail = domains.iter().any(SenderFacts::takes_no_mail);
    by.findings.extend(found);
    by.spf = spf;
    if let Some((policy, from)) = policy.as_ref().zip(from.as_ref()) {
        by.findings.extend(dmarc::published(from, policy));
    }
    by.policy = policy;
    by
}

/// For the null sender the EHLO name is asked about (RFC 7208 §2.4).
async fn spf_of(
    q: &Questions,
    arrival: &Arrival,
    sending: &Sending,
    path: Option<&Domain>,
    now: Timestamp,
) -> (Vec<Finding>, Option<(String, spf::Report)>) {
    let Some(connection) = &arrival.connection else { return (Vec::new(), None) };
    let (ip, said) = (connection.ip, connection.helo.as_str());
    if let (Some(path), Some(from)) = (path, &arrival.mail_from) {
        let sending =
            Sending { name: sending.name.clone(), return_path: Some(path.clone()), pool: None, keys: Vec::new() };
        let facts = gather_spf::facts(q, sending, vec![(ip, said.to_owned())], Some(from), now).await;
        let report = facts.reports.first().map(|(_, report)| (path.to_string(), report.clone()));
        return (repute_trust::checks::spf::judge(&facts), report);
    }
    let report = gather_spf::evaluate(q, ip, said, "", now).await;
    let findings = match Domain::parse(said) {
        Ok(ehlo) => vec![repute_trust::checks::spf::helo(ip, &[ip], &ehlo, &report)],
        Err(_) => Vec::new(),
    };
    (findings, Some((said.to_owned(), report)))
}

/// Rule 3: the address, the names, and the hosts of links.
async fn listings(q: &Questions, arrival: &Arrival, message: &Judged, wanted: bool) -> (Vec<Finding>, Vec<Listing>) {
    if !wanted {
        return (Vec::new(), Vec::new());
    }
    let mut targets = Vec::new();
    let mut name = |name: Option<Domain>, role| {
        if let Some(name) = name {
            targets.push(Target::Name { name, role, address: None, sending: None });
        }
    };
    name(message.from.as_ref().map(|a| a.domain().clone()), "From");
    name(arrival.mail_from.as_deref().and_then(|f| Domain::parse(f.rsplit_once('@')?.1).ok()), "return path");
    name(arrival.connection.as_ref().and_then(|c| Domain::parse(&c.helo).ok()), "EHLO");
    targets.extend(arrival.connection.iter().map(|c| Target::Address(c.ip)));
    targets.extend(message.links.iter().cloned().map(Target::Link));
    let mut once: Vec<Target> = Vec::new();
    for target in targets {
        if once.iter().all(|t| t.subject() != target.subject()) {
            once.push(target);
        }
    }
    let asked = lists::asked(q, &once).await;
    let listed = asked.iter().flat_map(entries).collect();
    (judge_lists::judge(&once, &asked), listed)
}

fn entries(asked: &Asked) -> Vec<Listing> {
    let of = |(target, answer, _): &(Target, repute_trust::lookup::Answer, Vec<String>)| match asked.list.judge(answer)
    {
        Verdict::Listed(hits) => hits
            .into_iter()
            .map(|hit| Listing {
                list: asked.list.name.clone(),
                zone: asked.list.zone.clone().unwrap_or_default(),
                entry: hit.name,
                what: match target.subject() {
                    repute_trust::dnsbl::Subject::Address(ip) => ip.to_string(),
                    repute_trust::dnsbl::Subject::Domain(name) => name.to_owned(),
                },
                is_address: matches!(target, Target::Address(_)),
            })
            .collect(),
        _ => Vec::new(),
    };
    asked.answers.iter().flat_map(of).collect()
}

/// Whether the return path is neither the author's address nor one that names the recipient (VERP), as
/// far as is seen without the recipient. A bounce has none.
fn is_other_path(path: &str, sight: &Sight) -> bool {
    let (local, _) = path.rsplit_once('@').unwrap_or_default();
    let is_from = sight.message.from.as_ref().is_some_and(|from| path.eq_ignore_ascii_case(&from.to_string()));
    !path.is_empty() && !is_from && !local.contains('=')
}

/// What filters have symbols for.
fn signs(arrival: &Arrival, sight: &Sight, takes_no_mail: bool) -> Vec<String> {
    let fails =
        |id: &str| sight.findings.iter().any(|f| f.id == id && f.outcome == Outcome::Fail && f.follows.is_none());
    let minds =
        |id: &str| sight.findings.iter().any(|f| f.id == id && matches!(f.outcome, Outcome::Fail | Outcome::Warn));
    let mut signs: Vec<String> =
        sight.message.remarks.iter().map(|r| r.sign.to_owned()).filter(|s| !s.is_empty()).collect();
    let mut add = |sign: &str, holds: bool| {
        if holds {
            signs.push(sign.to_owned());
        }
    };
    if let Some(connection) = &arrival.connection {
        add("rdns.none", fails("name.ptr.exists"));
        add("rdns.unconfirmed", fails("name.fcrdns"));
        add("helo.bad", fails("name.helo.fqdn"));
        add("helo.mismatch", minds("name.helo.resolves") && !sight.helo_unknown);
        // What is no name is not looked up.
        add("helo.unknown", sight.helo_unknown && !fails("name.helo.fqdn"));
        add("tls.none", !connection.tls);
    }
    add("from.no-answer", takes_no_mail || fails("name.from.soa"));
    if let Some(report) = &sight.spf {
        let plus_all = report.deciding().is_some_and(|(term, _)| term == "all" || term == "+all");
        // A pass for everybody is none.
        add(&format!("spf.{}", report.verdict), !plus_all);
        add("spf.everybody", plus_all);
    }
    let verified = |v: fn(&Verified) -> bool| sight.signatures.iter().any(|s| v(&s.verdict));
    let passes = verified(|v| *v == Verified::Pass);
    add("dkim.none", sight.signatures.is_empty());
    add("dkim.pass", passes);
    let broken = verified(|v| matches!(v, Verified::Fail(_)));
    add("dkim.fail", !passes && broken);
    add("dkim.nokey", !passes && !broken && verified(|v| matches!(v, Verified::NoKey(_))));
    add("path.other", arrival.mail_from.as_deref().is_some_and(|path| is_other_path(path, sight)));
    match &sight.dmarc {
        Some(Dmarc::None) => add("dmarc.none", true),
        Some(Dmarc::Pass) => add("dmarc.pass", true),
        Some(Dmarc::Fail(demand)) => add(&format!("dmarc.fail.{}", demand.as_str()), true),
        // Nobody's domain is asked where From has none.
        Some(Dmarc::Unknown(_)) | None => {}
    }
    let spf = sight.spf.as_ref().map(|report| report.verdict);
    let open = verified(|v| matches!(v, Verified::Unknown(_))) || spf == Some(spf::Verdict::TempError);
    // Said of what was found out alone.
    add("authentic.none", !passes && !open && spf.is_some_and(|verdict| verdict != spf::Verdict::Pass));
    for listing in &sight.listed {
        add(&format!("listed {} {}", listing.list, listing.entry), true);
    }
    signs.sort();
    signs.dedup();
    signs
}
