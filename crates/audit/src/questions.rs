//! DNS and servers as a run of checks asks them: so many questions at once, so many connections at
//! once, all of them before the deadline.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use repute_dns::{Data, Inspect, Lookup, Said};
use repute_net::Network;
use repute_trust::lookup::{Answer, Kind, Query};
use repute_trust::names::reverse::address_of;
use repute_types::Domain;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::doors::Doors;
use crate::once::Once;
use crate::zones::Zones;

/// How far a run is: questions put, and answered.
#[derive(Debug, Default)]
pub struct Progress {
    asked: AtomicU64,
    answered: AtomicU64,
}

impl Progress {
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

/// Clones share the bound and the deadline.
#[derive(Clone)]
pub(crate) struct Questions {
    dns: Arc<dyn Inspect>,
    network: Option<Arc<dyn Network>>,
    places: Arc<Semaphore>,
    /// Connections have places of their own: their questions must not wait for themselves.
    wires: Arc<Semaphore>,
    until: Instant,
    progress: Arc<Progress>,
    pub zones: Arc<Zones>,
    /// Where the questions are about one domain.
    memory: Option<Memory>,
}

/// What the resolver has answered to the groups of checks of one domain, each of which asks for much the same: so long as these
/// are under way for its own names, and for the whole run for all others, which are the same for many domains: those above
/// it, and those that SPF records include.
#[derive(Clone)]
struct Memory {
    domain: Domain,
    own: Arc<Once<Query, Answer>>,
    others: Arc<Once<Query, Answer>>,
    own_records: Arc<Once<(Domain, repute_dns::Kind), Lookup<Data>>>,
}

pub(crate) const LATE: &str = "no answer before the end of the run";

impl Questions {
    pub fn new(doors: &Doors, at_once: usize, deadline: Duration, progress: Arc<Progress>) -> Questions {
        Questions {
            dns: doors.dns.clone(),
            network: doors.network.clone(),
            places: Arc::new(Semaphore::new(at_once)),
            wires: Arc::new(Semaphore::new(at_once)),
            until: Instant::now() + deadline,
            progress,
            zones: Arc::default(),
            memory: None,
        }
    }

    /// The same for the checks of one domain; `others` is of the run.
    pub fn about(&self, domain: &Domain, others: &Arc<Once<Query, Answer>>) -> Questions {
        let (own, own_records) = (Arc::default(), Arc::default());
        let memory = Memory { domain: domain.clone(), own, others: others.clone(), own_records };
        Questions { memory: Some(memory), ..self.clone() }
    }

    pub fn network(&self) -> Option<&dyn Network> {
        self.network.as_deref()
    }

    /// The end of the run.
    pub fn until(&self) -> Instant {
        self.until
    }

    pub fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Something done over a connection: counted, and within the bound of connections. What it
    /// waits for has to end by the deadline by itself.
    pub async fn connected<T>(&self, doing: impl Future<Output = T>) -> T {
        self.progress.asked.fetch_add(1, Ordering::Relaxed);
        // The semaphore is never closed; without a place the work is done all the same.
        let place = self.wires.acquire().await.ok();
        let done = doing.await;
        drop(place);
        self.progress.answered.fetch_add(1, Ordering::Relaxed);
        done
    }

    /// The addresses of a host that can be reached from `from`: of its family, or of both, IPv4 first.
    pub async fn addresses_of(&self, host: &Domain, from: Option<IpAddr>) -> Result<Vec<IpAddr>, String> {
        let kinds = match from {
            Some(ip) if ip.is_ipv4() => vec![Kind::A],
            Some(_) => vec![Kind::Aaaa],
            None => vec![Kind::A, Kind::Aaaa],
        };
        let (mut addresses, mut failure) = (Vec::new(), None);
        for kind in kinds {
            match self.ask(&Query { name: host.to_string(), kind }).await {
                Answer::Failure(why) => failure = Some(why),
                answer => addresses.extend_from_slice(answer.addresses()),
            }
        }
        match failure {
            Some(why) if addresses.is_empty() => Err(why),
            _ => Ok(addresses),
        }
    }

    /// Through the resolver. A name that no query can carry does not exist.
    pub async fn ask(&self, query: &Query) -> Answer {
        let Some(memory) = &self.memory else { return self.ask_anew(query).await };
        let is_own = Domain::parse(&query.name).is_ok_and(|name| name.is_within(&memory.domain));
        let answers = if is_own { &memory.own } else { &memory.others };
        answers.get(query, self.ask_anew(query)).await
    }

