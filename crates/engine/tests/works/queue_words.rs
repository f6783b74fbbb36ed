//! An operator's word on the queue while it works: nothing is sent twice, early or in secret because of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use repute_engine::control::Selector;
use repute_net::ConnectKind;
use repute_types::Clock as _;
use repute_types::Verdict::Delivered;

use crate::world::campaigns::launched;
use crate::world::*;

fn all() -> Selector {
    Selector { all: true, ..Selector::default() }
}

fn one(id: repute_types::MessageId) -> Selector {
    Selector { ids: vec![id.to_string()], ..Selector::default() }
}

/// Who got mail, in the order of their names, once for each time.
fn got(receiver: &Receiver) -> Vec<String> {
    let mut to: Vec<String> = receiver.taken().into_iter().flat_map(|taken| taken.to).collect();
    to.sort();
    to
}

/// The record that was read before an attempt was written as held after it, with the recipient who had been served meanwhile:
/// released, he got the message again.
#[tokio::test(start_paused = true)]
async fn who_is_served_while_the_queue_is_being_held_does_not_get_it_again() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |who, times| match (who, times) {
        ("temp@b.test", 1) => "451 4.7.1 later",
        _ => "250 2.1.5 ok",
    });
    let at = world.clock.now() + Duration::from_secs(30);
    for _ in 0..3 {
        world.submit_at("shop@example.com", &["ok@b.test", "temp@b.test"], at).await.unwrap();
    }
    world.spool.scan_late(Some(MINUTE));
    world.control().hold(&all(), "looked at").await.unwrap();
    world.spool.scan_late(None);
    pass(MINUTE).await;
    world.control().release(&all()).await.unwrap();
    pass(HOUR).await;
    let ok = got(&b).iter().filter(|to| *to == "ok@b.test").count();
    assert_eq!(ok, 3, "{:?}", got(&b));
    assert!(world.spool.is_empty());
}

/// A client that timed out and asked again had its second release write what the first had let go and an attempt had changed.
#[tokio::test(start_paused = true)]
async fn of_two_releases_at_once_the_second_brings_nobody_back() {
    let mut world = World::new().await;
    let at = world.host("b.test");
    world.network.fail(at, ConnectKind::Refused);
    world.submit("shop@example.com", &["ok@b.test", "temp@b.test"]).await.unwrap();
    pass(MINUTE).await;
    world.control().hold(&all(), "looked at").await.unwrap();
    world.hosts_again(1);
    let b = world.receiver("b.test", |who, times| match (who, times) {
        ("temp@b.test", 1) => "451 4.7.1 later",
        _ => "250 2.1.5 ok",
    });
    world.spool.scan_late(Some(MINUTE));
    let control = world.control();
    let second = tokio::spawn(async move { control.release(&all()).await.unwrap() });
    tokio::task::yield_now().await;
    world.spool.scan_late(None);
    world.control().release(&all()).await.unwrap();
    second.await.unwrap();
    pass(HOUR).await;
    assert_eq!(got(&b), ["ok@b.test", "temp@b.test"]);
    assert!(world.spool.is_empty());
}

/// Starts again, and what was there takes a minute to come into the queue.
async fn start_slowly(world: &mut World) {
    world.stop().await;
    world.spool.scan_late(Some(MINUTE));
    world.start().await;
    tokio::task::yield_now().await;
    world.spool.scan_late(None);
}

/// Said just after a start, a word missed what was not in the queue yet, and that was sent a moment later.
#[tokio::test(start_paused = true)]
async fn a_word_just_after_the_start_is_of_all_that_was_there() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    let at = world.clock.now() + 3 * HOUR;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(world.submit_at("shop@example.com", &["bob@b.test"], at).await.unwrap());
    }
    start_slowly(&mut world).await;
    assert_eq!(world.control().cancel(&one(ids[0]), "ann").await.unwrap().now, 1);
    start_slowly(&mut world).await;
    assert_eq!(world.control().hold(&all(), "looked at").await.unwrap().now, 2);
    pass(4 * HOUR).await;
    assert_eq!(got(&b), [] as [&str; 0]);
    start_slowly(&mut world).await;
    assert_eq!(world.control().release(&all()).await.unwrap().now, 2);
    pass(HOUR).await;
    assert_eq!(got(&b).len(), 2);
}

