//! Places for connections: how many there are, and how many from one client.
//!
//! Promise: the table is bounded by the number of connections, and what is taken is given back
//! when its guard is dropped. An IPv6 client is its /64: it has all addresses in there.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub struct Seats {
    most: usize,
    most_per_client: usize,
    clients: Mutex<Clients>,
}

#[derive(Debug, Default)]
struct Clients {
    all: usize,
    each: HashMap<IpAddr, usize>,
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

    pub fn enter(self: &Arc<Self>) -> Result<Seat, Full> {
        let mut clients = self.lock();
        if clients.all >= self.most {
            return Err(Full::All);
        }
        clients.all += 1;
        Ok(Seat { seats: self.clone(), client: None })
    }

    // What the lock guards is whole after each statement, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place among all, and among its client's.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    client: Option<IpAddr>,
}

impl Seat {
    /// Counts the connection for its client, once that is known (a proxy may name another).
    pub fn take_for(&mut self, client: IpAddr) -> Result<(), Full> {
        let client = network(client);
        let mut clients = self.seats.lock();
        let count = clients.each.entry(client).or_insert(0);
        if *count >= self.seats.most_per_client {
            return Err(Full::Client);
        }
        *count += 1;
        self.client = Some(client);
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut clients = self.seats.lock();
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
mod tests {
    use super::*;

    #[test]
    fn seats_are_counted_in_all_and_for_each_client() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let seats = Seats::new(3, 2);
        let (mut a, mut b, mut c) = (seats.enter().unwrap(), seats.enter().unwrap(), seats.enter().unwrap());
        assert_eq!(seats.enter().err(), Some(Full::All));
        a.take_for(ip("2001:db8::1")).unwrap();
        b.take_for(ip("2001:db8::2")).unwrap();
        assert_eq!(c.take_for(ip("2001:db8::3")), Err(Full::Client));
        let most = Some((ip("2001:db8::"), 2));
        assert_eq!(seats.spread(), Spread { connections: 3, clients: 1, most });
        drop(a);
        c.take_for(ip("2001:db8::3")).unwrap();
        drop((b, c));
        assert_eq!(seats.taken(), 0);
        assert!(seats.lock().each.is_empty());
    }
}
