//! Where mail for a domain goes: its MX hosts (RFC 5321 §5.1), or relay hosts that were
//! configured for it.
//!
//! 1. A configured route that names the domain, or the nearest domain above it, wins.
//! 2. Else the MX records: null MX fails (RFC 7505); none at all means the domain itself, if
//!    it has an address; ourselves and all hosts that are not better drop out.
//!
//! Promise: NXDOMAIN and "no such record" are final, a failure or silence of DNS is not.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use repute_dns::{Exchange, Lookup, Mx, Resolver};
use repute_smtp::client::Login;
use repute_trust::sts::Policy;
use repute_types::{Culprit, Domain, EnhancedCode, Outcome, Random, Stage, Verdict};

use crate::opening::NO_SOCKETS;
use crate::{DeliverySettings, Egress, TlsNeed, secured};

/// Hosts of a domain that are known, the best first: the largest providers have five. One opening tries fewer, the next one others.
const HOSTS_MOST: usize = 100;
/// How long a configured route stands before it is asked for again; only a reload changes it.
const RELAY_TTL: Duration = Duration::from_secs(3600);

/// The group of domains that share their hosts: `mx1.example.net,mx2.example.net>mx3.example.net`
/// (a comma between equals, `>` before worse ones; `+dnssec`, `+sts` where the domain asks for TLS by them), or
/// `relay:user@host:587`.
pub type SiteKey = Arc<str>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostName {
    Name(Domain),
    /// Only for relay hosts.
    Address(IpAddr),
}

impl std::fmt::Display for HostName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HostName::Name(name) => name.fmt(f),
            HostName::Address(address) => address.fmt(f),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MxHost {
    pub name: HostName,
    pub preference: u16,
}

/// A relay host that takes mail for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// At least one, in the order in which they are tried.
    pub hosts: Vec<HostName>,
    pub port: u16,
    pub tls: TlsNeed,
    /// TLS from the first octet (RFC 8314 §3.3), as on port 465.
    pub implicit_tls: bool,
    pub login: Option<Login>,
}

#[derive(Debug)]
pub struct Route {
    pub site: SiteKey,
    /// At least one; the best first, equals in an order of chance.
    pub hosts: Vec<MxHost>,
    pub port: u16,
    pub tls: TlsNeed,
    pub implicit_tls: bool,
    pub login: Option<Login>,
    /// The hosts were found safely: validated by DNSSEC, or named by the operator.
    pub authentic: bool,
    /// Its sessions are told to the domains that ask for it (RFC 8460).
    pub(crate) counted: bool,
    /// Hosts are asked for TLSA records.
    pub(crate) dane: bool,
    /// What the domain's MTA-STS policy asks for, where it is in force.
    pub(crate) policy: Option<Arc<Policy>>,
    /// Hosts named by the operator may be anywhere, also on loopback.
    pub is_relay: bool,
    pub expires_in: Duration,
    /// Connections opened so far, so that the next begins with another of the best hosts.
    turn: AtomicUsize,
}

impl Route {
    /// Whether it is known that these are the domain's hosts.
    pub(crate) fn is_safe(&self) -> bool {
        self.authentic || self.policy.is_some()
    }

    /// The hosts in the order in which this connection tries them. Among equals each
    /// connection begins one further than the last.
    pub(crate) fn hosts_in_turn(&self) -> Vec<&MxHost> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut order: Vec<&MxHost> = self.hosts.iter().collect();
        // Relay hosts have different preferences, and keep their order.
        for equals in order.chunk_by_mut(|a, b| a.preference == b.preference) {
            equals.rotate_left(turn % equals.len());
        }
        order
    }
}

/// Which domains go where. The default: all by their MX.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    relays: HashMap<Domain, Arc<Relay>>,
    fallback: Option<Arc<Relay>>,
}

