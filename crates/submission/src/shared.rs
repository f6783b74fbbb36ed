//! What all sessions of all listeners share: how many they are, how many from one client,
//! the memory of content on its way in, and who failed to authenticate too often.
//!
//! Promise: each table is bounded by the number of connections or by [`FAILURE_TABLE`], and
//! what is taken is given back when its guard is dropped.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use repute_engine::door::{Crowd, Protocol};
use repute_net::accept::Spell;
use repute_net::seats::{Full, Seat, Seats, network};
use tokio::time::Instant;

/// Such a part of the memory for contents is there, beside it, for reading them in large pieces: 500 clients at once with the
/// bound as it is where there is memory.
const FOR_READING: usize = 8;

/// Clients remembered for failures to authenticate. At the bound the oldest half is forgotten.
const FAILURE_TABLE: usize = 10_000;

#[derive(Clone, Debug)]
pub struct SharedBounds {
    /// Connections in all; beyond, a stranger is let go for a newcomer, or that gets 421 4.3.2. 2,000.
    pub connections: usize,
    /// Connections from one client; beyond: 421 4.7.0. 100.
    pub connections_per_client: usize,
    /// Octets of content on its way in; beyond: 452 4.3.1. 512 MiB.
    pub content_octets: usize,
    /// Failures of AUTH from one client within `auth_window`; beyond: 454 4.7.0. 20.
    pub auth_failures: u32,
    /// 10 minutes.
    pub auth_window: Duration,
}

impl Default for SharedBounds {
    fn default() -> SharedBounds {
        SharedBounds {
            connections: 2_000,
            connections_per_client: 100,
            content_octets: 512 * 1024 * 1024,
            auth_failures: 20,
            auth_window: Duration::from_secs(600),
        }
    }
}

#[derive(Debug)]
pub struct SharedLimits {
    bounds: SharedBounds,
    content: Counted,
    reading: Counted,
    seats: Arc<Seats>,
    failures: Mutex<HashMap<IpAddr, Failures>>,
    /// Of clients sent away for want of places, by all listeners.
    crowd: Mutex<Spell>,
}

/// Octets of memory of one kind, held now, and the most of them.
#[derive(Debug)]
struct Counted {
    octets: AtomicUsize,
    most: usize,
}

/// Which of them.
#[derive(Debug, Clone, Copy)]
enum For {
    Content,
    Reading,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    since: Instant,
}

impl SharedLimits {
    pub fn new(bounds: SharedBounds) -> Arc<SharedLimits> {
        let seats = Seats::new(bounds.connections, bounds.connections_per_client);
        let (failures, crowd) = (Mutex::default(), Mutex::default());
        let content = Counted::new(bounds.content_octets);
        let reading = Counted::new(bounds.content_octets / FOR_READING);
        Arc::new(SharedLimits { bounds, content, reading, seats, failures, crowd })
    }

    /// Sessions now.
    pub fn connections(&self) -> usize {
        self.seats.taken()
    }

    /// Octets of memory that content on its way in holds now.
    pub fn content_octets(&self) -> usize {
        self.content.octets.load(Ordering::Relaxed)
    }

    /// A place, and whether a stranger has to go for it.
    pub(crate) fn enter(&self, client: Option<IpAddr>) -> Result<(Seat, bool), Full> {
        self.seats.enter(client)
    }

    /// No more files may be open: a stranger's is let go.
    pub(crate) fn make_room(&self) {
        self.seats.make_room();
    }

    /// A client was sent away, since all places are taken: what is to be told of that now, if anything.
    pub(crate) fn sent_away(&self) -> Option<Crowd> {
        Crowd::of(Protocol::Smtp, &self.seats, &mut lock(&self.crowd))
    }

    pub(crate) fn may_try_auth(&self, client: IpAddr) -> bool {
        let failures = lock(&self.failures);
        let recent = failures.get(&network(client)).filter(|f| f.since.elapsed() < self.bounds.auth_window);
        recent.is_none_or(|f| f.count < self.bounds.auth_failures)
    }

    pub(crate) fn auth_failed(&self, client: IpAddr) {
        let mut failures = lock(&self.failures);
        if failures.len() >= FAILURE_TABLE {
            forget_oldest_half(&mut failures);
        }
        let now = Instant::now();
        let entry = failures.entry(network(client)).or_insert(Failures { count: 0, since: now });
        if now.duration_since(entry.since) >= self.bounds.auth_window {
            *entry = Failures { count: 0, since: now };
        }
        entry.count += 1;
    }

    pub(crate) fn hold(self: &Arc<Self>) -> Held {
        Held { shared: self.clone(), what_for: For::Content, octets: 0 }
    }

    /// For a buffer that is larger than it has to be.
    pub(crate) fn hold_for_reading(self: &Arc<Self>) -> Held {
        Held { shared: self.clone(), what_for: For::Reading, octets: 0 }
    }

    fn counted(&self, what_for: For) -> &Counted {
        match what_for {
            For::Content => &self.content,
            For::Reading => &self.reading,
        }
    }
}

impl Counted {
    fn new(most: usize) -> Counted {
        Counted { octets: AtomicUsize::new(0), most }
    }

    fn take(&self, octets: usize) -> bool {
        let add = |now: usize| now.checked_add(octets).filter(|sum| *sum <= self.most);
        self.octets.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }

    fn give_back(&self, octets: usize) {
        self.octets.fetch_sub(octets, Ordering::Relaxed);
    }
}

fn forget_oldest_half(failures: &mut HashMap<IpAddr, Failures>) {
    let mut ages: Vec<Instant> = failures.values().map(|f| f.since).collect();
    let middle = ages.len() / 2;
    let (_, limit, _) = ages.select_nth_unstable(middle);
    let limit = *limit;
    failures.retain(|_, f| f.since > limit);
}

// What these locks guard is whole after each statement, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Octets of memory that one session holds, of one kind.
#[derive(Debug)]
pub(crate) struct Held {
    shared: Arc<SharedLimits>,
    what_for: For,
    octets: usize,
}

impl Held {
    pub(crate) fn grow(&mut self, by: usize) -> bool {
        let granted = self.shared.counted(self.what_for).take(by);
        self.octets += if granted { by } else { 0 };
        granted
    }

    pub(crate) fn shrink_to(&mut self, octets: usize) {
        if octets < self.octets {
            self.shared.counted(self.what_for).give_back(self.octets - octets);
            self.octets = octets;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests;
