//! Who holds a name, and what each of these servers says of it.
//!
//! Steps: the zone is found by its SOA record, through a recursive resolver or from the root servers down
//! (`descend.rs`); its NS records and their addresses the same way; then each server is asked itself, without recursion. An alias
//! is followed to the servers of the zone that it leads to.

mod descend;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, RecordType};
use repute_trust::records::{Data, Found, Kind};
use repute_types::Domain;
use tokio::sync::Semaphore;

use crate::{convert, wire};

/// Questions under way at once.
const AT_ONCE: usize = 32;
/// Servers of one zone that are asked; more than 13 never fit one packet of old.
const SERVERS: usize = 26;
/// Aliases of aliases: receivers follow no longer chains.
const ALIASES: usize = 5;

/// A zone and the servers that answer for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    pub name: Domain,
    pub servers: Vec<Server>,
    /// How long others remember that a name or record was not there (RFC 2308 §5).
    pub negative_ttl: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    pub name: Domain,
    pub address: SocketAddr,
}

/// What one server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub server: Server,
    pub found: Found,
    /// How long others may remember it.
    pub ttl: Duration,
}

/// Why a name's servers are not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unasked {
    #[error(
        "/etc/resolv.conf names no resolver: put `resolver = \"own\"` into [resolver] of the configuration, which goes from \
         the root servers down, or name `servers` there"
    )]
    NoneNamed,
    #[error("no resolver answers: see /etc/resolv.conf, or [resolver] in the configuration")]
    NoResolver,
    #[error("no root server answers: are UDP and TCP port 53 open outwards?")]
    NoRoot,
    #[error("the resolver failed at {0}: a name server of it is down or wrong; `delv {0} SOA` says more")]
    NoAnswer(Domain),
    #[error("{0} is in no zone: is the domain registered, and delegated to its name servers?")]
    NoZone(Domain),
    #[error("the zone {0} names no server that has an address")]
    NoServers(Domain),
}

impl Unasked {
    /// Whoever asked about another name would be told the same.
    fn is_of_all_names(&self) -> bool {
        matches!(self, Unasked::NoneNamed | Unasked::NoResolver | Unasked::NoRoot)
    }
}

/// By whom zones and the addresses of their servers are found.
enum Finder {
    /// In this order.
    Resolvers(Vec<SocketAddr>),
    Roots(Vec<IpAddr>),
}

/// Finds zones, remembers them, and asks their servers.
pub struct Directory {
    finder: Finder,
    /// Servers that listen on another port than 53.
    ports: HashMap<IpAddr, u16>,
    /// Zones by their names and by the names in them. What was not found is not kept: it may be
    /// there at the next look.
    known: Mutex<HashMap<Domain, Arc<Zone>>>,
    at_once: Semaphore,
}

impl Directory {
    /// `recursive` are asked in this order; where there is none, each look says so.
    pub fn new(recursive: Vec<SocketAddr>) -> Directory {
        Directory::by(Finder::Resolvers(recursive))
    }

    /// Nobody is asked to resolve: it goes from these servers down.
    pub fn from_roots(roots: Vec<IpAddr>) -> Directory {
        Directory::by(Finder::Roots(roots))
    }

    fn by(finder: Finder) -> Directory {
        Directory { finder, ports: HashMap::new(), known: Mutex::default(), at_once: Semaphore::new(AT_ONCE) }
    }

    /// A server that is known to listen on this port, wherever a zone names its address.
    pub fn with_server(mut self, at: SocketAddr) -> Directory {
        self.ports.insert(at.ip(), at.port());
        self
    }

    /// A zone whose servers are known: its NS records are not asked for.
    pub fn with_zone(self, zone: Zone) -> Directory {
        let known = Arc::new(zone.clone());
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(zone.name, known);
        self
    }

    /// Every server of the name's zone asked, each for itself.
    pub async fn look(&self, name: &Domain, kind: Kind) -> Result<Vec<Answer>, Unasked> {
        let zone = self.zone_of(name).await?;
        let mut asked = Vec::new();
        for server in &zone.servers {
            asked.push(self.look_at(server, name, kind));
        }
        Ok(join_all(asked).await)
    }

