//! Large contents stand in files of their own, and go with their messages, whatever happens in between.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use common::*;
use repute_spool::sqlite::{Fault, Options, Step};
use repute_spool::{NewMessage, Spool, SpoolError, SqliteSpool};

/// Small segments, so that little is large.
fn options() -> Options {
    Options { log_octets: 64 << 10, ..Options::default() }
}

fn open(dir: &Path) -> SqliteSpool {
    SqliteSpool::open(dir, options()).unwrap()
}

fn large(number: u64) -> NewMessage {
    message(number, octets(number, 100_000), &["a.example", "b.example"])
}

/// The numbers of the messages whose contents stand beside.
fn beside(dir: &Path) -> Vec<u64> {
    let names = std::fs::read_dir(dir.join("large")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut numbers: Vec<u64> =
        names.map(|n| n.to_str().unwrap().parse::<repute_types::MessageId>().unwrap().0).collect();
    numbers.sort_unstable();
    numbers
}

async fn is_whole(spool: &SqliteSpool, number: u64) -> bool {
    spool.content(id(number)).await.unwrap().to_vec() == octets(number, 100_000)
}

async fn settle(spool: &SqliteSpool, number: u64, part: u32) {
    spool.settle(done(number, part));
    spool.flush().await.unwrap();
}

#[tokio::test]
async fn a_large_content_stands_beside_until_the_last_part_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    for number in [1, 2] {
        spool.commit(large(number)).await.unwrap();
    }
    spool.commit(small(3)).await.unwrap();
    assert_eq!(beside(dir.path()), [1, 2]);
    assert!(is_whole(&spool, 1).await && is_whole(&spool, 2).await);
    // One goes while it stands in the journal.
    settle(&spool, 1, 0).await;
    assert_eq!(beside(dir.path()), [1, 2]);
    settle(&spool, 1, 1).await;
    assert_eq!(beside(dir.path()), [2]);
    assert!(matches!(spool.content(id(1)).await, Err(SpoolError::Missing(_))));
    // The other when it stands in the database.
    drop(spool);
    let spool = open(dir.path());
    assert!(is_whole(&spool, 2).await);
    settle(&spool, 2, 0).await;
    assert!(is_whole(&spool, 2).await);
    settle(&spool, 2, 1).await;
    assert!(matches!(spool.content(id(2)).await, Err(SpoolError::Missing(_))));
    drop(spool);
    assert_eq!(beside(dir.path()), [] as [u64; 0]);
}

#[tokio::test]
async fn large_bulk_mail_whose_recipients_are_kept_stands_beside() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let mut bulk = large(1);
    bulk.meta.members = true;
    spool.commit(bulk).await.unwrap();
    assert_eq!(beside(dir.path()), [1]);
    assert!(is_whole(&spool, 1).await);
    settle(&spool, 1, 0).await;
    settle(&spool, 1, 1).await;
    drop(spool);
    assert_eq!(beside(dir.path()), [] as [u64; 0]);
}

/// In the journal and in the database, with an octet changed, one too many, and none left.
#[tokio::test]
async fn a_large_content_that_rots_damages_its_message_alone() {
    for in_database in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = open(dir.path());
        for number in 1..=4 {
            spool.commit(large(number)).await.unwrap();
        }
        if in_database {
            drop(spool);
            spool = open(dir.path());
        }
        let path = |number| dir.path().join("large").join(id(number).to_string());
        let mut rotten = octets(1, 100_000);
        rotten[70_000] ^= 1;
        std::fs::write(path(1), rotten).unwrap();
        std::fs::write(path(2), [octets(2, 100_000), vec![0]].concat()).unwrap();
        std::fs::remove_file(path(3)).unwrap();
        for number in 1..=3 {
            let damaged = spool.content(id(number)).await;
            assert!(matches!(damaged, Err(SpoolError::Damaged(found)) if found == id(number)), "{number}: {damaged:?}");
        }
        assert!(is_whole(&spool, 4).await);
        assert_eq!(spool.scan(None, 100).await.unwrap().len(), 8, "the queue names them all");
    }
}

#[tokio::test]
async fn a_large_content_goes_where_its_message_was_refused() {
    for (step, fault) in
        [(Step::Beside, Fault::Full), (Step::BeforeCommit, Fault::Full), (Step::BeforeCommit, Fault::Io)]
    {
        let dir = tempfile::tempdir().unwrap();
        let faults = Arc::new(AtomicU32::new(0));
        let left = faults.clone();
        let hook = move |at| match left.load(Ordering::SeqCst) {
            0 => Ok(()),
            _ if at != step => Ok(()),
            _ => Err(fault),
        };
        let spool = SqliteSpool::open(dir.path(), Options { log_octets: 64 << 10, ..watched(hook) }).unwrap();
        spool.commit(large(1)).await.unwrap();
        faults.store(1, Ordering::SeqCst);
        let refused = spool.commit(large(2)).await;
        assert!(matches!(refused, Err(SpoolError::Storage(_))), "{refused:?}");
        assert_eq!(beside(dir.path()), [1], "{step:?}");
        faults.store(0, Ordering::SeqCst);
        // Another message of an id that is there leaves that one's content alone.
        assert!(spool.commit(large(1)).await.is_err());
        assert!(is_whole(&spool, 1).await);
        // The client sends it again.
        eventually("it takes mail", || spool.refusal().is_none()).await;
        spool.commit(large(2)).await.unwrap();
        assert!(is_whole(&spool, 2).await);
    }
}

#[tokio::test]
async fn a_large_content_goes_where_nobody_waits_for_its_message() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    for number in 1..=20 {
        let gives_up = std::time::Duration::from_micros(100 * number);
        let _ = tokio::time::timeout(gives_up, spool.commit(large(number))).await;
    }
    spool.commit(small(100)).await.unwrap();
    let left = spool.scan(None, 1000).await.unwrap();
    for (meta, part) in left.iter().filter(|(meta, _)| meta.id != id(100)) {
        assert!(is_whole(&spool, meta.id.0).await);
        spool.settle(done(meta.id.0, part.id.number));
    }
    spool.flush().await.unwrap();
    drop(spool);
    assert_eq!(beside(dir.path()), [] as [u64; 0]);
}

/// What a process that was killed left there took room for ever.
#[tokio::test]
async fn a_content_of_no_message_goes_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    for number in [1, 2] {
        spool.commit(large(number)).await.unwrap();
    }
    drop(spool);
    let spool = open(dir.path());
    spool.commit(large(3)).await.unwrap();
    let killed = tempfile::tempdir().unwrap();
    std::fs::create_dir(killed.path().join("large")).unwrap();
    for name in ["journal-0", "journal-1", "spool.sqlite", "spool.sqlite-wal"] {
        std::fs::copy(dir.path().join(name), killed.path().join(name)).unwrap();
    }
    let path = |number| killed.path().join("large").join(id(number).to_string());
    for number in [1, 2, 3] {
        std::fs::write(path(number), octets(number, 100_000)).unwrap();
    }
    std::fs::write(path(4), "half of it").unwrap();
    let not_ours = killed.path().join("large/README");
    std::fs::write(&not_ours, "somebody's").unwrap();
    let spool = open(killed.path());
    assert!(not_ours.exists());
    std::fs::remove_file(not_ours).unwrap();
    assert_eq!(beside(killed.path()), [1, 2, 3]);
    for number in [1, 2, 3] {
        assert!(is_whole(&spool, number).await);
    }
}
