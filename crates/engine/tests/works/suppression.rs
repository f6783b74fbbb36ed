//! Who is suppressed by what a receiver says, what becomes of mail to them, and what does not
//! suppress. In simulated time.

use repute_engine::control::Selector;
use repute_ledger::suppression::{Entry, Query, Scope, Selection, Why};
use repute_types::{Clock as _, Recipient, Verdict};

use crate::world::{DAY, HOUR, MINUTE, World, address, pass, shop};

async fn listed(world: &World) -> Vec<(String, Scope, Why)> {
    let list = world.control().suppressions(Query { limit: 100, ..Query::default() }).await.unwrap();
    list.entries.into_iter().map(|e| (e.address.to_string(), e.scope, e.why)).collect()
}

async fn suppress(world: &World, to: &str, scope: Scope, why: Why) {
    let entry = Entry::new(address(to), scope, why, world.clock.now());
    world.control().suppress(vec![entry]).await.unwrap();
}

fn may_send_to(world: &World, to: &str) -> Result<(), String> {
    world.door().may_send_to(&shop(), &Recipient::to(address(to)), None).map_err(|reply| reply.to_string())
}

/// Anybody can put an address on a list that holds what a shell would run, and the sentence about it names a command.
#[tokio::test(start_paused = true)]
async fn a_command_that_is_copied_runs_nothing_of_an_address() {
    let mut world = World::with_ledger().await;
    world.receiver("a.test", |_, _| "550 5.1.1 no such user here");
    world.submit("me@example.com", &["`reboot`@a.test"]).await.unwrap();
    pass(MINUTE).await;
    let refused = may_send_to(&world, "`reboot`@a.test").unwrap_err();
    assert!(refused.ends_with("; to send again: repute suppression release '`reboot`@a.test'"), "{refused}");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_address_that_its_receiver_does_not_know_is_not_written_to_again() {
    let mut world = World::with_ledger().await;
    let there = world.receiver("a.test", |to, _| match to {
        "gone@a.test" => "550 5.1.1 no such user here",
        _ => "250 2.1.5 ok",
    });
    world.submit("me@example.com", &["gone@a.test", "ann@a.test"]).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(listed(&world).await, [("gone@a.test".into(), Scope::All, Why::Unknown)]);
    let refused = may_send_to(&world, "Gone@a.test").unwrap_err();
    assert!(refused.starts_with("550 5.1.1 mail to gone@a.test is suppressed"), "{refused}");
    assert!(refused.contains("no such user here") && refused.contains("repute suppression release"), "{refused}");
    let refused = world.submit("me@example.com", &["gone@a.test"]).await.unwrap_err();
    assert_eq!(refused.code, 550);
    // The rest of a message goes.
    world.submit("me@example.com", &["GONE@a.test", "ben@a.test"]).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(world.suppressed(), [("GONE@a.test".to_owned(), "unknown")]);
    let to: Vec<_> = there.taken().into_iter().flat_map(|taken| taken.to).collect();
    assert_eq!(to, ["ann@a.test", "ben@a.test"]);
    // After a restart as well, until a person says otherwise.
    world.stop().await;
    world.start().await;
    may_send_to(&world, "gone@a.test").unwrap_err();
    let gone = Selection { address: Some(address("gone@a.test")), ..Selection::default() };
    assert_eq!(world.control().release_suppressed(gone, false).await.unwrap().entries, 1);
    may_send_to(&world, "gone@a.test").unwrap();
    world.control().release_suppressed(Selection::default(), false).await.unwrap_err();
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn only_a_permanent_fault_of_the_recipients_own_suppresses() {
    let mut world = World::with_ledger().await;
    world.receiver("a.test", |to, _| match to.split('@').next().unwrap_or_default() {
        "ptr" => "550 5.7.25 The IP address sending this message does not have a PTR record setup",
        "spam" => "550 5.7.1 message rejected as spam",
        "listed" => "554 5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org",
        "dmarc" => "550 5.7.26 unauthenticated email from example.com is not accepted due to domain's DMARC policy",
        "full" => "552 5.2.2 mailbox full",
        "notnow" => "450 4.1.1 no such user",
        "odd" => "550 no",
        "closed" => "550 5.2.1 The email account that you tried to reach is disabled",
        _ => "250 2.1.5 ok",
    });
    for who in ["ptr", "spam", "listed", "dmarc", "full", "notnow", "odd", "closed"] {
        world.submit("me@example.com", &[&format!("{who}@a.test")]).await.unwrap();
    }
    pass(HOUR).await;
    assert_eq!(listed(&world).await, [("closed@a.test".into(), Scope::All, Why::Unknown)]);
    // A closed mailbox may be opened again.
    may_send_to(&world, "closed@a.test").unwrap_err();
    pass(91 * DAY).await;
    may_send_to(&world, "closed@a.test").unwrap();
    assert!(world.suppressions.as_ref().unwrap().is_empty(), "what is over is forgotten");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_complains_while_a_message_waits_does_not_get_it() {
    let mut world = World::with_ledger().await;
    let there = world.receiver("a.test", |_, times| if times < 2 { "451 4.7.1 greylisted" } else { "250 2.1.5 ok" });
    let home = world.receiver("example.com", |_, _| "250 2.1.5 ok");
    world.submit("me@example.com", &["ann@a.test", "ben@a.test"]).await.unwrap();
    pass(MINUTE).await;
    suppress(&world, "ann@a.test", Scope::of(Some("shop"), None), Why::Complaint).await;
    suppress(&world, "ben@a.test", Scope::of(Some("other"), None), Why::Complaint).await;
    pass(HOUR).await;
    assert_eq!(there.taken().into_iter().map(|taken| taken.to).collect::<Vec<_>>(), [vec!["ben@a.test".to_owned()]]);
    assert_eq!(world.verdicts("ann@a.test"), [(1, Verdict::Deferred)], "nothing more was tried, so nothing bounced");
    assert_eq!(world.suppressed(), [("ann@a.test".to_owned(), "complaint")]);
    assert!(home.taken()[0].text.contains("has called mail from here spam"), "its sender is told");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_part_whose_recipients_are_all_suppressed_makes_no_session() {
    let mut world = World::with_ledger().await;
    let there = world.receiver("a.test", |_, _| "250 2.1.5 ok");
    world.receiver("b.test", |_, _| "451 4.7.1 greylisted");
    world.submit("me@example.com", &["ann@b.test"]).await.unwrap();
    pass(MINUTE).await;
    world.control().hold(&Selector { all: true, ..Selector::default() }, "wait").await.unwrap();
    world.submit("me@example.com", &["ben@a.test"]).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(*there.sessions.lock().unwrap(), 1);
    suppress(&world, "ann@b.test", Scope::All, Why::Manual).await;
    world.control().release(&Selector { all: true, ..Selector::default() }).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(world.verdicts("ann@b.test"), [(1, Verdict::Deferred)]);
    assert_eq!(world.suppressed(), [("ann@b.test".to_owned(), "manual")]);
    assert_eq!(world.control().status().queued, 0);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_suppressed_before_the_first_attempt_is_told_by_that_word_alone() {
    let mut world = World::with_ledger().await;
    let there = world.receiver("a.test", |_, _| "250 2.1.5 ok");
    let home = world.receiver("example.com", |_, _| "250 2.1.5 ok");
    let later = world.clock.now() + HOUR;
    let id = world.submit_at("me@example.com", &["ann@a.test", "ben@a.test"], later).await.unwrap();
    suppress(&world, "ann@a.test", Scope::of(Some("shop"), None), Why::Complaint).await;
    pass(2 * HOUR).await;
    let to: Vec<_> = there.taken().into_iter().flat_map(|taken| taken.to).collect();
    assert_eq!(to, ["ben@a.test"]);
    assert_eq!((world.verdicts("ann@a.test"), world.suppressed().len()), (vec![], 1));
    let steps = world.control().why(&id.to_string(), 100).await.unwrap().steps;
    let of_ann: Vec<_> = steps.iter().map(ToString::to_string).filter(|step| step.contains("ann@a.test")).collect();
    assert_eq!(of_ann.len(), 2, "accepted and suppressed: {of_ann:?}");
    assert!(of_ann[1].contains("suppressed ann@a.test"), "{of_ann:?}");
    assert!(home.taken()[0].text.contains("has called mail from here spam"), "its sender is told as of any failure");
    world.stop().await;
}
