//! Campaigns through the whole works: loaded, launched, merged, paused, cancelled, left.

use std::time::Duration;

use repute_engine::bulk::words::*;
use repute_engine::bulk::{CheckAddresses, Takes};
use repute_engine::control::Selector;
use repute_ledger::suppression::{Entry, Scope, Why};
use repute_spool::memory::Disk;
use repute_spool::{Hold, Holder, PartState, Spool};
use repute_types::Verdict::{Deferred, Delivered, Failed};
use repute_types::{EventKind, MessageId, Timestamp};

use crate::world::campaigns::*;
use crate::world::*;

#[tokio::test(start_paused = true)]
async fn each_recipient_gets_a_letter_of_their_own() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    let control = world.control();
    let id = control.begin(begin("autumn")).await.unwrap().id;
    let added = add(&world, id, 0, &[row("ann@b.test", "Ann"), row("bob@b.test", "Böb")]).await;
    assert_eq!((added.taken, added.next_row), (2, 2));
    pass(MINUTE).await;
    assert!(b.taken().is_empty(), "nothing is sent before the launch");
    let campaign = control.launch("autumn").await.unwrap();
    assert_eq!((campaign.state, campaign.taken), (State::Running, 2));
    pass(MINUTE).await;
    let mut taken = b.taken();
    taken.sort_by(|a, b| a.to.cmp(&b.to));
    assert_eq!(taken.len(), 2);
    let text = &taken[1].text;
    assert_eq!(taken[1].to, ["bob@b.test"]);
    assert_eq!(field(text, "To"), "=?utf-8?q?B=C3=B6b?= <bob@b.test>");
    assert_eq!(field(text, "Message-ID"), format!("<{id}.1@mail.example.com>"));
    assert_eq!(field(text, "List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    let token = token(text);
    let leave = format!(
        "<https://mail.example.com/unsubscribe/{token}>, <mailto:unsubscribe+{token}@back.news.example?subject=unsubscribe>"
    );
    assert_eq!(field(text, "List-Unsubscribe"), leave);
    assert_eq!(field(text, "Feedback-ID"), "autumn:news:bulk:news.example");
    assert_eq!(field(text, "List-Id"), "<weekly.news.example>");
    assert!(field(text, "CFBL-Address").ends_with("@back.news.example; report=arf"));
    let signature = field(text, "DKIM-Signature").replace([' ', '\t'], "");
    for signed in ["List-Unsubscribe:List-Unsubscribe", "List-Unsubscribe-Post", "Feedback-ID", "CFBL-Address"] {
        assert!(signature.contains(signed), "{signed} is not signed: {signature}");
    }
    assert!(text.contains("D=C3=B6b") || text.contains("B=C3=B6b,"));
    let Campaign { state, delivered, waiting, .. } = control.campaign("autumn").await.unwrap();
    assert_eq!((state, delivered, waiting), (State::Done, 2, 0));
    assert!(world.spool.is_empty(), "the letter goes with its last recipient");
}

/// Bulk mail goes after receipts and password resets; that was feared to hang on the account that sends it.
#[tokio::test(start_paused = true)]
async fn a_campaign_of_an_account_for_transactional_mail_is_bulk_mail_all_the_same() {
    let mut world = World::new().await;
    let _b = world.receiver("b.test", |_, _| "451 4.7.1 not now");
    let _c = world.receiver("c.test", |_, _| "451 4.7.1 not now");
    let letter = LETTER.replace("news@news.example", "shop@example.com");
    let begun = Begin { account: "shop".into(), letter, ..begin("autumn") };
    let id = world.control().begin(begun).await.unwrap().id;
    add(&world, id, 0, &[row("ann@b.test", "Ann")]).await;
    world.control().launch("autumn").await.unwrap();
    world.submit("shop@example.com", &["bob@c.test"]).await.unwrap();
    pass(MINUTE).await;
    for _ in 0..2 {
        let rows = world.control().list(&Selector::default(), 9).await.unwrap().rows;
        let streams: Vec<_> = rows.iter().map(|row| (row.domain.as_str(), row.stream)).collect();
        assert!(streams.contains(&("b.test", "bulk")), "{streams:?}");
        assert!(streams.contains(&("c.test", "transactional")), "{streams:?}");
        world.stop().await;
        world.start().await;
    }
}

/// The check of a list said that all was well, and then the launch was refused.
#[tokio::test(start_paused = true)]
async fn what_would_be_refused_is_known_before_anything_is_begun() {
    let mut world = World::new().await;
    let _b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    let control = world.control();
    control.may_begin(&begin("autumn")).await.unwrap();
    assert!(control.campaigns().await.unwrap().is_empty(), "nothing is kept of the question");
    launched(&world, "autumn", &["ann@b.test"]).await;
    let refused = control.may_begin(&begin("autumn")).await.unwrap_err().to_string();
    assert!(refused.contains("there is a campaign autumn already"), "{refused}");
    let no_author = Begin { letter: "Subject: x\n\nx {{ unsubscribe_url }}\n".into(), ..begin("winter") };
    let refused = control.may_begin(&no_author).await.unwrap_err().to_string();
    assert!(refused.contains("no From field"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_letter_is_the_same_at_every_attempt() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, times| if times == 1 { "451 4.7.1 greylisted" } else { "250 2.1.5 ok" });
    launched(&world, "autumn", &["ann@b.test"]).await;
    let at = world.control().campaign("autumn").await.unwrap().launched.unwrap();
    pass(HOUR).await;
    assert_eq!(world.verdicts("ann@b.test"), [(1, Deferred), (2, Delivered)]);
    assert_eq!(field(&b.taken()[0].text, "Date"), at.rfc5322());
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_row_is_told_and_the_rest_comes_in() {
    let world = World::with_ledger().await;
    let scope = Scope::of(Some("news"), Some("weekly"));
    let gone = Entry::new(address("gone@b.test"), scope, Why::Unsubscribed, Timestamp(1));
    world.suppressions.as_ref().unwrap().add(gone).await.unwrap();
    let id = world.control().begin(begin("autumn")).await.unwrap().id;
    let rows = [
        row("ann@b.test", "Ann"),
        row("ann@", "Ann"),
        row("Ann@B.test", "Ann"),
        row("bob@b.test", ""),
        row("gone@b.test", "Gone"),
        Row { email: "two@b.test".into(), values: vec!["a".into(), "b".into()] },
        row("carol@b.test", "Carol"),
    ];
    let added = add(&world, id, 0, &rows).await;
    use WhyNot::{Duplicate, Field, Suppressed, Syntax};
    assert_eq!(
        added.refused.iter().map(|r| (r.row, r.why)).collect::<Vec<_>>(),
        [(1, Syntax), (2, Duplicate), (3, Field), (4, Suppressed), (5, Field)]
    );
    assert!(added.refused[2].text.starts_with("the field \"name\" is empty"), "{}", added.refused[2].text);
    let Campaign { taken, refused, left_out, rows, .. } = world.control().campaign("autumn").await.unwrap();
    assert_eq!((taken, refused, left_out, rows), (2, 4, 1, 7));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_was_cut_off_is_gone_on_with() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    let id = world.control().begin(begin("autumn")).await.unwrap().id;
    let rows: Vec<Row> = ["a", "b", "c", "d"].map(|name| row(&format!("{name}@b.test"), name)).into();
    add(&world, id, 0, &rows[..2]).await;
    world.stop().await;
    world.start().await;
    let begun = world.control().begin(begin("autumn")).await.unwrap();
    assert_eq!((begun.id, begun.next_row), (id, 2));
    // The answer to the first batch was lost: it is sent again, with more.
    let added = add(&world, id, 0, &rows).await;
    assert_eq!((added.taken, added.next_row, added.refused.len()), (2, 4, 0));
    let again = add(&world, id, 4, &[row("a@b.test", "a")]).await;
    assert_eq!(again.refused[0].why, WhyNot::Duplicate, "also what came before the break");
    let gap = world.control().add(Add { id, first_row: 9, rows: rows.clone() }).await.unwrap_err();
    assert_eq!(gap.to_string(), "row 9 comes before row 5 that is awaited: go on from there");
    let other = Begin { letter: LETTER.replace("Dear", "Hi"), ..begin("autumn") };
    assert!(matches!(world.control().begin(other).await, Err(BulkError::Conflict(_))));
    world.control().launch("autumn").await.unwrap();
    pass(MINUTE).await;
    assert_eq!(b.taken().len(), 4);
    let text = world.control().begin(begin("autumn")).await.unwrap_err().to_string();
    assert_eq!(text, "there is a campaign autumn already: give this one another name");
}

#[tokio::test(start_paused = true)]
async fn a_paused_campaign_waits_over_a_restart_and_goes_on() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, times| if times == 1 { "451 4.7.1 later" } else { "250 2.1.5 ok" });
    launched(&world, "autumn", &["a@b.test", "b@b.test"]).await;
    pass(MINUTE).await;
    let campaign = world.control().pause("autumn", "too many bounces").await.unwrap();
    assert_eq!((campaign.state, campaign.reason.as_deref()), (State::Paused, Some("too many bounces")));
    assert_eq!(campaign.deferred, 2);
    pass(HOUR).await;
    assert!(b.taken().is_empty());
    let rows = world.control().list(&Selector::default(), 9).await.unwrap().rows;
    assert_eq!((rows[0].state, rows[0].reason.as_deref()), ("held", Some("its campaign is paused: too many bounces")));
    world.stop().await;
    world.start().await;
    pass(HOUR).await;
    assert!(b.taken().is_empty());
    world.control().resume("autumn").await.unwrap();
    pass(MINUTE).await;
    assert_eq!(b.taken().len(), 2);
    assert_eq!(world.control().campaign("autumn").await.unwrap().state, State::Done);
}

/// It was answered that it is being cancelled, or that it pauses, and a campaign that had gone to everybody was told as
/// cancelled.
#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_is_not_cancelled_paused_or_resumed_any_more() {
    let mut world = World::new().await;
    world.receiver("b.test", |_, _| "250 2.1.5 ok");
    launched(&world, "autumn", &["a@b.test"]).await;
    pass(MINUTE).await;
    // Paused, and then taken out of the queue by hand.
    let id = launched_to(&world, "spring", &people(2, "b.test")).await;
    world.control().pause("spring", "wait").await.unwrap();
    let all = Selector { ids: vec![id.to_string()], ..Selector::default() };
    assert_eq!(world.control().cancel(&all, "an operator").await.unwrap().now, 2);
    pass(MINUTE).await;
    for campaign in ["autumn", "spring"] {
        let control = world.control();
        let answers = [
            control.pause(campaign, "why").await,
            control.resume(campaign).await,
            control.cancel_campaign(campaign).await,
        ];
        for answer in answers {
            assert!(matches!(&answer, Err(BulkError::Conflict(why)) if why.contains("is done")), "{answer:?}");
        }
        assert_eq!(world.control().campaign(campaign).await.unwrap().state, State::Done);
    }
    assert!(world.cancelled().is_empty());
    launched(&world, "winter", &["a@b.test"]).await;
    assert_eq!(world.control().cancel_campaign("winter").await.unwrap().state, State::Cancelling);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_campaign_ends_with_its_counts() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |who, _| match who {
        "a@b.test" => "250 2.1.5 ok",
        "x@b.test" => "550 5.1.1 no such user",
        _ => "451 4.7.1 later",
    });
    launched(&world, "autumn", &["a@b.test", "b@b.test", "x@b.test", "c@b.test"]).await;
    pass(MINUTE).await;
    let campaign = world.control().cancel_campaign("autumn").await.unwrap();
    assert_eq!(campaign.state, State::Cancelling);
    pass(MINUTE).await;
    let campaign = world.control().campaign("autumn").await.unwrap();
    assert_eq!(campaign.state, State::Cancelled);
    assert_eq!((campaign.delivered, campaign.failed, campaign.cancelled, campaign.waiting), (1, 1, 2, 0));
    pass(DAY).await;
    assert_eq!(b.taken().len(), 1);
    assert_eq!(world.verdicts("b@b.test").last().unwrap(), &(0, Failed), "who was tried has an end");
    assert!(world.spool.is_empty(), "and no notice to the sender");
    // One that was never launched leaves nothing either.
    let id = world.control().begin(begin("winter")).await.unwrap().id;
    add(&world, id, 0, &[row("w@b.test", "W")]).await;
    world.control().cancel_campaign("winter").await.unwrap();
    pass(MINUTE).await;
    let campaign = world.control().campaign("winter").await.unwrap();
    assert_eq!((campaign.state, campaign.cancelled), (State::Cancelled, 1));
    assert!(world.spool.is_empty() && world.verdicts("w@b.test").is_empty());
    assert_eq!(world.cancelled(), [2], "what was never accepted is not told");
}

