//! A campaign that a client launches to many strangers is stopped before its first message: whoever stole a token would
//! cost the address its name. In simulated time.

use repute_engine::bulk::words::{Add, Campaign, State};
use repute_types::EventKind;

use crate::world::campaigns::{begin, row};
use crate::world::{DAY, HOUR, MINUTE, Receiver, World, news, pass};

/// With what an account has done before: a bound of 10 × 5 × 4 strangers within a day for a new one.
async fn world() -> (World, std::sync::Arc<Receiver>) {
    let mut world = World::with_ledger().await;
    world.stop().await;
    world.circuit.brake_least = 4;
    world.start().await;
    let there = world.receiver("a.test", |_, _| "250 2.1.5 ok");
    // The server learns for two weeks.
    world
        .submit_as(news(), "news@news.example", &["first@a.test"], "From: news@news.example\r\n\r\nx\r\n")
        .await
        .unwrap();
    pass(15 * DAY).await;
    (world, there)
}

/// A campaign to so many whose names begin so.
async fn loaded(world: &World, campaign: &str, who: &str, count: usize) {
    let id = world.control().begin(begin(campaign)).await.unwrap().id;
    let rows = (0..count).map(|n| row(&format!("{who}{n}@a.test"), "Ann")).collect();
    assert_eq!(world.control().add(Add { id, first_row: 0, rows }).await.unwrap().refused, []);
}

async fn launched(world: &World, campaign: &str, who: &str, count: usize) -> Campaign {
    loaded(world, campaign, who, count).await;
    let answer = world.control().launch_by(campaign, "token shop-web").await.unwrap();
    pass(HOUR).await;
    answer
}

async fn delivered(world: &World, campaign: &str) -> u64 {
    world.control().campaign(campaign).await.unwrap().delivered
}

#[tokio::test(start_paused = true)]
async fn a_stolen_token_sends_nothing_to_a_list_of_strangers_until_a_person_goes_on() {
    let (mut world, there) = world().await;
    let before = there.taken().len();
    let answer = launched(&world, "loot", "victim", 201).await;
    let circuit = answer.circuit.unwrap();
    assert_eq!(
        (answer.state, circuit.what.as_str(), circuit.name.as_str()),
        (State::Running, "circuit.strangers", "news/loot")
    );
    assert_eq!(
        circuit.text,
        "launched by token shop-web, and its account never wrote to 201 of its 201 recipients; the account is new, and 200 \
         strangers are not too much: victim0@a.test; victim1@a.test; victim2@a.test; victim3@a.test; victim4@a.test"
    );
    assert!(circuit.cure.contains("the token that launched it is stolen"), "{}", circuit.cure);
    assert_eq!(world.count(|kind| matches!(kind, EventKind::Held { part: None, .. })), 1);
    assert_eq!(world.incidents().len(), 1);
    world.stop().await;
    world.start().await;
    pass(HOUR).await;
    assert_eq!(there.taken().len(), before, "nothing of it has left, also not after a restart");
    // Its account's other mail goes on.
    world
        .submit_as(news(), "news@news.example", &["ann@a.test"], "From: news@news.example\r\n\r\nx\r\n")
        .await
        .unwrap();
    pass(MINUTE).await;
    assert_eq!(there.taken().len(), before + 1);

    assert_eq!(world.control().continue_circuit("news/loot", "ann").await.unwrap().now, 201);
    pass(HOUR).await;
    assert_eq!(delivered(&world, "loot").await, 201);
    // It was meant, and so is what comes within a day of it; whom it reached is known from then on.
    assert!(launched(&world, "more", "other", 300).await.circuit.is_none());
    pass(2 * DAY).await;
    assert!(launched(&world, "again", "victim", 201).await.circuit.is_none());
    assert!(launched(&world, "new", "stranger", 201).await.circuit.is_some());
    assert_eq!(world.control().cancel_circuit("news/new", "ann").await.unwrap().now, 201);
    pass(HOUR).await;
    let gone = world.control().campaign("new").await.unwrap();
    assert_eq!((gone.state, gone.delivered, gone.cancelled), (State::Cancelled, 0, 201));
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn many_small_campaigns_within_a_day_are_one_large_one() {
    let (mut world, _there) = world().await;
    for n in 0..4 {
        assert!(launched(&world, &format!("c{n}"), &format!("v{n}-"), 50).await.circuit.is_none(), "{n}");
    }
    let fifth = launched(&world, "c4", "v4-", 50).await.circuit.unwrap();
    assert!(
        fifth.text.contains("50 of its 50 recipients, after 200 of other campaigns within a day"),
        "{}",
        fifth.text
    );
    pass(DAY).await;
    assert!(launched(&world, "c5", "v5-", 50).await.circuit.is_none());
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_operator_of_the_machine_launches_what_he_likes_and_it_is_a_habit_a_week_later() {
    let (mut world, _there) = world().await;
    loaded(&world, "first", "reader", 250).await;
    assert!(world.control().launch("first").await.unwrap().circuit.is_none());
    pass(HOUR).await;
    assert_eq!(delivered(&world, "first").await, 250);
    assert!(launched(&world, "readers", "reader", 250).await.circuit.is_none(), "they are known");
    assert!(launched(&world, "soon", "early", 201).await.circuit.is_some(), "a thief teaches nothing within a week");
    pass(8 * DAY).await;
    assert!(launched(&world, "grown", "late", 1500).await.circuit.is_none());
    assert!(
        launched(&world, "too-much", "later", 1200).await.circuit.unwrap().text.contains("its habit is 250 recipients")
    );
    // Who wants none of this says so.
    world.stop().await;
    world.circuit.brake = 0;
    world.start().await;
    assert!(launched(&world, "free", "free", 1200).await.circuit.is_none());
    world.stop().await;
}
