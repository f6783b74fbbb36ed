//! A disk that refuses, and what it costs: events, counted; never time of who records them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use repute_hooks::{Bounds, Feed, FeedOptions, Filter, Since};
use repute_testkit::State;
use repute_types::event::EventSink;
use repute_types::{Event, EventKind, ManualClock, MessageId, Timestamp};

const ROOM: usize = 10_000;

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl EventSink for Notes {
    fn emit(&self, event: Event) {
        if let EventKind::Note { text, .. } = event.kind {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(text);
        }
    }
}

fn event(n: u64) -> Event {
    let at = Timestamp(1_795_478_400_000);
    let message = MessageId(MessageId::first_at(at).0 + n);
    let account = Some("shop".into());
    let kind = EventKind::Released { message, part: Some(0), account, labels: None, recipients: Vec::new() };
    Event { at, kind }
}

#[tokio::test]
async fn a_disk_that_refuses_costs_events_and_no_time() {
    let state = State::new();
    let path = state.join("events.sqlite");
    let store = Some((path.clone(), Bounds::default()));
    let feed = Feed::open(FeedOptions { store, waiting: ROOM, ..FeedOptions::default() }).unwrap();
    let notes: Arc<Notes> = Arc::default();
    let sink: Arc<dyn EventSink> = notes.clone();
    feed.tell_to(&sink);

    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    for n in 0..5 * ROOM as u64 {
        feed.record(&Arc::new(event(n)));
    }
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    other.execute_batch("ROLLBACK").unwrap();

    tokio::task::spawn_blocking(move || feed.close()).await.unwrap();
    // Who reads the stream goes on after the next start.
    let feed = Feed::open(FeedOptions { store: Some((path, Bounds::default())), ..FeedOptions::default() }).unwrap();
    let mut events = feed.subscribe(Since::Start, Filter::ALL);
    let mut ids = Vec::new();
    while let Some(batch) = events.ready().await.unwrap() {
        assert!(!batch.gap);
        ids.extend(batch.events.iter().map(|event| event.id));
    }
    // What was taken up before the disk refused, and a whole room behind it.
    assert!((ROOM..=3 * ROOM).contains(&ids.len()), "{}", ids.len());
    assert!(ids.is_sorted());
    let notes = notes.0.lock().unwrap();
    let counted: usize = notes
        .iter()
        .filter(|note| note.contains("events came faster"))
        .map(|note| note.split(' ').next().unwrap().parse::<usize>().unwrap())
        .sum();
    assert_eq!(counted, 5 * ROOM - ids.len(), "{notes:?}");
}

#[tokio::test]
async fn without_a_store_the_last_events_are_there_and_a_gap_is_told() {
    let feed = Feed::open(FeedOptions::default()).unwrap();
    let reader = feed.subscribe(Since::Now, Filter::ALL);
    for n in 0..15_000 {
        feed.record(&Arc::new(event(n)));
    }
    drop(reader);
    let asked = feed.clone();
    tokio::task::spawn_blocking(move || asked.close()).await.unwrap();
    let mut all = feed.subscribe(Since::Start, Filter::ALL);
    let first = all.ready().await.unwrap().unwrap();
    let mut count = first.events.len();
    while let Some(batch) = all.ready().await.unwrap() {
        count += batch.events.len();
    }
    assert_eq!(count, 10_000);
    let before = repute_hooks::EventId(first.events[0].id.0 - 100);
    let mut late = feed.subscribe(Since::After(before), Filter::ALL);
    assert!(late.ready().await.unwrap().unwrap().gap);
    assert!(!late.ready().await.unwrap().unwrap().gap);
}

#[tokio::test]
async fn while_nobody_reads_few_events_are_kept_and_for_an_hour_after_a_reader_left_many() {
    let clock = Arc::new(ManualClock::at(event(0).at));
    let feed = Feed::open(FeedOptions { clock: clock.clone(), ..FeedOptions::default() }).unwrap();
    let tell = |events: u64, at: Timestamp| {
        for n in 0..events {
            feed.record(&Arc::new(Event { at, ..event(n) }));
        }
    };
    let kept = async || {
        let mut all = feed.subscribe(Since::Start, Filter::ALL);
        let mut count = 0;
        while let Some(batch) = all.ready().await.unwrap() {
            count += batch.events.len();
        }
        count
    };
    let start = event(0).at;
    tell(1_000, start);
    assert_eq!(kept().await, 300);
    tell(1_000, start + Duration::from_secs(3599));
    assert_eq!(kept().await, 1_300);
    let hour = start + Duration::from_secs(3600);
    // Who stays may be behind however quiet it was.
    let stays = feed.subscribe(Since::Now, Filter::ALL);
    clock.advance(Duration::from_secs(3600));
    tell(1_000, hour + Duration::from_secs(7200));
    drop(stays);
    assert_eq!(kept().await, 2_300);
    tell(1, hour + Duration::from_secs(3 * 3600));
    assert_eq!(kept().await, 300);
}