impl Routes {
    /// Mail for these domains and all names under them goes to the relay; with no domain named,
    /// all mail that no other route takes. A later route for the same domain replaces the earlier.
    pub fn add(&mut self, domains: &[Domain], relay: Relay) {
        let relay = Arc::new(relay);
        if domains.is_empty() {
            self.fallback = Some(relay);
            return;
        }
        for domain in domains {
            self.relays.insert(domain.clone(), relay.clone());
        }
    }

    /// Where mail for a domain goes now. `Err` is the outcome for each recipient there.
    pub async fn resolve(
        &self,
        domain: &Domain,
        egress: &Egress,
        settings: &DeliverySettings,
        resolver: &dyn Resolver,
        random: &dyn Random,
    ) -> Result<Route, Outcome> {
        match self.relay_for(domain) {
            Some(relay) => Ok(relay_route(relay)),
            None => {
                let search = Search { domain, egress, settings, resolver, random };
                let route = search.by_mx();
                let (route, policy) = tokio::join!(route, secured::policy(domain, settings, resolver));
                secured::secured(route?, domain, policy, settings, resolver).await
            }
        }
    }

    /// The same for mail that goes also where the TLS that the domain asks for cannot be had. It shares sessions with
    /// mail to domains that ask for nothing, and never with other mail to this one.
    pub async fn resolve_unsecured(
        &self,
        domain: &Domain,
        egress: &Egress,
        settings: &DeliverySettings,
        resolver: &dyn Resolver,
        random: &dyn Random,
    ) -> Result<Route, Outcome> {
        match self.relay_for(domain) {
            Some(relay) => Ok(relay_route(relay)),
            None => Search { domain, egress, settings, resolver, random }.by_mx().await,
        }
    }

    /// Whether mail for a domain goes the same way by both: to the same relay hosts, or by its MX.
    pub fn are_alike(&self, other: &Routes, domain: &Domain) -> bool {
        self.relay_for(domain) == other.relay_for(domain)
    }

    /// Whether mail for a domain goes to a relay host.
    pub fn is_relayed(&self, domain: &Domain) -> bool {
        self.relay_for(domain).is_some()
    }

    /// Whether a route names this domain, or one above it: what the name servers say about it is
    /// then not asked.
    pub fn names(&self, domain: &Domain) -> bool {
        self.named(domain).is_some()
    }

    fn relay_for(&self, domain: &Domain) -> Option<&Relay> {
        self.named(domain).or(self.fallback.as_deref())
    }

    fn named(&self, domain: &Domain) -> Option<&Relay> {
        let mut above = Some(domain.clone());
        while let Some(name) = above {
            if let Some(relay) = self.relays.get(&name) {
                return Some(relay);
            }
            above = name.parent();
        }
        None
    }
}

fn relay_route(relay: &Relay) -> Route {
    let numbered = relay.hosts.iter().take(HOSTS_MOST).zip(0..);
    let hosts: Vec<_> = numbered.map(|(name, preference)| MxHost { name: name.clone(), preference }).collect();
    let user = relay.login.as_ref().map_or(String::new(), |l| format!("{}@", l.user));
    let names: Vec<_> = hosts.iter().map(|h| h.name.to_string()).collect();
    // Two routes to one host that differ in TLS are two sites.
    let tls = match (relay.implicit_tls, relay.tls) {
        (true, _) => "+tls",
        (false, TlsNeed::Verify) => "+verify",
        (false, TlsNeed::Require) => "+starttls",
        (false, TlsNeed::Never) => "+clear",
        (false, TlsNeed::Opportunistic) => "",
    };
    Route {
        site: format!("relay:{user}{}:{}{tls}", names.join(">"), relay.port).into(),
        hosts,
        port: relay.port,
        tls: relay.tls,
        implicit_tls: relay.implicit_tls,
        login: relay.login.clone(),
        authentic: true,
        counted: false,
        dane: false,
        policy: None,
        is_relay: true,
        expires_in: RELAY_TTL,
        turn: AtomicUsize::new(0),
    }
}

