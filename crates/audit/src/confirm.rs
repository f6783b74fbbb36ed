//! Before a failure is acted upon: do the authoritative servers of the names that it rests on
//! agree, with each other and with what the resolver says?
//!
//! One server that is behind, or a cache, is no evidence: receivers ask the others too.

use std::net::IpAddr;
use std::sync::Arc;

use repute_dns::{Inspect, Kind};
use repute_trust::checks::Finding;
use repute_trust::checks::servers::Said;
use repute_trust::lookup::{Answer, Kind as Asked, Query};
use repute_trust::names::reverse::reverse_name;
use repute_types::Domain;

use crate::questions::{Progress, Questions, all};
use crate::run::Options;
use crate::setup::Setup;
use crate::zones::{knows_no_zone, published};

/// Says how what a failure rests on is contradicted, if it is. `None` also where the servers could
/// not be asked: then the resolver's answer stands, unless it does not know any zone up to the top.
pub async fn contradicted(
    setup: &Setup,
    dns: Arc<dyn Inspect>,
    finding: &Finding,
    options: &Options,
) -> Option<String> {
    let questions = Questions::new(&dns.into(), options.at_once, options.deadline, Arc::new(Progress::default()));
    let names = names(&questions, setup, finding).await;
    let looking = names.into_iter().map(|(name, kind)| look(questions.clone(), name, kind));
    all(looking.collect::<Vec<_>>()).await.into_iter().flatten().next()
}

/// The records that a finding rests on.
async fn names(questions: &Questions, setup: &Setup, finding: &Finding) -> Vec<(Domain, Kind)> {
    let sending = setup.domains.iter().find(|d| finding.domain.as_ref() == Some(&d.name));
    match (finding.id, finding.address, sending) {
        (id, Some(ip), _) if id.starts_with("name.ptr") || id == "name.fcrdns" => around(questions, ip).await,
        (id, _, Some(sending)) if id.starts_with("spf") => vec![(sending.mail_from().clone(), Kind::Txt)],
        (id, _, Some(sending)) if id.starts_with("dmarc") => {
            Domain::parse(&format!("_dmarc.{}", sending.name)).ok().map(|name| (name, Kind::Txt)).into_iter().collect()
        }
        // These findings are about the name of the key.
        (id, _, Some(_)) if id.starts_with("dkim") => {
            Domain::parse(&finding.about).ok().map(|name| (name, Kind::Txt)).into_iter().collect()
        }
        _ => Vec::new(),
    }
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
    let mut answer = answer.clone();
    match &mut answer {
        Answer::Texts(texts) => texts.sort(),
        Answer::Addresses(addresses) => addresses.sort(),
        Answer::Names(names) => names.sort(),
        Answer::NoName => answer = Answer::NoData,
        _ => {}
    }
    answer
}
