//! Before failures are acted upon: do the authoritative servers of the names that they rest on
//! agree, with each other and with what the resolver says?
//!
//! One server that is behind, or a cache, is no evidence: receivers ask the others too.
//!
//! Bounds: all of them have the time of one run, and what several rest on is asked for once. What there was no time to
//! confirm is contradicted by that: it is asked again.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use repute_dns::{Inspect, Kind};
use repute_trust::checks::Finding;
use repute_trust::checks::servers::Said;
use repute_trust::lookup::{Answer, Kind as Asked, Query};
use repute_trust::names::reverse::reverse_name;
use repute_trust::setup::{Sending, Setup};
use repute_types::Domain;

use crate::questions::{Progress, Questions, all};
use crate::run::Options;
use crate::zones::{knows_no_zone, published};

/// What a finding rests on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Ground {
    Record(Domain, Kind),
    /// The reverse name, and the names that it leads to.
    Reverse(IpAddr),
}

/// Says of each failure, in their order, how what it rests on is contradicted, if it is. `None` also where the servers
/// could not be asked: then the resolver's answer stands, unless it does not know any zone up to the top.
pub async fn contradicted<'a>(
    setup: &Setup,
    dns: Arc<dyn Inspect>,
    findings: impl IntoIterator<Item = &'a Finding>,
    options: &Options,
) -> Vec<Option<String>> {
    let domains: HashMap<&Domain, &Sending> = setup.domains.iter().map(|sending| (&sending.name, sending)).collect();
    let grounds: Vec<Option<Ground>> = findings.into_iter().map(|finding| ground(&domains, finding)).collect();
    let mut once = HashSet::new();
    let each: Vec<Ground> = grounds.iter().flatten().filter(|ground| once.insert(*ground)).cloned().collect();
    let questions = Questions::new(&dns.into(), options.at_once, options.deadline, Arc::new(Progress::default()));
    let looking = each.into_iter().map(move |ground| {
        let questions = questions.clone();
        async move { (ground.clone(), look_at(questions, ground).await) }
    });
    let found: HashMap<Ground, Option<String>> = all(looking).await.into_iter().collect();
    grounds.into_iter().map(|ground| found.get(&ground?).cloned().flatten()).collect()
}

fn ground(domains: &HashMap<&Domain, &Sending>, finding: &Finding) -> Option<Ground> {
    let sending = finding.domain.as_ref().and_then(|name| domains.get(name));
    let text = |name: &str| Domain::parse(name).ok().map(|name| Ground::Record(name, Kind::Txt));
    match (finding.id, finding.address, sending) {
        (id, Some(ip), _) if id.starts_with("name.ptr") || id == "name.fcrdns" => Some(Ground::Reverse(ip)),
        (id, _, Some(sending)) if id.starts_with("spf") => Some(Ground::Record(sending.mail_from().clone(), Kind::Txt)),
        (id, _, Some(sending)) if id.starts_with("dmarc") => text(&format!("_dmarc.{}", sending.name)),
        // These findings are about the name of the key.
        (id, _, Some(_)) if id.starts_with("dkim") => text(&finding.about),
        _ => None,
    }
}

async fn look_at(questions: Questions, ground: Ground) -> Option<String> {
    let names = match ground {
        Ground::Record(name, kind) => vec![(name, kind)],
        Ground::Reverse(ip) => around(&questions, ip).await,
    };
    let looking = names.into_iter().map(|(name, kind)| look(questions.clone(), name, kind));
    let found = all(looking.collect::<Vec<_>>()).await.into_iter().flatten().next();
    found.or_else(|| questions.is_over().then(|| "there was no time to ask the servers whether it is so".to_owned()))
}

/// The reverse name, and the names that it leads to.
async fn around(questions: &Questions, ip: IpAddr) -> Vec<(Domain, Kind)> {
    let reverse = Domain::parse(&reverse_name(ip)).ok().map(|name| (name, Kind::Ptr));
    let kind = if ip.is_ipv4() { Kind::A } else { Kind::Aaaa };
    let found = questions.ptr(ip).await;
    let forward = found.names().iter().take(5).filter_map(|name| Domain::parse(name).ok());
    reverse.into_iter().chain(forward.map(|name| (name, kind))).collect()
}

async fn look(questions: Questions, name: Domain, kind: Kind) -> Option<String> {
    let record = published(questions.clone(), name.clone(), kind).await;
    let mut answered = record.said.iter().filter_map(|(server, said)| match said {
        Said::Answered(answer, _) => Some((server, sorted(answer))),
        Said::Lame(_) | Said::Silent(_) => None,
    });
    let Some((first, theirs)) = answered.next() else {
        return match knows_no_zone(&questions, &name).await {
            true => Some(format!("our resolver knows no zone that {name} is in, so it knows nothing")),
            false => None,
        };
    };
    if let Some((other, differs)) = answered.find(|(_, answer)| *answer != theirs) {
        return Some(format!("{first} says {theirs} about {name}, and {other} says {differs}"));
    }
    let asked = match kind {
        Kind::A => Asked::A,
        Kind::Aaaa => Asked::Aaaa,
        Kind::Ptr => Asked::Ptr,
        _ => Asked::Txt,
    };
    match questions.ask(&Query { name: name.to_string(), kind: asked }).await {
        Answer::Failure(_) => None,
        ours if ours.is_void() != theirs.is_void() => {
            Some(format!("our resolver says {ours} about {name}, and its own servers say {theirs}"))
        }
        _ => None,
    }
}

/// As it is compared: that a name or a record is not there are two ways to say nothing.
fn sorted(answer: &Answer) -> Answer {
    match answer {
        Answer::NoName => Answer::NoData,
        answer => answer.clone().sorted(),
    }
}
