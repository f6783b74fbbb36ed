//! Several real servers of one zone, each asked for itself: one up to date, one stale, one lame,
//! one silent; and DNS UPDATE with its guard.
//!
//! Needs `named` and `tsig-keygen` (package bind9); run with
//! `cargo test -p repute-publish --test bind -- --ignored`.

#![allow(clippy::unwrap_used, reason = "what cannot be set up has failed")]

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use repute_publish::{Change, Directory, Guard, Primary, Server, TsigKey, Unasked, UpdateError, Zone, update};
use repute_testkit::Bind;
use repute_trust::records::{Data, Found, Kind};
use repute_types::{Domain, SystemClock};

const HEAD: &str = "$TTL 300
@       SOA  ns1 root 1 3600 600 86400 60
        NS   ns1
ns1     A    127.0.0.1
key     CNAME key.other
key.other TXT \"v=DKIM1; p=AAAA\"
mail    TXT  \"a\"
mail    TXT  \"b\"
";

struct Primed {
    /// Dropped first.
    bind: Bind,
    _folder: tempfile::TempDir,
    key: String,
}

/// A server at the address, with the zone, or with another one.
fn server(ip: &str, zone: &str, more: &str) -> Primed {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let key = Command::new("tsig-keygen").arg("k").output().expect("tsig-keygen");
    let key = String::from_utf8(key.stdout).unwrap();
    std::fs::write(at.join("zone"), format!("{HEAD}{more}")).unwrap();
    let zones = format!("{key}\nzone \"{zone}\" {{ type primary; file \"zone\"; allow-update {{ key k; }}; }};\n");
    let bind = Bind::start(at, ip.parse().unwrap(), "minimal-responses no;", &zones);
    Primed { bind, _folder: folder, key }
}

fn d(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn texts(found: &Found) -> Vec<String> {
    let Found::Records { records, .. } = found else { panic!("{found:?}") };
    records.iter().map(Data::to_string).collect()
}

#[tokio::test]
#[ignore = "needs BIND 9"]
async fn each_server_answers_for_itself() {
    let current = server("127.0.0.1", "example.test", "new TXT \"new\"\n");
    let stale = server("127.0.0.1", "example.test", "new TXT \"old\"\n");
    let lame = server("127.0.0.1", "elsewhere.test", "");
    let found = Directory::new(vec![current.bind.address]).with_server(current.bind.address);
    let zone = found.zone_of(&d("new.example.test")).await.unwrap();
    assert_eq!(zone.name, d("example.test"));
    assert_eq!(zone.servers, [Server { name: d("ns1.example.test"), address: current.bind.address }]);
    assert_eq!(zone.negative_ttl, Duration::from_secs(60));

    let nobody: SocketAddr = "127.0.0.24:9".parse().unwrap();
    let servers = [current.bind.address, stale.bind.address, lame.bind.address, nobody].into_iter().enumerate();
    let servers = servers.map(|(n, address)| Server { name: d(&format!("ns{}.example.test", n + 1)), address });
    let zone = Zone { servers: servers.collect(), ..(*zone).clone() };
    let directory = Directory::new(vec![current.bind.address]).with_zone(zone);
    let answers = directory.look(&d("new.example.test"), Kind::Txt).await.unwrap();
    assert_eq!(texts(&answers[0].found), ["\"new\""]);
    assert_eq!(texts(&answers[1].found), ["\"old\""]);
    assert_eq!(answers[0].ttl, Duration::from_secs(300));
    let Found::Unknown(why) = &answers[2].found else { panic!("{answers:?}") };
    assert_eq!(why, "ns3.example.test (127.0.0.1) answered Query Refused");
    let Found::Unknown(why) = &answers[3].found else { panic!("{answers:?}") };
    assert_eq!(why, "ns4.example.test (127.0.0.24) did not answer");

    // Nothing there is an answer, not a silence.
    let none = directory.look(&d("none.example.test"), Kind::Txt).await.unwrap();
    assert_eq!(none[0].found, Found::Records { records: Vec::new(), alias: None });
    let alias = directory.look(&d("key.example.test"), Kind::Txt).await.unwrap();
    let Found::Records { alias: target, .. } = &alias[0].found else { panic!("{alias:?}") };
    assert_eq!(texts(&alias[0].found), ["\"v=DKIM1; p=AAAA\""]);
    assert_eq!(*target, Some(d("key.other.example.test")));

    let nobody = Directory::new(vec![nobody]);
    assert_eq!(nobody.zone_of(&d("example.test")).await, Err(Unasked::NoResolver));
}

#[tokio::test]
#[ignore = "needs BIND 9"]
async fn a_change_is_made_whole_or_not_at_all() {
    let bind = server("127.0.0.1", "example.test", "");
    let primary = Primary { address: bind.bind.address, key: TsigKey::parse(None, &bind.key).unwrap() };
    let directory = Directory::new(vec![bind.bind.address]);
    let at = Server { name: d("ns1.example.test"), address: bind.bind.address };
    let name = d("mail.example.test");
    let mail = || directory.look_at(&at, &name, Kind::Txt);
    let text = |t: &str| Data::text(t);
    let zone = d("example.test");
    let swap = |seen: &[&str], from: &str, to: &str| Change {
        name: d("mail.example.test"),
        seen: seen.iter().map(|t| text(t)).collect(),
        remove: vec![text(from)],
        add: vec![text(to)],
        ttl: 300,
    };
    let other = Change { name: d("x.example.test"), seen: vec![], remove: vec![], add: vec![text("x")], ttl: 300 };

    // Somebody put "b" there since it was read: refused, the other change with it.
    let stale = [swap(&["a"], "a", "c"), other.clone()];
    let got = update(&primary, &zone, &stale, Guard::AsSeen, &SystemClock).await;
    assert!(matches!(got, Err(UpdateError::Conflict)), "{got:?}");
    assert_eq!(texts(&mail().await.found), ["\"a\"", "\"b\""]);
    assert!(texts(&directory.look_at(&at, &d("x.example.test"), Kind::Txt).await.found).is_empty());

    let good = [swap(&["a", "b"], "a", "c"), other];
    update(&primary, &zone, &good, Guard::AsSeen, &SystemClock).await.unwrap();
    assert_eq!(texts(&mail().await.found), ["\"b\"", "\"c\""]);

    let elsewhere = update(&primary, &d("elsewhere.test"), &[], Guard::AsSeen, &SystemClock).await;
    assert!(matches!(elsewhere, Err(UpdateError::NotPrimary(..))), "{elsewhere:?}");
    let silent = Primary { address: "127.0.0.24:9".parse().unwrap(), ..primary };
    let got = update(&silent, &zone, &good, Guard::AsSeen, &SystemClock).await;
    assert!(matches!(got, Err(UpdateError::Silent(..))), "{got:?}");
}

#[tokio::test]
async fn where_no_resolver_is_named_each_look_says_how_to_have_one() {
    let answers = Directory::new(Vec::new()).look_all(&[(d("a.test"), Kind::Txt), (d("b.test"), Kind::A)]).await;
    assert_eq!(answers, [Err(Unasked::NoneNamed), Err(Unasked::NoneNamed)]);
    assert!(Unasked::NoneNamed.to_string().contains("resolver = \"own\""));
}
