//! What the system counts as written for a message is about what is written for it.
//!
//! Alone in its program, because it counts what the whole of it writes.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use common::*;
use repute_spool::{Spool, SqliteSpool};

/// Octets that the program had written to disks, as the kernel counts them; none where the folder is in memory.
fn written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap().trim().parse().unwrap()
}

/// A message of 100 octets was counted as a mebibyte: the journal was made a mebibyte at a time, and the kernel keeps and counts
/// it in such pieces.
#[tokio::test]
async fn a_small_message_is_counted_as_small() {
    let dir = tempfile::tempdir().unwrap();
    let spool = SqliteSpool::open(dir.path(), watched(|_| Ok(()))).unwrap();
    let (before, messages) = (written(), 50);
    for n in 1..=messages {
        spool.commit(message(n, octets(n, 100), &["a.example"])).await.unwrap();
    }
    let each = (written() - before) / messages;
    assert!(each < 64 << 10, "{each} octets are counted for each");
}
