//! A power cut at every sync boundary.
//!
//! What is on the disk is copied at each instant at which the writer relies on it: after each
//! commit, before it is answered, and after each copy of the log. A cut then leaves the last
//! such state, with any selection of the sectors written since: none, all, the first so many,
//! or at random. Whatever remains is opened. Promise: every message answered by then is
//! there whole; the one under way is there whole or not at all; nothing else is.
//! `REPUTE_POWER_SEEDS=100 cargo test -p repute-spool --test power` cuts more often.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use common::*;
use repute_spool::sqlite::{Options, Step};
use repute_spool::{NewMessage, Spool, SqliteSpool};
use repute_testkit::power::{Image, each_cut, image, lay};
use repute_types::{Random, SeededRandom};

/// The log's header, and a frame: its own header and a page (sqlite.org/fileformat2.html §4).
const HEADER: usize = 32;
const FRAME: usize = 24 + 4096;
const DATABASE: &str = "spool.sqlite";

/// One thing at a time: a transaction or a copy of the log, so that the copies are of one instant.
#[derive(Default)]
struct Turn {
    taken: Mutex<bool>,
    free: Condvar,
}

impl Turn {
    fn take(&self) {
        *self.free.wait_while(self.taken.lock().unwrap(), |taken| *taken).unwrap() = true;
    }

    fn give(&self) {
        *self.taken.lock().unwrap() = false;
        self.free.notify_one();
    }
}

/// The states of the disk at the instants that are relied on, and how many messages had been
/// committed by then.
fn record(log_octets: u64, messages: &[NewMessage]) -> Vec<(Image, usize)> {
    let dir = tempfile::tempdir().unwrap();
    let (path, turn): (PathBuf, Arc<Turn>) = (dir.path().to_owned(), Arc::default());
    let (images, started) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let hook = {
        let (images, started, committed) = (images.clone(), started.clone(), Mutex::new(0));
        move |step| {
            if !started.load(Ordering::SeqCst) {
                return Ok(());
            }
            match step {
                Step::BeforeTransaction | Step::BeforeCheckpoint => turn.take(),
                Step::AfterCommit | Step::AfterCheckpoint => {
                    let mut committed = committed.lock().unwrap();
                    *committed += usize::from(step == Step::AfterCommit);
                    images.lock().unwrap().push((image(&path, DATABASE), *committed));
                    turn.give();
                }
                _ => {}
            }
            Ok(())
        }
    };
    let options = Options { log_octets, ..watched(hook) };
    let spool = SqliteSpool::open(dir.path(), options).unwrap();
    images.lock().unwrap().push((image(dir.path(), DATABASE), 0));
    started.store(true, Ordering::SeqCst);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for message in messages {
        runtime.block_on(spool.commit(message.clone())).unwrap();
    }
    started.store(false, Ordering::SeqCst);
    std::mem::take(&mut *images.lock().unwrap())
}

fn check_opens(disk: &Image, messages: &[NewMessage], surely: usize, at_most: usize, what: &str) {
    let dir = tempfile::tempdir().unwrap();
    lay(dir.path(), DATABASE, disk);
    let spool = SqliteSpool::open(dir.path(), Options { log_octets: 64 << 10, ..Options::default() })
        .unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let found = runtime.block_on(spool.scan(None, 1000)).unwrap();
    assert!((surely..=at_most).contains(&found.len()), "{what}: {} of {surely} to {at_most}", found.len());
    for ((meta, part), expected) in found.iter().zip(messages) {
        assert_eq!((meta, part), (&expected.meta, &expected.parts[0]), "{what}");
        let content = runtime.block_on(spool.content(meta.id)).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(content.to_vec() == expected.content.to_vec(), "{what}: {}", meta.id);
    }
    // It can be written again.
    runtime.block_on(spool.commit(small(1_000_000))).unwrap_or_else(|error| panic!("{what}: {error}"));
}

fn check_cuts(log_octets: u64, seed: u64) -> usize {
    let random = SeededRandom::new(seed);
    let messages: Vec<_> =
        (1..=24).map(|n| message(n, octets(n, random.below(12_000) as usize), &["a.example"])).collect();
    let states = record(log_octets, &messages);
    let mut cuts = 0;
    for (n, pair) in states.windows(2).enumerate() {
        let [(before, surely), (after, at_most)] = pair else { unreachable!("pairs") };
        cuts += each_cut(before, after, &random, |how, disk| {
            check_opens(disk, &messages, *surely, *at_most, &format!("seed {seed}, state {n}, {how}"));
        });
    }
    cuts
}

#[test]
fn a_cut_leaves_what_was_answered() {
    // The log is begun again every few messages, and not at all.
    let seeds = std::env::var("REPUTE_POWER_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    for seed in 1..=seeds {
        let log_octets = [32 << 20, 64 << 10, 16 << 10][seed as usize % 3];
        let cuts = check_cuts(log_octets, seed);
        assert!(cuts > 300, "{cuts}");
    }
}

/// Where in the log the last frame ends that was written between two states.
fn last_frame_written(before: &[u8], after: &[u8]) -> usize {
    let differs = |at: &usize| before.get(*at) != after.get(*at);
    let last = (0..after.len()).rev().find(differs).unwrap();
    HEADER + (last - HEADER + 1).div_ceil(FRAME) * FRAME
}

/// The log's tail cut off, zeroed or scribbled over at every frame and beside it.
#[test]
fn a_torn_log_gives_what_was_answered_before_the_tear() {
    let messages: Vec<_> =
        (1..=12).map(|n| message(n, octets(n, 3_000 * n as usize % 9_000), &["a.example"])).collect();
    let states = record(32 << 20, &messages);
    let ends: Vec<usize> = states.windows(2).map(|pair| last_frame_written(&pair[0].0[1], &pair[1].0[1])).collect();
    assert!(ends.is_sorted() && ends.len() == messages.len());
    let (last, _) = states.last().unwrap();
    let frames = (HEADER..last[1].len()).step_by(FRAME).flat_map(|at| [at - 1, at, at + 1, at + 24, at + 2000]);
    for cut in frames.filter(|cut| *cut < last[1].len()) {
        let surely = ends.iter().filter(|end| **end <= cut).count();
        for (how, fill) in [("cut off", None), ("zeroed", Some(0)), ("scribbled over", Some(0x5a))] {
            let mut log = last[1].clone();
            match fill {
                None => log.truncate(cut),
                Some(octet) => log[cut..].fill(octet),
            }
            check_opens(&[last[0].clone(), log], &messages, surely, surely, &format!("{how} at {cut}"));
        }
    }
}