/// One reader who asked for everything before there was any event kept a thread of the server busy for ever; one who
/// went on from before the start was told of a gap without end.
#[tokio::test]
async fn where_nothing_is_kept_a_reader_waits_for_what_comes() {
    let state = State::new();
    let long_ago = Timestamp(1_000_000_000_000);
    for store in [None, Some((state.join("events.sqlite"), Bounds::default()))] {
        let is_stored = store.is_some();
        let feed = Feed::open(FeedOptions { store, inline: true, ..FeedOptions::default() }).unwrap();
        let mut all = feed.subscribe(Since::Start, Filter::ALL);
        let mut before = [Since::Time(long_ago), Since::After(repute_hooks::EventId::before(long_ago))]
            .map(|since| feed.subscribe(since, Filter::ALL));
        // Nothing of these waits, so a time limit could not end them: that they come to an end is the test.
        assert!(all.ready().await.unwrap().is_none(), "stored: {is_stored}");
        for reader in &mut before {
            if let Some(told) = reader.ready().await.unwrap() {
                assert!(told.gap && told.events.is_empty(), "stored: {is_stored}");
            }
            assert!(reader.ready().await.unwrap().is_none(), "stored: {is_stored}");
        }
        feed.record(&Arc::new(event(1)));
        for reader in before.iter_mut().chain([&mut all]) {
            let told = reader.ready().await.unwrap().unwrap();
            assert!(!told.gap && told.events.len() == 1, "stored: {is_stored}");
            assert!(reader.ready().await.unwrap().is_none());
        }
    }
}

/// Such a reader heard nothing for ever.
#[tokio::test]
async fn who_had_an_event_that_nobody_knows_is_told_of_a_gap_and_goes_on() {
    let feed = Feed::open(FeedOptions::default()).unwrap();
    let future = repute_hooks::EventId::before(Timestamp(4_000_000_000_000));
    let mut events = feed.subscribe(Since::After(future), Filter::ALL);
    let told = events.ready().await.unwrap().unwrap();
    assert!(told.gap && told.events.is_empty());
    assert!(events.ready().await.unwrap().is_none());
    feed.record(&Arc::new(event(1)));
    let told = events.ready().await.unwrap().unwrap();
    assert!(!told.gap && told.events.len() == 1);
}

/// Two hundred readers that were called with each event made mail sixteen times as slow.
#[tokio::test(start_paused = true)]
async fn a_reader_that_is_up_to_date_is_called_for_many_events_at_once() {
    let feed = Feed::open(FeedOptions::default()).unwrap();
    let mut reader = feed.subscribe(Since::Now, Filter::ALL);
    let mut other = feed.subscribe(Since::Now, Filter::ALL);
    let maker = feed.clone();
    let made = tokio::spawn(async move {
        for n in 0..1000 {
            maker.record(&Arc::new(event(n)));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let began = tokio::time::Instant::now();
    let first = reader.next().await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_millis(2), "the first comes at once");
    let (mut count, mut calls) = (first.events.len(), 1);
    while count < 1000 {
        count += reader.next().await.unwrap().unwrap().events.len();
        calls += 1;
    }
    made.await.unwrap();
    assert!(calls <= 22, "{calls} calls");
    // One who was away gets page after page without a pause, each event in the form that the other reader had.
    let began = tokio::time::Instant::now();
    let (one, two) = (other.next().await.unwrap().unwrap(), other.next().await.unwrap().unwrap());
    assert!(one.events.len() + two.events.len() == 1000 && began.elapsed().is_zero());
    assert!(Arc::ptr_eq(&one.events[0], &first.events[0]));
}

/// The thread waited for the disk alone: `repute webhook list` and `repute events` hung for as long as it was full.
#[tokio::test]
async fn while_the_disk_refuses_what_is_written_can_be_asked_for() {
    let state = State::new();
    let path = state.join("events.sqlite");
    let store = Some((path.clone(), Bounds::default()));
    let feed = Feed::open(FeedOptions { store, ..FeedOptions::default() }).unwrap();
    let mut newest = feed.newest();
    feed.record(&Arc::new(event(1)));
    newest.changed().await.unwrap();

    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    feed.record(&Arc::new(event(2)));
    for _ in 0..3 {
        let mut events = feed.subscribe(Since::Start, Filter::ALL);
        let asked = tokio::time::timeout(Duration::from_secs(60), events.ready());
        let told = asked.await.expect("nobody answers").unwrap().unwrap();
        assert_eq!(told.events.len(), 1);
        tokio::time::timeout(Duration::from_secs(60), feed.begins_after()).await.expect("nobody answers").unwrap();
    }
    assert_eq!((feed.recorded(), feed.stored()), (2, 1));
    other.execute_batch("ROLLBACK").unwrap();
    newest.changed().await.unwrap();
    assert_eq!(feed.stored(), 2, "what waited is written when the disk takes it again");
    tokio::task::spawn_blocking(move || feed.close()).await.unwrap();
}
