//! A message's path through the works: in, out, again, back, held. Days pass in a moment.

use std::time::Duration;

use repute_engine::control::Selector;
use repute_net::ConnectKind;
use repute_spool::Spool;
use repute_types::Verdict::{Deferred, Delivered, Failed};

use crate::world::*;

#[tokio::test(start_paused = true)]
async fn what_is_accepted_is_signed_and_delivered() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
    pass(MINUTE).await;
    let taken = b.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!((taken[0].from.as_str(), &taken[0].to[..]), ("shop@example.com", &["bob@b.test".to_owned()][..]));
    assert_eq!(taken[0].text.matches("DKIM-Signature:").count(), 2);
    assert!(taken[0].text.contains("d=example.com"));
    assert_eq!(world.verdicts("bob@b.test"), [(1, Delivered)]);
    assert!(world.spool.is_empty(), "a delivered message leaves nothing behind");
}

#[tokio::test(start_paused = true)]
async fn a_greylisted_recipient_is_tried_again_within_minutes_and_alone() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |who, times| match (who, times) {
        ("grey@b.test", 1) => "451 4.7.1 greylisted",
        _ => "250 2.1.5 ok",
    });
    world.submit("shop@example.com", &["bob@b.test", "grey@b.test"]).await.unwrap();
    pass(5 * MINUTE).await;
    assert_eq!(world.verdicts("bob@b.test"), [(1, Delivered)]);
    assert_eq!(world.verdicts("grey@b.test"), [(1, Deferred), (2, Delivered)]);
    let to: Vec<_> = b.taken().into_iter().map(|t| t.to).collect();
    assert_eq!(to, [["bob@b.test"], ["grey@b.test"]]);
}

/// The break came at the same place in every attempt, and nobody of the message got it.
#[tokio::test(start_paused = true)]
async fn one_recipient_at_whom_the_server_breaks_keeps_nobody_else_waiting() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |who, times| match (who, times) {
        ("odd@b.test", 1..=3) => "no reply at all",
        _ => "250 2.1.5 ok",
    });
    world.submit("shop@example.com", &["x@b.test", "odd@b.test", "y@b.test"]).await.unwrap();
    pass(10 * MINUTE).await;
    for who in ["x@b.test", "y@b.test"] {
        assert_eq!(world.verdicts(who), [(1, Deferred), (2, Delivered)], "{who}");
    }
    pass(6 * 60 * MINUTE).await;
    assert_eq!(world.verdicts("odd@b.test").last(), Some(&(4, Delivered)));
    let to: Vec<_> = b.taken().into_iter().map(|t| t.to.len()).collect();
    assert_eq!(to, [2, 1]);
}

/// BDAT was tried again and again, until the message came back after five days.
#[tokio::test(start_paused = true)]
async fn what_failed_by_bdat_goes_by_data_the_next_time() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    b.fails_chunks("451 4.3.0 cannot read chunks");
    world.submit("shop@example.com", &["x@b.test"]).await.unwrap();
    pass(10 * MINUTE).await;
    assert_eq!(world.verdicts("x@b.test"), [(1, Deferred), (2, Delivered)]);
    world.submit("shop@example.com", &["y@b.test"]).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(world.verdicts("y@b.test"), [(1, Delivered)], "it is remembered of the host");
}

/// Both hosts of the site offer BDAT and do not know it: whoever is asked second is not asked the same again.
#[tokio::test(start_paused = true)]
async fn two_hosts_that_refuse_the_bdat_they_offer_take_data_in_the_first_attempt() {
    let mut world = World::new().await;
    let first = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    let second = world.second_receiver("b.test", |_, _| "250 2.1.5 ok");
    first.fails_chunks("502 5.5.1 BDAT not implemented");
    first.leaves_at_chunks();
    second.fails_chunks("502 5.5.1 BDAT not implemented");
    world.submit("shop@example.com", &["x@b.test"]).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(world.verdicts("x@b.test"), [(1, Delivered)]);
    assert_eq!((first.taken().len(), second.taken().len()), (0, 1));
    assert_eq!((*first.sessions.lock().unwrap(), *second.sessions.lock().unwrap()), (1, 1));
    // It is remembered of both of them.
    world.submit("shop@example.com", &["y@b.test"]).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(world.verdicts("y@b.test"), [(1, Delivered)]);
    assert!(*second.sessions.lock().unwrap() <= 2, "a session was lost to a BDAT again");
}

