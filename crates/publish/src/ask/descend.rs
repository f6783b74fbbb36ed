//! One question from the root servers down (RFC 1034 §5.3.3), for machines that have no resolver.
//!
//! Promise: every question ends: so many steps down, so many names of servers looked up on the way, and each exchange
//! has its deadline. Nothing is validated: what is found says which servers are asked, as with a resolver that does
//! not validate.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, RecordType};
use repute_types::Domain;

use super::{Directory, Unasked, reachable};
use crate::{convert, wire};

/// Zones between the root and a name; `ip6.arpa` has the deepest.
const STEPS: usize = 20;
/// Servers whose addresses do not stand beside their names, one behind the other.
const DEPTH: usize = 4;
/// Servers of one zone that are tried.
const SERVERS: usize = 4;

/// A zone further down, and who serves it.
struct Referral {
    zone: Domain,
    servers: Vec<Domain>,
    /// The addresses that came along.
    glue: Vec<IpAddr>,
}

impl Directory {
    /// The answer of a server that has authority for the name.
    pub(super) async fn down_to(&self, roots: &[IpAddr], name: &Domain, kind: RecordType) -> Result<Message, Unasked> {
        self.descend(roots, name, kind, 0).await
    }

    fn descend<'a>(
        &'a self,
        roots: &'a [IpAddr],
        name: &'a Domain,
        kind: RecordType,
        depth: usize,
    ) -> Pin<Box<dyn Future<Output = Result<Message, Unasked>> + Send + 'a>> {
        Box::pin(async move {
            let question = wire::question(convert::name(name), kind, false);
            let mut above: Option<Domain> = None;
            let mut servers: Vec<IpAddr> = roots.to_vec();
            for _ in 0..STEPS {
                let found = self.first_useful(&servers, &question, name, above.as_ref()).await;
                let next = match (found, &above) {
                    (Some(Useful::Answer(answer)), _) => return Ok(*answer),
                    (Some(Useful::Further(next)), _) => next,
                    (None, None) => return Err(Unasked::NoRoot),
                    (None, Some(_)) => return Err(Unasked::NoAnswer(name.clone())),
                };
                servers = match next.glue.is_empty() {
                    false => next.glue,
                    true => self.located(roots, &next.servers, depth).await,
                };
                above = Some(next.zone);
            }
            Err(Unasked::NoAnswer(name.clone()))
        })
    }

    /// Servers that are silent, refuse, or lead nowhere are passed over.
    async fn first_useful(
        &self,
        servers: &[IpAddr],
        question: &Message,
        name: &Domain,
        above: Option<&Domain>,
    ) -> Option<Useful> {
        for ip in servers.iter().filter(|ip| reachable(**ip)).take(SERVERS) {
            let at = SocketAddr::new(*ip, self.port_of(*ip));
            let _one = self.at_once.acquire().await;
            let Ok(answer) = wire::exchange(at, question).await else { continue };
            let is_definite = matches!(answer.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain);
            if answer.metadata.authoritative && is_definite {
                return Some(Useful::Answer(Box::new(answer)));
            }
            if let Some(next) = referral(&answer, name, above) {
                return Some(Useful::Further(next));
            }
        }
        None
    }

    async fn located(&self, roots: &[IpAddr], servers: &[Domain], depth: usize) -> Vec<IpAddr> {
        let mut found = Vec::new();
        if depth < DEPTH {
            for server in servers.iter().take(SERVERS) {
                let answer = self.descend(roots, server, RecordType::A, depth + 1).await;
                found.extend(answer.into_iter().flat_map(|a| a.answers).filter_map(|r| r.data.ip_addr()));
                if found.len() > 1 {
                    break;
                }
            }
        }
        found
    }
}

enum Useful {
    Answer(Box<Message>),
    Further(Referral),
}

