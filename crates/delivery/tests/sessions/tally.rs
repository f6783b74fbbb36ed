//! How sessions are counted for reports on TLS (RFC 8460 §4.3), and whose mail a session may carry.

use repute_delivery::Wanted;
use repute_types::Domain;

use crate::authority::Certificate::{Expired, Good, OtherName, SelfSigned};
use crate::world::{PLAIN, SIGNED, World, policy, tlsa};

/// One message to b.test, and what is counted of it. `expected` may leave out how a reason ends.
#[track_caller]
fn check(world: World, expected: &'static str) -> impl Future<Output = ()> {
    let at = std::panic::Location::caller();
    async move {
        world.send().await;
        let counted = world.counted();
        assert!(counted.starts_with(expected), "{at}: {counted}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_policy_any_tls_will_do() {
    let none = |what| World::new(what).zone(PLAIN);
    check(none(Good), "b.test: no-policy-found of b.test mx.b.test 1 good").await;
    check(none(SelfSigned), "b.test: no-policy-found of b.test mx.b.test 1 good").await;
    let clear = "b.test: no-policy-found of b.test mx.b.test 1 starttls-not-supported 192.0.2.1";
    check(World::in_clear().zone(PLAIN), clear).await;
}

#[tokio::test(start_paused = true)]
async fn dane_says_what_of_it_failed() {
    let dane = |world: World, usage: u8, place: usize| {
        world.zone(SIGNED).also(move |chain| tlsa("mx.b.test", usage, 1, 1, chain, place))
    };
    check(dane(World::new(Expired), 3, 0), "b.test: tlsa of mx.b.test mx.b.test 1 good").await;
    check(dane(World::new(Good), 2, 1), "b.test: tlsa of mx.b.test mx.b.test 1 good").await;
    let failed = [
        (dane(World::new(Good), 3, 9), "tlsa-invalid 192.0.2.1 no TLSA record fits the certificate"),
        (dane(World::new(Expired), 2, 1), "certificate-expired 192.0.2.1"),
        (dane(World::new(OtherName), 2, 1), "certificate-host-mismatch 192.0.2.1"),
        (dane(World::in_clear(), 3, 9), "starttls-not-supported 192.0.2.1"),
        // Mail goes, and the domain hears that its records are of no use.
        (dane(World::new(Good), 1, 0), "tlsa-invalid 192.0.2.1 none of the TLSA records can be used"),
        (World::new(Good).zone(SIGNED).zone("_25._tcp.mx.b.test SERVFAIL\n"), "dnssec-invalid unspoken"),
    ];
    for (world, expected) in failed {
        world.send().await;
        let counted = world.counted();
        assert!(counted.starts_with(&format!("b.test: tlsa of mx.b.test mx.b.test 1 {expected}")), "{counted}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_tested_is_reported_like_one_that_is_enforced() {
    for mode in ["enforce", "testing"] {
        let sts = |world: World| world.zone(PLAIN).policy("1", &policy(mode, "*.b.test"));
        check(sts(World::new(Good)), "b.test: sts of b.test mx.b.test 1 good").await;
        let failed = [
            (sts(World::new(SelfSigned)), "certificate-not-trusted 192.0.2.1"),
            (sts(World::new(Expired)), "certificate-expired 192.0.2.1"),
            (sts(World::new(OtherName)), "certificate-host-mismatch 192.0.2.1"),
            (sts(World::in_clear()), "starttls-not-supported 192.0.2.1"),
            (World::new(Good).zone(PLAIN).policy("1", &policy(mode, "mx.c.test")), "validation-failure "),
        ];
        for (world, expected) in failed {
            let said = world.send().await;
            assert_eq!(said.starts_with("delivered"), mode == "testing", "{said}");
            let counted = world.counted();
            assert!(counted.starts_with(&format!("b.test: sts of b.test mx.b.test 1 {expected}")), "{counted}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_cannot_be_had_is_told_with_why() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n";
    let failed = [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(), "sts-policy-fetch-error"),
        (format!("{head}Content-Length: 5\r\n\r\nhello"), "sts-policy-invalid"),
    ];
    for (answer, expected) in failed {
        let world = World::new(Good).zone(PLAIN).answer("1", &answer);
        world.send().await;
        let counted = world.counted();
        assert!(counted.starts_with(&format!("b.test: sts of b.test mx.b.test 1 {expected} 192.0.2.1")), "{counted}");
    }
    let impostor = World::new(Good).zone(PLAIN).policy("1", &policy("enforce", "mx.b.test"));
    let impostor = impostor.policy_certificate("other.test");
    check(impostor, "b.test: sts of b.test mx.b.test 1 sts-webpki-invalid").await;
}

#[tokio::test(start_paused = true)]
async fn a_session_counts_once_for_each_domain_whose_mail_it_carries() {
    let others = "c.test MX 10 mx.b.test\nd.test MX 10 mx.b.test\n";
    let world = World::new(Good).zone(PLAIN).zone(others).policy("1", &policy("testing", "mx.b.test"));
    let mut connection = world.open("b.test").await.unwrap();
    let [b, c] = ["b.test", "c.test"].map(|name| Domain::parse(name).unwrap());
    for domain in [&c, &b, &c, &b] {
        assert!(connection.claim(Wanted { domain, require_tls: false }));
    }
    assert_eq!(
        world.counted(),
        "b.test: sts of b.test mx.b.test 1 good\nc.test: no-policy-found of c.test mx.b.test 1 good"
    );
}

/// RFC 7672 §3.2.2: the next-hop domain is a name that the certificate may bear. Of another domain it says nothing.
#[tokio::test(start_paused = true)]
async fn a_session_vouched_for_by_a_domains_own_name_carries_no_other_domains_mail() {
    let zone = "c.test MX 10 mx.b.test\nc.test AUTHENTIC\n";
    let world = |named: World| named.zone(SIGNED).zone(zone).also(|chain| tlsa("mx.b.test", 2, 0, 1, chain, 1));
    let carries = async |world: &World, opened_for: &str, domain: &str| {
        let domain = Domain::parse(domain).unwrap();
        world.open(opened_for).await.unwrap().claim(Wanted { domain: &domain, require_tls: false })
    };
    let by_domain = world(World::named("b.test", Good));
    assert_eq!(by_domain.site("b.test").await, by_domain.site("c.test").await, "they share sessions");
    assert!(carries(&by_domain, "b.test", "b.test").await);
    assert!(!carries(&by_domain, "b.test", "c.test").await);
    assert!(by_domain.open("c.test").await.is_err(), "its own session shows that it is not meant");
    let by_host = world(World::new(Good));
    assert!(carries(&by_host, "b.test", "c.test").await);
    assert!(carries(&by_host, "c.test", "b.test").await);
}

#[tokio::test(start_paused = true)]
async fn a_broken_handshake_is_one_session_and_its_memory_another() {
    let world = World::breaks_off().zone(PLAIN);
    assert!(world.send().await.starts_with("delivered clear"));
    let counted = world.counted();
    assert!(
        counted.starts_with(
            "b.test: no-policy-found of b.test mx.b.test 1 validation-failure 192.0.2.1 the TLS handshake"
        ),
        "{counted}"
    );
    assert!(world.send().await.starts_with("delivered clear"));
    assert!(world.counted().contains("1 validation-failure 192.0.2.1 "), "it is not forgotten by going in clear");
}
