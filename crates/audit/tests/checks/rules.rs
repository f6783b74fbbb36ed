//! Rules 3 to 5, DMARC and the servers: what passes, what fails, what cannot be known.

use repute_audit::Past;
use repute_dns::ServersFake;
use repute_trust::checks::Outcome;
use repute_trust::dkim::SigningKey;
use repute_trust::dnsbl::Table;

use crate::common::{KEY, check, check_with, d, key, report, setup, zone};

const SPF: [&str; 1] = ["example.com TXT"];

#[test]
fn spf_passes_fails_and_is_unknown() {
    check(&[], "", "spf.pass", &["spf.pass.each pass: 203.0.113.10 passes for example.com by ip4:203.0.113.10"]);
    check(
        &SPF,
        "example.com TXT v=spf1 ip4:198.51.100.1 -all",
        "spf.pass",
        &["spf.pass.each fail: 203.0.113.10 gets fail for example.com: -all of example.com decides"],
    );
    check(&SPF, "", "spf", &["spf.pass.each fail [spf.exists]", "spf.exists fail: example.com has no SPF record"]);
    check(&SPF, "example.com TIMEOUT TXT", "spf", &["spf.pass.each unknown", "spf.exists unknown"]);
    check(&SPF, "example.com TXT v=spf1 ip4:203.0.113.10/33 -all", "spf.syntax", &["spf.syntax fail"]);
    check(&SPF, "example.com TXT v=spf1 ip4:203.0.113.10 ptr ?all", "spf.all", &["spf.all warn"]);
    check(&SPF, "example.com TXT v=spf1 ip4:203.0.113.10 ptr ?all", "spf.ptr", &["spf.ptr warn"]);
}

#[tokio::test]
async fn the_record_to_publish_keeps_what_others_put_there() {
    let dns = ServersFake::parse(&zone(
        &SPF,
        "example.com TXT v=spf1 include:_spf.crm.test -all\n_spf.crm.test TXT v=spf1 ip4:192.0.2.7 -all",
    ));
    let report = report(setup(), dns, "spf.pass").await;
    let fix = report.findings[0].fix.as_ref().unwrap();
    assert_eq!(fix.records, ["example.com. IN TXT \"v=spf1 ip4:203.0.113.10 include:_spf.crm.test -all\""]);
}

#[test]
fn nine_look_ups_warn_and_eleven_fail() {
    let names = |n: usize| (0..n).map(|i| format!(" a:a{i}.example.com")).collect::<String>();
    let hosts: String = (0..11).map(|i| format!("a{i}.example.com A 192.0.2.50\n")).collect();
    let record = |n: usize| format!("{hosts}example.com TXT v=spf1 ip4:203.0.113.10{} -all", names(n));
    check(&SPF, &record(8), "spf.lookups", &["spf.lookups pass: 8 of 10 look-ups are used"]);
    check(&SPF, &record(9), "spf.lookups", &["spf.lookups warn: 9 of 10"]);
    check(&SPF, &record(11), "spf.lookups", &["spf.lookups fail: 11 of 10"]);
}

const KEY_AT: [&str; 1] = ["s1._domainkey.example.com TXT"];

