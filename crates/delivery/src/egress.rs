//! Where mail leaves from: a source address and the name that is said from it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use repute_types::Domain;

/// A source address of each family, at most, and its EHLO name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress {
    /// For people and logs.
    pub name: String,
    /// A, AAAA and PTR have to agree with it, or receivers lose trust.
    pub ehlo: Domain,
    pub v4: Option<Ipv4Addr>,
    pub v6: Option<Ipv6Addr>,
    /// It has the other family too, which may not be used just now: a host that has only that
    /// one is waited for, not given up.
    pub narrowed: bool,
}

impl Egress {
    /// The operating system chooses the address.
    pub fn unbound(ehlo: Domain) -> Egress {
        Egress { name: ehlo.to_string(), ehlo, v4: None, v6: None, narrowed: false }
    }

    /// Whether the operating system chooses the address.
    pub fn is_unbound(&self) -> bool {
        self.v4.is_none() && self.v6.is_none()
    }

    /// Those that it is bound to.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        self.v4.map(IpAddr::V4).into_iter().chain(self.v6.map(IpAddr::V6))
    }

    /// The address to reach `to` from; `None` where the operating system chooses.
    pub fn source_for(&self, to: SocketAddr) -> Option<IpAddr> {
        match to {
            SocketAddr::V4(_) => self.v4.map(IpAddr::V4),
            SocketAddr::V6(_) => self.v6.map(IpAddr::V6),
        }
    }

    /// The same with this address alone.
    pub fn narrowed_to(&self, address: IpAddr) -> Egress {
        let (v4, v6) = match address {
            IpAddr::V4(v4) => (Some(v4), None),
            IpAddr::V6(v6) => (None, Some(v6)),
        };
        Egress { v4, v6, narrowed: true, ..self.clone() }
    }

    pub(crate) fn reaches_v4(&self) -> bool {
        self.v4.is_some() || self.is_unbound()
    }

    pub(crate) fn reaches_v6(&self) -> bool {
        self.v6.is_some() || self.is_unbound()
    }

    /// Where the operator gave an IPv6 address it is meant to be used (RFC 6724 §2.1); where
    /// the system chooses, its IPv6 address may be one without a reverse name.
    pub(crate) fn prefers_v6(&self) -> bool {
        self.v6.is_some()
    }

    pub(crate) fn is(&self, address: IpAddr) -> bool {
        self.addresses().any(|own| own == address)
    }
}
