//! Receivers that say again and again that our address or our domain is at fault: it stood in each sender's notice, and
//! nowhere that the operator looks.

use super::*;

const LISTED: &str = "550 5.7.1 Unfortunately, messages from [203.0.113.10] weren't sent. Please contact your Internet service \
                      provider since part of their network is on our block list (S3150).";

async fn send(scene: &Scene, to: &str) {
    scene.world.submit("shop@example.com", &[to]).await.unwrap();
    pass(Duration::from_secs(2)).await;
}

fn lines(scene: &Scene) -> Vec<String> {
    scene.world.incident_lines().into_iter().filter(|line| line.contains("refused.")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_refuses_our_address_was_told_to_nobody() {
    let mut scene = Scene::new(&[A], &[], "").await;
    scene.world.receiver("outlook.com", |who, _| if who.starts_with("good") { "250 2.1.5 ok" } else { LISTED });
    scene.world.receiver("b.test", |_, _| "550 5.1.1 no such user");
    for n in 0..5 {
        send(&scene, &format!("nobody{n}@b.test")).await;
    }
    // Two, and one that is taken, are no row of three.
    for who in ["a", "b", "good", "c", "d"] {
        send(&scene, &format!("{who}@outlook.com")).await;
    }
    assert_eq!(lines(&scene), [""; 0]);
    for who in ["e", "f", "g"] {
        send(&scene, &format!("{who}@outlook.com")).await;
    }
    let subject = "outlook.com, from 203.0.113.10";
    assert_eq!(lines(&scene), [format!("opened refused.address {subject}")], "once");
    let open = scene.world.control().incidents(0).await.unwrap();
    let one = open.iter().find(|one| one.what == "refused.address").unwrap();
    assert!(one.text.contains("S3150") && one.cure.contains("form"), "{one:?}");

    // Open over a restart; three in a row that are taken close it.
    scene.world.stop().await;
    scene.world.start().await;
    for who in ["good1", "good2", "h", "good3", "good4"] {
        send(&scene, &format!("{who}@outlook.com")).await;
    }
    assert_eq!(lines(&scene).len(), 1);
    send(&scene, "good5@outlook.com").await;
    assert_eq!(lines(&scene).last().unwrap(), &format!("closed refused.address {subject}"));
    assert!(scene.world.control().incidents(0).await.unwrap().iter().all(|one| one.what != "refused.address"));
}

#[tokio::test(start_paused = true)]
async fn what_is_put_off_again_and_again_is_one_message() {
    let mut scene = Scene::new(&[A], &[], "").await;
    scene.world.receiver("b.test", |_, _| "451 4.7.1 rejected by DMARC policy for example.com");
    scene.world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
    pass(40 * MINUTE).await;
    assert!(scene.world.verdicts("bob@b.test").len() >= 3, "{:?}", scene.world.verdicts("bob@b.test"));
    assert_eq!(lines(&scene), [""; 0]);
    for n in 0..2 {
        send(&scene, &format!("u{n}@b.test")).await;
    }
    assert_eq!(lines(&scene), ["opened refused.domain b.test, as example.com"]);
}

/// One message is tried at a time there, and puts off all others.
#[tokio::test(start_paused = true)]
async fn who_refuses_the_connection_refuses_all_mail() {
    let mut scene = Scene::new(&[A], &[], "").await;
    let b = scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    b.greets("554 5.7.1 Service unavailable; Client host [203.0.113.10] blocked using zen.spamhaus.org");
    scene.world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
    pass(40 * MINUTE).await;
    assert_eq!(lines(&scene), ["opened refused.address b.test, from 203.0.113.10"]);
    b.greets("220 receiver.test");
    for n in 0..2 {
        send(&scene, &format!("u{n}@b.test")).await;
    }
    pass(3 * HOUR).await;
    assert_eq!(b.taken().len(), 3);
    assert_eq!(lines(&scene).last().unwrap(), "closed refused.address b.test, from 203.0.113.10");
}
