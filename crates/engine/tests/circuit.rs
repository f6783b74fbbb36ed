//! An account whose mail does harm is stopped, others are not; a person goes on or cancels; a restart
//! changes nothing. In simulated time.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod world;

use repute_engine::control::Selector;
use world::{HOUR, MINUTE, World, pass};

async fn held(world: &World) -> usize {
    let held = Selector { held: true, ..Selector::default() };
    world.control().list(&held, 1000).await.unwrap().rows.len()
}

/// Eleven messages to people who do not exist, one after the other.
async fn send_to_nobody(world: &World, from: usize) {
    for n in from..from + 11 {
        world.submit("me@example.com", &[&format!("gone{n}@a.test")]).await.unwrap();
        pass(MINUTE).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_of_people_who_do_not_exist_stops_its_account_until_a_person_goes_on() {
    let mut world = World::with_ledger().await;
    let there = world.receiver("a.test", |to, _| match to.starts_with("gone") {
        true => "550 5.1.1 no such user here",
        false => "250 2.1.5 ok",
    });
    send_to_nobody(&world, 0).await;
    let incidents = world.incidents();
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    let (state, what, subject, text) = &incidents[0];
    assert_eq!((*state, what.as_str(), subject.as_str()), ("opened", "circuit.unknown", "account shop"));
    assert!(text.starts_with("11 of 11 recipients do not exist: gone0@a.test: 550 5.1.1"), "{text}");
    // What comes now is accepted and held, with the reason; also after a restart.
    world.submit("me@example.com", &["ann@a.test"]).await.unwrap();
    pass(MINUTE).await;
    world.stop().await;
    world.start().await;
    world.submit("me@example.com", &["ben@a.test"]).await.unwrap();
    pass(HOUR).await;
    assert_eq!((held(&world).await, there.taken().len(), world.incidents().len()), (2, 0, 1));
    let row = &world.control().list(&Selector { held: true, ..Selector::default() }, 10).await.unwrap().rows[0];
    let reason = row.reason.clone().unwrap();
    assert!(reason.starts_with("the circuit of account shop is open: 11 of 11"), "{reason}");
    // A person goes on.
    world.control().continue_circuit("nobody").await.unwrap_err();
    assert_eq!(world.control().continue_circuit("shop").await.unwrap().now, 2);
    pass(MINUTE).await;
    assert_eq!((held(&world).await, there.taken().len()), (0, 2));
    assert_eq!(world.incidents().pop().unwrap().0, "closed");
    assert_eq!(world.control().circuits().open.len(), 0);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_person_may_cancel_what_is_left_and_faults_of_ours_open_nothing() {
    let mut world = World::with_ledger().await;
    let there = world.receiver("a.test", |to, _| match to {
        _ if to.starts_with("gone") => "550 5.1.1 no such user here",
        _ if to.starts_with("ptr") => "550 5.7.25 no PTR record",
        _ => "250 2.1.5 ok",
    });
    for n in 0..30 {
        world.submit("me@example.com", &[&format!("ptr{n}@a.test")]).await.unwrap();
    }
    pass(HOUR).await;
    assert_eq!(world.incidents().len(), 0);
    send_to_nobody(&world, 0).await;
    assert_eq!(world.incidents().len(), 1);
    world.submit("me@example.com", &["ann@a.test"]).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(world.control().cancel_circuit("shop").await.unwrap().now, 1);
    world.submit("me@example.com", &["ben@a.test"]).await.unwrap();
    pass(MINUTE).await;
    let to: Vec<_> = there.taken().into_iter().flat_map(|taken| taken.to).collect();
    assert_eq!(to, ["ben@a.test"], "ann's was cancelled, and the circuit is closed");
    world.stop().await;
}
