//! A power cut at every sync boundary.
//!
//! What is on the disk is copied at each instant at which the writer relies on it: after each
//! commit, before it is answered, after a large content is written, after all of a segment of the journal has gone into
//! the database, and after each copy of the database's log. A cut then leaves the last
//! such state, with any selection of the sectors written since: none, all, the first so many,
//! or at random. Whatever remains is opened. Promise: every message answered by then is
//! there whole; the one under way is there whole or not at all; nothing else is.
//! `REPUTE_POWER_SEEDS=100 cargo test -p repute-spool --test power` cuts more often.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex};
use std::thread::ThreadId;

use common::*;
use repute_spool::sqlite::{Options, Step};
use repute_spool::{CampaignState, CampaignWrite, Ended, NewMessage, Spool, SqliteSpool};
use repute_testkit::power::{Image, each_cut, image, lay};
use repute_types::{Random, SeededRandom, Timestamp};

const FILES: [&str; 4] = ["journal-0", "journal-1", "spool.sqlite", "spool.sqlite-wal"];
/// Messages of a run at most: each may have a file beside.
const MESSAGES: u64 = 24;
/// Of a block in the journal: its header (docs/spool.md), and where the next one may begin.
const HEADER: usize = 40;
const PAGE: usize = 4096;

/// In memory where there is such a place: what is synced is copied by the test, so no disk is needed.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// All files that there may be.
fn files() -> &'static [&'static str] {
    static FOUND: LazyLock<Vec<&str>> = LazyLock::new(|| {
        let large = (1..=MESSAGES).map(|n| &*format!("large/{}", id(n)).leak());
        FILES.into_iter().chain(large).collect()
    });
    &FOUND
}

/// One thing at a time: a transaction or a copy of the log, so that the copies are of one instant. A step of the
/// drain may be part of a transaction.
#[derive(Default)]
struct Turn {
    taken: Mutex<Option<(ThreadId, u32)>>,
    free: Condvar,
}

impl Turn {
    fn take(&self) {
        let me = std::thread::current().id();
        let taken = self.taken.lock().unwrap();
        let mut taken = self.free.wait_while(taken, |taken| taken.is_some_and(|(by, _)| by != me)).unwrap();
        *taken = Some((me, taken.map_or(1, |(_, times)| times + 1)));
    }

    fn give(&self) {
        let mut taken = self.taken.lock().unwrap();
        *taken = taken.and_then(|(by, times)| (times > 1).then(|| (by, times - 1)));
        self.free.notify_one();
    }
}

/// The states of the disk at the instants that are relied on, and how many messages had been
/// committed by then.
fn record(log_octets: u64, messages: &[NewMessage]) -> Vec<(Image, usize)> {
    let commit = async |spool: &SqliteSpool| {
        for message in messages {
            spool.commit(message.clone()).await.unwrap();
        }
    };
    record_of(log_octets, async |_| {}, commit)
}

/// The same of what is done after a preparation.
fn record_of(
    log_octets: u64,
    prepare: impl AsyncFnOnce(&SqliteSpool),
    act: impl AsyncFnOnce(&SqliteSpool),
) -> Vec<(Image, usize)> {
    let dir = folder();
    let (path, turn): (PathBuf, Arc<Turn>) = (dir.path().to_owned(), Arc::default());
    let (images, started) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let hook = {
        let (images, started, committed) = (images.clone(), started.clone(), Mutex::new(0));
        move |step| {
            if !started.load(Ordering::SeqCst) {
                return Ok(());
            }
            match step {
                Step::BeforeTransaction | Step::BeforeDrain => turn.take(),
                Step::BeforeCheckpoint => {
                    turn.take();
                    // Nothing goes from the log into the database before the log is synced.
                    images.lock().unwrap().push((image(&path, files()), *committed.lock().unwrap()));
                }
                Step::AfterCommit | Step::Drained | Step::AfterCheckpoint => {
                    let mut committed = committed.lock().unwrap();
                    *committed += usize::from(step == Step::AfterCommit);
                    images.lock().unwrap().push((image(&path, files()), *committed));
                    if step != Step::Drained {
                        turn.give();
                    }
                }
                Step::Beside => {
                    turn.take();
                    images.lock().unwrap().push((image(&path, files()), *committed.lock().unwrap()));
                    turn.give();
                }
                Step::AfterDrain => turn.give(),
                _ => {}
            }
            Ok(())
        }
    };
    let options = Options { log_octets, ..watched(hook) };
    let spool = SqliteSpool::open(dir.path(), options).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(prepare(&spool));
    images.lock().unwrap().push((image(dir.path(), files()), 0));
    started.store(true, Ordering::SeqCst);
    runtime.block_on(act(&spool));
    started.store(false, Ordering::SeqCst);
    std::mem::take(&mut *images.lock().unwrap())
}

fn check_opens(disk: &Image, messages: &[NewMessage], surely: usize, at_most: usize, what: &str) {
    let dir = folder();
    lay(dir.path(), disk);
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
    // Some stand beside.
    let most = |n| if n % 4 == 0 { 100_000 } else { 12_000 };
    let messages: Vec<_> =
        (1..=MESSAGES).map(|n| message(n, octets(n, random.below(most(n)) as usize), &["a.example"])).collect();
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
    // The journal and the log are begun again every few messages, and not at all.
    let seeds = std::env::var("REPUTE_POWER_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    for seed in 1..=seeds {
        let log_octets = [256 << 10, 64 << 10, 16 << 10][seed as usize % 3];
        let cuts = check_cuts(log_octets, seed);
        assert!(cuts > 300, "{cuts}");
    }
}

