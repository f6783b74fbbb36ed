//! Our own records at every authoritative server of their zone.
//!
//! Promise: which servers a name has, and where they are, is asked once in a run ([`Zones`]), whatever number of records are
//! looked at there and however many domains have the same servers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use repute_dns::{Data, Kind, Lookup, Said as ServerSaid};
use repute_trust::checks::sender::Presence;
use repute_trust::checks::servers::{Published, Said};
use repute_trust::lookup::Answer;
use repute_types::Domain;

use crate::once::Once;
use crate::questions::{Questions, all};

/// A zone has up to 13 servers for good reason; more would only cost time.
const SERVERS_MOST: usize = 13;

/// What is known of zones in one run.
#[derive(Default)]
pub(crate) struct Zones {
    /// The name servers of a name; none where it is no zone.
    named: Once<Domain, Result<Arc<[Domain]>, NoServers>>,
    /// Where a name server is reached; `None` where it has no address.
    located: Once<Domain, Result<Option<IpAddr>, NoServers>>,
}

/// A zone with its servers: each by its name, and where it is reached; `None` where it has no address.
struct Zone {
    name: Domain,
    servers: Vec<(Domain, Option<IpAddr>)>,
}

/// Why the servers of a name's zone are not known.
#[derive(Clone)]
enum NoServers {
    /// It is in no zone, up to the top.
    NoZone,
    Unknown(String),
}

/// Whether our resolver knows no zone that the name is in, not even the one at the top: then it knows nothing of DNS.
pub(crate) async fn knows_no_zone(questions: &Questions, name: &Domain) -> bool {
    matches!(servers(questions, name).await, Err(NoServers::NoZone))
}

/// The zone that a name is in.
async fn servers(questions: &Questions, name: &Domain) -> Result<Zone, NoServers> {
    let mut at = Some(name.clone());
    let (zone, names) = loop {
        let Some(zone) = at else { return Err(NoServers::NoZone) };
        let named = questions.zones.named.get(&zone, named(questions, &zone)).await?;
        if !named.is_empty() {
            break (zone, named);
        }
        at = zone.parent();
    };
    let located = names.iter().cloned().map(|server| {
        let questions = questions.clone();
        async move {
            let known = &questions.zones.located;
            let ip = known.get(&server, located(&questions, &server)).await?;
            Ok((server, ip))
        }
    });
    let mut located: Vec<(Domain, Option<IpAddr>)> =
        all(located.collect::<Vec<_>>()).await.into_iter().collect::<Result<_, _>>()?;
    located.sort();
    Ok(Zone { name: zone, servers: located })
}

/// The servers that a name's own NS records name; none where it has no such records.
async fn named(questions: &Questions, zone: &Domain) -> Result<Arc<[Domain]>, NoServers> {
    match questions.records(zone, Kind::Ns).await {
        Lookup::Found(found) => {
            let names = found.items.into_iter();
            let names = names.filter_map(|data| if let Data::Name(name) = data { Some(name) } else { None });
            Ok(names.take(SERVERS_MOST).collect())
        }
        Lookup::NoData { .. } | Lookup::NoName { .. } => Ok(Arc::default()),
        Lookup::Failure(why) | Lookup::NoAnswer(why) | Lookup::NotAsked(why) => Err(NoServers::Unknown(why)),
    }
}

async fn located(questions: &Questions, server: &Domain) -> Result<Option<IpAddr>, NoServers> {
    // Every server that matters has IPv4, and not every machine has IPv6.
    for like in [IpAddr::from([0u8; 4]), IpAddr::from([0u8; 16])] {
        match questions.addresses(server, like).await {
            Answer::Failure(why) => return Err(NoServers::Unknown(format!("{server}: {why}"))),
            answer => {
                if let Some(ip) = answer.addresses().first() {
                    return Ok(Some(*ip));
                }
            }
        }
    }
    Ok(None)
}

/// One record at every server. `kind` is one of A, AAAA, TXT and MX.
pub(crate) async fn published(questions: Questions, name: Domain, kind: Kind) -> Published {
    let what = format!("{name} {}", kind.as_str());
    let nowhere = |what, why| Published { what, zone: String::new(), said: Vec::new(), unknown: Some(why) };
    let zone = match servers(&questions, &name).await {
        Ok(zone) => zone,
        Err(NoServers::Unknown(why)) => return nowhere(what, why),
        Err(NoServers::NoZone) => return nowhere(what, format!("no zone above {name} has NS records")),
    };
    let asking = zone.servers.into_iter().map(|(server, ip)| {
        let (questions, name) = (questions.clone(), name.clone());
        async move {
            let said = match ip {
                Some(ip) => read(&questions, questions.server(ip, &name, kind).await, kind).await,
                None => Said::Lame("it has no address".into()),
            };
            (server.to_string(), said)
        }
    });
    Published { what, zone: zone.name.to_string(), said: all(asking.collect::<Vec<_>>()).await, unknown: None }
}