    async fn ask_anew(&self, query: &Query) -> Answer {
        let address = (query.kind == Kind::Ptr).then(|| address_of(&query.name)).flatten();
        let Ok(name) = Domain::parse(&query.name) else { return Answer::NoName };
        let dns = &self.dns;
        let asking = async {
            match (query.kind, address) {
                (Kind::Txt, _) => answer(dns.txt(&name).await, Answer::Texts),
                (Kind::A, _) => answer(dns.a(&name).await, addresses),
                (Kind::Aaaa, _) => answer(dns.aaaa(&name).await, addresses),
                (Kind::Mx, _) => answer(dns.mx(&name).await, |hosts| {
                    Answer::Names(hosts.iter().map(|mx| mx.exchange.to_string()).collect())
                }),
                (Kind::Ptr, Some(ip)) => answer(dns.ptr(ip).await, |names| names_of(&names)),
                (Kind::Ptr, None) => Answer::NoName,
            }
        };
        self.counted(asking).await.unwrap_or_else(|| Answer::Failure(LATE.into()))
    }

    pub async fn txt(&self, name: impl ToString) -> Answer {
        self.ask(&Query { name: name.to_string(), kind: Kind::Txt }).await
    }

    /// Addresses of the family of `like`.
    pub async fn addresses(&self, name: impl ToString, like: IpAddr) -> Answer {
        let kind = if like.is_ipv4() { Kind::A } else { Kind::Aaaa };
        self.ask(&Query { name: name.to_string(), kind }).await
    }

    pub async fn ptr(&self, ip: IpAddr) -> Answer {
        let name = repute_trust::names::reverse::reverse_name(ip);
        self.ask(&Query { name, kind: Kind::Ptr }).await
    }

    /// Other kinds of records, through the resolver.
    pub async fn records(&self, name: &Domain, kind: repute_dns::Kind) -> Lookup<Data> {
        let asking = async {
            let answer = self.counted(self.dns.records(name, kind)).await;
            answer.unwrap_or_else(|| Lookup::NoAnswer(LATE.into()))
        };
        match &self.memory {
            Some(memory) if name.is_within(&memory.domain) => {
                memory.own_records.get(&(name.clone(), kind), asking).await
            }
            _ => asking.await,
        }
    }

    /// One authoritative server.
    pub async fn server(&self, server: IpAddr, name: &Domain, kind: repute_dns::Kind) -> Said {
        let late = || Said::Answered(Lookup::NoAnswer(LATE.into()));
        self.counted(self.dns.ask(server, name, kind)).await.unwrap_or_else(late)
    }

    /// `None` at the deadline.
    async fn counted<T>(&self, asking: impl Future<Output = T>) -> Option<T> {
        self.progress.asked.fetch_add(1, Ordering::Relaxed);
        let bounded = async {
            // The semaphore is never closed.
            let _place = self.places.acquire().await.ok()?;
            Some(asking.await)
        };
        let answered = timeout_at(self.until, bounded).await.ok().flatten();
        self.progress.answered.fetch_add(1, Ordering::Relaxed);
        answered
    }
}

fn answer<T>(lookup: Lookup<T>, found: impl FnOnce(Vec<T>) -> Answer) -> Answer {
    match lookup {
        Lookup::Found(records) => found(records.items),
        Lookup::NoData { .. } => Answer::NoData,
        Lookup::NoName { .. } => Answer::NoName,
        Lookup::Failure(why) | Lookup::NoAnswer(why) | Lookup::NotAsked(why) => Answer::Failure(why),
    }
}

fn addresses<T: Into<IpAddr>>(list: Vec<T>) -> Answer {
    Answer::Addresses(list.into_iter().map(Into::into).collect())
}

fn names_of(names: &[Domain]) -> Answer {
    Answer::Names(names.iter().map(Domain::to_string).collect())
}

/// Tasks of one [`all`] at the same time: more than there are questions, and not as many as a configuration has names.
const TASKS: usize = 64;

/// Everything, some at once; the results in the order of the futures. These are taken from their source as others end,
/// so that what waits takes no room.
pub(crate) async fn all<T: Send + 'static, F>(futures: impl IntoIterator<Item = F, IntoIter: Send>) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
{
    let mut futures = futures.into_iter().enumerate();
    let (mut tasks, mut results) = (JoinSet::new(), Vec::new());
    loop {
        while tasks.len() < TASKS
            && let Some((nth, future)) = futures.next()
        {
            tasks.spawn(async move { (nth, future.await) });
        }
        match tasks.join_next().await {
            Some(Ok(done)) => results.push(done),
            // They are aborted with us alone: it panicked, and so does whoever asked.
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => break,
        }
    }
    results.sort_by_key(|(nth, _)| *nth);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test]
    async fn what_waits_is_not_made_yet_and_the_order_is_kept() {
        let (made, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let begun = made.clone();
        let futures = (0..1_000).map(move |nth| {
            let unended = begun.fetch_add(1, Ordering::Relaxed) - ended.load(Ordering::Relaxed);
            assert!(unended < TASKS, "{unended} are there at once");
            let ended = ended.clone();
            async move {
                tokio::task::yield_now().await;
                ended.fetch_add(1, Ordering::Relaxed);
                nth
            }
        });
        assert_eq!(all(futures).await, (0..1_000).collect::<Vec<_>>());
        assert_eq!(made.load(Ordering::Relaxed), 1_000);
    }
}
