//! Our records at every authoritative server, and the resolver itself.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use repute_dns::Kind;
use repute_trust::checks::Finding;
use repute_trust::checks::servers::{OwnResolver, lifetime, resolver, same, serves};
use repute_trust::dnsbl::{Holds, Table};
use repute_trust::setup::Setup;
use repute_types::Domain;

use super::lists::health_of;
use crate::questions::{Questions, all};
use crate::run::Run;
use crate::zones::published;

pub(crate) async fn check(questions: Questions, setup: Arc<Setup>) -> Vec<Finding> {
    let records = all(own_records(&setup).into_iter().map(move |(name, kind, sending)| {
        let questions = questions.clone();
        async move { (published(questions, name, kind).await, sending) }
    }));
    let records = records.await;
    let mut findings = serves(&records);
    for (record, sending) in &records {
        let of = |finding: Finding| match sending {
            Some(domain) => finding.for_domain(domain),
            None => finding,
        };
        findings.extend([Some(same(record)), lifetime(record)].into_iter().flatten().map(of));
    }
    findings
}

/// Names, what is asked at each, and the sending domain that it belongs to.
fn own_records(setup: &Setup) -> Vec<(Domain, Kind, Option<Domain>)> {
    let mut records = Vec::new();
    for source in setup.sources() {
        let kind = if source.address.is_ipv4() { Kind::A } else { Kind::Aaaa };
        records.push((source.ehlo, kind, None));
    }
    for sending in &setup.domains {
        let of = Some(sending.name.clone());
        records.push((sending.mail_from().clone(), Kind::Txt, of.clone()));
        records.push((sending.mail_from().clone(), Kind::Mx, of.clone()));
        let keys = sending.keys.iter().map(|key| key.record_name(&sending.name));
        for name in keys.chain([format!("_dmarc.{}", sending.name)]) {
            records.extend(Domain::parse(&name).ok().map(|name| (name, Kind::Txt, of.clone())));
        }
    }
    let mut once = HashSet::new();
    records.retain(|record| once.insert(record.clone()));
    records
}

/// A name server that answers with the address that it was asked from.
const ECHO: &str = "o-o.myaddr.l.google.com";

pub(crate) async fn check_resolver(run: Run) -> Vec<Finding> {
    let questions = &run.questions;
    let first = run.options.table.lists().iter().find(|l| l.holds == Holds::Addresses && l.zone.is_some());
    let asked = async {
        let list = first?;
        let zone = Table::zone(list, &run.options.keys)?;
        Some((list.name.clone(), health_of(questions, list, &zone, false).await))
    };
    let (echo, list) = tokio::join!(questions.txt(ECHO), asked);
    let texts = echo.texts().iter().filter_map(|text| std::str::from_utf8(text).ok());
    let seen_as = texts.filter_map(|text| text.parse::<IpAddr>().ok()).next();
    let mut egresses: Vec<IpAddr> = run.setup.sources().map(|source| source.address).collect();
    let interfaces = run.own.as_ref().and_then(|own| own.interfaces.as_ref().ok());
    egresses.extend(interfaces.into_iter().flatten().map(|interface| IpAddr::V6(interface.address)));
    vec![resolver(&OwnResolver { seen_as, egresses, list })]
}
