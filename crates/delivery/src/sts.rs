//! MTA-STS policies (RFC 8461) of the domains that mail goes to: found, kept, renewed.
//!
//! Promise: a policy that was had is in force until its time is over, also if its record disappears, its
//! host stops answering, or this server is started again: else whoever stands in between could take
//! it away (§5.1, §10.2). One that cannot be had and was never had stops no mail (§3.3). A host is asked
//! again after five minutes at the earliest, and looks like one that was never asked until then.
//!
//! Bounded: [`POLICIES_MOST`] domains; at the bound the one goes whose time is over first.

mod fetch;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use repute_dns::{BoxFuture, Lookup, Resolver};
use repute_net::Network;
use repute_trust::sts::{Announced, Mode, Policy, announced};
use repute_trust::tlsrpt::ResultType;
use repute_types::{Clock, Domain, Timestamp};
use tokio::time::timeout;

use self::fetch::NotHad;

/// Domains whose policy is kept: each takes about 300 octets.
pub const POLICIES_MOST: usize = 20_000;
/// Domains of which it is remembered that their policy could not be had.
const FAILED_MOST: usize = 4096;
/// RFC 8461 §3.3: between two attempts to fetch.
const AGAIN: Duration = Duration::from_secs(300);
/// For one policy. RFC 8461 §3.3 lets it be a minute; mail waits meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);
/// A policy is renewed when it is this old, or half as old as it may get (RFC 8461 §3.3, §10.2).
const RENEWED: Duration = Duration::from_secs(86_400);
/// For so long mail may go by a route that was found when a policy could not be had.
const REMEMBERED: Duration = Duration::from_secs(3900);
/// Domains that are fetched at the same time; those of one place wait for each other.
const TURNS: usize = 256;

/// A policy as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub domain: Domain,
    /// Of the record that announced it.
    pub id: String,
    pub policy: Arc<Policy>,
    /// When it was had last.
    pub fetched: Timestamp,
    pub expires: Timestamp,
}

/// What is known of a domain's policy now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is enforced or tested.
    Kept(Arc<Policy>),
    /// There is one, and it could not be had.
    NotHad(ResultType, String),
    Nothing,
}

/// Where policies outlive a restart.
pub trait PolicyStore: Send + Sync + 'static {
    /// Keeps a policy in place of the domain's earlier one. That it could not be is told elsewhere.
    fn keep(&self, kept: Kept) -> BoxFuture<'_, ()>;
}

/// Where policies are fetched: port 443 of hosts that can be another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyHosts {
    pub port: u16,
    /// For tests.
    pub danger_allow_loopback: bool,
}

impl Default for PolicyHosts {
    fn default() -> PolicyHosts {
        PolicyHosts { port: 443, danger_allow_loopback: false }
    }
}

/// All policies that are known.
pub struct Policies {
    network: Arc<dyn Network>,
    clock: Arc<dyn Clock>,
    store: Arc<dyn PolicyStore>,
    hosts: PolicyHosts,
    tables: Mutex<Tables>,
    turns: Vec<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Tables {
    kept: HashMap<Domain, Kept>,
    failed: HashMap<Domain, (Timestamp, NotHad)>,
}

impl Policies {
    /// `kept`: what was kept before a restart.
    pub fn new(
        network: Arc<dyn Network>,
        clock: Arc<dyn Clock>,
        store: Arc<dyn PolicyStore>,
        hosts: PolicyHosts,
        kept: Vec<Kept>,
    ) -> Policies {
        let kept = kept.into_iter().map(|kept| (kept.domain.clone(), kept)).collect();
        let tables = Mutex::new(Tables { kept, failed: HashMap::new() });
        let turns = (0..TURNS).map(|_| tokio::sync::Mutex::new(())).collect();
        Policies { network, clock, store, hosts, tables, turns }
    }

    /// The policy of a domain, fetched where it is announced and not had yet.
    pub async fn in_effect(&self, domain: &Domain, resolver: &dyn Resolver) -> Option<Arc<Policy>> {
        if let Some(id) = announced_id(domain, resolver).await
            && self.kept(domain).is_none_or(|kept| kept.id != id)
        {
            self.renew(domain, &id, resolver).await;
        }
        self.kept(domain).map(|kept| kept.policy).filter(|policy| policy.mode != Mode::None)
    }

