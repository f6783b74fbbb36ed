//! Trust over time: what is kept, what changed, incidents and scores.

use repute_ledger::{Incident, Trust, TrustChange};
use repute_types::Timestamp;

fn change(at: i64, what: &str) -> TrustChange {
    TrustChange {
        at: Timestamp(at),
        what: what.into(),
        state: "fail".into(),
        address: Some("203.0.113.10".into()),
        domain: None,
        text: "it has no name".into(),
        who: None,
    }
}

#[tokio::test]
async fn what_was_kept_is_there_after_a_restart_and_what_was_taken_out_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trust.sqlite");
    let record = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
    let store = Trust::open(&path).unwrap();
    store.keep(vec![record("a", Some("1")), record("b", Some("2"))]).await.unwrap();
    store.keep(vec![record("a", Some("3")), record("b", None)]).await.unwrap();
    drop(store);
    let kept = Trust::open(&path).unwrap().kept().await.unwrap();
    assert_eq!(kept.into_iter().collect::<Vec<_>>(), [("a".to_owned(), "3".to_owned())]);
}

#[tokio::test]
async fn an_incident_opens_once_closes_once_and_is_told_of_both() {
    let folder = tempfile::tempdir().unwrap();
    let store = Trust::open(&folder.path().join("trust.sqlite")).unwrap();
    let open = |at| {
        store.open_incident(Timestamp(at), "name.fcrdns".into(), "203.0.113.10".into(), "lost".into(), "mend".into())
    };
    let first = open(1).await.unwrap().unwrap();
    assert_eq!(open(2).await.unwrap(), None);
    assert_eq!(store.untold().await.unwrap(), std::slice::from_ref(&first));
    store.told(vec![first.clone()]).await.unwrap();
    assert_eq!(store.untold().await.unwrap(), []);
    let close = |at| store.close_incident(Timestamp(at), "name.fcrdns".into(), "203.0.113.10".into());
    let closed = close(3).await.unwrap().unwrap();
    assert_eq!((closed.id, closed.closed), (first.id, Some(Timestamp(3))));
    assert_eq!(close(4).await.unwrap(), None);
    assert_eq!(store.untold().await.unwrap(), std::slice::from_ref(&closed));
    store.told(vec![closed]).await.unwrap();
    let second = open(5).await.unwrap().unwrap();
    assert!(second.id > first.id);
    // Nobody is told of one that came and went before there was a way to tell.
    close(6).await.unwrap();
    assert_eq!(store.untold().await.unwrap(), []);
    assert_eq!(store.incidents(1).await.unwrap().len(), 1);
    assert_eq!(store.incidents(10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn history_and_scores_are_kept_where_they_change_and_forgotten_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = Trust::open(&folder.path().join("trust.sqlite")).unwrap();
    store.note(vec![change(10, "a"), change(20, "b"), change(30, "c")]).await.unwrap();
    let what = |found: Vec<TrustChange>| found.into_iter().map(|c| c.what).collect::<Vec<_>>();
    assert_eq!(what(store.changes(Timestamp(0), 2).await.unwrap()), ["b", "c"]);
    for (at, points) in [(10, 100), (20, 100), (30, 75), (40, 75), (50, 100)] {
        store.score(Timestamp(at), vec![("203.0.113.10".into(), "example.com".into(), points)]).await.unwrap();
    }
    let points = |since| {
        let store = store.clone();
        async move {
            let scores = store.scores(Timestamp(since)).await.unwrap();
            scores.into_iter().map(|s| (s.at.0, s.points)).collect::<Vec<_>>()
        }
    };
    assert_eq!(points(0).await, [(10, 100), (30, 75), (50, 100)]);
    assert_eq!(points(40).await, [(30, 75), (50, 100)]);
    store.forget_before(Timestamp(60)).await.unwrap();
    assert_eq!(points(0).await, [(50, 100)]);
    assert_eq!(store.changes(Timestamp(0), 9).await.unwrap(), []);
}

#[tokio::test]
async fn incidents_of_others_stand_among_those_of_the_watch() {
    let dir = tempfile::tempdir().unwrap();
    let trust = Trust::open(&dir.path().join("trust.sqlite")).unwrap();
    let of = |text: &str| text.to_owned();
    let first =
        trust.open_incident(Timestamp(1000), of("name.fcrdns"), of("a"), of("x"), of("y")).await.unwrap().unwrap();
    let webhook = Incident {
        id: 7_530_924_190_123_008,
        opened: Timestamp(2000),
        closed: None,
        what: of("webhook"),
        subject: of("shop"),
        text: of("it is disabled"),
        cure: of("resume it"),
    };
    trust.keep_incident(webhook.clone()).await.unwrap();
    let third =
        trust.open_incident(Timestamp(3000), of("name.helo"), of("a"), of("x"), of("y")).await.unwrap().unwrap();
    assert_eq!(third.id, first.id + 1, "the ids of the watch go on as they were");
    assert_eq!(trust.incidents(0).await.unwrap(), [third.clone(), webhook.clone(), first.clone()]);
    let closed = Incident { closed: Some(Timestamp(4000)), ..webhook };
    trust.keep_incident(closed.clone()).await.unwrap();
    assert_eq!(trust.incidents(0).await.unwrap(), [third.clone(), first.clone()]);
    assert_eq!(trust.incidents(1).await.unwrap(), [third, first, closed]);
    trust.forget_before(Timestamp(5000)).await.unwrap();
    assert_eq!(trust.incidents(1).await.unwrap().len(), 2);
}
