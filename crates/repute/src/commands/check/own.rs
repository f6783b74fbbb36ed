//! What the checks know of this machine: its addresses and names, its keys and certificate, its mail
//! of the last day, and what earlier runs kept.

use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use repute_audit::{Own, Past};
use repute_ledger::{LedgerError, Questions, ReceiverTraffic, Reports, Traffic};
use repute_net::TlsClient;
use repute_trust::checks::asked::Asked;
use repute_trust::checks::machine::Interface;
use repute_trust::checks::reported::Reported;
use repute_trust::checks::sent::{Day, OwnCertificate, Receiver};
use repute_trust::checks::watched::Watched;
use repute_trust::setup::Setup;
use repute_types::{Domain, Timestamp};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::left;
use crate::config::Config;
use crate::{keys, state, tls};

pub fn look(config: &Config, setup: &Setup, past: Option<&Past>, now: Timestamp) -> Own {
    Own {
        interfaces: interfaces(),
        hosts: hosts(),
        keys: made(config, setup),
        bounce: Vec::new(),
        certificate: config.tls.as_ref().map(|tls| certificate(&tls.certificate, &config.hostname, now)),
        day: day(&state::history(&config.state), now),
        left: left::look(&state::suppression(&config.state), &state::history(&config.state), now),
        asked: Some(Asked { dane: config.dane, mta_sts: config.mta_sts, tls_reports: config.tls_reports.enabled }),
        watched: Some(Watched { on: config.permit.watch, told: told(config) }),
        reported: reported(&state::reports(&config.state), setup, now),
        kept: past.map(|past| past.kept.clone()).unwrap_or_default(),
    }
}

/// Who hears of incidents beside the log.
fn told(config: &Config) -> Vec<String> {
    let by_mail = config.permit.mail_to.iter().map(ToString::to_string);
    let by_hook = match config.webhooks.len() {
        0 => None,
        1 => Some("a webhook".to_owned()),
        n => Some(format!("{n} webhooks")),
    };
    by_mail.chain(by_hook).collect()
}

/// `/proc/net/if_inet6`: the address in 32 digits, the interface's number, the length of the prefix,
/// the scope and the flags, all hexadecimal, and a name.
fn interfaces() -> Result<Vec<Interface>, String> {
    const FILE: &str = "/proc/net/if_inet6";
    let text = std::fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
    Ok(text.lines().filter_map(interface).collect())
}

/// RFC 8981; the kernel's IFA_F_TEMPORARY.
const TEMPORARY: u32 = 1;

fn interface(line: &str) -> Option<Interface> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [digits, _, prefix, _, flags, ..] = words.as_slice() else { return None };
    let address = Ipv6Addr::from(u128::from_str_radix(digits, 16).ok()?);
    let prefix = u8::from_str_radix(prefix, 16).ok()?;
    let temporary = u32::from_str_radix(flags, 16).ok()? & TEMPORARY != 0;
    Some(Interface { address, prefix, temporary })
}

/// hosts(5). Without the file nothing is bound.
fn hosts() -> Vec<(IpAddr, Vec<String>)> {
    let text = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let read = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.parse().ok()?, words.map(str::to_owned).collect()))
    };
    lines.filter_map(read).collect()
}

/// A key is made when its file is written, and never written again.
fn made(config: &Config, setup: &Setup) -> Vec<(Domain, String, Timestamp)> {
    let mut made = Vec::new();
    for sending in &setup.domains {
        let folder = keys::folder(&config.state, &sending.name);
        for key in &sending.keys {
            let written = std::fs::metadata(keys::path(&folder, key.selector())).and_then(|meta| meta.modified());
            let since = written.ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            if let Some(since) = since {
                made.push((sending.name.clone(), key.selector().to_owned(), Timestamp(0) + since));
            }
        }
    }
    made
}

/// As a client that connects sees it, which follows its chain.
fn certificate(file: &Path, hostname: &Domain, now: Timestamp) -> Result<OwnCertificate, String> {
    let read = |error: rustls::pki_types::pem::Error| format!("{}: {error}", file.display());
    let chain = CertificateDer::pem_file_iter(file).map_err(read)?.collect::<Result<Vec<_>, _>>().map_err(read)?;
    let found = tls::own(&chain, hostname).map_err(|why| format!("{}: {why}", file.display()))?;
    let unvouched = || tls::unvouched(&chain, hostname, now, &TlsClient::with_native_roots());
    Ok(OwnCertificate { remark: found.remark.or_else(unvouched), ..found })
}

/// `None` where no server has run yet.
fn day(history: &Path, now: Timestamp) -> Option<Result<Day, String>> {
    if !history.exists() {
        return None;
    }
    let read = || -> Result<Traffic, LedgerError> { Questions::open(history)?.traffic(now) };
    Some(read().map(of_traffic).map_err(|error| error.to_string()))
}

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// `None` where no report ever came. What is no address, and names that are none of ours, are left out.
fn reported(reports: &Path, setup: &Setup, now: Timestamp) -> Option<Result<Vec<Reported>, String>> {
    if !reports.exists() {
        return None;
    }
    let ours =
        |name: &str| setup.domains.iter().any(|d| name == d.name.as_str() || name.ends_with(&format!(".{}", d.name)));
    let read = || -> Result<Vec<Reported>, LedgerError> {
        let sources = Reports::open_reader(reports)?.sources(None, WEEK, now)?;
        let of = |s: repute_ledger::Source| {
            let source = s.source.parse().ok().filter(|_| s.count > 0 && ours(&s.header_from))?;
            Some(Reported { source, domain: s.header_from, messages: s.count, passed: s.passed })
        };
        Ok(sources.into_iter().filter_map(of).collect())
    };
    Some(read().map_err(|error| error.to_string()))
}

fn of_traffic(traffic: Traffic) -> Day {
    let of_one = |receiver: ReceiverTraffic| Receiver {
        name: receiver.name,
        delivered: receiver.delivered,
        clear: receiver.clear,
        deferred: receiver.deferred,
        failed: receiver.failed,
        unknown_users: receiver.unknown_users,
        reply: receiver.reply,
        usual: receiver.week_before / 7,
    };
    Day {
        receivers: traffic.receivers.into_iter().map(of_one).collect(),
        complaints: traffic.complaints,
        again: traffic.again,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_list_of_addresses_is_read() {
        let line = "20010db8000000000000000000000001 02 40 00 01     eth0";
        let expected = Interface { address: "2001:db8::1".parse().unwrap(), prefix: 64, temporary: true };
        assert_eq!(interface(line), Some(expected));
        assert_eq!(
            interface("20010db8000000000000000000000001 02 80 00 80 eth0").map(|i| (i.prefix, i.temporary)),
            Some((128, false))
        );
        assert_eq!(interface("nonsense"), None);
    }
}
