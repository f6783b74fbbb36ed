//! The feed's thread: takes what came, writes it, shows it, and answers questions to the store.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use repute_types::event::Level;
use repute_types::{Clock, Event, EventKind, Timestamp};

use super::{Ask, Inbox, Shared, lock};
use crate::store::{Store, StoreError};
use crate::wire::{self, EventId, Told};

/// So many events a second are many: then the first waits a moment for others, because each waking of this thread
/// costs as much as writing some of them.
const MANY: u32 = 2000;
const LINGER: Duration = Duration::from_millis(3);
/// Over which it is looked at how many there are.
const LOOK: Duration = Duration::from_millis(100);
/// Between two tries where the disk refuses.
const RETRY: Duration = Duration::from_secs(1);
/// Between two looks for what is too old or too much.
const TRIM_EVERY: Duration = Duration::from_secs(30);
/// Between two steps where there is more to trim: new events go between them.
const TRIM_AGAIN: Duration = Duration::from_millis(20);

pub(super) struct Collector {
    shared: Arc<Shared>,
    store: Store,
    clock: Arc<dyn Clock>,
    trim_at: Timestamp,
    told_failure: bool,
    pace: Pace,
}

/// Whether events come fast.
struct Pace {
    since: Instant,
    events: u32,
    fast: bool,
}

impl Pace {
    fn count(&mut self, events: usize) {
        self.events = self.events.saturating_add(u32::try_from(events).unwrap_or(u32::MAX));
        let passed = self.since.elapsed();
        if passed >= LOOK {
            self.fast = f64::from(self.events) >= f64::from(MANY) * passed.as_secs_f64();
            (self.since, self.events) = (Instant::now(), 0);
        }
    }
}

/// What one look into the inbox found.
struct Taken {
    events: Vec<(EventId, Arc<Event>)>,
    asks: Vec<Ask>,
    lost: u64,
    closed: bool,
}

impl Taken {
    fn of(inbox: &mut Inbox) -> Taken {
        Taken {
            events: std::mem::take(&mut inbox.events),
            asks: std::mem::take(&mut inbox.asks),
            lost: std::mem::take(&mut inbox.lost),
            closed: inbox.closed,
        }
    }
}

impl Collector {
    pub fn new(shared: Arc<Shared>, store: Store, clock: Arc<dyn Clock>) -> Collector {
        let trim_at = clock.now() + TRIM_EVERY;
        let pace = Pace { since: Instant::now(), events: 0, fast: false };
        Collector { shared, store, clock, trim_at, told_failure: false, pace }
    }

    pub fn run(mut self) {
        loop {
            let taken = self.take(self.trim_at.since(self.clock.now()).min(TRIM_EVERY));
            if self.turn(taken) {
                return;
            }
        }
    }

    /// Does what there is to do, without waiting for it.
    pub fn turn_now(&mut self) {
        let taken = Taken::of(&mut lock(&self.shared.inbox));
        self.turn(taken);
    }

    /// Returns whether this was the end.
    fn turn(&mut self, mut taken: Taken) -> bool {
        let events: Vec<Arc<Told>> =
            taken.events.iter().filter_map(|(id, event)| wire::told(*id, event)).map(Arc::new).collect();
        while let Err(error) = self.write(&events) {
            if !std::mem::replace(&mut self.told_failure, true) {
                self.note(Level::Error, format!("events wait in memory: {error}"));
            }
            // What is written can be told all the same.
            self.answer(std::mem::take(&mut taken.asks));
            if self.pause() {
                // The end: one last try, for a disk that takes things again.
                if let Err(error) = self.write(&events) {
                    let text = format!("{} events could not be kept before the end: {error}", events.len());
                    self.note(Level::Error, text);
                }
                break;
            }
        }
        if !events.is_empty() {
            self.told_failure = false;
        }
        self.shared.dealt_with.fetch_add(taken.events.len() as u64, Ordering::Release);
        self.show(events);
        if taken.lost > 0 {
            let text = format!("{} events came faster than they could be written: no reader gets them", taken.lost);
            self.note(Level::Warning, text);
        }
        self.answer(taken.asks);
        let now = self.clock.now();
        if taken.closed {
            self.shared.end();
        } else if now >= self.trim_at {
            self.trim_at = now + self.trim();
        }
        taken.closed
    }

    /// Waits for something to do, at most `within`.
    fn take(&mut self, within: Duration) -> Taken {
        let wake = &self.shared.wake;
        let idle = |inbox: &mut Inbox| inbox.events.is_empty() && inbox.asks.is_empty() && !inbox.closed;
        let waited = wake.wait_timeout_while(lock(&self.shared.inbox), within, idle);
        let mut inbox = waited.unwrap_or_else(PoisonError::into_inner).0;
        if self.pace.fast {
            let only_events = |inbox: &mut Inbox| inbox.asks.is_empty() && !inbox.closed;
            inbox = wake.wait_timeout_while(inbox, LINGER, only_events).unwrap_or_else(PoisonError::into_inner).0;
        }
        let taken = Taken::of(&mut inbox);
        drop(inbox);
        self.pace.count(taken.events.len());
        taken
    }

    fn write(&mut self, events: &[Arc<Told>]) -> Result<(), StoreError> {
        if events.is_empty() { Ok(()) } else { self.store.append(events) }
    }

    fn show(&self, events: Vec<Arc<Told>>) {
        let Some(newest) = events.last().map(|event| event.id) else { return };
        let mut ring = lock(&self.shared.ring);
        events.into_iter().for_each(|event| ring.push(event));
        drop(ring);
        self.shared.newest.send_replace(newest);
    }

    fn answer(&mut self, asks: Vec<Ask>) {
        asks.into_iter().for_each(|ask| ask(&mut self.store));
    }

    /// Waits before another try, and answers meanwhile whoever asks; `true` where there is no time for one.
    fn pause(&mut self) -> bool {
        let again = Instant::now() + RETRY;
        loop {
            let left = again.saturating_duration_since(Instant::now());
            let (asks, closed) = {
                let unasked = |inbox: &mut Inbox| !inbox.closed && inbox.asks.is_empty();
                let waited = self.shared.wake.wait_timeout_while(lock(&self.shared.inbox), left, unasked);
                let mut inbox = waited.unwrap_or_else(PoisonError::into_inner).0;
                (std::mem::take(&mut inbox.asks), inbox.closed)
            };
            self.answer(asks);
            if closed || left.is_zero() {
                return closed;
            }
        }
    }

    /// Returns when to look again.
    fn trim(&mut self) -> Duration {
        let now = self.clock.now();
        let Ok(trimmed) = self.store.trim(now) else { return TRIM_EVERY };
        if trimmed.lost > 0 {
            let text = format!(
                "{} events were deleted, at the bound of what is kept ([events] `keep` and `size`), before a webhook had taken \
                 them: `repute webhook list` says which",
                trimmed.lost
            );
            self.note(Level::Warning, text);
        }
        if trimmed.more { TRIM_AGAIN } else { TRIM_EVERY }
    }

    fn note(&self, level: Level, text: String) {
        let at = self.clock.now();
        if let Some(notes) = self.shared.notes.get().and_then(std::sync::Weak::upgrade) {
            notes.emit(Event { at, kind: EventKind::Note { level, what: "events", text } });
        }
    }
}
