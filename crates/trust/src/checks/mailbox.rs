//! Mail to us: whether the hosts that take it answer, take what they must, encrypt, and show the
//! certificate that TLSA records promise (RFC 7672).

use std::time::Duration;

use repute_types::{Domain, Timestamp, Tlsa};

use super::Finding;
use super::words::counted;
use crate::certificate::Certificate;
use crate::dane;

/// What one MX host said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    pub name: String,
    pub met: Result<Met, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// The handshake after STARTTLS; `None` where it is not offered.
    pub tls: Option<Result<Shown, String>>,
    /// For each address that was asked: the code and text of the answer to RCPT TO, from the
    /// empty sender.
    pub recipients: Vec<(String, Said)>,
}

/// The answer to RCPT TO; `Err` where none came.
pub type Said = Result<(u16, String), String>;

/// The certificates, the server's own first, and whether they are good for the name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub chain: Vec<Vec<u8>>,
    pub verified: bool,
}

/// Whether an address takes mail from the empty sender, as bounces have it. `id` is the check.
pub fn accepts(id: &'static str, domain: &Domain, address: &str, hosts: &[Host]) -> Finding {
    let about = format!("{domain} {address}");
    let answers = hosts.iter().filter_map(|host| {
        let met = host.met.as_ref().ok()?;
        let (_, said) = met.recipients.iter().find(|(of, _)| of == address)?;
        Some((host.name.as_str(), said))
    });
    let answers: Vec<(&str, &Said)> = answers.collect();
    let fix = match id {
        "name.hosts.abuse" => {
            format!("have mail to {address} taken: those who would complain to a list write there first (RFC 2142)")
        }
        _ => format!("have mail to {address} taken and read by this server; bounces come there"),
    };
    let refused = answers.iter().find_map(|(host, said)| match said {
        Ok((code @ 500..=599, text)) => Some((host, code, text)),
        _ => None,
    });
    let taken = answers.iter().find(|(_, said)| matches!(said, Ok((200..=299, _))));
    let finding = if let Some((host, code, text)) = refused {
        Finding::fail(id, about, format!("{host} refuses mail from <> to {address}: {code} {text}")).fix(fix)
    } else if let Some((host, _)) = taken {
        Finding::pass(id, about, format!("{host} takes mail from <> to {address}"))
    } else {
        let later = answers.first().map(|(host, said)| match said {
            Ok((code, text)) => format!("{host} said {code} {text}"),
            Err(why) => format!("{host}: {why}"),
        });
        let unmet = || hosts.iter().find_map(|h| Some(format!("{}: {}", h.name, h.met.as_ref().err()?)));
        let why = later.or_else(unmet).unwrap_or_else(|| "no host takes its mail".into());
        Finding::unknown(id, about, format!("whether {address} takes mail"), &why)
    };
    finding.for_domain(domain)
}

/// Where bounces come to is this server, which runs, and nothing listens there.
pub fn unheard(domain: &Domain, address: &str, host: &str) -> Finding {
    let verdict = format!("{host} is this server, and nothing answers on its port 25: bounces to {address} get lost");
    Finding::fail("name.bounce.accepts", format!("{domain} {address}"), verdict)
        .fix("have a [[listener]] of the kind `return` listen on port 25 of that address, and no firewall close it")
        .for_domain(domain)
}

/// Mail for nobody has to be refused while the sender listens, or a bounce goes to whom a
/// spammer named as the sender.
pub fn backscatter(domain: &Domain, nobody: &str, hosts: &[Host], ours: &[String]) -> Option<Finding> {
    let id = "dsn.none";
    let mut answers = hosts.iter().filter(|h| ours.contains(&h.name)).filter_map(|host| {
        let (_, said) = host.met.as_ref().ok()?.recipients.iter().find(|(of, _)| of == nobody)?;
        said.as_ref().ok().map(|said| (&host.name, said))
    });
    let (host, (code, text)) = answers.next()?;
    let finding = match code {
        200..=299 => Finding::fail(
            id,
            domain,
            format!("{host} takes mail for nobody ({nobody}): its bounces go to forged senders"),
        )
        .fix(format!("have {host} refuse recipients that it does not know, at RCPT TO")),
        500..=599 => Finding::pass(id, domain, format!("{host} refuses mail for nobody while the sender listens")),
        _ => Finding::unknown(id, domain, format!("whether {host} takes mail for nobody"), &format!("{code} {text}")),
    };
    Some(finding.for_domain(domain))
}

