//! The reader of the stream of events: gives each its id and hands it on.
//!
//! Promise: [`Feed::record`] never blocks. Where events are stored, a thread of its own does the rest:
//! it writes events in their outer form to the store as soon as they come, within
//! milliseconds where thousands come in a second, whatever waits as one transaction, and wakes the
//! subscriptions. Where the disk refuses, events wait in memory up to a bound, and whoever asks is answered from what is written;
//! the newest beyond the bound are left out, counted, and the count becomes a note. Where none are stored, an event goes into memory at once.

mod thread;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;

use repute_types::event::EventSink;
use repute_types::id::IdSource;
use repute_types::{Clock, Event, MessageId, SystemClock};
use tokio::sync::{oneshot, watch};

use self::thread::Collector;
use crate::ring::Ring;
use crate::store::{Bounds, Store, StoreError};
use crate::subscription::{Since, Subscription};
use crate::wire::{self, EventId, Filter};

pub struct FeedOptions {
    /// The file of events, and what it may hold; `None` keeps the last events in memory alone.
    pub store: Option<(PathBuf, Bounds)>,
    /// Events that may wait for the thread; one more is left out and counted.
    pub waiting: usize,
    pub clock: Arc<dyn Clock>,
    /// Does without a thread: whoever records or asks does the work. For tests in simulated time,
    /// which must not wait for a thread that lives in real time.
    pub inline: bool,
}

impl Default for FeedOptions {
    fn default() -> FeedOptions {
        FeedOptions { store: None, waiting: 50_000, clock: Arc::new(SystemClock), inline: false }
    }
}

/// Something to be asked of the store by the thread that owns it.
type Ask = Box<dyn FnOnce(&mut Store) + Send>;

#[derive(Default)]
struct Inbox {
    events: Vec<(EventId, Arc<Event>)>,
    asks: Vec<Ask>,
    /// Events left out since it was last told.
    lost: u64,
    closed: bool,
}

struct Shared {
    inbox: Mutex<Inbox>,
    /// There is something in the inbox, or the end.
    wake: Condvar,
    ids: IdSource,
    ring: Mutex<Ring>,
    newest: watch::Sender<EventId>,
    /// Events taken into the inbox, and those that are stored or were given up, since the start.
    taken_in: AtomicU64,
    dealt_with: AtomicU64,
    /// All that was recorded before the end is shown.
    ended: AtomicBool,
    /// Where the feed itself tells what an operator should know.
    notes: OnceLock<Weak<dyn EventSink>>,
}

pub struct Feed {
    shared: Arc<Shared>,
    waiting: usize,
    is_stored: bool,
    clock: Arc<dyn Clock>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Where there is no thread.
    inline: Option<Mutex<Collector>>,
}

