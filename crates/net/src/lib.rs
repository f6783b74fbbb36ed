//! Sockets and TLS as everything above sees them: the door [`Network`], its real side
//! [`TcpNetwork`] and its strict fake [`MemoryNetwork`].
//!
//! Promise: a connection leaves from the source address that was asked for or not at all;
//! why it could not be made is a kind ([`ConnectKind`]), never a text to be searched. TLS says
//! whether the certificate would stand verification, also where nobody insists on it.
//! This crate knows nothing of mail.

pub mod accept;
mod connect;
mod memory;
pub mod seats;
mod stream;
pub mod tls;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

pub use connect::TcpNetwork;
pub use memory::{Incoming, Listener, MemoryNetwork};
pub use stream::Stream;
pub use tls::{CertificateFault, TlsClient, TlsError, TlsPolicy};

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a connection could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectKind {
    Refused,
    TimedOut,
    /// No way to that network or host.
    Unreachable,
    /// The source address is not on this machine, or of the other family.
    SourceUnavailable,
    /// This process, or machine, can open no more sockets: nothing is known of the other side.
    NoSockets,
    Reset,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ConnectError {
    pub kind: ConnectKind,
    /// One sentence for people.
    pub text: String,
}

/// The door through which connections are made.
pub trait Network: Send + Sync + 'static {
    /// Connects to `to` from the address `from` (`None`: the operating system chooses), within
    /// a time.
    fn connect(
        &self,
        to: SocketAddr,
        from: Option<IpAddr>,
        within: Duration,
    ) -> BoxFuture<'_, Result<Stream, ConnectError>>;

    /// The client's side of TLS, for streams of this network.
    fn tls(&self) -> &TlsClient;
}
