//! What the machine itself does: its clock, its names for itself, its IPv6 addresses, and what
//! else sends from its address.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use repute_types::Domain;

use super::Finding;

/// How far our clock is from those of others, each with who said it: milliseconds that we are
/// ahead, below zero where we are behind.
pub fn clock(offsets: &[(String, Result<i64, String>)]) -> Finding {
    let (id, about) = ("sys.clock", "clock");
    let known: Vec<(&str, i64)> =
        offsets.iter().filter_map(|(host, o)| Some((host.as_str(), *o.as_ref().ok()?))).collect();
    // One clock may be wrong itself; the one nearest to ours is believed.
    let Some((host, offset)) = known.iter().min_by_key(|(_, offset)| offset.abs()) else {
        let why = offsets.iter().find_map(|(host, o)| Some(format!("{host}: {}", o.as_ref().err()?)));
        return Finding::unknown(
            id,
            about,
            "whether the clock is right",
            &why.unwrap_or("no host is named in [check] clocks".into()),
        );
    };
    let way = if *offset > 0 { "ahead of" } else { "behind" };
    let text = duration_text(Duration::from_millis(offset.unsigned_abs()));
    let wrong = format!("the clock is {text} {way} that of {host}: messages and signatures carry a wrong date");
    let fix = "have the clock kept right (systemd-timesyncd, chrony)";
    match Duration::from_millis(offset.unsigned_abs()).as_secs() {
        ..=60 => Finding::pass(id, about, format!("the clock agrees with that of {host}")),
        61..=10_800 => Finding::warn(id, about, wrong).fix(fix),
        _ => Finding::fail(id, about, wrong).fix(fix),
    }
}

