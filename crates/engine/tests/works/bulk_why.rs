//! What is told of a campaign and its recipients.

use repute_ledger::{Step, StepKind};
use repute_types::{EventKind, event};

use crate::world::campaigns::*;
use crate::world::*;

#[tokio::test(start_paused = true)]
async fn why_an_address_knows_of_campaigns() {
    let mut world = World::with_ledger().await;
    world.receiver("b.test", |who, _| if who == "slow@b.test" { "451 4.7.1 later" } else { "250 2.1.5 ok" });
    let id = launched(&world, "autumn", &["ann@b.test", "slow@b.test"]).await;
    let other = world.control().begin(begin("winter")).await.unwrap().id;
    add(&world, other, 0, &[row("ann@b.test", "Ann")]).await;
    pass(MINUTE).await;
    let said = async |about: &str| {
        let why = world.control().why(about, 50).await.unwrap();
        let steps: Vec<_> = why.steps.iter().map(|step| (step.message.unwrap(), step.kind.to_string())).collect();
        (steps, why.queued.iter().map(|row| (row.id, row.state)).collect::<Vec<_>>())
    };
    let (steps, queued) = said("ann@b.test").await;
    assert_eq!(steps.len(), 2, "{steps:?}");
    assert!(
        steps[0].1.contains("for the 2 of a campaign") && steps[1].1.starts_with("delivered ann@b.test"),
        "{steps:?}"
    );
    assert_eq!(queued, [(other, "held")], "who was not written to yet is found in the queue");
    world.control().cancel_campaign("autumn").await.unwrap();
    pass(MINUTE).await;
    let (steps, queued) = said("slow@b.test").await;
    assert!(steps.iter().all(|(of, _)| *of == id) && queued.is_empty());
    assert!(steps.last().unwrap().1.contains("its campaign was cancelled"), "{steps:?}");
    let (steps, _) = said(&id.to_string()).await;
    assert_eq!(steps.last().unwrap().1, "cancelled: 1 of its list get nothing");
}

/// The history loses its last moments in a crash, the launch among them: what had been sent to whom was then nobody's,
/// and the account that sent it was told of none.
#[tokio::test(start_paused = true)]
async fn a_launch_that_the_history_lost_is_remembered_by_the_spool() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, attempt| if attempt == 1 { "451 4.7.1 not now" } else { "250 2.1.5 ok" });
    let id = launched(&world, "autumn", &["ann@b.test", "bob@b.test"]).await;
    pass(MINUTE).await;
    world.stop().await;
    world.state = Some(repute_testkit::State::new());
    world.start().await;
    pass(10 * MINUTE).await;
    assert_eq!(b.taken().len(), 2);
    for about in ["ann@b.test", &id.to_string()] {
        let why = world.control().why_for(Some("news"), about, 50).await.unwrap();
        let StepKind::Accepted { account, recipient_count, .. } = &why.steps[0].kind else { panic!("{:?}", why.steps) };
        assert_eq!((account.as_deref(), *recipient_count), (Some("news"), Some(2)));
        assert_eq!(why.steps[0].kind.to_string(), "accepted for the 2 of a campaign, account news");
        let delivered =
            |step: &&Step| matches!(&step.kind, StepKind::Settled(settled) if settled.verdict == "delivered");
        assert!(why.steps.iter().any(|step| delivered(&step)), "{:?}", why.steps);
        let others = world.control().why_for(Some("shop"), about, 50).await.unwrap();
        assert!(others.steps.is_empty() && others.queued.is_empty(), "{:?}", others.steps);
    }
}

#[tokio::test(start_paused = true)]
async fn accepted_says_how_many_a_campaign_goes_to() {
    let mut world = World::new().await;
    world.receiver("b.test", |_, _| "250 2.1.5 ok");
    launched(&world, "autumn", &["a@b.test", "b@b.test", "c@b.test"]).await;
    let is_it = |kind: &EventKind| matches!(kind, EventKind::Accepted(event::Accepted { recipient_count: 3, .. }));
    assert_eq!(world.count(is_it), 1);
}
