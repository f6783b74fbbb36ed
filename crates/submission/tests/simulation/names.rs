//! The names of the simulated internet: MX hosts and addresses, and hours in which no name
//! server answers.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Mutex;
use std::time::Duration;

use repute_dns::{BoxFuture, Exchange, Lookup, Mx, Records, Resolver};
use repute_types::Domain;

#[derive(Default)]
pub struct Names {
    mx: HashMap<Domain, Vec<Mx>>,
    hosts: HashMap<Domain, Ipv4Addr>,
    silent: Mutex<bool>,
}

impl Names {
    /// A domain whose mail goes to these hosts, the best first.
    pub fn domain(&mut self, name: &str, hosts: &[(&str, Ipv4Addr)]) {
        let parse = |text: &str| Domain::parse(text).unwrap();
        let mut mx = Vec::new();
        for (at, (host, address)) in hosts.iter().enumerate() {
            mx.push(Mx { preference: 10 * at as u16, exchange: Exchange::Host(parse(host)) });
            self.hosts.insert(parse(host), *address);
        }
        self.mx.insert(parse(name), mx);
    }

    pub fn set_silent(&self, silent: bool) {
        *self.silent.lock().unwrap() = silent;
    }

    /// `None` after five seconds of waiting for nothing.
    async fn answer<T: Clone>(&self, found: Option<Vec<T>>) -> Lookup<T> {
        if *self.silent.lock().unwrap() {
            tokio::time::sleep(Duration::from_secs(5)).await;
            return Lookup::NoAnswer("no name server answers in this hour".into());
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
        match found {
            Some(items) => Lookup::Found(Records { items, authentic: false, ttl: Duration::from_secs(300) }),
            None => Lookup::NoName { authentic: false },
        }
    }
}

impl Resolver for Names {
    fn mx<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Mx>> {
        Box::pin(self.answer(self.mx.get(name).cloned()))
    }

    fn a<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Ipv4Addr>> {
        Box::pin(self.answer(self.hosts.get(name).map(|a| vec![*a])))
    }

    fn aaaa<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Lookup<Ipv6Addr>> {
        Box::pin(async { Lookup::NoData { authentic: false } })
    }

    fn txt<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Lookup<Vec<u8>>> {
        Box::pin(async { Lookup::NoData { authentic: false } })
    }

    fn ptr(&self, _: IpAddr) -> BoxFuture<'_, Lookup<Domain>> {
        Box::pin(async { Lookup::NoData { authentic: false } })
    }
}
