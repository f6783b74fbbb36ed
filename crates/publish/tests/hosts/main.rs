//! Zones changed through the interfaces of DNS hosts, each played on loopback as its documentation has it: what is there
//! of others stays, what goes wrong is one sentence, and a token is never shown.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod dialects;
mod fake;

use fake::{Fake, TOKEN};
use repute_publish::{Api, ApiError, Base, Change, Host};
use repute_trust::records::{Data, Found, Kind};
use repute_types::Domain;

const HOSTS: [Host; 4] = [Host::Cloudflare, Host::Desec, Host::DigitalOcean, Host::Hetzner];

fn d(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

fn zone() -> Domain {
    d("example.test")
}

/// A zone with records of others: a sender policy, a proof of ownership, an alias where our host is to be.
async fn zone_of_others(host: Host) -> (Fake, Api) {
    let fake = Fake::start(host).await;
    fake.put("example.test", "TXT", "\"v=spf1 include:_spf.crm.example ~all\"", 7200);
    fake.put("example.test", "TXT", "\"ownership=1\"", 7200);
    fake.put("example.test", "A", "192.0.2.80", 3600);
    fake.put("mail.example.test", "CNAME", "www.example.test.", 3600);
    let api = fake.api(TOKEN);
    (fake, api)
}

async fn read(api: &Api, name: &str, kind: Kind) -> (Vec<Data>, Option<Domain>, u64) {
    let (found, ttl) = api.read(&zone(), &d(name), kind).await.unwrap();
    let Found::Records { records, alias } = found else { panic!("{found:?}") };
    (records, alias, ttl.as_secs())
}

fn spf() -> Change {
    let old = Data::text("v=spf1 include:_spf.crm.example ~all");
    Change {
        name: zone(),
        seen: vec![Data::text("ownership=1"), old.clone()],
        remove: vec![old],
        add: vec![Data::text("v=spf1 include:_spf.crm.example ip4:203.0.113.10 ~all")],
        ttl: 3600,
    }
}

fn key() -> Data {
    Data::text(&format!("v=DKIM1; p={}", "k".repeat(400)))
}

fn wanted() -> Vec<Change> {
    let new = |name: &str, data| Change { name: d(name), seen: vec![], remove: vec![], add: vec![data], ttl: 3600 };
    let alias = Data::Cname(d("www.example.test"));
    vec![
        spf(),
        new("s1._domainkey.example.test", key()),
        new("bounces.example.test", Data::Mx(10, Some(d("mail.example.test")))),
        Change {
            name: d("mail.example.test"),
            seen: vec![alias.clone()],
            remove: vec![alias],
            add: vec![Data::A([203, 0, 113, 10].into())],
            ttl: 3600,
        },
    ]
}

#[tokio::test]
async fn ours_come_and_what_is_there_of_others_stays() {
    for host in HOSTS {
        let (fake, api) = zone_of_others(host).await;
        let (records, alias, ttl) = read(&api, "example.test", Kind::Txt).await;
        assert_eq!(records, [Data::text("ownership=1"), spf().remove[0].clone()], "{host:?}");
        assert_eq!((alias, ttl), (None, 7200), "{host:?}");
        let (records, alias, _) = read(&api, "mail.example.test", Kind::A).await;
        assert_eq!((records, alias), (vec![], Some(d("www.example.test"))), "{host:?}");
        let nothing = read(&api, "s1._domainkey.example.test", Kind::Txt).await;
        assert_eq!(nothing, (vec![], None, 0), "{host:?}");

        api.change(&zone(), &wanted()).await.unwrap();
        let key = key().to_string();
        assert_eq!(
            fake.zone(),
            [
                "bounces.example.test 3600 MX 10 mail.example.test.",
                "example.test 3600 A 192.0.2.80",
                "example.test 7200 TXT \"ownership=1\"",
                &format!("example.test {} TXT {}", if host == Host::Cloudflare { 3600 } else { 7200 }, spf().add[0]),
                "mail.example.test 3600 A 203.0.113.10",
                &format!("s1._domainkey.example.test 3600 TXT {key}"),
            ],
            "{host:?}"
        );
        // What is right is not changed again.
        let (records, ..) = read(&api, "s1._domainkey.example.test", Kind::Txt).await;
        assert_eq!(records, wanted()[1].add, "{host:?}");
        let written = fake.writes();
        let again: Vec<Change> = wanted().into_iter().filter(|change| change.remove.is_empty()).collect();
        api.change(&zone(), &again).await.unwrap();
        assert_eq!(fake.writes(), written, "{host:?}: nothing was to be added");
    }
}

#[tokio::test]
async fn what_somebody_else_changed_meanwhile_is_not_overwritten() {
    for host in HOSTS {
        let (fake, api) = zone_of_others(host).await;
        fake.put("example.test", "TXT", "\"another=2\"", 7200);
        let before = fake.zone();
        let got = api.change(&zone(), &[spf()]).await;
        assert!(matches!(&got, Err(ApiError::Conflict(name)) if *name == zone()), "{host:?}: {got:?}");
        assert_eq!((fake.zone(), fake.writes()), (before, 0), "{host:?}");
    }
}

#[tokio::test]
async fn a_whole_set_can_go() {
    for host in HOSTS {
        let (fake, api) = zone_of_others(host).await;
        let address = Data::A([192, 0, 2, 80].into());
        let change =
            Change { name: zone(), seen: vec![address.clone()], remove: vec![address], add: vec![], ttl: 3600 };
        api.change(&zone(), &[change]).await.unwrap();
        assert!(!fake.zone().iter().any(|line| line.contains("192.0.2.80")), "{host:?}: {:?}", fake.zone());
    }
}

#[tokio::test]
async fn what_goes_wrong_is_one_sentence_with_its_cure() {
    let check = |host: Host, got: Result<(Found, std::time::Duration), ApiError>, begins: &str| {
        let said = got.unwrap_err().to_string();
        assert!(said.starts_with(begins), "{host:?}: {said}");
        assert!(!said.contains('\n') && !said.contains(TOKEN) && !said.contains("wr0ng"), "{said}");
    };
    for host in HOSTS {
        let (fake, api) = zone_of_others(host).await;
        let name = host.name();
        let txt = Kind::Txt;
        let unknown = fake.api("wr0ng").read(&zone(), &zone(), txt).await;
        check(host, unknown, &format!("{name} does not know the token: copy it again, or make one ("));
        let elsewhere = api.read(&d("other.test"), &d("other.test"), txt).await;
        check(host, elsewhere, &format!("{name} has no zone other.test that the token may see: name the right one"));

        fake.next(403, None, serde_json::json!({"message": "no scope"}));
        let refused = api.read(&zone(), &zone(), txt).await;
        check(host, refused, &format!("{name} does not let the token do this: no scope: give it more rights ("));
        fake.next(429, Some("7200"), serde_json::json!({"detail": "Request was throttled."}));
        let throttled = api.read(&zone(), &zone(), txt).await;
        check(host, throttled, &format!("{name} takes no more requests for 7200 s: run this again then"));
        // A short wait is waited.
        fake.next(429, Some("0"), serde_json::Value::Null);
        assert_eq!(read(&api, "example.test", txt).await.0.len(), 2, "{host:?}");
        // What was only read is asked again.
        fake.next(503, Some("0"), serde_json::Value::Null);
        assert_eq!(read(&api, "example.test", txt).await.0.len(), 2, "{host:?}");
        (0..4).for_each(|_| fake.next(500, Some("0"), serde_json::json!({"detail": "out of order"})));
        let down = api.read(&zone(), &zone(), txt).await;
        check(host, down, &format!("{name} failed (500): out of order: run this again later"));
        fake.next(200, None, serde_json::json!({"odd": true}));
        let odd = api.read(&zone(), &zone(), txt).await;
        check(host, odd, &format!("the answer of {name} is not what it documents: "));
    }
    let nobody = Api::new(Host::Desec, TOKEN, Some(Base::parse("http://127.0.0.1:9").unwrap()));
    check(Host::Desec, nobody.read(&zone(), &zone(), Kind::Txt).await, "deSEC cannot be reached: ");
    assert_eq!(format!("{nobody:?}"), "Api(deSEC)");
}

#[tokio::test]
async fn what_was_to_change_something_is_not_sent_twice() {
    for host in HOSTS {
        let (fake, api) = zone_of_others(host).await;
        fake.next_write(502, serde_json::Value::Null);
        let new =
            Change { name: d("x.example.test"), seen: vec![], remove: vec![], add: vec![Data::text("x")], ttl: 3600 };
        let got = api.change(&zone(), &[new]).await;
        assert!(matches!(got, Err(ApiError::Failed { status: 502, .. })), "{host:?}: {got:?}");
        assert_eq!(fake.writes(), 1, "{host:?}");
    }
}

#[tokio::test]
async fn mail_does_not_pass_cloudflares_proxy() {
    let (fake, api) = zone_of_others(Host::Cloudflare).await;
    fake.put_proxied("mx.example.test", "A", "203.0.113.10");
    let got = api.read(&zone(), &d("mx.example.test"), Kind::A).await.unwrap_err();
    assert!(got.to_string().contains("set it to \"DNS only\" there"), "{got}");
}
