//! Record sets as golden files: each folder of `records/` has a set-up, what stands in DNS, and
//! what is wanted and has to change. `UPDATE_EXPECT=1` rewrites them.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use repute_trust::dkim::SigningKey;
use repute_trust::records::{
    Data, Found, Kind, Purpose, State, Verdict, Wanted, mta_sts, nsupdate, nsupdate_changes, wanted, zone_file,
};
use repute_trust::setup::{Egress, Sending, Setup};
use repute_trust::spf;
use repute_types::Domain;
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    hostname: Domain,
    egress: Vec<FileEgress>,
    #[serde(default)]
    domain: Vec<FileDomain>,
    /// Their policy is served.
    #[serde(default)]
    mta_sts: bool,
}

#[derive(Deserialize)]
struct FileEgress {
    ehlo: Domain,
    addresses: Vec<IpAddr>,
}

#[derive(Deserialize)]
struct FileDomain {
    name: Domain,
    return_path: Option<Domain>,
    /// Selectors, and files in `dkim/keys`.
    keys: Vec<(String, String)>,
    /// The addresses of its pool.
    pool: Option<Vec<IpAddr>>,
}

fn d(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

/// A set-up and the records that are wanted for it.
fn setup(text: &str) -> (Setup, Vec<Wanted>) {
    let file: File = toml::from_str(text).unwrap();
    let domain = |one: FileDomain| {
        let key = |(selector, file): (String, String)| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dkim/keys");
            let pem = std::fs::read_to_string(folder.join(file)).unwrap();
            Arc::new(SigningKey::from_pem(&selector, &pem).unwrap())
        };
        Sending {
            keys: one.keys.into_iter().map(key).collect(),
            name: one.name,
            return_path: one.return_path,
            pool: one.pool,
        }
    };
    let setup = Setup {
        hostname: file.hostname,
        egresses: file.egress.into_iter().map(|e| Egress { ehlo: e.ehlo, addresses: e.addresses }).collect(),
        domains: file.domain.into_iter().map(domain).collect(),
    };
    let mut list = wanted(&setup);
    if file.mta_sts {
        list.extend(mta_sts(&setup));
    }
    (setup, list)
}

/// `name TYPE data`, `name TYPE -> alias`, or `name TYPE ? why nobody knows`.
fn look_up(zone: &[Data3], name: &Domain, kind: Kind) -> Found {
    let here = || zone.iter().filter(|(n, k, _)| n == name && *k == kind).map(|(_, _, data)| data.as_str());
    if let Some(why) = here().find_map(|data| data.strip_prefix("? ")) {
        return Found::Unknown(why.to_owned());
    }
    if let Some(target) = here().find_map(|data| data.strip_prefix("-> ")) {
        let Found::Records { records, .. } = look_up(zone, &d(target), kind) else { panic!("{target}") };
        return Found::Records { records, alias: Some(d(target)) };
    }
    Found::Records { records: here().map(|data| parse(kind, data)).collect(), alias: None }
}

type Data3 = (Domain, Kind, String);

fn zone(text: &str) -> Vec<Data3> {
    let line = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let (name, kind, data) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let kinds = [Kind::A, Kind::Aaaa, Kind::Mx, Kind::Ptr, Kind::Txt];
        (d(name), kinds.into_iter().find(|k| k.as_str() == kind).unwrap(), data.to_owned())
    };
    text.lines().map(line).collect()
}

fn parse(kind: Kind, data: &str) -> Data {
    match kind {
        Kind::A | Kind::Aaaa => Data::address(data.parse().unwrap()),
        Kind::Ptr => Data::Ptr(d(data)),
        Kind::Cname => Data::Cname(d(data)),
        Kind::Mx => {
            let (preference, host) = data.split_once(' ').unwrap();
            Data::Mx(preference.parse().unwrap(), Some(d(host)))
        }
        Kind::Txt => Data::text(data),
    }
}

fn compared(list: &[Wanted], zone: &[Data3]) -> Vec<(Wanted, Verdict)> {
    list.iter().map(|w| (w.clone(), w.compare(&look_up(zone, &w.name, w.kind())))).collect()
}

fn told((setup, list): &(Setup, Vec<Wanted>), zone: &[Data3]) -> String {
    let verdicts = compared(list, zone);
    let mut text = format!("; the zone\n{}\n; the difference\n", zone_file(list));
    for (wanted, verdict) in &verdicts {
        let _ = writeln!(text, "{} {} {}", wanted.purpose.as_str(), wanted.name, verdict.state.as_str());
        verdict.remove.iter().for_each(|data| writeln!(text, "  - {} {data}", data.kind()).unwrap());
        verdict.add.iter().for_each(|data| writeln!(text, "  + {} {data}", data.kind()).unwrap());
        verdict.notes.iter().for_each(|note| writeln!(text, "  ({note})").unwrap());
    }
    let domains: Vec<Domain> = setup.domains.iter().map(|domain| domain.name.clone()).collect();
    text + "\n; as nsupdate takes it\n" + &nsupdate_changes(&verdicts, &domains)
}

#[test]
fn every_set_up_gives_its_records_and_its_difference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records");
    let mut cases: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 6);
    for case in cases {
        let read = |name: &str| std::fs::read_to_string(case.join(name)).unwrap();
        assert!(!read("readme").is_empty());
        let got = told(&setup(&read("setup.toml")), &zone(&read("found")));
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(case.join("expect"), &got).unwrap();
        }
        assert_eq!(got, read("expect"), "{}", case.display());
    }
}

