//! What domains ask for themselves: DANE (RFC 7672) and MTA-STS (RFC 8461), with a server that really
//! shakes hands, in a network and a zone in memory, in simulated time.

use std::time::Duration;

use crate::authority::Certificate::{Expired, Good, OtherName, SelfSigned};
use crate::world::{CLEAR, PLAIN, SIGNED, World, policy, tlsa};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test(start_paused = true)]
async fn dane_takes_the_certificate_that_was_promised_and_no_other() {
    for what in [SelfSigned, Expired, OtherName] {
        // RFC 7672 §3.1.1: neither its names nor its dates matter.
        let world = World::new(what).zone(SIGNED);
        let world = world.also(|chain| tlsa("mx.b.test", 3, 1, 1, chain, 0));
        assert_eq!(world.send().await, "delivered TLSv1.3 dane verified=true");
        let world = World::new(what).zone(SIGNED).also(|_| tlsa("mx.b.test", 3, 1, 1, &[], 0));
        let said = world.send().await;
        assert!(
            said.starts_with("deferred 4.7.10 starttls") && said.contains("than its TLSA records promise"),
            "{said}"
        );
        assert!(!world.heard().contains("MAIL"), "{}", world.heard());
    }
    // All that are usable are looked at.
    let world = World::new(SelfSigned).zone(SIGNED).also(|_| tlsa("mx.b.test", 3, 1, 1, &[], 0));
    let world = world.also(|chain| tlsa("mx.b.test", 3, 0, 2, chain, 0));
    assert_eq!(world.send().await, "delivered TLSv1.3 dane verified=true");
}

#[tokio::test(start_paused = true)]
async fn dane_by_an_authority_looks_at_names_and_dates() {
    let by_authority = |world: World| world.zone(SIGNED).also(|chain| tlsa("mx.b.test", 2, 0, 1, chain, 1));
    assert_eq!(by_authority(World::new(Good)).send().await, "delivered TLSv1.3 dane verified=true");
    // Also the name of the domain will do (RFC 7672 §3.2.2).
    assert_eq!(by_authority(World::named("b.test", Good)).send().await, "delivered TLSv1.3 dane verified=true");
    for (wrong, why) in [(World::new(OtherName), "name of another host"), (World::new(Expired), "has expired")] {
        let said = by_authority(wrong).send().await;
        assert!(said.starts_with("deferred 4.7.10 starttls") && said.contains(why), "{said}");
    }
}

