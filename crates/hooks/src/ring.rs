//! The last events in memory, for readers that are nearly up to date. Bounded by number and size.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::wire::{EventId, Filter, Told};

const EVENTS: usize = 10_000;
const OCTETS: usize = 16 << 20;

pub struct Ring {
    events: VecDeque<Arc<Told>>,
    octets: usize,
    /// What is not after this is not here.
    gone_to: EventId,
}

impl Ring {
    /// Knows nothing up to `gone_to`.
    pub fn after(gone_to: EventId) -> Ring {
        Ring { events: VecDeque::new(), octets: 0, gone_to }
    }

    pub fn push(&mut self, event: Arc<Told>) {
        self.octets += event.json.len();
        self.events.push_back(event);
        while self.events.len() > EVENTS || self.octets > OCTETS {
            let Some(oldest) = self.events.pop_front() else { break };
            self.octets -= oldest.json.len();
            self.gone_to = oldest.id;
        }
    }

    /// Whether everything after `id` is still here.
    pub fn reaches(&self, id: EventId) -> bool {
        id >= self.gone_to
    }

    /// The events after `id` that a filter takes, out of the next `looked_at`, and the id up to
    /// which was looked.
    pub fn page(&self, id: EventId, filter: &Filter, looked_at: usize) -> (Vec<Arc<Told>>, EventId) {
        let start = self.events.partition_point(|event| event.id <= id);
        let looked = self.events.range(start..).take(looked_at);
        let to = looked.clone().next_back().map_or(id, |event| event.id);
        (looked.filter(|event| filter.takes(event)).cloned().collect(), to)
    }
}
