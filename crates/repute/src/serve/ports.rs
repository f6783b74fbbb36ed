//! The listening sockets: handed over by systemd, or bound here.
//!
//! A handed socket belongs to the configured listener of its port, or of the kind that its
//! name says (`FileDescriptorName=submission`); one that belongs to none is an error, for
//! somebody meant it to be served.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context as _;
use listenfd::ListenFd;
use socket2::{Domain as Family, Protocol, Socket, Type};

use crate::config::meant::{Listener, ListenerKind};

/// Connections that wait to be accepted; a burst of clients is not turned away.
const BACKLOG: i32 = 1024;

pub struct Port {
    pub kind: ListenerKind,
    pub proxy_from: Vec<IpAddr>,
    /// What it is bound to, the port no longer 0.
    pub address: SocketAddr,
    pub socket: TcpListener,
}

/// Opens every listener's socket; none stays open where one fails.
pub fn open(listeners: &[Listener]) -> anyhow::Result<Vec<Port>> {
    let mut handed = handed_over()?;
    let mut ports = Vec::new();
    for listener in listeners {
        let fits = |h: &Handed| match &h.name {
            Some(name) if name == listener.kind.as_str() => true,
            _ => h.address.port() == listener.address.port(),
        };
        let socket = match handed.iter().position(fits) {
            Some(i) => handed.swap_remove(i).socket,
            None => bind(listener, listeners)?,
        };
        let address = socket.local_addr().context("a socket has no address")?;
        ports.push(Port { kind: listener.kind, proxy_from: listener.proxy_from.clone(), address, socket });
    }
    if let Some(over) = handed.first() {
        anyhow::bail!("systemd handed over a socket on {}, and no [[listener]] has that port or name", over.address);
    }
    Ok(ports)
}

struct Handed {
    name: Option<String>,
    address: SocketAddr,
    socket: TcpListener,
}

fn handed_over() -> anyhow::Result<Vec<Handed>> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let names: Vec<&str> = names.split(':').collect();
    let mut sockets = ListenFd::from_env();
    let mut handed = Vec::new();
    for i in 0..sockets.len() {
        let socket = sockets.take_tcp_listener(i).context("systemd handed over a socket that is not a TCP listener")?;
        if let Some(socket) = socket {
            let address = socket.local_addr().context("a handed socket has no address")?;
            let name = names.get(i).filter(|n| !n.is_empty()).map(|n| (*n).to_owned());
            handed.push(Handed { name, address, socket });
        }
    }
    Ok(handed)
}

fn bind(listener: &Listener, all: &[Listener]) -> anyhow::Result<TcpListener> {
    let address = listener.address;
    let everywhere = address.ip() == IpAddr::from(std::net::Ipv6Addr::UNSPECIFIED);
    // `[::]` takes IPv4 too, unless another listener has the port there.
    let v4_taken = all.iter().any(|l| l.address.is_ipv4() && l.address.port() == address.port() && address.port() != 0);
    match try_bind(address, v4_taken) {
        Err(error) if everywhere && error.raw_os_error() == Some(nix::errno::Errno::EAFNOSUPPORT as i32) => {
            // A machine without IPv6.
            let v4 = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
            try_bind(v4, false).map_err(|e| explain(&e, v4))
        }
        bound => bound.map_err(|e| explain(&e, address)),
    }
}

fn try_bind(address: SocketAddr, only_v6: bool) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Family::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn explain(error: &std::io::Error, address: SocketAddr) -> anyhow::Error {
    use std::io::ErrorKind;
    let port = address.port();
    match error.kind() {
        ErrorKind::PermissionDenied => anyhow::anyhow!(
            "port {port} may not be bound by this user: start as root, give AmbientCapabilities=CAP_NET_BIND_SERVICE, \
             or let systemd hand the socket over"
        ),
        ErrorKind::AddrInUse => {
            anyhow::anyhow!("{address} is in use by another program: `ss -ltnp sport = :{port}` names it")
        }
        ErrorKind::AddrNotAvailable => {
            anyhow::anyhow!("this machine has no address {}: correct it in [[listener]]", address.ip())
        }
        _ => anyhow::anyhow!("{address} cannot be listened on: {error}"),
    }
}
