//! What receivers say decides when mail goes to them again; each outcome's event says why.

use repute_engine::control::Selector;
use repute_types::Cause;
use repute_types::Verdict::{Deferred, Delivered, Failed};

use crate::world::*;

const RATE: Cause = Cause { rule: "google.rate", class: "rate", fault: "rate" };

fn to_domain(name: &str) -> Selector {
    Selector { domain: Some(domain(name)), ..Selector::default() }
}

#[tokio::test(start_paused = true)]
async fn each_refusal_has_its_cause_and_a_delivery_has_none() {
    let mut world = World::new().await;
    world.receiver("google.com", |who, times| match (who, times) {
        ("ptr@google.com", _) => "550 5.7.25 The IP address sending this message does not have a PTR record setup",
        ("nobody@google.com", _) => "550 5.1.1 The email account that you tried to reach does not exist.",
        ("grey@google.com", 1) => "451 4.7.1 greylisted, come again",
        _ => "250 2.1.5 ok",
    });
    let to = ["bob@google.com", "ptr@google.com", "nobody@google.com", "grey@google.com", "nowhere@nowhere.test"];
    world.submit("shop@example.com", &to).await.unwrap();
    pass(HOUR).await;
    assert_eq!(world.causes("bob@google.com"), [None]);
    let ptr = Cause { rule: "google.ptr", class: "reverse-dns", fault: "address" };
    assert_eq!(world.causes("ptr@google.com"), [Some(ptr)]);
    let unknown = Cause { rule: "google.unknown-user", class: "unknown-user", fault: "recipient" };
    assert_eq!(world.causes("nobody@google.com"), [Some(unknown)]);
    let grey = Cause { rule: "any.greylisting", class: "greylisting", fault: "remote" };
    assert_eq!(world.causes("grey@google.com"), [Some(grey), None]);
    // No reply was had, so nothing is classified.
    assert_eq!(world.causes("nowhere@nowhere.test"), [None]);
    assert_eq!(world.verdicts("nowhere@nowhere.test"), [(1, Failed)]);
}

#[tokio::test(start_paused = true)]
async fn what_expires_names_the_cause_of_its_last_attempt() {
    let mut world = World::new().await;
    world.receiver("google.com", |_, _| "452 4.2.2 The email account that you tried to reach is over quota.");
    world.submit("shop@example.com", &["full@google.com"]).await.unwrap();
    pass(6 * DAY).await;
    assert_eq!(world.verdicts("full@google.com").last().unwrap().1, Failed);
    let causes = world.causes("full@google.com");
    assert!(causes.iter().all(|c| c.is_some_and(|c| c.class == "full-mailbox")), "{causes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_greylisted_recipient_is_tried_again_by_the_ordinary_back_off() {
    let mut world = World::new().await;
    world.receiver("b.test", |_, times| if times == 1 { "451 4.7.1 greylisted" } else { "250 2.1.5 ok" });
    world.submit("shop@example.com", &["bob@b.test"]).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(world.verdicts("bob@b.test"), [(1, Deferred)]);
    pass(3 * MINUTE).await;
    assert_eq!(world.verdicts("bob@b.test"), [(1, Deferred), (2, Delivered)]);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_wants_ten_minutes_of_silence_gets_them_for_all_its_mail() {
    let mut world = World::new().await;
    let google = world.receiver("google.com", |who, times| match (who, times) {
        ("first@google.com", 1) => {
            "421 4.7.28 Gmail has detected an unusual rate of mail originating from your IP address"
        }
        _ => "250 2.1.5 ok",
    });
    let other = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    world.submit("shop@example.com", &["first@google.com"]).await.unwrap();
    pass(MINUTE / 60).await;
    assert_eq!(world.causes("first@google.com"), [Some(RATE)]);
    // What comes meanwhile waits too, and mail to others does not.
    for n in 0..5 {
        world.submit("shop@example.com", &[&format!("u{n}@google.com"), "bob@b.test"]).await.unwrap();
    }
    pass(9 * MINUTE).await;
    assert_eq!((google.taken().len(), other.taken().len()), (0, 5));
    assert_eq!(world.verdicts("u0@google.com"), [], "a message that waits for the site is not tried");
    let lanes = world.control().status().lanes;
    let lane = lanes.iter().find(|lane| lane.ready > 0).unwrap();
    assert_eq!((lane.window, lane.sessions, lane.ready), (1, 0, 5));
    let rows = world.control().list(&to_domain("google.com"), 10).await.unwrap().rows;
    let reason = rows.iter().filter_map(|row| row.reason.clone()).next().unwrap();
    assert!(reason.starts_with("its site wants us to wait; tried again at "), "{reason}");
    pass(2 * MINUTE).await;
    assert_eq!(world.verdicts("first@google.com"), [(1, Deferred), (2, Delivered)]);
    assert_eq!(world.verdicts("u0@google.com"), [(1, Delivered)]);
    assert_eq!(google.taken().len(), 6);
    assert!(*google.sessions.lock().unwrap() <= 3, "one to hear it, one after the pause, one more after its success");
}

#[tokio::test(start_paused = true)]
async fn yahoo_gets_its_two_hours_instead_of_our_minutes() {
    let mut world = World::new().await;
    let yahoo = world.receiver("yahoo.com", |_, times| match times {
        1 => {
            "421 4.7.0 [TSS04] Messages from 192.0.2.9 temporarily deferred due to unexpected volume or user complaints"
        }
        _ => "250 2.1.5 ok",
    });
    world.submit("shop@example.com", &["bob@yahoo.com"]).await.unwrap();
    pass(119 * MINUTE).await;
    assert_eq!(world.verdicts("bob@yahoo.com"), [(1, Deferred)]);
    assert_eq!(*yahoo.sessions.lock().unwrap(), 1);
    pass(2 * MINUTE).await;
    assert_eq!(world.verdicts("bob@yahoo.com"), [(1, Deferred), (2, Delivered)]);
}

#[tokio::test(start_paused = true)]
async fn an_operator_may_try_before_the_receivers_time() {
    let mut world = World::new().await;
    world.receiver("yahoo.com", |_, times| if times == 1 { "421 4.7.0 [TSS04] deferred" } else { "250 2.1.5 ok" });
    world.submit("shop@example.com", &["bob@yahoo.com"]).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(world.control().retry(&to_domain("yahoo.com")).await.unwrap().now, 1);
    pass(MINUTE).await;
    assert_eq!(world.verdicts("bob@yahoo.com"), [(1, Deferred), (2, Delivered)]);
}