/// STARTTLS at each host, with a certificate that is good for it and for some time.
pub fn encrypts(domain: &Domain, hosts: &[Host], now: Timestamp) -> Vec<Finding> {
    let one = |host: &Host| {
        let (id, name) = ("in.starttls", &host.name);
        let met = match &host.met {
            Err(why) => return Finding::unknown(id, name, format!("whether {name} offers STARTTLS"), why),
            Ok(met) => met,
        };
        match &met.tls {
            None => Finding::warn(id, name, format!("{name} offers no STARTTLS, so answers and bounces come in clear"))
                .fix(format!("give {name} a certificate")),
            Some(Err(why)) => Finding::warn(id, name, format!("TLS with {name} breaks: {why}"))
                .fix(format!("see the log of {name}; senders who insist on TLS cannot reach it")),
            Some(Ok(shown)) => certified(id, name, shown, now),
        }
    };
    hosts.iter().map(|host| one(host).for_domain(domain)).collect()
}

fn certified(id: &'static str, name: &str, shown: &Shown, now: Timestamp) -> Finding {
    let parsed = shown.chain.first().map(|der| Certificate::parse(der));
    let Some(Ok(certificate)) = parsed else {
        return Finding::unknown(
            id,
            name,
            format!("until when the certificate of {name} is good"),
            "it cannot be read",
        );
    };
    match time_left(&certificate, now) {
        None => Finding::fail(id, name, format!("the certificate of {name} has expired")).fix(format!(
            "renew the certificate of {name}; senders that insist on a good one (MTA-STS) cannot reach it"
        )),
        Some(left) if left < LATE => Finding::fail(
            id,
            name,
            format!("the certificate of {name} expires in {}", counted(left.as_secs() / 3600, "hour")),
        )
        .fix(format!("renew the certificate of {name} now; it is not renewed by itself")),
        Some(left) if left < RENEW => Finding::warn(
            id,
            name,
            format!("the certificate of {name} expires in {}", counted(left.as_secs() / 86_400, "day")),
        )
        .fix(format!("renew the certificate of {name}; see why it was not renewed by itself")),
        // Most senders take any certificate; only those that MTA-STS tells otherwise do not.
        Some(_) if !shown.verified => {
            Finding::pass(id, name, format!("{name} encrypts, with a certificate that nobody vouches for"))
                .fix(format!("give {name} a certificate of a public authority: MTA-STS needs it"))
        }
        Some(left) => Finding::pass(
            id,
            name,
            format!("{name} encrypts, with a certificate that is good for {}", counted(left.as_secs() / 86_400, "day")),
        ),
    }
}

/// Two weeks: what renewals by themselves have long done by then.
pub const RENEW: Duration = Duration::from_secs(14 * 86_400);

/// Whoever renews by himself has done it by then, or will not.
pub(super) const LATE: Duration = Duration::from_secs(3 * 86_400);

/// `None` where it has expired.
pub fn time_left(certificate: &Certificate, now: Timestamp) -> Option<Duration> {
    let until = Timestamp(certificate.not_after.saturating_mul(1000));
    (until > now).then(|| until.since(now))
}

/// TLSA records of one host against what it shows. `authentic`: the records are validated; without
/// that no sender looks at them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Promised {
    Absent,
    Records { records: Vec<Tlsa>, authentic: bool },
    Unknown(String),
}

