//! A disk that is full, and one that is read-only: a real small file system where we may mount
//! one, a bounded database everywhere.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::*;
use repute_spool::sqlite::Options;
use repute_spool::{Hold, Holder, OpenError, PartRecord, PartState, Refusal, Spool, SpoolError, SqliteSpool};

/// A file system in memory, unmounted at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(dir: &Path, options: &str) -> Option<SmallDisk> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(dir).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(SmallDisk(dir.to_owned()));
        }
        println!("NOT TESTED on a real file system: only root may mount one; run this test as root");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status().unwrap();
        assert!(unmounted.success());
    }
}

/// Commits until the disk refuses; gives the number of the first that was refused.
async fn fill(spool: &SqliteSpool, mut next: u64) -> u64 {
    loop {
        match spool.commit(message(next, octets(next, 40_000), &["a.example"])).await {
            Ok(_) => next += 1,
            Err(SpoolError::Storage(_)) => return next,
            Err(other) => panic!("{other}"),
        }
        assert!(next < 10_000, "the disk never fills");
    }
}

async fn check_whole(spool: &SqliteSpool, numbers: impl IntoIterator<Item = u64>) {
    let left: Vec<_> = spool.scan(None, 10_000).await.unwrap().iter().map(|(meta, _)| meta.id.0).collect();
    assert_eq!(left, numbers.into_iter().collect::<Vec<_>>());
    for n in left {
        assert!(spool.content(id(n)).await.unwrap().to_vec() == octets(n, 40_000), "{n}");
    }
}

