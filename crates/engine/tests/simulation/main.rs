//! The whole of the works in simulated time, among receivers that misbehave, on a disk that
//! fails and in a process that dies: days of traffic from a seed, with every promise checked
//! throughout. docs/unbreakable.md tells what is checked.
//!
//! `REPUTE_SEED=17 cargo test -p repute-engine --test simulation` lives through day 17 again;
//! `REPUTE_SEEDS=5000` lives through so many others.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod book;
mod day;
mod disk;
mod names;
mod plan;
mod site;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use book::Sums;
use day::live;
use plan::{HOUR, Size};

const SMALL: Size = Size { sites: 25, messages: 40, day: Duration::from_secs(24 * 3600), expire: HOUR, faults: 10 };

fn seed_from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// A panic is told with its seed.
fn live_or_fall(seed: u64, size: Size) -> Result<Sums, String> {
    std::panic::catch_unwind(|| live(seed, size)).unwrap_or_else(|_| Err(format!("REPUTE_SEED={seed} falls over")))
}

#[test]
fn days_with_accidents_lose_nothing_and_repeat_little() {
    let expire = 8 * HOUR;
    let size = Size { expire, ..SMALL };
    if let Some(seed) = seed_from_environment("REPUTE_SEED") {
        println!("{:#?}", live(seed, size).unwrap_or_else(|broken| panic!("{broken}")));
        return;
    }
    let count = seed_from_environment("REPUTE_SEEDS").unwrap_or(100);
    let next = AtomicU64::new(1);
    let broken: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut broken = Vec::new();
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed > count {
                            return broken;
                        }
                        broken.extend(live_or_fall(seed, size).err());
                    }
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(broken.is_empty(), "{} of {count} days:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn a_seed_replays() {
    let size = Size { expire: 8 * HOUR, ..SMALL };
    assert_eq!(live(4, size).unwrap(), live(4, size).unwrap());
}
