//! Rule 1 as mail hosts see it that everybody knows: whether port 25 is open outwards, whether
//! somebody on the way rewrites what is said, and the address that they see us come from.
//!
//! Many servers answer EHLO with the address of the client in brackets; that is the address
//! which receivers judge, whatever the machine itself believes.

use std::net::IpAddr;

use super::Finding;
use crate::names::public::why_not_public;

/// One attempt from one egress to one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    pub host: String,
    pub met: Met,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Met {
    Answered(Answered),
    /// No connection: refused, timed out, no way there.
    Closed(String),
    /// The egress is not an address of this machine.
    NotOurs,
    /// It could not be tried: the host's name is not answered, say.
    Unknown(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// The text of the greeting, without its code.
    pub greeting: String,
    /// The lines of the answer to EHLO, without codes.
    pub ehlo: Vec<String>,
    /// The handshake after STARTTLS; `None` where it is not offered. `Ok` says whether the
    /// certificate is good for the host.
    pub tls: Option<Result<bool, String>>,
}

/// Addresses that answers to EHLO and web hosts say we come from, of the egress's family, each with
/// who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub ip: IpAddr,
    pub probes: Vec<Probe>,
    /// What web hosts answered that tell the address.
    pub echoes: Vec<(String, Result<IpAddr, String>)>,
}

pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![egress(facts), port25(facts)];
    findings.extend(rewritten(facts));
    findings.into_iter().map(|f| f.for_address(facts.ip)).collect()
}

impl Facts {
    /// The address that somebody saw us come from: ours where anybody saw that.
    pub fn seen(&self) -> Option<(IpAddr, &str)> {
        let same_family = |ip: &IpAddr| ip.is_ipv4() == self.ip.is_ipv4();
        let by_mail = || {
            self.probes.iter().filter_map(|probe| match &probe.met {
                Met::Answered(said) => {
                    let ip = said.ehlo.iter().find_map(|l| bracketed(l)).filter(same_family)?;
                    Some((ip.to_canonical(), &probe.host))
                }
                _ => None,
            })
        };
        // A host may write its own address there: who sees ours is believed before whoever does not.
        let by_mail = by_mail().find(|(ip, _)| *ip == self.ip.to_canonical()).or_else(|| by_mail().next());
        let by_web = || {
            self.echoes.iter().find_map(|(host, said)| Some((*said.as_ref().ok().filter(|ip| same_family(ip))?, host)))
        };
        by_mail.or_else(by_web).map(|(ip, host)| (ip, host.as_str()))
    }

    fn met(&self, wanted: fn(&Met) -> bool) -> Vec<&Probe> {
        self.probes.iter().filter(|p| wanted(&p.met)).collect()
    }
}

/// The address in brackets in a line of an EHLO answer: `at your service, [203.0.113.10]`.
fn bracketed(line: &str) -> Option<IpAddr> {
    line.split('[').skip(1).find_map(|rest| {
        let text = rest.split(']').next()?.trim();
        text.strip_prefix("IPv6:").unwrap_or(text).parse::<IpAddr>().ok()
    })
}

fn egress(facts: &Facts) -> Finding {
    let (id, ip) = ("ip.egress", facts.ip);
    if !facts.met(|m| matches!(m, Met::NotOurs)).is_empty() {
        return Finding::unknown(id, ip, format!("whether mail leaves from {ip}"), "it is no address of this machine")
            .fix(format!("run this on the machine that sends; if it is this one, give it {ip}, or change [[egress]]"));
    }
    match facts.seen() {
        Some((seen, host)) if seen.to_canonical() == ip.to_canonical() => {
            Finding::pass(id, ip, format!("{host} sees us come from {ip}"))
        }
        Some((seen, host)) => {
            let why = why_not_public(seen).map_or(String::new(), |why| format!(" ({why})"));
            let verdict = format!("{host} sees us come from {seen}{why}, and the configuration and DNS speak of {ip}");
            Finding::fail(id, ip, verdict).fix(format!(
                "have outgoing connections leave from {ip} (a router in between rewrites them), or write {seen} into \
                 [[egress]] and all records"
            ))
        }
        None => {
            let closed = facts.probes.iter().find_map(|p| match &p.met {
                Met::Closed(why) | Met::Unknown(why) => Some(why.as_str()),
                _ => None,
            });
            let why = closed.unwrap_or("no host that was asked tells it");
            let finding = Finding::unknown(id, ip, format!("as which address receivers see {ip}"), why)
                .fix("name a web host that tells it in [check] echo");
            if closed.is_some() { finding.follows("ip.port25") } else { finding }
        }
    }
}