#[tokio::test(start_paused = true)]
async fn many_recipients_at_a_site_are_one_transaction() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    let to: Vec<String> = (0..50).map(|n| format!("u{n}@b.test")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    world.submit("shop@example.com", &to).await.unwrap();
    assert_eq!(world.spool.scan(None, 100).await.unwrap().len(), 1, "one part, over one content");
    pass(MINUTE).await;
    let taken = b.taken();
    assert_eq!((taken.len(), *b.sessions.lock().unwrap()), (1, 1));
    assert_eq!(taken[0].to.len(), 50);
    assert_eq!(taken[0].text.matches("DKIM-Signature:").count(), 2, "one signature by each key");
}

/// RFC 9422. The rest used to be deferred, and after five days to fail, with the reason that the server had left.
#[tokio::test(start_paused = true)]
async fn recipients_beyond_what_a_session_carries_go_over_further_ones_at_once() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    b.offers("250-LIMITS RCPTMAX=2 MAILMAX=2\r\n");
    let to: Vec<String> = (0..30).map(|n| format!("u{n}@b.test")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    world.submit("shop@example.com", &to).await.unwrap();
    pass(MINUTE).await;
    for who in &to {
        assert_eq!(world.verdicts(who), [(1, Delivered)], "{who}");
    }
    assert_eq!((b.taken().len(), *b.sessions.lock().unwrap()), (15, 8));
}

#[tokio::test(start_paused = true)]
async fn a_site_with_small_sessions_that_puts_everyone_off_is_left_alone() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, times| if times == 1 { "451 4.7.1 greylisted" } else { "250 2.1.5 ok" });
    b.offers("250-LIMITS RCPTMAX=1 MAILMAX=1\r\n");
    world.submit("shop@example.com", &["x@b.test", "y@b.test", "z@b.test"]).await.unwrap();
    pass(Duration::from_secs(20)).await;
    assert_eq!(*b.sessions.lock().unwrap(), 1, "the others wait for the next attempt");
    assert_eq!(world.verdicts("z@b.test"), [(1, Deferred)]);
    pass(60 * MINUTE).await;
    assert_eq!(b.taken().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn messages_to_a_site_share_its_connections() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    for n in 0..40 {
        world.submit("shop@example.com", &[&format!("u{n}@b.test")]).await.unwrap();
    }
    pass(MINUTE).await;
    assert_eq!(b.taken().len(), 40);
    assert!(*b.sessions.lock().unwrap() <= 20, "{}", b.sessions.lock().unwrap());
}

/// Each idle session used to get a message in turn, and so none ever ended that a burst had opened.
#[tokio::test(start_paused = true)]
async fn sessions_that_a_burst_opened_end_though_mail_goes_on() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    b.ponders(Duration::from_secs(2));
    for n in 0..20 {
        world.submit("shop@example.com", &[&format!("u{n}@b.test")]).await.unwrap();
    }
    pass(Duration::from_secs(3)).await;
    assert!(b.open() > 1, "{}", b.open());
    b.ponders(Duration::ZERO);
    for n in 0..20 {
        world.submit("shop@example.com", &[&format!("v{n}@b.test")]).await.unwrap();
        pass(Duration::from_secs(1)).await;
    }
    assert_eq!((b.open(), b.taken().len()), (1, 40));
}

