//! A campaign: submitters at work, and the server killed with `kill -9` at random instants, round
//! after round. Every message that was answered with a 250 arrives; one that arrives twice was
//! at the receiver within a moment of a kill.
//!
//! `REPUTE_KILLS=300 cargo test -p repute --test kill_campaign -- --nocapture` for a longer one.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod common;
mod kill_kit;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kill_kit::{Client, House, Manner};
use repute_types::{Random as _, SeededRandom};

const SUBMITTERS: usize = 3;
/// A settlement reaches the disk within 100 ms; the rest is for a machine that does much else.
const WINDOW: Duration = Duration::from_millis(1500);

/// Submits over one connection after the other until the server is gone. Says what was answered.
fn submitter(address: &str, next: &AtomicUsize, sent: &Mutex<BTreeMap<String, bool>>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let Some(mut client) = Client::to(address) else { return };
        for _ in 0..20 {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let tag = format!("campaign {number}");
            sent.lock().unwrap().insert(tag.clone(), false);
            let to = format!("user{number}@d{}.test", number % 7);
            if client.submit(&to, &tag).is_none() {
                break;
            }
            sent.lock().unwrap().insert(tag, true);
            // The machine has others to serve, and the sink keeps everything.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn every_answered_message_arrives_whenever_the_server_is_killed() {
    let rounds = std::env::var("REPUTE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(15);
    let random = SeededRandom::new(4);
    let house = House::new("1s");
    let (next, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(BTreeMap::new())));
    let mut kills = Vec::new();
    for _ in 0..rounds {
        house.sink.set(if random.below(4) == 0 { Manner::Defers } else { Manner::Takes });
        let server = house.start();
        let over = Arc::new(AtomicBool::new(false));
        let submitters: Vec<_> = (0..SUBMITTERS)
            .map(|_| {
                let (address, next, sent, over) = (server.address.clone(), next.clone(), sent.clone(), over.clone());
                std::thread::spawn(move || submitter(&address, &next, &sent, &over))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(20 + random.below(500)));
        let before = Instant::now();
        server.kill();
        kills.push((before, Instant::now()));
        over.store(true, Ordering::Relaxed);
        submitters.into_iter().for_each(|thread| thread.join().unwrap());
    }
    house.sink.set(Manner::Takes);
    let _server = house.start();
    house.wait_until_empty();

    let sent = sent.lock().unwrap();
    let mut arrivals: BTreeMap<String, Vec<Instant>> = BTreeMap::new();
    for taken in house.sink.taken() {
        assert!(!taken.notice, "nothing fails here, so nobody is told: {}", taken.text);
        arrivals.entry(taken.tag).or_default().push(taken.at);
    }
    let answered: BTreeSet<&String> = sent.iter().filter(|(_, answered)| **answered).map(|(tag, _)| tag).collect();
    let lost: Vec<_> = answered.iter().filter(|tag| !arrivals.contains_key(**tag)).collect();
    assert!(lost.is_empty(), "answered and lost: {lost:?}");
    let unknown: Vec<_> = arrivals.keys().filter(|tag| !sent.contains_key(*tag)).collect();
    assert!(unknown.is_empty(), "arrived and never sent: {unknown:?}");
    let mut twice = 0;
    for (tag, times) in &arrivals {
        for pair in times.windows(2) {
            twice += 1;
            // It died somewhere between the two.
            let explained = kills
                .iter()
                .any(|(before, after)| pair[0] <= *after && before.saturating_duration_since(pair[0]) < WINDOW);
            assert!(explained, "{tag} arrived twice, and nothing was killed shortly after the first time");
        }
    }
    assert!(answered.len() > rounds, "the campaign had too little to do");
    println!(
        "{rounds} kills: {} messages sent, {} answered, {} arrived, {twice} of them once more; none lost",
        sent.len(),
        answered.len(),
        arrivals.len()
    );
}
