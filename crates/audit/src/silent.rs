//! A resolver that asks nobody: everything that needs DNS is unknown, with the reason.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use repute_dns::{BoxFuture, Data, Inspect, Kind, Lookup, Mx, Resolver, Said};
use repute_types::Domain;

/// With the reason that it gives.
#[derive(Clone, Copy, Debug)]
pub struct Silent(pub &'static str);

impl Silent {
    fn nothing<T: Send + 'static>(&self) -> BoxFuture<'_, Lookup<T>> {
        let why = self.0.to_owned();
        Box::pin(async move { Lookup::NoAnswer(why) })
    }
}

impl Resolver for Silent {
    fn mx<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Lookup<Mx>> {
        self.nothing()
    }

    fn a<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Lookup<Ipv4Addr>> {
        self.nothing()
    }

    fn aaaa<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Lookup<Ipv6Addr>> {
        self.nothing()
    }

    fn txt<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Lookup<Vec<u8>>> {
        self.nothing()
    }

    fn ptr(&self, _: IpAddr) -> BoxFuture<'_, Lookup<Domain>> {
        self.nothing()
    }
}

impl Inspect for Silent {
    fn records<'a>(&'a self, _: &'a Domain, _: Kind) -> BoxFuture<'a, Lookup<Data>> {
        self.nothing()
    }

    fn ask<'a>(&'a self, _: IpAddr, _: &'a Domain, _: Kind) -> BoxFuture<'a, Said> {
        let why = self.0.to_owned();
        Box::pin(async move { Said::Answered(Lookup::NoAnswer(why)) })
    }
}