pub fn promised(domain: &Domain, host: &Host, promised: &Promised) -> Finding {
    let (id, name) = ("in.tlsa", &host.name);
    let at = format!("_25._tcp.{name}");
    let finding = match promised {
        Promised::Absent => {
            Finding::pass(id, name, format!("{at} promises nothing (no TLSA record), so nothing can be broken"))
        }
        Promised::Unknown(why) => Finding::unknown(id, name, format!("the TLSA records of {at}"), why),
        Promised::Records { authentic: false, records } => {
            let n = records.len();
            Finding::pass(
                id,
                name,
                format!(
                    "{at} has {n} TLSA records, which our resolver does not vouch for (no DNSSEC), so senders pass over them"
                ),
            )
        }
        Promised::Records { records, .. } => match &host.met {
            Err(why) => {
                Finding::unknown(id, name, format!("whether {name} shows the certificate of its TLSA records"), why)
            }
            Ok(Met { tls: None, .. }) => Finding::fail(
                id,
                name,
                format!("{at} promises TLS and {name} offers none: senders who know DANE send it nothing"),
            )
            .fix(format!("have {name} offer STARTTLS, or take the TLSA records out")),
            Ok(Met { tls: Some(Err(why)), .. }) => {
                Finding::unknown(id, name, format!("which certificate {name} shows"), why)
            }
            Ok(Met { tls: Some(Ok(shown)), .. }) => match dane::matches(records, &shown.chain) {
                true => Finding::pass(id, name, format!("{name} shows the certificate that its TLSA records promise")),
                false => {
                    let line = shown
                        .chain
                        .first()
                        .and_then(|der| dane::record(der))
                        .map(|text| format!("{at}. IN TLSA {text}"));
                    let finding = Finding::fail(id, name, format!("{name} shows another certificate than its TLSA records promise: senders who know DANE send it nothing"))
                        .fix("publish this record beside the others, and take those out that fit nothing");
                    line.map_or(finding.clone(), |line| finding.record(line))
                }
            },
        },
    };
    finding.for_domain(domain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Outcome;

    fn d(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    fn host(met: Result<Met, String>) -> Host {
        Host { name: "mx.example.com".into(), met }
    }

    fn said(code: u16) -> Vec<Host> {
        let recipients = vec![("abuse@example.com".to_owned(), Ok((code, "text".to_owned())))];
        vec![host(Ok(Met { tls: None, recipients }))]
    }

    #[test]
    fn addresses_take_mail_refuse_it_or_nobody_knows() {
        let outcome =
            |hosts: &[Host]| accepts("name.hosts.abuse", &d("example.com"), "abuse@example.com", hosts).outcome;
        assert_eq!(outcome(&said(250)), Outcome::Pass);
        assert_eq!(outcome(&said(550)), Outcome::Fail);
        assert_eq!(outcome(&said(451)), Outcome::Unknown);
        assert_eq!(outcome(&[host(Err("refused".into()))]), Outcome::Unknown);
        assert_eq!(outcome(&[]), Outcome::Unknown);
    }

    #[test]
    fn mail_for_nobody_is_refused_at_once() {
        let ours = ["mx.example.com".to_owned()];
        let outcome = |hosts: &[Host], ours: &[String]| {
            backscatter(&d("example.com"), "abuse@example.com", hosts, ours).map(|f| f.outcome)
        };
        assert_eq!(outcome(&said(550), &ours), Some(Outcome::Pass));
        assert_eq!(outcome(&said(250), &ours), Some(Outcome::Fail));
        assert_eq!(outcome(&said(421), &ours), Some(Outcome::Unknown));
        assert_eq!(outcome(&said(250), &[]), None);
    }

    #[test]
    fn tls_is_offered_broken_or_absent() {
        let outcome = |met| encrypts(&d("example.com"), &[host(met)], Timestamp(0))[0].outcome;
        assert_eq!(outcome(Err("timed out".into())), Outcome::Unknown);
        assert_eq!(outcome(Ok(Met::default())), Outcome::Warn);
        assert_eq!(outcome(Ok(Met { tls: Some(Err("alert".into())), recipients: Vec::new() })), Outcome::Warn);
        let unread = Shown { chain: vec![vec![1, 2, 3]], verified: false };
        assert_eq!(outcome(Ok(Met { tls: Some(Ok(unread)), recipients: Vec::new() })), Outcome::Unknown);
    }

    #[test]
    fn promises_are_kept_broken_or_none() {
        let shown = |der: &[u8]| {
            host(Ok(Met { tls: Some(Ok(Shown { chain: vec![der.to_vec()], verified: true })), recipients: Vec::new() }))
        };
        let whole = Tlsa { usage: 3, selector: 0, matching: 0, data: b"certificate".to_vec() };
        let records = |authentic| Promised::Records { records: vec![whole.clone()], authentic };
        let outcome = |host: &Host, p: &Promised| promised(&d("example.com"), host, p).outcome;
        assert_eq!(outcome(&shown(b"certificate"), &records(true)), Outcome::Pass);
        assert_eq!(outcome(&shown(b"another"), &records(true)), Outcome::Fail);
        assert_eq!(outcome(&shown(b"another"), &records(false)), Outcome::Pass);
        assert_eq!(outcome(&host(Ok(Met::default())), &records(true)), Outcome::Fail);
        assert_eq!(outcome(&host(Err("refused".into())), &records(true)), Outcome::Unknown);
        assert_eq!(outcome(&host(Err("refused".into())), &Promised::Absent), Outcome::Pass);
        assert_eq!(outcome(&shown(b"x"), &Promised::Unknown("SERVFAIL".into())), Outcome::Unknown);
    }
}
