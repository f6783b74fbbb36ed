//! What is kept, in what order it waits, and what the bounds take.

use repute_types::MessageId;

use super::*;
use crate::wire::{Type, Types};

const NOW: Timestamp = Timestamp(1_795_478_400_000);

struct World {
    store: Store,
    kept: Kept,
    _folder: tempfile::TempDir,
}

fn world(bounds: Bounds) -> World {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder.path().join("events.sqlite"), bounds, NOW).unwrap();
    let kept = store.webhook("shop", "https://shop.example", Filter::ALL).unwrap();
    World { store, kept, _folder: folder }
}

fn id(n: u64) -> EventId {
    EventId(MessageId::first_at(NOW).0 + n)
}

fn event(n: u64, chain: i64) -> Arc<Told> {
    let json = format!("{{\"n\":{n}}}").into();
    Arc::new(Told { id: id(n), at: NOW, kind: Type::Accepted, account: Some("shop".into()), chain, json })
}

impl World {
    fn add(&mut self, events: &[(u64, i64)]) {
        let events: Vec<_> = events.iter().map(|(n, chain)| event(*n, *chain)).collect();
        self.store.append(&events).unwrap();
    }

    fn update(&mut self, change: impl FnOnce(&mut Update)) -> waiting::Updated {
        let mut update =
            Update { kept: self.kept.clone(), add: Vec::new(), done: Vec::new(), again: Vec::new(), all_due: false };
        change(&mut update);
        self.kept = update.kept.clone();
        self.store.update(&update, NOW).unwrap()
    }

    /// The parcels that are due, each as the numbers of its events.
    fn due(&self, at: Timestamp) -> Vec<Vec<u64>> {
        let number = |event: &Arc<Told>| event.id.0 - id(0).0;
        let parcels = self.store.due(self.kept.key, at, 100).unwrap();
        parcels.iter().map(|parcel| parcel.events.iter().map(number).collect()).collect()
    }
}

fn waits(n: u64, chain: i64, parcel: u64, due: Option<Timestamp>) -> Waiting {
    Waiting { event: id(n), chain, parcel: id(parcel).key(), attempts: 1, due }
}

#[test]
fn events_are_read_in_order_and_a_new_webhook_begins_with_the_next() {
    let mut world = world(Bounds::default());
    world.add(&[(1, 7), (2, 8), (3, 7)]);
    let (page, to) = world.store.page(id(0), &Filter::ALL, 2).unwrap();
    assert_eq!((page.len(), to), (2, id(2)));
    assert_eq!(&*page[0].json, "{\"n\":1}");
    let other = Filter { types: Types::ALL, account: Some("blog".into()) };
    let (page, to) = world.store.page(id(0), &other, 10).unwrap();
    assert_eq!((page.len(), to), (0, id(3)));
    assert_eq!(world.store.count(id(1), &Filter::ALL, 100).unwrap(), 2);
    assert!(world.store.has(7, Type::Accepted).unwrap() && !world.store.has(9, Type::Accepted).unwrap());
    let late = world.store.webhook("late", "https://late.example", Filter::ALL).unwrap();
    assert_eq!(late.done_to, id(3));
    assert_eq!(world.store.webhook("shop", "https://shop.example", Filter::ALL).unwrap(), world.kept);
}

#[test]
fn what_waits_goes_parcel_by_parcel_and_chain_by_chain() {
    let mut world = world(Bounds::default());
    world.add(&[(1, 7), (2, 8), (3, 7), (4, 8)]);
    let later = NOW + Duration::from_secs(60);
    let updated = world.update(|u| {
        u.add =
            vec![waits(1, 7, 1, Some(later)), waits(2, 8, 1, Some(later)), waits(3, 7, 3, None), waits(4, 8, 4, None)];
    });
    assert_eq!(updated.next_due, Some(later));
    assert!(world.due(NOW).is_empty());
    assert_eq!(world.due(later), [vec![1, 2]]);
    // Refused again: apart from now on.
    world.update(|u| u.again = vec![Again { parcel: id(1).key(), attempts: 2, due: later, apart: true }]);
    assert_eq!(world.due(later), [vec![1], vec![2]]);
    world.update(|u| u.done = vec![id(1).key()]);
    assert_eq!(world.due(NOW), [vec![3]], "what stood behind is due at once");
    world.update(|u| u.all_due = true);
    assert_eq!(world.due(NOW), [vec![2], vec![3]]);
    world.update(|u| u.done = vec![id(2).key(), id(3).key()]);
    assert_eq!(world.due(NOW), [vec![4]]);
    assert_eq!(world.store.waiting_chains(world.kept.key).unwrap(), HashMap::from([(8, 1)]));
}

