//! What every spool must do, asked of each of them.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use std::sync::Arc;

use common::*;
use repute_spool::sqlite::Options;
use repute_spool::{Hold, Holder, MemorySpool, PartState, Spool, SpoolError, SqliteSpool};
use repute_types::{Content, Timestamp};

/// Runs the same questions against each spool.
async fn check<F: Future<Output = ()>>(questions: impl Fn(Arc<dyn Spool>) -> F) {
    questions(Arc::new(MemorySpool::new())).await;
    let dir = tempfile::tempdir().unwrap();
    questions(Arc::new(SqliteSpool::open(dir.path(), Options::default()).unwrap())).await;
}

fn missing<T: std::fmt::Debug>(answer: Result<T, SpoolError>) {
    assert!(matches!(answer, Err(SpoolError::Missing(_))), "{answer:?}");
}

#[tokio::test]
async fn what_is_committed_is_given_back_as_it_was() {
    check(|spool| async move {
        let new = message(7, octets(7, 5000), &["a.example", "b.example"]);
        assert_eq!(spool.commit(new.clone()).await.unwrap().id(), id(7));
        assert_eq!(spool.meta(id(7)).await.unwrap(), new.meta);
        assert_eq!(spool.content(id(7)).await.unwrap().to_vec(), new.content.to_vec());
        assert_eq!(spool.part(part_id(7, 1)).await.unwrap(), new.parts[1]);
        missing(spool.part(part_id(7, 2)).await);
        missing(spool.meta(id(8)).await);
        missing(spool.content(id(8)).await);
    })
    .await;
}

#[tokio::test]
async fn contents_of_every_size_and_slicing_are_whole() {
    const MIB: usize = 1 << 20;
    check(|spool| async move {
        for (n, len) in [0, 1, 99, 4096, MIB - 1, MIB, MIB + 1, 5 * MIB + 17].into_iter().enumerate() {
            let (whole, n) = (octets(n as u64, len), n as u64 + 1);
            let mut sliced = Content::new();
            for slice in whole.chunks(len / 3 + 1) {
                sliced.push(slice.to_vec());
            }
            sliced.prepend(&b"Received: by us\r\n"[..]);
            let expected = sliced.to_vec();
            spool.commit(message(n, sliced, &["a.example"])).await.unwrap();
            assert!(spool.content(id(n)).await.unwrap().to_vec() == expected, "{len} octets");
        }
        spool.commit(message(99, Content::new(), &["a.example"])).await.unwrap();
        assert!(spool.content(id(99)).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_last_part_takes_the_message_along() {
    check(|spool| async move {
        spool.commit(message(1, octets(1, 3_000_000), &["a.example", "b.example"])).await.unwrap();
        spool.settle(done(1, 0));
        missing(spool.part(part_id(1, 0)).await);
        spool.flush().await.unwrap();
        assert!(spool.meta(id(1)).await.is_ok());
        spool.settle(done(1, 1));
        spool.flush().await.unwrap();
        missing(spool.meta(id(1)).await);
        missing(spool.content(id(1)).await);
        assert_eq!(spool.unsettled(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_kept_part_is_replaced_at_once_and_stays_so() {
    check(|spool| async move {
        spool.commit(small(1)).await.unwrap();
        let mut record = part(1, 0, "example.net");
        for attempt in 1..=3 {
            record.attempts = attempt;
            record.due = Timestamp(1_000 * i64::from(attempt));
            spool.settle(keep(record.clone()));
            assert_eq!(spool.part(record.id).await.unwrap(), record);
        }
        record.state = PartState::Held(Hold::new(Holder::Operator, "an operator said so"));
        spool.settle(keep(record.clone()));
        spool.flush().await.unwrap();
        assert_eq!(spool.part(record.id).await.unwrap(), record);
        assert_eq!(spool.scan(None, 10).await.unwrap()[0].1, record);
    })
    .await;
}

#[tokio::test]
async fn a_settlement_of_a_part_that_is_gone_changes_nothing() {
    check(|spool| async move {
        spool.commit(small(1)).await.unwrap();
        spool.settle(done(1, 0));
        let mut late = keep(part(1, 0, "example.net"));
        late.notices.push(small(2));
        spool.settle(late);
        spool.flush().await.unwrap();
        missing(spool.part(part_id(1, 0)).await);
        missing(spool.meta(id(2)).await);
        assert!(spool.scan(None, 10).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_notice_comes_with_its_settlement() {
    check(|spool| async move {
        spool.commit(small(1)).await.unwrap();
        let notice = message(2, octets(2, 2000), &["example.com"]);
        let mut failed = done(1, 0);
        failed.notices.push(notice.clone());
        spool.settle(failed);
        // Known at once, so that it can be sent at once.
        assert_eq!(spool.meta(id(2)).await.unwrap(), notice.meta);
        assert_eq!(spool.content(id(2)).await.unwrap().to_vec(), notice.content.to_vec());
        assert_eq!(spool.part(part_id(2, 0)).await.unwrap(), notice.parts[0]);
        spool.settle(done(2, 0));
        spool.flush().await.unwrap();
        assert!(spool.scan(None, 10).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_scan_pages_through_all_parts_in_order() {
    check(|spool| async move {
        for n in [5, 3, 9, 1 << 63, u64::MAX] {
            spool.commit(message(n, octets(n, 10), &["a.example", "b.example", "c.example"])).await.unwrap();
        }
        spool.settle(done(5, 1));
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = spool.scan(after, 4).await.unwrap();
            let Some((_, last)) = page.last() else { break };
            after = Some(last.id);
            assert!(page.iter().all(|(meta, part)| meta.id == part.id.message));
            seen.extend(page.into_iter().map(|(_, part)| (part.id.message.0, part.id.number)));
        }
        let all: Vec<_> = [3, 5, 9, 1 << 63, u64::MAX].into_iter().flat_map(|m| [(m, 0), (m, 1), (m, 2)]).collect();
        assert_eq!(seen, all.into_iter().filter(|p| *p != (5, 1)).collect::<Vec<_>>());
        assert_eq!(spool.last_id().await.unwrap(), Some(id(u64::MAX)));
    })
    .await;
}

#[tokio::test]
async fn an_empty_spool_knows_nothing() {
    check(|spool| async move {
        assert_eq!(spool.last_id().await.unwrap(), None);
        assert!(spool.scan(None, 10).await.unwrap().is_empty());
        spool.flush().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_commits_at_once_are_all_kept() {
    check(|spool| async move {
        let tasks: Vec<_> = (1..=500)
            .map(|n| {
                let spool = spool.clone();
                tokio::spawn(async move {
                    spool.commit(small(n)).await.unwrap();
                    if n % 2 == 0 {
                        spool.settle(done(n, 0));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let left = spool.scan(None, 1000).await.unwrap();
        assert_eq!(left.len(), 250);
        assert!(left.iter().all(|(meta, _)| meta.id.0 % 2 == 1));
    })
    .await;
}
