//! Which addresses a webhook may be called at. A name that somebody else controls may point at
//! this machine, at its neighbours, or at a cloud's metadata server; so the address is judged, not
//! the name, after it was looked up and before it is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use repute_trust::names::public::why_not_public;

/// Whether receivers within may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The public net alone.
    Public,
    /// Also this machine and the private networks around it.
    Private,
}

/// Why the address is not called; `None` where it is.
pub fn why_not(ip: IpAddr, reach: Reach) -> Option<&'static str> {
    let ip = ip.to_canonical();
    if let Some(why) = never(ip) {
        return Some(why);
    }
    match reach {
        Reach::Public => why_not_public(ip).or_else(|| tunnel(ip)),
        Reach::Private if is_inside(ip) => None,
        Reach::Private => why_not_public(ip).or_else(|| tunnel(ip)),
    }
}

/// Nobody's receiver is there.
fn never(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(v4) if v4.is_link_local() => Some("it is link-local (RFC 3927), where clouds keep their metadata"),
        // Azure's metadata server has a public address.
        IpAddr::V4(v4) if v4 == Ipv4Addr::new(168, 63, 129, 16) => Some("it is a cloud's metadata server"),
        IpAddr::V4(v4) if v4 == Ipv4Addr::new(100, 100, 100, 200) => Some("it is a cloud's metadata server"),
        IpAddr::V6(v6) if v6 == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254) => {
            Some("it is a cloud's metadata server")
        }
        _ => None,
    }
}

fn is_inside(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let shared = matches!(v4.octets(), [100, 64..=127, ..]);
            v4.is_loopback() || v4.is_private() || shared
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
    }
}

/// Public by its number, and led to an IPv4 address that is written inside it.
fn tunnel(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(v4) if matches!(v4.octets(), [192, 88, 99, _]) => Some("it is a 6to4 relay (RFC 7526)"),
        IpAddr::V6(v6) if v6.segments()[0] == 0x2001 && v6.segments()[1] < 0x200 => {
            Some("it is reserved for protocols (RFC 2928)")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_addresses_are_not_called() {
        let check = |ip: &str, public: bool, private: bool| {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!(why_not(ip, Reach::Public).is_none(), public, "{ip} from outside");
            assert_eq!(why_not(ip, Reach::Private).is_none(), private, "{ip} from inside");
        };
        for ip in ["8.8.8.8", "2a01:4f8::1", "::ffff:8.8.8.8"] {
            check(ip, true, true);
        }
        for ip in ["127.0.0.1", "127.255.1.2", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd12::1"]
        {
            check(ip, false, true);
        }
        for ip in ["::ffff:127.0.0.1", "::ffff:10.0.0.1"] {
            check(ip, false, true);
        }
        for ip in [
            "0.0.0.0",
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "::",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::7f00:1",
            "2002:7f00:1::",
            "2001:0:7f00:1::",
            "2001:10::1",
            "192.88.99.1",
            "192.0.2.1",
            "198.18.0.1",
            "240.0.0.1",
        ] {
            check(ip, false, false);
        }
    }
}
