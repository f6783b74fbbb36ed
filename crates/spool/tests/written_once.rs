//! A message that is delivered at once is written once, by a handful of calls, also where it has some mebibytes.
//!
//! Alone in its program, because it counts what the whole of it writes.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use common::*;
use repute_spool::{Spool, SqliteSpool};

/// Octets that the program handed to write calls, and how many calls those were.
fn written() -> (u64, u64) {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    let of = |name| io.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().parse().unwrap();
    (of("wchar: "), of("syscw: "))
}

/// Three mebibytes went into the database at once: twice as much was written, by two thousand calls.
#[tokio::test]
async fn a_message_of_some_mebibytes_that_is_delivered_at_once_is_written_once() {
    let dir = tempfile::tempdir().unwrap();
    let spool = SqliteSpool::open(dir.path(), watched(|_| Ok(()))).unwrap();
    let (before, size, messages) = (written(), 3 << 20, 5);
    for n in 1..=messages {
        spool.commit(message(n, octets(n, size), &["a.example"])).await.unwrap();
        spool.settle(done(n, 0));
    }
    spool.flush().await.unwrap();
    let (octets, calls) = written();
    let (octets, calls) = (octets - before.0, calls - before.1);
    assert!(octets < messages * size as u64 * 11 / 10, "{octets} octets");
    assert!(calls < 200, "{calls} calls");
}