async fn read(questions: &Questions, said: ServerSaid, kind: Kind) -> Said {
    let found = match said {
        ServerSaid::Lame(why) => return Said::Lame(why),
        ServerSaid::Answered(Lookup::Found(found)) => found,
        ServerSaid::Answered(Lookup::NoData { .. }) => return Said::Answered(Answer::NoData, Duration::ZERO),
        ServerSaid::Answered(Lookup::NoName { .. }) => return Said::Answered(Answer::NoName, Duration::ZERO),
        ServerSaid::Answered(Lookup::Failure(why) | Lookup::NoAnswer(why) | Lookup::NotAsked(why)) => {
            return Said::Silent(why);
        }
    };
    // It leads into a zone of somebody else's, whose answer the resolver has.
    if let [Data::Alias(target)] = found.items.as_slice() {
        return match questions.records(target, kind).await {
            Lookup::Found(behind) => Said::Answered(collect(behind.items), found.ttl.min(behind.ttl)),
            Lookup::NoData { .. } => Said::Answered(Answer::NoData, found.ttl),
            Lookup::NoName { .. } => Said::Answered(Answer::NoName, found.ttl),
            Lookup::Failure(why) | Lookup::NoAnswer(why) | Lookup::NotAsked(why) => Said::Silent(why),
        };
    }
    Said::Answered(collect(found.items), found.ttl)
}

fn collect(items: Vec<Data>) -> Answer {
    let (mut texts, mut addresses, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for item in items {
        match item {
            Data::Text(text) => texts.push(text),
            Data::V4(ip) => addresses.push(IpAddr::V4(ip)),
            Data::V6(ip) => addresses.push(IpAddr::V6(ip)),
            Data::Mx(mx) => names.push(mx.exchange.to_string()),
            Data::Name(name) | Data::Alias(name) => names.push(name.to_string()),
            Data::Soa { .. } | Data::Tlsa { .. } | Data::Ds { .. } | Data::Caa { .. } | Data::Signature { .. } => {}
        }
    }
    if !texts.is_empty() {
        Answer::Texts(texts)
    } else if !addresses.is_empty() {
        Answer::Addresses(addresses)
    } else {
        Answer::Names(names)
    }
}

/// The servers of a zone as the zone above it names them: of one whose signatures are broken a resolver that validates
/// tells nothing, not even who serves it.
async fn delegated(questions: &Questions, apex: &Domain) -> Vec<IpAddr> {
    let Some(above) = apex.parent() else { return Vec::new() };
    let Ok(above) = servers(questions, &above).await else { return Vec::new() };
    for ip in above.servers.into_iter().filter_map(|(_, ip)| ip) {
        let ServerSaid::Answered(Lookup::Found(found)) = questions.server(ip, apex, Kind::Ns).await else { continue };
        let glue = found.items.iter().filter_map(|data| match data {
            Data::V4(ip) => Some(IpAddr::V4(*ip)),
            Data::V6(ip) => Some(IpAddr::V6(*ip)),
            _ => None,
        });
        let glue: Vec<IpAddr> = glue.take(SERVERS_MOST).collect();
        if !glue.is_empty() {
            return glue;
        }
        let names =
            found.items.into_iter().filter_map(|data| if let Data::Name(name) = data { Some(name) } else { None });
        let mut addresses = Vec::new();
        for name in names.take(SERVERS_MOST) {
            addresses.extend(located(questions, &name).await.ok().flatten());
        }
        return addresses;
    }
    Vec::new()
}

/// What the servers of a zone say about its signature.
pub(crate) struct Ends {
    /// One of them answered about the zone.
    pub answered: bool,
    /// The earliest end of a signature, in seconds since 1970.
    pub until: Option<i64>,
}

pub(crate) async fn signature_ends(questions: &Questions, apex: &Domain) -> Ends {
    let addresses = match servers(questions, apex).await {
        Ok(zone) => zone.servers.into_iter().filter_map(|(_, ip)| ip).collect(),
        Err(_) => delegated(questions, apex).await,
    };
    let asking = addresses.into_iter().map(|ip| {
        let (questions, apex) = (questions.clone(), apex.clone());
        async move {
            let said = questions.server(ip, &apex, Kind::Rrsig).await;
            let soa = match crate::gather::leftovers::ends(&said) {
                None => questions.server(ip, &apex, Kind::Soa).await,
                Some(_) => said.clone(),
            };
            (matches!(soa, ServerSaid::Answered(Lookup::Found(_))), crate::gather::leftovers::ends(&said))
        }
    });
    let said = all(asking.collect::<Vec<_>>()).await;
    Ends { answered: said.iter().any(|(answered, _)| *answered), until: said.iter().filter_map(|(_, end)| *end).min() }
}

/// Whether a domain is in a zone: its own SOA, or that of a domain above it but the top.
pub(crate) async fn zone_answers(questions: &Questions, domain: &Domain) -> Presence {
    let mut at = domain.clone();
    loop {
        match questions.records(&at, Kind::Soa).await {
            Lookup::Found(_) => return Presence::There,
            Lookup::Failure(why) | Lookup::NoAnswer(why) | Lookup::NotAsked(why) => return Presence::Unknown(why),
            // The name itself has to exist.
            Lookup::NoName { .. } if at == *domain => return Presence::Absent,
            Lookup::NoData { .. } | Lookup::NoName { .. } => {}
        }
        match at.parent() {
            Some(above) if above.as_str().contains('.') => at = above,
            _ => return Presence::Absent,
        }
    }
}