#[test]
fn dkim_passes_fails_and_is_unknown() {
    check(
        &[],
        "",
        "dkim",
        &[
            "dkim.matches pass: s1 (ed25519) is the key at all 2 name servers",
            "dkim.exists pass",
            "dkim.sign.verify pass: a probe signed with s1 verifies",
            "dkim.tags pass",
            "dkim.single pass",
            "dkim.strength pass",
            "dkim.dual fail: example.com signs with Ed25519 alone",
        ],
    );
    check(&KEY_AT, "", "dkim.exists", &["dkim.exists fail: there is no key at s1._domainkey.example.com, and"]);
    // The cure was a record beside the alias, where none may stand.
    let alias = "s1._domainkey.example.com CNAME key.gone.test";
    let absent = "the name is an alias of key.gone.test, which has none";
    check(&KEY_AT, alias, "dkim.exists", &[absent]);
    let other = "s1._domainkey.example.com TXT v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    check(&KEY_AT, other, "dkim.matches", &["dkim.matches fail: DNS has another key"]);
    check(&KEY_AT, other, "dkim.sign", &["dkim.sign.verify fail [dkim.matches]"]);
    check(&KEY_AT, "", "dkim.sign", &["dkim.sign.verify fail [dkim.exists]"]);
    check(&KEY_AT, "s1._domainkey.example.com TIMEOUT", "dkim.sign", &["dkim.sign.verify unknown [dkim.exists]"]);
    check(&KEY_AT, "s1._domainkey.example.com TIMEOUT", "dkim.matches", &["dkim.matches unknown [dkim.exists]"]);
    check(&[], other, "dkim.single", &["dkim.single fail: s1._domainkey.example.com has 2 TXT records"]);
    let tags = |tags: &str, expected: &str| {
        let record = format!("s1._domainkey.example.com TXT v=DKIM1; {tags}");
        check(&KEY_AT, &record, "dkim.tags", &[expected]);
    };
    tags(&format!("k=ed25519; t=y; p={KEY}"), "dkim.tags warn");
    tags(&format!("p={KEY}"), "dkim.tags fail: receivers cannot use the key at s1._domainkey.example.com: k= says rsa");
    tags("k=ed25519; p=", "p= is empty: the key is revoked");
    tags("k=ed25519; p=*", "p= is no base64");
    tags(&format!("k=ed25519; h=sha1; p={KEY}"), "h= does not permit sha256");
    tags(&format!("k=ed25519; nonsense; p={KEY}"), "is no tag=value");
}

#[test]
fn a_server_that_is_behind_is_named() {
    let stale = zone(&KEY_AT, "");
    let dns = || ServersFake::parse(&zone(&[], "")).server("192.0.2.2".parse().unwrap(), &stale);
    check_with(
        setup(),
        dns(),
        "dkim.exists",
        &["dkim.exists fail: there is no key at s1._domainkey.example.com at ns2.example.com"],
    );
    let findings = [
        "pass",
        "pass",
        "pass",
        "pass",
        "ns1.example.com serves our zones",
        "ns2.example.com serves our zones",
        "dns.authoritative fail: s1._domainkey.example.com TXT differs: ns1.example.com says",
    ];
    check_with(setup(), dns(), "dns.authoritative", &findings);
    let silent = ServersFake::parse(&zone(&[], "")).server("192.0.2.2".parse().unwrap(), "example.com TIMEOUT TXT");
    let mut setup = setup();
    setup.egresses.clear();
    setup.domains[0].keys.clear();
    let lame = ServersFake::parse(&zone(&[], "")).lame("192.0.2.2".parse().unwrap());
    let lame_at_all =
        "dns.authoritative fail: ns2.example.com is a name server of example.com and does not serve it (Query Refused)";
    let expected = [
        "_dmarc.example.com TXT stands at its only server",
        "example.com MX",
        "example.com TXT",
        "ns1.example.com serves",
        lame_at_all,
    ];
    check_with(setup.clone(), lame, "dns.authoritative", &expected);
    let report = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let report = report.block_on(report_of(setup, silent));
    assert!(report.iter().any(|o| *o == ("example.com TXT".to_owned(), Outcome::Unknown)), "{report:?}");
}

async fn report_of(setup: repute_trust::setup::Setup, dns: ServersFake) -> Vec<(String, Outcome)> {
    let report = report(setup, dns, "dns.authoritative").await;
    report.findings.into_iter().map(|f| (f.about, f.outcome)).collect()
}

const DMARC: [&str; 1] = ["_dmarc.example.com TXT"];