/// A campaign of 60 is cancelled and taken out in blocks, some of it delivered meanwhile: whatever a cut leaves,
/// everybody is either still there or counted, and from the answer on it is over.
#[test]
fn a_cut_leaves_a_cancelled_campaign_that_can_be_gone_on_with() {
    const PEOPLE: u32 = 60;
    let prepare = async |spool: &SqliteSpool| {
        begin(spool, 7).await;
        append(spool, 7, &(0..PEOPLE).collect::<Vec<_>>(), PEOPLE).await;
        let launch = CampaignWrite::Launch { meta: letter(7), at: Timestamp(5) };
        spool.change_campaign(launch).await.unwrap();
    };
    let set = async |spool: &SqliteSpool, state| {
        spool.change_campaign(CampaignWrite::State { id: id(7), state }).await.unwrap();
    };
    let act = async |spool: &SqliteSpool| {
        set(spool, CampaignState::Cancelling).await;
        for first in (0..PEOPLE).step_by(10) {
            spool.settle(ended(7, first + 3, Ended::Delivered));
            let parts = (first..first + 10).collect();
            spool.change_campaign(CampaignWrite::TakeOut { id: id(7), parts, never_sent: true }).await.unwrap();
        }
        set(spool, CampaignState::Cancelled).await;
    };
    for (seed, log_octets) in [(1, 256 << 10), (2, 16 << 10)] {
        let states = record_of(log_octets, prepare, act);
        let random = SeededRandom::new(seed);
        let (mut cuts, mut over) = (0, 0);
        for (n, pair) in states.windows(2).enumerate() {
            let [(before, surely), (after, _)] = pair else { unreachable!("pairs") };
            cuts += each_cut(before, after, &random, |how, disk| {
                let what = format!("seed {seed}, state {n}, {how}");
                over += u32::from(check_campaign(disk, *surely > 0, &what));
            });
        }
        assert!(cuts > 100 && over > 0, "{cuts} cuts, {over} of them at the end");
    }
}

/// Whether nothing of it is left.
fn check_campaign(disk: &Image, answered: bool, what: &str) -> bool {
    let dir = folder();
    lay(dir.path(), disk);
    let spool = SqliteSpool::open(dir.path(), Options { log_octets: 64 << 10, ..Options::default() })
        .unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        spool.flush().await.unwrap_or_else(|error| panic!("{what}: flush: {error}"));
        let campaign = spool.campaigns().await.unwrap().remove(0);
        let left = spool.scan(None, 1000).await.unwrap();
        assert!(!answered || campaign.state.is_over(), "{what}: {campaign:?}");
        assert_eq!(campaign.tally.waiting(), left.len() as u64, "{what}: {campaign:?}");
        let mut known = 0;
        for number in 0..60 {
            known += u64::from(spool.member(part_id(7, number)).await.unwrap().is_some());
        }
        assert_eq!(known, left.len() as u64 + campaign.tally.delivered, "{what}: {campaign:?}");
        // It is gone on with.
        let parts = left.iter().map(|(_, part)| part.id.number).collect();
        spool.change_campaign(CampaignWrite::TakeOut { id: id(7), parts, never_sent: true }).await.unwrap();
        let tally = spool.campaigns().await.unwrap().remove(0).tally;
        assert_eq!((tally.waiting(), tally.delivered + tally.cancelled), (0, 60), "{what}: {tally:?}");
        left.is_empty()
    })
}

/// Where each block of a journal begins and ends.
fn blocks(journal: &[u8]) -> Vec<(usize, usize)> {
    let (mut at, mut found) = (0, Vec::new());
    while journal[at..].starts_with(b"RPJ2") {
        let length =
            |field: usize| u32::from_le_bytes(journal[at + field..at + field + 4].try_into().unwrap()) as usize;
        let end = at + HEADER + length(8) + length(12);
        found.push((at, end));
        at = end.next_multiple_of(PAGE);
    }
    found
}

/// The journal's tail zeroed or scribbled over at every block and beside it.
#[test]
fn a_torn_journal_gives_what_was_answered_before_the_tear() {
    let messages: Vec<_> =
        (1..=12).map(|n| message(n, octets(n, 3_000 * n as usize % 9_000), &["a.example"])).collect();
    let states = record(256 << 10, &messages);
    let (last, _) = states.last().unwrap();
    let journal = &last[0].1;
    let blocks = blocks(journal);
    assert_eq!(blocks.len(), messages.len());
    let cuts = blocks.iter().flat_map(|(at, end)| [*at, at + 1, at + HEADER, at + 60, end - 1, *end]);
    for cut in cuts {
        let surely = blocks.iter().filter(|(_, end)| *end <= cut).count();
        for (how, fill) in [("zeroed", 0), ("scribbled over", 0x5a)] {
            let mut disk = last.clone();
            // What is left of a page is zero, and nothing stands behind the last block.
            if journal[cut..].iter().all(|octet| *octet == fill) {
                continue;
            }
            disk[0].1[cut..].fill(fill);
            check_opens(&disk, &messages, surely, surely, &format!("{how} at {cut}"));
        }
    }
}
