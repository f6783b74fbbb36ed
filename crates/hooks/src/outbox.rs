//! What a webhook is sent next: events read from the store and not yet done, in memory.
//!
//! Promise: two requests under way never hold events of one chain (one message, one incident),
//! and a chain of which something waits in the store is not overtaken. What is not done is never
//! below [`Outbox::done_to`], so that a restart begins there. A pure value.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use repute_types::Timestamp;

use crate::wire::{EventId, Told};

/// Events that go out in one request, again and again as the same ones until it is taken.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// The key of its first event; by it the store knows a parcel that waits.
    pub number: i64,
    pub events: Vec<Arc<Told>>,
    /// Made so far; 0 for one that does not come from the store.
    pub attempts: u32,
    /// Whether it waits in the store.
    pub waits: bool,
}

impl Parcel {
    pub fn chains(&self) -> impl Iterator<Item = i64> {
        self.events.iter().map(|event| event.chain)
    }
}

#[derive(Default)]
pub struct Outbox {
    /// In the order of their ids.
    ready: VecDeque<Arc<Told>>,
    /// Chains of which something is under way.
    busy: HashSet<i64>,
    /// Chains of which something waits in the store, and how much.
    waiting: HashMap<i64, usize>,
    /// Read and neither done nor waiting in the store: ready or under way.
    open: BTreeSet<EventId>,
    /// Up to here events were read.
    read_to: EventId,
}

impl Outbox {
    pub fn new(read_to: EventId, waiting: HashMap<i64, usize>) -> Outbox {
        Outbox { read_to, waiting, ..Outbox::default() }
    }

    pub fn read_to(&self) -> EventId {
        self.read_to
    }

    /// Up to here everything is done or waits in the store.
    pub fn done_to(&self) -> EventId {
        self.open.first().map_or(self.read_to, |first| EventId(first.0.saturating_sub(1)))
    }

    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    pub fn waiting(&self) -> usize {
        self.waiting.values().sum()
    }

    /// Takes a page of events in; those that have to wait behind others in the store are returned.
    pub fn read(&mut self, page: Vec<Arc<Told>>, to: EventId) -> Vec<Arc<Told>> {
        self.read_to = self.read_to.max(to);
        let (behind, ready): (Vec<_>, Vec<_>) =
            page.into_iter().partition(|event| self.waiting.contains_key(&event.chain));
        self.open.extend(ready.iter().map(|event| event.id));
        self.ready.extend(ready);
        for event in &behind {
            self.wait(event.chain, 1);
        }
        behind
    }

    /// The next events that may go, at most `most` of them and a full batch or one that waited
    /// long enough.
    pub fn next(&mut self, most: usize, wait: Duration, now: Timestamp) -> Option<Parcel> {
        let mut places = Vec::new();
        for (place, event) in self.ready.iter().enumerate() {
            if !self.busy.contains(&event.chain) && !self.waiting.contains_key(&event.chain) {
                places.push(place);
                if places.len() == most {
                    break;
                }
            }
        }
        let oldest = &self.ready[*places.first()?];
        if places.len() < most && now.since(oldest.at) < wait {
            return None;
        }
        let mut events: Vec<Arc<Told>> = places.iter().rev().filter_map(|place| self.ready.remove(*place)).collect();
        events.reverse();
        self.busy.extend(events.iter().map(|event| event.chain));
        Some(Parcel { number: events.first()?.id.key(), events, attempts: 0, waits: false })
    }

    /// When [`Outbox::next`] may have something that it has not now.
    pub fn next_at(&self, wait: Duration) -> Option<Timestamp> {
        let may_go = |e: &&Arc<Told>| !self.busy.contains(&e.chain) && !self.waiting.contains_key(&e.chain);
        self.ready.iter().find(may_go).map(|event| event.at + wait)
    }

    /// Whether a parcel from the store may go now; then it is under way.
    pub fn begin(&mut self, parcel: &Parcel) -> bool {
        if parcel.chains().any(|chain| self.busy.contains(&chain)) {
            return false;
        }
        self.busy.extend(parcel.chains());
        true
    }

    /// A parcel is no longer under way. One that was not taken waits in the store from now on,
    /// and with it everything of its chains that was read since, which is returned.
    pub fn end(&mut self, parcel: &Parcel, taken: bool) -> Vec<Arc<Told>> {
        for event in &parcel.events {
            self.busy.remove(&event.chain);
            self.open.remove(&event.id);
        }
        match (taken, parcel.waits) {
            (true, true) => parcel.chains().for_each(|chain| self.wait_less(chain)),
            (false, false) => parcel.chains().for_each(|chain| self.wait(chain, 1)),
            _ => {}
        }
        if taken { Vec::new() } else { self.step_behind(&parcel.chains().collect()) }
    }

    /// More waits in the store than is known here: it was put there by hand.
    pub fn know(&mut self, waiting: HashMap<i64, usize>) -> Vec<Arc<Told>> {
        self.waiting = waiting;
        let chains = self.waiting.keys().copied().collect();
        self.step_behind(&chains)
    }

    /// Takes the ready events of some chains out: they wait in the store from now on.
    fn step_behind(&mut self, chains: &HashSet<i64>) -> Vec<Arc<Told>> {
        let all = std::mem::take(&mut self.ready);
        let (behind, ready): (Vec<_>, Vec<_>) = all.into_iter().partition(|event| chains.contains(&event.chain));
        self.ready = ready.into();
        for event in &behind {
            self.open.remove(&event.id);
            self.wait(event.chain, 1);
        }
        behind
    }

    fn wait(&mut self, chain: i64, events: usize) {
        *self.waiting.entry(chain).or_default() += events;
    }

    fn wait_less(&mut self, chain: i64) {
        if let Some(events) = self.waiting.get_mut(&chain) {
            *events -= 1;
            if *events == 0 {
                self.waiting.remove(&chain);
            }
        }
    }
}

#[cfg(test)]
mod tests;
