//! DNS from real servers, by hickory-resolver: from recursive servers, or from the roots by
//! ourselves (`roots`).
//!
//! Promise: an answer's kind is taken from the response code and the proof, never from a text;
//! `/etc/hosts` and search lists have no say; an answer is `authentic` exactly where every
//! record of it, aliases included, was validated from the root.
//!
//! Known limits: names under `.invalid` and `.localhost` are answered without asking anybody (RFC
//! 6761). Through servers that do not pass DNSSEC records on nothing is validated (`validation`).

use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::dnssec::TrustAnchors;
use hickory_proto::op::{DnsRequestOptions, Message, Query};
use hickory_proto::rr::{Name, RData, RecordType};
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::dnssec::DnssecDnsHandle;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle as _, FirstAnswer as _, RetryDnsHandle};
use hickory_resolver::net::{DnsError as Semantic, NetError};
use hickory_resolver::recursor::RecursorError;
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig, TokioResolver, system_conf};
use repute_types::{Domain, Tlsa};
use tokio::time::{Instant, timeout};

use crate::answer::{
    TTL_MOST, absolute, negative, positive, take_a, take_aaaa, take_cname, take_mx, take_ptr, take_tlsa, take_txt,
};
use crate::cache::Cache;
use crate::direct;
use crate::roots::Roots;
use crate::validation::{Bare, Validating, Validation};
use crate::{BoxFuture, Lookup, Mx, Resolver, able, piecewise};

/// How names are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSettings {
    /// Recursive servers, asked in this order. Empty: those in `/etc/resolv.conf`.
    pub servers: Vec<SocketAddr>,
    /// Ask no recursive server: resolve from the roots.
    pub own: bool,
    /// The root servers of a net that has its own (a lab). Empty: those of the internet.
    pub roots: Vec<IpAddr>,
    /// Validate (RFC 4035), from the root's keys, where the servers pass on what that needs.
    pub dnssec: bool,
    /// Keys to validate from instead of the root's: a zone file with DNSKEY records. With it all
    /// is validated, whatever the servers pass on.
    pub trust_anchor: Option<PathBuf>,
    /// For one question to one server.
    pub timeout: Duration,
    /// Questions repeated after silence.
    pub attempts: usize,
    /// For the whole of a look-up, with aliases and all that validation needs.
    pub deadline: Duration,
    /// Answers kept, of each record type.
    pub cache: usize,
}

