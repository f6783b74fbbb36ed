//! What the embedded spool promises beyond the common questions.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::*;
use repute_spool::sqlite::{Fault, Options, Step};
use repute_spool::{OpenError, Refusal, Spool, SpoolError, SqliteSpool, Stretch, Walk};
use repute_types::PartId;

fn open(dir: &Path) -> SqliteSpool {
    SqliteSpool::open(dir, Options::default()).unwrap()
}

/// Changes the database behind the spool's back, as bit rot would.
fn meddle(dir: &Path, sql: &str) {
    rusqlite::Connection::open(dir.join("spool.sqlite")).unwrap().execute_batch(sql).unwrap();
}

/// A writer that stands still at a step until it is let go.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, std::sync::Condvar)>);

impl Gate {
    fn close(&self) {
        *self.0.0.lock().unwrap() = true;
    }

    fn open(&self) {
        *self.0.0.lock().unwrap() = false;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), |closed| *closed).unwrap());
    }
}

#[tokio::test]
async fn many_recipients_share_one_transaction_and_one_content() {
    let dir = tempfile::tempdir().unwrap();
    let transactions = Arc::new(AtomicUsize::new(0));
    let count = transactions.clone();
    let options = watched(move |step| {
        count.fetch_add((step == Step::AfterCommit).into(), Ordering::Relaxed);
        Ok(())
    });
    let spool = SqliteSpool::open(dir.path(), options).unwrap();
    let mut message = message(1, octets(1, 4096), &["a.example"]);
    let pending = &mut message.parts[0].recipients;
    *pending = (0..50).map(|_| pending[0].clone()).collect();
    spool.commit(message).await.unwrap();
    drop(spool);
    assert_eq!(transactions.load(Ordering::Relaxed), 1);
    let db = rusqlite::Connection::open(dir.path().join("spool.sqlite")).unwrap();
    let number = |question: &str| db.query_row(question, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(number("SELECT sum(length(data)) FROM content"), 4096);
    assert_eq!(number("SELECT count(*) FROM part"), 1);
}

#[tokio::test]
async fn what_was_committed_and_settled_is_so_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    for n in 1..=3 {
        spool.commit(message(n, octets(n, 2_500_000), &["a.example", "b.example"])).await.unwrap();
    }
    spool.settle(done(1, 0));
    spool.settle(done(2, 0));
    spool.settle(done(2, 1));
    drop(spool);
    let spool = open(dir.path());
    let left: Vec<_> = spool.scan(None, 10).await.unwrap().into_iter().map(|(_, part)| part.id).collect();
    assert_eq!(left, [part_id(1, 1), part_id(3, 0), part_id(3, 1)]);
    assert!(spool.content(id(3)).await.unwrap().to_vec() == octets(3, 2_500_000));
    assert_eq!(spool.last_id().await.unwrap(), Some(id(3)));
}

#[test]
fn a_second_process_is_kept_out() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    assert!(matches!(SqliteSpool::open(dir.path(), Options::default()), Err(OpenError::InUse { .. })));
    drop(first);
    open(dir.path());
}

#[test]
fn a_server_that_starts_while_a_command_reads_the_queue_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let command = open(dir.path());
    let (folder, patience) = (dir.path().to_owned(), std::time::Duration::from_secs(60));
    let server = std::thread::spawn(move || SqliteSpool::open(&folder, Options { patience, ..Options::default() }));
    assert!(matches!(SqliteSpool::open(dir.path(), Options::default()), Err(OpenError::InUse { .. })));
    assert!(!server.is_finished());
    drop(command);
    server.join().unwrap().unwrap();
}

#[test]
fn what_cannot_be_opened_says_why() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    meddle(dir.path(), "PRAGMA user_version = 99");
    let newer = SqliteSpool::open(dir.path(), Options::default());
    assert!(matches!(newer, Err(OpenError::Newer { found: 99, .. })));

    let file = dir.path().join("file");
    std::fs::write(&file, "no folder").unwrap();
    assert!(matches!(SqliteSpool::open(&file, Options::default()), Err(OpenError::Folder { .. })));

    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("spool.sqlite"), [7; 8192]).unwrap();
    assert!(matches!(SqliteSpool::open(other.path(), Options::default()), Err(OpenError::Database { .. })));
}

