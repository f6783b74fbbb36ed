//! The sockets of the name server: UDP, and TCP on the same port for what is too long.
//!
//! Bounds: 256 TCP connections and 1,024 delayed answers at once; beyond it the newest wait
//! or are not answered, as with a busy server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::zones::{Said, Zones};

/// Octets of an answer over UDP: what passes every path unfragmented (DNS flag day 2020).
pub(crate) const UDP_MOST: u16 = 1232;
/// Without EDNS (RFC 1035 §4.2.1).
const UDP_PLAIN_MOST: u16 = 512;
const CONNECTIONS_MOST: usize = 256;
const DELAYED_MOST: usize = 1024;
/// RFC 7766 §6.2.3 leaves it to the server; some seconds are usual.
const IDLE: Duration = Duration::from_secs(10);

/// A running name server; dropping it stops it.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    zones: Zones,
    _tasks: JoinSet<()>,
}

impl DnsServer {
    /// Binds UDP and TCP on the same port; port 0 is one of the machine's choice.
    pub async fn start(address: SocketAddr, zones: Zones) -> io::Result<DnsServer> {
        let (udp, tcp) = bind_both(address).await?;
        let address = udp.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(Arc::new(udp), zones.clone()));
        tasks.spawn(serve_tcp(tcp, zones.clone()));
        Ok(DnsServer { address, zones, _tasks: tasks })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn zones(&self) -> &Zones {
        &self.zones
    }
}

/// A port that is free for TCP can be taken for UDP; then another is tried.
async fn bind_both(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = if address.port() == 0 { 20 } else { 1 };
    loop {
        let tcp = TcpListener::bind(address).await?;
        tries -= 1;
        match UdpSocket::bind(tcp.local_addr()?).await {
            Ok(udp) => return Ok((udp, tcp)),
            Err(e) if tries == 0 => return Err(e),
            Err(_) => {}
        }
    }
}

async fn serve_udp(socket: Arc<UdpSocket>, zones: Zones) {
    let mut buffer = [0; 4096];
    let mut delayed = JoinSet::new();
    loop {
        while delayed.try_join_next().is_some() {}
        // An error here belongs to an earlier answer (its asker is gone): the next is served.
        let Ok((length, asker)) = socket.recv_from(&mut buffer).await else { continue };
        let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
        let Some(said) = zones.reply(&question) else { continue };
        let after = said.after;
        let Some(octets) = udp_octets(&question, said) else { continue };
        if after.is_zero() {
            let _ = socket.send_to(&octets, asker).await;
        } else if delayed.len() < DELAYED_MOST {
            let socket = socket.clone();
            delayed.spawn(async move {
                tokio::time::sleep(after).await;
                let _ = socket.send_to(&octets, asker).await;
            });
        }
    }
}

fn udp_octets(question: &Message, said: Said) -> Option<Vec<u8>> {
    let octets = said.message.to_vec().ok()?;
    let theirs = question.edns.as_ref().map_or(UDP_PLAIN_MOST, |e| e.max_payload());
    let most = theirs.clamp(UDP_PLAIN_MOST, UDP_MOST);
    if octets.len() <= usize::from(most) { Some(octets) } else { said.message.truncate().to_vec().ok() }
}

async fn serve_tcp(listener: TcpListener, zones: Zones) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MOST));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, _)) => {
                let zones = zones.clone();
                connections.spawn(async move {
                    // A connection that breaks concerns its asker alone.
                    let _ = serve_connection(socket, zones).await;
                    drop(place);
                });
            }
            // Out of descriptors: it helps to wait.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve_connection(mut socket: TcpStream, zones: Zones) -> io::Result<()> {
    socket.set_nodelay(true)?;
    loop {
        let length = match timeout(IDLE, socket.read_u16()).await {
            Ok(Ok(length)) => usize::from(length),
            _ => return Ok(()),
        };
        let mut octets = vec![0; length];
        timeout(IDLE, socket.read_exact(&mut octets)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        let question = Message::from_vec(&octets).map_err(io::Error::other)?;
        let Some(said) = zones.reply(&question) else { continue };
        tokio::time::sleep(said.after).await;
        let reply = said.message.to_vec().map_err(io::Error::other)?;
        let length = u16::try_from(reply.len()).map_err(io::Error::other)?;
        let framed = [&length.to_be_bytes()[..], &reply].concat();
        timeout(IDLE, socket.write_all(&framed)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    }
}
