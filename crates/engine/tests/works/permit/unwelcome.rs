//! A receiver refuses an address of ours: the message was failed at once, though its sender might leave by another address, or
//! the permit was about to be lost.

use std::net::IpAddr;

use repute_types::Verdict::{self, Deferred};

use super::*;

const LISTED: &str = "550 5.7.1 Unfortunately, messages from this address weren't sent. Please contact your Internet service \
                      provider since part of their network is on our block list (S3150).";
const PTR: &str = "550 5.7.25 The IP address sending this message does not have a PTR record setup";

fn verdicts(scene: &Scene, to: &str) -> Vec<Verdict> {
    scene.world.verdicts(to).into_iter().map(|(_, verdict)| verdict).collect()
}

async fn send(scene: &Scene, to: &str) {
    scene.world.submit("shop@example.com", &[to]).await.unwrap();
    pass(Duration::from_secs(10)).await;
}

/// The address that mail to b.test prefers, and the other one.
async fn preferred(scene: &Scene) -> (IpAddr, IpAddr) {
    send(scene, "first@b.test").await;
    let usual = scene.world.left_from("first@b.test")[0];
    let other = [A, B].map(|address| address.parse().unwrap()).into_iter().find(|address| *address != usual);
    (usual, other.unwrap())
}

#[tokio::test(start_paused = true)]
async fn mail_that_is_refused_because_of_its_address_leaves_by_another() {
    let mut scene = Scene::new(&[A, B], &[], "").await;
    let b = scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    scene.world.receiver("c.test", |_, _| "250 2.1.5 ok");
    let (usual, other) = preferred(&scene).await;
    b.turns_away(usual, LISTED);
    for who in ["one", "two", "three"] {
        send(&scene, &format!("{who}@b.test")).await;
    }
    assert_eq!(verdicts(&scene, "one@b.test"), [Deferred, Delivered]);
    assert_eq!(scene.world.tried_from("one@b.test"), [usual, other]);
    // The next ones do not try.
    assert_eq!(verdicts(&scene, "two@b.test"), [Delivered]);
    assert_eq!((b.turned_away(), b.taken().len()), (1, 4));

    // After ten minutes, and then twenty, one tries it; nothing is failed for it.
    pass(10 * MINUTE).await;
    for who in ["four", "five"] {
        send(&scene, &format!("{who}@b.test")).await;
    }
    assert_eq!((b.turned_away(), verdicts(&scene, "four@b.test")), (2, vec![Deferred, Delivered]));
    pass(15 * MINUTE).await;
    send(&scene, "six@b.test").await;
    assert_eq!(b.turned_away(), 2);
    pass(10 * MINUTE).await;
    send(&scene, "seven@b.test").await;
    assert_eq!((b.turned_away(), verdicts(&scene, "seven@b.test")), (3, vec![Deferred, Delivered]));
    // That was the third in a row from this address.
    assert_eq!(scene.world.incident_lines(), [format!("opened refused.address b.test, from {usual}")]);
    let open = scene.world.control().incidents(0).await.unwrap();
    assert!(open[0].text.contains(&format!("leaves from {other} meanwhile")), "{open:?}");

    // It goes back when it may.
    b.welcomes_all();
    pass(41 * MINUTE).await;
    for who in ["eight", "nine", "ten"] {
        send(&scene, &format!("{who}@b.test")).await;
    }
    assert_eq!(scene.world.left_from("eight@b.test"), [usual]);
    assert_eq!(scene.world.incident_lines()[1..], [format!("closed refused.address b.test, from {usual}")]);
}

#[tokio::test(start_paused = true)]
async fn mail_that_is_ready_goes_around_with_the_first_and_a_restart_finds_it_out_again() {
    let mut scene = Scene::new(&[A, B], &[], "").await;
    let b = scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    let (usual, _) = preferred(&scene).await;
    b.turns_away(usual, LISTED);
    for n in 0..200 {
        scene.world.submit("shop@example.com", &[&format!("u{n}@b.test")]).await.unwrap();
    }
    pass(MINUTE).await;
    assert_eq!(b.taken().len(), 201);
    assert!(b.turned_away() < 50, "{}", b.turned_away());
    scene.world.stop().await;
    scene.world.start().await;
    let before = b.turned_away();
    send(&scene, "after@b.test").await;
    assert_eq!((verdicts(&scene, "after@b.test"), b.turned_away()), (vec![Deferred, Delivered], before + 1));
}

/// It was the second refusal, and counted, though it came from the same address as the first.
#[tokio::test(start_paused = true)]
async fn a_message_that_was_refused_before_a_restart_leaves_by_another_address_all_the_same() {
    let mut scene = Scene::new(&[A, B], &[], "").await;
    let b = scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    let (usual, other) = preferred(&scene).await;
    b.turns_away(usual, LISTED);
    scene.world.submit("shop@example.com", &[TO]).await.unwrap();
    pass(Duration::from_secs(1)).await;
    assert_eq!(verdicts(&scene, TO), [Deferred]);
    scene.world.stop().await;
    scene.world.start().await;
    pass(MINUTE).await;
    assert_eq!(verdicts(&scene, TO), [Deferred, Deferred, Delivered]);
    assert_eq!(scene.world.tried_from(TO), [usual, usual, other]);
}

/// Trying one after the other is what lists are made for.
#[tokio::test(start_paused = true)]
async fn a_message_is_tried_from_one_other_address_and_not_from_all() {
    let mut scene = Scene::new(&[A, B, C], &[], "").await;
    let b = scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    pass(MINUTE).await;
    for address in [A, B, C] {
        b.turns_away(address.parse().unwrap(), LISTED);
    }
    send(&scene, TO).await;
    pass(HOUR).await;
    assert_eq!((verdicts(&scene, TO), b.turned_away()), (vec![Deferred, Failed], 2));
}

