//! What black lists say of our addresses and names, after they proved themselves.

use std::collections::HashMap;

use repute_trust::checks::Finding;
use repute_trust::checks::lists::{Asked, Target, judge};
use repute_trust::dnsbl::{Health, Holds, Keys, List, Meaning, Subject, Table, Verdict};
use repute_trust::lookup::{Answer, Kind, Query};

use crate::questions::{Questions, all};
use crate::setup::Setup;

pub(crate) async fn check(questions: Questions, setup: Setup) -> Vec<Finding> {
    let targets = targets(&questions, &setup).await;
    let asked = asked(&questions, &targets).await;
    judge(&targets, &asked)
}

/// Every list that could hold one of them, with what it says.
pub(crate) async fn asked(questions: &Questions, targets: &[Target]) -> Vec<Asked<'static>> {
    let table = Table::shipped();
    let lists = table.lists().iter().filter(|list| tells_ill(list));
    let asking = lists.filter_map(|list| {
        let zone = Table::zone(list, &Keys::new())?;
        let targets: Vec<Target> = targets.iter().filter(|t| list.covers(t.subject())).cloned().collect();
        let questions = questions.clone();
        (!targets.is_empty()).then_some(async move { ask(questions, list, zone, targets).await })
    });
    all(asking.collect::<Vec<_>>()).await
}

/// Allow lists are no black lists.
fn tells_ill(list: &List) -> bool {
    list.codes.iter().any(|c| c.meaning == Meaning::Bad) || list.bits.iter().any(|b| b.meaning == Meaning::Bad)
}

/// Addresses, and the names that filters look up: From, return path, EHLO, PTR.
async fn targets(questions: &Questions, setup: &Setup) -> Vec<Target> {
    let reverse = all(setup.egresses.iter().map(|egress| {
        let (questions, ip) = (questions.clone(), egress.address);
        async move { (ip, questions.ptr(ip).await) }
    }));
    let reverse: HashMap<_, _> = reverse.await.into_iter().collect();
    let mut targets: Vec<Target> = Vec::new();
    let mut add = |target: Target| {
        let same = |t: &Target| t.subject() == target.subject();
        if !targets.iter().any(same) {
            targets.push(target);
        }
    };
    for egress in &setup.egresses {
        add(Target::Address(egress.address));
    }
    for sending in &setup.domains {
        let name = |name: &repute_types::Domain, role| Target::Name {
            name: name.clone(),
            role,
            address: None,
            sending: Some(sending.name.clone()),
        };
        add(name(&sending.name, "From"));
        add(name(sending.mail_from(), "return path"));
    }
    for egress in &setup.egresses {
        let name = |name: repute_types::Domain, role| Target::Name {
            name,
            role,
            address: Some(egress.address),
            sending: None,
        };
        add(name(egress.ehlo.clone(), "EHLO"));
        let names = reverse.get(&egress.address).map(Answer::names).unwrap_or_default();
        for reverse in names.iter().take(2).filter_map(|n| repute_types::Domain::parse(n).ok()) {
            add(name(reverse, "reverse name"));
        }
    }
    targets
}

async fn ask(questions: Questions, list: &'static List, zone: String, targets: Vec<Target>) -> Asked<'static> {
    let v6 = targets.iter().any(|t| matches!(t.subject(), Subject::Address(ip) if ip.is_ipv6()));
    let health = health_of(&questions, list, &zone, v6).await;
    if health != Health::Sound {
        return Asked { list, health, answers: Vec::new() };
    }
    let answers = all(targets.into_iter().map(|target| {
        let (questions, query) = (questions.clone(), list.query(&zone, target.subject()));
        async move {
            let Some(query) = query else { return (target, Answer::NoName, Vec::new()) };
            let answer = questions.ask(&query).await;
            let texts = match list.judge(&answer) {
                Verdict::Listed(_) => texts(&questions, query).await,
                _ => Vec::new(),
            };
            (target, answer, texts)
        }
    }));
    Asked { list, health, answers: answers.await }
}

/// What the list says beside a listing (RFC 5782 §2.1): often the reason, or a page.
async fn texts(questions: &Questions, query: Query) -> Vec<String> {
    let answer = questions.ask(&Query { kind: Kind::Txt, ..query }).await;
    let plain = |text: &Vec<u8>| String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).take(300).collect();
    answer.texts().iter().take(3).map(plain).collect()
}

/// The worst of a list's test points; those for IPv6 count where an IPv6 address is asked for.
pub(crate) async fn health_of(questions: &Questions, list: &List, zone: &str, v6: bool) -> Health {
    let mut pairs = list.test_points(zone);
    if list.holds == Holds::Addresses && list.v4 && !v6 {
        pairs.truncate(1);
    }
    for pair in pairs {
        let (listed, clean) = tokio::join!(questions.ask(&pair.listed), questions.ask(&pair.clean));
        match list.health(&listed, &clean) {
            Health::Sound => {}
            unsound => return unsound,
        }
    }
    Health::Sound
}
