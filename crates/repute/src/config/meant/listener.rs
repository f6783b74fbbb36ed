//! Where mail comes in.

use std::net::{IpAddr, SocketAddr};

use super::domain::SendingDomain;
use super::{Checking, ListenerKind, typed};
use crate::config::value::Socket;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub kind: ListenerKind,
    pub address: SocketAddr,
    /// Clients whose PROXY v2 header is demanded and believed.
    pub proxy_from: Vec<IpAddr>,
}

impl ListenerKind {
    pub fn as_str(self) -> &'static str {
        match self {
            ListenerKind::Submission => "submission",
            ListenerKind::Submissions => "submissions",
            ListenerKind::Return => "return",
            ListenerKind::Http => "http",
            ListenerKind::Https => "https",
        }
    }

    /// RFC 6409, RFC 8314, RFC 5321; for HTTP without TLS the usual one of those who may not bind 80.
    pub fn port(self) -> u16 {
        match self {
            ListenerKind::Submission => 587,
            ListenerKind::Submissions => 465,
            ListenerKind::Return => 25,
            ListenerKind::Http => 8080,
            ListenerKind::Https => 443,
        }
    }
}

pub fn check(c: &mut Checking, typed: Vec<typed::Listener>, domains: &[SendingDomain]) -> Vec<Listener> {
    if typed.is_empty() {
        return usual(domains);
    }
    let mut listeners: Vec<Listener> = Vec::new();
    for one in typed {
        let proxy_from = one.proxy_from;
        for address in one.address {
            let (span, socket) = (address.span(), address.get_ref().0);
            let address = socket.with_port(one.kind.port());
            if address.port() != 0 && listeners.iter().any(|l| l.address == address) {
                c.fault(span, format!("two listeners share {address}"), "give one of them another port");
            }
            listeners.push(Listener { kind: one.kind, address, proxy_from: proxy_from.clone() });
        }
    }
    listeners
}

/// What listens where nothing is said.
fn usual(domains: &[SendingDomain]) -> Vec<Listener> {
    let everywhere = Socket { address: std::net::Ipv6Addr::UNSPECIFIED.into(), port: None };
    let mut kinds = vec![ListenerKind::Submission, ListenerKind::Submissions];
    if domains.iter().any(|d| d.return_path.is_some()) {
        kinds.push(ListenerKind::Return);
    }
    let listener =
        |kind: ListenerKind| Listener { kind, address: everywhere.with_port(kind.port()), proxy_from: Vec::new() };
    kinds.into_iter().map(listener).collect()
}