#[tokio::test(start_paused = true)]
async fn what_is_put_off_because_of_its_address_leaves_by_another_at_once() {
    let mut scene = Scene::new(&[A, B], &[], "").await;
    let b = scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    let (usual, other) = preferred(&scene).await;
    b.turns_away(usual, "450 4.7.25 Client host rejected: cannot find your reverse hostname, [203.0.113.10]");
    send(&scene, TO).await;
    assert_eq!((verdicts(&scene, TO), scene.world.tried_from(TO)), (vec![Deferred, Delivered], vec![usual, other]));
    // An opinion of an address is how a new one is met: it stays, and goes slower.
    b.welcomes_all();
    pass(20 * MINUTE).await;
    b.turns_away(usual, "421 4.7.0 Your IP has a poor reputation, try again later");
    send(&scene, "new@b.test").await;
    assert_eq!(scene.world.tried_from("new@b.test"), [usual]);
}

#[tokio::test(start_paused = true)]
async fn who_takes_no_mail_by_ipv6_gets_it_by_ipv4() {
    let mut scene = Scene::new(&[A], &[], "").await;
    let v6 = "2001:db8::10";
    let ehlo = ehlo(A);
    scene.world.stop().await;
    let egress = Egress {
        name: format!("{A},{v6}"),
        ehlo: ehlo.clone(),
        v4: A.parse().ok(),
        v6: v6.parse().ok(),
        narrowed: false,
    };
    scene.world.egresses = vec![Arc::new(egress)];
    let more = format!(
        "{ehlo} A {A}\n{A} PTR {ehlo}\n{ehlo} AAAA {v6}\n{v6} PTR {ehlo}\nexample.com TXT v=spf1 ip4:{A} ip6:{v6} -all\n"
    );
    scene.say(&["203-0-113-10", "example.com TXT", "203.0.113.10,"], &more);
    scene.world.start().await;
    let b = scene.world.receiver_by_both("b.test", |_, _| "250 2.1.5 ok");
    b.turns_away(
        v6.parse().unwrap(),
        "550 5.7.1 [2001:db8::10] Our system has detected that this message does not meet IPv6 sending guidelines \
         regarding PTR records and authentication.",
    );
    // Both have their permits.
    pass(MINUTE).await;
    for who in ["one@b.test", "two@b.test"] {
        send(&scene, who).await;
    }
    assert_eq!(verdicts(&scene, "one@b.test"), [Deferred, Delivered]);
    let [v4, v6] = [A, v6].map(|address| address.parse::<IpAddr>().unwrap());
    assert_eq!(scene.world.tried_from("one@b.test"), [v6, v4]);
    assert_eq!(scene.world.tried_from("two@b.test"), [v4]);
}

/// The receiver saw it first: before the watch did, it failed message after message.
#[tokio::test(start_paused = true)]
async fn mail_that_a_receiver_refuses_for_a_lost_name_waits_for_the_name() {
    let mut scene = Scene::new(&[A], &[], "").await;
    let b = scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    pass(MINUTE).await;
    scene.say(&[NO_NAME], "");
    b.turns_away(A.parse().unwrap(), PTR);
    for who in ["one@b.test", "two@b.test", "three@b.test", "four@b.test"] {
        scene.world.submit("shop@example.com", &[who]).await.unwrap();
    }
    pass(10 * MINUTE).await;
    assert_eq!(scene.words(), ["203.0.113.10 suspended"]);
    assert_eq!((verdicts(&scene, "four@b.test"), b.turned_away()), (vec![Deferred], 4));
    scene.say(&[], "");
    b.welcomes_all();
    pass(5 * MINUTE).await;
    assert_eq!((verdicts(&scene, "four@b.test"), b.taken().len()), (vec![Deferred, Delivered], 4));
}

#[tokio::test(start_paused = true)]
async fn where_the_checks_find_nothing_the_second_refusal_counts_and_later_ones_at_once() {
    let mut scene = Scene::new(&[A], &[], "").await;
    let b = scene.world.receiver("b.test", |_, _| LISTED);
    send(&scene, TO).await;
    let reason = scene.world.last(TO).reason();
    assert!(reason.contains("tried once more") && reason.contains("S3150"), "{reason}");
    pass(2 * MINUTE).await;
    assert_eq!(verdicts(&scene, TO), [Deferred, Failed]);
    pass(3 * MINUTE).await;
    send(&scene, "late@b.test").await;
    assert_eq!((verdicts(&scene, "late@b.test"), b.taken().len()), (vec![Failed], 0));
}

/// What a receiver says of the domain is about its records, and may be over in a moment.
#[tokio::test(start_paused = true)]
async fn what_is_refused_because_of_our_domain_has_a_second_time() {
    let mut scene = Scene::new(&[A, B], &[], "").await;
    let b = scene.world.receiver("b.test", |_, times| match times {
        1 => "550 5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy",
        _ => "250 2.1.5 ok",
    });
    send(&scene, TO).await;
    pass(2 * MINUTE).await;
    let left = scene.world.tried_from(TO);
    assert_eq!((verdicts(&scene, TO), b.taken().len()), (vec![Deferred, Delivered], 1));
    assert_eq!(left[0], left[1], "another address is no better");
    // The recipient's own fault has none.
    scene.world.receiver("c.test", |_, _| "550 5.1.1 no such user");
    send(&scene, "nobody@c.test").await;
    assert_eq!(verdicts(&scene, "nobody@c.test"), [Failed]);
}
