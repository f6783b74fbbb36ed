//! `kill -9` at each step of the table in docs/queue-states.md, "What a crash does", against the
//! real program: what is on disk, what happens after the restart, what the others see.
//!
//! The step is found without a word of the server's code: a client that stops, a sink that holds
//! its reply. The row "written, not synced" is the spool's own tests' (torn writes,
//! `crates/spool/tests/power.rs`); from outside it is one with the row after it.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod common;
mod kill_kit;

use std::time::{Duration, Instant};

use kill_kit::{Client, House, Manner, Waiting};

const BOB: &str = "bob@example.net";

fn waiting(attempts: u64) -> Vec<Waiting> {
    vec![Waiting { to: vec![BOB.into()], state: "waiting".into(), attempts }]
}

/// Long enough for what should not happen.
fn a_while() {
    std::thread::sleep(Duration::from_millis(700));
}

fn submit(address: &str, tag: &str) {
    Client::to(address).unwrap().submit(BOB, tag).unwrap();
}

#[test]
fn while_content_is_received_nothing_is_kept() {
    let house = House::new("1s");
    let server = house.start();
    let mut client = Client::to(&server.address).unwrap();
    client.begin(BOB).unwrap();
    client.content("half").unwrap();
    a_while();
    server.kill();
    assert_eq!(client.hear("250"), None, "the connection is lost, and the client still has it");
    assert_eq!(house.on_disk(), []);
    let _server = house.start();
    a_while();
    assert!(house.sink.taken().is_empty());
}

/// Killed around the instant of the sync, the message is on disk whole or not at all; and
/// whole if the client has its 250.
#[test]
fn around_the_sync_it_is_all_or_nothing_and_all_if_it_was_answered() {
    let house = House::new("1s");
    let (mut whole, mut nothing) = (0, 0);
    for round in 0..16u64 {
        house.sink.set(Manner::Mute);
        let server = house.start();
        let mut client = Client::to(&server.address).unwrap();
        let tag = format!("round {round}");
        client.begin(BOB).unwrap();
        client.content(&tag).unwrap();
        client.send(".\r\n").unwrap();
        let until = Instant::now() + Duration::from_micros(400 * round);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        server.kill();
        let answered = client.hear("250").is_some();
        let kept = house.on_disk();
        assert!(kept == waiting(0) || (kept.is_empty() && !answered), "{tag}: answered {answered}, on disk {kept:?}");
        match kept.is_empty() {
            true => nothing += 1,
            false => whole += 1,
        }
        house.sink.set(Manner::Takes);
        let server = house.start();
        if !kept.is_empty() {
            house.sink.wait_for(|sink| sink.count(&tag) > 0);
        }
        house.wait_until_empty();
        assert_eq!(house.sink.count(&tag), usize::from(!kept.is_empty()), "{tag}");
        server.kill();
    }
    println!("killed around the sync: {nothing} times nothing was on disk, {whole} times the whole message");
}

#[test]
fn after_the_250_it_is_due_and_delivered_once() {
    let house = House::new("1s");
    house.sink.set(Manner::Mute);
    let server = house.start();
    submit(&server.address, "answered");
    server.kill();
    assert_eq!(house.on_disk(), waiting(0));
    house.sink.set(Manner::Takes);
    let _server = house.start();
    house.sink.wait_for(|sink| sink.count("answered") == 1);
    a_while();
    assert_eq!(house.sink.count("answered"), 1);
}

#[test]
fn in_an_attempt_that_the_receiver_has_not_all_of_it_is_due_and_delivered_once() {
    let house = House::new("1s");
    house.sink.set(Manner::HoldsContent);
    let server = house.start();
    let mut client = Client::to(&server.address).unwrap();
    client.begin(BOB).unwrap();
    client.content("leased").unwrap();
    // More than the sockets between hold: the attempt stands in the middle of the content.
    client.send(&format!("{}\r\n", "y".repeat(990)).repeat(9_000)).unwrap();
    client.say(".", "250").unwrap();
    house.sink.wait_for(|sink| sink.times("DATA") == 1);
    a_while();
    server.kill();
    assert_eq!(house.on_disk(), waiting(0), "a lease is a matter of memory alone");
    house.sink.set(Manner::Takes);
    let _server = house.start();
    house.sink.wait_for(|sink| sink.count("leased") == 1);
    a_while();
    assert_eq!(house.sink.count("leased"), 1);
}

#[test]
fn while_the_receiver_holds_its_reply_it_is_due_and_goes_twice() {
    let house = House::new("1s");
    house.sink.set(Manner::HoldsReply);
    let server = house.start();
    submit(&server.address, "held reply");
    house.sink.wait_for(|sink| sink.count("held reply") == 1);
    server.kill();
    assert_eq!(house.on_disk(), waiting(0));
    house.sink.set(Manner::Takes);
    let _server = house.start();
    house.sink.wait_for(|sink| sink.count("held reply") == 2);
    a_while();
    assert_eq!(house.sink.count("held reply"), 2, "twice, and no more");
}