#[test]
fn dmarc_passes_fails_and_is_unknown() {
    check(
        &[],
        "",
        "dmarc",
        &[
            "dmarc.exists pass: _dmarc.example.com asks for p=reject",
            "dmarc.9989 pass",
            "dmarc.policy pass",
            "dmarc.align pass",
            "dmarc.rua pass: reports go to mailto:dmarc@example.com",
            "dmarc.subdomain pass",
        ],
    );
    check(&DMARC, "", "dmarc", &["dmarc.exists fail: neither example.com nor a domain above it"]);
    check(&DMARC, "_dmarc.example.com SERVFAIL", "dmarc", &["dmarc.exists unknown"]);
    check(
        &[],
        "_dmarc.example.com TXT v=DMARC1; p=none",
        "dmarc",
        &["dmarc.exists fail: _dmarc.example.com has 2 DMARC records"],
    );
    check(&DMARC, "_dmarc.example.com TXT v=DMARC1; p=none; pct=20", "dmarc.9989", &["dmarc.9989 warn"]);
    check(&DMARC, "_dmarc.example.com TXT v=DMARC1; p=none", "dmarc.rua", &["dmarc.rua warn"]);
    let foreign = "_dmarc.example.com TXT v=DMARC1; p=none; rua=mailto:a@reports.test";
    check(&DMARC, foreign, "dmarc.rua", &["dmarc.rua fail: reports go to reports.test, which did not agree"]);
    let agreed = format!("{foreign}\nexample.com._report._dmarc.reports.test TXT v=DMARC1;");
    check(&DMARC, &agreed, "dmarc.rua", &["dmarc.rua pass"]);
    let silent = format!("{foreign}\nexample.com._report._dmarc.reports.test TIMEOUT");
    check(&DMARC, &silent, "dmarc.rua", &["dmarc.rua unknown"]);
}

#[test]
fn a_subdomain_is_under_the_policy_of_its_organisation() {
    let mut news = setup();
    news.domains[0].name = d("news.example.com");
    let zone = zone(&[], "news.example.com TXT v=spf1 -all");
    check_with(
        news,
        ServersFake::parse(&zone),
        "dmarc.exists",
        &["dmarc.exists pass: _dmarc.example.com asks for p=reject"],
    );
}

/// It told to take another name under the domain, which is as little the domain itself.
#[tokio::test]
async fn the_cure_for_a_return_path_under_strict_alignment_is_no_other_name_under_the_domain() {
    let mut below = setup();
    below.domains[0].return_path = Some(d("bounces.example.com"));
    let strict = zone(&DMARC, "_dmarc.example.com TXT v=DMARC1; p=reject; aspf=s; rua=mailto:a@example.com");
    let strict = report(below.clone(), ServersFake::parse(&strict), "spf.align").await;
    assert_eq!(strict.findings[0].outcome, Outcome::Warn);
    let cure = &strict.findings[0].fix.as_ref().unwrap().advice;
    assert!(cure.contains("take aspf=s out") && !cure.contains("return_path"), "{cure}");
    // Reports are asked for where this server reads them.
    let none = report(below, ServersFake::parse(&zone(&DMARC, "")), "dmarc.exists").await;
    let record = &none.findings[0].fix.as_ref().unwrap().records[0];
    assert!(record.ends_with("rua=mailto:dmarc@bounces.example.com\""), "{record}");
}

/// Large receivers verify RSA alone.
#[test]
fn a_broken_rsa_key_fails_beside_a_good_one_of_ed25519() {
    let mut both = setup();
    let rsa = SigningKey::generate(repute_trust::dkim::Algorithm::Rsa, "r1").unwrap();
    both.domains[0].keys.push(std::sync::Arc::new(rsa));
    let dns = |more: &str| ServersFake::parse(&zone(&[], more));
    let broken = [
        "dkim.sign.verify fail [dkim.exists]: a probe signed with r1 cannot be verified",
        "dkim.sign.verify fail [dkim.exists]: a probe signed with s1 verifies with the key of every server, but it is ed25519",
    ];
    check_with(both.clone(), dns(""), "dkim.sign", &broken);
    let silent = dns("r1._domainkey.example.com TIMEOUT");
    check_with(both, silent, "dkim.sign", &["dkim.sign.verify unknown [dkim.exists]", "dkim.sign.verify pass"]);
}