#[tokio::test]
async fn damage_names_its_message_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    for n in 1..=5 {
        spool.commit(message(n, octets(n, 1_200_000), &["a.example", "b.example"])).await.unwrap();
    }
    drop(spool);
    let key = |n: u64| (n ^ (1 << 63)) as i64;
    meddle(
        dir.path(),
        &format!(
            "UPDATE content SET data = zeroblob(length(data)) WHERE id = (SELECT first + 1 FROM message WHERE id = {});
             DELETE FROM content WHERE id = (SELECT first FROM message WHERE id = {});
             UPDATE message SET meta = substr(meta, 1, length(meta) - 6) || x'00' || substr(meta, -5) WHERE id = {};
             UPDATE part SET record = x'010203' WHERE message = {} AND number = 1;",
            key(1),
            key(2),
            key(3),
            key(4)
        ),
    );
    let spool = open(dir.path());
    let damaged =
        |answer: SpoolError, n| assert!(matches!(&answer, SpoolError::Damaged(m) if *m == id(n)), "{answer:?}");
    damaged(spool.content(id(1)).await.unwrap_err(), 1);
    damaged(spool.content(id(2)).await.unwrap_err(), 2);
    damaged(spool.meta(id(3)).await.unwrap_err(), 3);
    damaged(spool.part(part_id(4, 1)).await.unwrap_err(), 4);
    assert!(spool.content(id(5)).await.unwrap().to_vec() == octets(5, 1_200_000));

    let (seen, damaged) = walked(&spool, 3).await;
    assert_eq!(seen, [(1, 0), (1, 1), (2, 0), (2, 1), (4, 0), (5, 0), (5, 1)]);
    assert_eq!(damaged, ["message 3", "behind (4, 0), before (4, 2)"]);
}

/// All parts that can be read, and what is said of the others.
async fn walked(spool: &SqliteSpool, limit: usize) -> (Vec<(u64, u32)>, Vec<String>) {
    let of = |part: PartId| (part.message.0, part.number);
    let (mut seen, mut damaged, mut walk) = (Vec::new(), Vec::new(), Walk::behind(None));
    while let Some(stretch) = walk.next(spool, limit).await.unwrap() {
        match stretch {
            Stretch::Parts(page) => seen.extend(page.into_iter().map(|(_, part)| of(part.id))),
            Stretch::Damaged(message) => damaged.push(format!("message {}", message.0)),
            Stretch::Gap { after, next } => {
                let (after, next) = (after.map(of).unwrap_or_default(), next.map(of).unwrap_or_default());
                damaged.push(format!("behind {after:?}, before {next:?}"));
            }
        }
    }
    (seen, damaged)
}

/// Makes nonsense of each page of the database file that is as `which` says; how many there were.
fn rot(dir: &Path, which: impl Fn(&[u8]) -> bool) -> usize {
    let file = dir.join("spool.sqlite");
    let mut octets = std::fs::read(&file).unwrap();
    let mut count = 0;
    for page in octets.chunks_mut(4096).skip(1).filter(|page| which(page)) {
        page[0] ^= 0x55;
        count += 1;
    }
    std::fs::write(&file, octets).unwrap();
    count
}

fn holds(page: &[u8], text: &[u8]) -> bool {
    page.windows(text.len()).any(|window| window == text)
}

/// One octet of a page of the table of parts made the whole queue unreadable, at every start.
#[tokio::test]
async fn a_damaged_page_hides_its_own_parts_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    for n in 1..=600 {
        let domain = format!("d{n}.example");
        spool.commit(message(n << 20, b"x".to_vec(), &[&domain])).await.unwrap();
    }
    drop(spool);
    let leaf_of_an_index = |page: &[u8]| page[0] == 0x0a && holds(page, b"d300.example");
    assert_eq!(rot(dir.path(), leaf_of_an_index), 1);
    let spool = open(dir.path());
    let (seen, damaged) = walked(&spool, 1000).await;
    assert!(seen.len() > 500 && !seen.contains(&(300 << 20, 0)), "{}", seen.len());
    assert!(seen.contains(&(1 << 20, 0)) && seen.contains(&(600 << 20, 0)));
    let [gap] = &damaged[..] else { panic!("{damaged:?}") };
    let edge = seen.windows(2).find(|pair| pair[1].0 - pair[0].0 > 1 << 20).unwrap();
    assert_eq!(*gap, format!("behind {:?}, before {:?}", edge[0], edge[1]));
    // Mail goes on.
    spool.commit(small(1 << 40)).await.unwrap();
    spool.settle(done(1 << 20, 0));
    spool.flush().await.unwrap();
}

