//! Messages are found by what people know of them, recipients of campaigns by their steps, and the index costs what it should.

use std::sync::Arc;
use std::time::Duration;

use repute_ledger::{History, HistoryOptions, Questions};
use repute_types::event::{self, Back};
use repute_types::{Event, EventKind, Labels, ManualClock};

use crate::{BEFORE_VOLUMES, DAY, NOW, accepted, address, after, at, history, id, of_a_day, settled};

#[test]
fn messages_are_found_by_what_people_know_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let history = history(&dir);
    let asked = after(
        &history,
        [
            accepted(1, &["bob@example.net"]),
            accepted(2, &["eve@example.net", "bob@example.net"]),
            accepted(3, &["eve@other.example"]),
            at(4, EventKind::Returned { message: id(4), recipient: address("b+token@r.example.com"), client: None }),
        ],
    );
    let bob = address("bob@example.net");
    assert_eq!(asked.by_recipient(&bob, 10).unwrap(), [id(2), id(1)]);
    assert_eq!(asked.by_recipient(&bob, 1).unwrap(), [id(2)]);
    assert_eq!(asked.by_recipient(&address("BOB@example.net"), 10).unwrap(), [id(2), id(1)]);
    assert_eq!(asked.by_recipient(&address("bo@example.net"), 10).unwrap(), []);
    assert_eq!(asked.by_recipient(&address("b+token@r.example.com"), 10).unwrap(), [id(4)]);
    assert_eq!(asked.by_domain(&"example.net".parse().unwrap(), 10).unwrap(), [id(2), id(1)]);
    assert_eq!(asked.by_domain(&"net".parse().unwrap(), 10).unwrap(), []);
    assert_eq!(asked.by_sender(&address("shop@example.com"), 2).unwrap(), [id(3), id(2)]);
    assert_eq!(asked.by_header_id("<3.abc@mail.example.com>").unwrap(), [id(3)]);
    assert_eq!(asked.by_header_id("3.abc@mail.example.com").unwrap(), [id(3)]);
    assert_eq!(asked.by_sender(&address("shop@example.org"), 2).unwrap(), []);
    let (second, fourth) = (NOW + Duration::from_secs(2), NOW + Duration::from_secs(4));
    assert_eq!(asked.by_time(second, fourth, 10).unwrap(), [id(2), id(3)]);
}

/// A sender and a domain have an entry for some seconds, not one a message; an earlier version made one a message.
#[test]
fn mail_of_a_busy_minute_is_found_by_its_domain_and_sender_in_order_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let history = history(&dir);
    let to = |n: u64| if n.is_multiple_of(10) { "rare@rare.example" } else { "bob@example.net" };
    let sent = |from: u64, to_: u64| (from..to_).map(|n| accepted(n, &[to(n)])).collect::<Vec<_>>();
    after(&history, sent(0, 30));
    let asked = after(&history, sent(30, 60));
    let rare: Vec<_> = (0..6).rev().map(|n| id(n * 10)).collect();
    let check = |asked: &Questions| {
        assert_eq!(asked.by_domain(&"rare.example".parse().unwrap(), 100).unwrap(), rare);
        assert_eq!(asked.by_domain(&"rare.example".parse().unwrap(), 2).unwrap(), rare[..2]);
        let all: Vec<_> = (0..60).rev().map(id).collect();
        assert_eq!(asked.by_sender(&address("shop@example.com"), 100).unwrap(), all);
    };
    check(&asked);
    let db = rusqlite::Connection::open(dir.path().join("history.sqlite")).unwrap();
    let rows = || db.query_row("SELECT count(*) FROM lookup", [], |row| row.get::<_, i64>(0)).unwrap();
    assert!(rows() < 120 + 40, "{}: two entries a message, and few for the sender and the domains", rows());
    drop((history, asked));
    db.execute_batch(BEFORE_VOLUMES).unwrap();
    // An earlier version made one for each message under the sender (and here under the busy domain).
    let shared = "SELECT hash FROM find GROUP BY hash HAVING count(*) BETWEEN 14 AND 17";
    let written = db.execute(&format!("INSERT OR IGNORE INTO find SELECT hash, id FROM message, ({shared})"), []);
    assert!(written.unwrap() >= 80);
    check(&self::history(&dir).questions().unwrap());
}