    /// What is known without asking anybody.
    pub fn standing(&self, domain: &Domain) -> Standing {
        if let Some(kept) = self.kept(domain) {
            return if kept.policy.mode == Mode::None { Standing::Nothing } else { Standing::Kept(kept.policy) };
        }
        match self.tables().failed.get(domain) {
            Some((at, (result, reason))) if self.clock.now().since(*at) < REMEMBERED => {
                Standing::NotHad(*result, reason.clone())
            }
            _ => Standing::Nothing,
        }
    }

    /// Fetches a policy that does not fit its domain's hosts once more.
    pub async fn look_again(&self, domain: &Domain, resolver: &dyn Resolver) {
        if let Some(id) = announced_id(domain, resolver).await {
            self.renew(domain, &id, resolver).await;
        }
    }

    /// Renews those that are getting old, one after the other, so that none ends while its domain still
    /// announces it. Returns how many were due.
    pub async fn refresh(&self, resolver: &dyn Resolver) -> usize {
        let now = self.clock.now();
        let due = |kept: &&Kept| {
            let age = now.since(kept.fetched);
            kept.expires > now && age >= RENEWED.min(kept.policy.max_age / 2)
        };
        let due: Vec<Domain> = self.tables().kept.values().filter(due).map(|kept| kept.domain.clone()).collect();
        for domain in &due {
            self.look_again(domain, resolver).await;
        }
        self.tables().kept.retain(|_, kept| kept.expires > now);
        due.len()
    }

    fn kept(&self, domain: &Domain) -> Option<Kept> {
        let now = self.clock.now();
        self.tables().kept.get(domain).filter(|kept| kept.expires > now).cloned()
    }

    /// Fetches, unless that was tried a moment ago.
    async fn renew(&self, domain: &Domain, id: &str, resolver: &dyn Resolver) {
        let mut hasher = DefaultHasher::new();
        domain.hash(&mut hasher);
        let _turn = self.turns[hasher.finish() as usize % TURNS].lock().await;
        let now = self.clock.now();
        let lately = |at: Timestamp| now.since(at) < AGAIN;
        let had = self.kept(domain).is_some_and(|kept| kept.id == id && lately(kept.fetched));
        if had || self.tables().failed.get(domain).is_some_and(|(at, _)| lately(*at)) {
            return;
        }
        let fetching = fetch::policy(&*self.network, resolver, domain, self.hosts);
        let slow = || Err((ResultType::StsPolicyFetchError, "its host does not answer in time".to_owned()));
        let policy = match timeout(PATIENCE, fetching).await.unwrap_or_else(|_| slow()) {
            Ok(policy) => policy,
            // Its domain hears of it by reports, and mail goes as it went before.
            Err(why) => return self.tables().fail(domain, now, why),
        };
        let expires = Timestamp(now.0.saturating_add(policy.max_age.as_millis() as i64));
        let kept = Kept { domain: domain.clone(), id: id.to_owned(), policy: Arc::new(policy), fetched: now, expires };
        self.tables().keep(kept.clone());
        self.store.keep(kept).await;
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Policies({})", self.tables().kept.len())
    }
}

impl Tables {
    fn keep(&mut self, kept: Kept) {
        self.failed.remove(&kept.domain);
        if self.kept.len() >= POLICIES_MOST
            && !self.kept.contains_key(&kept.domain)
            && let Some(first) = self.kept.values().min_by_key(|kept| kept.expires).map(|kept| kept.domain.clone())
        {
            self.kept.remove(&first);
        }
        self.kept.insert(kept.domain.clone(), kept);
    }

    fn fail(&mut self, domain: &Domain, now: Timestamp, why: NotHad) {
        if self.failed.len() >= FAILED_MOST {
            self.failed.clear();
        }
        self.failed.insert(domain.clone(), (now, why));
    }
}

/// The id that a domain announces now; `None` also where that cannot be found out.
async fn announced_id(domain: &Domain, resolver: &dyn Resolver) -> Option<String> {
    let name = Domain::parse(&format!("_mta-sts.{domain}")).ok()?;
    match resolver.txt(&name).await {
        Lookup::Found(texts) => match announced(&texts.items) {
            Announced::Policy(id) => Some(id),
            Announced::Nothing | Announced::Malformed | Announced::Several(_) => None,
        },
        _ => None,
    }
}
