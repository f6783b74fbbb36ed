//! One question to one server: UDP, then TCP where the answer does not fit (RFC 1035 §4.2,
//! RFC 7766 §5).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, Query};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// How long one packet is waited for, and how often it is sent: resolvers do the same.
const PATIENCE: Duration = Duration::from_secs(2);
const TRIES: usize = 2;
/// For a whole conversation over TCP.
const TCP_DEADLINE: Duration = Duration::from_secs(5);
/// An answer of this size is not fragmented on any usual path (DNS flag day 2020).
const PAYLOAD: u16 = 1232;

/// A question for one record type.
pub fn question(name: Name, kind: RecordType, recursive: bool) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = recursive;
    message.add_query(Query::query(name, kind));
    message.edns.get_or_insert_with(Edns::new).set_max_payload(PAYLOAD);
    message
}

/// The answer, whole.
pub async fn exchange(server: SocketAddr, question: &Message) -> io::Result<Message> {
    let octets = question.to_vec().map_err(io::Error::other)?;
    for _ in 0..TRIES {
        match timeout(PATIENCE, by_udp(server, &octets, question)).await {
            Ok(answer) => {
                let answer = answer?;
                if !answer.metadata.truncation {
                    return Ok(answer);
                }
                break;
            }
            Err(_) => continue,
        }
    }
    // Cut off, or the packets are swallowed: TCP says which.
    let answer = by_tcp(server, &octets).await?;
    let answer = Message::from_vec(&answer).map_err(io::Error::other)?;
    if answers(&answer, question) { Ok(answer) } else { Err(io::Error::other("the answer is to another question")) }
}

/// One message there and one back over TCP, each with its length before it.
pub async fn by_tcp(server: SocketAddr, octets: &[u8]) -> io::Result<Vec<u8>> {
    let conversation = async {
        let mut stream = TcpStream::connect(server).await?;
        let length = u16::try_from(octets.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes(), octets].concat()).await?;
        let length = stream.read_u16().await?;
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    };
    match timeout(TCP_DEADLINE, conversation).await {
        Ok(answer) => answer,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn by_udp(server: SocketAddr, octets: &[u8], question: &Message) -> io::Result<Message> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    // Connected, so that packets from elsewhere are not even seen.
    socket.connect(server).await?;
    socket.send(octets).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut buffer).await?;
        match Message::from_vec(&buffer[..length]) {
            Ok(answer) if answers(&answer, question) => return Ok(answer),
            // A late or forged one: the right one may still come.
            _ => {}
        }
    }
}

/// Whether it is the answer to this question (RFC 5452 §9.1).
fn answers(answer: &Message, question: &Message) -> bool {
    answer.metadata.id == question.metadata.id
        && answer.metadata.message_type == MessageType::Response
        && (answer.queries == question.queries || answer.queries.is_empty())
}
