//! Permits over time: findings go in, seconds pass, states are compared.

use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;
use repute_trust::checks::{Finding, Outcome, entry};
use repute_trust::permit::{CONFIRM_AFTER, Configured, Key, Override, Permits, Scope, State, Turn, Word, suspending};
use repute_types::{Domain, Timestamp};

const T0: Timestamp = Timestamp(1_795_485_950_000);
const A: &str = "203.0.113.10";
const B: &str = "203.0.113.11";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn d(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn key(address: &str, domain: &str) -> Key {
    Key { address: Some(ip(address)), domain: Some(d(domain)) }
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn setup() -> Configured {
    let of = |n: &str| format!("how {n} is set up");
    Configured {
        addresses: [A, B].map(|a| (ip(a), of(a))).into_iter().collect(),
        domains: ["example.com", "other.test"].map(|n| (d(n), of(n))).into_iter().collect(),
        ..Configured::default()
    }
}

fn permits() -> Permits {
    let mut permits = Permits::default();
    permits.configure(setup());
    permits
}

/// A finding of a suspending check, about whatever it concerns.
fn finding(id: &'static str, outcome: Outcome, address: &str, domain: &str) -> Finding {
    let scope = suspending().iter().find(|s| s.check == id).unwrap().scope;
    let finding = Finding::new(id, outcome, format!("{address} {domain}"), format!("{id} is {outcome}")).fix("mend it");
    match scope {
        Scope::Address => finding.for_address(ip(address)),
        Scope::Domain => finding.for_domain(&d(domain)),
        Scope::Pair => finding.for_address(ip(address)).for_domain(&d(domain)),
    }
}

/// Told for every pair at once: with tens of thousands each took its time over the whole catalogue.
#[test]
fn a_check_costs_the_pairs_that_it_is_about_once() {
    let mut permits = permits();
    let weight = |id: &str| entry(id).unwrap().weight;
    let (pointer, spf) = ("name.fcrdns", "spf.pass.each");
    let mut again = finding(pointer, Outcome::Fail, A, "example.com");
    again.about = "its other name".into();
    let mut follows = finding("name.ptr.exists", Outcome::Fail, A, "example.com");
    follows.follows = Some(pointer);
    let findings = [
        finding(pointer, Outcome::Fail, A, "example.com"),
        again,
        follows,
        finding(spf, Outcome::Fail, B, "other.test"),
        finding(pointer, Outcome::Warn, B, "other.test"),
    ];
    for at in [T0, T0 + CONFIRM_AFTER + secs(1)] {
        permits.observe(&findings, |_| true, at);
    }
    let points = permits.points();
    assert_eq!(points.of(Some(ip(A)), Some(&d("example.com"))), 100 - weight(pointer));
    assert_eq!(points.of(Some(ip(A)), Some(&d("other.test"))), 100 - weight(pointer));
    assert_eq!(points.of(Some(ip(A)), None), 100 - weight(pointer));
    let third = weight(pointer).div_ceil(3);
    assert_eq!(points.of(Some(ip(B)), Some(&d("other.test"))), 100 - weight(spf) - third);
    assert_eq!(points.of(Some(ip(B)), Some(&d("example.com"))), 100 - third);
    assert_eq!(points.of(None, Some(&d("other.test"))), 100);
}

/// What a run finds where all is well, but for this.
fn run(bad: &[(&'static str, Outcome, &str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in suspending().iter().filter(|rule| rule.proves) {
        let id = repute_trust::checks::entry(&rule.check).unwrap().id.as_str();
        for address in [A, B] {
            for domain in ["example.com", "other.test"] {
                let of = match rule.scope {
                    Scope::Address => (address, "example.com"),
                    Scope::Domain => (A, domain),
                    Scope::Pair => (address, domain),
                };
                let outcome = bad.iter().find(|b| b.0 == id && (b.2, b.3) == of).map_or(Outcome::Pass, |b| b.1);
                findings.push(finding(id, outcome, of.0, of.1));
            }
        }
    }
    findings.dedup();
    findings
}

fn observe(permits: &mut Permits, findings: &[Finding], at: Timestamp) -> Vec<(String, Option<Turn>)> {
    permits.observe(findings, |_| true, at).into_iter().map(|c| (c.subject.check, c.turn)).collect()
}

#[track_caller]
fn check(permits: &Permits, address: &str, domain: &str, at: Timestamp, expected: &str) {
    let rights = permits.rights(&key(address, domain), at);
    let found = match rights.found {
        State::Unproven { .. } => "unproven".to_owned(),
        State::Permitted { .. } => "permitted".to_owned(),
        State::Suspended { check, .. } => format!("suspended {check}"),
    };
    assert_eq!(found, expected, "{address} {domain}");
}

const LOST: (&str, Outcome, &str, &str) = ("name.ptr.exists", Outcome::Fail, A, "example.com");

#[test]
fn one_good_run_permits_and_nothing_is_permitted_before() {
    let mut permits = permits();
    check(&permits, A, "example.com", T0, "unproven");
    observe(&mut permits, &run(&[]), T0);
    check(&permits, A, "example.com", T0, "permitted");
    check(&permits, B, "other.test", T0, "permitted");
}

/// It was told with a failure that is mended, and nobody ever heard of it.
#[test]
fn what_another_failure_hid_is_told_when_it_stays() {
    let (lead, hidden) = ("name.ptr.exists", "name.fcrdns");
    let of = |id, outcome| finding(id, outcome, A, "example.com");
    let follows = || of(hidden, Outcome::Fail).follows(lead);
    let mut permits = permits();
    let mut seen = |findings: &[Finding], at| observe(&mut permits, findings, T0 + secs(at));
    let both = [of(lead, Outcome::Fail), follows()];
    assert!(seen(&both, 0).is_empty());
    assert_eq!(seen(&both, 10).len(), 2);
    let alone = [of(lead, Outcome::Pass), of(hidden, Outcome::Fail)];
    assert!(seen(&alone, 20).is_empty(), "one answer is none");
    let told = seen(&alone, 30);
    assert_eq!(told, [(lead.to_owned(), Some(Turn::Recovered)), (hidden.to_owned(), Some(Turn::Failed))]);
    assert!(seen(&alone, 40).is_empty(), "it is told once");
    // What goes with the other failure was never one of its own.
    let mut permits = self::permits();
    let mut seen = |findings: &[Finding], at| observe(&mut permits, findings, T0 + secs(at));
    seen(&both, 0);
    seen(&both, 10);
    let well = [of(lead, Outcome::Pass), of(hidden, Outcome::Pass)];
    seen(&alone, 20);
    assert_eq!(seen(&well, 25), [(lead.to_owned(), Some(Turn::Recovered))], "one good answer is none");
    assert_eq!(seen(&well, 35), [(hidden.to_owned(), Some(Turn::Recovered))]);
}

#[test]
fn what_is_unknown_proves_nothing_and_takes_nothing() {
    let mut permits = permits();
    let silent = ("name.fcrdns", Outcome::Unknown, A, "example.com");
    observe(&mut permits, &run(&[silent]), T0);
    check(&permits, A, "example.com", T0, "unproven");
    let why = permits.rights(&key(A, "example.com"), T0).why_not();
    assert_eq!(why, "name.fcrdns: name.fcrdns is unknown", "the reason used to be empty");
    check(&permits, B, "example.com", T0, "permitted");
    observe(&mut permits, &run(&[]), T0 + secs(60));
    for n in 2..1000 {
        assert_eq!(observe(&mut permits, &run(&[silent]), T0 + secs(60 * n)), []);
    }
    check(&permits, A, "example.com", T0 + secs(60_000), "permitted");
}

#[test]
fn a_lost_name_suspends_its_address_when_it_is_confirmed_and_comes_back_by_itself() {
    let mut permits = permits();
    observe(&mut permits, &run(&[]), T0);
    assert_eq!(observe(&mut permits, &run(&[LOST]), T0 + secs(60)), [], "once is not enough");
    check(&permits, A, "example.com", T0 + secs(60), "permitted");
    assert_eq!(observe(&mut permits, &run(&[LOST]), T0 + secs(61)), [], "too soon to be another answer");
    let turned = observe(&mut permits, &run(&[LOST]), T0 + secs(70));
    assert_eq!(turned, [("name.ptr.exists".to_owned(), Some(Turn::Failed))]);
    for domain in ["example.com", "other.test"] {
        check(&permits, A, domain, T0 + secs(70), "suspended name.ptr.exists");
        check(&permits, B, domain, T0 + secs(70), "permitted");
    }
    let rights = permits.rights(&key(A, "example.com"), T0 + secs(70));
    assert_eq!(rights.why_not(), "name.ptr.exists: name.ptr.exists is fail; fix: mend it");
    assert_eq!(observe(&mut permits, &run(&[]), T0 + secs(80)), []);
    let turned = observe(&mut permits, &run(&[]), T0 + secs(90));
    assert_eq!(turned, [("name.ptr.exists".to_owned(), Some(Turn::Recovered))]);
    check(&permits, A, "example.com", T0 + secs(90), "permitted");
}

#[test]
fn answers_that_come_and_go_turn_nothing() {
    let mut permits = permits();
    observe(&mut permits, &run(&[]), T0);
    for n in 1..500 {
        let findings = if n % 2 == 0 { run(&[]) } else { run(&[LOST]) };
        assert_eq!(observe(&mut permits, &findings, T0 + secs(60 * n)), []);
    }
}

#[test]
fn a_domain_without_a_good_signature_stops_by_every_way_and_one_key_of_two_is_enough() {
    let mut permits = permits();
    let id = "dkim.sign.verify";
    let probe = |selector: &str, outcome| {
        Finding::new(id, outcome, selector, format!("{selector} {outcome}")).for_domain(&d("example.com"))
    };
    let with = |a, b| {
        let mut findings = run(&[]);
        findings.retain(|f| f.id != id);
        findings.extend([probe("r", a), probe("e", b), finding(id, Outcome::Pass, A, "other.test")]);
        findings
    };
    observe(&mut permits, &with(Outcome::Pass, Outcome::Pass), T0);
    for n in 1..3 {
        observe(&mut permits, &with(Outcome::Pass, Outcome::Fail), T0 + secs(60 * n));
    }
    check(&permits, A, "example.com", T0, "permitted");
    for n in 3..5 {
        observe(&mut permits, &with(Outcome::Fail, Outcome::Fail), T0 + secs(60 * n));
    }
    check(&permits, A, "example.com", T0, "suspended dkim.sign.verify");
    check(&permits, B, "example.com", T0, "suspended dkim.sign.verify");
    check(&permits, A, "other.test", T0, "permitted");
    let by_relay =
        |permits: &Permits, domain| permits.rights(&Key { address: None, domain: Some(d(domain)) }, T0).may();
    assert!(!by_relay(&permits, "example.com") && by_relay(&permits, "other.test"));
}

#[test]
fn what_was_kept_is_what_was_known() {
    let mut permits = permits();
    observe(&mut permits, &run(&[]), T0);
    observe(&mut permits, &run(&[LOST]), T0 + secs(60));
    observe(&mut permits, &run(&[LOST]), T0 + secs(70));
    let mut again = Permits::restore(permits.records(0).map(|(_, record)| record));
    let mut now = setup();
    again.configure(now.clone());
    check(&again, A, "example.com", T0, "suspended name.ptr.exists");
    check(&again, B, "example.com", T0, "permitted");
    // With other keys nothing is known of the domain any more, and all of the address still is.
    now.domains.insert(d("example.com"), "other keys".into());
    again.configure(now);
    check(&again, B, "example.com", T0, "unproven");
    check(&again, B, "other.test", T0, "permitted");
    check(&again, A, "example.com", T0, "suspended name.ptr.exists");
}

#[test]
fn an_operators_word_holds_for_its_time() {
    let mut permits = permits();
    let say = |word, address: Option<&str>, domain: Option<&str>, minutes: u64| Override {
        word,
        address: address.map(ip),
        domain: domain.map(d),
        at: T0,
        until: T0 + secs(60 * minutes),
        reason: "the hoster is slow".into(),
        who: "root".into(),
    };
    permits.say(say(Word::Allow, Some(A), None, 120));
    let may = |permits: &Permits, at| permits.rights(&key(A, "example.com"), at).may();
    assert!(may(&permits, T0) && may(&permits, T0 + secs(7199)) && !may(&permits, T0 + secs(7200)));
    assert!(!permits.rights(&key(B, "example.com"), T0).may());
    assert_eq!(permits.expire(T0 + secs(7200)).len(), 1);
    observe(&mut permits, &run(&[]), T0);
    permits.say(say(Word::Suspend, None, Some("example.com"), 1));
    assert!(!may(&permits, T0) && may(&permits, T0 + secs(60)));
    assert!(permits.unsay(None, Some(&d("example.com"))) && may(&permits, T0));
}

#[test]
fn a_check_that_is_assumed_is_not_asked_for() {
    let mut permits = permits();
    permits.configure(Configured { assumed: vec!["ip.public".into()], ..setup() });
    let private = ("ip.public", Outcome::Fail, A, "example.com");
    for n in 0..3 {
        observe(&mut permits, &run(&[private]), T0 + secs(60 * n));
    }
    check(&permits, A, "example.com", T0, "permitted");
}

#[test]
fn a_key_that_is_gone_is_forgotten_but_not_by_silence() {
    let mut permits = permits();
    let with = |more: Vec<Finding>| [run(&[]), more].concat();
    let old = |outcome| Finding::new("dkim.exists", outcome, "old._domainkey", "gone").for_domain(&d("example.com"));
    observe(&mut permits, &with(vec![old(Outcome::Fail)]), T0);
    observe(&mut permits, &with(vec![old(Outcome::Fail)]), T0 + secs(60));
    let silence = ("dmarc.exists", Outcome::Unknown, A, "example.com");
    for n in 2..50 {
        assert_eq!(observe(&mut permits, &run(&[silence]), T0 + secs(60 * n)), []);
    }
    let mut turned = Vec::new();
    for n in 50..53 {
        turned.extend(observe(&mut permits, &run(&[]), T0 + secs(60 * n)));
    }
    assert_eq!(turned, [("dkim.exists".to_owned(), None)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever DNS says in whatever order: a permit is lost only after two definite failures with
    /// nothing good between them, is kept through silence, and is there again after two good answers.
    #[test]
    fn a_permit_is_lost_by_evidence_alone_and_always_comes_back(
        answers in proptest::collection::vec((0..3u8, 1..600u64), 1..200),
    ) {
        let mut permits = permits();
        let mut now = T0;
        observe(&mut permits, &run(&[]), now);
        let may = |permits: &Permits, now| permits.rights(&key(A, "example.com"), now).may();
        // Failures in a row, as times; silence does not break the row.
        let mut row: Vec<Timestamp> = Vec::new();
        for (answer, after) in answers {
            now = now + secs(after);
            let before = may(&permits, now);
            let outcome = [Outcome::Pass, Outcome::Fail, Outcome::Unknown][usize::from(answer)];
            observe(&mut permits, &run(&[(LOST.0, outcome, A, "example.com")]), now);
            match outcome {
                Outcome::Fail => row.push(now),
                Outcome::Pass => row.clear(),
                _ => prop_assert_eq!(before, may(&permits, now), "silence changed it"),
            }
            if before && !may(&permits, now) {
                prop_assert!(row.len() >= 2 && now.since(row[0]) >= CONFIRM_AFTER, "lost without evidence");
            }
        }
        for _ in 0..2 {
            now = now + secs(10);
            observe(&mut permits, &run(&[]), now);
        }
        prop_assert!(may(&permits, now), "it did not come back");
    }
}

#[test]
fn a_domain_has_permits_for_the_addresses_of_its_pool_alone() {
    let mut permits = permits();
    observe(&mut permits, &run(&[]), T0);
    check(&permits, B, "other.test", T0, "permitted");
    let pools = [(d("other.test"), [ip(A)].into_iter().collect())].into_iter().collect();
    permits.configure(Configured { pools, ..setup() });
    let of = |domain: &str| {
        let mine = permits.keys().into_iter().filter(|key| key.domain == Some(d(domain)));
        mine.filter_map(|key| key.address).collect::<Vec<_>>()
    };
    assert_eq!((of("other.test"), of("example.com")), (vec![ip(A)], vec![ip(A), ip(B)]));
    assert!(permits.pairs(ip(A), &d("other.test")) && !permits.pairs(ip(B), &d("other.test")));
    // What was found about the pair that is none any more is forgotten; the others stand.
    assert!(permits.trails().all(|(s, _)| s.address != Some(ip(B)) || s.domain != Some(d("other.test"))));
    check(&permits, A, "other.test", T0, "permitted");
    check(&permits, B, "example.com", T0, "permitted");
}
