//! Who is suppressed, for whose mail, until when; over restarts, in numbers.

use std::path::Path;

use repute_ledger::suppression::{Entry, Query, Scope, Selection, Suppressions, Why};
use repute_types::{Address, Domain, MessageId, Timestamp};

const NOW: Timestamp = Timestamp(1_795_485_950_120);
const LATER: Timestamp = Timestamp(NOW.0 + 1000);

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn entry(to: &str, scope: Scope, why: Why) -> Entry {
    Entry::new(address(to), scope, why, NOW)
}

fn open(dir: &Path) -> Suppressions {
    Suppressions::open(&dir.join("suppression.sqlite")).unwrap()
}

fn found(store: &Suppressions, account: &str, list: Option<&str>, to: &str) -> Option<Why> {
    let some = Some(account).filter(|account| !account.is_empty());
    store.find(some, list, &address(to), NOW).unwrap().map(|entry| entry.why)
}

fn all() -> Query {
    Query { limit: 100, ..Query::default() }
}

#[tokio::test]
async fn a_scope_counts_for_its_own_mail_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert!(store.is_empty());
    store.add(entry("gone@a.test", Scope::All, Why::Unknown)).await.unwrap();
    store.add(entry("ann@a.test", Scope::of(Some("shop"), None), Why::Complaint)).await.unwrap();
    store.add(entry("ben@a.test", Scope::of(Some("shop"), Some("news")), Why::Unsubscribed)).await.unwrap();
    for account in ["shop", "other", ""] {
        assert_eq!(found(&store, account, None, "GONE@a.test"), Some(Why::Unknown), "{account}");
        assert_eq!(found(&store, account, None, "here@a.test"), None, "{account}");
    }
    assert_eq!(found(&store, "shop", Some("news"), "ann@a.test"), Some(Why::Complaint));
    assert_eq!(found(&store, "other", Some("news"), "ann@a.test"), None);
    assert_eq!(found(&store, "shop", Some("news"), "ben@a.test"), Some(Why::Unsubscribed));
    assert_eq!(found(&store, "shop", Some("sale"), "ben@a.test"), None);
    assert_eq!(found(&store, "shop", None, "ben@a.test"), None);
    assert_eq!(found(&store, "other", Some("news"), "ben@a.test"), None);
}

#[tokio::test]
async fn a_list_is_one_however_its_name_is_spelt() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.add(entry("ann@a.test", Scope::of(Some("shop"), Some("WEEKLY")), Why::Unsubscribed)).await.unwrap();
    // As a version before this one wrote it, and as no `Scope::of` has it.
    let before = Scope::List { account: "shop".into(), list: "Weekly ".into() };
    store.add(entry("ben@a.test", before.clone(), Why::Unsubscribed)).await.unwrap();
    for spelt in ["weekly", "WEEKLY", " weekly "] {
        for who in ["ann@a.test", "ben@a.test"] {
            assert_eq!(found(&store, "shop", Some(spelt), who), Some(Why::Unsubscribed), "{who} by {spelt:?}");
        }
    }
    assert_eq!(found(&store, "shop", Some("monthly"), "ann@a.test"), None);
    let of_list = Selection { scope: Some(before), ..Selection::default() };
    assert_eq!(store.release(of_list).await.unwrap().entries, 2);
    assert!(store.is_empty());
}

#[tokio::test]
async fn rows_of_before_lists_had_one_name_are_found_and_are_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("suppression.sqlite");
    drop(open(dir.path()));
    let db = rusqlite::Connection::open(&path).unwrap();
    for (list, expires) in [("WEEKLY", None), ("weekly ", Some(LATER.0)), ("weekly", Some(LATER.0))] {
        db.execute(
            "INSERT INTO suppressed VALUES ('ann@a.test', 'shop', ?1, 'unsubscribed', 'Ann@a.test', '', NULL, NULL, ?2, ?3)",
            rusqlite::params![list, NOW.0, expires],
        )
        .unwrap();
    }
    drop(db);
    let store = open(dir.path());
    assert_eq!(found(&store, "shop", Some("Weekly"), "ann@a.test"), Some(Why::Unsubscribed));
    let entries = store.list(all(), NOW).await.unwrap();
    let scope = Scope::of(Some("shop"), Some("weekly"));
    assert_eq!(entries.iter().map(|e| (&e.scope, e.expires)).collect::<Vec<_>>(), [(&scope, None)], "for good is kept");
}

