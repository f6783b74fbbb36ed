//! What the works need to know, checked and ready: the sum that `repute`'s configuration is
//! converted into. `Settings` is replaced as a whole on reload, never changed in place, so
//! that a message is handled by one state of the configuration from end to end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use repute_delivery::{DeliverySettings, Egress, Routes};
use repute_queue::{Rate, Retry};
use repute_trust::dkim::SigningKey;
use repute_types::{AccountName, Address, Domain};

use crate::bulk::BulkSettings;
use crate::circuit::CircuitSettings;
use crate::door::{Account, ScramSecret};
use crate::listed::{Keyed, Listed};
use crate::pace::SiteRule;
use crate::permit::PermitSettings;
use crate::returned::ReturnSettings;
use crate::suppress::SuppressionSettings;
use crate::tlsrpt::TlsReportSettings;

pub struct Settings {
    /// What we say in EHLO where an egress has no name of its own, and in Received.
    pub hostname: Domain,
    pub accounts: Listed<AccountSettings>,
    pub domains: Listed<SendingDomain>,
    /// Where mail leaves from. Empty: the operating system chooses the address.
    pub egresses: Vec<Arc<Egress>>,
    /// The places of those that receivers do not know yet.
    pub warm_up: Vec<u16>,
    pub routes: Arc<Routes>,
    /// How fast mail goes to sites: the first rule that is for a site holds.
    pub sites: Vec<SiteRule>,
    pub delivery: Arc<DeliverySettings>,
    pub retry: Retry,
    pub suppression: SuppressionSettings,
    pub returned: ReturnSettings,
    pub circuit: CircuitSettings,
    pub bulk: BulkSettings,
    pub limits: Limits,
    pub permit: PermitSettings,
    pub tls_reports: TlsReportSettings,
}

impl Settings {
    /// As a configuration has it in which nothing else is written: nobody may send.
    pub fn new(hostname: Domain) -> Settings {
        Settings {
            hostname,
            accounts: Listed::default(),
            domains: Listed::default(),
            egresses: Vec::new(),
            warm_up: Vec::new(),
            routes: Arc::default(),
            sites: Vec::new(),
            delivery: Arc::default(),
            retry: Retry::default(),
            suppression: SuppressionSettings::default(),
            returned: ReturnSettings::default(),
            circuit: CircuitSettings::default(),
            bulk: BulkSettings::default(),
            limits: Limits::default(),
            permit: PermitSettings::default(),
            tls_reports: TlsReportSettings::default(),
        }
    }
}

#[derive(Clone)]
pub struct AccountSettings {
    pub account: Arc<Account>,
    /// A PHC string, `$argon2id$...`.
    pub password: Option<String>,
    pub scram: Option<ScramSecret>,
    /// Clients that are this account by their address alone; no two accounts' overlap.
    pub addresses: Vec<AddressRange>,
    /// How many recipients it may hand mail in for; `None`: as many as it likes.
    pub rate: Option<Rate>,
    /// Where letters of people to the return path of its mail are handed on to; `None` refuses them.
    pub replies: Option<Address>,
}

impl AccountSettings {
    /// With no way to log in yet.
    pub fn new(account: Arc<Account>) -> AccountSettings {
        AccountSettings { account, password: None, scram: None, addresses: Vec::new(), rate: None, replies: None }
    }
}

/// A domain that mail may be sent as.
#[derive(Clone)]
pub struct SendingDomain {
    pub name: Domain,
    /// Usable keys; all of them sign.
    pub keys: Vec<Arc<SigningKey>>,
    /// For benchmarks: mail goes out without a signature.
    pub danger_unsigned: bool,
    /// Where bounces for this domain come back to, if that is ours: mail leaves with an address there
    /// that only we can make.
    pub return_path: Option<Domain>,
    /// The places of the egresses that its mail may leave from; `None`: all of them.
    pub pool: Option<Vec<u16>>,
}

impl Keyed for AccountSettings {
    type Key = AccountName;

    fn keys(&self) -> impl Iterator<Item = AccountName> {
        std::iter::once(self.account.name.clone())
    }
}

/// By its name, and by that of its return path.
impl Keyed for SendingDomain {
    type Key = Domain;

    fn keys(&self) -> impl Iterator<Item = Domain> {
        std::iter::once(self.name.clone()).chain(self.return_path.clone())
    }
}

