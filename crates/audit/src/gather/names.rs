//! The names around one egress.

use std::net::IpAddr;

use repute_dns::{Data, Kind, Lookup};
use repute_trust::checks::names::{Facts, NAMES_MOST, judge};
use repute_trust::checks::{Finding, address};
use repute_trust::setup::Source;
use repute_types::Domain;

use crate::questions::{Questions, all};

/// Addresses of the EHLO name that are asked for their names too.
const ELSEWHERE_MOST: usize = 5;

pub(crate) async fn check(questions: Questions, source: Source, domains: Vec<Domain>) -> Vec<Finding> {
    let (ip, helo) = (source.address, source.ehlo);
    let (ptr, helo_forward) = tokio::join!(questions.ptr(ip), questions.addresses(&helo, ip));
    let names: Vec<String> = ptr.names().iter().take(NAMES_MOST).cloned().collect();
    let elsewhere: Vec<IpAddr> =
        helo_forward.addresses().iter().filter(|a| **a != ip).take(ELSEWHERE_MOST).copied().collect();
    let forward = all(names.iter().cloned().map(|name| {
        let questions = questions.clone();
        async move {
            let answer = questions.addresses(&name, ip).await;
            (name, answer)
        }
    }));
    let reverse = all(elsewhere.into_iter().map(|other| {
        let questions = questions.clone();
        async move { (other, questions.ptr(other).await) }
    }));
    let mut named: Vec<Domain> = names.iter().filter_map(|name| Domain::parse(name).ok()).collect();
    named.push(helo.clone());
    named.sort();
    named.dedup();
    let aliases = all(named.into_iter().map(|name| alias(questions.clone(), name)));
    let (forward, elsewhere, aliases) = tokio::join!(forward, reverse, aliases);
    let mut findings = vec![address::judge(ip)];
    findings.extend(judge(&Facts { ip, helo, ptr, forward, helo_forward, elsewhere, domains, aliases }));
    findings
}

/// Of what a name is an alias.
pub(super) async fn alias(questions: Questions, name: Domain) -> (String, Result<Option<String>, String>) {
    let alias = match questions.records(&name, Kind::Cname).await {
        Lookup::Found(found) => Ok(found.items.iter().find_map(|data| match data {
            Data::Alias(target) => Some(target.to_string()),
            _ => None,
        })),
        Lookup::NoData { .. } | Lookup::NoName { .. } => Ok(None),
        Lookup::Failure(why) | Lookup::NoAnswer(why) | Lookup::NotAsked(why) => Err(why),
    };
    (name.to_string(), alias)
}
