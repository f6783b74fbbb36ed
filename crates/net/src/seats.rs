//! Places for connections: how many there are, how many from one client, and who gives one up when all are taken.
//!
//! Promises: the table is bounded by the number of connections, and what is taken is given back
//! when its guard is dropped. An IPv6 client is its /64: it has all addresses in there.
//!
//! A place is lent to a stranger, and kept by whoever is known or at work ([`Seat::keep`]). Where all places are taken, a
//! newcomer gets in as long as one of them is lent: that one is asked back, of the client that has most lent ones the
//! oldest, so that silence keeps nobody out, and who comes many times over makes room before who comes once. A place that
//! is kept is never asked back. Whoever was asked has no place any more and leaves at once; at most an eighth as many as
//! there are places, and one, are on their way out, and while there are, nobody else is asked.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Places that are asked back at a time to make room: accepting pauses for a tenth of a second after it.
const ROOM: usize = 8;

#[derive(Debug)]
pub struct Seats {
    most: usize,
    most_per_client: usize,
    clients: Mutex<Clients>,
}

#[derive(Debug, Default)]
struct Clients {
    /// Connections, those that were asked to leave as well.
    all: usize,
    each: HashMap<IpAddr, usize>,
    /// The number of the next connection.
    next: u64,
    /// Places that are lent, by the number of the connection: the first waits longest.
    lent: BTreeMap<u64, Lent>,
    /// Connections that were asked to leave, and are still there.
    leaving: usize,
}

#[derive(Debug)]
struct Lent {
    /// `None` until a proxy has named it.
    client: Option<IpAddr>,
    asked: Arc<Asked>,
}

/// Whether a place was asked back, told to its holder.
#[derive(Debug, Default)]
struct Asked {
    is: AtomicBool,
    told: Notify,
}

/// Which bound is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    All,
    Client,
}

/// Who has the places. Those who have not been named yet, by a proxy, are in `connections` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    pub connections: usize,
    pub clients: usize,
    pub most: Option<(IpAddr, usize)>,
}

impl Seats {
    pub fn new(most: usize, most_per_client: usize) -> Arc<Seats> {
        Arc::new(Seats { most, most_per_client, clients: Mutex::default() })
    }

    /// Connections now.
    pub fn taken(&self) -> usize {
        self.lock().all
    }

    /// From how many clients the connections are, and which has most of them.
    pub fn spread(&self) -> Spread {
        let clients = self.lock();
        let most = clients.each.iter().max_by_key(|(_, count)| **count).map(|(client, count)| (*client, *count));
        Spread { connections: clients.all, clients: clients.each.len(), most }
    }

    /// A place, lent, and whether another was asked back for it. A client that is not known yet is `None`; who has
    /// as many places as a client may have is refused first, and drives nobody out.
    pub fn enter(self: &Arc<Self>, client: Option<IpAddr>) -> Result<(Seat, bool), Full> {
        let mut clients = self.lock();
        let client = client.map(network);
        if let Some(client) = client {
            clients.count(client, self.most_per_client)?;
        }
        let mut is_instead = false;
        // More than once only where one who was asked was let keep it after all.
        while clients.all - clients.leaving >= self.most {
            if clients.leaving > self.most / 8 || !clients.ask_back() {
                clients.uncount(client);
                return Err(Full::All);
            }
            is_instead = true;
        }
        let (number, asked) = (clients.next, Arc::<Asked>::default());
        clients.all += 1;
        clients.next += 1;
        clients.lent.insert(number, Lent { client, asked: asked.clone() });
        Ok((Seat { seats: self.clone(), client, number, is_lent: AtomicBool::new(true), asked }, is_instead))
    }

    /// Asks some places back where there is another reason than that all are taken: no more files may be open.
    pub fn make_room(&self) {
        let mut clients = self.lock();
        let mut asked = 0;
        while asked < ROOM && clients.leaving <= self.most / 8 && clients.ask_back() {
            asked += 1;
        }
    }

    // What the lock guards is whole after each statement, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clients {
    fn count(&mut self, client: IpAddr, most: usize) -> Result<(), Full> {
        let count = self.each.entry(client).or_insert(0);
        if *count >= most {
            return Err(Full::Client);
        }
        *count += 1;
        Ok(())
    }

    fn uncount(&mut self, client: Option<IpAddr>) {
        if let Some(client) = client
            && let Some(count) = self.each.get_mut(&client)
        {
            *count -= 1;
            if *count == 0 {
                self.each.remove(&client);
            }
        }
    }

    /// False where no place is lent.
    fn ask_back(&mut self) -> bool {
        let Some(lent) = self.dispensable().and_then(|number| self.lent.remove(&number)) else { return false };
        self.leaving += 1;
        lent.asked.is.store(true, Ordering::Release);
        lent.asked.told.notify_one();
        true
    }

    fn dispensable(&self) -> Option<u64> {
        let mut of = HashMap::<IpAddr, usize>::new();
        for client in self.lent.values().filter_map(|lent| lent.client) {
            *of.entry(client).or_default() += 1;
        }
        let most = of.values().max().copied().unwrap_or(1);
        // Who is not named yet stands for himself.
        let has_most = |lent: &Lent| lent.client.map_or(1, |client| of[&client]) == most;
        self.lent.iter().find(|(_, lent)| has_most(lent)).map(|(number, _)| *number)
    }
}

/// A connection's place among all, and among its client's.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    client: Option<IpAddr>,
    number: u64,
    /// Spares the lock.
    is_lent: AtomicBool,
    asked: Arc<Asked>,
}

impl Seat {
    /// Counts the connection for its client, once a proxy has named that.
    pub fn take_for(&mut self, client: IpAddr) -> Result<(), Full> {
        let client = network(client);
        let mut clients = self.seats.lock();
        clients.count(client, self.seats.most_per_client)?;
        if let Some(lent) = clients.lent.get_mut(&self.number) {
            lent.client = Some(client);
        }
        clients.uncount(self.client.replace(client));
        Ok(())
    }

    /// Its holder is known, or at work: the place is not asked back, also where it has been and its holder is still there.
    pub fn keep(&self) {
        if self.is_lent.swap(false, Ordering::AcqRel) {
            self.seats.lock().forget(self);
        }
    }

    /// Its holder is a stranger again, and waits since the connection began.
    pub fn lend(&self) {
        if !self.is_lent.swap(true, Ordering::AcqRel) {
            let lent = Lent { client: self.client, asked: self.asked.clone() };
            self.seats.lock().lent.insert(self.number, lent);
        }
    }

    /// Whether it may be asked back.
    pub fn is_lent(&self) -> bool {
        self.is_lent.load(Ordering::Acquire)
    }

    /// Returns once the place is asked back. Safe to drop; of several that wait one is woken.
    pub async fn asked_back(&self) {
        while !self.asked.is.load(Ordering::Acquire) {
            self.asked.told.notified().await;
        }
    }
}

impl Clients {
    /// A place that was lent is so no longer, nor asked back.
    fn forget(&mut self, seat: &Seat) {
        if self.lent.remove(&seat.number).is_none() && seat.asked.is.swap(false, Ordering::AcqRel) {
            self.leaving -= 1;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut clients = self.seats.lock();
        clients.all -= 1;
        clients.uncount(self.client);
        clients.forget(self);
    }
}

/// What is counted as one client.
pub fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        },
        v4 => v4,
    }
}

#[cfg(test)]
mod tests;
