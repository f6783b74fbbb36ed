//! A set-up and a small internet in a text; what the checks say about them.

use std::sync::Arc;

use repute_audit::{Options, Progress, Report, run};
use repute_dns::ServersFake;
use repute_trust::checks::{Finding, Outcome};
use repute_trust::dkim::SigningKey;
use repute_trust::setup::{Egress, Sending, Setup};
use repute_types::{Clock as _, Domain, SystemClock};

/// A key for tests alone; [`KEY`] is its public half.
pub const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIITULifaxnBwfn1rYXA5F/gvW5pI8xvAKw0A7LhIae5r\n-----END PRIVATE KEY-----\n";

pub const KEY: &str = "ZBhHgzgNdV99ExY0cDaSbAZd04uMHXfBZyWSDN2usbI=";

/// Everything right for `mail.example.com`, 203.0.113.10, sending as `example.com`. The lists
/// and what no case is about are left out; a line of a case takes the place of ours.
pub const GOOD: &str = "
    example.com         NS   ns1.example.com
    example.com         NS   ns2.example.com
    example.com         SOA  1
    ns1.example.com     A    192.0.2.1
    ns2.example.com     A    192.0.2.2
    mail.example.com    A    203.0.113.10
    203.0.113.10        PTR  mail.example.com
    mail.example.com    TXT  v=spf1 a -all
    example.com         MX   10 mail.example.com
    example.com         TXT  v=spf1 ip4:203.0.113.10 -all
    _dmarc.example.com  TXT  v=DMARC1; p=reject; rua=mailto:dmarc@example.com
    _smtp._tls.example.com TXT v=TLSRPTv1; rua=mailto:tls@example.com
    s1._domainkey.example.com TXT v=DKIM1; k=ed25519; p=ZBhHgzgNdV99ExY0cDaSbAZd04uMHXfBZyWSDN2usbI=
";

/// [`GOOD`] without the lines that begin with one of these, and with more lines.
pub fn zone(without: &[&str], more: &str) -> String {
    let words = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let kept = GOOD.lines().filter(|line| !without.contains(&words(line).as_str()));
    kept.chain(more.lines()).collect::<Vec<_>>().join("\n")
}

pub fn d(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

pub fn key(selector: &str) -> Arc<SigningKey> {
    Arc::new(SigningKey::from_pem(selector, PEM).unwrap())
}

pub fn setup() -> Setup {
    Setup {
        hostname: d("mail.example.com"),
        egresses: vec![Egress { ehlo: d("mail.example.com"), addresses: vec!["203.0.113.10".parse().unwrap()] }],
        domains: vec![Sending { name: d("example.com"), return_path: None, pool: None, keys: vec![key("s1")] }],
    }
}

pub async fn report(setup: Setup, dns: ServersFake, only: &str) -> Report {
    let options = Options { only: vec![only.to_owned()], ..Options::default() };
    run(setup, Arc::new(dns), &options, SystemClock.now(), Arc::new(Progress::default())).await
}

/// A finding as a line: id, outcome, sentence.
pub fn line(finding: &Finding) -> String {
    let follows = finding.follows.map_or(String::new(), |id| format!(" [{id}]"));
    format!("{} {}{follows}: {}", finding.id, finding.outcome, finding.verdict)
}

/// `only` in a zone: each line expected is part of one that is found, in this order. What passes and
/// is not spoken of may be there too; nothing else may.
#[track_caller]
pub fn check(without: &[&str], more: &str, only: &str, expected: &[&str]) {
    let zone = ServersFake::parse(&zone(without, more));
    check_with(setup(), zone, only, expected);
}

#[track_caller]
pub fn check_with(setup: Setup, dns: ServersFake, only: &str, expected: &[&str]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let report = runtime.block_on(report(setup, dns, only));
    let spoken_of = |f: &Finding| {
        let said = line(f);
        f.outcome != Outcome::Pass || expected.iter().any(|e| e.split(' ').next() == Some(f.id) || said.contains(e))
    };
    let lines: Vec<String> = report.findings.iter().filter(|f| spoken_of(f)).map(line).collect();
    let good = lines.len() == expected.len() && lines.iter().zip(expected).all(|(l, e)| l.contains(e));
    assert!(good, "expected {expected:#?}, found {lines:#?}");
}