#[test]
fn what_is_published_where_nothing_stood_is_right_at_the_next_look() {
    let text = include_str!("../records/01-one-address/setup.toml");
    for wanted in setup(text).1 {
        let found = Found::Records { records: wanted.fresh(), alias: None };
        let verdict = wanted.compare(&found);
        assert_eq!(verdict.state, State::Right, "{wanted:?}: {verdict:?}");
    }
}

#[test]
fn input_of_nsupdate_goes_zone_by_zone() {
    let (setup, list) = setup(include_str!("../records/06-several-names/setup.toml"));
    let domains: Vec<Domain> = setup.domains.iter().map(|domain| domain.name.clone()).collect();
    let text = nsupdate(&list, &domains);
    let transactions: Vec<&str> = text.split("send\n").collect();
    assert!(transactions[0].contains("update add bounces.example.com. 3600 MX 10 mail.example.com."), "{text}");
    assert!(!transactions[0].contains("example.org."), "{text}");
    // The hoster's records are there to be seen, and are no commands.
    assert!(text.lines().filter(|l| l.contains("in-addr.arpa")).all(|l| l.starts_with("; ")), "{text}");
}

fn apply(found: Vec<Data>, verdict: &Verdict) -> Vec<Data> {
    let mut left: Vec<Data> = found.into_iter().filter(|data| !verdict.remove.contains(data)).collect();
    left.extend(verdict.add.iter().filter(|new| !left.contains(new)).cloned().collect::<Vec<_>>());
    left
}

/// A term of somebody else's.
fn term() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}\\.example".prop_map(|name| format!("include:{name}")),
        any::<[u8; 4]>().prop_map(|o| format!("ip4:{}.{}.{}.{}", o[0], o[1], o[2], o[3])),
        Just("mx".to_owned()),
        "[a-z]{1,8}\\.example".prop_map(|name| format!("?a:{name}")),
    ]
}

#[test]
fn a_first_mx_never_takes_the_place_of_another() {
    let wanted = Wanted { name: d("example.com"), purpose: Purpose::FirstMx(d("mx.example.com")) };
    let compare = |records: &[Data]| wanted.compare(&Found::Records { records: records.to_vec(), alias: None });
    let ours = Data::Mx(10, Some(d("mx.example.com")));
    let none = compare(&[]);
    assert_eq!((none.state, none.add, none.remove), (State::Missing, vec![ours.clone()], Vec::new()));
    for there in [vec![ours], vec![Data::Mx(5, Some(d("mail.other.example")))], vec![Data::Mx(0, None)]] {
        let verdict = compare(&there);
        assert_eq!((verdict.state, verdict.add.len(), verdict.remove.len()), (State::Right, 0, 0), "{there:?}");
    }
    assert_eq!(wanted.compare(&Found::Unknown("SERVFAIL".into())).state, State::Unknown);
}

proptest! {
    #[test]
    fn merging_keeps_every_term_and_every_other_record(
        terms in proptest::collection::vec(term(), 0..8),
        end in prop_oneof![Just("-all"), Just("~all"), Just("?all")],
        token in "[a-z]{3,10}=[a-z0-9]{1,20}",
    ) {
        let record = format!("v=spf1 {} {end}", terms.join(" "));
        let networks = vec![spf::Network::from("203.0.113.10".parse::<std::net::Ipv4Addr>().unwrap())];
        let wanted = Wanted {
            name: d("example.com"),
            purpose: Purpose::Spf(spf::Wanted { networks, includes: Vec::new(), all: spf::Qualifier::SoftFail }),
        };
        let found = vec![Data::text(&token), Data::text(&record)];
        let verdict = wanted.compare(&Found::Records { records: found.clone(), alias: None });
        let after = apply(found, &verdict);
        prop_assert!(after.contains(&Data::text(&token)));
        let texts: Vec<Vec<u8>> = after.iter().filter_map(Data::joined).collect();
        let records = spf::select(&texts);
        prop_assert_eq!(records.len(), 1);
        let merged = String::from_utf8(records[0].to_vec()).unwrap();
        let words: Vec<&str> = merged.split(' ').collect();
        for term in terms.iter().map(String::as_str).chain([end, "ip4:203.0.113.10"]) {
            prop_assert!(words.contains(&term), "{} is not in {}", term, merged);
        }
        let again = wanted.compare(&Found::Records { records: after, alias: None });
        prop_assert_eq!(again.state, State::Right);
    }

    #[test]
    fn a_change_applied_is_right_at_the_next_look(addresses in proptest::collection::vec(any::<[u8; 4]>(), 0..3)) {
        let data = |o: &[u8; 4]| Data::A((*o).into());
        let wanted = Wanted { name: d("mail.example.com"), purpose: Purpose::Address(vec!["203.0.113.10".parse().unwrap()]) };
        let found: Vec<Data> = addresses.iter().map(data).collect();
        let verdict = wanted.compare(&Found::Records { records: found.clone(), alias: None });
        let after = apply(found, &verdict);
        prop_assert_eq!(wanted.compare(&Found::Records { records: after, alias: None }).state, State::Right);
    }
}