impl SendingDomain {
    pub fn new(name: Domain, keys: Vec<Arc<SigningKey>>) -> SendingDomain {
        SendingDomain { name, keys, danger_unsigned: false, return_path: None, pool: None }
    }

    pub fn is_usable(&self) -> bool {
        self.danger_unsigned || !self.keys.is_empty()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sessions to one site from one egress at most.
    pub sessions_per_site: u32,
    /// Sessions to all sites together at most.
    pub sessions: u32,
    /// Messages over one session, before a new one is opened.
    pub messages_per_session: u32,
    /// How long a site that cannot be reached is left alone at first; doubles up to `max_pause`.
    pub first_pause: Duration,
    pub max_pause: Duration,
    /// Octets of fresh messages, contents and envelopes, kept in memory; beyond it they are read back from the spool.
    pub fresh_content: usize,
    /// Octets of larger contents that sessions hold; beyond it they wait.
    pub outgoing_content: usize,
    /// How long a session without work is kept for the next message to the same site.
    pub session_idle: Duration,
    /// Received fields beyond which a message is taken to go in circles (RFC 5321 §6.3).
    pub hops: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            sessions_per_site: 20,
            sessions: 2_000,
            messages_per_session: 100,
            first_pause: Duration::from_secs(30),
            max_pause: Duration::from_secs(15 * 60),
            fresh_content: 64 << 20,
            outgoing_content: 256 << 20,
            session_idle: Duration::from_secs(5),
            hops: 100,
        }
    }
}

/// A network, as `127.0.0.0/8` or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    pub address: IpAddr,
    pub prefix: u8,
}

impl AddressRange {
    /// Its lowest address.
    pub fn first(&self) -> IpAddr {
        let cleared = |bits: u128, width: u32| {
            let below = width.saturating_sub(u32::from(self.prefix));
            u128::MAX.checked_shl(below).unwrap_or(0) & bits
        };
        match self.address {
            IpAddr::V4(v4) => Ipv4Addr::from_bits(cleared(u32::from(v4).into(), 32) as u32).into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(cleared(v6.into(), 128)).into(),
        }
    }

    pub fn contains(&self, other: IpAddr) -> bool {
        // A v4 client of a v6 socket is written as a mapped address; it is the same client.
        match (self.address, other.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same_prefix(u32::from(a).into(), u32::from(b).into(), 32, self.prefix),
            (IpAddr::V6(a), IpAddr::V6(b)) => same_prefix(a.into(), b.into(), 128, self.prefix),
            _ => false,
        }
    }
}

fn same_prefix(a: u128, b: u128, width: u32, prefix: u8) -> bool {
    let differing = a ^ b;
    let shift = width.saturating_sub(u32::from(prefix));
    differing.checked_shr(shift).unwrap_or(0) == 0
}

impl Settings {
    pub fn domain(&self, name: &Domain) -> Option<&SendingDomain> {
        self.domains.of(name).find(|d| d.name == *name)
    }

    pub fn account(&self, name: &str) -> Option<&AccountSettings> {
        self.accounts.of(name).next()
    }

    /// The places of the egresses that mail of this domain may leave from; `None`: all of them. Of a domain that is
    /// not of the configuration any more nobody knows its pool: its mail leaves only where there are no pools.
    pub fn pool<'a>(&'a self, domain: Option<&'a SendingDomain>) -> Option<&'a [u16]> {
        match domain {
            Some(domain) => domain.pool.as_deref(),
            None => self.domains.iter().any(|domain| domain.pool.is_some()).then_some(&[]),
        }
    }

    /// Whether an address belongs to a return path of ours.
    pub fn is_return_path(&self, address: &Address) -> bool {
        self.domains.of(address.domain()).any(|d| d.return_path.as_ref() == Some(address.domain()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_network_and_no_more() {
        let range = |text: &str, prefix| AddressRange { address: text.parse().unwrap(), prefix };
        let check = |r: AddressRange, ip: &str, expected: bool| {
            assert_eq!(r.contains(ip.parse().unwrap()), expected, "{ip} in {r:?}");
        };
        check(range("127.0.0.0", 8), "127.255.0.1", true);
        check(range("127.0.0.0", 8), "128.0.0.1", false);
        check(range("127.0.0.0", 8), "::ffff:127.0.0.1", true);
        check(range("10.1.2.3", 32), "10.1.2.4", false);
        check(range("2001:db8::", 32), "2001:db8:ffff::1", true);
        check(range("::", 0), "2001:db8::1", true);
        check(range("0.0.0.0", 0), "::1", false);
    }
}