/// A content on a damaged page could neither be read, nor held, nor taken out; and once its part was settled,
/// no mail was accepted any more.
#[tokio::test]
async fn what_stands_on_a_damaged_page_is_damaged_and_nobody_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    for n in 1..=40 {
        spool
            .commit(message(n, format!("content number {n}. {}", "x".repeat(700)).into_bytes(), &["a.example"]))
            .await
            .unwrap();
    }
    drop(spool);
    assert_eq!(rot(dir.path(), |page| page[0] == 0x0d && holds(page, b"content number 20.")), 1);
    let spool = open(dir.path());
    assert!(matches!(spool.content(id(20)).await, Err(SpoolError::Damaged(m)) if m == id(20)));
    assert!(spool.content(id(40)).await.is_ok());
    assert_eq!(walked(&spool, 7).await.0.len(), 40, "its part is there, and can be held");
    spool.settle(done(20, 0));
    spool.settle(done(40, 0));
    spool.flush().await.unwrap();
    assert_eq!(spool.unsettled(), 0);
    spool.commit(small(100)).await.unwrap();
    drop(spool);
    let (seen, damaged) = walked(&open(dir.path()), 7).await;
    assert!(seen.len() == 39 && damaged.is_empty() && !seen.contains(&(20, 0)), "{damaged:?}");
}

