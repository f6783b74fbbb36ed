//! Addresses that mail leaves from, and the pools that share them out among the domains.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use repute_types::Domain;
use toml::Spanned;

use super::{Checking, Files, typed};

/// A source of connections: one IPv4 address, one IPv6 address, or both.
#[derive(Clone, Debug)]
pub struct Egress {
    pub v4: Option<Ipv4Addr>,
    pub v6: Option<Ipv6Addr>,
    /// `None`: the server's own name.
    pub ehlo: Option<Domain>,
    /// The pools that it is in. Without any it is for the domains that name none.
    pub pools: Vec<String>,
    /// Receivers do not know it yet.
    pub warm_up: bool,
}

impl Egress {
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.v4.map(IpAddr::V4).into_iter().chain(self.v6.map(IpAddr::V6))
    }
}

pub fn check(c: &mut Checking, typed: Vec<Spanned<typed::Egress>>) -> Vec<Egress> {
    let mut seen = HashSet::new();
    typed.into_iter().map(|one| check_one(c, one, &mut seen)).collect()
}

fn check_one(c: &mut Checking, one: Spanned<typed::Egress>, seen: &mut HashSet<IpAddr>) -> Egress {
    let mut egress = Egress { v4: None, v6: None, ehlo: None, pools: Vec::new(), warm_up: false };
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
        if !seen.insert(address) {
            c.fault(span, format!("{address} stands here twice"), "take one of the two out");
            continue;
        }
        if c.files == Files::Check {
            try_it(c, address, span.clone());
        }
        let taken = match address {
            IpAddr::V4(a) => egress.v4.replace(a).is_some(),
            IpAddr::V6(a) => egress.v6.replace(a).is_some(),
        };
        if taken {
            let cure = "give each further address an [[egress]] of its own";
            c.fault(span, "an egress has at most one IPv4 and one IPv6 address", cure);
        }
    }
    (egress.ehlo, egress.warm_up) = (one.ehlo, one.warm_up);
    egress.pools = one.pool.into_iter().map(Spanned::into_inner).collect();
    egress
}

/// An address that is not here yet (a floating one, a network that comes up late) keeps nobody from serving: what would
/// leave from it waits. Where the system binds addresses that it does not have, this is silent.
fn try_it(c: &mut Checking, address: IpAddr, span: std::ops::Range<usize>) {
    let Err(error) = UdpSocket::bind((address, 0)) else { return };
    let text = format!("mail cannot leave from {address} now: this machine does not have it ({error})");
    let cure = "what would leave from it waits until then: give this machine the address, or write one that `ip address` shows; \
                behind NAT that is its own, not the one that others see";
    c.advise(span, text, cure);
}

/// The places of the egresses that mail of a domain may leave from; `None`: all of them.
pub fn pool(
    c: &mut Checking,
    domain: &Spanned<Domain>,
    wanted: Option<&Spanned<String>>,
    egresses: &[Egress],
) -> Option<Vec<u16>> {
    let is_in = |egress: &Egress| match wanted {
        Some(pool) => egress.pools.contains(pool.get_ref()),
        None => egress.pools.is_empty(),
    };
    let places: Vec<u16> = (0u16..).zip(egresses).filter(|(_, egress)| is_in(egress)).map(|(n, _)| n).collect();
    let names = || egresses.iter().flat_map(|egress| &egress.pools).map(String::as_str);
    match wanted {
        Some(pool) if places.is_empty() => {
            let cure = match c.nearest(pool.get_ref(), names()) {
                Some(near) => format!("write \"{near}\""),
                None => format!("add `pool = \"{}\"` to the [[egress]] that its mail is to leave from", pool.get_ref()),
            };
            c.fault(pool.span(), format!("no [[egress]] is in the pool `{}`", pool.get_ref()), cure);
        }
        None if places.is_empty() && !egresses.is_empty() => {
            let what = format!("every [[egress]] is in a pool, and {} names none", domain.get_ref());
            let first = names().next().unwrap_or_default();
            c.fault(domain.span(), what, format!("add `pool = \"{first}\"` to this [[domain]], or another pool"));
        }
        _ => {}
    }
    (places.len() < egresses.len()).then_some(places)
}
