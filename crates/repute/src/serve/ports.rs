//! The listening sockets: handed over by systemd, or bound here.
//!
//! A handed socket belongs to the configured listener of its address, of the kind that its
//! name says (`FileDescriptorName=submission`), or of its port, whichever fits best ([`Fit`]);
//! one that belongs to none is an error, for somebody meant it to be served.

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
    let mut given: Vec<Option<TcpListener>> = listeners.iter().map(|_| None).collect();
    // The best fits of all listeners first: a lesser one must not take what is another's.
    for wanted in [Fit::Address, Fit::NameAndPort, Fit::Name, Fit::Port] {
        for (listener, place) in listeners.iter().zip(&mut given).filter(|(_, place)| place.is_none()) {
            let found = handed.iter().position(|h| fit(h.name.as_deref(), h.address, listener) == Some(wanted));
            *place = found.map(|i| handed.remove(i).socket);
        }
    }
    let mut ports = Vec::new();
    for (listener, given) in listeners.iter().zip(given) {
        let socket = given.map_or_else(|| bind(listener, listeners), Ok)?;
        let address = socket.local_addr().context("a socket has no address")?;
        ports.push(Port { kind: listener.kind, proxy_from: listener.proxy_from.clone(), address, socket });
    }
    if let Some(over) = handed.first() {
        anyhow::bail!("systemd handed over a socket on {}, and no [[listener]] has that port or name", over.address);
    }
    Ok(ports)
}

/// Why a handed socket belongs to a listener, the best reason first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    Address,
    NameAndPort,
    Name,
    Port,
}

/// A name that is another kind's excludes the listener; any other (systemd gives that of the
/// unit) says nothing.
fn fit(name: Option<&str>, address: SocketAddr, listener: &Listener) -> Option<Fit> {
    use ListenerKind::{Http, Https, Return, Submission, Submissions};
    let kinds = [Submission, Submissions, Return, Http, Https];
    let named = name.and_then(|name| kinds.into_iter().find(|kind| kind.as_str() == name));
    let same_port = address.port() == listener.address.port();
    match named {
        Some(kind) if kind != listener.kind => None,
        _ if address == listener.address => Some(Fit::Address),
        Some(_) if same_port => Some(Fit::NameAndPort),
        Some(_) => Some(Fit::Name),
        None => same_port.then_some(Fit::Port),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handed_socket_goes_where_its_address_name_or_port_says() {
        let check = |name: Option<&str>, address: &str, expect: Option<Fit>| {
            let address_of = |text: &str| text.parse().unwrap();
            let kind = ListenerKind::Submission;
            let listener = Listener { kind, address: address_of("0.0.0.0:587"), proxy_from: Vec::new() };
            assert_eq!(fit(name, address_of(address), &listener), expect, "{name:?} {address}");
        };
        check(Some("repute.socket"), "0.0.0.0:587", Some(Fit::Address));
        check(Some("submission"), "[::]:587", Some(Fit::NameAndPort));
        check(Some("submission"), "[::]:2587", Some(Fit::Name));
        check(Some("repute.socket"), "[::]:587", Some(Fit::Port));
        check(None, "192.0.2.1:587", Some(Fit::Port));
        check(Some("return"), "0.0.0.0:587", None);
        check(Some("repute.socket"), "0.0.0.0:25", None);
    }
}
