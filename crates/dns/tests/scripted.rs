//! The resolver against a small name server over UDP and TCP on loopback: each kind of answer
//! is told apart, and kept for its time.

#![allow(clippy::unwrap_used, reason = "what cannot be set up has failed")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, MX, NS, PTR, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use repute_dns::{DnsSettings, Exchange, HickoryResolver, Lookup, Mx, Records, Resolver};
use repute_types::Domain;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// Answers by the first label of the name.
struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Server {
    async fn start() -> Server {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let udp = UdpSocket::bind(address).await.unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 2048];
            loop {
                let (length, from) = udp.recv_from(&mut buffer).await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                if let Some(reply) = answer(&buffer[..length], true) {
                    udp.send_to(&reply, from).await.unwrap();
                }
            }
        });
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = tcp.accept().await.unwrap();
                tokio::spawn(async move {
                    while let Ok(length) = socket.read_u16().await {
                        let mut question = vec![0; length.into()];
                        socket.read_exact(&mut question).await.unwrap();
                        let Some(reply) = answer(&question, false) else { return };
                        socket.write_u16(reply.len() as u16).await.unwrap();
                        socket.write_all(&reply).await.unwrap();
                    }
                });
            }
        });
        Server { address, asked }
    }

    fn resolver(&self) -> HickoryResolver {
        HickoryResolver::new(&DnsSettings {
            servers: vec![self.address],
            timeout: Duration::from_millis(300),
            attempts: 0,
            ..DnsSettings::default()
        })
        .unwrap()
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn soa() -> Record {
    let soa = SOA::new(name("ns.test."), name("root.test."), 1, 2, 3, 4, 60);
    Record::from_rdata(name("test."), 60, RData::SOA(soa))
}

fn answer(octets: &[u8], udp: bool) -> Option<Vec<u8>> {
    let question = Message::from_vec(octets).unwrap();
    let query = question.queries[0].clone();
    let (asked, kind) = (query.name().clone(), query.query_type());
    let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
    assert_eq!(question.metadata.message_type, MessageType::Query);
    reply.metadata.recursion_available = true;
    reply.add_query(query);
    let mut say = |owner: &Name, ttl, data| {
        reply.add_answer(Record::from_rdata(owner.clone(), ttl, data));
    };
    let mx = |preference, host: &str| RData::MX(MX::new(preference, name(host)));
    let label = asked.to_ascii().split('.').next().unwrap().to_ascii_lowercase();
    match (label.as_str(), kind) {
        ("two", RecordType::MX) => {
            say(&asked, 120, mx(10, "One.Test."));
            say(&asked, 90, mx(20, "other.test."));
        }
        ("null", RecordType::MX) => say(&asked, 60, mx(0, ".")),
        ("literal", RecordType::MX) => say(&asked, 60, mx(10, "192.0.2.1.")),
        ("mixed", RecordType::MX) => {
            say(&asked, 60, mx(10, "192.0.2.1."));
            say(&asked, 60, mx(20, "one.test."));
        }
        ("one" | "huge", RecordType::A) => {
            if label == "huge" && udp {
                reply.metadata.truncation = true;
            } else {
                say(&asked, 60, RData::A(A::new(192, 0, 2, 1)));
            }
        }
        ("alias", RecordType::A) => {
            say(&asked, 30, RData::CNAME(CNAME(name("one.test."))));
            say(&name("one.test."), 60, RData::A(A::new(192, 0, 2, 1)));
        }
        // Half an answer: the resolver has to ask on.
        ("half", RecordType::A) => say(&asked, 30, RData::CNAME(CNAME(name("one.test.")))),
        ("text", RecordType::TXT) => {
            say(&asked, 60, RData::TXT(TXT::new(vec!["v=spf1 ".into(), "-all".into()])));
        }
        ("1", RecordType::PTR) => say(&asked, 60, RData::PTR(PTR(name("mx.test.")))),
        ("servfail", _) => reply.metadata.response_code = ResponseCode::ServFail,
        ("refused", _) => reply.metadata.response_code = ResponseCode::Refused,
        ("silent", _) => return None,
        ("elsewhere", _) => {
            reply.add_authority(Record::from_rdata(name("test."), 60, RData::NS(NS(name("ns.test.")))));
        }
        ("two" | "one" | "text" | "null", _) => {
            reply.add_authority(soa());
        }
        _ => {
            reply.metadata.response_code = ResponseCode::NXDomain;
            reply.add_authority(soa());
        }
    }
    Some(reply.to_vec().unwrap())
}

fn d(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn found<T>(items: Vec<T>, seconds: u64) -> Lookup<T> {
    Lookup::Found(Records { items, authentic: false, ttl: Duration::from_secs(seconds) })
}

/// Times are rounded up to the second they are in.
fn rounded<T>(mut lookup: Lookup<T>) -> Lookup<T> {
    if let Lookup::Found(records) = &mut lookup {
        records.ttl = Duration::from_secs(records.ttl.as_secs_f64().ceil() as u64);
    }
    lookup
}

#[tokio::test]
async fn records_are_read_as_mail_needs_them() {
    let server = Server::start().await;
    let dns = server.resolver();
    let mx = |preference, exchange: &str| Mx { preference, exchange: Exchange::Host(d(exchange)) };
    let two = vec![mx(10, "one.test"), mx(20, "other.test")];
    let Lookup::Found(mut records) = rounded(dns.mx(&d("two.test")).await) else { panic!("no answer") };
    records.items.sort_by_key(|mx| mx.preference);
    assert_eq!((records.items, records.ttl), (two, Duration::from_secs(90)));
    assert_eq!(rounded(dns.mx(&d("null.test")).await), found(vec![Mx { preference: 0, exchange: Exchange::Null }], 60));
    let no_host = || Mx { preference: 10, exchange: Exchange::NoHost("192.0.2.1".into()) };
    assert_eq!(rounded(dns.mx(&d("literal.test")).await), found(vec![no_host()], 60));
    assert_eq!(rounded(dns.mx(&d("mixed.test")).await), found(vec![no_host(), mx(20, "one.test")], 60));
    assert_eq!(rounded(dns.a(&d("one.test")).await), found(vec![[192, 0, 2, 1].into()], 60));
    assert_eq!(rounded(dns.a(&d("alias.test")).await), found(vec![[192, 0, 2, 1].into()], 30));
    assert_eq!(rounded(dns.a(&d("half.test")).await), found(vec![[192, 0, 2, 1].into()], 30));
    assert_eq!(rounded(dns.txt(&d("text.test")).await), found(vec![b"v=spf1 -all".to_vec()], 60));
    assert_eq!(rounded(dns.ptr([192, 0, 2, 1].into()).await), found(vec![d("mx.test")], 60));
}

#[tokio::test]
async fn an_answer_too_long_for_udp_comes_by_tcp() {
    let server = Server::start().await;
    assert_eq!(rounded(server.resolver().a(&d("huge.test")).await), found(vec![[192, 0, 2, 1].into()], 60));
}

#[tokio::test]
async fn the_kinds_of_no_are_told_apart() {
    let server = Server::start().await;
    let dns = server.resolver();
    assert_eq!(dns.a(&d("nothing.test")).await, Lookup::NoName { authentic: false });
    assert_eq!(dns.aaaa(&d("one.test")).await, Lookup::NoData { authentic: false });
    for broken in ["servfail.test", "refused.test", "elsewhere.test"] {
        let got = dns.a(&d(broken)).await;
        assert!(matches!(got, Lookup::Failure(_)), "{broken}: {got:?}");
    }
    let got = dns.a(&d("silent.test")).await;
    assert!(matches!(got, Lookup::NoAnswer(_)), "{got:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_no_answer() {
    let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let settings = DnsSettings {
        servers: vec![address],
        timeout: Duration::from_millis(200),
        attempts: 0,
        ..DnsSettings::default()
    };
    let got = HickoryResolver::new(&settings).unwrap().a(&d("one.test")).await;
    assert!(matches!(got, Lookup::NoAnswer(_)), "{got:?}");
}

#[tokio::test]
async fn answers_are_kept_found_or_not_and_failures_are_not() {
    let server = Server::start().await;
    let dns = server.resolver();
    for (name, questions) in [("one.test", 1), ("nothing.test", 1), ("servfail.test", 2)] {
        dns.a(&d(name)).await;
        let once = server.asked();
        assert!(once >= 1, "{name}");
        dns.a(&d(name)).await;
        assert_eq!(once + server.asked() > 1, questions > 1, "{name}");
    }
}

/// Through a forwarder that drops DNSSEC records every domain looked forged, and all mail waited.
#[tokio::test]
async fn servers_that_drop_what_validation_needs_do_not_stop_the_mail() {
    let server = Server::start().await;
    let resolver = HickoryResolver::new(&DnsSettings {
        servers: vec![server.address],
        dnssec: true,
        timeout: Duration::from_millis(300),
        attempts: 0,
        ..DnsSettings::default()
    })
    .unwrap();
    let Lookup::Found(found) = resolver.mx(&Domain::parse("two.test").unwrap()).await else {
        panic!("the answer is taken as it came")
    };
    assert!(!found.authentic);
    assert!(!resolver.validates().await);
}
