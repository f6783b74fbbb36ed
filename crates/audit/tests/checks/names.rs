//! Rule 1 and 2: a set-up that passes, ones that fail, ones that cannot be known.

use repute_dns::ServersFake;
use repute_trust::checks::Outcome;
use repute_trust::setup::{Egress, Sending};

use crate::common::{check, check_with, d, report, setup, zone};

#[test]
fn a_right_set_up_passes() {
    check(
        &[],
        "",
        "name",
        &[
            "name.fcrdns pass: 203.0.113.10 → mail.example.com → 203.0.113.10, and EHLO says the same",
            "name.ptr.exists pass",
            "name.helo.resolves pass",
            "name.helo.eq.ptr pass",
            "name.ptr.single pass",
            "name.ptr.generic pass",
            "name.ptr.owndomain pass",
            "name.helo.fqdn pass",
            "name.a.cname pass",
            "name.helo.spf pass",
            "name.helo.dbl unknown",
            "name.from.soa pass",
            "name.from.mx pass",
        ],
    );
}

/// Every record exists, each looks fine alone, and the set-up is wrong.
#[tokio::test]
async fn the_classic_mistake_is_told_in_one_sentence_with_the_right_records() {
    let mut bob = setup();
    bob.hostname = d("mail.bob.com");
    bob.egresses = vec![Egress { ehlo: d("mail.bob.com"), addresses: vec!["125.42.17.10".parse().unwrap()] }];
    let dns = || ServersFake::parse("mail.bob.com A 34.54.65.23\n34.54.65.23 PTR mail.bob.com");
    let report = report(bob, dns(), "name").await;
    let causes: Vec<_> = report
        .findings
        .iter()
        .filter(|f| f.outcome == Outcome::Fail && f.follows.is_none() && f.address.is_some())
        .filter(|f| f.id != "name.helo.spf")
        .collect();
    let [one] = causes.as_slice() else { panic!("{causes:#?}") };
    assert_eq!(
        one.verdict,
        "mail leaves from 125.42.17.10, but the records are those of 34.54.65.23: mail.bob.com has A 34.54.65.23, \
         and the PTR record of 34.54.65.23 says mail.bob.com"
    );
    let fix = one.fix.as_ref().unwrap();
    assert_eq!(fix.records, ["mail.bob.com. IN A 125.42.17.10", "10.17.42.125.in-addr.arpa. IN PTR mail.bob.com."]);
    assert!(fix.advice.contains("ask your hoster to set the PTR of 125.42.17.10 to mail.bob.com"), "{}", fix.advice);
}

#[test]
fn the_other_faults_follow_from_it() {
    let mut bob = setup();
    bob.egresses = vec![Egress { ehlo: d("mail.bob.com"), addresses: vec!["125.42.17.10".parse().unwrap()] }];
    let dns = ServersFake::parse("mail.bob.com A 34.54.65.23\n34.54.65.23 PTR mail.bob.com");
    check_with(bob, dns, "name.helo.resolves", &["name.helo.resolves fail [name.ptr.exists]"]);
}

/// It was told as a failure of the name in EHLO that the reverse name could not be found out.
#[test]
fn what_fails_beside_what_is_not_known_is_told_by_itself() {
    let without = ["203.0.113.10 PTR", "mail.example.com A"];
    let more = "203.0.113.10 TIMEOUT\nmail.example.com A 192.0.2.50";
    let wrong = "name.helo.resolves fail: mail.example.com leads to 192.0.2.50, not to 203.0.113.10";
    check(&without, more, "name.helo.resolves", &[wrong]);
    check(
        &without,
        more,
        "name.ptr.exists",
        &["name.ptr.exists unknown: the PTR record of 203.0.113.10 could not be found out"],
    );
}

#[test]
fn no_reverse_name() {
    check(
        &["203.0.113.10 PTR"],
        "",
        "name.ptr",
        &[
            "name.ptr.exists fail: 203.0.113.10 has no PTR record; it has to say mail.example.com",
            "name.ptr.owndomain warn [name.ptr.exists]",
        ],
    );
}