#[test]
fn unsigned_mail_fails() {
    let mut unsigned = setup();
    unsigned.domains[0].keys.clear();
    let dns = || ServersFake::parse(&zone(&[], ""));
    check_with(unsigned.clone(), dns(), "dkim", &["dkim.exists fail: mail of example.com is not signed"]);
    check_with(
        unsigned.clone(),
        dns(),
        "dmarc.policy",
        &["dmarc.policy fail: example.com asks for p=reject and does not sign"],
    );
    unsigned.domains[0].return_path = Some(d("bounces.other.test"));
    check_with(unsigned, dns(), "dmarc.align", &["dmarc.align fail"]);
}

/// Every list sound and empty but for its test entry; `more` may say otherwise.
fn lists(more: &str) -> String {
    let mut text = zone(&[], more);
    for list in Table::shipped().lists() {
        let Some(zone) = Table::zone(list, &Default::default()) else { continue };
        if more.contains(&format!("2.0.0.127.{zone}")) {
            continue;
        }
        for pair in list.test_points(&zone) {
            text += &format!("\n{} A {}", pair.listed.name, "127.0.0.2");
        }
    }
    text
}

fn zone_of(name: &str) -> String {
    let list = Table::shipped().named(name).unwrap();
    Table::zone(list, &Default::default()).unwrap()
}

#[test]
fn listed_clean_and_refused_are_three_things() {
    let zen = zone_of("zen.spamhaus.org");
    let check_lists = |more: &str, only: &str, expected: &[&str]| {
        check_with(setup(), ServersFake::parse(&lists(more)), only, expected)
    };
    check_lists("", "bl.ip", &["bl.ip pass: 203.0.113.10 is clean on"]);
    let listed = format!("10.113.0.203.{zen} A 127.0.0.3\n10.113.0.203.{zen} TXT see the page");
    check_lists(&listed, "bl.ip", &["bl.ip fail: 203.0.113.10 is on Spamhaus ZEN: CSS (127.0.0.3)"]);
    let refused = format!("2.0.0.127.{zen} A 127.255.255.254\n1.0.0.127.{zen} A 127.255.255.254");
    check_lists(&refused, "bl.ip", &["more gave no usable answer: Spamhaus ZEN"]);
    check_lists(&refused, "dns.resolver", &["dns.resolver fail: no answer about black lists can be trusted"]);
    check_lists("", "dns.resolver", &["dns.resolver pass"]);
    let silent = format!("2.0.0.127.{zen} TIMEOUT");
    check_lists(&silent, "dns.resolver", &["dns.resolver unknown"]);
    // A wildcard lists everybody and nobody: it is not believed.
    let wildcard = format!("2.0.0.127.{zen} A 127.0.0.2\n1.0.0.127.{zen} A 127.0.0.2\n10.113.0.203.{zen} A 127.0.0.2");
    check_lists(&wildcard, "bl.ip", &["bl.ip pass"]);
    // No list answers: that is not clean.
    check(&[], "", "bl.ip", &["bl.ip unknown: too few lists answer to say whether 203.0.113.10 is listed"]);
    let dbl = zone_of("dbl.spamhaus.org");
    let domain = format!("example.com.{dbl} A 127.0.1.2");
    check_lists(&domain, "bl.domain", &["bl.domain fail: example.com (From) is on Spamhaus DBL"]);
    check_lists(&domain, "name.helo.dbl", &["name.helo.dbl pass: mail.example.com (EHLO)"]);
}