fn port25(facts: &Facts) -> Finding {
    let (id, ip) = ("ip.port25", facts.ip);
    let answered = facts.met(|m| matches!(m, Met::Answered(_)));
    if let Some(first) = answered.first() {
        let (n, all) = (answered.len(), facts.probes.len());
        return Finding::pass(
            id,
            ip,
            format!("port 25 is open outwards from {ip}: {} of {all} hosts answer, {} first", n, first.host),
        );
    }
    if !facts.met(|m| matches!(m, Met::NotOurs)).is_empty() {
        let what = format!("whether port 25 is open outwards from {ip}");
        return Finding::unknown(id, ip, what, "it is no address of this machine").follows("ip.egress");
    }
    let closed: Vec<(&str, &str)> = facts
        .probes
        .iter()
        .filter_map(|p| if let Met::Closed(why) = &p.met { Some((p.host.as_str(), why.as_str())) } else { None })
        .collect();
    // One host may be down, or mind us; all of them do not.
    if closed.len() < 2 && closed.len() < facts.probes.len() || closed.is_empty() {
        let unknown =
            facts.probes.iter().find_map(|p| if let Met::Unknown(why) = &p.met { Some(why.as_str()) } else { None });
        let why = unknown.unwrap_or("no host to try is configured");
        return Finding::unknown(id, ip, format!("whether port 25 is open outwards from {ip}"), why);
    }
    let (host, why) = closed[0];
    let verdict =
        format!("no mail can leave {ip}: {} well-known hosts do not answer on port 25 ({host}: {why})", closed.len());
    Finding::fail(id, ip, verdict).fix(
        "ask your hoster to open port 25 outwards (AWS and Oracle by a form; Hetzner, DigitalOcean, Vultr, Linode and OVH by a \
         ticket; Google Cloud and Azure never do: send through a relay there, [[route]])",
    )
}

/// Well-known hosts greet with a name and offer STARTTLS with a certificate of theirs.
fn rewritten(facts: &Facts) -> Option<Finding> {
    let (id, ip) = ("ip.port25.mitm", facts.ip);
    let mut bad_certificate = None;
    let mut good = 0;
    let answered =
        facts.probes.iter().filter_map(|p| if let Met::Answered(a) = &p.met { Some((&p.host, a)) } else { None });
    for (host, said) in answered {
        if said.greeting.contains("***") {
            let verdict = format!("somebody on the way rewrites what {host} says: its greeting is {:?}", said.greeting);
            return Some(Finding::fail(id, ip, verdict).fix(INTERCEPTED));
        }
        match &said.tls {
            None => {
                let verdict = format!(
                    "{host} offers no STARTTLS to {ip}, which it does to everybody: somebody on the way takes it out"
                );
                return Some(Finding::fail(id, ip, verdict).fix(INTERCEPTED));
            }
            Some(Err(why)) => bad_certificate = bad_certificate.or(Some(format!("TLS with {host} breaks ({why})"))),
            Some(Ok(false)) => {
                bad_certificate =
                    bad_certificate.or(Some(format!("the certificate that {host} shows is not good for it")));
            }
            Some(Ok(true)) => good += 1,
        }
    }
    match bad_certificate {
        Some(what) => Some(
            Finding::warn(id, ip, format!("{what}: somebody may stand in between"))
                .fix("see that this machine has trust anchors (package ca-certificates); then ask your hoster who intercepts port 25"),
        ),
        None if good > 0 => Some(Finding::pass(id, ip, format!("{good} well-known hosts show certificates of their own to {ip}"))),
        None => None,
    }
}

