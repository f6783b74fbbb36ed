//! The fake is stricter than the real spool, and fails when it is told to.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use common::*;
use repute_spool::memory::Disk;
use repute_spool::{MemorySpool, Spool, SpoolError};

#[tokio::test]
#[should_panic(expected = "was never committed")]
async fn an_unknown_part_cannot_be_settled() {
    MemorySpool::new().settle(done(1, 0));
}

#[tokio::test]
#[should_panic(expected = "a second time")]
async fn an_id_is_used_once() {
    let spool = MemorySpool::new();
    spool.commit(small(1)).await.unwrap();
    spool.settle(done(1, 0));
    let _ = spool.commit(small(1)).await;
}

#[tokio::test]
#[should_panic(expected = "numbered from 0")]
async fn parts_have_no_gaps() {
    let mut message = message(1, octets(1, 10), &["a.example", "b.example"]);
    message.parts.remove(0);
    let _ = MemorySpool::new().commit(message).await;
}

#[tokio::test(start_paused = true)]
async fn it_fails_and_waits_as_it_is_told() {
    let spool = MemorySpool::new();
    spool.commit(small(1)).await.unwrap();
    for disk in [Disk::Full, Disk::ReadOnly] {
        spool.set_disk(disk);
        assert!(matches!(spool.commit(small(2)).await, Err(SpoolError::Storage(_))));
    }
    spool.settle(done(1, 0));
    assert!(matches!(spool.flush().await, Err(SpoolError::Storage(_))));
    assert_eq!(spool.unsettled(), 1);
    let an_hour = std::time::Duration::from_secs(3600);
    spool.set_disk(Disk::Slow(an_hour));
    assert_eq!(spool.unsettled(), 0);
    let begun = tokio::time::Instant::now();
    spool.commit(small(2)).await.unwrap();
    assert_eq!(begun.elapsed(), an_hour);
    spool.damage(id(2));
    assert!(matches!(spool.content(id(2)).await, Err(SpoolError::Damaged(m)) if m == id(2)));
}
