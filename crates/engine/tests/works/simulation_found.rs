//! What the simulation found, each as a small test of its own.

use repute_engine::control::Selector;
use repute_net::ConnectKind;

use crate::world::*;

/// A message that waited behind a paused site was still known from its acceptance; the alarm
/// for the notice of delay believed that, and let go what an operator had held.
#[tokio::test(start_paused = true)]
async fn a_notice_of_delay_does_not_release_what_is_held() {
    let mut world = World::new().await;
    let at = world.host("b.test");
    world.network.fail(at, ConnectKind::Refused);
    world.submit("shop@example.com", &["first@b.test"]).await.unwrap();
    pass(MINUTE / 60).await;
    // The site is paused, so this one is not looked at.
    world.submit("shop@example.com", &["second@b.test"]).await.unwrap();
    let second = Selector { recipient: Some(address("second@b.test")), ..Selector::default() };
    assert_eq!(world.control().hold(&second, "a test").await.unwrap().now, 1);
    let home = world.receiver("example.com", |_, _| "250 2.1.5 ok");
    world.hosts_again(1);
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    pass(6 * HOUR).await;
    let to: Vec<_> = b.taken().into_iter().flat_map(|t| t.to).collect();
    assert_eq!(to, ["first@b.test"]);
    assert_eq!(home.taken().len(), 1, "its sender is told that it takes long");
    let held = Selector { held: true, ..second };
    assert_eq!(world.control().list(&held, 10).await.unwrap().rows.len(), 1);
    // Also for the disk.
    world.stop().await;
    world.start().await;
    pass(HOUR).await;
    assert_eq!(b.taken().len(), 1);
    assert_eq!(world.control().release(&held).await.unwrap().now, 1);
    pass(MINUTE).await;
    assert_eq!(b.taken().len(), 2);
}

/// A failure is on disk a tenth of a second after it was decided. A notice that is sent before
/// is sent again, as another, by whoever finds the failure unsettled after a crash.
#[tokio::test(start_paused = true)]
async fn a_notice_waits_until_it_is_on_disk() {
    let mut world = World::new().await;
    let home = world.receiver("example.com", |_, _| "250 2.1.5 ok");
    world.receiver("b.test", |_, _| "550 5.1.1 no such user");
    world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
    pass(MINUTE / 120).await;
    assert_eq!(world.verdicts("bob@b.test").len(), 1);
    assert_eq!(home.taken().len(), 0);
    pass(MINUTE / 60).await;
    assert_eq!(home.taken().len(), 1);
}

/// The clock was set back while the works were down. Their first ids were those of messages that had been delivered
/// before, and the strict spool found two messages under one.
#[tokio::test(start_paused = true)]
async fn a_message_that_is_gone_leaves_its_id_to_nobody() {
    let mut world = World::new().await;
    let at = world.host("down.test");
    world.network.fail(at, ConnectKind::Refused);
    world.receiver("b.test", |_, _| "250 2.1.5 ok");
    let mut ids = std::collections::BTreeSet::new();
    // What waits is known at the next start; what was delivered after it is not.
    ids.insert(world.submit("shop@example.com", &["bob@down.test"]).await.unwrap());
    ids.insert(world.submit("shop@example.com", &["bob@b.test"]).await.unwrap());
    pass(MINUTE).await;
    world.stop().await;
    world.clock.jump(-86_400_000);
    world.start().await;
    for _ in 0..3 {
        ids.insert(world.submit("shop@example.com", &["bob@b.test"]).await.unwrap());
    }
    assert_eq!(ids.len(), 5, "{ids:?}");
}

/// Where an operator wants no retry to wait for more than ten minutes, two hours were waited all the same.
#[tokio::test(start_paused = true)]
async fn after_a_clock_was_set_back_no_retry_waits_longer_than_the_longest() {
    let mut world = World::unstarted();
    world.max_interval = Some(10 * MINUTE);
    world.start().await;
    let b = world.receiver("b.test", |_, times| if times == 1 { "451 4.7.1 greylisted" } else { "250 2.1.5 ok" });
    world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
    pass(MINUTE / 2).await;
    world.stop().await;
    world.clock.jump(-86_400_000);
    world.start().await;
    pass(13 * MINUTE).await;
    assert_eq!(b.taken().len(), 1);
}

/// A clock that was set back a day kept deferred mail for a day, in the works and at their next start.
#[tokio::test(start_paused = true)]
async fn deferred_mail_does_not_wait_until_the_day_comes_again() {
    for restart in [false, true] {
        let mut world = World::new().await;
        let b = world.receiver("b.test", |_, times| if times == 1 { "451 4.7.1 greylisted" } else { "250 2.1.5 ok" });
        world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
        pass(MINUTE / 2).await;
        assert_eq!(b.taken().len(), 0);
        world.clock.jump(-86_400_000);
        if restart {
            world.stop().await;
            world.start().await;
        }
        pass(if restart { 5 * HOUR } else { 5 * MINUTE }).await;
        assert_eq!(b.taken().len(), 1, "after a restart: {restart}");
    }
}