/// One search for the hosts of a domain.
#[derive(Clone, Copy)]
struct Search<'a> {
    domain: &'a Domain,
    egress: &'a Egress,
    settings: &'a DeliverySettings,
    resolver: &'a dyn Resolver,
    random: &'a dyn Random,
}

impl Search<'_> {
    async fn by_mx(&self) -> Result<Route, Outcome> {
        let domain = self.domain;
        let found = match self.resolver.mx(domain).await {
            Lookup::Found(found) => found,
            Lookup::NoData { authentic } => return self.implicit_mx(authentic).await,
            Lookup::NoName { .. } => {
                let text = format!("the domain {domain} does not exist (NXDOMAIN)");
                return Err(no_route(Verdict::Failed, EnhancedCode(5, 1, 2), text));
            }
            Lookup::Failure(why) | Lookup::NoAnswer(why) => return Err(dns_failed(Culprit::Dns, "MX", domain, &why)),
            Lookup::NotAsked(why) => return Err(dns_failed(Culprit::Us, "MX", domain, &why)),
        };
        let records = usable(domain, found.items)?;
        let hosts = self.without_ourselves(records);
        if hosts.is_empty() {
            let text =
                format!("mail for {domain} loops back to this server: its best MX is ourselves, and it is not ours");
            return Err(no_route(Verdict::Failed, EnhancedCode(5, 4, 6), text));
        }
        Ok(self.mx_route(hosts, found.authentic, found.ttl))
    }

    /// RFC 5321 §5.1: a domain without MX, but with an address, is its own host.
    async fn implicit_mx(&self, authentic: bool) -> Result<Route, Outcome> {
        let domain = self.domain;
        let (v4, v6) = tokio::join!(self.resolver.a(domain), self.resolver.aaaa(domain));
        let ttl = match (found_ttl(&v4), found_ttl(&v6)) {
            (Some(a), Some(b)) => a.min(b),
            (Some(ttl), None) | (None, Some(ttl)) => ttl,
            (None, None) => {
                return Err(match unknown(&v4).or(unknown(&v6)) {
                    Some((culprit, why)) => dns_failed(culprit, "address", domain, why),
                    None => {
                        let text = format!("the domain {domain} has neither an MX record nor an address");
                        no_route(Verdict::Failed, EnhancedCode(5, 4, 4), text)
                    }
                });
            }
        };
        let hosts = self.without_ourselves(vec![(0, domain.clone())]);
        if hosts.is_empty() {
            let text =
                format!("mail for {domain} loops back to this server: it is our own name, and its mail is not ours");
            return Err(no_route(Verdict::Failed, EnhancedCode(5, 4, 6), text));
        }
        let hosts = hosts.into_iter().map(|(preference, name)| MxHost { name: HostName::Name(name), preference });
        Ok(self.public_route(hosts.collect(), authentic, ttl))
    }

    /// RFC 5321 §5.1: where we are in the list, we and all that are not better drop out.
    fn without_ourselves(&self, hosts: Vec<(u16, Domain)>) -> Vec<(u16, Domain)> {
        let ours = |name: &Domain| self.egress.ehlo == *name || self.settings.own_names.contains(name);
        let limit = hosts.iter().find(|(_, name)| ours(name)).map(|(preference, _)| *preference);
        hosts.into_iter().filter(|(preference, _)| limit.is_none_or(|limit| *preference < limit)).collect()
    }

    /// `hosts` is sorted; equals are put into an order of chance (RFC 5321 §5.1).
    fn mx_route(&self, mut hosts: Vec<(u16, Domain)>, authentic: bool, ttl: Duration) -> Route {
        let site = site_key(&hosts);
        for equals in hosts.chunk_by_mut(|a, b| a.0 == b.0) {
            for last in (1..equals.len()).rev() {
                equals.swap(last, self.random.below(last as u64 + 1) as usize);
            }
        }
        let hosts = hosts.into_iter().map(|(preference, name)| MxHost { name: HostName::Name(name), preference });
        Route { site, ..self.public_route(hosts.collect(), authentic, ttl) }
    }

    fn public_route(&self, hosts: Vec<MxHost>, authentic: bool, ttl: Duration) -> Route {
        Route {
            site: hosts.first().map_or(String::new(), |h| h.name.to_string()).into(),
            hosts,
            port: self.settings.mx_port,
            tls: TlsNeed::Opportunistic,
            implicit_tls: false,
            login: None,
            authentic,
            counted: false,
            dane: false,
            policy: None,
            is_relay: false,
            expires_in: ttl,
            turn: AtomicUsize::new(0),
        }
    }
}