#[tokio::test(start_paused = true)]
async fn what_changed_since_the_last_run_is_told() {
    let before = Past::of(&report(setup(), ServersFake::parse(&zone(&[], "")), "dkim").await);
    let text = serde_json::to_string(&before).unwrap();
    let before: Past = serde_json::from_str(&text).unwrap();
    let now = report(setup(), ServersFake::parse(&zone(&KEY_AT, "")), "dkim").await;
    let changes = before.changes(&now);
    assert_eq!(
        (changes[0].id.as_str(), changes[0].before, changes[0].now),
        ("dkim.exists", Some(Outcome::Pass), Some(Outcome::Fail))
    );
    assert_eq!(before.changes(&report(setup(), ServersFake::parse(&zone(&[], "")), "dkim").await), []);
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_by_its_deadline_and_says_what_it_does_not_know() {
    let zone = zone(&["203.0.113.10 PTR"], "203.0.113.10 TIMEOUT");
    let options = repute_audit::Options {
        only: vec!["name.ptr.exists".into()],
        deadline: std::time::Duration::from_secs(1),
        ..Default::default()
    };
    let start = tokio::time::Instant::now();
    let report = repute_audit::run(
        setup(),
        std::sync::Arc::new(ServersFake::parse(&zone)),
        &options,
        repute_types::Timestamp(0),
        Default::default(),
    )
    .await;
    assert!(start.elapsed() < std::time::Duration::from_secs(2));
    assert_eq!(report.findings[0].outcome, Outcome::Unknown);
    assert_eq!(report.exit_code(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_receivers_do_follows_from_the_findings() {
    let mut all = setup();
    all.domains[0].keys.push(key("s2"));
    let dns = ServersFake::parse(&zone(&["203.0.113.10 PTR"], ""));
    let report = report(all, dns, "name.ptr").await;
    let pair = &report.pairs[0];
    let gmail = &pair.takes[0];
    assert_eq!((gmail.provider, gmail.outcome, gmail.code), ("Gmail", Outcome::Fail, Some("5.7.25")));
    assert_eq!(pair.trust, 75);
    // T-Online asks for a page, which DNS alone does not show, so at best it is not known.
    let good = report_good().await;
    assert_eq!(good.pairs[0].takes[5].outcome, Outcome::Unknown);
    assert_eq!((good.pairs[0].trust, good.exit_code()), (100, 0));
}

async fn report_good() -> repute_audit::Report {
    report(setup(), ServersFake::parse(&zone(&[], "")), "name.ptr").await
}

#[tokio::test]
async fn the_record_for_an_ehlo_name_left_its_other_address_out() {
    let mut both = setup();
    let (v6, ehlo) = ("2001:db8::10".parse().unwrap(), both.egresses[0].ehlo.clone());
    both.egresses.push(repute_trust::setup::Egress { ehlo, addresses: vec![v6] });
    let dns = ServersFake::parse(&zone(&["mail.example.com TXT"], ""));
    let report = report(both, dns, "name.helo.spf").await;
    let fixes: Vec<_> = report.findings.iter().filter_map(|finding| finding.fix.as_ref()).collect();
    assert_eq!(fixes.len(), 2);
    for fix in fixes {
        let both = "mail.example.com. IN TXT \"v=spf1 ip4:203.0.113.10 ip6:2001:db8::10 -all\"";
        assert_eq!(fix.records, [both]);
    }
}

#[tokio::test]
async fn each_domain_is_judged_by_the_addresses_of_its_pool() {
    let mut two = setup();
    let (other, ehlo) = ("203.0.113.11".parse().unwrap(), two.egresses[0].ehlo.clone());
    two.egresses.push(repute_trust::setup::Egress { ehlo, addresses: vec![other] });
    two.domains[0].pool = Some(two.egresses[0].addresses.clone());
    let report = report(two, ServersFake::parse(&zone(&[], "")), "spf.pass").await;
    assert_eq!(report.findings.iter().map(|f| f.outcome).collect::<Vec<_>>(), [Outcome::Pass]);
    assert_eq!(report.pairs.len(), 1);
}