#[tokio::test]
async fn what_was_added_is_there_after_reopening_with_its_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let mut whole = entry("Ann@a.test", Scope::of(Some("shop"), Some("news")), Why::Unknown);
    whole.reason = "a closed mailbox".into();
    whole.reply = Some("550 5.2.1 disabled".into());
    whole.message = Some(MessageId(77));
    whole.expires = Some(LATER);
    open(dir.path()).add(whole.clone()).await.unwrap();
    let store = open(dir.path());
    assert_eq!(store.find(Some("shop"), Some("news"), &address("ann@A.test"), NOW).unwrap(), Some(whole.clone()));
    assert!(whole.told().contains("550 5.2.1 disabled"), "{}", whole.told());
    assert_eq!(store.find(Some("shop"), Some("news"), &whole.address, LATER).unwrap(), None, "it is over");
}

#[tokio::test]
async fn the_weightiest_cause_is_told_and_each_is_released_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for why in Why::ALL {
        store.add(entry("ann@a.test", Scope::All, why)).await.unwrap();
    }
    assert_eq!(found(&store, "shop", None, "ann@a.test"), Some(Why::Complaint));
    let complaint = Selection { why: Some(Why::Complaint), ..Selection::default() };
    assert_eq!(store.release(complaint).await.unwrap().entries, 1);
    assert_eq!(found(&store, "shop", None, "ann@a.test"), Some(Why::Unsubscribed));
    let ann = Selection { address: Some(address("ANN@a.test")), ..Selection::default() };
    assert_eq!(store.release(ann.clone()).await.unwrap().entries, 3);
    assert_eq!(store.release(ann).await.unwrap().entries, 0);
    assert_eq!(found(&store, "shop", None, "ann@a.test"), None);
    assert!(store.is_empty());
}

#[tokio::test]
async fn an_entry_for_good_is_not_shortened() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let soft = Entry { expires: Some(LATER), ..entry("ann@a.test", Scope::All, Why::Unknown) };
    assert_eq!(store.import(vec![soft.clone()]).await.unwrap(), 1);
    assert_eq!(store.import(vec![entry("ann@a.test", Scope::All, Why::Unknown)]).await.unwrap(), 0);
    assert_eq!(store.import(vec![soft]).await.unwrap(), 0);
    let left = store.find(None, None, &address("ann@a.test"), LATER).unwrap().unwrap();
    assert_eq!(left.expires, None);
}

#[tokio::test]
async fn what_is_over_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let soft = Entry { expires: Some(LATER), ..entry("ann@a.test", Scope::All, Why::Unknown) };
    store.add(soft).await.unwrap();
    store.add(entry("ann@a.test", Scope::of(Some("shop"), None), Why::Manual)).await.unwrap();
    assert!(!store.forget_over(NOW).await.unwrap());
    assert_eq!(store.len(), 2);
    assert!(!store.forget_over(LATER).await.unwrap());
    assert_eq!(store.len(), 1);
    assert_eq!(found(&store, "shop", None, "ann@a.test"), Some(Why::Manual));
}

#[tokio::test]
async fn a_list_is_read_in_pages_and_by_what_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut many: Vec<_> = (0..2500)
        .map(|n| entry(&format!("p{n:04}@a.test"), Scope::of(Some("shop"), Some("news")), Why::Unsubscribed))
        .collect();
    many.push(entry("x@b.test", Scope::of(Some("shop"), None), Why::Complaint));
    many.push(entry("x@b.test", Scope::All, Why::Unknown));
    many.push(entry("x@bb.test", Scope::All, Why::Unknown));
    assert_eq!(store.import(many).await.unwrap(), 2503);
    let (mut seen, mut query) = (0, Query { limit: 999, ..all() });
    loop {
        let page = store.list(query.clone(), NOW).await.unwrap();
        seen += page.len();
        query.after = page.last().cloned();
        if page.len() < 999 {
            break;
        }
    }
    assert_eq!(seen, 2503);
    let count = async |selection: Selection| store.list(Query { selection, ..all() }, NOW).await.unwrap().len();
    let domain = Some(Domain::parse("b.test").unwrap());
    assert_eq!(count(Selection { domain: domain.clone(), ..Selection::default() }).await, 2);
    assert_eq!(count(Selection { domain, scope: Some(Scope::All), ..Selection::default() }).await, 1);
    let shop = Selection { account: Some("shop".into()), why: Some(Why::Complaint), ..Selection::default() };
    assert_eq!(count(shop).await, 1);
    let since = |at| Selection { since: Some(at), ..Selection::default() };
    assert_eq!((count(since(NOW)).await, count(since(LATER)).await), (100, 0));
    let news = Selection { scope: Some(Scope::of(Some("shop"), Some("news"))), ..Selection::default() };
    assert_eq!(store.release(news).await.unwrap().entries, 2500);
    assert_eq!(store.len(), 3);
}
