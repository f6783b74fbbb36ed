//! The whole server in simulated time, between clients and receivers that misbehave, on a disk that
//! fails and in a process that dies: days of traffic from a seed, with every promise checked
//! throughout. docs/unbreakable.md tells what is checked.
//!
//! `REPUTE_SEED=17 cargo test -p repute-submission --test simulation` lives through day 17 again;
//! `REPUTE_SEEDS=5000` lives through so many others. `REPUTE_LARGE_SEED` and `REPUTE_LARGE_SEEDS` are the same
//! for the days with a thousand receivers.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod book;
mod client;
mod day;
mod disk;
mod front;
mod names;
mod plan;
#[path = "../listeners/common/scram.rs"]
mod scram;
mod site;
mod text;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use book::Sums;
use day::live;
use plan::Size;

const DAY: Duration = Duration::from_secs(24 * 3600);
const EXPIRE: Duration = Duration::from_secs(8 * 3600);
const SMALL: Size = Size { sites: 25, messages: 40, day: DAY, expire: EXPIRE, faults: 10, sessions: 30 };
const LARGE: Size = Size { sites: 1000, messages: 1600, day: DAY, expire: EXPIRE, faults: 20, sessions: 200 };

fn seed_from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// A panic is told with its seed.
fn live_or_fall(seed: u64, size: Size) -> Result<Sums, String> {
    std::panic::catch_unwind(|| live(seed, size)).unwrap_or_else(|_| Err(format!("REPUTE_SEED={seed} falls over")))
}

/// Lives through so many days on two threads; all must hold.
fn live_all(size: Size, count: u64) {
    let next = AtomicU64::new(1);
    let live_next = || {
        let mut broken = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > count {
                return broken;
            }
            broken.extend(live_or_fall(seed, size).err());
        }
    };
    let broken: Vec<String> = std::thread::scope(|scope| {
        let threads = [scope.spawn(live_next), scope.spawn(live_next)];
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(broken.is_empty(), "{} of {count} days:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn days_with_accidents_lose_nothing_and_repeat_little() {
    if let Some(seed) = seed_from_environment("REPUTE_SEED") {
        println!("{:#?}", live(seed, SMALL).unwrap_or_else(|broken| panic!("{broken}")));
        return;
    }
    live_all(SMALL, seed_from_environment("REPUTE_SEEDS").unwrap_or(300));
}

/// The same with a thousand receivers.
#[test]
fn a_large_day_loses_nothing_either() {
    if let Some(seed) = seed_from_environment("REPUTE_LARGE_SEED") {
        println!("{:#?}", live(seed, LARGE).unwrap_or_else(|broken| panic!("{broken}")));
        return;
    }
    live_all(LARGE, seed_from_environment("REPUTE_LARGE_SEEDS").unwrap_or(1));
}

#[test]
fn a_seed_replays() {
    assert_eq!(live(4, SMALL).unwrap(), live(4, SMALL).unwrap());
}