    /// Several names at once, each at every server of its zone; in their order.
    pub async fn look_all(&self, names: &[(Domain, Kind)]) -> Vec<Result<Vec<Answer>, Unasked>> {
        // Zones first, one after the other: most of the names are in one, which is found once.
        for (name, _) in names {
            if let Err(why) = self.zone_of(name).await
                && why.is_of_all_names()
            {
                // Each name would wait for the same silence.
                return names.iter().map(|_| Err(why.clone())).collect();
            }
        }
        join_all(names.iter().map(|(name, kind)| self.look(name, *kind)).collect()).await
    }

    /// One server's answer; where it is an alias, the records at its end.
    pub async fn look_at(&self, server: &Server, name: &Domain, kind: Kind) -> Answer {
        let mut answer = self.ask(server, name, kind).await;
        let mut hops = 0;
        while let Found::Records { records, alias: Some(_) } = &answer.found
            && let [Data::Cname(next)] = &records[..]
        {
            hops += 1;
            let next = next.clone();
            let further = match hops > ALIASES {
                true => Found::Unknown("it is an alias without an end".into()),
                false => self.at_end(&next, kind).await,
            };
            answer.found = match (answer.found, further) {
                (Found::Records { alias, .. }, Found::Records { records, .. }) => Found::Records { records, alias },
                (_, unknown) => unknown,
            };
        }
        answer
    }

    /// The first definite answer about where an alias leads; another alias is given as it is.
    async fn at_end(&self, name: &Domain, kind: Kind) -> Found {
        let zone = match self.zone_of(name).await {
            Ok(zone) => zone,
            Err(error) => return Found::Unknown(error.to_string()),
        };
        let mut last = Found::Unknown(Unasked::NoServers(zone.name.clone()).to_string());
        for server in &zone.servers {
            last = self.ask(server, name, kind).await.found;
            if matches!(last, Found::Records { .. }) {
                break;
            }
        }
        last
    }

    async fn ask(&self, server: &Server, name: &Domain, kind: Kind) -> Answer {
        let question = wire::question(convert::name(name), convert::kind(kind), false);
        let _one = self.at_once.acquire().await;
        let (found, ttl) = match wire::exchange(server.address, &question).await {
            Ok(answer) => read(server, name, kind, &answer),
            Err(_) => (Found::Unknown(format!("{server} did not answer")), Duration::ZERO),
        };
        Answer { server: server.clone(), found, ttl }
    }

    /// The zone that a name is in.
    pub async fn zone_of(&self, name: &Domain) -> Result<Arc<Zone>, Unasked> {
        let known = |name: &Domain| self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(known) = known(name) {
            return Ok(known);
        }
        let (apex, negative_ttl) = self.apex(name).await?;
        let zone = match known(&apex) {
            Some(zone) => zone,
            None => Arc::new(self.servers(apex, negative_ttl).await?),
        };
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(zone.name.clone(), zone.clone());
        all.insert(name.clone(), zone.clone());
        Ok(zone)
    }

    /// The name of the zone, and what its SOA says of negative answers.
    async fn apex(&self, name: &Domain) -> Result<(Domain, Duration), Unasked> {
        let mut at = Some(name.clone());
        while let Some(here) = at {
            let answer = self.recursive(&here, RecordType::SOA).await?;
            let records = answer.answers.iter().chain(&answer.authorities);
            let mut soas = records.filter_map(|r| match &r.data {
                RData::SOA(soa) => Some((convert::domain(&r.name)?, soa.minimum.min(r.ttl))),
                _ => None,
            });
            if let Some((apex, ttl)) = soas.find(|(apex, _)| name.is_within(apex)) {
                return Ok((apex, Duration::from_secs(ttl.into())));
            }
            // An alias leads to another zone's SOA; what is above it is not one.
            at = here.parent();
        }
        Err(Unasked::NoZone(name.clone()))
    }

    async fn servers(&self, apex: Domain, negative_ttl: Duration) -> Result<Zone, Unasked> {
        let answer = self.recursive(&apex, RecordType::NS).await?;
        let names = answer
            .answers
            .iter()
            .filter_map(|r| if let RData::NS(ns) = &r.data { convert::domain(&ns.0) } else { None });
        let mut names: Vec<Domain> = names.take(SERVERS).collect();
        names.sort();
        let addresses = join_all(names.iter().map(|name| self.addresses(name)).collect()).await;
        let mut servers = Vec::new();
        for (name, addresses) in names.iter().zip(addresses) {
            let at = |ip: IpAddr| SocketAddr::new(ip, self.port_of(ip));
            servers.extend(addresses.into_iter().map(|ip| Server { name: name.clone(), address: at(ip) }));
        }
        servers.truncate(SERVERS);
        if servers.is_empty() { Err(Unasked::NoServers(apex)) } else { Ok(Zone { name: apex, servers, negative_ttl }) }
    }

