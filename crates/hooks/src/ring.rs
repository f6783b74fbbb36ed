//! The last events in memory, for readers that are nearly up to date. Bounded by number and size.
//!
//! An event that came straight here, because none are stored, takes its outer form when it is first read, once for all
//! readers; and few are kept while nobody reads, since what thousands of them are made of comes back to the allocator when no
//! near cache holds it any more, which cost a twelfth of a message: so where nobody reads, it costs next to nothing.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use repute_types::{Event, EventKind, Timestamp, event};

use crate::wire::{self, EventId, Told};

const EVENTS: usize = 10_000;
/// While nobody reads what came straight here.
const UNREAD: usize = 300;
/// Whoever read in this time may come back.
const READERS_STAY: Duration = Duration::from_secs(3600);
const OCTETS: usize = 16 << 20;
/// What an event and its outer form take without its texts, and one recipient of it; near enough for a bound.
const PLAIN: usize = 1536;
const RECIPIENT: usize = 128;

#[derive(Clone)]
pub enum Kept {
    Raw(Arc<Raw>),
    Told(Arc<Told>),
}

pub struct Raw {
    id: EventId,
    event: Arc<Event>,
    told: OnceLock<Option<Arc<Told>>>,
}

impl Kept {
    pub fn id(&self) -> EventId {
        match self {
            Kept::Raw(raw) => raw.id,
            Kept::Told(told) => told.id,
        }
    }

    /// The outer form; `None` where the event has none.
    pub fn told(self) -> Option<Arc<Told>> {
        match self {
            Kept::Raw(raw) => raw.told.get_or_init(|| wire::told(raw.id, &raw.event).map(Arc::new)).clone(),
            Kept::Told(told) => Some(told),
        }
    }
}

pub struct Ring {
    /// Each with its octets, as they were counted when it came.
    events: VecDeque<(usize, Kept)>,
    octets: usize,
    /// What is not after this is not here.
    gone_to: EventId,
    read_at: Option<Timestamp>,
}

impl Ring {
    /// Knows nothing up to `gone_to`.
    pub fn after(gone_to: EventId) -> Ring {
        Ring { events: VecDeque::new(), octets: 0, gone_to, read_at: None }
    }

    /// Somebody reads, or may come back for what comes now.
    pub fn read_at(&mut self, now: Timestamp) {
        self.read_at = Some(now);
    }

    pub fn push(&mut self, event: Arc<Told>) {
        self.add(event.json.len(), Kept::Told(event), EVENTS);
    }

    pub fn push_raw(&mut self, id: EventId, event: Arc<Event>) {
        let is_read = self.read_at.is_some_and(|at| event.at.since(at) < READERS_STAY);
        let most = if is_read { EVENTS } else { UNREAD };
        self.add(octets(&event.kind), Kept::Raw(Arc::new(Raw { id, event, told: OnceLock::new() })), most);
    }

    fn add(&mut self, octets: usize, event: Kept, most: usize) {
        self.octets += octets;
        self.events.push_back((octets, event));
        while self.events.len() > most || self.octets > OCTETS {
            let Some((octets, oldest)) = self.events.pop_front() else { break };
            self.octets -= octets;
            self.gone_to = oldest.id();
        }
    }

    /// Whether everything after `id` is still here.
    pub fn reaches(&self, id: EventId) -> bool {
        id >= self.gone_to
    }

    /// The next `most` events after `id`.
    pub fn page(&self, id: EventId, most: usize) -> Vec<Kept> {
        let start = self.events.partition_point(|(_, event)| event.id() <= id);
        self.events.range(start..).take(most).map(|(_, event)| event.clone()).collect()
    }
}

fn octets(kind: &EventKind) -> usize {
    PLAIN
        + match kind {
            EventKind::Accepted(event::Accepted { recipients, .. })
            | EventKind::Held { recipients, .. }
            | EventKind::Released { recipients, .. } => recipients.len() * RECIPIENT,
            EventKind::CameBack { text, .. } | EventKind::Suppressed { text, .. } => text.len(),
            EventKind::Settled(event::Settled { outcome, .. }) => {
                outcome.text.len() + outcome.reply.iter().flat_map(|reply| &reply.lines).map(|l| l.len()).sum::<usize>()
            }
            _ => 0,
        }
}