/// Each message dirtied a page for its recipient and one for its Message-ID, once the history was larger than a day's.
#[test]
fn what_a_batch_writes_does_not_grow_with_the_history() {
    let dir = tempfile::tempdir().unwrap();
    let history = history(&dir);
    let some = |from: u64, to: u64| (from..to).map(|n| accepted(n, &[&format!("p{n}@d{}.example", n % 50)]));
    // A batch stays together, however large it is.
    (0..40).for_each(|n| drop(after(&history, some(n * 500, (n + 1) * 500))));
    let asked = history.questions().unwrap();
    let db = rusqlite::Connection::open(dir.path().join("history.sqlite")).unwrap();
    let pages = |pragma: &str| db.query_row(pragma, [], |row| row.get::<_, i64>(1)).unwrap();
    pages("PRAGMA wal_checkpoint(TRUNCATE)");
    after(&history, some(20_000, 20_400));
    let written = pages("PRAGMA wal_checkpoint(PASSIVE)");
    assert!((10..120).contains(&written), "{written} pages for 400 messages");
    let volumes: i64 = db.query_row("SELECT count(*) FROM volume", [], |row| row.get(0)).unwrap();
    assert!((3..6).contains(&volumes), "{volumes}");
    // They are found in whichever volume they are, and after a restart the last one is gone on with.
    drop(history);
    let history = self::history(&dir);
    after(&history, some(20_400, 20_401));
    assert_eq!(db.query_row("SELECT count(*) FROM volume", [], |row| row.get::<_, i64>(0)).unwrap(), volumes);
    for n in [0, 7, 9_000, 15_000, 20_399, 20_400] {
        assert_eq!(asked.by_recipient(&address(&format!("p{n}@d{}.example", n % 50)), 9).unwrap(), [id(n)]);
    }
    let of_sender = asked.by_sender(&address("shop@example.com"), 20_000).unwrap();
    assert_eq!(of_sender, (401..20_401).rev().map(id).collect::<Vec<_>>());
    let of_domain = asked.by_domain(&"d7.example".parse().unwrap(), 3).unwrap();
    assert_eq!(of_domain, [20_357, 20_307, 20_257].map(id));
}

/// A campaign of the n-th message, to so many.
fn launched(n: u64, recipient_count: u64) -> Event {
    let mut event = accepted(n, &[]);
    if let EventKind::Accepted(event::Accepted { recipient_count: count, labels, header_id, .. }) = &mut event.kind {
        (*count, *labels) = (recipient_count, autumn());
        header_id.clear();
    }
    event
}

fn autumn() -> Option<Arc<Labels>> {
    Labels { campaign: Some("autumn".into()), ..Labels::default() }.kept()
}

/// The same about somebody on its list.
fn of_campaign(mut event: Event, number: u32) -> Event {
    match &mut event.kind {
        EventKind::Settled(event::Settled { part, labels, .. }) => (part.number, *labels) = (number, autumn()),
        EventKind::CameBack { labels, .. } => *labels = autumn(),
        _ => {}
    }
    event
}