fn duration_text(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7200 => format!("{} minutes", seconds / 60),
        seconds @ ..172_800 => format!("{} hours", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// Whether the machine takes a name of ours for itself on loopback. `hosts` are the lines of
/// /etc/hosts: an address and the names beside it.
pub fn own_name(hostname: &Domain, hosts: &[(IpAddr, Vec<String>)]) -> Finding {
    let (id, name) = ("name.hostlocal", hostname.as_str());
    let bound = hosts.iter().find(|(ip, names)| ip.is_loopback() && names.iter().any(|n| n.eq_ignore_ascii_case(name)));
    match bound {
        None => Finding::pass(id, name, format!("{name} is not bound to loopback on this machine")),
        Some((ip, _)) => Finding::warn(
            id,
            name,
            format!("/etc/hosts says that {name} is {ip}, so programs on this machine take it for loopback"),
        )
        .fix(format!("take {name} out of the line of {ip} in /etc/hosts")),
    }
}

/// An IPv6 address of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    pub address: Ipv6Addr,
    pub prefix: u8,
    /// Made up for some hours (RFC 8981).
    pub temporary: bool,
}

/// Lists count IPv6 by /64, so it has to be ours alone, and the address a fixed one.
pub fn network_of(ip: Ipv6Addr, interfaces: &Result<Vec<Interface>, String>) -> Finding {
    let id = "ip.v6.slash64";
    let interfaces = match interfaces {
        Ok(interfaces) => interfaces,
        Err(why) => {
            return Finding::unknown(id, ip, format!("what kind of address {ip} is"), why).for_address(ip.into());
        }
    };
    let finding = match interfaces.iter().find(|i| i.address == ip) {
        None => Finding::unknown(id, ip, format!("what kind of address {ip} is"), "it is no address of this machine")
            .follows("ip.egress"),
        Some(Interface { temporary: true, .. }) => {
            let fixed = interfaces.iter().find(|i| !i.temporary && same_network(i.address, ip) && i.address != ip);
            let cure = fixed.map_or("give the machine a fixed one".to_owned(), |i| format!("send from {}", i.address));
            Finding::warn(id, ip, format!("{ip} is a temporary address, which changes within a day"))
                .fix(format!("{cure}, or take the IPv6 address out of [[egress]]"))
        }
        Some(Interface { prefix: given @ 65.., .. }) => {
            let verdict =
                format!("the machine has {ip}/{given}: the /64 around it may be shared, and lists count by /64");
            Finding::warn(id, ip, verdict)
                .fix("ask your hoster for a /64 of your own, or take the IPv6 address out of [[egress]]")
        }
        Some(_) => Finding::pass(id, ip, format!("{ip} is a fixed address in a /64 of this machine")),
    };
    finding.for_address(ip.into())
}

fn same_network(a: Ipv6Addr, b: Ipv6Addr) -> bool {
    a.segments()[..4] == b.segments()[..4]
}

/// The EHLO names that this address has said within a day, with ours of now.
pub fn one_name(ip: IpAddr, said: &[Domain]) -> Finding {
    let id = "name.helo.stable";
    let mut names: Vec<&str> = said.iter().map(Domain::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let finding = match names.as_slice() {
        [] | [_] => Finding::pass(id, ip, format!("{ip} says one EHLO name")),
        several => Finding::warn(
            id,
            ip,
            format!("{ip} said {} EHLO names within a day ({}), as bots do", several.len(), several.join(", ")),
        )
        .fix("one address, one name: leave the name as it is from now on"),
    };
    finding.for_address(ip)
}

/// What a port of ours answers to a stranger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Port {
    Closed,
    /// It greets as SMTP with this name; whether it took mail of a stranger for a stranger.
    Mail {
        name: String,
        relays: bool,
    },
    /// It passes connections on to others, for everybody.
    Proxy(&'static str),
    /// Something else, or nothing at all.
    Other,
}

/// Whether anything on our address sends for strangers. `from_here`: it was tried from this machine
/// alone, which many servers trust more than others.
pub fn open_to_strangers(ip: IpAddr, ports: &[(u16, Port)], from_here: bool) -> Finding {
    let id = "ip.dedicated";
    let open = ports.iter().find_map(|(port, found)| match found {
        Port::Mail { relays: true, .. } => {
            Some(format!("port {port} of {ip} takes mail for strangers without a log-in"))
        }
        Port::Proxy(kind) => Some(format!("port {port} of {ip} is a {kind} proxy that asks for no log-in")),
        _ => None,
    });
    let fix = "close it before anything else; lists remove nobody who is still open";
    let finding = match open {
        Some(what) if from_here => Finding::warn(
            id,
            ip,
            format!("{what}, at least from this machine: if others may too, it will be listed within days"),
        )
        .fix("see that it takes nothing from other machines (run this check from one)"),
        Some(what) => Finding::fail(id, ip, format!("{what}: it will be listed within days")).fix(fix),
        None => Finding::pass(id, ip, format!("no port of {ip} that was tried sends for strangers")),
    };
    finding.for_address(ip)
}

/// The name by which our address greets those who come to it, which receivers compare with EHLO.
pub fn greeting(ip: IpAddr, ehlo: &Domain, found: &Port) -> Finding {
    let id = "name.helo.live";
    let finding = match found {
        Port::Mail { name, .. } if name.eq_ignore_ascii_case(ehlo.as_str()) => {
            Finding::pass(id, ip, format!("{ip} greets as {name}, and says the same in EHLO"))
        }
        Port::Mail { name, .. } => Finding::warn(
            id,
            ip,
            format!("{ip} greets as {name:?} on port 25 and says {ehlo} in EHLO: another mail server answers there"),
        )
        .fix(format!("have what listens on port 25 of {ip} call itself {ehlo}, and see that it does not send")),
        _ => Finding::pass(
            id,
            ip,
            format!("no mail server answers on port 25 of {ip} that could call it otherwise than {ehlo}"),
        ),
    };
    finding.for_address(ip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Outcome;

    #[test]
    fn a_clock_is_right_off_wrong_or_not_known() {
        let outcome = |offsets: &[Result<i64, String>]| {
            let named: Vec<_> = offsets.iter().map(|o| ("www.example".to_owned(), o.clone())).collect();
            clock(&named).outcome
        };
        assert_eq!(outcome(&[Ok(900)]), Outcome::Pass);
        assert_eq!(outcome(&[Ok(-61_000)]), Outcome::Warn);
        assert_eq!(outcome(&[Ok(4 * 3_600_000)]), Outcome::Fail);
        // The one host is wrong, not we.
        assert_eq!(outcome(&[Ok(4 * 3_600_000), Ok(10)]), Outcome::Pass);
        assert_eq!(outcome(&[Err("refused".into())]), Outcome::Unknown);
        assert_eq!(outcome(&[]), Outcome::Unknown);
    }

    #[test]
    fn the_own_name_on_loopback_is_told() {
        let name = Domain::parse("mail.example.com").unwrap();
        let hosts = |ip: &str| [(ip.parse().unwrap(), vec!["Mail.Example.com".to_owned(), "mail".to_owned()])];
        assert_eq!(own_name(&name, &hosts("127.0.1.1")).outcome, Outcome::Warn);
        assert_eq!(own_name(&name, &hosts("203.0.113.10")).outcome, Outcome::Pass);
        assert_eq!(own_name(&name, &[]).outcome, Outcome::Pass);
    }

    #[test]
    fn ipv6_addresses_are_fixed_temporary_shared_or_not_known() {
        let ip: Ipv6Addr = "2a01:4f8::1".parse().unwrap();
        let one = |prefix, temporary| Ok(vec![Interface { address: ip, prefix, temporary }]);
        assert_eq!(network_of(ip, &one(64, false)).outcome, Outcome::Pass);
        assert_eq!(network_of(ip, &one(64, true)).outcome, Outcome::Warn);
        assert_eq!(network_of(ip, &one(128, false)).outcome, Outcome::Warn);
        assert_eq!(network_of(ip, &Ok(Vec::new())).outcome, Outcome::Unknown);
        assert_eq!(network_of(ip, &Err("no /proc".into())).outcome, Outcome::Unknown);
    }

    #[test]
    fn open_ports_and_other_names_are_found() {
        let ip: IpAddr = "203.0.113.10".parse().unwrap();
        let name = Domain::parse("mail.example.com").unwrap();
        let mail = |name: &str, relays| Port::Mail { name: name.into(), relays };
        let open = |port: Port| open_to_strangers(ip, &[(25, Port::Closed), (587, port)], false).outcome;
        assert_eq!(open(mail("mail.example.com", false)), Outcome::Pass);
        assert_eq!(open(mail("mail.example.com", true)), Outcome::Fail);
        assert_eq!(open(Port::Proxy("SOCKS")), Outcome::Fail);
        assert_eq!(open(Port::Other), Outcome::Pass);
        let here = open_to_strangers(ip, &[(25, mail("mail.example.com", true))], true);
        assert_eq!(here.outcome, Outcome::Warn);
        assert_eq!(greeting(ip, &name, &mail("MAIL.example.com", false)).outcome, Outcome::Pass);
        assert_eq!(greeting(ip, &name, &mail("debian.localdomain", false)).outcome, Outcome::Warn);
        assert_eq!(greeting(ip, &name, &Port::Closed).outcome, Outcome::Pass);
        let names = |list: &[&str]| list.iter().map(|n| Domain::parse(n).unwrap()).collect::<Vec<_>>();
        assert_eq!(one_name(ip, &names(&["a.example", "a.example"])).outcome, Outcome::Pass);
        assert_eq!(one_name(ip, &names(&["a.example", "b.example"])).outcome, Outcome::Warn);
    }
}
