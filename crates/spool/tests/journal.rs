//! What the spool's journal promises of what stands in its files.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use common::*;
use repute_spool::sqlite::Options;
use repute_spool::{Spool, SqliteSpool};

const PAGE: usize = 4096;
const HEADER: usize = 40;

/// A block without contents or records, as anybody can write it who has read docs/spool.md.
fn forged(form: &str, generation: u64) -> Vec<u8> {
    let rest = [&[0; 8][..], &generation.to_le_bytes(), &[7; 8], &[0; 8]].concat();
    let sum: &[u8] = if form == "RPJ1" { &[] } else { &[0; 8] };
    let checksum = crc32fast::hash(&[&rest, sum].concat());
    [form.as_bytes(), &checksum.to_le_bytes(), &rest].concat()
}

/// What is left of a spool whose process was killed, with an octet of the journal changed.
fn killed_with_rot(spool: &std::path::Path, at: impl Fn(&[u8]) -> Option<usize>) -> tempfile::TempDir {
    let killed = tempfile::tempdir().unwrap();
    for name in ["journal-0", "journal-1", "spool.sqlite", "spool.sqlite-wal"] {
        let mut octets = std::fs::read(spool.join(name)).unwrap();
        if let Some(at) = at(&octets).filter(|_| name == "journal-0") {
            octets[at] ^= 0x10;
        }
        std::fs::write(killed.path().join(name), octets).unwrap();
    }
    killed
}

/// Found by reading, for the fuzz target `spool_journal`: where the first block of a turn is damaged, the next page that
/// begins as a block does was believed, be it what a client had written into its mail: mail behind it was lost.
#[tokio::test]
async fn a_content_that_looks_like_a_block_hides_no_mail() {
    for form in ["RPJ1", "RPJ2"] {
        hides_no_mail(&forged(form, 1 << 40)).await;
    }
}

async fn hides_no_mail(forged: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let spool = SqliteSpool::open(dir.path(), Options::default()).unwrap();
    // Behind the header of the block that it is in: on the second page stands another.
    let content = [&vec![b'-'; PAGE - HEADER][..], forged].concat();
    spool.commit(message(1, content.clone(), &["a.example"])).await.unwrap();
    spool.commit(message(2, octets(2, 10_000), &["a.example"])).await.unwrap();
    let is_there = |journal: &[u8]| journal[PAGE..].starts_with(forged);
    let killed = killed_with_rot(dir.path(), |journal| is_there(journal).then_some(20));
    let spool = SqliteSpool::open(killed.path(), Options::default()).unwrap();
    let left: Vec<_> = spool.scan(None, 10).await.unwrap().iter().map(|(meta, _)| meta.id.0).collect();
    assert_eq!((left, spool.damaged_blocks()), (vec![1, 2], 0));
    assert!(spool.content(id(1)).await.unwrap().to_vec() == content);
}
