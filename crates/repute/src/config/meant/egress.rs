//! Addresses that mail leaves from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use repute_types::Domain;
use toml::Spanned;

use super::{Checking, typed};

/// A source of connections: one IPv4 address, one IPv6 address, or both.
#[derive(Clone, Debug)]
pub struct Egress {
    pub v4: Option<Ipv4Addr>,
    pub v6: Option<Ipv6Addr>,
    /// `None`: the server's own name.
    pub ehlo: Option<Domain>,
}

pub fn check(c: &mut Checking, typed: Vec<Spanned<typed::Egress>>) -> Vec<Egress> {
    let mut seen: Vec<IpAddr> = Vec::new();
    typed.into_iter().map(|one| check_one(c, one, &mut seen)).collect()
}

fn check_one(c: &mut Checking, one: Spanned<typed::Egress>, seen: &mut Vec<IpAddr>) -> Egress {
    let mut egress = Egress { v4: None, v6: None, ehlo: None };
    let header = one.span();
    let one = one.into_inner();
    if one.address.is_empty() {
        c.fault(header, "this [[egress]] has no address", "write one, or take the section out");
    }
    for address in one.address {
        let (span, address) = (address.span(), address.into_inner().to_canonical());
        if address.is_unspecified() || address.is_multicast() {
            let cure = "write the address itself; without [[egress]] the operating system chooses one";
            c.fault(span, format!("mail cannot leave from {address}"), cure);
            continue;
        }
        if seen.contains(&address) {
            c.fault(span, format!("{address} stands here twice"), "take one of the two out");
            continue;
        }
        seen.push(address);
        let taken = match address {
            IpAddr::V4(a) => egress.v4.replace(a).is_some(),
            IpAddr::V6(a) => egress.v6.replace(a).is_some(),
        };
        if taken {
            let cure = "give each further address an [[egress]] of its own";
            c.fault(span, "an egress has at most one IPv4 and one IPv6 address", cure);
        }
    }
    egress.ehlo = one.ehlo;
    egress
}