/// Held and released, what was to be sent in four hours was sent at once.
#[tokio::test(start_paused = true)]
async fn what_is_to_be_sent_later_keeps_its_time_when_it_is_held_and_released() {
    for restart in [false, true] {
        let mut world = World::new().await;
        let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
        let at = world.clock.now() + 4 * HOUR;
        world.submit_at("shop@example.com", &["bob@b.test"], at).await.unwrap();
        assert_eq!(world.control().hold(&all(), "looked at").await.unwrap().now, 1);
        pass(HOUR).await;
        if restart {
            world.stop().await;
            world.start().await;
            pass(MINUTE).await;
        }
        // Also where somebody asked twice.
        let control = world.control();
        let (first, second) = (all(), all());
        let (first, second) = tokio::join!(control.release(&first), control.release(&second));
        assert_eq!(first.unwrap().now + second.unwrap().now, 1);
        pass(2 * HOUR).await;
        assert_eq!(b.taken().len(), 0, "restart: {restart}");
        let row = &world.control().list(&all(), 10).await.unwrap().rows[0];
        assert_eq!((row.state, row.next), ("waiting", Some(at)));
        pass(HOUR + MINUTE).await;
        assert_eq!(b.taken().len(), 1, "restart: {restart}");
        // What is released after its time goes at once.
        let at = world.clock.now() + HOUR;
        world.submit_at("shop@example.com", &["bob@b.test"], at).await.unwrap();
        world.control().hold(&all(), "looked at").await.unwrap();
        pass(2 * HOUR).await;
        world.control().release(&all()).await.unwrap();
        pass(MINUTE).await;
        assert_eq!(b.taken().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_to_be_sent_later_is_tried_now_only_where_it_is_named() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    let at = world.clock.now() + 4 * HOUR;
    let first = world.submit_at("shop@example.com", &["bob@b.test"], at).await.unwrap();
    world.submit_at("shop@example.com", &["eve@b.test"], at).await.unwrap();
    let said = world.control().retry(&all()).await.unwrap();
    assert_eq!((said.now, said.still.len(), said.still[0].parts), (0, 1, Some(2)), "{said:?}");
    assert!(said.still[0].cure.contains("`repute queue retry ID`"), "{said:?}");
    pass(MINUTE).await;
    assert_eq!(b.taken().len(), 0);
    assert_eq!(world.control().retry(&one(first)).await.unwrap().now, 1);
    pass(MINUTE).await;
    assert_eq!(got(&b), ["bob@b.test"]);
    pass(4 * HOUR).await;
    assert_eq!(got(&b), ["bob@b.test", "eve@b.test"]);
}

/// "3 tried now", and nothing was: the campaign was paused.
#[tokio::test(start_paused = true)]
async fn a_word_on_mail_that_something_else_holds_says_what_and_how_much() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, _| "451 4.7.1 later");
    launched(&world, "autumn", &["a@b.test", "b@b.test", "c@b.test"]).await;
    pass(MINUTE).await;
    world.control().pause("autumn", "wait").await.unwrap();
    pass(HOUR).await;
    let asked = world.verdicts("a@b.test").len();
    for said in [world.control().retry(&all()).await.unwrap(), world.control().release(&all()).await.unwrap()] {
        assert_eq!((said.now, said.after_attempt, said.still.len()), (0, 0, 1), "{said:?}");
        let still = &said.still[0];
        assert_eq!((still.name.as_str(), still.parts), ("news/autumn", Some(3)));
        assert!(still.text.contains("wait") && still.cure.contains("repute bulk resume"), "{still:?}");
    }
    // What is held by itself as well is released, and waits with the others.
    let a = Selector { recipient: Some(address("a@b.test")), ..Selector::default() };
    assert_eq!(world.control().hold(&a, "by hand").await.unwrap().now, 1);
    let said = world.control().release(&a).await.unwrap();
    assert_eq!((said.now, said.still[0].parts), (0, Some(1)));
    pass(HOUR).await;
    assert_eq!(world.verdicts("a@b.test").len(), asked, "{}", b.taken().len());
    world.control().resume("autumn").await.unwrap();
    pass(HOUR).await;
    assert!(world.verdicts("a@b.test").len() > asked);
    // By itself.
    world.control().hold(&a, "by hand").await.unwrap();
    let said = world.control().retry(&a).await.unwrap();
    assert_eq!((said.now, said.still[0].parts), (0, Some(1)));
    assert!(said.still[0].cure.contains("repute queue release"), "{said:?}");
}

