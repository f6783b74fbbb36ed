//! A power cut while facts are written that somebody was answered for: who is not written to any more, requests that
//! are carried out once, returned mail, permits. What was answered is there; what was under way is there whole or not
//! at all, and the file can be written again.
//!
//! `REPUTE_POWER_SEEDS=100 cargo test -p repute-ledger --test power` cuts more often.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::path::Path;

use repute_ledger::requests::{Known, Request, RequestOptions, Requests};
use repute_ledger::suppression::{Entry, Query, Scope, Why};
use repute_ledger::{Returned, ReturnedMail, ReturnedOptions, Suppressions, Trust};
use repute_testkit::power::{each_cut, image, lay};
use repute_types::{Address, Content, MessageId, Random, SeededRandom, Timestamp};

const FILE: &str = "facts.sqlite";
const FILES: [&str; 2] = [FILE, "facts.sqlite-wal"];
const NOW: Timestamp = Timestamp(1_795_485_950_000);
/// Facts that are written one after the other.
const FACTS: u64 = 8;

/// A store as this test sees it: numbered facts.
trait Facts: Sized {
    fn open(path: &Path) -> Self;
    /// Returns when it may be answered for. `size` makes it larger.
    async fn write(&self, number: u64, size: usize);
    /// Whether it is there, and whole.
    async fn has(&self, number: u64, size: usize) -> bool;
}

impl Facts for Suppressions {
    fn open(path: &Path) -> Self {
        Suppressions::open(path).unwrap()
    }

    async fn write(&self, number: u64, size: usize) {
        self.add(entry(number, size)).await.unwrap();
    }

    async fn has(&self, number: u64, size: usize) -> bool {
        let query = Query { limit: 100, ..Query::default() };
        let found = self.list(query, NOW).await.unwrap();
        assert_eq!(found.len(), self.len(), "what is asked at acceptance is what is on disk");
        found.contains(&entry(number, size))
    }
}

fn entry(number: u64, size: usize) -> Entry {
    let address = Address::parse(&format!("u{number}@a.test")).unwrap();
    let mut entry = Entry::new(address, Scope::of(Some("shop"), None), Why::Complaint, NOW);
    entry.reason = "x".repeat(size % 2000);
    entry
}

impl Facts for Requests {
    fn open(path: &Path) -> Self {
        Requests::open(path, RequestOptions::default()).unwrap()
    }

    /// The one before is answered without a sync, as it goes.
    async fn write(&self, number: u64, size: usize) {
        if number > 1 {
            self.answer(request(number - 1), 202, vec![b'a'; size % 3000]).await.unwrap();
        }
        self.reserve(request(number), ids(number, size), NOW).await.unwrap();
    }

    async fn has(&self, number: u64, size: usize) -> bool {
        match self.find(request(number), NOW).await.unwrap() {
            Known::Begun(found) => found == ids(number, size),
            Known::Answered { status, .. } => status == 202,
            Known::Nothing => false,
            Known::Another => panic!("it is another"),
        }
    }
}

fn request(number: u64) -> Request {
    Request { account: "shop".into(), key: format!("key {number}"), digest: [number as u8; 32] }
}

fn ids(number: u64, size: usize) -> Vec<MessageId> {
    (0..size as u64 % 500).map(|n| MessageId(number << 32 | n)).collect()
}

impl Facts for Returned {
    fn open(path: &Path) -> Self {
        Returned::open(path, ReturnedOptions::default()).unwrap()
    }

    async fn write(&self, number: u64, size: usize) {
        self.keep(mail(number, size)).await.unwrap();
    }

    async fn has(&self, number: u64, size: usize) -> bool {
        let Some(found) = self.get(MessageId(number)).await.unwrap() else { return false };
        let unread = self.unread(100).await.unwrap();
        unread.contains(&MessageId(number)) && found.content.to_vec() == mail(number, size).content.to_vec()
    }
}

fn mail(number: u64, size: usize) -> ReturnedMail {
    let recipients = vec![Address::parse("b+x@r.example.com").unwrap()];
    ReturnedMail {
        id: MessageId(number),
        at: NOW,
        from: None,
        recipients,
        content: Content::from(vec![number as u8; size]),
    }
}

impl Facts for Trust {
    fn open(path: &Path) -> Self {
        Trust::open(path).unwrap()
    }

    async fn write(&self, number: u64, size: usize) {
        self.keep(vec![(format!("a {number}"), Some("x".repeat(size))), ("b".into(), Some("x".repeat(size)))])
            .await
            .unwrap();
    }

    async fn has(&self, number: u64, size: usize) -> bool {
        let kept = self.kept().await.unwrap();
        kept.get(&format!("a {number}")).is_some_and(|value| value.len() == size)
    }
}

/// Writes facts, and cuts the power while each of them is written.
fn check<F: Facts>(seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (dir, random) = (tempfile::tempdir().unwrap(), SeededRandom::new(seed));
    let sizes: Vec<usize> = (0..FACTS).map(|_| random.below(12_000) as usize).collect();
    let size = |number: u64| sizes[number as usize - 1];
    let store = F::open(&dir.path().join(FILE));
    let mut states = vec![image(dir.path(), &FILES)];
    for number in 1..=FACTS {
        runtime.block_on(store.write(number, size(number)));
        states.push(image(dir.path(), &FILES));
    }
    for (answered, pair) in (0u64..).zip(states.windows(2)) {
        each_cut(&pair[0], &pair[1], &random, |how, disk| {
            let what = format!("seed {seed}, {answered} answered, {how}");
            let dir = tempfile::tempdir().unwrap();
            lay(dir.path(), disk);
            let store = F::open(&dir.path().join(FILE));
            runtime.block_on(async {
                for number in 1..=answered {
                    assert!(store.has(number, size(number)).await, "{what}: {number} is lost");
                }
                for number in answered + 2..=FACTS {
                    assert!(!store.has(number, size(number)).await, "{what}: {number} was never written");
                }
                store.write(FACTS, size(FACTS)).await;
                assert!(store.has(FACTS, size(FACTS)).await, "{what}: it cannot be written again");
            });
        });
    }
}

fn check_all<F: Facts>() {
    let seeds = std::env::var("REPUTE_POWER_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    (1..=seeds).for_each(check::<F>);
}

#[test]
fn who_is_not_written_to_stays_so() {
    check_all::<Suppressions>();
}

#[test]
fn a_request_that_was_begun_is_known() {
    check_all::<Requests>();
}

#[test]
fn returned_mail_that_was_taken_is_there() {
    check_all::<Returned>();
}

#[test]
fn what_permits_rest_on_is_there() {
    check_all::<Trust>();
}
