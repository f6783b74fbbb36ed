//! Where mail for a domain goes: every kind of DNS answer, and what becomes of it.

use repute_dns::ZoneFake;
use repute_types::SeededRandom;

use super::*;

fn d(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

fn egress() -> Egress {
    Egress::unbound(d("mail.a.test"))
}

fn settings() -> DeliverySettings {
    DeliverySettings { own_names: vec![d("also.a.test")], ..DeliverySettings::default() }
}

async fn resolve(zone: &str, seed: u64) -> Result<Route, Outcome> {
    let (zone, random) = (ZoneFake::parse(zone), SeededRandom::new(seed));
    Routes::default().resolve(&d("b.test"), &egress(), &settings(), &zone, &random).await
}

/// `expected`: the site, or verdict and status.
async fn check(zone: &str, expected: &str) {
    let got = match resolve(zone, 1).await {
        Ok(route) => route.site.to_string(),
        Err(o) => {
            let culprit = if zone.contains("UNASKED") { Culprit::Us } else { Culprit::Dns };
            assert_eq!((o.stage, o.culprit), (Stage::Route, culprit), "{zone}");
            format!("{} {}", o.verdict.as_str(), o.status)
        }
    };
    assert_eq!(got, expected, "{zone}");
}

#[tokio::test(start_paused = true)]
async fn a_domain_has_the_route_that_its_zone_says() {
    check("b.test MX 10 mx.b.test", "mx.b.test").await;
    check("b.test MX 20 c.test\nb.test MX 10 z.test\nb.test MX 10 a.test", "a.test,z.test>c.test").await;
    // The same host twice is one host.
    check("b.test MX 20 a.test\nb.test MX 10 a.test", "a.test").await;
    // Null MX (RFC 7505), and one that contradicts itself.
    check("b.test MX 0 .", "failed 5.1.10").await;
    check("b.test MX 0 .\nb.test MX 10 a.test", "a.test").await;
    // An address instead of a host's name was asked for again for five days, as if DNS failed.
    check("b.test MX 10 192.0.2.1", "failed 5.4.4").await;
    check("b.test MX 0 .\nb.test MX 10 192.0.2.1.", "failed 5.4.4").await;
    check("b.test MX 10 192.0.2.1\nb.test MX 20 a.test", "a.test").await;
    // No MX: the address, of either family.
    check("b.test A 192.0.2.1", "b.test").await;
    check("b.test AAAA 2001:db8::1", "b.test").await;
    check("b.test TXT nothing", "failed 5.4.4").await;
    check("b.test CNAME c.test\nc.test MX 10 mx.c.test", "mx.c.test").await;
    // Four kinds of no.
    check("c.test A 192.0.2.1", "failed 5.1.2").await;
    check("b.test SERVFAIL", "deferred 4.4.3").await;
    check("b.test TIMEOUT", "deferred 4.4.3").await;
    check("b.test A 192.0.2.1\nb.test TIMEOUT MX", "deferred 4.4.3").await;
    check("b.test TXT x\nb.test SERVFAIL A", "deferred 4.4.3").await;
    check("b.test AAAA 2001:db8::1\nb.test SERVFAIL A", "b.test").await;
    // That we cannot ask is our own fault: it was blamed on the domain's name servers.
    check("b.test UNASKED", "deferred 4.3.1").await;
    check("b.test TXT x\nb.test UNASKED A", "deferred 4.3.1").await;
}

#[tokio::test(start_paused = true)]
async fn ourselves_and_what_is_not_better_drop_out() {
    check("b.test MX 10 a.test\nb.test MX 20 mail.a.test\nb.test MX 20 c.test\nb.test MX 30 d.test", "a.test").await;
    check("b.test MX 10 also.a.test\nb.test MX 20 c.test", "failed 5.4.6").await;
    let zone = ZoneFake::parse("mail.a.test A 192.0.2.1");
    let (egress, settings, random) = (egress(), settings(), SeededRandom::new(1));
    let found = Routes::default().resolve(&d("mail.a.test"), &egress, &settings, &zone, &random).await;
    assert_eq!(found.unwrap_err().status, EnhancedCode(5, 4, 6));
}

#[tokio::test(start_paused = true)]
async fn equals_stand_in_an_order_of_chance_and_take_turns() {
    let zone = "b.test MX 10 a.test\nb.test MX 10 b.test\nb.test MX 10 c.test\nb.test MX 20 z.test";
    let mut firsts = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let route = resolve(zone, seed).await.unwrap();
        firsts.insert(route.hosts[0].name.to_string());
        assert_eq!(route.hosts[3].name.to_string(), "z.test");
        let turns: std::collections::BTreeSet<_> = (0..3).map(|_| route.hosts_in_turn()[0].name.to_string()).collect();
        assert_eq!(turns.len(), 3);
        assert_eq!(route.hosts_in_turn()[3].name.to_string(), "z.test");
    }
    assert_eq!(firsts.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn hosts_are_bounded_and_expiry_is_the_answers() {
    let mut zone = String::from("b.test TTL 42\nb.test AUTHENTIC\n");
    for n in 0..200 {
        zone += &format!("b.test MX {n} mx{n}.b.test\n");
    }
    let route = resolve(&zone, 1).await.unwrap();
    assert_eq!(route.hosts.len(), HOSTS_MOST);
    assert_eq!(route.expires_in, Duration::from_secs(42));
    assert!(route.authentic && !route.is_relay);
}

#[tokio::test(start_paused = true)]
async fn a_configured_route_wins_and_asks_no_dns() {
    let relay = |name: &str, port| Relay {
        hosts: vec![HostName::Name(d(name))],
        port,
        tls: TlsNeed::Verify,
        implicit_tls: false,
        login: Some(Login { user: "u".into(), password: "p".into(), danger_without_tls: false }),
    };
    let mut routes = Routes::default();
    routes.add(&[d("b.test"), d("x.b.test")], relay("one.test", 587));
    routes.add(&[d("y.b.test")], relay("two.test", 25));
    let zone = ZoneFake::parse("other.test MX 10 mx.other.test");
    for (domain, site) in [
        ("b.test", "relay:u@one.test:587+verify"),
        ("deep.x.b.test", "relay:u@one.test:587+verify"),
        ("y.b.test", "relay:u@two.test:25+verify"),
        ("other.test", "mx.other.test"),
    ] {
        let found = routes.resolve(&d(domain), &egress(), &settings(), &zone, &SeededRandom::new(1)).await;
        assert_eq!(&*found.unwrap().site, site, "{domain}");
    }
    assert_eq!(zone.asked(), ["other.test MX"]);
    routes.add(&[], relay("all.test", 25));
    let found = routes.resolve(&d("other.test"), &egress(), &settings(), &zone, &SeededRandom::new(1)).await;
    assert_eq!(&*found.unwrap().site, "relay:u@all.test:25+verify");
}
