//! Questions to one authoritative server, over UDP and TCP on loopback: authority, lameness
//! and silence are told apart.

#![allow(clippy::unwrap_used, reason = "what cannot be set up has failed")]

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{CNAME, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use repute_dns::{Data, DnsSettings, HickoryResolver, Inspect, Kind, Lookup, Said};
use repute_types::Domain;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

async fn start() -> SocketAddr {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let udp = UdpSocket::bind(address).await.unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        loop {
            let (length, from) = udp.recv_from(&mut buffer).await.unwrap();
            if let Some(reply) = answer(&buffer[..length], true) {
                udp.send_to(&reply, from).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = tcp.accept().await.unwrap();
            let length = socket.read_u16().await.unwrap();
            let mut question = vec![0; length.into()];
            socket.read_exact(&mut question).await.unwrap();
            let reply = answer(&question, false).unwrap();
            socket.write_u16(reply.len() as u16).await.unwrap();
            socket.write_all(&reply).await.unwrap();
        }
    });
    address
}

/// By the first label of the name.
fn answer(octets: &[u8], udp: bool) -> Option<Vec<u8>> {
    let question = Message::from_vec(octets).unwrap();
    assert!(!question.metadata.recursion_desired, "an authoritative server is not asked to recurse");
    let query = question.queries[0].clone();
    let label = query.name().to_string().split('.').next().unwrap().to_owned();
    let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
    reply.metadata.authoritative = true;
    let text = |text: &str| Record::from_rdata(query.name().clone(), 77, RData::TXT(TXT::new(vec![text.into()])));
    match label.as_str() {
        "good" => reply.answers.push(text("yes")),
        "big" if udp => reply.metadata.truncation = true,
        "big" => reply.answers.push(text("over TCP")),
        "refused" => reply.metadata.response_code = ResponseCode::Refused,
        "cached" => {
            reply.metadata.authoritative = false;
            reply.answers.push(text("from elsewhere"));
        }
        "broken" => reply.metadata.response_code = ResponseCode::ServFail,
        "alias" => {
            let target = CNAME(Name::from_ascii("far.example.").unwrap());
            reply.answers.push(Record::from_rdata(query.name().clone(), 5, RData::CNAME(target)));
        }
        "gone" => reply.metadata.response_code = ResponseCode::NXDomain,
        "empty" => {}
        _ => return None,
    }
    assert_eq!(query.query_type(), RecordType::TXT);
    reply.add_query(query);
    Some(reply.to_vec().unwrap())
}

async fn ask(label: &str) -> Said {
    let server = start().await;
    let settings = DnsSettings { servers: vec![server], timeout: Duration::from_millis(200), ..DnsSettings::default() };
    let resolver = HickoryResolver::new(&settings).unwrap().with_direct_port(server.port());
    resolver.ask(server.ip(), &Domain::parse(&format!("{label}.example")).unwrap(), Kind::Txt).await
}

async fn check_found(label: &str, expected: Data, seconds: u64) {
    match ask(label).await {
        Said::Answered(Lookup::Found(found)) => {
            assert_eq!((found.items, found.ttl), (vec![expected], Duration::from_secs(seconds)), "{label}");
        }
        other => panic!("{label}: {other:?}"),
    }
}

#[tokio::test]
async fn answers_with_authority_are_taken() {
    check_found("good", Data::Text(b"yes".to_vec()), 77).await;
    check_found("big", Data::Text(b"over TCP".to_vec()), 77).await;
    check_found("alias", Data::Alias(Domain::parse("far.example").unwrap()), 5).await;
    assert_eq!(ask("gone").await, Said::Answered(Lookup::NoName { authentic: false }));
    assert_eq!(ask("empty").await, Said::Answered(Lookup::NoData { authentic: false }));
}

#[tokio::test]
async fn a_server_without_a_say_is_lame_and_a_silent_one_unknown() {
    assert!(matches!(ask("refused").await, Said::Lame(_)));
    assert!(matches!(ask("cached").await, Said::Lame(_)));
    assert!(matches!(ask("broken").await, Said::Answered(Lookup::Failure(_))));
    assert!(matches!(ask("silent").await, Said::Answered(Lookup::NoAnswer(_))));
}