#[test]
fn what_stands_behind_nothing_is_not_forgotten() {
    let mut world = world(Bounds::default());
    world.add(&[(1, 7)]);
    world.update(|u| u.add = vec![waits(1, 7, 1, None)]);
    assert_eq!(world.due(NOW), [vec![1]]);
}

#[test]
fn by_hand_only_what_was_done_comes_again_and_in_order() {
    let mut world = world(Bounds::default());
    world.add(&[(1, 7), (2, 8), (3, 7), (4, 7)]);
    world.update(|u| u.kept.done_to = id(3));
    let kept = world.kept.clone();
    let chain = Wanted::Chain(7);
    assert_eq!(world.store.redeliver(&kept, &chain, 100, NOW).unwrap(), 2);
    assert_eq!(world.due(NOW), [vec![1]]);
    world.update(|u| u.done = vec![id(1).key()]);
    assert_eq!(world.due(NOW), [vec![3]]);
    assert_eq!(world.store.redeliver(&kept, &Wanted::Events(vec![id(2), id(4), id(9)]), 100, NOW).unwrap(), 1);
    let span = Wanted::Span(NOW, NOW + Duration::from_millis(1));
    assert_eq!(world.store.redeliver(&kept, &span, 2, NOW).unwrap(), 2, "no more than there is room for");
}

#[test]
fn at_the_bounds_the_oldest_go_and_the_loss_is_counted() {
    let mut world = world(Bounds { age: Duration::from_secs(3600), octets: 1 << 40 });
    world.add(&[(1, 7), (2, 8), (3, 7)]);
    world.update(|u| u.kept.done_to = id(1));
    world.update(|u| u.add = vec![waits(1, 7, 1, Some(NOW))]);
    assert_eq!(world.store.trim(NOW).unwrap(), trim::Trimmed::default());
    let trimmed = world.store.trim(NOW + Duration::from_secs(3601)).unwrap();
    assert_eq!(trimmed.lost, 3);
    assert_eq!(world.store.lost(world.kept.key).unwrap(), 3);
    assert!(world.store.gone_to().unwrap() >= id(3));
    assert!(world.due(NOW).is_empty());

    let mut world = self::world(Bounds { age: Duration::from_secs(86_400), octets: 150_000 });
    for step in 0..20u64 {
        let events: Vec<_> = (0..200).map(|n| (step * 200 + n + 1, 7)).collect();
        world.add(&events);
    }
    let mut steps = 0;
    while world.store.trim(NOW).unwrap().more {
        steps += 1;
        assert!(steps < 20);
    }
    let (page, _) = world.store.page(EventId(0), &Filter::ALL, 5000).unwrap();
    assert!(!page.is_empty() && page.len() < 4000, "{}", page.len());
    assert_eq!(page.last().unwrap().id, id(4000), "the newest stay");
}

/// With two webhooks the log told of twice as many.
#[test]
fn an_event_that_two_webhooks_lose_is_one_event() {
    let mut world = world(Bounds { age: Duration::from_secs(3600), octets: 1 << 40 });
    let other = world.store.webhook("other", "https://other.example", Filter::ALL).unwrap();
    world.add(&[(1, 7), (2, 8), (3, 7)]);
    world.update(|u| u.kept.done_to = id(1));
    world.update(|u| u.add = vec![waits(1, 7, 1, Some(NOW))]);
    assert_eq!(world.store.trim(NOW + Duration::from_secs(3601)).unwrap().lost, 3);
    assert_eq!(world.store.lost(world.kept.key).unwrap(), 3);
    assert_eq!(world.store.lost(other.key).unwrap(), 3);
}