/// Mail to such a host waited until it expired.
#[tokio::test(start_paused = true)]
async fn dane_by_an_authority_takes_a_common_name_where_there_is_no_dns_name() {
    let sent = async |name: &str, what| {
        let world = World::named(name, what).zone(SIGNED).also(|chain| tlsa("mx.b.test", 2, 0, 1, chain, 1));
        world.send().await
    };
    for name in ["CN=mx.b.test", "CN=MX.B.Test", "CN=*.b.test", "CN=b.test"] {
        assert_eq!(sent(name, Good).await, "delivered TLSv1.3 dane verified=true", "{name}");
    }
    for name in ["CN=mx.b.test other.test", "CN=mx2.b.test", "CN=*.c.test", "CN=mx.b.test."] {
        let said = sent(name, Good).await;
        assert!(
            said.starts_with("deferred 4.7.10 starttls") && said.contains("name of another host"),
            "{name}: {said}"
        );
    }
    let said = sent("CN=mx.b.test", Expired).await;
    assert!(said.starts_with("deferred 4.7.10 starttls") && said.contains("has expired"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn dane_is_not_taken_away_by_leaving_starttls_out() {
    let world = World::in_clear().zone(SIGNED).also(|_| tlsa("mx.b.test", 3, 1, 1, &[], 0));
    let said = world.send().await;
    assert!(said.starts_with("deferred 4.7.10 starttls") && said.contains("DANE"), "{said}");
    // Nor where the records cannot be used: then any certificate will do (RFC 7672 §2.2).
    let unusable = |world: World| world.zone(SIGNED).also(|_| tlsa("mx.b.test", 1, 1, 1, &[], 0));
    assert!(unusable(World::in_clear()).send().await.starts_with("deferred 4.7.10 starttls"));
    assert_eq!(unusable(World::new(SelfSigned)).send().await, "delivered TLSv1.3 dane verified=false");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_found_out_stops_mail_and_what_is_not_there_does_not() {
    let world = World::in_clear().zone(SIGNED).zone("_25._tcp.mx.b.test SERVFAIL\n");
    let said = world.send().await;
    assert!(said.starts_with("deferred 4.4.3 route") && said.contains("cannot be found out"), "{said}");
    assert_eq!(world.heard(), "", "nobody is connected to");
    assert_eq!(World::in_clear().zone(SIGNED).send().await, CLEAR);
    // Records that are not validated are none, and of what is not validated they are not asked for.
    let forged =
        World::in_clear().zone(PLAIN).zone("b.test AUTHENTIC\nmx.b.test AUTHENTIC\n_25._tcp.mx.b.test TLSA 3 1 1 00\n");
    assert_eq!(forged.send().await, CLEAR);
    for half in
        ["b.test MX 10 mx.b.test\nmx.b.test A 192.0.2.1\nmx.b.test AUTHENTIC\n", &format!("{PLAIN}b.test AUTHENTIC\n")]
    {
        let world = World::in_clear().zone(half).also(|_| tlsa("mx.b.test", 3, 1, 1, &[], 0));
        assert_eq!(world.send().await, CLEAR);
        assert!(!world.asked().contains("TLSA"), "{}", world.asked());
    }
}

#[tokio::test(start_paused = true)]
async fn the_promise_of_an_alias_stands_where_it_leads() {
    let zone = "b.test MX 10 mx.b.test\nb.test AUTHENTIC\nmx.b.test CNAME real.c.test\nmx.b.test AUTHENTIC\n\
                real.c.test A 192.0.2.1\nreal.c.test AUTHENTIC\n";
    let at = |name: &'static str| move |chain: &[Vec<u8>]| tlsa(name, 3, 1, 1, chain, 0);
    let world = World::new(SelfSigned).zone(zone).also(at("real.c.test"));
    assert_eq!(world.send().await, "delivered TLSv1.3 dane verified=true");
    // Else at its own name (RFC 7672 §2.2.2).
    let world = World::new(SelfSigned).zone(zone).also(at("mx.b.test"));
    assert_eq!(world.send().await, "delivered TLSv1.3 dane verified=true");
    let world = World::new(SelfSigned).zone(zone).also(at("mx.b.test")).also(|_| tlsa("real.c.test", 3, 1, 1, &[], 0));
    assert!(world.send().await.starts_with("deferred 4.7.10"));
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_enforced_needs_the_right_host_with_the_right_certificate() {
    let enforced = |world: World| world.zone(PLAIN).policy("1", &policy("enforce", "*.b.test"));
    assert_eq!(enforced(World::new(Good)).send().await, "delivered TLSv1.3 mta-sts verified=true");
    for world in [World::new(SelfSigned), World::new(Expired), World::new(OtherName), World::in_clear()] {
        let said = enforced(world).send().await;
        assert!(said.starts_with("deferred 4.7.10 starttls") && said.contains("MTA-STS"), "{said}");
    }
    let elsewhere = World::new(Good).zone(PLAIN).policy("1", &policy("enforce", "mx.c.test"));
    let said = elsewhere.send().await;
    assert!(said.starts_with("deferred 4.7.10 route") && said.contains("names mx.c.test"), "{said}");
    assert_eq!(elsewhere.heard(), "", "nobody is connected to");
    // One host of two is named: the other gets nothing, though it is the better one.
    let two = World::new(Good).zone(PLAIN).zone("b.test MX 5 forged.b.test\nforged.b.test A 192.0.2.66\n");
    assert_eq!(
        two.policy("1", &policy("enforce", "mx.b.test")).send().await,
        "delivered TLSv1.3 mta-sts verified=true"
    );
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_tested_or_gone_stops_nothing() {
    for mode in ["testing", "none"] {
        let world = World::in_clear().zone(PLAIN).policy("1", &policy(mode, "mx.c.test"));
        assert_eq!(world.send().await, CLEAR);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_policy_stops_nothing_and_is_not_asked_for_again_at_once() {
    let whole = policy("enforce", "mx.c.test");
    let big = format!("{whole}{}", "x: y\r\n".repeat(20_000));
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
    for answer in [
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
        format!(
            "HTTP/1.1 301 Moved\r\nLocation: https://mta-sts.b.test/other\r\nContent-Length: {}\r\n\r\n{whole}",
            whole.len()
        ),
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{whole}", whole.len()),
        format!("{head}Content-Length: {}\r\n\r\n{big}", big.len()),
        format!("{head}Content-Length: 5\r\n\r\nhello"),
        format!("{head}Content-Length: 5000\r\n\r\n{whole}"),
        "SSH-2.0-OpenSSH\r\n".to_owned(),
    ] {
        let world = World::in_clear().zone(PLAIN).answer("1", &answer);
        assert_eq!(world.send().await, CLEAR, "{}", &answer[..answer.len().min(60)]);
        assert_eq!(world.send().await, CLEAR);
        assert_eq!(world.fetched(), 1);
        tokio::time::sleep(Duration::from_secs(301)).await;
        world.send().await;
        assert_eq!(world.fetched(), 2);
    }
    // Whoever answers in its place has no certificate for its name.
    let world = World::in_clear().zone(PLAIN).policy("1", &whole).policy_certificate("other.test");
    assert_eq!(world.send().await, CLEAR);
    // A host that says nothing costs ten seconds.
    let world = World::in_clear().zone(PLAIN).answer("1", "");
    let start = tokio::time::Instant::now();
    assert_eq!(world.send().await, CLEAR);
    assert!(start.elapsed() < Duration::from_secs(11), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_policy_stands_until_its_time_is_over_whatever_becomes_of_its_record() {
    let world = World::in_clear().zone(PLAIN).policy("1", &policy("enforce", "mx.b.test"));
    assert!(world.send().await.starts_with("deferred"));
    world.replace(PLAIN);
    assert!(world.send().await.starts_with("deferred"), "its record was taken away");
    let world = world.restarted();
    assert!(world.send().await.starts_with("deferred"), "the server was started again");
    world.replace(&format!("{PLAIN}_mta-sts.b.test SERVFAIL\n"));
    tokio::time::sleep(6 * DAY).await;
    assert!(world.send().await.starts_with("deferred"));
    tokio::time::sleep(DAY).await;
    assert_eq!(world.send().await, CLEAR);
    assert_eq!(world.fetched(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_id_is_another_policy_and_old_ones_are_renewed() {
    let world = World::in_clear().zone(PLAIN).policy("1", &policy("enforce", "mx.b.test"));
    assert!(world.send().await.starts_with("deferred"));
    assert!(world.send().await.starts_with("deferred"));
    assert_eq!(world.fetched(), 1, "the same id is the same policy");
    assert_eq!(world.refresh().await, 0);
    tokio::time::sleep(DAY).await;
    assert_eq!(world.refresh().await, 1);
    assert_eq!((world.refresh().await, world.fetched()), (0, 2));
    tokio::time::sleep(7 * DAY - Duration::from_secs(60)).await;
    assert!(world.send().await.starts_with("deferred"), "its time began anew");
    let world = world.policy("2", &policy("none", "mx.b.test"));
    assert_eq!(world.send().await, CLEAR);
    assert_eq!(world.fetched(), 3);
}

#[tokio::test(start_paused = true)]
async fn hosts_that_moved_have_their_policy_looked_at_once_more() {
    let world = World::new(Good).zone(PLAIN).policy("1", &policy("enforce", "old.b.test"));
    assert!(world.send().await.contains("names old.b.test"));
    // Its id was forgotten to be changed.
    let world = world.policy("1", &policy("enforce", "mx.b.test"));
    assert!(world.send().await.starts_with("deferred"), "not within five minutes");
    tokio::time::sleep(Duration::from_secs(301)).await;
    assert_eq!(world.send().await, "delivered TLSv1.3 mta-sts verified=true");
}

#[tokio::test(start_paused = true)]
async fn dane_decides_where_both_speak() {
    // RFC 8461 §2: a policy neither replaces a broken promise, nor stands in the way of a kept one.
    let both = |mx: &str| World::new(Good).zone(SIGNED).policy("1", &policy("enforce", mx));
    let broken = both("mx.b.test").also(|_| tlsa("mx.b.test", 3, 1, 1, &[], 0));
    assert!(broken.send().await.contains("DANE"));
    let kept = both("mx.c.test").also(|chain| tlsa("mx.b.test", 3, 1, 1, chain, 0));
    assert_eq!(kept.send().await, "delivered TLSv1.3 dane verified=true");
    let none = both("mx.c.test");
    assert!(none.send().await.contains("does not name its MX host mx.b.test"), "no records, and no name");
    // Records that cannot be used leave it to the policy.
    let unusable = both("mx.b.test").also(|_| tlsa("mx.b.test", 1, 1, 1, &[], 0));
    assert_eq!(unusable.send().await, "delivered TLSv1.3 mta-sts verified=true");
}

#[tokio::test(start_paused = true)]
async fn domains_that_ask_for_different_things_do_not_share_sessions() {
    let others = "c.test MX 10 mx.b.test\nd.test MX 10 mx.b.test\nd.test AUTHENTIC\n";
    let world = World::new(Good).zone(PLAIN).zone(others).policy("1", &policy("enforce", "mx.b.test"));
    assert_eq!(world.site("b.test").await, "mx.b.test+sts");
    assert_eq!(world.site("c.test").await, "mx.b.test");
    assert_eq!(world.site("d.test").await, "mx.b.test+dnssec");
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_safe_enough_for_requiretls() {
    let world = World::new(Good).zone(PLAIN).policy("1", &policy("enforce", "mx.b.test")).require_tls();
    assert_eq!(world.send().await, "delivered TLSv1.3 requiretls verified=true");
    let none = World::new(Good).zone(PLAIN).require_tls();
    assert!(none.send().await.starts_with("failed 5.7.30 route"));
    let dane = World::new(SelfSigned).zone(SIGNED).also(|chain| tlsa("mx.b.test", 3, 1, 1, chain, 0)).require_tls();
    assert_eq!(dane.send().await, "delivered TLSv1.3 dane verified=true");
}