/// More parts than a page holds: all are meant, and each once.
#[tokio::test(start_paused = true)]
async fn a_word_on_very_many_reaches_all_of_them() {
    let mut world = World::new().await;
    world.silence("b.test");
    for campaign in ["spring", "autumn"] {
        let to: Vec<String> = (0..1_250).map(|n| format!("{campaign}{n}@b.test")).collect();
        let to: Vec<&str> = to.iter().map(String::as_str).collect();
        launched(&world, campaign, &to).await;
    }
    pass(Duration::from_millis(100)).await;
    let held = world.control().hold(&all(), "looked at").await.unwrap();
    assert_eq!(held.now + held.after_attempt, 2_500, "{held:?}");
    pass(HOUR).await;
    let released = world.control().release(&all()).await.unwrap();
    assert_eq!((released.now, released.after_attempt, released.still.len()), (2_500, 0, 0));
    world.unsilence("b.test");
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    pass(HOUR).await;
    assert_eq!(got(&b).len(), 2_500);
}

/// A program took its own message back, and the history said "cancelled by the operator".
#[tokio::test(start_paused = true)]
async fn what_is_cancelled_says_by_whom() {
    let mut world = World::with_ledger().await;
    let at = world.host("b.test");
    world.network.fail(at, ConnectKind::Refused);
    let id = world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(world.control().cancel(&one(id), "token shop-app").await.unwrap().now, 1);
    let steps = world.control().why(&id.to_string(), 10).await.unwrap().steps;
    assert!(format!("{:?}", steps.last().unwrap()).contains("cancelled by token shop-app"), "{steps:?}");
}

/// Its time had passed while the server was off, or the clock jumped past it: its sender was told that it takes long, in the second in which it was
/// delivered.
#[tokio::test(start_paused = true)]
async fn nobody_is_told_of_a_delay_before_a_first_attempt_could_be_made() {
    for jump in [false, true] {
        let mut world = World::new().await;
        world.receiver("b.test", |_, _| "250 2.1.5 ok");
        let home = world.receiver("example.com", |_, _| "250 2.1.5 ok");
        let at = world.clock.now() + HOUR;
        world.submit_at("shop@example.com", &["bob@b.test"], at).await.unwrap();
        world.submit_at("shop@example.com", &["eve@down.test"], at).await.unwrap();
        let down = world.host("down.test");
        world.network.fail(down, ConnectKind::Refused);
        match jump {
            true => {
                pass(MINUTE).await;
                world.clock.jump(9 * 3_600_000);
            }
            false => {
                world.stop().await;
                pass(9 * HOUR).await;
                world.start().await;
            }
        }
        pass(2 * HOUR).await;
        assert_eq!(world.verdicts("bob@b.test"), [(1, Delivered)]);
        let told: Vec<_> = home.taken().into_iter().map(|taken| taken.text).collect();
        assert_eq!(told.len(), 1, "jump: {jump}: of the other its sender hears: {told:?}");
        assert!(told[0].contains("eve@down.test") && !told[0].contains("bob@b.test"), "{}", told[0]);
    }
}

/// A machine slept for a day, or its clock was set by a month: what had been put off seconds before was told to be late, or given
/// up, before it was tried again.
#[tokio::test(start_paused = true)]
async fn what_was_put_off_before_the_clock_jumped_is_tried_before_it_is_late_or_given_up() {
    for days in [1, 30] {
        let mut world = World::new().await;
        let up = Arc::new(AtomicBool::new(false));
        let is_up = up.clone();
        world.receiver(
            "b.test",
            move |_, _| if is_up.load(Ordering::SeqCst) { "250 2.1.5 ok" } else { "451 4.3.0 later" },
        );
        let home = world.receiver("example.com", |_, _| "250 2.1.5 ok");
        world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
        world.submit("shop@example.com", &["eve@down.test"]).await.unwrap();
        let down = world.host("down.test");
        world.network.fail(down, ConnectKind::Refused);
        pass(MINUTE).await;
        up.store(true, Ordering::SeqCst);
        world.clock.jump(days * 24 * 3_600_000);
        pass(5 * MINUTE).await;
        assert_eq!(world.verdicts("bob@b.test").last(), Some(&(2, Delivered)), "{days} days");
        assert!(home.taken().is_empty(), "{days} days: nobody is told before that");
        let waits = &world.control().list(&all(), 10).await.unwrap().rows[0];
        assert!(waits.expires > world.clock.now(), "{days} days: {} in the list", waits.expires);
        pass(20 * MINUTE).await;
        let told: Vec<_> = home.taken().into_iter().map(|taken| taken.text).collect();
        assert_eq!(told.len(), 1, "{days} days: of the other its sender hears: {told:?}");
        assert!(told[0].contains("eve@down.test") && !told[0].contains("bob@b.test"), "{}", told[0]);
        assert_eq!(told[0].contains("Action: failed"), days == 30, "{}", told[0]);
    }
}
