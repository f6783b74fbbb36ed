//! Rule 1: the address that mail leaves from.

use std::net::IpAddr;

use super::Finding;
use crate::names::public::why_not_public;

pub fn judge(ip: IpAddr) -> Finding {
    let id = "ip.public";
    match why_not_public(ip) {
        None => Finding::pass(id, ip, format!("{ip} is a public address")),
        // Nobody has one by mistake, and every test net is made of them.
        Some(_) if is_for_documentation(ip) => {
            Finding::warn(id, ip, format!("{ip} is for documentation and tests: no receiver ever sees it"))
                .fix("write the address that receivers see into [[egress]]")
        }
        Some(why) => Finding::fail(id, ip, format!("receivers never see {ip}: {why}"))
            .fix("write the address that receivers see into [[egress]]; behind NAT that is the outer one"),
    }
    .for_address(ip)
}

/// RFC 5737, RFC 3849.
fn is_for_documentation(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_documentation(),
        IpAddr::V6(ip) => ip.segments()[..2] == [0x2001, 0xdb8],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Outcome;

    #[test]
    fn an_address_is_public_or_it_is_told_why_not() {
        for (ip, expected) in [
            ("125.42.17.10", Outcome::Pass),
            ("2a01:4f8::1", Outcome::Pass),
            ("203.0.113.10", Outcome::Warn),
            ("2001:db8::1", Outcome::Warn),
            ("192.168.1.1", Outcome::Fail),
            ("100.64.0.1", Outcome::Fail),
        ] {
            assert_eq!(judge(ip.parse().unwrap()).outcome, expected, "{ip}");
        }
    }
}