/// The records as hosts, sorted by preference and name; null MX is final (RFC 7505 §3), and so is an MX that is no host.
fn usable(domain: &Domain, records: Vec<Mx>) -> Result<Vec<(u16, Domain)>, Outcome> {
    // A null MX beside others contradicts itself (RFC 7505 §3); the others are used, and so are hosts beside what is none.
    let (mut hosts, mut no_host) = (Vec::new(), None);
    for mx in records {
        match mx.exchange {
            Exchange::Host(host) => hosts.push((mx.preference, host)),
            Exchange::NoHost(what) => no_host = Some(what),
            Exchange::Null => {}
        }
    }
    if hosts.is_empty() {
        return Err(match no_host {
            Some(what) => {
                let text =
                    format!("the MX of {domain} is {what}, which is not the name of a host: no mail can reach it");
                no_route(Verdict::Failed, EnhancedCode(5, 4, 4), text)
            }
            None => {
                let text = format!("the domain {domain} takes no mail (null MX)");
                no_route(Verdict::Failed, EnhancedCode(5, 1, 10), text)
            }
        });
    }
    hosts.sort();
    // The same host twice is tried once, at its best preference.
    let mut seen = Vec::new();
    hosts.retain(|(_, name)| {
        !seen.contains(name) && {
            seen.push(name.clone());
            true
        }
    });
    hosts.truncate(HOSTS_MOST);
    Ok(hosts)
}

fn found_ttl<T>(lookup: &Lookup<T>) -> Option<Duration> {
    match lookup {
        Lookup::Found(found) => Some(found.ttl),
        _ => None,
    }
}

/// Why a look-up has no answer, and whose fault that is.
pub(crate) fn unknown<T>(lookup: &Lookup<T>) -> Option<(Culprit, &str)> {
    let culprit = if matches!(lookup, Lookup::NotAsked(_)) { Culprit::Us } else { Culprit::Dns };
    lookup.unknown().map(|why| (culprit, why))
}

/// What is not known for a while; that we cannot ask says nothing about the domain, nor about its hosts.
pub(crate) fn unknown_for_now(culprit: Culprit, text: String) -> Outcome {
    let status = if culprit == Culprit::Us { NO_SOCKETS } else { EnhancedCode(4, 4, 3) };
    Outcome::ours(Verdict::Deferred, Stage::Route, culprit, status, text)
}

fn site_key(hosts: &[(u16, Domain)]) -> SiteKey {
    let mut key = String::new();
    let mut before = None;
    for (preference, name) in hosts {
        match before {
            None => {}
            Some(p) if p == *preference => key.push(','),
            Some(_) => key.push('>'),
        }
        key.push_str(name.as_str());
        before = Some(*preference);
    }
    key.into()
}

fn dns_failed(culprit: Culprit, what: &str, domain: &Domain, why: &str) -> Outcome {
    unknown_for_now(culprit, format!("the {what} records of {domain} could not be looked up: {why}"))
}

fn no_route(verdict: Verdict, status: EnhancedCode, text: String) -> Outcome {
    Outcome::ours(verdict, Stage::Route, Culprit::Dns, status, text)
}

#[cfg(test)]
mod tests;