    /// Addresses of a family that this machine can reach: a server's IPv6 address is no use
    /// to a machine without IPv6, and its silence would say nothing.
    async fn addresses(&self, name: &Domain) -> Vec<IpAddr> {
        let (v4, v6) = tokio::join!(self.recursive(name, RecordType::A), self.recursive(name, RecordType::AAAA));
        let records = [v4, v6].into_iter().flatten().flat_map(|answer| answer.answers);
        records.filter_map(|r| r.data.ip_addr()).filter(|ip| reachable(*ip)).collect()
    }

    fn port_of(&self, ip: IpAddr) -> u16 {
        self.ports.get(&ip).copied().unwrap_or(53)
    }

    async fn recursive(&self, name: &Domain, kind: RecordType) -> Result<Message, Unasked> {
        let resolvers = match &self.finder {
            Finder::Resolvers(resolvers) => resolvers,
            Finder::Roots(roots) => return self.down_to(roots, name, kind).await,
        };
        let question = wire::question(convert::name(name), kind, true);
        let _one = self.at_once.acquire().await;
        let mut failed = if resolvers.is_empty() { Unasked::NoneNamed } else { Unasked::NoResolver };
        for server in resolvers {
            let Ok(answer) = wire::exchange(*server, &question).await else { continue };
            if let ResponseCode::NoError | ResponseCode::NXDomain = answer.metadata.response_code {
                return Ok(answer);
            }
            failed = Unasked::NoAnswer(name.clone());
        }
        Err(failed)
    }
}

/// Whether there is a route; no packet is sent.
fn reachable(ip: IpAddr) -> bool {
    let any: SocketAddr =
        if ip.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { (std::net::Ipv6Addr::UNSPECIFIED, 0).into() };
    std::net::UdpSocket::bind(any).and_then(|socket| socket.connect((ip, 53))).is_ok()
}

fn read(server: &Server, name: &Domain, kind: Kind, answer: &Message) -> (Found, Duration) {
    let unknown = |why: String| (Found::Unknown(why), Duration::ZERO);
    match answer.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => {}
        code => return unknown(format!("{server} answered {code}")),
    }
    if !answer.metadata.authoritative {
        return unknown(format!("{server} is named as a server of the zone and does not answer for it (lame)"));
    }
    let of_type = |wanted: RecordType| answer.answers.iter().filter(move |r| r.record_type() == wanted);
    let alias = of_type(RecordType::CNAME).find(|r| convert::domain(&r.name).as_ref() == Some(name));
    let alias = alias.and_then(|r| if let RData::CNAME(target) = &r.data { convert::domain(&target.0) } else { None });
    let mut records: Vec<Data> = of_type(convert::kind(kind)).filter_map(|r| convert::data(&r.data)).collect();
    records.sort();
    if let (Some(_), true) = (&alias, records.is_empty()) {
        // The end lies elsewhere: the last alias says where to go on.
        let last = of_type(RecordType::CNAME).next_back().and_then(|r| convert::data(&r.data));
        records.extend(last);
    }
    let soa = answer.authorities.iter().filter_map(|r| match &r.data {
        RData::SOA(soa) => Some(soa.minimum.min(r.ttl)),
        _ => None,
    });
    let ttl = answer.answers.iter().map(|r| r.ttl).chain(soa).min().unwrap_or(0);
    (Found::Records { records, alias }, Duration::from_secs(ttl.into()))
}

/// All of them at once, in their order. The futures share one task: what they wait for is the
/// network, and the semaphore bounds how many do.
async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(|f| (Box::pin(f), None)).collect();
    std::future::poll_fn(|cx| {
        let mut pending = false;
        for (future, done) in &mut running {
            if done.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(value) => *done = Some(value),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    running.into_iter().filter_map(|(_, done)| done).collect()
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.address.ip())
    }
}