#[test]
fn a_recipient_of_a_campaign_is_found_by_their_address_and_sees_their_own_steps() {
    let dir = tempfile::tempdir().unwrap();
    let history = history(&dir);
    let complained = EventKind::CameBack {
        what: Back::Complained,
        account: Some("shop".into()),
        labels: None,
        message: Some(id(1)),
        recipient: address("bob@example.net"),
        status: None,
        cause: None,
        text: "abuse".into(),
    };
    let cancelled = EventKind::Cancelled { message: id(1), account: None, labels: autumn(), recipient_count: 7 };
    let asked = after(
        &history,
        [
            launched(1, 10),
            of_campaign(settled(1, 1, "Bob@example.net", (451, "4.7.1 later")), 0),
            of_campaign(settled(1, 1, "ann@example.net", (250, "2.0.0 ok")), 1),
            of_campaign(settled(1, 2, "Bob@example.net", (250, "2.0.0 ok")), 0),
            of_campaign(at(9, complained), 0),
            at(9, cancelled),
            accepted(2, &["bob@example.net"]),
            of_campaign(settled(2, 1, "bob@example.net", (250, "2.0.0 ok")), 0),
        ],
    );
    let bob = address("bob@example.net");
    assert_eq!(asked.by_recipient(&bob, 10).unwrap(), [id(2), id(1)]);
    assert_eq!(asked.by_recipient(&bob, 1).unwrap(), [id(2)]);
    assert_eq!(asked.by_recipient(&address("ann@example.net"), 10).unwrap(), [id(1)]);
    assert_eq!(asked.by_recipient(&address("nobody@example.net"), 10).unwrap(), []);
    let steps = asked.steps_to(id(1), &bob).unwrap();
    let said: Vec<String> = steps.iter().map(|step| step.kind.to_string()).collect();
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(
        said[0].starts_with("accepted from <Shop@example.com> for the 10 of a campaign, 4096 octets"),
        "{}",
        said[0]
    );
    assert!(said[1].starts_with("deferred Bob@example.net") && said[2].starts_with("delivered Bob"), "{said:?}");
    assert_eq!(said[3], "complained bob@example.net: abuse");
    let all = asked.last_steps(id(1), 2).unwrap();
    let said: Vec<String> = all.iter().skip(1).map(|step| step.kind.to_string()).collect();
    assert_eq!(said, ["complained bob@example.net: abuse", "cancelled: 7 of its list get nothing"]);
    // Mail of a program that bears a campaign's name is found by its acceptance, and costs no more.
    let db = rusqlite::Connection::open(dir.path().join("history.sqlite")).unwrap();
    let indexed: i64 = db.query_row("SELECT count(*) FROM lookup WHERE step > 0", [], |row| row.get(0)).unwrap();
    assert_eq!(indexed, 4);
    // An earlier version found them by an index of the steps.
    drop((history, asked));
    db.execute_batch(BEFORE_VOLUMES).unwrap();
    let asked = self::history(&dir).questions().unwrap();
    assert_eq!(asked.steps_to(id(1), &bob).unwrap(), steps);
    assert_eq!(asked.by_recipient(&bob, 10).unwrap(), [id(2), id(1)]);
}

/// Two campaigns that took turns used up the places of a third.
#[test]
fn campaigns_with_steps_in_several_volumes_are_counted_once() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let options = HistoryOptions { clock: clock.clone(), ..Default::default() };
    let history = History::open(&dir.path().join("history.sqlite"), options).unwrap();
    after(&history, (1..=3).map(|n| launched(n, 1)));
    for n in [1, 2, 3, 2, 3] {
        after(&history, [of_campaign(settled(n, 1, "bob@example.net", (451, "later")), 0)]);
        // Another volume.
        clock.advance(2 * DAY);
    }
    let asked = history.questions().unwrap();
    assert_eq!(asked.by_recipient(&address("bob@example.net"), 3).unwrap(), [3, 2, 1].map(id));
}

#[test]
fn a_campaign_of_many_is_forgotten_in_blocks_with_all_by_which_it_was_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.sqlite");
    let (history, clock) = of_a_day(&path);
    let steps = (0..12_000).map(|n| of_campaign(settled(1, 1, &format!("p{n}@example.net"), (250, "ok")), n));
    after(&history, std::iter::once(launched(1, 12_000)).chain(steps));
    clock.advance(3 * DAY);
    let left = || -> (i64, i64, i64) {
        let db = rusqlite::Connection::open(&path).unwrap();
        let count = |what: &str| db.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0)).unwrap();
        (count("step WHERE message < 0 OR message >= 0"), count("lookup WHERE step > 0"), count("message"))
    };
    // Each batch forgets a little; a few are enough.
    let three_days = 3 * 24 * 3600;
    after(&history, [accepted(three_days, &["bob@example.net"])]);
    assert!(left().0 > 0, "no event waits for all of it");
    for n in 1..5 {
        after(&history, [accepted(three_days + n, &["bob@example.net"])]);
    }
    drop(history);
    assert_eq!(left(), (0, 0, 5));
    assert_eq!(Questions::open(&path).unwrap().by_recipient(&address("p7@example.net"), 9).unwrap(), []);
}
