//! What this machine says of itself: the proposals of the questions.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use repute_trust::names::public::why_not_public;
use repute_types::Domain;

/// Addresses that the world can reach, the one that connections leave from by themselves first
/// in its family: at most one IPv4 and one IPv6 address.
pub fn public_addresses() -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> = usual_sources();
    all.extend(interface_addresses());
    let mut proposed: Vec<IpAddr> = Vec::new();
    for address in all.into_iter().filter(|a| why_not_public(*a).is_none()) {
        if !proposed.iter().any(|p| p.is_ipv4() == address.is_ipv4()) {
            proposed.push(address);
        }
    }
    proposed
}

/// Why none of the machine's addresses is one that receivers can see, with those that were given to it.
pub fn why_none_is_public() -> String {
    let given = |ip: &IpAddr| match ip {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    };
    let why = |ip: IpAddr| why_not_public(ip).map(|why| format!("{ip}: {why}"));
    let mut all: Vec<String> = interface_addresses().into_iter().filter(given).filter_map(why).collect();
    all.dedup();
    if all.is_empty() { "it has no address but loopback".to_owned() } else { all.join("; ") }
}

/// Whether mail can be sent from it: it is on an interface.
pub fn is_here(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// The addresses that the kernel would choose; nothing is sent.
fn usual_sources() -> Vec<IpAddr> {
    // Documentation addresses (RFC 5737, RFC 3849): they take the way of every other far address.
    let far: [(&str, &str); 2] = [("0.0.0.0:0", "192.0.2.1:25"), ("[::]:0", "[2001:db8::1]:25")];
    let source = |(any, to): (&str, &str)| {
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect(to).ok()?;
        socket.local_addr().ok().map(|at: SocketAddr| at.ip())
    };
    far.into_iter().filter_map(source).collect()
}

fn interface_addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let address = |interface: nix::ifaddrs::InterfaceAddress| {
        let storage = interface.address?;
        let v4 = storage.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| storage.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    };
    interfaces.filter_map(address).collect()
}

/// The machine's name, where it is one that can stand in DNS.
pub fn hostname() -> Option<Domain> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = Domain::parse(name.trim()).ok()?;
    // Names of networks that are nobody's on the internet (RFC 6762, RFC 8375, and habit).
    const LOCAL: [&str; 7] = ["local", "localdomain", "lan", "internal", "home.arpa", "localhost", "intern"];
    let local = LOCAL.iter().any(|end| name.as_str() == *end || name.as_str().ends_with(&format!(".{end}")));
    (name.as_str().matches('.').count() >= 2 && !local).then_some(name)
}