#[test]
fn a_generic_name_that_is_not_ours() {
    check(
        &["203.0.113.10 PTR"],
        "203.0.113.10 PTR static.203-0-113-10.isp.net\nstatic.203-0-113-10.isp.net A 203.0.113.10",
        "name",
        &[
            "name.fcrdns pass: 203.0.113.10 → static.203-0-113-10.isp.net → 203.0.113.10",
            "name.ptr.exists pass",
            "name.helo.resolves pass",
            "name.helo.eq.ptr warn: 203.0.113.10 and static.203-0-113-10.isp.net lead to each other, but in EHLO we say mail.example.com",
            "name.ptr.single pass",
            "name.ptr.generic warn [name.helo.eq.ptr]",
            "name.ptr.owndomain warn [name.helo.eq.ptr]",
            "name.helo.fqdn pass",
            "name.a.cname pass",
            "name.a.cname pass",
            "name.helo.spf pass",
            "name.helo.dbl unknown",
            "name.helo.dbl unknown",
            "name.from.soa pass",
            "name.from.mx pass",
        ],
    );
}

#[test]
fn what_dns_does_not_tell_is_unknown() {
    check(&["203.0.113.10 PTR"], "203.0.113.10 TIMEOUT", "name.fcrdns", &["name.fcrdns unknown [name.ptr.exists]"]);
    check(&["203.0.113.10 PTR"], "203.0.113.10 TIMEOUT", "name.ptr.exists", &["name.ptr.exists unknown"]);
    check(&["mail.example.com A"], "mail.example.com SERVFAIL A", "name.fcrdns", &["name.fcrdns unknown"]);
    check(
        &["mail.example.com A"],
        "mail.example.com SERVFAIL A",
        "name.helo.resolves",
        &["name.helo.resolves unknown"],
    );
    check(&["mail.example.com TXT"], "mail.example.com TIMEOUT TXT", "name.helo.spf", &["name.helo.spf unknown"]);
    check(&["example.com MX"], "example.com SERVFAIL MX", "name.from.mx", &["name.from.mx unknown"]);
    check(&["example.com SOA"], "example.com TIMEOUT SOA", "name.from.soa", &["name.from.soa unknown"]);
}

#[test]
fn an_alias_is_no_host_name() {
    check(
        &["mail.example.com A", "mail.example.com TXT"],
        "mail.example.com CNAME host.example.com\nhost.example.com A 203.0.113.10",
        "name.a",
        &["name.a.cname fail: mail.example.com is an alias of host.example.com"],
    );
}

#[test]
fn senders_that_cannot_be_answered() {
    check(
        &["example.com MX"],
        "example.com MX 0 .",
        "name.from.mx",
        &["name.from.mx fail: example.com says that it takes no mail"],
    );
    check(
        &["example.com MX"],
        "example.com A 203.0.113.10",
        "name.from.mx",
        &["name.from.mx warn: example.com has no MX"],
    );
    check(&["example.com MX"], "", "name.from.mx", &["name.from.mx fail: example.com has neither MX nor address"]);
    check(
        &["example.com MX"],
        "example.com MX 10 nowhere.example.com",
        "name.from.mx",
        &["name.from.mx fail: example.com takes mail at nowhere.example.com, which has no address"],
    );
    check(
        &[],
        "example.com MX 20 nowhere.example.com",
        "name.from.mx",
        &[
            "name.from.mx warn: example.com takes mail at mail.example.com, nowhere.example.com; nowhere.example.com without",
        ],
    );
    let mut gone = setup();
    gone.domains = vec![Sending { name: d("gone.test"), return_path: None, pool: None, keys: Vec::new() }];
    check_with(
        gone,
        ServersFake::parse(&zone(&[], "")),
        "name.from.soa",
        &["name.from.soa fail: there is no zone that gone.test is in"],
    );
}

#[test]
fn an_address_that_nobody_sees() {
    let mut private = setup();
    private.egresses[0].addresses = vec!["10.0.0.5".parse().unwrap()];
    check_with(
        private,
        ServersFake::parse(&zone(&[], "")),
        "ip.public",
        &["ip.public fail: receivers never see 10.0.0.5"],
    );
    let mut public = setup();
    public.egresses[0].addresses = vec!["125.42.17.10".parse().unwrap()];
    check_with(public, ServersFake::parse(&zone(&[], "")), "ip.public", &["ip.public pass"]);
}
