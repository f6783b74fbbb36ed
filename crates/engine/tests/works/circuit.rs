//! An account whose mail does harm is stopped, others are not; a person goes on or cancels; a restart
//! changes nothing. In simulated time.

use repute_engine::control::Selector;

use crate::world::{DAY, HOUR, MINUTE, Receiver, World, pass};

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
    world.control().continue_circuit("nobody", "ann").await.unwrap_err();
    assert_eq!(world.control().continue_circuit("shop", "ann").await.unwrap().now, 2);
    pass(MINUTE).await;
    assert_eq!((held(&world).await, there.taken().len()), (0, 2));
    assert_eq!(world.incidents().pop().unwrap().0, "closed");
    assert_eq!(world.control().circuits().open.len(), 0);
    world.stop().await;
}

/// Eleven of a good list of hundreds were too much: those whom their servers had put off were not counted yet.
#[tokio::test(start_paused = true)]
async fn who_is_greylisted_counts_among_those_who_were_written_to_and_counts_once() {
    let mut world = World::with_ledger().await;
    world.receiver("a.test", |to, times| match (to.starts_with("gone"), times) {
        (true, _) => "550 5.1.1 no such user here",
        (false, 1..=2) => "451 4.7.1 greylisted",
        (false, _) => "250 2.1.5 ok",
    });
    for letter in 0..12 {
        let here = (0..30).map(|n| format!("here{letter}-{n}@a.test"));
        let to: Vec<String> = here.chain([format!("gone-{letter}@a.test")]).collect();
        world.submit("me@example.com", &to.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
        pass(MINUTE).await;
    }
    pass(HOUR).await;
    assert_eq!(world.incidents(), [], "12 of 372");
    send_to_nobody(&world, 0).await;
    let opened = world.incidents().pop().unwrap();
    assert!(opened.3.starts_with("19 of 379 recipients do not exist"), "{opened:?}");
    world.stop().await;
}

/// Who held a part was read from its reason: one that an operator gave and that read like a circuit's was let go with it.
#[tokio::test(start_paused = true)]
async fn what_an_operator_holds_stays_held_whatever_its_reason_when_a_circuit_is_closed() {
    let mut world = World::with_ledger().await;
    world.receiver("a.test", |to, _| match to.starts_with("gone") {
        true => "550 5.1.1 no such user here",
        false => "451 4.3.0 later",
    });
    world.submit("me@example.com", &["ann@a.test"]).await.unwrap();
    pass(MINUTE).await;
    let anns = Selector { recipient: Some(repute_types::Address::parse("ann@a.test").unwrap()), ..Selector::default() };
    let reason = "the circuit of account shop is open: so it stays until Monday";
    assert_eq!(world.control().hold(&anns, reason).await.unwrap().now, 1);
    send_to_nobody(&world, 0).await;
    world.submit("me@example.com", &["ben@a.test"]).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(held(&world).await, 2);
    assert_eq!(world.control().continue_circuit("shop", "ann").await.unwrap().now, 1);
    pass(MINUTE).await;
    assert_eq!(held(&world).await, 1);
    assert_eq!(world.control().release(&anns).await.unwrap().now, 1);
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
    assert_eq!(world.control().cancel_circuit("shop", "ann").await.unwrap().now, 1);
    world.submit("me@example.com", &["ben@a.test"]).await.unwrap();
    pass(MINUTE).await;
    let to: Vec<_> = there.taken().into_iter().flat_map(|taken| taken.to).collect();
    assert_eq!(to, ["ben@a.test"], "ann's was cancelled, and the circuit is closed");
    world.stop().await;
}

/// Whoever let go what the circuit held had read the part as one that waits, and passed it over; it was written as held a moment
/// later, and nothing let it go any more.
#[tokio::test(start_paused = true)]
async fn what_a_circuit_holds_in_the_moment_in_which_it_closes_goes() {
    let mut world = World::new().await;
    let there = world.receiver("a.test", |to, _| match to.starts_with("gone") {
        true => "550 5.1.1 no such user here",
        false => "250 2.1.5 ok",
    });
    send_to_nobody(&world, 0).await;
    assert_eq!(world.control().circuits().open.len(), 1);
    let control = world.control();
    world.events.when_held(move || {
        let mut closing = Box::pin(async move { control.continue_circuit("shop", "ann").await });
        // It is closed, and read what is held, before this returns.
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(closing.as_mut().poll(&mut context).is_pending());
        tokio::spawn(closing);
    });
    world.submit("me@example.com", &["ann@a.test"]).await.unwrap();
    pass(MINUTE).await;
    assert_eq!((world.control().circuits().open.len(), held(&world).await, there.taken().len()), (0, 0, 1));
    world.stop().await;
}

/// It was held, and nothing let it go or took it out any more.
#[tokio::test(start_paused = true)]
async fn what_comes_in_while_a_circuits_mail_is_taken_out_is_taken_out_too() {
    let mut world = World::new().await;
    let there = world.receiver("a.test", |_, _| "550 5.1.1 no such user here");
    send_to_nobody(&world, 0).await;
    let sent = there.taken().len();
    world.submit("me@example.com", &["ann@a.test"]).await.unwrap();
    pass(MINUTE).await;
    world.spool.scan_late(Some(MINUTE));
    let control = world.control();
    let cancelling = tokio::spawn(async move { control.cancel_circuit("shop", "ann").await });
    tokio::task::yield_now().await;
    world.submit("me@example.com", &["ben@a.test"]).await.unwrap();
    assert_eq!(cancelling.await.unwrap().unwrap().now, 2);
    world.spool.scan_late(None);
    assert_eq!((world.control().circuits().open.len(), held(&world).await, there.taken().len()), (0, 0, sent));
    assert!(world.spool.is_empty());
    world.stop().await;
}

/// A month in which the shop writes to six customers a day, half of whom it knows.
async fn a_month_of_habit(world: &World) {
    for day in 0..30 {
        for n in 0..3 {
            let (old, new) = (format!("old{n}@a.test"), format!("new{day}-{n}@a.test"));
            world.submit("me@example.com", &[&old, &new]).await.unwrap();
            pass(HOUR).await;
        }
        pass(DAY - 3 * HOUR).await;
    }
}

/// A message a second, each to so many people the shop never wrote to.
async fn write_to_strangers(world: &World, who: &str, messages: usize, each: usize) {
    for n in 0..messages {
        let to: Vec<String> = (0..each).map(|m| format!("{who}{n}-{m}@a.test")).collect();
        world.submit("me@example.com", &to.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
        pass(std::time::Duration::from_secs(1)).await;
    }
}

fn to_strangers(there: &Receiver, who: &str) -> usize {
    there.taken().into_iter().flat_map(|taken| taken.to).filter(|to| to.starts_with(who)).count()
}

#[tokio::test(start_paused = true)]
async fn a_stolen_password_is_stopped_in_the_night_and_the_address_keeps_its_name() {
    let mut world = World::with_ledger().await;
    let there = world.receiver("a.test", |_, _| "250 2.1.5 ok");
    a_month_of_habit(&world).await;
    assert_eq!(world.incidents().len(), 0);
    // What was learnt is known after a restart, too.
    world.stop().await;
    world.start().await;
    pass(15 * HOUR).await;
    write_to_strangers(&world, "victim", 400, 1).await;
    pass(MINUTE).await;
    let incidents = world.incidents();
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    let (state, what, subject, text) = &incidents[0];
    assert_eq!((*state, what.as_str(), subject.as_str()), ("opened", "circuit.strangers", "account shop"));
    let begins = "301 recipients within one hour to whom it never wrote before; its habit is ";
    assert!(text.starts_with(begins), "{text}");
    let out = to_strangers(&there, "victim");
    assert!((290..=301).contains(&out), "{out} got out");
    assert_eq!(held(&world).await, 400 - out);

    // The owner is told, changes the password and throws away what is left. The next thief comes as far, no farther.
    let cancelled = world.control().cancel_circuit("shop", "ann").await.unwrap().now;
    assert_eq!(cancelled, 400 - out);
    assert_eq!(world.incidents().pop().unwrap().0, "closed");
    write_to_strangers(&world, "other", 40, 10).await;
    pass(MINUTE).await;
    assert!((290..=301).contains(&to_strangers(&there, "other")));
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_meant_goes_on_and_is_not_asked_again_at_the_next_issue() {
    let mut world = World::with_ledger().await;
    let there = world.receiver("a.test", |_, _| "250 2.1.5 ok");
    a_month_of_habit(&world).await;
    // One message to many at once leaves to none of them.
    let club: Vec<String> = (0..400).map(|n| format!("member{n}@a.test")).collect();
    let club: Vec<&str> = club.iter().map(String::as_str).collect();
    world.submit("me@example.com", &club).await.unwrap();
    pass(MINUTE).await;
    assert_eq!((to_strangers(&there, "member"), world.control().circuits().open.len()), (0, 1));
    world.control().continue_circuit("shop", "ann").await.unwrap();
    pass(HOUR).await;
    assert_eq!(to_strangers(&there, "member"), 400);
    // The rest of it on the same day.
    write_to_strangers(&world, "guest", 50, 10).await;
    pass(DAY).await;
    assert_eq!(to_strangers(&there, "guest"), 500);
    // And next week to all, with a few hundred more.
    world.submit("me@example.com", &club).await.unwrap();
    write_to_strangers(&world, "more", 35, 10).await;
    pass(HOUR).await;
    assert_eq!((to_strangers(&there, "member"), to_strangers(&there, "more")), (800, 350));
    assert_eq!(world.control().circuits().open.len(), 0);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_announced_is_not_held_and_colleagues_are_no_strangers() {
    let mut world = World::with_ledger().await;
    let there = world.receiver("a.test", |_, _| "250 2.1.5 ok");
    let here = world.receiver("example.com", |_, _| "250 2.1.5 ok");
    a_month_of_habit(&world).await;
    let staff: Vec<String> = (0..400).map(|n| format!("staff{n}@example.com")).collect();
    world.submit("me@example.com", &staff.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    let expected = world.control().expect_much("shop", 2 * DAY).await.unwrap().accounts;
    assert!(expected[0].until.is_some() && !expected[0].new, "{expected:?}");
    write_to_strangers(&world, "guest", 40, 10).await;
    pass(HOUR).await;
    assert_eq!((to_strangers(&there, "guest"), to_strangers(&here, "staff")), (400, 400));
    world.control().expect_much("nobody", DAY).await.unwrap_err();
    world.stop().await;
}

/// A crash between a person's word and the parts: the circuit is closed on disk, and its parts are held.
#[tokio::test(start_paused = true)]
async fn what_a_closed_circuit_held_goes_at_the_next_start() {
    let mut world = World::with_ledger().await;
    let there = world.receiver("a.test", |to, _| match to.starts_with("gone") {
        true => "550 5.1.1 no such user here",
        false => "250 2.1.5 ok",
    });
    send_to_nobody(&world, 0).await;
    world.submit("me@example.com", &["ann@a.test"]).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(held(&world).await, 1);
    world.stop().await;
    world.circuits.as_ref().unwrap().save(Vec::new(), Vec::new(), repute_types::Timestamp(0)).await.unwrap();
    world.start().await;
    pass(MINUTE).await;
    assert_eq!((held(&world).await, there.taken().len()), (0, 1));
    world.stop().await;
}
