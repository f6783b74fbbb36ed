//! Names to records, with the kinds of answer told apart.
//!
//! Promise: "the name does not exist", "it has no such record", "the servers failed",
//! "nobody answered" and "we could not ask" are five different values, never mixed; and every answer says whether
//! DNSSEC validated it (RFC 4035) and until when it may be kept.

mod able;
mod answer;
mod cache;
mod direct;
mod fake;
mod fake_servers;
mod hickory;
mod inspect;
mod piecewise;
mod roots;
mod validation;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::time::Duration;

pub use direct::data_of;
#[doc(hidden)]
pub use direct::try_answer;
pub use fake::ZoneFake;
pub use fake_servers::ServersFake;
pub use hickory::{DnsError, DnsSettings, HickoryResolver};
pub use inspect::{Data, Inspect, Kind, Said};
use repute_types::{Domain, Tlsa};
pub use roots::root_servers;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<T> {
    /// At least one record.
    Found(Records<T>),
    /// The name exists and has no record of this type.
    NoData { authentic: bool },
    /// NXDOMAIN.
    NoName { authentic: bool },
    /// A server answered that it cannot say: SERVFAIL, REFUSED, a bogus signature.
    Failure(String),
    /// Time-out, or no server could be reached.
    NoAnswer(String),
    /// This machine could not ask: it can open no more sockets, or has no way to any name server. That says nothing about
    /// the name, nor about its servers.
    NotAsked(String),
}

impl<T> Lookup<T> {
    /// Why it is not known what the name has.
    pub fn unknown(&self) -> Option<&str> {
        match self {
            Lookup::Failure(why) | Lookup::NoAnswer(why) | Lookup::NotAsked(why) => Some(why),
            Lookup::Found(_) | Lookup::NoData { .. } | Lookup::NoName { .. } => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records<T> {
    pub items: Vec<T>,
    /// Validated by DNSSEC from the root.
    pub authentic: bool,
    /// How long the answer may be kept: the lowest TTL on the way.
    pub ttl: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mx {
    pub preference: u16,
    pub exchange: Exchange,
}

/// Where an MX record points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    Host(Domain),
    /// `.`: the domain takes no mail (RFC 7505).
    Null,
    /// What no host can be called, an address most of all: nobody can deliver there (RFC 5321 §5.1).
    NoHost(String),
}

impl std::fmt::Display for Exchange {
    /// Nothing where it is null.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exchange::Host(host) => host.fmt(f),
            Exchange::Null => Ok(()),
            Exchange::NoHost(what) => f.write_str(what),
        }
    }
}

impl Exchange {
    pub fn host(&self) -> Option<&Domain> {
        if let Exchange::Host(host) = self { Some(host) } else { None }
    }

    /// A host, or what else a record names, without its last dot.
    fn named(name: &str) -> Exchange {
        match name {
            "." => Exchange::Null,
            name => {
                Domain::parse(name).map_or_else(|_| Exchange::NoHost(name.trim_end_matches('.').into()), Exchange::Host)
            }
        }
    }
}

/// DNS as everything above sees it: [`HickoryResolver`] asks real servers, [`ZoneFake`] a text.
pub trait Resolver: Send + Sync + 'static {
    fn mx<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Mx>>;
    fn a<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Ipv4Addr>>;
    fn aaaa<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Ipv6Addr>>;
    fn txt<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Vec<u8>>>;
    fn ptr(&self, address: IpAddr) -> BoxFuture<'_, Lookup<Domain>>;

    /// What is promised about certificates at a name like `_25._tcp.mx.example.net`. A resolver that
    /// validates nothing has none that anybody could use.
    fn tlsa<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Tlsa>> {
        let _ = name;
        Box::pin(async { Lookup::NoData { authentic: false } })
    }

    /// Where a name leads that is an alias, one step far.
    fn cname<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Domain>> {
        let _ = name;
        Box::pin(async { Lookup::NoData { authentic: false } })
    }
}
