//! What all sessions of all listeners share: how many they are, how many from one client,
//! the memory of content on its way in, and who failed to authenticate too often.
//!
//! Promise: each table is bounded by the number of connections or by [`FAILURE_TABLE`], and
//! what is taken is given back when its guard is dropped. An IPv6 client is its /64: it has
//! all addresses in there.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Clients remembered for failures to authenticate. At the bound the oldest half is forgotten.
const FAILURE_TABLE: usize = 10_000;

#[derive(Clone, Debug)]
pub struct SharedBounds {
    /// Connections in all; beyond: 421 4.3.2. 2,000.
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
    content: AtomicUsize,
    clients: Mutex<Clients>,
    failures: Mutex<HashMap<IpAddr, Failures>>,
}

#[derive(Debug, Default)]
struct Clients {
    all: usize,
    each: HashMap<IpAddr, usize>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    All,
    Client,
}

impl SharedLimits {
    pub fn new(bounds: SharedBounds) -> Arc<SharedLimits> {
        Arc::new(SharedLimits {
            bounds,
            content: AtomicUsize::new(0),
            clients: Mutex::default(),
            failures: Mutex::default(),
        })
    }

    /// Sessions now.
    pub fn connections(&self) -> usize {
        lock(&self.clients).all
    }

    /// Octets of memory that content on its way in holds now.
    pub fn content_octets(&self) -> usize {
        self.content.load(Ordering::Relaxed)
    }

    pub(crate) fn enter(self: &Arc<Self>) -> Result<Seat, Full> {
        let mut clients = lock(&self.clients);
        if clients.all >= self.bounds.connections {
            return Err(Full::All);
        }
        clients.all += 1;
        Ok(Seat { shared: self.clone(), client: None })
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
        Held { shared: self.clone(), octets: 0 }
    }
}

fn forget_oldest_half(failures: &mut HashMap<IpAddr, Failures>) {
    let mut ages: Vec<Instant> = failures.values().map(|f| f.since).collect();
    let middle = ages.len() / 2;
    let (_, limit, _) = ages.select_nth_unstable(middle);
    let limit = *limit;
    failures.retain(|_, f| f.since > limit);
}

fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        },
        v4 => v4,
    }
}

// What these locks guard is whole after each statement, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection's place among all, and among its client's.
#[derive(Debug)]
pub(crate) struct Seat {
    shared: Arc<SharedLimits>,
    client: Option<IpAddr>,
}

impl Seat {
    /// Counts the connection for its client, once that is known (a proxy may name another).
    pub(crate) fn take_for(&mut self, client: IpAddr) -> Result<(), Full> {
        let client = network(client);
        let mut clients = lock(&self.shared.clients);
        let count = clients.each.entry(client).or_insert(0);
        if *count >= self.shared.bounds.connections_per_client {
            return Err(Full::Client);
        }
        *count += 1;
        self.client = Some(client);
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut clients = lock(&self.shared.clients);
        clients.all -= 1;
        if let Some(client) = self.client
            && let Some(count) = clients.each.get_mut(&client)
        {
            *count -= 1;
            if *count == 0 {
                clients.each.remove(&client);
            }
        }
    }
}

/// Octets of content memory that one session holds.
#[derive(Debug)]
pub(crate) struct Held {
    shared: Arc<SharedLimits>,
    octets: usize,
}

impl Held {
    pub(crate) fn grow(&mut self, by: usize) -> bool {
        let bound = self.shared.bounds.content_octets;
        let add = |now: usize| now.checked_add(by).filter(|sum| *sum <= bound);
        let granted = self.shared.content.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok();
        self.octets += if granted { by } else { 0 };
        granted
    }

    pub(crate) fn shrink_to(&mut self, octets: usize) {
        if octets < self.octets {
            self.shared.content.fetch_sub(self.octets - octets, Ordering::Relaxed);
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
