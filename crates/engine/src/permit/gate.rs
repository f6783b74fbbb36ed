//! The table that every attempt asks: which ways mail of a sender may take. It is replaced as
//! a whole when a permit changes; asking costs two array look-ups.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use repute_queue::Sender;
use repute_trust::permit::{Key, Permits, State};
use repute_types::{Domain, Timestamp};

use super::way::{self, Families, Way};
use crate::config::Settings;

/// The sending domains that the queue knows by number. Number 0 is mail of all other domains: of
/// messages whose domain was taken out of the configuration. Numbers are never given twice.
#[derive(Debug, Default)]
struct Senders {
    by_name: HashMap<Domain, u16>,
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

/// What one sender may do.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    /// By the place of the egress.
    ways: Vec<Option<Families>>,
    relay: bool,
    /// Why it may not take some way, and what to do; empty where it may take all.
    why: Arc<str>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// Everything may leave: nothing is enforced.
    open: bool,
    rows: Vec<Row>,
}

impl Table {
    pub fn is_open(&self) -> bool {
        self.open
    }

    fn row(&self, sender: Sender) -> Option<&Row> {
        self.rows.get(usize::from(sender.0))
    }

    pub fn families(&self, sender: Sender, egress: u16) -> Option<Families> {
        match self.open {
            true => Some(Families::Both),
            false => self.row(sender)?.ways.get(usize::from(egress)).copied().flatten(),
        }
    }

    pub fn may_relay(&self, sender: Sender) -> bool {
        self.open || self.row(sender).is_some_and(|row| row.relay)
    }

    /// Whether an attempt may be made.
    pub fn allows(&self, sender: Sender, way: Way, relayed: bool) -> bool {
        match relayed {
            true => self.may_relay(sender),
            false => self.families(sender, way.egress).is_some_and(|may| may.cover(way.families)),
        }
    }

    /// Why mail of a sender waits.
    pub fn why(&self, sender: Sender) -> Arc<str> {
        self.row(sender).map_or_else(|| "its permit has not been looked at yet".into(), |row| row.why.clone())
    }
}

pub(crate) struct Gate {
    table: RwLock<Arc<Table>>,
    senders: RwLock<Senders>,
}

impl Gate {
    /// Closed until the first table, if there are permits at all.
    pub fn new(open: bool) -> Gate {
        Gate { table: RwLock::new(Arc::new(Table { open, rows: Vec::new() })), senders: RwLock::default() }
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
            let domain = name.filter(|name| settings.domain(name).is_some()).cloned();
            row(permits, &egresses, domain, now)
        });
        Table { open: !settings.permit.enforce, rows: rows.collect() }
    }
}

fn row(permits: &Permits, egresses: &[Vec<IpAddr>], domain: Option<Domain>, now: Timestamp) -> Row {
    let mut why: Option<String> = None;
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
    let ways = egresses.iter().map(|addresses| {
        let allowed: Vec<IpAddr> = addresses.iter().copied().filter(|ip| may(Some(*ip))).collect();
        match allowed.as_slice() {
            // The system chooses an address that is not known: what is known of the domain decides.
            [] if addresses.is_empty() => may(None).then_some(Families::Both),
            [] => None,
            some if some.len() == addresses.len() => Some(Families::Both),
            [one, ..] => Some(if one.is_ipv4() { Families::V4 } else { Families::V6 }),
        }
    });
    let ways = ways.collect();
    // What a relay host is given needs no proof of our addresses, and a domain that was never
    // looked at is no worse by it; one that is known to be broken is.
    let rights = permits.rights(&Key { address: None, domain: domain.clone() }, now);
    let relay = rights.may() || (rights.overridden.is_none() && matches!(rights.found, State::Unproven { .. }));
    Row { ways, relay, why: why.unwrap_or_default().into() }
}
