//! The names under which addresses are kept in DNS: `in-addr.arpa` (RFC 1035 §3.5) and
//! `ip6.arpa` (RFC 3596 §2.5), and their parts, which black lists use too (RFC 5782 §2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `10.113.0.203`: the octets, or the 32 nibbles, last first.
pub fn reversed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().rev().flat_map(|b| [b & 15, b >> 4]);
            nibbles.map(|n| format!("{n:x}")).collect::<Vec<_>>().join(".")
        }
    }
}

/// `10.113.0.203.in-addr.arpa`: where the PTR record of an address stands.
pub fn reverse_name(ip: IpAddr) -> String {
    let zone = if ip.is_ipv4() { "in-addr.arpa" } else { "ip6.arpa" };
    format!("{}.{zone}", reversed(ip))
}

/// The address that a whole reverse name stands for; `None` for any other name.
pub fn address_of(name: &str) -> Option<IpAddr> {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if let Some(labels) = name.strip_suffix(".in-addr.arpa") {
        // Parsed as an address, which it is: only the order is wrong.
        let [a, b, c, d] = labels.parse::<Ipv4Addr>().ok()?.octets();
        return Some(Ipv4Addr::new(d, c, b, a).into());
    }
    let labels = name.strip_suffix(".ip6.arpa")?;
    let nibble = |l: &str| if l.len() == 1 { u128::from_str_radix(l, 16).ok() } else { None };
    let nibbles: Vec<u128> = labels.split('.').map(nibble).collect::<Option<_>>()?;
    let value = nibbles.iter().rev().fold(0, |value, n| value << 4 | n);
    (nibbles.len() == 32).then(|| Ipv6Addr::from(value).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_its_reverse_name_lead_to_each_other() {
        for (ip, name) in [
            ("203.0.113.10", "10.113.0.203.in-addr.arpa"),
            ("2001:db8::567:89ab", "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"),
        ] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!(reverse_name(ip), name);
            assert_eq!(address_of(name), Some(ip));
            assert_eq!(address_of(&format!("{}.", name.to_uppercase())), Some(ip));
        }
    }

    #[test]
    fn what_is_no_whole_reverse_name_is_none() {
        for name in
            ["113.0.203.in-addr.arpa", "256.0.0.1.in-addr.arpa", "1.0.ip6.arpa", "mail.example.com", "in-addr.arpa"]
        {
            assert_eq!(address_of(name), None, "{name}");
        }
    }
}
