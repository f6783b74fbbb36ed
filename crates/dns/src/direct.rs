//! One question to one authoritative server: UDP, and TCP where the answer is cut short
//! (RFC 7766 §5). Without recursion and without a cache.
//!
//! Promise: only an answer to this question, from this server, with authority, is taken.
//! Silence is `NoAnswer` after two tries; a server that has no say is `Lame`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::{Edns, Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use repute_types::{Domain, files};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::answer::{absolute, domain, positive, take_mx};
use crate::hickory::HickoryResolver;
use crate::{BoxFuture, Data, Inspect, Kind, Lookup, Records, Said, able};

/// Packets get lost; a second try finds out.
const TRIES: usize = 2;
/// What passes every path unfragmented (DNS flag day 2020).
const PAYLOAD: u16 = 1232;

impl Kind {
    pub fn record_type(self) -> RecordType {
        match self {
            Kind::A => RecordType::A,
            Kind::Aaaa => RecordType::AAAA,
            Kind::Mx => RecordType::MX,
            Kind::Txt => RecordType::TXT,
            Kind::Ptr => RecordType::PTR,
            Kind::Ns => RecordType::NS,
            Kind::Soa => RecordType::SOA,
            Kind::Cname => RecordType::CNAME,
            Kind::Tlsa => RecordType::TLSA,
            Kind::Ds => RecordType::DS,
            Kind::Caa => RecordType::CAA,
            Kind::Spf => RecordType::Unknown(99),
            Kind::Rrsig => RecordType::RRSIG,
        }
    }
}

impl Inspect for HickoryResolver {
    fn records<'a>(&'a self, name: &'a Domain, kind: Kind) -> BoxFuture<'a, Lookup<Data>> {
        Box::pin(async move {
            match absolute(name) {
                Some(name) => self.fetch(name, kind.record_type(), data_of).await.0,
                None => Lookup::Failure("the name cannot be asked for".into()),
            }
        })
    }

    fn ask<'a>(&'a self, server: IpAddr, name: &'a Domain, kind: Kind) -> BoxFuture<'a, Said> {
        let (port, patience) = self.direct();
        Box::pin(async move {
            match absolute(name) {
                Some(name) => ask(SocketAddr::new(server, port), name, kind.record_type(), patience).await,
                None => Said::Answered(Lookup::Failure("the name cannot be asked for".into())),
            }
        })
    }
}

async fn ask(server: SocketAddr, name: Name, kind: RecordType, patience: Duration) -> Said {
    match put(server, &name, kind, patience, false).await {
        Ok(reply) => judge(&reply, &name, kind),
        Err(error) => Said::Answered(unanswered(&error)),
    }
}

/// Asks one recursive server, and believes what it says.
pub(crate) async fn ask_recursive<T>(
    server: SocketAddr,
    name: Name,
    kind: RecordType,
    patience: Duration,
    take: fn(&RData) -> Option<T>,
) -> (Lookup<T>, Duration) {
    let lookup = match put(server, &name, kind, patience, true).await {
        Ok(reply) => match reply.metadata.response_code {
            ResponseCode::NoError if !reply.answers.is_empty() => {
                let ttl = reply.answers.iter().map(|record| record.ttl).min().unwrap_or(0);
                return positive(&reply.answers, kind, take, Duration::from_secs(ttl.into()));
            }
            ResponseCode::NoError => Lookup::NoData { authentic: false },
            ResponseCode::NXDomain => Lookup::NoName { authentic: false },
            other => Lookup::Failure(other.to_string()),
        },
        Err(error) => unanswered(&error),
    };
    (lookup, Duration::ZERO)
}

fn unanswered<T>(error: &io::Error) -> Lookup<T> {
    match error.kind() {
        _ if files::are_used_up(error) => Lookup::NotAsked(able::used_up(error)),
        io::ErrorKind::InvalidData => Lookup::Failure("its answer is no DNS message".into()),
        io::ErrorKind::InvalidInput => Lookup::Failure("the question cannot be written".into()),
        io::ErrorKind::TimedOut => Lookup::NoAnswer("no answer in time".into()),
        _ => Lookup::NoAnswer(format!("not reached: {error}")),
    }
}