/// A process that was killed leaves what it accepted last in the journal. Bit rot there damages a content, whose message
/// is named, or a block, which does not hide those behind it.
#[tokio::test]
async fn damage_in_the_journal_is_named_and_the_rest_goes_on() {
    let (dir, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let spool = open(dir.path());
    for n in 1..=4 {
        spool.commit(message(n, octets(n, 10_000), &["a.example"])).await.unwrap();
    }
    let mut journal = std::fs::read(dir.path().join("journal-0")).unwrap();
    let find = |octets: &[u8]| journal.windows(octets.len()).position(|there| there == octets).unwrap();
    let (content, header) = (find(&octets(2, 10_000)[5_000..5_100]), find(&octets(3, 10_000)[..100]) - 40);
    journal[content] ^= 0x10;
    journal[header + 20] ^= 0x10;
    std::fs::write(killed.path().join("journal-0"), journal).unwrap();
    drop(spool);
    for damaged in [1, 0] {
        let spool = open(killed.path());
        assert_eq!(spool.damaged_blocks(), damaged);
        let left: Vec<_> = spool.scan(None, 10).await.unwrap().iter().map(|(meta, _)| meta.id.0).collect();
        assert_eq!(left, [1, 2, 4]);
        assert!(matches!(spool.content(id(2)).await, Err(SpoolError::Damaged(damaged)) if damaged == id(2)));
        assert!(spool.content(id(4)).await.unwrap().to_vec() == octets(4, 10_000));
        // The second time it is all in the database.
    }
}

/// Mail that waits goes from the journal into the database and can be asked for all the time.
#[tokio::test]
async fn what_goes_into_the_database_is_never_out_of_sight() {
    let dir = tempfile::tempdir().unwrap();
    let spool =
        Arc::new(SqliteSpool::open(dir.path(), Options { log_octets: 256 << 10, ..Options::default() }).unwrap());
    for n in 1..=200 {
        spool.commit(message(n, octets(n, 6_000), &["a.example", "b.example"])).await.unwrap();
        spool.settle(done(n, 0));
        let mut later = part(n, 1, "b.example");
        later.attempts = 1;
        spool.settle(keep(later.clone()));
        let first = n.saturating_sub(100).max(1);
        assert_eq!(spool.part(part_id(first, 1)).await.unwrap().attempts, 1, "{first} at {n}");
        assert!(spool.content(id(first)).await.unwrap().to_vec() == octets(first, 6_000));
        if n % 20 == 0 {
            let seen = spool.scan(None, 1000).await.unwrap();
            assert_eq!(seen.iter().map(|(meta, _)| meta.id.0).collect::<Vec<_>>(), (1..=n).collect::<Vec<_>>());
            assert!(seen.iter().all(|(_, part)| part.id.number == 1 && part.attempts == 1));
        }
    }
    let (mut pages, mut after) = (0, None);
    while let Some((_, last)) = spool.scan(after, 7).await.unwrap().last() {
        (pages, after) = (pages + 1, Some(last.id));
    }
    assert_eq!((pages, after), (200usize.div_ceil(7), Some(part_id(200, 1))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_waits_shares_one_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let (gate, transactions) = (Gate::default(), Arc::new(AtomicUsize::new(0)));
    let options = {
        let (gate, transactions) = (gate.clone(), transactions.clone());
        watched(move |step| {
            if step == Step::BeforeTransaction {
                transactions.fetch_add(1, Ordering::SeqCst);
                gate.pass();
            }
            Ok(())
        })
    };
    let spool = Arc::new(SqliteSpool::open(dir.path(), options).unwrap());
    gate.close();
    let commit = |n| {
        let spool = spool.clone();
        tokio::spawn(async move { spool.commit(small(n)).await.map(drop) })
    };
    let first = commit(1);
    eventually("the writer is busy", || transactions.load(Ordering::SeqCst) == 1).await;
    let others: Vec<_> = (2..=200).map(commit).collect();
    // All of them stand in line when the writer comes back.
    tokio::time::sleep(Duration::from_millis(200)).await;
    gate.open();
    for waiting in others.into_iter().chain([first]) {
        waiting.await.unwrap().unwrap();
    }
    assert_eq!(transactions.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn settlements_travel_with_the_next_commit_or_soon_alone() {
    let dir = tempfile::tempdir().unwrap();
    let transactions = Arc::new(AtomicUsize::new(0));
    let count = transactions.clone();
    let options = watched(move |step| {
        count.fetch_add(usize::from(step == Step::AfterCommit), Ordering::SeqCst);
        Ok(())
    });
    let spool = SqliteSpool::open(dir.path(), options).unwrap();
    for n in 1..=2 {
        spool.commit(small(n)).await.unwrap();
    }
    spool.settle(done(1, 0));
    spool.commit(small(3)).await.unwrap();
    assert_eq!((spool.unsettled(), transactions.load(Ordering::SeqCst)), (0, 3));
    spool.settle(done(2, 0));
    assert_eq!(spool.unsettled(), 1);
    eventually("the settlement is on disk", || spool.unsettled() == 0).await;
    assert_eq!(transactions.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn what_the_disk_refuses_is_neither_kept_nor_forgotten() {
    for fault in [Fault::Full, Fault::Io] {
        for at in [Step::BeforeTransaction, Step::AfterInsert, Step::BeforeCommit] {
            let dir = tempfile::tempdir().unwrap();
            let failing = Arc::new(AtomicBool::new(false));
            let fails = failing.clone();
            let options =
                watched(move |step| if step == at && fails.load(Ordering::SeqCst) { Err(fault) } else { Ok(()) });
            let spool = SqliteSpool::open(dir.path(), options).unwrap();
            spool.commit(small(1)).await.unwrap();
            spool.commit(small(2)).await.unwrap();

            failing.store(true, Ordering::SeqCst);
            let mut failed = done(1, 0);
            failed.notices.push(small(3));
            spool.settle(failed);
            assert!(matches!(spool.flush().await, Err(SpoolError::Storage(_))), "{fault:?} {at:?}");
            assert!(matches!(spool.commit(small(4)).await, Err(SpoolError::Storage(_))));
            assert_eq!(spool.unsettled(), 1);
            assert!(matches!(spool.part(part_id(1, 0)).await, Err(SpoolError::Missing(_))));
            assert!(spool.content(id(3)).await.is_ok());

            failing.store(false, Ordering::SeqCst);
            spool.commit(small(5)).await.unwrap();
            spool.flush().await.unwrap();
            drop(spool);
            let left = open(dir.path()).scan(None, 10).await.unwrap();
            let left: Vec<_> = left.iter().map(|(meta, _)| meta.id.0).collect();
            assert_eq!(left, [2, 3, 5], "{fault:?} {at:?}");
        }
    }
}

/// Nobody could ask whether mail is taken but by handing some in.
#[tokio::test]
async fn a_disk_that_fails_is_known_to_fail_until_a_write_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let failing = Arc::new(AtomicBool::new(false));
    let fails = failing.clone();
    let options =
        watched(
            move |step| {
                if step == Step::BeforeCommit && fails.load(Ordering::SeqCst) { Err(Fault::Io) } else { Ok(()) }
            },
        );
    let spool = SqliteSpool::open(dir.path(), options).unwrap();
    spool.commit(small(1)).await.unwrap();
    assert_eq!(spool.refusal(), None);
    failing.store(true, Ordering::SeqCst);
    spool.commit(small(2)).await.unwrap_err();
    assert_eq!(spool.refusal(), Some(Refusal::Failing("a test says that the disk fails".into())));
    failing.store(false, Ordering::SeqCst);
    // By a block of nothing, which no reader of the journal minds.
    eventually("mail is taken again", || spool.refusal().is_none()).await;
    spool.commit(small(3)).await.unwrap();
    drop(spool);
    let spool = open(dir.path());
    let left: Vec<_> = spool.scan(None, 10).await.unwrap().iter().map(|(meta, _)| meta.id.0).collect();
    assert_eq!((left, spool.damaged_blocks()), (vec![1, 3], 0));
}

#[tokio::test]
async fn a_record_that_is_refused_fails_alone() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Gate::default();
    let passing = gate.clone();
    let options = watched(move |step| {
        if step == Step::BeforeTransaction {
            passing.pass();
        }
        Ok(())
    });
    let spool = SqliteSpool::open(dir.path(), options).unwrap();
    spool.commit(small(1)).await.unwrap();
    gate.close();
    spool.settle(done(1, 0));
    // The third has the id of the second.
    let all = async {
        tokio::join!(spool.commit(small(2)), spool.commit(small(3)), spool.commit(small(3)), spool.commit(small(4)))
    };
    let later = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        gate.open();
    };
    let ((two, three, again, four), ()) = tokio::join!(all, later);
    assert!(two.is_ok() && three.is_ok() && four.is_ok());
    assert!(matches!(again, Err(SpoolError::Storage(_))));
    let left: Vec<_> = spool.scan(None, 10).await.unwrap().iter().map(|(meta, _)| meta.id.0).collect();
    assert_eq!(left, [2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_whose_caller_has_gone_is_taken_out_again() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Gate::default();
    let passing = gate.clone();
    let options = watched(move |step| {
        if step == Step::AfterCommit {
            passing.pass();
        }
        Ok(())
    });
    let spool = SqliteSpool::open(dir.path(), options).unwrap();
    gate.close();
    let gone = tokio::time::timeout(
        Duration::from_millis(50),
        spool.commit(message(1, octets(1, 10), &["a.example", "b.example"])),
    );
    assert!(gone.await.is_err());
    gate.open();
    spool.commit(small(2)).await.unwrap();
    spool.flush().await.unwrap();
    let left: Vec<_> = spool.scan(None, 10).await.unwrap().iter().map(|(meta, _)| meta.id.0).collect();
    assert_eq!(left, [2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_commits_than_may_wait_wait_their_turn() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Arc::new(SqliteSpool::open(dir.path(), Options { waiting: 3, ..Options::default() }).unwrap());
    let tasks: Vec<_> = (1..=100)
        .map(|n| {
            let spool = spool.clone();
            tokio::spawn(async move { spool.commit(small(n)).await.map(drop) })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(spool.scan(None, 1000).await.unwrap().len(), 100);
}
