//! After a backlog the spool's file gives its space back, while mail goes on.
//!
//! `REPUTE_BACKLOG_MB=4000 cargo test -p repute-spool --test space -- --nocapture` for one of gigabytes.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::*;
use repute_spool::sqlite::Step;
use repute_spool::{Spool, SqliteSpool};
use repute_types::Content;

const CONTENT: usize = 1 << 20;
/// What may stay in the database for the mail to come, and what the log may keep (docs/spool.md).
const KEPT: u64 = 20 << 20;
const LOG: u64 = 64 << 20;

fn backlog() -> u64 {
    std::env::var("REPUTE_BACKLOG_MB").ok().and_then(|n| n.parse().ok()).unwrap_or(160)
}

fn octets_of(dir: &Path, file: &str) -> u64 {
    std::fs::metadata(dir.join(file)).map_or(0, |found| found.len())
}

/// Fills a spool and settles all of it; says how large its file was.
async fn fill_and_empty(spool: &Arc<SqliteSpool>, dir: &Path) -> u64 {
    let content = Content::from(octets(1, CONTENT));
    let mut commits = tokio::task::JoinSet::new();
    for number in 1..=backlog() {
        let (spool, content) = (spool.clone(), content.clone());
        commits.spawn(async move { spool.commit(message(number, content, &["a.example"])).await.map(drop) });
        if commits.len() >= 16 {
            commits.join_next().await.unwrap().unwrap().unwrap();
        }
    }
    while let Some(committed) = commits.join_next().await {
        committed.unwrap().unwrap();
    }
    let full = octets_of(dir, "spool.sqlite");
    (1..=backlog()).for_each(|number| spool.settle(done(number, 0)));
    spool.flush().await.unwrap();
    full
}

#[tokio::test]
async fn in_quiet_moments_all_of_it_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Arc::new(SqliteSpool::open(dir.path(), watched(|_| Ok(()))).unwrap());
    let full = fill_and_empty(&spool, dir.path()).await;
    assert!(full > backlog() * (CONTENT as u64) / 2, "{full}");
    for _ in 0..=backlog() / 40 {
        if octets_of(dir.path(), "spool.sqlite") <= KEPT {
            break;
        }
        eventually("it gives space back", || octets_of(dir.path(), "spool.sqlite") < full - (4 << 20)).await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    let (left, log) = (octets_of(dir.path(), "spool.sqlite"), octets_of(dir.path(), "spool.sqlite-wal"));
    println!("{} MiB at the most, {} MiB and {} MiB of log in the end", full >> 20, left >> 20, log >> 20);
    assert!(left <= KEPT, "{left} octets are kept");
    assert!(log <= LOG, "{log} octets of log are kept");
}

/// There may be no quiet moment. Then a step of 4 MiB is made with every 64th transaction, so that
/// a message never waits for more than one.
#[tokio::test]
async fn under_load_it_comes_back_step_by_step() {
    let dir = tempfile::tempdir().unwrap();
    let transactions = Arc::new(AtomicU64::new(0));
    let count = transactions.clone();
    let hook = move |step| {
        count.fetch_add(u64::from(step == Step::AfterCommit), Ordering::Relaxed);
        Ok(())
    };
    let spool = Arc::new(SqliteSpool::open(dir.path(), watched(hook)).unwrap());
    let full = fill_and_empty(&spool, dir.path()).await;
    let begun = transactions.load(Ordering::Relaxed);
    // A step of 4 MiB each 64 transactions, and some that free nothing while the log is copied.
    let most = 64 * (full >> 22) * 2 + 1000;
    let (mut number, mut longest) = (backlog(), std::time::Duration::ZERO);
    while octets_of(dir.path(), "spool.sqlite") > KEPT {
        number += 1;
        let asked = std::time::Instant::now();
        spool.commit(small(number)).await.unwrap();
        longest = longest.max(asked.elapsed());
        spool.settle(done(number, 0));
        let made = transactions.load(Ordering::Relaxed) - begun;
        assert!(made <= most, "after {made} transactions {} octets", octets_of(dir.path(), "spool.sqlite"));
    }
    let made = transactions.load(Ordering::Relaxed) - begun;
    let given = (full - KEPT) >> 20;
    println!("{given} MiB given back within {made} transactions of other mail, of which none took over {longest:?}");
}
