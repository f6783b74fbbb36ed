//! Names and addresses as receivers judge them: the classic mistake, and names that look
//! machine-made.

use std::net::IpAddr;

use repute_trust::lookup::Answer;
use repute_trust::names::confirm::{Facts, Judgement, Standing, judge};
use repute_trust::names::generic::{once_received, points, signs};
use repute_trust::remark::Level;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn names(names: &[&str]) -> Answer {
    Answer::Names(names.iter().map(|n| (*n).to_owned()).collect())
}

fn addresses(list: &[&str]) -> Answer {
    Answer::Addresses(list.iter().map(|a| ip(a)).collect())
}

fn failure() -> Answer {
    Answer::Failure("time-out".into())
}

/// Mail leaves from 125.42.17.10 and says mail.bob.com.
fn bob(ptr: &Answer, forward: &[(&str, Answer)], of_host: &Answer, elsewhere: &[(&str, Answer)]) -> Judgement {
    let forward: Vec<_> = forward.iter().map(|(n, a)| ((*n).to_owned(), a.clone())).collect();
    let elsewhere: Vec<_> = elsewhere.iter().map(|(n, a)| (ip(n), a.clone())).collect();
    let facts = Facts {
        address: ip("125.42.17.10"),
        host: "mail.bob.com",
        ptr,
        forward: &forward,
        of_host,
        elsewhere: &elsewhere,
    };
    judge(&facts)
}

#[track_caller]
fn check(found: &Judgement, standing: Standing, sentence: &str, records: &[&str], checks: &[&str]) {
    assert_eq!((found.standing, found.sentence.as_str()), (standing, sentence));
    assert_eq!(found.records.iter().map(ToString::to_string).collect::<Vec<_>>(), records);
    let said: Vec<String> = found.remarks.iter().map(|r| format!("{} {:?}", r.check, r.level)).collect();
    assert_eq!(said, checks);
}

/// Every record exists, each looks fine alone, and the set-up is wrong.
#[test]
fn the_classic_mistake() {
    let found = bob(&Answer::NoName, &[], &addresses(&["34.54.65.23"]), &[("34.54.65.23", names(&["mail.bob.com."]))]);
    check(
        &found,
        Standing::Wrong,
        "mail leaves from 125.42.17.10, but the records are those of 34.54.65.23: mail.bob.com has A 34.54.65.23, and \
         the PTR record of 34.54.65.23 says mail.bob.com",
        &["mail.bob.com. IN A 125.42.17.10", "10.17.42.125.in-addr.arpa. IN PTR mail.bob.com."],
        &["name.ptr.exists Fail", "name.helo.resolves Fail"],
    );
    assert_eq!(found.records[0].instead_of, ["34.54.65.23"]);
    assert!(found.records[1].is_the_hoster_s());
    // The same with the hoster's own name at the address.
    let found = bob(
        &names(&["static.125-42-17-10.isp.net"]),
        &[("static.125-42-17-10.isp.net", addresses(&["125.42.17.10"]))],
        &addresses(&["34.54.65.23"]),
        &[("34.54.65.23", names(&["mail.bob.com"]))],
    );
    assert!(found.sentence.starts_with("mail leaves from 125.42.17.10, but the records are those of 34.54.65.23"));
    assert_eq!(found.records[1].instead_of, ["static.125-42-17-10.isp.net"]);
}

#[test]
fn a_right_set_up_has_nothing_to_say() {
    let found = bob(
        &names(&["Mail.Bob.COM."]),
        &[("mail.bob.com", addresses(&["125.42.17.10", "125.42.17.11"]))],
        &addresses(&["125.42.17.11", "125.42.17.10"]),
        &[],
    );
    check(&found, Standing::Confirmed, "125.42.17.10 and mail.bob.com lead to each other", &[], &[]);
}

#[test]
fn each_way_to_be_wrong() {
    let good = addresses(&["125.42.17.10"]);
    check(
        &bob(&Answer::NoName, &[], &good, &[]),
        Standing::Wrong,
        "125.42.17.10 has no PTR record; it has to say mail.bob.com",
        &["10.17.42.125.in-addr.arpa. IN PTR mail.bob.com."],
        &["name.ptr.exists Fail"],
    );
    check(
        &bob(&names(&["x.isp.net"]), &[("x.isp.net", addresses(&["9.9.9.9"]))], &good, &[]),
        Standing::Wrong,
        "the PTR record of 125.42.17.10 says x.isp.net, but x.isp.net leads to 9.9.9.9",
        &["10.17.42.125.in-addr.arpa. IN PTR mail.bob.com."],
        &["name.fcrdns Fail", "name.helo.eq.ptr Warn"],
    );
    check(
        &bob(&names(&["mail.bob.com"]), &[("mail.bob.com", Answer::NoName)], &Answer::NoName, &[]),
        Standing::Wrong,
        "the PTR record of 125.42.17.10 says mail.bob.com, which has no address",
        &["mail.bob.com. IN A 125.42.17.10"],
        &["name.fcrdns Fail", "name.helo.resolves Fail"],
    );
    check(
        &bob(&names(&["x.isp.net"]), &[("x.isp.net", good.clone())], &good, &[]),
        Standing::Flawed,
        "125.42.17.10 and x.isp.net lead to each other, but in EHLO we say mail.bob.com",
        &["10.17.42.125.in-addr.arpa. IN PTR mail.bob.com."],
        &["name.helo.eq.ptr Warn"],
    );
    check(
        &bob(
            &names(&["mail.bob.com", "x.isp.net"]),
            &[("mail.bob.com", good.clone()), ("x.isp.net", Answer::NoName)],
            &good,
            &[],
        ),
        Standing::Flawed,
        "125.42.17.10 has 2 PTR records; only mail.bob.com is wanted, not x.isp.net",
        &["10.17.42.125.in-addr.arpa. IN PTR mail.bob.com."],
        &["name.ptr.single Warn"],
    );
}