/// Where an answer without authority leads, if that is nearer to the name than where it was asked.
fn referral(answer: &Message, name: &Domain, above: Option<&Domain>) -> Option<Referral> {
    let of_zone = |r: &hickory_proto::rr::Record| match &r.data {
        RData::NS(ns) => Some((convert::domain(&r.name)?, convert::domain(&ns.0)?)),
        _ => None,
    };
    let named: Vec<(Domain, Domain)> = answer.authorities.iter().filter_map(of_zone).collect();
    let nearer = |zone: &Domain| name.is_within(zone) && above.is_none_or(|a| zone != a && zone.is_within(a));
    let zone = named.iter().map(|(zone, _)| zone).find(|zone| nearer(zone))?.clone();
    let servers: Vec<Domain> = named.into_iter().filter(|(of, _)| *of == zone).map(|(_, server)| server).collect();
    let is_named = |r: &&hickory_proto::rr::Record| convert::domain(&r.name).is_some_and(|n| servers.contains(&n));
    let glue = answer.additionals.iter().filter(is_named).filter_map(|r| r.data.ip_addr());
    let glue = glue.filter(|ip| reachable(*ip)).collect();
    Some(Referral { zone, servers, glue })
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::MessageType;
    use hickory_proto::rr::rdata::{A, NS, SOA};
    use hickory_proto::rr::{Name, Record};
    use repute_trust::records::Kind;
    use tokio::net::UdpSocket;

    use super::*;
    use crate::Server;

    fn d(text: &str) -> Domain {
        Domain::parse(text).unwrap()
    }

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    /// A name server at this address and any port. It has authority for `zone` with its addresses, and delegates each of
    /// `below`: zone, server, and the server's address where that comes along.
    async fn server(ip: &str, zone: &'static str, below: &'static [(&str, &str, Option<&str>)]) -> SocketAddr {
        let socket = UdpSocket::bind((ip, 0)).await.unwrap();
        let at = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut octets = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut octets).await {
                let mut answer = Message::from_vec(&octets[..length]).unwrap();
                answer.metadata.message_type = MessageType::Response;
                let asked = answer.queries[0].clone();
                let is_below = |zone: &str| name(zone).zone_of(asked.name());
                if let Some((zone, ns, glue)) = below.iter().find(|(zone, ..)| is_below(zone)) {
                    answer.authorities.push(Record::from_rdata(name(zone), 60, RData::NS(NS(name(ns)))));
                    let glue = glue.map(|ip| Record::from_rdata(name(ns), 60, RData::A(A(ip.parse().unwrap()))));
                    answer.additionals.extend(glue);
                } else if is_below(zone) {
                    answer.metadata.authoritative = true;
                    let of_zone = match (asked.query_type(), asked.name() == &name(zone)) {
                        (RecordType::NS, true) => Some(RData::NS(NS(name(&format!("ns.{zone}"))))),
                        (RecordType::A, false) => Some(RData::A(A(at.ip().to_string().parse().unwrap()))),
                        _ => None,
                    };
                    let soa = SOA::new(name(zone), name(zone), 1, 60, 60, 60, 60);
                    match of_zone {
                        Some(data) => answer.answers.push(Record::from_rdata(asked.name().clone(), 60, data)),
                        None => answer.authorities.push(Record::from_rdata(name(zone), 60, RData::SOA(soa))),
                    }
                } else {
                    answer.metadata.response_code = ResponseCode::Refused;
                }
                let _ = socket.send_to(&answer.to_vec().unwrap(), from).await;
            }
        });
        at
    }

    /// With `resolver = "own"` and no other, `setup`, `records --diff` and `domain rotate` could look at nothing.
    #[tokio::test]
    async fn without_a_resolver_it_goes_from_the_root_down() {
        let root: &[_] = &[
            ("test.", "ns.test.", Some("127.0.8.2")),
            ("loop.", "ns.loop.", None),
            ("up.", "ns.up.", Some("127.0.8.1")),
        ];
        let test: &[_] = &[
            ("example.test.", "ns.example.test.", Some("127.0.8.3")),
            ("other.test.", "mail.example.test.", None),
            ("lame.test.", "ns.test.", Some("127.0.8.2")),
        ];
        let all = [
            server("127.0.8.1", ".", root).await,
            server("127.0.8.2", "test.", test).await,
            server("127.0.8.3", "example.test.", &[]).await,
        ];
        let roots = vec![all[0].ip()];
        let directory = all.into_iter().fold(Directory::from_roots(roots), Directory::with_server);
        let zone = directory.zone_of(&d("new.example.test")).await.unwrap();
        assert_eq!(zone.name, d("example.test"));
        assert_eq!(zone.servers, [Server { name: d("ns.example.test"), address: all[2] }]);
        let answers = directory.look(&d("new.example.test"), Kind::A).await.unwrap();
        assert_eq!(answers.len(), 1);
        // A server known by its name alone is looked up on the way; it does not serve the zone here.
        let no_answer = |name: &str| Err(Unasked::NoAnswer(d(name)));
        assert_eq!(directory.zone_of(&d("a.other.test")).await, no_answer("a.other.test"));
        // One that would need itself to be found, one that leads to itself, and one that leads up.
        assert_eq!(directory.zone_of(&d("a.loop")).await, no_answer("a.loop"));
        assert_eq!(directory.zone_of(&d("a.lame.test")).await, no_answer("a.lame.test"));
        assert_eq!(directory.zone_of(&d("a.up")).await, no_answer("a.up"));
        assert_eq!(directory.zone_of(&d("a.nowhere")).await, Err(Unasked::NoZone(d("a.nowhere"))));
        let nobody = Directory::from_roots(vec!["127.0.8.9".parse().unwrap()]);
        assert_eq!(nobody.zone_of(&d("a.test")).await, Err(Unasked::NoRoot));
    }
}
