//! Questions that only an audit asks: other kinds of records, and one name server directly.
//!
//! A resolver hides which server said what, and keeps old answers. Whoever wants to know what
//! is published asks each authoritative server of the zone without recursion (RFC 1034 §4.3.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use repute_types::Domain;

use crate::{BoxFuture, Lookup, Mx, Resolver};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    A,
    Aaaa,
    Mx,
    Txt,
    Ptr,
    Ns,
    Soa,
    Cname,
    Tlsa,
    Ds,
    Caa,
    /// The type that SPF records had before RFC 7208, number 99.
    Spf,
    /// The signature of the zone's SOA record (RFC 4034 §3); asked of one server alone.
    Rrsig,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::A => "A",
            Kind::Aaaa => "AAAA",
            Kind::Mx => "MX",
            Kind::Txt => "TXT",
            Kind::Ptr => "PTR",
            Kind::Ns => "NS",
            Kind::Soa => "SOA",
            Kind::Cname => "CNAME",
            Kind::Tlsa => "TLSA",
            Kind::Ds => "DS",
            Kind::Caa => "CAA",
            Kind::Spf => "SPF",
            Kind::Rrsig => "RRSIG",
        }
    }
}

/// The data of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    Mx(Mx),
    /// The strings of one TXT record, joined (RFC 7208 §3.3).
    Text(Vec<u8>),
    /// Where a PTR or NS leads.
    Name(Domain),
    /// Where a CNAME leads: asked for, or all that a server has at the name.
    Alias(Domain),
    Soa {
        serial: u32,
    },
    /// RFC 6698 §2.1.
    Tlsa {
        usage: u8,
        selector: u8,
        matching: u8,
        data: Vec<u8>,
    },
    Ds {
        key_tag: u16,
    },
    /// RFC 8659 §4.1.
    Caa {
        tag: String,
        value: String,
    },
    Signature {
        /// Seconds since 1970, in the 32 bits of the record.
        expires: u32,
    },
}

/// A [`Resolver`] that answers these questions too.
pub trait Inspect: Resolver {
    /// Through the resolver, as receivers see it.
    fn records<'a>(&'a self, name: &'a Domain, kind: Kind) -> BoxFuture<'a, Lookup<Data>>;

    /// What this one server has, not cached. For `NS` a server of the zone above says too to whom it delegates, with the
    /// addresses that it has of them.
    fn ask<'a>(&'a self, server: IpAddr, name: &'a Domain, kind: Kind) -> BoxFuture<'a, Said>;
}

/// What one server said about a name that it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Answered(Lookup<Data>),
    /// It is reached and does not serve the name: it refuses, or answers without authority.
    Lame(String),
}