/// One question to one server, again after silence.
async fn put(
    server: SocketAddr,
    name: &Name,
    kind: RecordType,
    patience: Duration,
    recursion: bool,
) -> io::Result<Message> {
    let mut question = Message::query();
    // Servers give signatures beside what they sign; asked for alone, many give none (RFC 8482).
    let asked = if kind == RecordType::RRSIG { RecordType::SOA } else { kind };
    question.add_query(Query::query(name.clone(), asked));
    question.metadata.recursion_desired = recursion;
    let mut edns = Edns::new();
    edns.set_max_payload(PAYLOAD);
    edns.set_dnssec_ok(kind == RecordType::RRSIG);
    question.set_edns(edns);
    let octets = question.to_vec().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    for _ in 0..TRIES {
        match exchange(server, &octets, question.metadata.id, patience).await {
            Ok(reply) => return Ok(reply),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn exchange(server: SocketAddr, octets: &[u8], id: u16, patience: Duration) -> io::Result<Message> {
    let reply = timeout(patience, over_udp(server, octets, id)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    if !reply.metadata.truncation {
        return Ok(reply);
    }
    timeout(patience, over_tcp(server, octets)).await.map_err(|_| io::ErrorKind::TimedOut)?
}

async fn over_udp(server: SocketAddr, octets: &[u8], id: u16) -> io::Result<Message> {
    let socket = UdpSocket::bind((able::any(server.ip()), 0)).await?;
    // Connected, it takes datagrams from this server alone.
    socket.connect(server).await?;
    socket.send(octets).await?;
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).await?;
        match Message::from_vec(&buffer[..length]) {
            // Somebody guesses: the right one may still come.
            Ok(reply) if reply.metadata.id != id => continue,
            Ok(reply) => return Ok(reply),
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }
}

async fn over_tcp(server: SocketAddr, octets: &[u8]) -> io::Result<Message> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(octets.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], octets].concat()).await?;
    let length = stream.read_u16().await?;
    let mut reply = vec![0; usize::from(length)];
    stream.read_exact(&mut reply).await?;
    Message::from_vec(&reply).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// For fuzzing: what these octets say, as the answer of a server that was asked for `name`. `None` where they are no
/// DNS message.
pub fn try_answer(octets: &[u8], name: &Domain, kind: Kind) -> Option<Said> {
    let reply = Message::from_vec(octets).ok()?;
    Some(judge(&reply, &absolute(name)?, kind.record_type()))
}

fn judge(reply: &Message, name: &Name, kind: RecordType) -> Said {
    let code = reply.metadata.response_code;
    match code {
        ResponseCode::Refused | ResponseCode::NotAuth => return Said::Lame(code.to_string()),
        ResponseCode::NoError | ResponseCode::NXDomain if !reply.metadata.authoritative => {
            if let Some(below) = delegation(reply, name).filter(|_| kind == RecordType::NS) {
                return Said::Answered(Lookup::Found(below));
            }
            return Said::Lame(format!("it answers without authority for {name}"));
        }
        ResponseCode::NoError | ResponseCode::NXDomain => {}
        other => return Said::Answered(Lookup::Failure(other.to_string())),
    }
    Said::Answered(answer(reply, kind, code))
}

/// The servers of a zone as the one above it names them, with the addresses that come along; `None` where the reply is about
/// another.
fn delegation(reply: &Message, zone: &Name) -> Option<Records<Data>> {
    let servers: Vec<&Record> =
        reply.authorities.iter().filter(|r| r.record_type() == RecordType::NS && r.name == *zone).collect();
    let ttl = servers.iter().map(|r| r.ttl).min()?;
    let is_named = |r: &&Record| servers.iter().any(|s| matches!(&s.data, RData::NS(name) if name.0 == r.name));
    let is_address = |r: &&Record| matches!(r.data, RData::A(_) | RData::AAAA(_));
    let glue = reply.additionals.iter().filter(is_address).filter(is_named);
    let items = servers.iter().copied().chain(glue).filter_map(|r| data_of(&r.data)).collect();
    Some(Records { items, authentic: false, ttl: Duration::from_secs(ttl.into()) })
}

fn answer(reply: &Message, kind: RecordType, code: ResponseCode) -> Lookup<Data> {
    let of = |kind: RecordType| reply.answers.iter().filter(move |r| r.record_type() == kind);
    let mut found: Vec<&Record> = of(kind).collect();
    if found.is_empty() {
        // An alias into a zone of somebody else's: the asker goes on there.
        found.extend(of(RecordType::CNAME).next_back());
    }
    if found.is_empty() && code == ResponseCode::NXDomain {
        return Lookup::NoName { authentic: false };
    }
    if found.is_empty() {
        return Lookup::NoData { authentic: false };
    }
    let items: Vec<Data> = found.iter().filter_map(|r| data_of(&r.data)).collect();
    if items.is_empty() {
        return Lookup::Failure(format!("no {kind} record names anything usable"));
    }
    let ttl = found.iter().map(|r| r.ttl).min().unwrap_or_default();
    Lookup::Found(Records { items, authentic: false, ttl: Duration::from_secs(ttl.into()) })
}

/// The data of a record; `None` of a kind that nobody here asks for.
pub fn data_of(data: &RData) -> Option<Data> {
    Some(match data {
        RData::A(a) => Data::V4(a.0),
        RData::AAAA(a) => Data::V6(a.0),
        RData::MX(_) => Data::Mx(take_mx(data)?),
        RData::TXT(txt) => Data::Text(txt.txt_data.concat()),
        RData::PTR(name) => Data::Name(domain(name)?),
        RData::NS(name) => Data::Name(domain(name)?),
        RData::CNAME(name) => Data::Alias(domain(name)?),
        RData::SOA(soa) => Data::Soa { serial: soa.serial },
        RData::TLSA(tlsa) => Data::Tlsa {
            usage: tlsa.cert_usage.into(),
            selector: tlsa.selector.into(),
            matching: tlsa.matching.into(),
            data: tlsa.cert_data.clone(),
        },
        RData::CAA(caa) => Data::Caa { tag: caa.tag.clone(), value: String::from_utf8_lossy(&caa.value).into_owned() },
        RData::DNSSEC(DNSSECRData::DS(ds)) => Data::Ds { key_tag: ds.key_tag() },
        RData::DNSSEC(DNSSECRData::RRSIG(signature)) => {
            Data::Signature { expires: signature.input().sig_expiration.get() }
        }
        RData::Unknown { code: RecordType::Unknown(99), rdata } => Data::Text(strings(&rdata.anything)?),
        _ => return None,
    })
}

/// Strings with a length octet before each, joined.
fn strings(mut octets: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    while let Some((length, rest)) = octets.split_first() {
        let (string, rest) = rest.split_at_checked(usize::from(*length))?;
        text.extend_from_slice(string);
        octets = rest;
    }
    Some(text)
}