/// Nothing under these locks leaves its value half changed when it panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feed {
    pub fn open(options: FeedOptions) -> Result<Arc<Feed>, StoreError> {
        let FeedOptions { store, waiting, clock, inline } = options;
        let store = store.map(|(path, bounds)| Store::open(&path, bounds, clock.now())).transpose()?;
        let is_stored = store.is_some();
        let last = store.as_ref().map(Store::last).transpose()?;
        // Without a store nothing from before this start is known.
        let begin = last.unwrap_or(EventId::before(clock.now()));
        let shared = Arc::new(Shared {
            inbox: Mutex::default(),
            wake: Condvar::new(),
            ids: IdSource::after(MessageId(begin.0)),
            ring: Mutex::new(Ring::after(begin)),
            newest: watch::Sender::new(begin),
            taken_in: AtomicU64::new(0),
            dealt_with: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            notes: OnceLock::new(),
        });
        let mut feed = Feed {
            shared: shared.clone(),
            waiting: waiting.max(1),
            is_stored,
            clock,
            thread: Mutex::default(),
            inline: None,
        };
        let Some(store) = store else { return Ok(Arc::new(feed)) };
        let collector = Collector::new(shared, store, feed.clock.clone());
        if inline {
            feed.inline = Some(Mutex::new(collector));
        } else {
            let thread = std::thread::Builder::new().name("events".into()).spawn(move || collector.run());
            feed.thread = Mutex::new(Some(thread.map_err(StoreError::Thread)?));
        }
        Ok(Arc::new(feed))
    }

    /// Where the feed tells what it had to leave out. Kept weakly: the sink may lead here.
    pub fn tell_to(&self, notes: &Arc<dyn EventSink>) {
        let _ = self.shared.notes.set(Arc::downgrade(notes));
    }

    /// Takes an event in, if it is one that is told outside. Never blocks.
    pub fn record(&self, event: &Arc<Event>) {
        if wire::kind_of(&event.kind).is_none() {
            return;
        }
        if !self.is_stored {
            return self.show(event);
        }
        let mut inbox = lock(&self.shared.inbox);
        if inbox.events.len() >= self.waiting {
            inbox.lost += 1;
            return;
        }
        if inbox.closed {
            return;
        }
        // Under the lock, so that the order of ids is the order in which they are read.
        let id = EventId(self.shared.ids.next(event.at).0);
        inbox.events.push((id, event.clone()));
        self.shared.taken_in.fetch_add(1, Ordering::Release);
        let first = inbox.events.len() == 1;
        drop(inbox);
        if first {
            self.wake();
        }
    }

    /// Where nothing is stored.
    fn show(&self, event: &Arc<Event>) {
        let mut ring = self.ring();
        if self.has_ended() {
            return;
        }
        // Under the lock, so that ids stand in their order.
        let id = EventId(self.shared.ids.next(event.at).0);
        if self.shared.newest.receiver_count() > 0 {
            ring.read_at(event.at);
        }
        ring.push_raw(id, event.clone());
        self.shared.newest.send_replace(id);
    }

    fn wake(&self) {
        match &self.inline {
            Some(collector) => lock(collector).turn_now(),
            None => self.shared.wake.notify_one(),
        }
    }

    /// An id that no event has.
    pub fn new_id(&self) -> EventId {
        EventId(self.shared.ids.next(self.clock.now()).0)
    }

    /// Those of some messages whose acceptance is not kept, as after a kill: whoever starts a server
    /// asks about the last ones and tells it again.
    pub async fn unknown(&self, messages: Vec<MessageId>) -> Result<Vec<MessageId>, StoreError> {
        self.ask(move |store| {
            let mut unknown = Vec::new();
            for message in messages {
                if !store.has(wire::chain_of(message), wire::Type::Accepted)? {
                    unknown.push(message);
                }
            }
            Ok(unknown)
        })
        .await
    }

    /// What is not after this was never kept, or is not any more.
    pub async fn begins_after(&self) -> Result<EventId, StoreError> {
        self.ask(|store| store.gone_to()).await
    }

    /// How many events were recorded since the start that are to be stored.
    pub fn recorded(&self) -> u64 {
        self.shared.taken_in.load(Ordering::Acquire)
    }

    /// How many of those, the first ones, are stored or were given up.
    pub fn stored(&self) -> u64 {
        self.shared.dealt_with.load(Ordering::Acquire)
    }

    /// Whether events are kept on disk.
    pub fn is_stored(&self) -> bool {
        self.is_stored
    }

    /// Grows with each event that can be read.
    pub fn newest(&self) -> watch::Receiver<EventId> {
        self.shared.newest.subscribe()
    }

    /// Events from some point on, as they come.
    pub fn subscribe(self: &Arc<Self>, since: Since, filter: Filter) -> Subscription {
        self.ring().read_at(self.clock.now());
        Subscription::new(self.clone(), since, filter)
    }

    pub(crate) fn ring(&self) -> MutexGuard<'_, Ring> {
        lock(&self.shared.ring)
    }

    /// Asks the store, after everything that was recorded before is in it or the disk has refused it.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if !self.is_stored {
            return Err(StoreError::Absent);
        }
        let (answer, answered) = oneshot::channel();
        {
            let mut inbox = lock(&self.shared.inbox);
            if inbox.closed {
                return Err(StoreError::Closed);
            }
            // Who asked may have gone.
            inbox.asks.push(Box::new(move |store| drop(answer.send(question(store)))));
        }
        self.wake();
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Takes nothing more, writes what waits, and ends the subscriptions; blocks for that long.
    pub fn close(&self) {
        if !self.is_stored {
            return self.shared.end();
        }
        lock(&self.shared.inbox).closed = true;
        self.wake();
        if let Some(thread) = lock(&self.thread).take() {
            // A thread that panicked has nothing more to write.
            let _ = thread.join();
        }
    }

    /// Nothing comes any more that is not there yet.
    pub(crate) fn has_ended(&self) -> bool {
        self.shared.ended.load(Ordering::Acquire)
    }
}

impl Shared {
    /// Whoever waits for the next event sees that there is none.
    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.newest.send_modify(|_| {});
    }
}

impl EventSink for Feed {
    fn emit(&self, event: Event) {
        self.record(&Arc::new(event));
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.close();
    }
}
