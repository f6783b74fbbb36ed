//! Whether an address is one that the world can see (RFC 6890 and its registries).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why mail cannot leave from this address to the public net; `None` for an ordinary one.
pub fn why_not_public(ip: IpAddr) -> Option<&'static str> {
    match ip.to_canonical() {
        IpAddr::V4(v4) => why_not_v4(v4),
        IpAddr::V6(v6) => why_not_v6(v6),
    }
}

fn why_not_v4(ip: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = ip.octets();
    Some(match (a, b, c) {
        (0, ..) => "it means \"this network\" (RFC 791)",
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => {
            "it is private (RFC 1918): a router in between has the public one"
        }
        (100, 64..=127, _) => {
            "it is shared by the provider's customers (RFC 6598): ask the provider for an address of your own"
        }
        (127, ..) => "it is the machine itself",
        (169, 254, _) => "it is link-local (RFC 3927): no address was given to the interface",
        (192, 0, 0) => "it is reserved for protocols (RFC 6890)",
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => "it is for documentation (RFC 5737)",
        (198, 18..=19, _) => "it is for benchmarks (RFC 2544)",
        (224..=239, ..) => "it is a multicast address",
        (240..=255, ..) => "it is reserved",
        _ => return None,
    })
}

fn why_not_v6(ip: Ipv6Addr) -> Option<&'static str> {
    let [a, b, ..] = ip.segments();
    Some(match (a, b) {
        _ if ip.is_unspecified() => "it means \"no address\"",
        _ if ip.is_loopback() => "it is the machine itself",
        (0xfc00..=0xfdff, _) => "it is private (RFC 4193)",
        (0xfe80..=0xfebf, _) => "it is link-local: it reaches only the next router",
        (0xff00..=0xffff, _) => "it is a multicast address",
        (0x2001, 0xdb8) | (0x3fff, 0..=0xfff) => "it is for documentation (RFC 3849, RFC 9637)",
        (0x2001, 0) => "it is a Teredo tunnel (RFC 4380), which receivers do not trust",
        (0x2002, _) => "it is a 6to4 tunnel (RFC 3056), which receivers do not trust",
        (0x64, 0xff9b) => "it is a translated IPv4 address (RFC 6052)",
        (0x2000..=0x3fff, _) => return None,
        _ => "it is reserved",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_told_from_ordinary_ones() {
        for (ip, why) in [
            ("125.42.17.10", None),
            ("2a01:4f8::1", None),
            ("10.1.2.3", Some("private")),
            ("172.31.0.1", Some("private")),
            ("172.32.0.1", None),
            ("100.64.0.1", Some("shared")),
            ("100.128.0.1", None),
            ("::ffff:192.168.0.1", Some("private")),
            ("fd00::1", Some("private")),
            ("fe80::1", Some("link-local")),
            ("2001:db8::1", Some("documentation")),
            ("2002::1", Some("6to4")),
            ("::1", Some("machine itself")),
            ("4000::1", Some("reserved")),
        ] {
            let found = why_not_public(ip.parse().unwrap());
            assert_eq!(found.is_some(), why.is_some(), "{ip}");
            assert!(found.unwrap_or_default().contains(why.unwrap_or_default()), "{ip}: {found:?}");
        }
    }
}