/// A domain that is new to the queue and shares a site whose session is idle used to wait for
/// that session's time-out.
#[tokio::test(start_paused = true)]
async fn a_new_domain_at_a_known_site_goes_by_the_idle_session_at_once() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    world.alias("c.test", "b.test");
    world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
    pass(Duration::from_secs(1)).await;
    world.submit("shop@example.com", &["bob@c.test"]).await.unwrap();
    pass(Duration::from_secs(1)).await;
    assert_eq!(b.taken().len(), 2);
    assert_eq!(*b.sessions.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_site_that_takes_two_sessions_gets_two_and_all_its_mail_at_once() {
    let mut world = World::new().await;
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    b.at_most(2);
    for n in 0..200 {
        world.submit("shop@example.com", &[&format!("u{n}@b.test")]).await.unwrap();
    }
    pass(MINUTE).await;
    assert_eq!(b.taken().len(), 200);
    let deferred = (0..200).flat_map(|n| world.verdicts(&format!("u{n}@b.test"))).filter(|v| v.1 == Deferred).count();
    assert_eq!(deferred, 0, "a refused session is no attempt while others are open");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_user_fails_at_once_and_the_sender_is_told() {
    let mut world = World::new().await;
    world.receiver("b.test", |_, _| "550 5.1.1 no such user");
    let home = world.receiver("example.com", |_, _| "250 2.1.5 ok");
    world.submit("shop@example.com", &["nobody@b.test"]).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(world.verdicts("nobody@b.test"), [(1, Failed)]);
    let notices = home.taken();
    assert_eq!(notices.len(), 1, "{:?}", world.notes());
    assert_eq!((notices[0].from.as_str(), &notices[0].to[..]), ("", &["shop@example.com".to_owned()][..]));
    for expected in
        ["multipart/report", "Action: failed", "Status: 5.1.1", "no such user", "nobody@b.test", "DKIM-Signature"]
    {
        assert!(notices[0].text.contains(expected), "{expected} in {}", notices[0].text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_cannot_be_delivered_causes_no_other() {
    let mut world = World::new().await;
    world.receiver("b.test", |_, _| "550 5.1.1 no such user");
    world.receiver("example.com", |_, _| "550 5.1.1 no such user either");
    world.submit("shop@example.com", &["nobody@b.test"]).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(world.verdicts("shop@example.com"), [(1, Failed)]);
    pass(HOUR).await;
    assert_eq!(world.verdicts("shop@example.com").len(), 1);
    assert!(world.spool.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_site_that_stays_down_gets_five_days_a_delay_notice_and_a_failure_notice() {
    let mut world = World::new().await;
    let at = world.host("b.test");
    world.network.fail(at, ConnectKind::Refused);
    let home = world.receiver("example.com", |_, _| "250 2.1.5 ok");
    world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
    pass(4 * HOUR - MINUTE).await;
    assert_eq!(home.taken().len(), 0);
    pass(2 * MINUTE).await;
    assert_eq!(home.taken().len(), 1, "{:?}", world.notes());
    assert!(home.taken()[0].text.contains("Action: delayed"), "{}", home.taken()[0].text);
    pass(5 * DAY - 4 * HOUR - 5 * MINUTE).await;
    assert_eq!(home.taken().len(), 1, "nothing is failed before its time");
    pass(10 * MINUTE).await;
    let verdicts = world.verdicts("bob@b.test");
    assert_eq!(verdicts.last().map(|v| v.1), Some(Failed));
    assert!((20..60).contains(&verdicts.len()), "{} attempts in five days", verdicts.len());
    assert_eq!(home.taken().len(), 2);
    assert!(home.taken()[1].text.contains("Status: 5.4.7"), "{}", home.taken()[1].text);
    assert!(world.spool.is_empty());
}

#[tokio::test(start_paused = true)]
async fn our_own_want_of_sockets_is_deferred_as_ours_and_pauses_no_site() {
    let mut world = World::new().await;
    let at = world.host("b.test");
    world.network.fail(at, ConnectKind::NoSockets);
    world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
    pass(Duration::from_secs(1)).await;
    assert_eq!(world.verdicts("bob@b.test"), [(1, Deferred)]);
    let site = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    world.submit("shop@example.com", &["eve@b.test"]).await.unwrap();
    pass(Duration::from_secs(5)).await;
    assert_eq!(site.taken().len(), 1, "a site that was not to blame is left alone: {:?}", world.notes());
}

/// It was taken for a site that cannot be reached.
#[tokio::test(start_paused = true)]
async fn our_own_want_of_sockets_for_look_ups_pauses_no_site_either() {
    let mut world = World::new().await;
    let site = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    world.can_ask_for_host("b.test", false);
    world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
    pass(Duration::from_secs(1)).await;
    assert_eq!(world.verdicts("bob@b.test"), [(1, Deferred)]);
    world.can_ask_for_host("b.test", true);
    world.submit("shop@example.com", &["eve@b.test"]).await.unwrap();
    pass(Duration::from_secs(5)).await;
    assert_eq!(site.taken().len(), 1, "a site that was not to blame is left alone: {:?}", world.notes());
}

#[tokio::test(start_paused = true)]
async fn a_site_that_comes_up_gets_all_that_waited() {
    let mut world = World::new().await;
    let at = world.host("b.test");
    world.network.fail(at, ConnectKind::TimedOut);
    for n in 0..30 {
        world.submit("shop@example.com", &[&format!("u{n}@b.test")]).await.unwrap();
    }
    pass(2 * HOUR).await;
    world.hosts_again(1);
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    pass(5 * HOUR).await;
    assert_eq!(b.taken().len(), 30);
    assert!(world.spool.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_does_not_exist_fails_and_one_that_nobody_answers_for_waits() {
    let mut world = World::new().await;
    let home = world.receiver("example.com", |_, _| "250 2.1.5 ok");
    world.silence("quiet.test");
    world.submit("shop@example.com", &["a@nowhere.test", "b@quiet.test"]).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(world.verdicts("a@nowhere.test"), [(1, Failed)]);
    assert_eq!(world.verdicts("b@quiet.test"), [(1, Deferred)]);
    assert_eq!(home.taken().len(), 1);
}

/// `repute queue list` and `GET /v1/messages/ID` said only that no session could be had.
#[tokio::test(start_paused = true)]
async fn what_waits_behind_a_failed_session_says_why_it_failed() {
    let mut world = World::new().await;
    let at = world.host("b.test");
    world.network.fail(at, ConnectKind::Refused);
    world.submit("shop@example.com", &["first@b.test"]).await.unwrap();
    pass(MINUTE / 60).await;
    world.submit("shop@example.com", &["behind@b.test"]).await.unwrap();
    pass(MINUTE / 60).await;
    assert_eq!(world.verdicts("behind@b.test"), []);
    let rows = world.control().list(&Selector::default(), 10).await.unwrap().rows;
    let behind = rows.iter().find(|row| row.recipients[0].address.to_string() == "behind@b.test").unwrap();
    let reason = behind.reason.clone().unwrap();
    assert!(reason.starts_with("no session with its site could be had ("), "{reason}");
    assert!(reason.contains("no connection to") && reason.contains("); tried again at "), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn what_was_accepted_survives_a_restart() {
    let mut world = World::new().await;
    let at = world.host("b.test");
    world.network.fail(at, ConnectKind::Refused);
    world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
    pass(MINUTE).await;
    world.stop().await;
    world.hosts_again(1);
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    world.start().await;
    pass(HOUR).await;
    assert_eq!(b.taken().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_message_is_held_and_named_and_the_rest_goes_on() {
    let mut world = World::new().await;
    let at = world.host("b.test");
    world.network.fail(at, ConnectKind::Refused);
    let damaged = world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
    world.submit("shop@example.com", &["eve@b.test"]).await.unwrap();
    pass(MINUTE).await;
    world.spool.damage(damaged);
    world.hosts_again(1);
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    pass(HOUR).await;
    assert_eq!(b.taken().iter().map(|t| t.to[0].as_str()).collect::<Vec<_>>(), ["eve@b.test"]);
    let held = world.control().list(&Selector { held: true, ..Selector::default() }, 10).await.unwrap();
    assert_eq!(held.rows.len(), 1);
    assert_eq!(held.rows[0].id, damaged);
    assert!(held.rows[0].reason.as_ref().unwrap().contains("damaged"));
}

/// The queue ended at the first damaged record after a start: what was behind it stayed on disk, and was never tried.
#[tokio::test(start_paused = true)]
async fn after_a_start_the_queue_goes_on_behind_a_damaged_record() {
    let mut world = World::new().await;
    let at = world.host("b.test");
    world.network.fail(at, ConnectKind::Refused);
    let mut ids = Vec::new();
    for name in ["ann", "bob", "eve"] {
        ids.push(world.submit("shop@example.com", &[&format!("{name}@b.test")]).await.unwrap());
    }
    pass(MINUTE).await;
    world.stop().await;
    world.spool.damage_record(ids[1]);
    world.start().await;
    world.hosts_again(1);
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    let listed = world.control().list(&Selector::default(), 10).await.unwrap().rows;
    assert_eq!(listed.iter().map(|row| row.id).collect::<Vec<_>>(), [ids[0], ids[2]]);
    pass(HOUR).await;
    let mut taken: Vec<_> = b.taken().iter().map(|t| t.to[0].clone()).collect();
    taken.sort();
    assert_eq!(taken, ["ann@b.test", "eve@b.test"]);
}

#[tokio::test(start_paused = true)]
async fn held_mail_waits_is_released_and_expires_in_its_time() {
    let mut world = World::new().await;
    let at = world.host("b.test");
    world.network.fail(at, ConnectKind::Refused);
    let home = world.receiver("example.com", |_, _| "250 2.1.5 ok");
    let first = world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
    world.submit("shop@example.com", &["eve@b.test"]).await.unwrap();
    pass(MINUTE).await;
    let all = Selector { all: true, ..Selector::default() };
    let changes = world.control().hold(&all, "the list is being looked at").await.unwrap();
    assert_eq!(changes.now, 2);
    world.hosts_again(1);
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    pass(DAY).await;
    assert_eq!(b.taken().len(), 0);
    let one = Selector { ids: vec![first.to_string()], ..Selector::default() };
    assert_eq!(world.control().release(&one).await.unwrap().now, 1);
    pass(MINUTE).await;
    assert_eq!(b.taken().len(), 1);
    pass(4 * DAY).await;
    assert_eq!(world.verdicts("eve@b.test").last().map(|v| v.1), Some(Failed), "held mail expires too");
    assert!(home.taken().iter().any(|t| t.text.contains("Status: 5.4.7")));
    assert!(world.spool.is_empty());
}

/// The session that a part was leased to could not be had while another was open, so the part was
/// put back, and what was asked meanwhile was forgotten.
#[tokio::test(start_paused = true)]
async fn what_is_asked_of_a_part_that_is_put_back_is_done() {
    for cancel in [false, true] {
        let mut world = World::new().await;
        let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
        b.ponders(2 * MINUTE);
        world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
        pass(Duration::from_secs(1)).await;
        world.hosts_again(1);
        let at = world.host("b.test");
        world.network.fail(at, ConnectKind::TimedOut);
        let second = world.submit("shop@example.com", &["eve@b.test"]).await.unwrap();
        pass(Duration::from_secs(1)).await;
        let one = Selector { ids: vec![second.to_string()], ..Selector::default() };
        let changes = match cancel {
            true => world.control().cancel(&one, "the operator").await.unwrap(),
            false => world.control().hold(&one, "not yet").await.unwrap(),
        };
        assert_eq!((changes.now, changes.after_attempt), (0, 1), "it is with a session that is being opened");
        pass(HOUR).await;
        assert_eq!(b.taken().iter().map(|t| t.to[0].as_str()).collect::<Vec<_>>(), ["bob@b.test"]);
        let held = world.control().list(&Selector { held: true, ..Selector::default() }, 10).await.unwrap();
        assert_eq!(held.rows.len(), usize::from(!cancel));
        assert_eq!(world.spool.is_empty(), cancel);
    }
}

#[tokio::test(start_paused = true)]
async fn cancelled_mail_is_gone_without_a_notice_and_the_history_has_it() {
    let mut world = World::new().await;
    let at = world.host("b.test");
    world.network.fail(at, ConnectKind::Refused);
    let home = world.receiver("example.com", |_, _| "250 2.1.5 ok");
    world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
    pass(MINUTE).await;
    let sender = Selector { sender: Some("@example.com".into()), ..Selector::default() };
    assert_eq!(world.control().cancel(&sender, "the operator").await.unwrap().now, 1);
    pass(6 * DAY).await;
    assert!(world.spool.is_empty());
    assert_eq!(home.taken().len(), 0);
    assert_eq!(world.verdicts("bob@b.test").last().map(|v| v.1), Some(Failed));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_changes_something_wants_to_know_what() {
    let world = World::new().await;
    assert!(world.control().cancel(&Selector::default(), "the operator").await.is_err());
}
