//! Several name servers from texts, for tests: what the resolver sees, and what single
//! authoritative servers say that are stale, lame or silent.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use repute_types::{Domain, Tlsa};

use crate::fake::{self, Kind as FakeKind};
use crate::{BoxFuture, Data, Inspect, Kind, Lookup, Mx, Records, Resolver, Said, ZoneFake};

/// Every server says what the resolver sees, but for those with a zone of their own.
pub struct ServersFake {
    resolver: ZoneFake,
    servers: HashMap<IpAddr, Server>,
}

enum Server {
    Zone(ZoneFake),
    Lame,
}

impl ServersFake {
    /// # Panics
    /// Where a line is not understood (see [`ZoneFake`]).
    pub fn parse(text: &str) -> ServersFake {
        ServersFake { resolver: ZoneFake::parse(text), servers: HashMap::new() }
    }

    /// This server says this instead.
    ///
    /// # Panics
    /// Where a line is not understood.
    pub fn server(mut self, address: IpAddr, text: &str) -> ServersFake {
        self.servers.insert(address, Server::Zone(ZoneFake::parse(text)));
        self
    }

    /// This server serves nothing.
    pub fn lame(mut self, address: IpAddr) -> ServersFake {
        self.servers.insert(address, Server::Lame);
        self
    }

    /// From now on the resolver says this instead.
    ///
    /// # Panics
    /// Where a line is not understood.
    pub fn replace(&self, text: &str) {
        self.resolver.replace(text);
    }

    /// Questions to the resolver so far; asking forgets them.
    pub fn asked(&self) -> Vec<String> {
        self.resolver.asked()
    }
}

async fn look_up(zone: &ZoneFake, name: &Domain, kind: Kind) -> Lookup<Data> {
    let text = name.to_string();
    match kind {
        Kind::A => zone.look_up(text, FakeKind::A, |v| fake::take_a(v).map(Data::V4)).await,
        Kind::Aaaa => zone.look_up(text, FakeKind::Aaaa, |v| fake::take_aaaa(v).map(Data::V6)).await,
        Kind::Mx => zone.look_up(text, FakeKind::Mx, |v| fake::take_mx(v).map(Data::Mx)).await,
        Kind::Txt => zone.look_up(text, FakeKind::Txt, |v| fake::take_txt(v).map(Data::Text)).await,
        Kind::Ptr => zone.look_up(text, FakeKind::Ptr, |v| fake::take_ptr(v).map(Data::Name)).await,
        Kind::Ns => zone.look_up(text, FakeKind::Ns, |v| fake::take_ptr(v).map(Data::Name)).await,
        Kind::Soa => {
            let soa = |v: &str| v.parse().ok().map(|serial| Data::Soa { serial });
            zone.look_up(text, FakeKind::Soa, soa).await
        }
        Kind::Cname => match zone.alias(&text).and_then(|to| Domain::parse(&to).ok()) {
            Some(to) => Lookup::Found(Records {
                items: vec![Data::Alias(to)],
                authentic: false,
                ttl: std::time::Duration::from_secs(300),
            }),
            None => Lookup::NoData { authentic: false },
        },
        Kind::Tlsa => zone.look_up(text, FakeKind::Tlsa, take_tlsa).await,
        Kind::Caa => zone.look_up(text, FakeKind::Caa, take_caa).await,
        Kind::Spf => zone.look_up(text, FakeKind::Spf, |v| fake::take_txt(v).map(Data::Text)).await,
        Kind::Ds => {
            let ds = |v: &str| v.parse().ok().map(|key_tag| Data::Ds { key_tag });
            zone.look_up(text, FakeKind::Ds, ds).await
        }
        Kind::Rrsig => {
            let signature = |v: &str| v.parse().ok().map(|expires| Data::Signature { expires });
            zone.look_up(text, FakeKind::Rrsig, signature).await
        }
    }
}

pub(crate) fn take_tlsa(value: &str) -> Option<Data> {
    let words: Vec<&str> = value.split_whitespace().collect();
    let [usage, selector, matching, hex] = words.as_slice() else { return None };
    let octet = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    let data = (0..hex.len()).step_by(2).map(octet).collect::<Option<_>>()?;
    Some(Data::Tlsa {
        usage: usage.parse().ok()?,
        selector: selector.parse().ok()?,
        matching: matching.parse().ok()?,
        data,
    })
}

pub(crate) fn take_caa(value: &str) -> Option<Data> {
    let (tag, value) = value.split_once(char::is_whitespace)?;
    Some(Data::Caa { tag: tag.to_owned(), value: value.trim().to_owned() })
}

impl Inspect for ServersFake {
    fn records<'a>(&'a self, name: &'a Domain, kind: Kind) -> BoxFuture<'a, Lookup<Data>> {
        Box::pin(look_up(&self.resolver, name, kind))
    }

    fn ask<'a>(&'a self, server: IpAddr, name: &'a Domain, kind: Kind) -> BoxFuture<'a, Said> {
        Box::pin(async move {
            match self.servers.get(&server) {
                Some(Server::Zone(zone)) => Said::Answered(look_up(zone, name, kind).await),
                Some(Server::Lame) => Said::Lame("Query Refused".into()),
                None => Said::Answered(look_up(&self.resolver, name, kind).await),
            }
        })
    }
}

impl Resolver for ServersFake {
    fn mx<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Mx>> {
        self.resolver.mx(name)
    }

    fn a<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Ipv4Addr>> {
        self.resolver.a(name)
    }

    fn aaaa<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Ipv6Addr>> {
        self.resolver.aaaa(name)
    }

    fn txt<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Vec<u8>>> {
        self.resolver.txt(name)
    }

    fn ptr(&self, address: IpAddr) -> BoxFuture<'_, Lookup<Domain>> {
        self.resolver.ptr(address)
    }

    fn tlsa<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Tlsa>> {
        self.resolver.tlsa(name)
    }

    fn cname<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Domain>> {
        self.resolver.cname(name)
    }
}