#[test]
fn what_dns_did_not_tell_is_unknown() {
    let good = addresses(&["125.42.17.10"]);
    check(
        &bob(&failure(), &[], &good, &[]),
        Standing::Unknown,
        "the PTR record of 125.42.17.10 could not be found out",
        &[],
        &["name.ptr.exists Unknown"],
    );
    check(
        &bob(&names(&["mail.bob.com"]), &[("mail.bob.com", failure())], &failure(), &[]),
        Standing::Unknown,
        "whether mail.bob.com leads back to 125.42.17.10 could not be found out",
        &[],
        &["name.fcrdns Unknown", "name.helo.resolves Unknown"],
    );
    // The PTR record of the other address is not known: no classic mistake is claimed.
    let found = bob(&Answer::NoName, &[], &addresses(&["34.54.65.23"]), &[("34.54.65.23", failure())]);
    assert_eq!(found.sentence, "125.42.17.10 has no PTR record; it has to say mail.bob.com");
}

#[test]
fn ipv6_records_are_of_its_family() {
    let facts = Facts {
        address: ip("2001:db8::10"),
        host: "mail.bob.com",
        ptr: &Answer::NoName,
        forward: &[],
        of_host: &Answer::NoData,
        elsewhere: &[],
    };
    let records: Vec<String> = judge(&facts).records.iter().map(ToString::to_string).collect();
    assert_eq!(
        records,
        [
            "mail.bob.com. IN AAAA 2001:db8::10",
            "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. IN PTR mail.bob.com.",
        ]
    );
    assert!(judge(&facts).remarks.iter().all(|r| r.level == Level::Fail));
}

/// The rules that fire for a reverse name, and the points of the filter that minds most.
#[track_caller]
fn reverse(name: &str, address: &str, rules: &[&str], most: u32) {
    let found = signs(name, ip(address));
    let fired: Vec<&str> = found.iter().map(|s| if s.rule.is_empty() { "spells" } else { s.rule }).collect();
    assert_eq!((fired.as_slice(), points(&found).0), (rules, most), "{name}");
}

#[test]
fn names_that_look_machine_made() {
    let own = "125.42.17.10";
    for good in
        ["mail.bob.com", "mx1.example.co.uk", "smtp-out.bob.com", "relay.natural.example", "outbound.hostile.net"]
    {
        reverse(good, own, &[], 0);
    }
    // rspamd minds the word only where a message had no Received field, and not beside `mail`.
    reverse("static.125-42-17-10.isp.net", own, &["spells"], 0);
    assert_eq!(once_received("Static.isp.net").map(|s| s.points.0), Some(400));
    assert_eq!(once_received("mail.static.isp.net"), None);
    reverse("125-42-17-10.isp.net", own, &["RDNS_DYNAMIC", "spells"], 98);
    reverse("dsl-12.isp.net", own, &["HFILTER_HOSTNAME_4"], 250);
    reverse("12.pool.isp.net", own, &["HFILTER_HOSTNAME_4"], 250);
    reverse(
        "pool-151-203-32-68.bos.east.verizon.net",
        "151.203.32.68",
        &["HFILTER_HOSTNAME_4", "RDNS_DYNAMIC", "spells"],
        250,
    );
    reverse("dhcp024-210-034-053.columbus.rr.com", "24.210.34.53", &["RDNS_DYNAMIC", "spells"], 98);
    reverse("host-1.bob.com", own, &["HFILTER_HOSTNAME_2"], 100);
    reverse("x.vps.isp.net", own, &["HFILTER_HOSTNAME_1"], 50);
    reverse("a.client.isp.net", own, &["HFILTER_HOSTNAME_1", "RDNS_DYNAMIC"], 98);
    reverse("12-cable.isp.net", own, &["HFILTER_HOSTNAME_3"], 200);
    reverse("ool-18be1aaf.dyn.optonline.net", "24.190.26.175", &["RDNS_DYNAMIC", "spells"], 98);
    reverse("0xd5aaf40b.dhcp.kabelnettet.dk", "213.170.244.11", &["HFILTER_HOSTNAME_5", "RDNS_DYNAMIC", "spells"], 300);
    reverse("dsl.dynamic8510023760.ttnet.net.tr", own, &["RDNS_DYNAMIC"], 98);
    reverse("10.17.42.125.isp.net", own, &["RDNS_DYNAMIC", "spells"], 98);
    reverse("20010db8000000000000000000000010.isp.net", "2001:db8::10", &["spells"], 0);
    reverse("2001-db8--10.isp.net", "2001:db8::10", &["spells"], 0);
    reverse("host-2001-0db8-0-0-0-0-0-10-static.isp.net", "2001:db8::10", &["HFILTER_HOSTNAME_2", "spells"], 100);
    reverse("2001-db8--1.isp.net", "2001:db8::10", &[], 0);
}

#[test]
fn a_sign_tells_filter_rule_and_points() {
    let found = signs("dsl-12.isp.net", ip("125.42.17.10"));
    assert_eq!(found[0].to_string(), "the word \"dsl\" (rspamd HFILTER_HOSTNAME_4: 2.50 points)");
}
