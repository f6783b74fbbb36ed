//! A spool that has nothing to do costs nothing: the thread that writes sleeps until somebody calls it.
//!
//! Alone in its program, because it counts how often the thread of that name woke.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use std::time::Duration;

use common::*;
use repute_spool::{Spool, SqliteSpool};

/// How often the threads of a name have given up a processor to wait for something.
fn waits_of(name: &str) -> u64 {
    let mut waits = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        if std::fs::read_to_string(task.join("comm")).unwrap().trim_end() == name {
            let status = std::fs::read_to_string(task.join("status")).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
            waits += line.trim().parse::<u64>().unwrap();
        }
    }
    assert!(waits > 0, "no thread is called {name}");
    waits
}

/// A look at whether space is to be given back counted as a use of the database, after which it was to look again.
#[tokio::test]
async fn nobody_looks_ten_times_a_second_at_what_nobody_uses() {
    let dir = tempfile::tempdir().unwrap();
    let spool = SqliteSpool::open(dir.path(), watched(|_| Ok(()))).unwrap();
    spool.commit(message(1, octets(1, 100), &["a.example"])).await.unwrap();
    spool.settle(done(1, 0));
    spool.flush().await.unwrap();
    // What is in the journal goes into the database after a second, and then space may be given back.
    for _ in 0..60 {
        let before = waits_of("spool");
        tokio::time::sleep(Duration::from_secs(1)).await;
        if waits_of("spool") == before {
            return;
        }
    }
    panic!("the thread that writes woke in each of sixty seconds");
}
