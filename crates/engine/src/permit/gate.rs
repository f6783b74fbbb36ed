//! The table that every attempt asks: which ways mail of a sender may take. It is replaced as
//! a whole when a permit changes; asking costs two array look-ups.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use repute_queue::Sender;
use repute_trust::permit::{Key, Permits, State};
use repute_types::{Domain, Map, Timestamp};

use super::way::{self, Families, Way};
use crate::config::Settings;

/// The sending domains that the queue knows by number. Number 0 is mail of all other domains: of
/// messages whose domain was taken out of the configuration. Numbers are never given twice.
#[derive(Debug, Default)]
struct Senders {
    by_name: Map<Domain, u16>,
    /// The n-th has the number n + 1.
    names: Vec<Domain>,
}

impl Senders {
    fn number(&mut self, name: &Domain) -> u16 {
        if let Some(&number) = self.by_name.get(name) {
            return number;
        }
        // A configuration of more than 65,535 domains shares one number for the rest, which is
        // judged by the addresses alone.
        let Ok(number) = u16::try_from(self.names.len() + 1) else { return 0 };
        self.names.push(name.clone());
        self.by_name.insert(name.clone(), number);
        number
    }
}

/// What one sender may do from one egress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum May {
    /// It is in another's pool: nothing, whatever is enforced.
    NotInPool,
    /// No address of it has a permit.
    Barred,
    Leave(Families),
}

/// What one sender may do.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    /// By the place of the egress.
    egresses: Vec<May>,
    relay: bool,
    /// Why it may not take some way, and what to do; empty where it may take all.
    why: Arc<str>,
}

/// Why mail of a domain waits that is gone, where there are pools.
const NO_POOL: &str = "its domain is not in the configuration any more, and nobody knows which pool of addresses it may \
                       leave from; add the [[domain]], or cancel the mail";

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// Everything may leave: nothing is enforced.
    open: bool,
    rows: Vec<Row>,
}

impl Table {
    fn row(&self, sender: Sender) -> Option<&Row> {
        self.rows.get(usize::from(sender.0))
    }

    fn may(&self, sender: Sender, egress: u16) -> May {
        let of_egress = |row: &Row| row.egresses.get(usize::from(egress)).copied();
        self.row(sender).and_then(of_egress).unwrap_or(May::NotInPool)
    }

    pub fn families(&self, sender: Sender, egress: u16) -> Option<Families> {
        match self.may(sender, egress) {
            May::NotInPool => None,
            May::Barred | May::Leave(_) if self.open => Some(Families::Both),
            May::Barred => None,
            May::Leave(families) => Some(families),
        }
    }

    /// Whether mail may go to a relay host from an egress. The address needs no permit, but it is of the pool
    /// all the same: relay hosts let known addresses in.
    pub fn may_relay(&self, sender: Sender, egress: u16) -> bool {
        self.may(sender, egress) != May::NotInPool && (self.open || self.row(sender).is_some_and(|row| row.relay))
    }

    /// Whether an attempt may be made.
    pub fn allows(&self, sender: Sender, way: Way, relayed: bool) -> bool {
        match relayed {
            true => self.may_relay(sender, way.egress),
            false => self.families(sender, way.egress).is_some_and(|may| may.cover(way.families)),
        }
    }

    /// Why mail of a sender waits.
    pub fn why(&self, sender: Sender) -> Arc<str> {
        self.row(sender).map_or_else(|| "its permit has not been looked at yet".into(), |row| row.why.clone())
    }
}

pub(crate) struct Gate {
    /// There are no permits at all.
    unguarded: bool,
    table: RwLock<Arc<Table>>,
    senders: RwLock<Senders>,
}

impl Gate {
    /// Closed until the first table.
    pub fn new(unguarded: bool) -> Gate {
        let table = Table { open: false, rows: Vec::new() };
        Gate { unguarded, table: RwLock::new(Arc::new(table)), senders: RwLock::default() }
    }

    pub fn table(&self) -> Arc<Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The number of the domain that a message is sent as.
    pub fn sender(&self, domain: Option<&Domain>) -> Sender {
        let senders = self.senders.read().unwrap_or_else(PoisonError::into_inner);
        Sender(domain.and_then(|name| senders.by_name.get(name)).copied().unwrap_or(0))
    }

    /// Gives the domains of a configuration their numbers.
    pub fn know(&self, settings: &Settings) {
        let mut senders = self.senders.write().unwrap_or_else(PoisonError::into_inner);
        for domain in &settings.domains {
            senders.number(&domain.name);
        }
    }

    /// Takes a newer table; whether anything is different in it.
    pub fn set(&self, table: Table) -> bool {
        let mut place = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let different = **place != table;
        *place = Arc::new(table);
        different
    }

    /// What holds now, for every sender.
    pub fn build(&self, permits: &Permits, settings: &Settings, now: Timestamp) -> Table {
        let senders = self.senders.read().unwrap_or_else(PoisonError::into_inner);
        let egresses: Vec<Vec<IpAddr>> =
            way::egresses(settings).iter().map(|egress| way::addresses(settings, egress)).collect();
        let all = std::iter::once(None).chain(senders.names.iter().map(Some));
        let rows = all.map(|name| {
            // A name that is not of the configuration any more is nobody's.
            let sending = name.and_then(|name| settings.domain(name));
            let pool = settings.pool(sending);
            let in_pool = (0..).take(egresses.len()).map(|place| pool.is_none_or(|pool| pool.contains(&place)));
            row(permits, &egresses, in_pool.collect(), sending.map(|sending| sending.name.clone()), now)
        });
        Table { open: self.unguarded || !settings.permit.enforce, rows: rows.collect() }
    }
}

fn row(permits: &Permits, egresses: &[Vec<IpAddr>], pool: Vec<bool>, domain: Option<Domain>, now: Timestamp) -> Row {
    let mut why = (!pool.contains(&true)).then(|| NO_POOL.to_owned());
    let mut may = |address: Option<IpAddr>| {
        let rights = permits.rights(&Key { address, domain: domain.clone() }, now);
        if !rights.may() {
            why.get_or_insert_with(|| {
                let of = domain.as_ref().map_or("mail".to_owned(), Domain::to_string);
                let from = address.map_or(String::new(), |address| format!(" from {address}"));
                format!("no permit for {of}{from}: {}", rights.why_not())
            });
        }
        rights.may()
    };
    let of_egress = egresses.iter().zip(&pool).map(|(addresses, in_pool)| {
        if !in_pool {
            return May::NotInPool;
        }
        let allowed: Vec<IpAddr> = addresses.iter().copied().filter(|ip| may(Some(*ip))).collect();
        match allowed.as_slice() {
            // The system chooses an address that is not known: what is known of the domain decides.
            [] if addresses.is_empty() && may(None) => May::Leave(Families::Both),
            [] => May::Barred,
            some if some.len() == addresses.len() => May::Leave(Families::Both),
            [one, ..] => May::Leave(if one.is_ipv4() { Families::V4 } else { Families::V6 }),
        }
    });
    let egresses: Vec<May> = of_egress.collect();
    // What a relay host is given needs no proof of our addresses, and a domain that was never
    // looked at is no worse by it; one that is known to be broken is.
    let rights = permits.rights(&Key { address: None, domain: domain.clone() }, now);
    let relay = rights.may() || (rights.overridden.is_none() && matches!(rights.found, State::Unproven { .. }));
    Row { egresses, relay, why: why.unwrap_or_default().into() }
}