/// Addresses at a domain.
fn people(count: usize, domain: &str) -> Vec<String> {
    (0..count).map(|n| format!("p{n}@{domain}")).collect()
}

async fn launched_to(world: &World, campaign: &str, to: &[String]) -> MessageId {
    let id = world.control().begin(begin(campaign)).await.unwrap().id;
    for (n, some) in to.chunks(MOST_ROWS).enumerate() {
        let rows: Vec<Row> = some.iter().map(|email| row(email, "Ann")).collect();
        add(world, id, (n * MOST_ROWS) as u32, &rows).await;
    }
    world.control().launch(campaign).await.unwrap();
    id
}

#[tokio::test(start_paused = true)]
async fn from_the_answer_to_a_cancel_nothing_more_goes_out_and_nobody_who_was_not_tried_bounces() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    let id = launched_to(&world, "autumn", &people(600, "b.test")).await;
    // Looked at between any two steps: all 600 may go in one millisecond, and then nothing was cancelled at all.
    for turn in 1_u32.. {
        match b.taken().len() {
            0..100 if turn.is_multiple_of(500) => pass(Duration::from_millis(1)).await,
            0..100 => tokio::task::yield_now().await,
            _ => break,
        }
    }
    // As many as there are sessions may be under way.
    let (before, sessions) = (b.taken().len(), world.control().status().sessions as usize);
    let campaign = world.control().cancel_campaign("autumn").await.unwrap();
    assert_eq!(campaign.state, State::Cancelling);
    pass(MINUTE).await;
    let taken = b.taken().len();
    assert!(taken - before <= sessions, "{} came after the answer, by {sessions} sessions", taken - before);
    let campaign = world.control().campaign("autumn").await.unwrap();
    assert_eq!((campaign.state, campaign.waiting, campaign.failed), (State::Cancelled, 0, 0));
    assert_eq!((campaign.delivered as usize, campaign.cancelled as usize), (taken, 600 - taken));
    assert!(taken < 600, "some were still waiting");
    let settled = |kind: &EventKind| matches!(kind, EventKind::Settled(_));
    assert_eq!(world.count(settled), taken, "who was never tried has no event");
    assert_eq!(world.cancelled(), [(600 - taken) as u64]);
    assert!(world.spool.is_empty());
    assert_eq!(world.control().status().queued, 0);
    assert_eq!(world.spool.members(id), taken, "of who was never written to nothing is kept");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_goes_on_after_a_restart_and_nobody_is_counted_twice() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    let id = launched_to(&world, "autumn", &people(3_100, "b.test")).await;
    // In this world's time everything is sent in no time.
    world.control().pause("autumn", "wait").await.unwrap();
    pass(MINUTE).await;
    world.spool.set_disk(Disk::Slow(Duration::from_millis(100)));
    world.control().cancel_campaign("autumn").await.unwrap();
    // One block is on disk, the second is under way.
    pass(Duration::from_millis(150)).await;
    world.kill().await;
    let came = b.taken().len();
    world.start().await;
    let campaign = world.control().campaign("autumn").await.unwrap();
    assert_eq!(campaign.state, State::Cancelling);
    assert!(campaign.cancelled >= 1_000 && campaign.waiting > 1_000, "{campaign:?}");
    assert!(world.cancelled().is_empty(), "it is told at the end");
    let rows = world.control().list(&Selector::default(), 1).await.unwrap().rows;
    assert!(!matches!(rows[0].state, "sending" | "ready"), "{}", rows[0].state);
    pass(DAY).await;
    assert_eq!(b.taken().len(), came, "after the restart nobody is written to");
    let campaign = world.control().campaign("autumn").await.unwrap();
    assert_eq!((campaign.state, campaign.waiting, campaign.failed), (State::Cancelled, 0, 0));
    assert_eq!(campaign.delivered + campaign.cancelled, 3_100);
    assert!(campaign.delivered as usize <= came);
    assert_eq!(world.cancelled(), [campaign.cancelled]);
    assert!(world.spool.is_empty());
    assert!(world.spool.members(id) > 1_000, "before a crash somebody may have got it of whom nothing is known");
    world.stop().await;
    world.start().await;
    pass(MINUTE).await;
    assert_eq!(world.cancelled().len(), 1, "and once");
}