/// Fills, delivers something, goes on, opens again.
async fn fill_and_recover(dir: &Path, options: Options) {
    let spool = SqliteSpool::open(dir, options.clone()).unwrap();
    let refused = fill(&spool, 1).await;
    assert!(refused > 10, "only {refused} fitted");
    check_whole(&spool, 1..refused).await;
    // What is full for a large one has room for a small one, or says so; either is an answer.
    let _ = spool.commit(small(5_000)).await.map(|_| spool.settle(done(5_000, 0)));
    // Deliveries are recorded on a full disk, and make room.
    let half = refused / 2;
    for n in 1..half {
        spool.settle(done(n, 0));
    }
    flush_soon(&spool).await;
    check_whole(&spool, half..refused).await;
    // Room comes back within moments: the database gives up what was freed, then mail is taken.
    let mut next = 6_000;
    for _ in 0..100 {
        next = fill(&spool, next).await;
        if next > 6_003 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(next > 6_003, "room for {} came back", next - 6_000);
    let expected: Vec<u64> = (half..refused).chain(6_000..next).collect();
    check_whole(&spool, expected.clone()).await;
    drop(spool);
    let spool = SqliteSpool::open(dir, options).unwrap();
    check_whole(&spool, expected).await;
}

/// The first try may meet the full disk, and makes room by giving up the reserve; what it could
/// not write is tried again by the spool itself, within moments.
async fn flush_soon(spool: &SqliteSpool) {
    for _ in 0..100 {
        if spool.flush().await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("deliveries are not recorded on a full disk: {} wait", spool.unsettled());
}

#[tokio::test]
async fn a_database_at_its_bound() {
    let dir = tempfile::tempdir().unwrap();
    fill_and_recover(dir.path(), Options { max_octets: Some(2 << 20), ..Options::default() }).await;
}

#[tokio::test]
async fn a_full_file_system() {
    let dir = tempfile::tempdir().unwrap();
    for log_octets in [128 << 10, 512 << 10] {
        let Some(_disk) = SmallDisk::mount(dir.path(), "size=4m") else { return };
        fill_and_recover(&dir.path().join("spool"), Options { log_octets, ..Options::default() }).await;
    }
}

#[tokio::test]
async fn a_full_file_system_that_somebody_else_filled() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(dir.path(), "size=8m") else { return };
    let spool =
        SqliteSpool::open(&dir.path().join("spool"), Options { log_octets: 512 << 10, ..Options::default() }).unwrap();
    for n in 1..=20 {
        spool.commit(message(n, octets(n, 40_000), &["a.example"])).await.unwrap();
    }
    let ballast = dir.path().join("ballast");
    let filled = std::fs::write(&ballast, vec![0; 8 << 20]);
    assert!(filled.is_err());
    let refused = fill(&spool, 21).await;
    std::fs::remove_file(&ballast).unwrap();
    let refused_later = fill(&spool, refused).await;
    assert!(refused_later > refused, "accepts again as soon as there is room");
    check_whole(&spool, 1..refused_later).await;
}

/// A command that held mail said that the spool cannot be written, and had held it: what it changed was in the journal, which
/// has its room, and only the database could not take it over.
#[tokio::test]
async fn what_is_settled_without_an_octet_left_is_on_disk_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(dir.path(), "size=8m") else { return };
    let (folder, ballast) = (dir.path().join("spool"), dir.path().join("ballast"));
    let options = Options { log_octets: 512 << 10, ..Options::default() };
    let spool = SqliteSpool::open(&folder, options.clone()).unwrap();
    assert_eq!(spool.refusal(), None);
    let refused = fill(&spool, 1).await;
    let Some(Refusal::Full(why)) = spool.refusal() else { panic!("{:?}", spool.refusal()) };
    assert!(why.contains("of the disk are free"), "{why}");
    for _ in 0..3 {
        let _ = std::fs::write(&ballast, vec![0; 8 << 20]);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for n in 1..refused {
        let held = PartState::Held(Hold::new(Holder::Operator, "by an operator"));
        spool.settle(keep(PartRecord { state: held, ..part(n, 0, "a.example") }));
    }
    spool.flush().await.unwrap();
    assert_eq!(spool.unsettled(), 0);
    drop(spool);
    std::fs::remove_file(&ballast).unwrap();
    let spool = SqliteSpool::open(&folder, options).unwrap();
    let rows = spool.scan(None, 10_000).await.unwrap();
    assert_eq!(rows.len() as u64, refused - 1);
    assert!(rows.iter().all(|(_, part)| matches!(part.state, PartState::Held(_))));
    // Deliveries make room, and it is known without a message.
    for n in 1..refused {
        spool.settle(done(n, 0));
    }
    eventually("mail is taken again", || spool.refusal().is_none()).await;
}

#[test]
fn a_read_only_file_system_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(dir.path(), "size=4m,ro") else { return };
    let refused = SqliteSpool::open(&dir.path().join("spool"), Options::default()).err().unwrap();
    assert!(matches!(refused, OpenError::Folder { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_large_message_that_does_not_fit_fails_alone() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(dir.path(), "size=8m") else { return };
    let options = Options { log_octets: 512 << 10, ..Options::default() };
    let spool = SqliteSpool::open(dir.path(), options).unwrap();
    let large = message(2, octets(2, 8 << 20), &["a.example"]);
    let (one, two, three) = tokio::join!(spool.commit(small(1)), spool.commit(large), spool.commit(small(3)));
    assert!(one.is_ok() && three.is_ok());
    assert!(matches!(two, Err(SpoolError::Storage(_))));
    let left: Vec<_> = spool.scan(None, 10).await.unwrap().iter().map(|(meta, _)| meta.id.0).collect();
    assert_eq!(left, [1, 3]);
    // What was written of it takes no room.
    spool.commit(message(4, octets(4, 3 << 20), &["a.example"])).await.unwrap();
}

/// "Move it away to start empty" was said of a queue that was whole.
#[tokio::test]
async fn a_full_disk_at_start_asks_for_room_and_keeps_the_queue() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { max_octets: Some(3 * 4096), ..Options::default() };
    let Err(error) = SqliteSpool::open(dir.path(), options) else { panic!("it was opened without room") };
    let text = error.to_string();
    assert!(matches!(error, OpenError::Database { .. }) && text.contains("make room on the disk"), "{text}");
    assert!(!text.contains("move"), "{text}");
    // With room it opens; a database that is none is another matter.
    drop(SqliteSpool::open(dir.path(), Options::default()).unwrap());
    for name in ["spool.sqlite-wal", "spool.sqlite-shm"] {
        let _ = std::fs::remove_file(dir.path().join(name));
    }
    std::fs::write(dir.path().join("spool.sqlite"), [7; 8192]).unwrap();
    let Err(error) = SqliteSpool::open(dir.path(), Options::default()) else { panic!("no database was opened") };
    assert!(error.to_string().contains("it is damaged: restore it, or move it away"), "{error}");
}

/// The same on a disk that has no room at all.
#[tokio::test]
async fn a_start_on_a_full_disk_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(dir.path(), "size=64k") else { return };
    // Up to the last octet: what is left is less than a page.
    let mut filler = std::fs::File::create(dir.path().join("filler")).unwrap();
    while std::io::Write::write(&mut filler, &[0; 4096]).is_ok_and(|n| n > 0) {}
    let Err(error) = SqliteSpool::open(&dir.path().join("spool"), Options::default()) else { panic!("it was opened") };
    let text = error.to_string();
    assert!(text.contains("room") && !text.contains("move"), "{text}");
}

/// Nothing could be taken out of a queue that filled the disk, once others had taken the rest of it: what freed room needed some.
#[tokio::test]
async fn what_is_cancelled_on_a_disk_that_others_filled_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(dir.path(), "size=16m") else { return };
    let (folder, ballast) = (dir.path().join("spool"), dir.path().join("ballast"));
    let options = Options { log_octets: 512 << 10, ..Options::default() };
    let spool = SqliteSpool::open(&folder, options.clone()).unwrap();
    let refused = fill(&spool, 1).await;
    assert!(refused > 100, "only {refused} fitted");
    // Whoever fills the disk does not stop.
    let (filling, filler) = (Arc::new(AtomicBool::new(true)), ballast.clone());
    let is_filling = filling.clone();
    let filler = tokio::task::spawn_blocking(move || {
        let mut file = std::fs::File::options().create(true).append(true).open(filler).unwrap();
        while is_filling.load(Ordering::Relaxed) {
            while std::io::Write::write(&mut file, &[0; 4096]).is_ok_and(|n| n > 0) {}
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    tokio::time::sleep(Duration::from_millis(600)).await;
    // What does not end anything takes the journal's room, until nothing more is written.
    for round in 0..100 {
        for n in 1..refused {
            let held = PartState::Held(Hold::new(Holder::Operator, format!("by an operator, for the {round}th time")));
            spool.settle(keep(PartRecord { state: held, ..part(n, 0, "a.example") }));
        }
        let began = std::time::Instant::now();
        let written = spool.flush().await;
        assert!(began.elapsed() < Duration::from_secs(10), "{round}: {:?}", began.elapsed());
        if written.is_err() {
            break;
        }
    }
    assert!(spool.unsettled() > 0, "the journal took everything");
    for _ in 0..15 {
        for n in 1..refused {
            spool.settle(keep(part(n, 0, "a.example")));
        }
    }
    tokio::time::sleep(Duration::from_millis(600)).await;
    filling.store(false, Ordering::Relaxed);
    filler.await.unwrap();
    for n in 1..refused {
        spool.settle(done(n, 0));
    }
    flush_soon(&spool).await;
    eventually("mail is taken again", || spool.refusal().is_none()).await;
    assert_eq!(spool.unsettled(), 0);
    spool.commit(small(9_000)).await.unwrap();
    drop(spool);
    let spool = SqliteSpool::open(&folder, options).unwrap();
    let left: Vec<_> = spool.scan(None, 10_000).await.unwrap().iter().map(|(meta, _)| meta.id.0).collect();
    assert_eq!(left, [9_000]);
}
