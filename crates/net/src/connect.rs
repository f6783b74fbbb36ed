//! The real side of the door: TCP from a source address.
//!
//! Known limit: with a source address a port is taken from the machine's ephemeral range when
//! the socket is bound, so there are about 28,000 connections per source address at once.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use repute_types::files;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::{BoxFuture, ConnectError, ConnectKind, Network, Stream, TlsClient};

/// TCP as the operating system has it.
#[derive(Debug)]
pub struct TcpNetwork {
    tls: TlsClient,
}

impl TcpNetwork {
    pub fn new(tls: TlsClient) -> TcpNetwork {
        TcpNetwork { tls }
    }
}

impl Network for TcpNetwork {
    fn connect(
        &self,
        to: SocketAddr,
        from: Option<IpAddr>,
        within: Duration,
    ) -> BoxFuture<'_, Result<Stream, ConnectError>> {
        Box::pin(async move {
            let socket = open(to, from)?;
            match timeout(within, socket.connect(to)).await {
                Ok(Ok(tcp)) => ready(tcp).map_err(|e| failed(to, &e)),
                Ok(Err(e)) => Err(failed(to, &e)),
                Err(_) => {
                    let text = format!("no connection to {to} within {} s", within.as_secs());
                    Err(ConnectError { kind: ConnectKind::TimedOut, text })
                }
            }
        })
    }

    fn tls(&self) -> &TlsClient {
        &self.tls
    }
}

fn open(to: SocketAddr, from: Option<IpAddr>) -> Result<TcpSocket, ConnectError> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket.map_err(|e| not_opened(to, &e))?;
    if let Some(from) = from {
        let unavailable = |why: &dyn std::fmt::Display| ConnectError {
            kind: ConnectKind::SourceUnavailable,
            text: format!(
                "cannot send from {from} to {to} ({why}): give this machine the address, or change [[egress]]"
            ),
        };
        if from.is_ipv4() != to.is_ipv4() {
            return Err(unavailable(&"one is IPv4 and the other IPv6"));
        }
        socket.bind(SocketAddr::new(from, 0)).map_err(|e| unavailable(&e))?;
    }
    Ok(socket)
}

fn ready(tcp: TcpStream) -> io::Result<Stream> {
    // Commands are written whole; waiting for more to send would only add a round trip.
    tcp.set_nodelay(true)?;
    Ok(Stream::from(tcp))
}

/// Before anything was sent: where no more files may be open, that is no word about the other side.
fn not_opened(to: SocketAddr, error: &io::Error) -> ConnectError {
    if !files::are_used_up(error) {
        return failed(to, error);
    }
    let text = format!("this server can open no connection to {to} ({error}): {}", files::LET_OPEN_MORE);
    ConnectError { kind: ConnectKind::NoSockets, text }
}

fn failed(to: SocketAddr, error: &io::Error) -> ConnectError {
    let kind = match error.kind() {
        io::ErrorKind::ConnectionRefused => ConnectKind::Refused,
        io::ErrorKind::TimedOut => ConnectKind::TimedOut,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkDown => {
            ConnectKind::Unreachable
        }
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => ConnectKind::SourceUnavailable,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => ConnectKind::Reset,
        _ => ConnectKind::Other,
    };
    ConnectError { kind, text: format!("no connection to {to}: {error}") }
}
