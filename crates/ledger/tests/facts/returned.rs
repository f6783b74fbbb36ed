//! Returned mail is kept, listed, and bounded.

use std::path::Path;
use std::time::Duration;

use repute_ledger::{AfterReading, Heard, Returned, ReturnedMail, ReturnedOptions};
use repute_types::{Address, Content, MessageId, PartId, Timestamp};

fn mail(n: u64, octets: usize) -> ReturnedMail {
    let mut content = Content::from(vec![n as u8; octets / 2]);
    content.push(vec![b'!'; octets - octets / 2]);
    ReturnedMail {
        id: MessageId(n),
        at: Timestamp(n as i64 * 1000),
        from: None,
        recipients: vec![Address::parse("b+x@r.example.com").unwrap()],
        content,
    }
}

fn open(dir: &Path, options: ReturnedOptions) -> Returned {
    Returned::open(&dir.join("returned.sqlite"), options).unwrap()
}

async fn ids(store: &Returned) -> Vec<u64> {
    store.list(100).await.unwrap().iter().map(|mail| mail.id.0).collect()
}

#[tokio::test]
async fn what_is_kept_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), ReturnedOptions::default());
    store.keep(mail(1, 3_000_001)).await.unwrap();
    store.keep(mail(2, 10)).await.unwrap();
    drop(store);
    let store = open(dir.path(), ReturnedOptions::default());
    let back = store.get(MessageId(1)).await.unwrap().unwrap();
    assert!(back.content.to_vec() == mail(1, 3_000_001).content.to_vec());
    assert_eq!((back.from, back.recipients, back.at), (None, mail(1, 0).recipients, Timestamp(1000)));
    let list = store.list(1).await.unwrap();
    assert_eq!((list[0].id, list[0].size), (MessageId(2), 10));
    assert!(store.get(MessageId(3)).await.unwrap().is_none());
    store.forget(MessageId(1)).await.unwrap();
    assert_eq!(ids(&store).await, [2]);
}

#[tokio::test]
async fn the_oldest_goes_first_at_the_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let options = ReturnedOptions { octets: 10_000, age: Duration::from_secs(100) };
    let store = open(dir.path(), options);
    for n in 1..=5 {
        store.keep(mail(n, 3_000)).await.unwrap();
    }
    assert_eq!(ids(&store).await, [5, 4, 3]);
    store.keep(mail(4, 100)).await.unwrap();
    store.keep(mail(6, 3_500)).await.unwrap();
    assert_eq!(ids(&store).await, [6, 5, 4, 3], "one that was kept again counts once");
    store.keep(mail(105, 10)).await.unwrap();
    assert_eq!(ids(&store).await, [105, 6, 5]);
}

#[tokio::test]
async fn what_nobody_has_read_stays_unread_over_a_restart_and_news_is_news_once() {
    let dir = tempfile::tempdir().unwrap();
    let news = |n: u64, recipient: &str| Heard {
        part: PartId { message: MessageId(n), number: 0 },
        recipient: recipient.into(),
        what: "bounced",
    };
    let store = open(dir.path(), ReturnedOptions::default());
    for n in 1..=3 {
        store.keep(mail(n, 10)).await.unwrap();
    }
    let now = Timestamp(5000);
    store.done(MessageId(1), vec![news(9, "ann@a.test")], now, AfterReading::Keep).await.unwrap();
    store.done(MessageId(2), Vec::new(), now, AfterReading::Delete).await.unwrap();
    drop(store);
    let store = open(dir.path(), ReturnedOptions::default());
    assert_eq!(store.unread(10).await.unwrap(), [MessageId(3)]);
    assert_eq!(ids(&store).await, [3, 1]);
    let asked = vec![news(9, "ann@a.test"), news(9, "ben@a.test"), news(8, "ann@a.test")];
    assert_eq!(store.was_heard(asked).await.unwrap(), [true, false, false]);
    store.forget(MessageId(3)).await.unwrap();
    assert_eq!(store.unread(10).await.unwrap(), []);
}
