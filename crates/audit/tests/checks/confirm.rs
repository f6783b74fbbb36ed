//! When a failure counts: what the authoritative servers say against it.

use std::sync::Arc;

use repute_audit::{Options, contradicted};
use repute_dns::ServersFake;
use repute_trust::checks::Finding;

use crate::common::{d, setup, zone};

const REVERSE: &str = "
    113.0.203.in-addr.arpa  NS  ns1.example.com
    113.0.203.in-addr.arpa  NS  ns2.example.com";

#[track_caller]
fn check(dns: ServersFake, finding: &Finding, expected: Option<&str>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let found = runtime.block_on(contradicted(&setup(), Arc::new(dns), [finding], &Options::default())).remove(0);
    assert_eq!(found.is_some(), expected.is_some(), "{found:?}");
    if let (Some(found), Some(expected)) = (&found, expected) {
        assert!(found.contains(expected), "{found}");
    }
}

fn no_name() -> Finding {
    Finding::fail("name.ptr.exists", "203.0.113.10", "it has none").for_address("203.0.113.10".parse().unwrap())
}

#[test]
fn a_failure_that_every_server_confirms_is_one() {
    let dns = ServersFake::parse(&zone(&["203.0.113.10 PTR"], REVERSE));
    check(dns, &no_name(), None);
}

#[test]
fn one_server_that_has_the_name_speaks_against_the_others() {
    let without = zone(&["203.0.113.10 PTR"], REVERSE);
    let with = "10.113.0.203.in-addr.arpa PTR mail.example.com";
    let dns = ServersFake::parse(&without).server("192.0.2.2".parse().unwrap(), with);
    check(dns, &no_name(), Some("ns2.example.com says"));
}

#[test]
fn an_old_answer_of_the_resolver_is_not_believed() {
    let without = zone(&["203.0.113.10 PTR"], REVERSE);
    let with = "10.113.0.203.in-addr.arpa PTR mail.example.com";
    let dns = ServersFake::parse(&without)
        .server("192.0.2.1".parse().unwrap(), with)
        .server("192.0.2.2".parse().unwrap(), with);
    check(dns, &no_name(), Some("our resolver says"));
}

#[test]
fn where_the_servers_are_lame_the_resolver_stands() {
    let dns = ServersFake::parse(&zone(&["203.0.113.10 PTR"], REVERSE))
        .lame("192.0.2.1".parse().unwrap())
        .lame("192.0.2.2".parse().unwrap());
    check(dns, &no_name(), None);
}

#[test]
fn a_key_that_one_server_lacks_is_no_lost_key() {
    let behind = zone(&["s1._domainkey.example.com TXT"], "");
    let dns = ServersFake::parse(&zone(&[], "")).server("192.0.2.2".parse().unwrap(), &behind);
    let finding =
        Finding::fail("dkim.sign.verify", "s1._domainkey.example.com", "no key").for_domain(&d("example.com"));
    check(dns, &finding, Some("ns2.example.com"));
    let gone = ServersFake::parse(&behind);
    check(gone, &finding, None);
}

/// One after another, thousands of domains that fail at once would have been asked about for hours.
#[test]
fn many_failures_have_the_time_of_one_run_together_and_what_it_does_not_suffice_for_is_not_believed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    // Each in a zone of its own: what is known of a zone is asked once.
    let zones = (0..1_000)
        .map(|n| format!("z{n}.example.com NS ns1.z{n}.example.com\nns1.z{n}.example.com TIMEOUT\n"))
        .collect::<String>();
    let dns = ServersFake::parse(&format!("example.net TXT x\n{zones}"));
    let failing = |n: u32| {
        let about = format!("s._domainkey.z{n}.example.com");
        Finding::fail("dkim.key.exists", about, "no key").for_domain(&d("example.com"))
    };
    let findings: Vec<Finding> = (0..1_000).map(failing).collect();
    let options = Options::default();
    let began = runtime.block_on(async { tokio::time::Instant::now() });
    let found = runtime.block_on(contradicted(&setup(), Arc::new(dns), &findings, &options));
    assert_eq!(runtime.block_on(async { began.elapsed() }), options.deadline);
    let late = found.iter().flatten().filter(|why| why.starts_with("there was no time to ask")).count();
    assert!(found[0].is_none() && late > 600, "{late} of {}", found.len());
}
