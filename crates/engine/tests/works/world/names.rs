//! DNS of the small world.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Mutex;
use std::time::Duration;

use repute_dns::{BoxFuture, Exchange, Lookup, Mx, Records, Resolver};
use repute_types::Domain;

use super::domain;

/// Names as a test says them: `a.test` has the MX `mx.a.test` at an address.
#[derive(Default)]
pub struct Names {
    pub(super) hosts: Mutex<HashMap<Domain, Ipv4Addr>>,
    /// Their IPv6 addresses, of those that have one.
    pub(super) hosts_by_v6: Mutex<HashMap<Domain, Ipv6Addr>>,
    pub(super) silent: Mutex<Vec<Domain>>,
    /// Hosts that we can open no socket to ask for.
    pub(super) unasked: Mutex<Vec<Domain>>,
    /// Domains whose MX is that of another.
    pub(super) aliases: Mutex<HashMap<Domain, Domain>>,
    pub(super) texts: Mutex<HashMap<Domain, String>>,
}

impl Names {
    fn address_of(&self, name: &Domain) -> Option<Ipv4Addr> {
        self.hosts.lock().unwrap().get(name).copied()
    }
}

fn found<T>(item: T) -> Lookup<T> {
    Lookup::Found(Records { items: vec![item], authentic: false, ttl: Duration::from_secs(300) })
}

impl Resolver for Names {
    fn mx<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Mx>> {
        Box::pin(async move {
            if self.silent.lock().unwrap().contains(name) {
                return Lookup::NoAnswer("nobody answers in this test".into());
            }
            let of = self.aliases.lock().unwrap().get(name).unwrap_or(name).clone();
            let exchange = domain(&format!("mx.{of}"));
            let second = domain(&format!("mx2.{of}"));
            let known = [(10, exchange), (20, second)].into_iter().filter(|(_, host)| self.address_of(host).is_some());
            let items: Vec<_> =
                known.map(|(preference, host)| Mx { preference, exchange: Exchange::Host(host) }).collect();
            match items.is_empty() {
                true => Lookup::NoName { authentic: false },
                false => Lookup::Found(Records { items, authentic: false, ttl: Duration::from_secs(300) }),
            }
        })
    }

    fn a<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Ipv4Addr>> {
        Box::pin(async move {
            if self.unasked.lock().unwrap().contains(name) {
                return Lookup::NotAsked("no sockets in this test".into());
            }
            self.address_of(name).map_or(Lookup::NoName { authentic: false }, found)
        })
    }

    fn aaaa<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Ipv6Addr>> {
        let address = self.hosts_by_v6.lock().unwrap().get(name).copied();
        Box::pin(async move { address.map_or(Lookup::NoData { authentic: false }, found) })
    }

    fn txt<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Vec<u8>>> {
        Box::pin(async move {
            if self.silent.lock().unwrap().contains(name) {
                return Lookup::NoAnswer("nobody answers in this test".into());
            }
            let text = self.texts.lock().unwrap().get(name).cloned();
            text.map_or(Lookup::NoData { authentic: false }, |text| found(text.into_bytes()))
        })
    }

    fn ptr(&self, _: IpAddr) -> BoxFuture<'_, Lookup<Domain>> {
        Box::pin(async { Lookup::NoData { authentic: false } })
    }
}
