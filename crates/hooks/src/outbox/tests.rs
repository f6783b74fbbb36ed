//! Order, and what a crash finds.

use super::*;
use crate::wire::Type;

const START: i64 = 1_795_478_400_000;

fn event(id: u64, chain: i64) -> Arc<Told> {
    let at = Timestamp(START + id as i64 * 1000);
    Arc::new(Told { id: EventId(id), at, kind: Type::Accepted, account: None, chain, json: "{}".into() })
}

fn outbox(events: &[(u64, i64)]) -> Outbox {
    let mut outbox = Outbox::new(EventId(0), HashMap::new());
    let to = events.last().map_or(0, |e| e.0);
    assert!(outbox.read(events.iter().map(|(id, chain)| event(*id, *chain)).collect(), EventId(to)).is_empty());
    outbox
}

fn next(outbox: &mut Outbox, most: usize) -> Option<Parcel> {
    outbox.next(most, Duration::ZERO, Timestamp(START + 3_600_000))
}

fn ids(parcel: &Parcel) -> Vec<u64> {
    parcel.events.iter().map(|event| event.id.0).collect()
}

#[test]
fn a_message_is_told_in_order_and_holds_up_no_other() {
    let mut outbox = outbox(&[(1, 7), (2, 7), (3, 8), (4, 7)]);
    let first = next(&mut outbox, 1).unwrap();
    let second = next(&mut outbox, 1).unwrap();
    assert_eq!((ids(&first), ids(&second)), (vec![1], vec![3]));
    assert!(next(&mut outbox, 1).is_none(), "the second of a message before the first is done");
    assert_eq!(outbox.done_to(), EventId(0));
    outbox.end(&second, true);
    assert_eq!(outbox.done_to(), EventId(0), "a later one is done, an earlier one is not");
    outbox.end(&first, true);
    assert_eq!(outbox.done_to(), EventId(1));
    let third = next(&mut outbox, 1).unwrap();
    assert_eq!(ids(&third), [2]);
    outbox.end(&third, true);
    let last = next(&mut outbox, 1).unwrap();
    outbox.end(&last, true);
    assert_eq!((ids(&last), outbox.done_to()), (vec![4], EventId(4)));
}

#[test]
fn what_fails_takes_the_rest_of_its_message_with_it() {
    let mut outbox = outbox(&[(1, 7), (2, 8), (3, 7)]);
    let first = next(&mut outbox, 1).unwrap();
    let behind = outbox.end(&first, false);
    assert_eq!(behind.iter().map(|e| e.id.0).collect::<Vec<_>>(), [3]);
    assert_eq!((outbox.waiting(), outbox.done_to()), (2, EventId(1)));
    let more = outbox.read(vec![event(4, 7), event(5, 9)], EventId(5));
    assert_eq!(more.iter().map(|e| e.id.0).collect::<Vec<_>>(), [4]);
    assert_eq!(ids(&next(&mut outbox, 1).unwrap()), [2]);
    assert_eq!(ids(&next(&mut outbox, 1).unwrap()), [5]);
    // From the store, one after the other.
    for id in [1, 3, 4] {
        assert!(outbox.waiting.contains_key(&7));
        let parcel = Parcel { number: id as i64, events: vec![event(id, 7)], attempts: 1, waits: true };
        assert!(outbox.begin(&parcel));
        assert!(!outbox.begin(&parcel), "twice at once");
        outbox.end(&parcel, true);
    }
    assert!(!outbox.waiting.contains_key(&7));
}

#[test]
fn a_batch_keeps_the_order_and_waits_for_company() {
    let mut outbox = outbox(&[(1, 7), (2, 8), (3, 7), (4, 9)]);
    let wait = Duration::from_secs(10);
    let at = |seconds: i64| Timestamp(START + seconds * 1000);
    assert!(outbox.next(5, wait, at(5)).is_none());
    assert_eq!(outbox.next_at(wait), Some(at(11)));
    let batch = outbox.next(3, wait, at(5)).unwrap();
    assert_eq!(ids(&batch), [1, 2, 3], "a full one does not wait");
    let rest = outbox.next(3, wait, at(14)).unwrap();
    assert_eq!(ids(&rest), [4]);
    outbox.read(vec![event(5, 8), event(6, 10)], EventId(6));
    assert_eq!(ids(&outbox.next(3, wait, at(30)).unwrap()), [6], "8 is under way");
    outbox.end(&batch, false);
    assert_eq!((outbox.waiting(), outbox.ready()), (4, 0));
}