const INTERCEPTED: &str =
    "ask your hoster to take the proxy for port 25 away: it breaks TLS, and receivers see its EHLO";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Outcome;

    fn answered(greeting: &str, ehlo: &[&str], tls: Option<Result<bool, String>>) -> Met {
        Met::Answered(Answered { greeting: greeting.into(), ehlo: ehlo.iter().map(|l| (*l).to_owned()).collect(), tls })
    }

    #[track_caller]
    fn check(met: &[Met], expected: [(&str, Outcome); 3], part: &str) {
        let probes = met.iter().enumerate().map(|(n, met)| Probe { host: format!("mx{n}.example"), met: met.clone() });
        let facts = Facts { ip: "203.0.113.10".parse().unwrap(), probes: probes.collect(), echoes: Vec::new() };
        let found = judge(&facts);
        for (id, outcome) in expected {
            let finding = found.iter().find(|f| f.id == id);
            assert_eq!(finding.map(|f| f.outcome), Some(outcome), "{id}: {found:#?}");
        }
        assert!(found.iter().any(|f| f.verdict.contains(part)), "{part}: {found:#?}");
    }

    #[test]
    fn what_well_known_hosts_see() {
        use Outcome::{Fail, Pass, Unknown, Warn};
        let good = |ip: &str| {
            answered(
                "mx ready",
                &["mx at your service, [".to_owned() + ip + "]"].map(|s| s).each_ref().map(String::as_str),
                Some(Ok(true)),
            )
        };
        let all = |a, b, c| [("ip.egress", a), ("ip.port25", b), ("ip.port25.mitm", c)];
        check(
            &[good("203.0.113.10"), Met::Closed("refused".into())],
            all(Pass, Pass, Pass),
            "sees us come from 203.0.113.10",
        );
        check(&[good("192.0.2.1"), good("203.0.113.10")], all(Pass, Pass, Pass), "mx1.example sees us");
        check(&[good("100.64.3.4")], all(Fail, Pass, Pass), "shared by the provider's customers");
        check(
            &[answered("mx", &["hello"], Some(Ok(true)))],
            all(Unknown, Pass, Pass),
            "no host that was asked tells it",
        );
        check(&[answered("****", &["hello [203.0.113.10]"], None)], all(Pass, Pass, Fail), "rewrites");
        check(&[answered("mx", &["hello [203.0.113.10]"], None)], all(Pass, Pass, Fail), "takes it out");
        check(&[answered("mx", &["hello [203.0.113.10]"], Some(Ok(false)))], all(Pass, Pass, Warn), "not good for it");
    }

    #[test]
    fn a_closed_port_is_told_from_what_is_not_known() {
        let outcome = |met: &[Met]| {
            let probes = met.iter().map(|met| Probe { host: "mx.example".into(), met: met.clone() }).collect();
            port25(&Facts { ip: "203.0.113.10".parse().unwrap(), probes, echoes: Vec::new() }).outcome
        };
        let (closed, unknown) = (Met::Closed("timed out".into()), Met::Unknown("SERVFAIL".into()));
        assert_eq!(outcome(&[closed.clone(), closed.clone(), unknown.clone()]), Outcome::Fail);
        assert_eq!(outcome(std::slice::from_ref(&closed)), Outcome::Fail);
        assert_eq!(outcome(&[closed.clone(), unknown.clone(), unknown.clone()]), Outcome::Unknown);
        assert_eq!(outcome(&[unknown]), Outcome::Unknown);
        assert_eq!(outcome(&[Met::NotOurs, closed]), Outcome::Unknown);
        assert_eq!(outcome(&[]), Outcome::Unknown);
    }

    #[test]
    fn addresses_in_brackets_are_read() {
        for (line, expected) in [
            ("mx.google.com at your service, [203.0.113.10]", Some("203.0.113.10")),
            ("Hello mail.example.com [IPv6:2001:db8::1], pleased", Some("2001:db8::1")),
            ("PIPELINING", None),
            ("x [not an address] [1.2.3.4]", Some("1.2.3.4")),
        ] {
            assert_eq!(bracketed(line).map(|ip| ip.to_string()).as_deref(), expected, "{line}");
        }
    }
}
