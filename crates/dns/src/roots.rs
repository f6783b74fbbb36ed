//! DNS from the roots down (RFC 1034 §5.3.3), by hickory's recursor, validated on the way (RFC
//! 4035): for machines that have no resolver which black lists answer or that validates.
//!
//! Promise: an answer with a forged or broken signature is a failure, never an answer; nobody is
//! asked at an address that no name server of the public net has, but in a net with its own
//! roots; every look-up has a bound (hickory's: 24 levels, 64 aliases, 200 questions).
//!
//! Known limit: why no server of a zone could be asked is a text in hickory, so silence of all of
//! them is a `Failure` where it was met on the way down, and `NoAnswer` at the end of the deadline.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::dnssec::{Proof, TrustAnchors};
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::recursor::{DnssecConfig, DnssecPolicy, Recursor, RecursorError, RecursorOptions};
use ipnet::{IpNet, Ipv6Net};
use tokio::time::Instant;

use crate::answer::{NEGATIVE_TTL_MOST, TTL_MOST, negative, positive};
use crate::hickory::{DnsError, DnsSettings};
use crate::{BoxFuture, Lookup, able, piecewise};

/// Name, IPv4 and IPv6 address of each.
const HINTS: &str = include_str!("../data/roots.txt");

/// Zones whose servers are remembered; each takes under 1 KiB.
const ZONES: usize = 4096;

pub(crate) struct Roots {
    recursor: Recursor<TokioRuntimeProvider>,
    validates: bool,
    servers: Vec<SocketAddr>,
}

impl Roots {
    /// Needs no network yet.
    pub fn new(settings: &DnsSettings) -> Result<Roots, DnsError> {
        let validates = settings.dnssec;
        let mut config = DnssecConfig::default();
        if let Some(path) = &settings.trust_anchor {
            let anchors =
                TrustAnchors::from_file(path).map_err(|e| DnsError::TrustAnchor(path.clone(), e.to_string()))?;
            config.trust_anchor = Some(Arc::new(anchors));
        }
        let policy =
            if validates { DnssecPolicy::ValidateWithStaticKey(config) } else { DnssecPolicy::SecurityUnaware };
        let mut options = RecursorOptions {
            ns_cache_size: ZONES,
            response_cache_size: settings.cache as u64,
            // Against answers of those who guess (draft-vixie-dnsext-dns0x20).
            case_randomization: true,
            ..RecursorOptions::default()
        };
        let roots = if settings.roots.is_empty() { root_servers() } else { settings.roots.clone() };
        if !settings.roots.is_empty() {
            // Such a net has addresses of its own kind.
            options.deny_server.clear();
        }
        let v6 = reaches_v6(&roots);
        if !v6 {
            options.deny_server.push(IpNet::V6(Ipv6Net::default()));
        }
        let reached: Vec<IpAddr> = roots.iter().copied().filter(|ip| v6 || ip.is_ipv4()).collect();
        let roots = if reached.is_empty() { roots } else { reached };
        let recursor = Recursor::new(&roots, policy, None, options, TokioRuntimeProvider::default())
            .map_err(|error| DnsError::Roots(Box::new(error)))?;
        let servers = roots.into_iter().map(|root| (root, 53).into()).collect();
        Ok(Roots { recursor, validates, servers })
    }

    pub fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }

    pub fn validates(&self) -> bool {
        self.validates
    }

    /// The caller bounds the time.
    pub async fn fetch<T>(&self, name: Name, kind: RecordType, take: fn(&RData) -> Option<T>) -> (Lookup<T>, Duration) {
        let query = Query::query(name.clone(), kind);
        match self.recursor.resolve(query, Instant::now().into_std(), self.validates).await {
            Ok(message) if self.validates && follows_from_dname(&message, &name) => {
                piecewise::look_up(self, name, kind, take).await
            }
            Ok(message) => self.answer(&message, kind, take),
            Err(RecursorError::Net(refused)) if self.validates && piecewise::is_refused(&refused) => {
                piecewise::look_up(self, name, kind, take).await
            }
            Err(error) => of_error(error),
        }
    }

    fn answer<T>(&self, message: &Message, kind: RecordType, take: fn(&RData) -> Option<T>) -> (Lookup<T>, Duration) {
        let forged = |proof: Proof| match proof {
            Proof::Bogus => Some("the DNSSEC signatures are not valid"),
            Proof::Indeterminate => Some("whether the answer is signed could not be found out"),
            Proof::Secure | Proof::Insecure => None,
        };
        let of_kind = |r: &&hickory_proto::rr::Record| [kind, RecordType::CNAME].contains(&r.record_type());
        let chain = message.answers.iter().filter(of_kind);
        if self.validates
            && let Some(why) = chain.clone().find_map(|r| forged(r.proof))
        {
            return (Lookup::Failure(why.into()), Duration::ZERO);
        }
        let code = message.metadata.response_code;
        if code != ResponseCode::NoError && code != ResponseCode::NXDomain {
            return (Lookup::Failure(code.to_string()), Duration::ZERO);
        }
        let ttl = chain.map(|r| r.ttl).min().map_or(NEGATIVE_TTL_MOST, |s| Duration::from_secs(s.into()));
        match positive(&message.answers, kind, take, ttl.min(TTL_MOST)) {
            (Lookup::NoData { authentic }, ttl) if code == ResponseCode::NXDomain => {
                (Lookup::NoName { authentic }, ttl)
            }
            answer => answer,
        }
    }
}

impl piecewise::Ask for Roots {
    fn ask(&self, query: Query) -> BoxFuture<'_, Result<Message, NetError>> {
        Box::pin(async move {
            let resolved = self.recursor.resolve(query, Instant::now().into_std(), true).await;
            resolved.map_err(|error| match error {
                RecursorError::Net(error) => error,
                absent @ RecursorError::Negative(_) => NetError::from(absent),
                RecursorError::Timeout => NetError::Timeout,
                other => NetError::from(format!("not found from the roots: {other}")),
            })
        })
    }
}

/// The alias of a name under a DNAME has no signature of its own.
fn follows_from_dname(message: &Message, name: &Name) -> bool {
    let mut above = message.answers.iter().filter(|record| record.record_type() == RecordType::DNAME);
    above.any(|record| record.name.zone_of(name) && record.name != *name)
}

fn of_error<T>(error: RecursorError) -> (Lookup<T>, Duration) {
    match error {
        RecursorError::Net(error) => negative(error),
        absent @ RecursorError::Negative(_) => negative(NetError::from(absent)),
        RecursorError::Timeout => negative(NetError::Timeout),
        other => (Lookup::Failure(format!("not found from the roots: {other}")), Duration::ZERO),
    }
}

/// The root servers of the internet, by their addresses in both families.
pub fn root_servers() -> Vec<IpAddr> {
    let lines = HINTS.lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(|line| line.split_whitespace().skip(1)).filter_map(|word| word.parse().ok()).collect()
}

/// Whether this machine has a way to an IPv6 root. Nothing is sent. Without one, each question to
/// a server's IPv6 address would cost a failure first.
fn reaches_v6(roots: &[IpAddr]) -> bool {
    roots.iter().filter(|ip| ip.is_ipv6()).any(|root| able::leads_to((*root, 53).into()).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hints_are_thirteen_servers_in_both_families() {
        let hints = root_servers();
        assert_eq!(hints.iter().filter(|ip| ip.is_ipv4()).count(), 13);
        assert_eq!(hints.iter().filter(|ip| ip.is_ipv6()).count(), 13);
    }
}