#[tokio::test(start_paused = true)]
async fn what_is_cancelled_while_a_session_is_opened_is_not_sent() {
    let mut world = World::new().await;
    let at = world.host("b.test");
    let id = launched_to(&world, "autumn", &people(3, "b.test")).await;
    pass(Duration::from_millis(10)).await;
    world.control().cancel_campaign("autumn").await.unwrap();
    world.hosts_again(1);
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    pass(DAY).await;
    assert!(b.taken().is_empty(), "{at}");
    let campaign = world.control().campaign("autumn").await.unwrap();
    assert_eq!((campaign.state, campaign.cancelled), (State::Cancelled, 3));
    assert!(world.spool.meta(id).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_bounce_is_counted_and_nobody_is_sent_a_notice() {
    let mut world = World::new().await;
    world.receiver("b.test", |_, _| "550 5.1.1 no such user");
    launched(&world, "autumn", &["a@b.test"]).await;
    pass(MINUTE).await;
    let campaign = world.control().campaign("autumn").await.unwrap();
    assert_eq!((campaign.failed, campaign.state), (1, State::Done));
    assert!(world.spool.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_is_suppressed_after_the_list_was_loaded_gets_nothing_and_is_counted_so() {
    let mut world = World::with_ledger().await;
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    let control = world.control();
    let id = control.begin(begin("autumn")).await.unwrap().id;
    add(&world, id, 0, &[row("ann@b.test", "Ann"), row("bob@b.test", "Bob")]).await;
    let entry = Entry::new(address("bob@b.test"), Scope::All, Why::Manual, Timestamp(0));
    control.suppress(vec![entry]).await.unwrap();
    control.launch("autumn").await.unwrap();
    pass(MINUTE).await;
    assert_eq!(b.taken().len(), 1);
    let campaign = control.campaign("autumn").await.unwrap();
    assert_eq!((campaign.state, campaign.delivered, campaign.suppressed, campaign.failed), (State::Done, 1, 1, 0));
    assert_eq!(world.suppressed(), [("bob@b.test".to_owned(), "manual")]);
}

#[tokio::test(start_paused = true)]
async fn a_click_leaves_the_list_long_after_the_letter_is_gone() {
    let mut world = World::with_ledger().await;
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    launched(&world, "autumn", &["ann@b.test"]).await;
    pass(MINUTE).await;
    let token = token(&b.taken()[0].text);
    pass(60 * DAY).await;
    let control = world.control();
    let leave = control.leave(&token).await.unwrap();
    assert_eq!((leave.address.to_string().as_str(), leave.list.as_deref()), ("ann@b.test", Some("weekly")));
    let list = world.suppressions.clone().unwrap();
    assert!(list.is_empty(), "looking changes nothing");
    for before in [None, Some(LeaveScope::List)] {
        let leave = control.unsubscribe(&token.to_uppercase(), LeaveScope::List).await.unwrap();
        assert_eq!(leave.left, before);
    }
    let now = repute_types::Clock::now(&world.clock);
    let found = list.find(Some("news"), Some("weekly"), &address("ann@b.test"), now).unwrap().unwrap();
    assert_eq!((found.why, found.scope), (Why::Unsubscribed, Scope::of(Some("news"), Some("weekly"))));
    assert!(list.find(Some("news"), Some("other"), &address("ann@b.test"), now).unwrap().is_none());
    let left = world.count(|kind| matches!(kind, EventKind::CameBack { .. }));
    assert_eq!(left, 1, "twice is once");
    control.unsubscribe(&token, LeaveScope::Everything).await.unwrap();
    let again = control.unsubscribe(&token, LeaveScope::List).await.unwrap();
    assert_eq!((again.left, list.len()), (Some(LeaveScope::Everything), 2), "everything holds the list");
    assert!(list.find(Some("news"), Some("other"), &address("ann@b.test"), now).unwrap().is_some());
    for forged in ["", "x", &token[1..], &format!("{token}0")] {
        assert!(matches!(control.unsubscribe(forged, LeaveScope::List).await, Err(BulkError::NoSuchToken)), "{forged}");
    }
    pass(40 * DAY).await;
    assert!(matches!(control.leave(&token).await, Err(BulkError::NoSuchToken)), "not for ever");
}

#[tokio::test(start_paused = true)]
async fn bulk_mail_by_smtp_gets_the_fields_that_it_lacks() {
    let mut world = World::with_ledger().await;
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    let text = "From: news@news.example\r\nTo: ann@b.test\r\nSubject: hi\r\n\r\nhi\r\n";
    world.submit_as(news(), "news@news.example", &["ann@b.test"], text).await.unwrap();
    let own = format!("List-Unsubscribe: <https://own.example/>\r\n{text}");
    world.submit_as(news(), "news@news.example", &["bob@b.test"], &own).await.unwrap();
    world.submit_as(news(), "news@news.example", &["c@b.test", "d@b.test"], text).await.unwrap();
    world.submit_text("shop@example.com", &["shop@b.test"], "From: shop@example.com\r\n\r\nhi\r\n").await.unwrap();
    pass(MINUTE).await;
    let of = |to: &str| b.taken().into_iter().find(|taken| taken.to.contains(&to.to_owned())).unwrap().text;
    assert_eq!(field(&of("ann@b.test"), "List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    assert_eq!(field(&of("bob@b.test"), "List-Unsubscribe"), "<https://own.example/>");
    assert_eq!(field(&of("c@b.test"), "List-Unsubscribe"), "", "one token cannot be two people's");
    assert_eq!(field(&of("shop@b.test"), "List-Unsubscribe"), "");
    let leave = world.control().unsubscribe(&token(&of("ann@b.test")), LeaveScope::List).await.unwrap();
    assert_eq!((leave.address.to_string().as_str(), leave.account.as_deref()), ("ann@b.test", Some("news")));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_begun_says_why() {
    let world = World::new().await;
    let check = async |begin: Begin, expect: &str| {
        assert_eq!(world.control().begin(begin).await.unwrap_err().to_string(), expect);
    };
    check(
        Begin { campaign: "a b".into(), ..begin("x") },
        "\"a b\" cannot be a name: up to 64 letters, digits, `.`, `_` and `-`",
    )
    .await;
    let unreachable = "\"..\" cannot be the name of a campaign: over HTTP nobody could reach it";
    check(Begin { campaign: "..".into(), ..begin("x") }, unreachable).await;
    check(Begin { account: "nobody".into(), ..begin("x") }, "there is no [[account]] \"nobody\"").await;
    check(
        Begin { letter: LETTER.replace("news.example", "example.com"), ..begin("x") },
        "account news may not send as example.com (From): add \"example.com\" to the domains of [[account]] \"news\"",
    )
    .await;
    check(
        Begin { fields: vec!["nam".into()], ..begin("x") },
        "the body (text) uses the field \"name\", which the list does not have: is it \"nam\"?",
    )
    .await;
    world.control().begin(begin("empty")).await.unwrap();
    let text = world.control().launch("empty").await.unwrap_err().to_string();
    assert_eq!(text, "the campaign empty has no recipients: add some first");
    let text = world.control().campaign("nix").await.unwrap_err().to_string();
    assert_eq!(text, "there is no campaign \"nix\": `repute bulk list` shows those that are known");
}

#[tokio::test(start_paused = true)]
async fn addresses_and_domains_can_be_checked_before() {
    let mut world = World::new().await;
    world.host("b.test");
    world.silence("quiet.test");
    let emails = ["ann@b.test", "ann", "noreply@b.test"].map(str::to_owned).to_vec();
    let refused =
        world.control().check_addresses(&CheckAddresses { account: "news".into(), list: None, emails }).unwrap();
    let refused: Vec<_> = refused.iter().map(|r| (r.row, r.why)).collect();
    assert_eq!(refused, [(1, WhyNot::Syntax), (2, WhyNot::Role)]);
    let domains = ["b.test", "no.test", "quiet.test"].map(domain).to_vec();
    let takes: Vec<_> = world.control().check_domains(domains).await.unwrap().into_iter().map(|d| d.takes).collect();
    assert_eq!(takes, [Takes::Mail, Takes::Nothing, Takes::Unknown]);
    let previews = world.control().preview(&begin("x"), &[row("ann@b.test", "Ann")]).await.unwrap();
    assert_eq!(field(&previews[0].message, "Subject"), "Hello Ann");
    assert!(previews[0].message.starts_with("DKIM-Signature:") && world.spool.is_empty());
    let missing = world.control().preview(&begin("x"), &[row("ann@b.test", "")]).await.unwrap_err().to_string();
    assert!(missing.starts_with("row 0 (the first is 0), ann@b.test: the field \"name\" is empty"), "{missing}");
}

#[tokio::test(start_paused = true)]
async fn an_operators_word_on_a_part_counts_in_a_campaign_too() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, _| "451 4.7.1 later");
    let id = launched(&world, "autumn", &["a@b.test", "b@b.test"]).await;
    pass(MINUTE).await;
    let only = |recipient: &str| Selector { recipient: Some(address(recipient)), ..Selector::default() };
    world.control().hold(&only("a@b.test"), "by hand").await.unwrap();
    world.control().pause("autumn", "wait").await.unwrap();
    world.control().resume("autumn").await.unwrap();
    let asked = b.taken().len();
    pass(HOUR).await;
    assert_eq!(asked, 0);
    let part = world.spool.part(repute_types::PartId { message: id, number: 0 }).await.unwrap();
    let by_hand = Hold::new(Holder::Operator, "by hand");
    assert_eq!(part.state, PartState::Held(by_hand), "resuming lets go what was paused alone");
    assert_eq!(world.verdicts("a@b.test").len(), 1);
    assert!(world.verdicts("b@b.test").len() > 2);
    world.control().cancel(&only("b@b.test"), "the operator").await.unwrap();
    assert_eq!(world.control().campaign("autumn").await.unwrap().cancelled, 1);
}
