//! What black lists say of our addresses and names, after they proved themselves.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use repute_trust::checks::lists::{Asked, Target, allowed, judge, tells_ill};
use repute_trust::dnsbl::{Health, Holds, Keys, List, Subject, Table, Verdict};
use repute_trust::lookup::{Answer, Kind, Query};
use repute_trust::setup::Setup;
use repute_types::Timestamp;

use super::around;
use crate::doors::Kept;
use crate::questions::{Questions, all};
use crate::remembered::Remembered;
use crate::run::{Gathered, Run};

pub(crate) async fn check(run: Run) -> Gathered {
    let names = run.wants(&["bl.domain", "bl.health", "name.helo.dbl"]);
    let targets = targets(&run.questions, &run.setup, names).await;
    let (black, allow) = tokio::join!(ask_all(&run, &targets, tells_ill), async {
        match run.wants(&["bl.allow"]) {
            true => ask_all(&run, &targets, |list| !tells_ill(list)).await,
            false => Vec::new(),
        }
    });
    let mut findings = judge(&targets, &black);
    findings.extend(run.setup.sources().filter_map(|source| allowed(source.address, &allow)));
    let mut kept = Kept::default();
    if run.wants(&["ip.static", "ip.rpki", "ip.neighbours", "bl.sbl.asn", "infra.contact"]) {
        let black = Arc::new(black);
        let each = run.setup.sources().map(|source| around::check(run.clone(), source, black.clone()));
        for (of_one, found) in all(each.collect::<Vec<_>>()).await {
            findings.extend(of_one);
            kept.neighbours.extend(found.neighbours);
        }
    }
    (findings, kept)
}

/// The lists that `wanted` picks, each with what it says of the targets that it covers. A list that
/// asks for a key that we do not have is left out.
async fn ask_all(run: &Run, targets: &[Target], wanted: fn(&List) -> bool) -> Vec<Asked> {
    // Where no verdict of the lists themselves is wanted, those that know ranges are enough.
    let ranges_alone = !run.wants(&["bl.ip", "bl.ip6", "bl.domain", "bl.health", "bl.allow", "name.helo.dbl"]);
    let knows =
        |list: &&List| !ranges_alone || list.codes.iter().any(|c| c.name.starts_with("PBL") || c.name == "DROP");
    let lists = run.options.table.lists().iter().filter(|list| wanted(list)).filter(knows);
    let remembered = run.remembered.clone().map(|remembered| (remembered, run.now));
    ask_each(&run.questions, lists, &run.options.keys, targets, remembered).await
}

/// Every black list of the shipped table that could hold one of them, with what it says.
pub(crate) async fn asked(questions: &Questions, targets: &[Target]) -> Vec<Asked> {
    let lists = Table::shipped().lists().iter().filter(|list| tells_ill(list));
    ask_each(questions, lists, &Keys::new(), targets, None).await
}

async fn ask_each(
    questions: &Questions,
    lists: impl Iterator<Item = &List>,
    keys: &Keys,
    targets: &[Target],
    remembered: Option<(Arc<Remembered>, Timestamp)>,
) -> Vec<Asked> {
    let asking = lists.filter_map(|list| {
        let zone = Table::zone(list, keys)?;
        let targets: Vec<Target> = targets.iter().filter(|t| list.covers(t.subject())).cloned().collect();
        let (questions, list, remembered) = (questions.clone(), Arc::new(list.clone()), remembered.clone());
        (!targets.is_empty()).then_some(async move {
            let Some((remembered, now)) = remembered else { return ask(questions, list, zone, targets).await };
            if let Some(said) = remembered.recall(&zone, &targets, now) {
                return said;
            }
            let said = ask(questions, list, zone.clone(), targets).await;
            remembered.keep(&zone, &said, now);
            said
        })
    });
    let asking: Vec<_> = asking.collect();
    all(asking).await
}

/// Addresses, and the names that filters look up: From, return path, EHLO, PTR.
async fn targets(questions: &Questions, setup: &Setup, names: bool) -> Vec<Target> {
    let reverse = setup.sources().map(|source| {
        let (questions, ip) = (questions.clone(), source.address);
        async move { (ip, questions.ptr(ip).await) }
    });
    let reverse: HashMap<_, _> = all(reverse.collect::<Vec<_>>()).await.into_iter().collect();
    let (mut targets, mut once) = (Vec::new(), HashSet::new());
    let mut add = |target: Target| {
        let subject = match target.subject() {
            Subject::Address(ip) => ip.to_string(),
            Subject::Domain(name) => name.to_owned(),
        };
        if once.insert(subject) {
            targets.push(target);
        }
    };
    for source in setup.sources() {
        add(Target::Address(source.address));
    }
    if !names {
        return targets;
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
    for source in setup.sources() {
        let name = |name: repute_types::Domain, role| Target::Name {
            name,
            role,
            address: Some(source.address),
            sending: None,
        };
        add(name(source.ehlo.clone(), "EHLO"));
        let names = reverse.get(&source.address).map(Answer::names).unwrap_or_default();
        for reverse in names.iter().take(2).filter_map(|n| repute_types::Domain::parse(n).ok()) {
            add(name(reverse, "reverse name"));
        }
    }
    targets
}

async fn ask(questions: Questions, list: Arc<List>, zone: String, targets: Vec<Target>) -> Asked {
    let v6 = targets.iter().any(|t| matches!(t.subject(), Subject::Address(ip) if ip.is_ipv6()));
    let health = health_of(&questions, &list, &zone, v6).await;
    if health != Health::Sound {
        return Asked { list, health, answers: Vec::new() };
    }
    let answers = all(targets.into_iter().map(|target| {
        let (questions, list, query) = (questions.clone(), list.clone(), list.query(&zone, target.subject()));
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
    let answers = answers.await;
    Asked { list, health, answers }
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
