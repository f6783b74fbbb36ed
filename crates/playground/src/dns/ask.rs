//! One question to one name server over UDP, for names that resolvers answer by themselves:
//! RFC 6761 has them say `localhost` for every reverse name in 127/8, where the playground
//! gives each address its own.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// A name server on loopback answers at once; some more for a machine under load.
const PATIENCE: Duration = Duration::from_millis(700);
/// A burst of questions overflows the server's socket: what is lost is asked again.
const TRIES: u32 = 4;

/// The response code and the data of the records of this type; an error where nobody answers.
pub async fn ask(server: SocketAddr, owner: Name, kind: RecordType) -> io::Result<(ResponseCode, Vec<RData>)> {
    let mut question = Message::query();
    question.add_query(Query::query(owner, kind));
    // A key of 2,048 bits does not fit into the 512 octets of old.
    let mut edns = Edns::new();
    edns.set_max_payload(4096);
    question.set_edns(edns);
    let octets = question.to_vec().map_err(io::Error::other)?;
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(&octets).await?;
    let mut buffer = [0; 4096];
    let mut tries = 1;
    loop {
        let length = match timeout(PATIENCE, socket.recv(&mut buffer)).await {
            Ok(length) => length?,
            Err(_) if tries < TRIES => {
                tries += 1;
                socket.send(&octets).await?;
                continue;
            }
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        };
        let reply = Message::from_vec(&buffer[..length]).map_err(io::Error::other)?;
        if reply.metadata.id != question.metadata.id {
            continue;
        }
        let data = reply.answers.into_iter().filter(|r| r.record_type() == kind).map(|r| r.data);
        return Ok((reply.metadata.response_code, data.collect()));
    }
}
