//! From a host's name to the addresses that may be tried.
//!
//! Promise: of a public route no address is tried that cannot be a mail server of another's
//! (loopback, "this network", multicast), and none that is our own: that would be a loop.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use repute_dns::{Lookup, Resolver};
use repute_types::{Culprit, Domain, EnhancedCode, Outcome, Stage, Verdict};

use crate::route::{unknown, unknown_for_now};
use crate::{DeliverySettings, Egress, HostName, MxHost, Route};

/// Addresses of one host that are tried: what a name has beyond it, is a pool behind one door.
const ADDRESSES_MOST: usize = 5;

pub(crate) enum Found {
    /// At least one, in the order in which they are tried; and whether they are validated.
    Addresses(Vec<SocketAddr>, bool),
    /// One of them is ours: this host and all that are not better drop out (RFC 5321 §5.1).
    Ourselves,
    Nothing(Outcome),
}

pub(crate) async fn addresses(
    host: &MxHost,
    route: &Route,
    egress: &Egress,
    settings: &DeliverySettings,
    resolver: &dyn Resolver,
) -> Found {
    let name = match &host.name {
        HostName::Address(address) => return Found::Addresses(vec![SocketAddr::new(*address, route.port)], false),
        HostName::Name(name) => name,
    };
    let (mut found, authentic) = match look_up(name, egress, resolver).await {
        Ok(found) => found,
        Err(outcome) => return Found::Nothing(outcome),
    };
    if !route.is_relay {
        let test_bed = |ip: &IpAddr| settings.danger_allow_loopback && ip.is_loopback();
        let ours = |ip: &IpAddr| egress.is(*ip) || settings.own_addresses.contains(ip);
        if found.iter().any(|ip| ours(ip) && !test_bed(ip)) {
            return Found::Ourselves;
        }
        found.retain(|ip| test_bed(ip) || can_be_public_host(*ip));
        if found.is_empty() {
            let text = format!("the host {name} has only addresses that cannot be reached from elsewhere");
            return Found::Nothing(nothing(Verdict::Failed, EnhancedCode(5, 4, 4), text));
        }
    }
    found.truncate(ADDRESSES_MOST);
    Found::Addresses(found.into_iter().map(|ip| SocketAddr::new(ip, route.port)).collect(), authentic)
}

/// All addresses of the families that the egress has, the preferred one's and the other's in
/// turn, each family in the order of the answer (RFC 5321 §5.1); and whether they are validated.
async fn look_up(name: &Domain, egress: &Egress, resolver: &dyn Resolver) -> Result<(Vec<IpAddr>, bool), Outcome> {
    let v4 = async {
        match egress.reaches_v4() {
            true => resolver.a(name).await,
            false => Lookup::NoData { authentic: false },
        }
    };
    let v6 = async {
        match egress.reaches_v6() {
            true => resolver.aaaa(name).await,
            false => Lookup::NoData { authentic: false },
        }
    };
    let (v4, v6) = tokio::join!(v4, v6);
    let authentic = is_authentic(&v4) && is_authentic(&v6);
    let told = |(culprit, why): (Culprit, &str)| {
        unknown_for_now(culprit, format!("the addresses of {name} could not be looked up: {why}"))
    };
    let failed = unknown(&v4).or(unknown(&v6)).map(told);
    let v4 = items(v4).into_iter().map(IpAddr::V4).collect::<Vec<_>>();
    let v6 = items(v6).into_iter().map(IpAddr::V6).collect::<Vec<_>>();
    let found = if egress.prefers_v6() { in_turn(v6, v4) } else { in_turn(v4, v6) };
    if !found.is_empty() {
        return Ok((found, authentic));
    }
    Err(match failed {
        Some(failed) => failed,
        None if egress.narrowed => {
            let family = if egress.reaches_v4() { "IPv4" } else { "IPv6" };
            let text = format!(
                "mail may leave over {family} alone now, and the host {name} has no such address; `repute permit` says \
                 what is wrong with the other"
            );
            nothing(Verdict::Deferred, EnhancedCode(4, 4, 4), text)
        }
        None => {
            let text = format!("the host {name} has no address that can be reached from {}", egress.name);
            nothing(Verdict::Failed, EnhancedCode(5, 4, 4), text)
        }
    })
}

/// Not where addresses were found that are not validated.
fn is_authentic<T>(lookup: &Lookup<T>) -> bool {
    if let Lookup::Found(found) = lookup { found.authentic } else { true }
}

fn items<T>(lookup: Lookup<T>) -> Vec<T> {
    match lookup {
        Lookup::Found(found) => found.items,
        _ => Vec::new(),
    }
}

fn in_turn(first: Vec<IpAddr>, second: Vec<IpAddr>) -> Vec<IpAddr> {
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut out = Vec::with_capacity(first.len() + second.len());
    loop {
        let (a, b) = (first.next(), second.next());
        if a.is_none() && b.is_none() {
            return out;
        }
        out.extend(a);
        out.extend(b);
    }
}

/// Whether another's mail server can be there at all.
pub(crate) fn can_be_public_host(address: IpAddr) -> bool {
    match address.to_canonical() {
        // 0/8 is "this network" (RFC 1122 §3.2.1.3); 240/4 holds the broadcast address.
        IpAddr::V4(ip) => !ip.is_loopback() && !matches!(ip.octets()[0], 0 | 224..=255),
        IpAddr::V6(ip) => {
            let link_local = ip.segments()[0] & 0xffc0 == 0xfe80;
            !ip.is_loopback() && ip != Ipv6Addr::UNSPECIFIED && !ip.is_multicast() && !link_local
        }
    }
}

fn nothing(verdict: Verdict, status: EnhancedCode, text: String) -> Outcome {
    Outcome::ours(verdict, Stage::Route, Culprit::Dns, status, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_anothers_host_is_told() {
        for (address, expected) in [
            ("192.0.2.1", true),
            ("10.0.0.1", true),
            ("2001:db8::1", true),
            ("127.0.0.1", false),
            ("127.9.9.9", false),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("255.255.255.255", false),
            ("224.0.0.1", false),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("fe80::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(can_be_public_host(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn families_take_turns() {
        let ips = |list: &[&str]| list.iter().map(|a| a.parse().unwrap()).collect::<Vec<IpAddr>>();
        let got = in_turn(ips(&["::1", "::2", "::3"]), ips(&["1.1.1.1"]));
        assert_eq!(got, ips(&["::1", "1.1.1.1", "::2", "::3"]));
    }
}
