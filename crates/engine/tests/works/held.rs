//! A start after which nothing that waited before goes by itself.

use std::time::Duration;

use repute_engine::Begin;
use repute_engine::control::Selector;
use repute_spool::{Hold, Holder, PartState, Spool};
use repute_types::Verdict::Delivered;

use crate::world::campaigns::launched;
use crate::world::*;

const HOUR: Duration = Duration::from_secs(3600);

fn all() -> Selector {
    Selector { all: true, ..Selector::default() }
}

/// After a back-up was put back, all that had been delivered since it was made went again.
#[tokio::test(start_paused = true)]
async fn what_waited_before_a_start_is_held_and_new_mail_goes() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, times| if times == 1 { "451 4.3.0 later" } else { "250 2.1.5 ok" });
    for to in ["x@b.test", "y@b.test", "z@b.test"] {
        world.submit("shop@example.com", &[to]).await.unwrap();
    }
    let selector = Selector { recipient: Some(address("z@b.test")), ..Selector::default() };
    pass(Duration::from_secs(20)).await;
    world.control().hold(&selector, "by hand").await.unwrap();
    world.stop().await;
    world.begin = Begin::Held;
    world.start().await;
    let states: Vec<_> = world.spool.scan(None, 10).await.unwrap().into_iter().map(|(_, part)| part.state).collect();
    let held = |state: &&PartState| matches!(state, PartState::Held(hold) if hold.by == Holder::Start);
    assert_eq!(states.iter().filter(held).count(), 2, "on disk before anything else is done: {states:?}");
    assert!(states.contains(&PartState::Held(Hold::new(Holder::Operator, "by hand"))), "{states:?}");
    pass(10 * HOUR).await;
    assert_eq!(b.taken().len(), 0);
    // What comes afterwards goes as ever.
    world.submit("shop@example.com", &["new@b.test"]).await.unwrap();
    pass(HOUR).await;
    assert_eq!(world.verdicts("new@b.test").last().map(|(_, verdict)| *verdict), Some(Delivered));
    let rows = world.control().list(&all(), 10).await.unwrap().rows;
    assert!(rows.iter().all(|row| row.state == "held") && rows.len() == 3, "{rows:?}");
    // The operator looks, takes one out and lets the others go.
    let arrived = Selector { recipient: Some(address("x@b.test")), ..Selector::default() };
    assert_eq!(world.control().cancel(&arrived, "the operator").await.unwrap().now, 1);
    assert_eq!(world.control().release(&all()).await.unwrap().now, 2);
    pass(HOUR).await;
    let to: Vec<_> = b.taken().into_iter().flat_map(|taken| taken.to).collect();
    assert_eq!(to, ["new@b.test", "y@b.test", "z@b.test"]);
    assert!(world.spool.is_empty());
    world.stop().await;
}

/// A copy from a week ago would have told every sender of a failure that was none.
#[tokio::test(start_paused = true)]
async fn what_expired_since_the_copy_was_made_is_kept_for_a_look() {
    let mut world = World::new().await;
    world.receiver("b.test", |_, _| "451 4.3.0 later");
    world.expire = Some(2 * HOUR);
    world.stop().await;
    world.start().await;
    world.submit("shop@example.com", &["x@b.test"]).await.unwrap();
    pass(HOUR).await;
    world.stop().await;
    pass(100 * HOUR).await;
    world.begin = Begin::Held;
    world.start().await;
    pass(23 * HOUR).await;
    assert_eq!(world.control().list(&all(), 10).await.unwrap().rows.len(), 1, "nobody has been told anything");
    assert_eq!(world.control().cancel(&all(), "the operator").await.unwrap().now, 1);
    assert!(world.spool.is_empty());
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_campaign_that_ran_is_paused_at_such_a_start() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, times| if times == 1 { "451 4.3.0 later" } else { "250 2.1.5 ok" });
    launched(&world, "june", &["x@b.test", "y@b.test"]).await;
    pass(Duration::from_secs(20)).await;
    world.stop().await;
    world.begin = Begin::Held;
    world.start().await;
    pass(10 * HOUR).await;
    assert_eq!(b.taken().len(), 0);
    let rows = world.control().list(&all(), 10).await.unwrap().rows;
    assert!(rows.iter().all(|row| row.state == "held" && row.reason.as_ref().is_some_and(|r| r.contains("--held"))));
    world.control().resume("june").await.unwrap();
    pass(HOUR).await;
    assert_eq!(b.taken().len(), 2);
    world.stop().await;
}