/// Within 100 ms of the receiver's 250 both is right: settled, or due again.
#[test]
fn at_once_after_the_receivers_250_it_goes_once_or_twice_never_zero_times() {
    let house = House::new("1s");
    let mut twice = 0;
    for round in 0..10u64 {
        let server = house.start();
        let tag = format!("round {round}");
        submit(&server.address, &tag);
        house.sink.wait_for(|sink| sink.times("reply") > 0 && sink.count(&tag) == 1);
        std::thread::sleep(Duration::from_millis(15 * round));
        server.kill();
        let kept = house.on_disk();
        assert!(kept.is_empty() || kept == waiting(0), "{tag}: {kept:?}");
        let expected = 1 + kept.len();
        let server = house.start();
        house.sink.wait_for(|sink| sink.count(&tag) == expected);
        house.wait_until_empty();
        assert_eq!(house.sink.count(&tag), expected, "{tag}");
        twice += kept.len();
        server.kill();
    }
    println!("killed within 150 ms of the receiver's 250: {twice} of 10 went twice");
}

#[test]
fn once_settled_it_is_delivered_once() {
    let house = House::new("1s");
    let mut server = house.start();
    submit(&server.address, "settled");
    server.wait_for("delivered ");
    std::thread::sleep(Duration::from_millis(300));
    server.kill();
    assert_eq!(house.on_disk(), []);
    let _server = house.start();
    a_while();
    assert_eq!(house.sink.count("settled"), 1);
}

#[test]
fn a_deferral_on_disk_keeps_its_time() {
    let house = House::new("1h");
    house.sink.set(Manner::Defers);
    let mut server = house.start();
    submit(&server.address, "deferred");
    server.wait_for("deferred ");
    std::thread::sleep(Duration::from_millis(300));
    server.kill();
    assert_eq!(house.on_disk(), waiting(1));
    house.sink.set(Manner::Takes);
    let _server = house.start();
    a_while();
    assert_eq!(house.sink.times("RCPT"), 1, "not before its time");
    house.place.run(&["queue", "retry", "--all"]).good();
    house.sink.wait_for(|sink| sink.count("deferred") == 1);
}

#[test]
fn a_deferral_that_is_not_on_disk_is_tried_early_and_not_counted() {
    let house = House::new("1h");
    for round in 0..5 {
        house.sink.set(Manner::Defers);
        let before = house.sink.times("RCPT");
        let server = house.start();
        let tag = format!("round {round}");
        submit(&server.address, &tag);
        house.sink.wait_for(|sink| sink.times("RCPT") > before);
        server.kill();
        let kept = house.on_disk();
        assert!(kept == waiting(0) || kept == waiting(1), "{tag}: {kept:?}");
        house.sink.set(Manner::Takes);
        let server = house.start();
        if kept == waiting(1) {
            house.place.run(&["queue", "retry", "--all"]).good();
        }
        house.sink.wait_for(|sink| sink.count(&tag) == 1);
        house.wait_until_empty();
        server.kill();
    }
}

/// One notice, at whatever time after the 550 the server dies.
#[test]
fn a_failure_is_told_once() {
    let house = House::new("1s");
    for (round, after) in [0, 20, 80, 120, 400, 1300].into_iter().enumerate() {
        house.sink.set(Manner::Rejects);
        let before = house.sink.times("RCPT");
        let server = house.start();
        submit(&server.address, &format!("after {after} ms"));
        house.sink.wait_for(|sink| sink.times("RCPT") > before);
        std::thread::sleep(Duration::from_millis(after));
        server.kill();
        let server = house.start();
        house.sink.wait_for(|sink| sink.notices() > round);
        house.wait_until_empty();
        assert_eq!(house.sink.notices(), round + 1, "killed {after} ms after the 550");
        server.kill();
    }
}

#[test]
fn what_an_operator_holds_is_on_disk_when_the_command_returns() {
    let house = House::new("1h");
    house.sink.set(Manner::Defers);
    let mut server = house.start();
    submit(&server.address, "operator");
    server.wait_for("deferred ");
    house.place.run(&["queue", "hold", "--all"]).good();
    server.kill();
    assert_eq!(house.on_disk()[0].state, "held");
    house.sink.set(Manner::Takes);
    let server = house.start();
    a_while();
    assert_eq!(house.sink.count("operator"), 0);
    house.place.run(&["queue", "release", "--all"]).good();
    house.sink.wait_for(|sink| sink.count("operator") == 1);
    house.wait_until_empty();
    server.kill();
    assert_eq!(house.on_disk(), []);
}