impl Default for DnsSettings {
    fn default() -> DnsSettings {
        DnsSettings {
            servers: Vec::new(),
            own: false,
            roots: Vec::new(),
            dnssec: false,
            trust_anchor: None,
            // The usual ones of resolv.conf(5).
            timeout: Duration::from_secs(5),
            attempts: 2,
            deadline: Duration::from_secs(30),
            // An MX set takes under 1 KiB, so about 10 MB for all types.
            cache: 10_000,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    #[error("/etc/resolv.conf cannot be used: put `resolver = \"own\"` into [resolver], or name `servers` there")]
    System(#[source] NetError),
    #[error("/etc/resolv.conf names no server: put `resolver = \"own\"` into [resolver], or name `servers` there")]
    NoServers,
    #[error("{path}: not a file of DNSKEY records ({1})", path = .0.display())]
    TrustAnchor(PathBuf, String),
    #[error("the resolver cannot be set up as configured")]
    Setup(#[source] NetError),
    #[error("the resolver from the roots cannot be set up as configured")]
    Roots(#[source] Box<RecursorError>),
}

/// Who finds the answers.
enum Source {
    Servers {
        servers: Vec<SocketAddr>,
        /// Takes answers as they come.
        plain: TokioResolver,
        validation: Option<Validation>,
    },
    Roots(Roots),
}

pub struct HickoryResolver {
    source: Source,
    /// The first of the servers that were named.
    named: Option<SocketAddr>,
    deadline: Duration,
    direct_port: u16,
    direct_timeout: Duration,
    mx: Cache<Domain, Mx>,
    a: Cache<Domain, Ipv4Addr>,
    aaaa: Cache<Domain, Ipv6Addr>,
    txt: Cache<Domain, Vec<u8>>,
    ptr: Cache<IpAddr, Domain>,
    tlsa: Cache<Domain, Tlsa>,
    cname: Cache<Domain, Domain>,
}

impl HickoryResolver {
    /// Needs no network yet.
    pub fn new(settings: &DnsSettings) -> Result<HickoryResolver, DnsError> {
        let source = if settings.own { Source::Roots(Roots::new(settings)?) } else { from_servers(settings)? };
        Ok(HickoryResolver {
            source,
            named: settings.servers.first().copied(),
            deadline: settings.deadline,
            direct_port: 53,
            direct_timeout: settings.timeout,
            mx: Cache::new(settings.cache),
            a: Cache::new(settings.cache),
            aaaa: Cache::new(settings.cache),
            txt: Cache::new(settings.cache),
            ptr: Cache::new(settings.cache),
            tlsa: Cache::new(settings.cache),
            cname: Cache::new(settings.cache),
        })
    }

    async fn look_up<K: Hash + Eq + Clone, T: Clone>(
        &self,
        cache: &Cache<K, T>,
        key: &K,
        name: Option<Name>,
        kind: RecordType,
        take: fn(&RData) -> Option<T>,
    ) -> Lookup<T> {
        if let Some(kept) = cache.get(key) {
            return kept;
        }
        // A Domain is always a name; if hickory says otherwise, no server can be asked for it.
        let Some(name) = name else { return Lookup::Failure("the name cannot be asked for".into()) };
        let (answer, ttl) = self.fetch(name, kind, take).await;
        cache.put(key, &answer, ttl);
        answer
    }

    /// Asks; the answer, and how long it may be kept.
    pub(crate) async fn fetch<T>(
        &self,
        name: Name,
        kind: RecordType,
        take: fn(&RData) -> Option<T>,
    ) -> (Lookup<T>, Duration) {
        let asking = async {
            // hickory calls all of 127.0.0.0/8 `localhost` without asking. It is the server that has that zone
            // (RFC 6303 §4.2), and in a little internet on loopback it says something else.
            if let (true, Some(server)) = (kind == RecordType::PTR && is_of_loopback(&name), self.named) {
                return direct::ask_recursive(server, name, kind, self.direct_timeout, take).await;
            }
            match &self.source {
                Source::Roots(roots) => roots.fetch(name, kind, take).await,
                Source::Servers { plain, validation, servers } => {
                    let validating = match validation {
                        Some(validation) => validation.usable(servers).await,
                        None => None,
                    };
                    match validating {
                        Some(validating) => ask_validating(validating, name, kind, take).await,
                        None => ask_servers(plain, name, kind, take).await.unwrap_or_else(negative),
                    }
                }
            }
        };
        let late = || (Lookup::NoAnswer("no answer in time".into()), Duration::ZERO);
        let (answer, ttl) = timeout(self.deadline, asking).await.unwrap_or_else(|_| late());
        match answer.unknown().and_then(|_| able::cannot_ask(self.servers())) {
            Some(why) => (Lookup::NotAsked(why), Duration::ZERO),
            None => (answer, ttl),
        }
    }

    /// Who is asked first: recursive servers, or the roots.
    fn servers(&self) -> &[SocketAddr] {
        match &self.source {
            Source::Servers { servers, .. } => servers,
            Source::Roots(roots) => roots.servers(),
        }
    }

    /// Whether answers are validated: `false` where that is switched off, or where the name
    /// servers do not pass on what it needs. Asks them, the first time.
    pub async fn validates(&self) -> bool {
        match &self.source {
            Source::Roots(roots) => roots.validates(),
            Source::Servers { validation: Some(validation), servers, .. } => validation.usable(servers).await.is_some(),
            Source::Servers { validation: None, .. } => false,
        }
    }

    /// Port and patience for questions to one server directly.
    pub(crate) fn direct(&self) -> (u16, Duration) {
        (self.direct_port, self.direct_timeout)
    }

    /// Authoritative servers listen elsewhere than on port 53; for tests.
    pub fn with_direct_port(mut self, port: u16) -> HickoryResolver {
        self.direct_port = port;
        self
    }
}

fn is_of_loopback(name: &Name) -> bool {
    name.parse_arpa_name().is_ok_and(|net| net.addr().is_loopback())
}

/// The recursive servers, plain and, where that is wanted, validating.
fn from_servers(settings: &DnsSettings) -> Result<Source, DnsError> {
    let servers = if settings.servers.is_empty() {
        system_conf::read_system_conf().map_err(DnsError::System)?.0.into_parts().2
    } else {
        settings.servers.iter().map(|at| server(*at)).collect()
    };
    if servers.is_empty() {
        return Err(DnsError::NoServers);
    }
    let plain = build(&servers, settings, None)?;
    let anchors = match (settings.dnssec, &settings.trust_anchor) {
        (false, _) => None,
        (true, None) => Some(TrustAnchors::default()),
        (true, Some(path)) => {
            Some(TrustAnchors::from_file(path).map_err(|e| DnsError::TrustAnchor(path.clone(), e.to_string()))?)
        }
    };
    let validation = match anchors.map(Arc::new) {
        None => None,
        Some(anchors) => {
            let resolver = build(&servers, settings, Some(anchors.clone()))?;
            let bare = bare(&servers, resolver.options().clone(), settings.attempts, anchors)?;
            Some(Validation::new(Validating { resolver, bare: Box::new(bare) }, settings.trust_anchor.is_some()))
        }
    };
    let port = |server: &NameServerConfig| server.connections.first().map_or(53, |connection| connection.port);
    let servers = servers.iter().map(|server| (server.ip, port(server)).into()).collect();
    Ok(Source::Servers { servers, plain, validation })
}

/// A resolver; one that validates where there are keys to validate from.
fn build(
    servers: &[NameServerConfig],
    settings: &DnsSettings,
    anchors: Option<Arc<TrustAnchors>>,
) -> Result<TokioResolver, DnsError> {
    let config = ResolverConfig::from_name_servers(servers.to_vec());
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.timeout = settings.timeout;
    options.attempts = settings.attempts;
    options.validate = anchors.is_some();
    options.use_hosts_file = ResolveHosts::Never;
    // What validation fetches on the way (DNSKEY, DS) is kept there; answers are kept here.
    options.cache_size = if anchors.is_some() { settings.cache as u64 } else { 0 };
    // A server that refuses UDP may still answer by TCP.
    options.try_tcp_on_error = true;
    if let Some(anchors) = anchors {
        // The option `trust_anchor` only turns validation on; the keys are handed in.
        builder = builder.with_trust_anchor(anchors);
    }
    builder.build().map_err(DnsError::Setup)
}

fn server(at: SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = at.port();
    }
    NameServerConfig::new(at.ip(), true, connections)
}

/// The same servers without what hickory adds to its validator.
fn bare(
    servers: &[NameServerConfig],
    options: ResolverOpts,
    attempts: usize,
    anchors: Arc<TrustAnchors>,
) -> Result<Bare, DnsError> {
    let context = PoolContext::new(options, TlsConfig::new().map_err(DnsError::Setup)?);
    let pool = NameServerPool::from_config(servers.to_vec(), Arc::new(context), TokioRuntimeProvider::default());
    Ok(DnssecDnsHandle::with_trust_anchor(RetryDnsHandle::new(pool, attempts), anchors))
}

async fn ask_servers<T>(
    resolver: &TokioResolver,
    name: Name,
    kind: RecordType,
    take: fn(&RData) -> Option<T>,
) -> Result<(Lookup<T>, Duration), NetError> {
    let found = resolver.lookup(name, kind).await?;
    let ttl = found.valid_until().saturating_duration_since(Instant::now().into_std());
    Ok(positive(found.answers(), kind, take, ttl.min(TTL_MOST)))
}

async fn ask_validating<T>(
    validating: &Validating,
    name: Name,
    kind: RecordType,
    take: fn(&RData) -> Option<T>,
) -> (Lookup<T>, Duration) {
    match ask_servers(&validating.resolver, name.clone(), kind, take).await {
        Ok(answer) => answer,
        Err(refused) if piecewise::is_refused(&refused) => piecewise::look_up(validating, name, kind, take).await,
        Err(error) => negative(error),
    }
}

impl piecewise::Ask for Validating {
    fn ask(&self, query: Query) -> BoxFuture<'_, Result<Message, NetError>> {
        let mut options = DnsRequestOptions::default();
        (options.use_edns, options.edns_set_dnssec_ok) = (true, true);
        let asking = self.bare.lookup(query, options).first_answer();
        Box::pin(async move { Ok(Semantic::from_response(asking.await?)?.into_message()) })
    }
}

impl Resolver for HickoryResolver {
    fn mx<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Mx>> {
        Box::pin(self.look_up(&self.mx, name, absolute(name), RecordType::MX, take_mx))
    }

    fn a<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Ipv4Addr>> {
        Box::pin(self.look_up(&self.a, name, absolute(name), RecordType::A, take_a))
    }

    fn aaaa<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Ipv6Addr>> {
        Box::pin(self.look_up(&self.aaaa, name, absolute(name), RecordType::AAAA, take_aaaa))
    }

    fn txt<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Vec<u8>>> {
        Box::pin(self.look_up(&self.txt, name, absolute(name), RecordType::TXT, take_txt))
    }

    fn ptr(&self, address: IpAddr) -> BoxFuture<'_, Lookup<Domain>> {
        Box::pin(async move {
            let name = Some(Name::from(address));
            self.look_up(&self.ptr, &address, name, RecordType::PTR, take_ptr).await
        })
    }

    fn tlsa<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Tlsa>> {
        Box::pin(self.look_up(&self.tlsa, name, absolute(name), RecordType::TLSA, take_tlsa))
    }

    fn cname<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Domain>> {
        Box::pin(self.look_up(&self.cname, name, absolute(name), RecordType::CNAME, take_cname))
    }
}
