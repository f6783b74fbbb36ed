//! The strict fake of the door: a network in memory.
//!
//! Promise: only addresses that a test named can be connected to. An unexpected one is
//! refused, remembered, and fails the test when the network is dropped unless it was asked
//! about by [`MemoryNetwork::unexpected`]. An address of which it was said that it is silent
//! lets every connection time out, in tokio's time.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use crate::{BoxFuture, ConnectError, ConnectKind, Network, Stream, TlsClient};

/// What a pipe holds before its writer waits: about what a socket does.
const PIPE: usize = 64 << 10;
/// Connections that wait to be accepted; beyond it they are refused, as by a full backlog.
const BACKLOG: usize = 1024;

pub struct MemoryNetwork {
    tls: TlsClient,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    hosts: HashMap<SocketAddr, Host>,
    /// `None`: every source is there.
    sources: Option<Vec<IpAddr>>,
    unexpected: Vec<SocketAddr>,
}

enum Host {
    Listens(mpsc::Sender<Incoming>),
    Fails(ConnectKind),
}

/// The far end of a connection.
#[derive(Debug)]
pub struct Incoming {
    pub stream: DuplexStream,
    /// The address it comes from, where the client chose one.
    pub from: Option<IpAddr>,
}

/// Hands out connections to one address; dropping it refuses further ones.
#[derive(Debug)]
pub struct Listener(mpsc::Receiver<Incoming>);

impl Listener {
    /// The next connection; `None` where the network is gone.
    pub async fn accept(&mut self) -> Option<Incoming> {
        self.0.recv().await
    }
}

impl MemoryNetwork {
    pub fn new(tls: TlsClient) -> MemoryNetwork {
        MemoryNetwork { tls, inner: Mutex::default() }
    }

    /// From now on connections to `address` come to the listener.
    pub fn listen(&self, address: SocketAddr) -> Listener {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        self.inner().hosts.insert(address, Host::Listens(sender));
        Listener(receiver)
    }

    /// From now on connections to `address` fail; with `TimedOut` after the whole time.
    pub fn fail(&self, address: SocketAddr, kind: ConnectKind) {
        self.inner().hosts.insert(address, Host::Fails(kind));
    }

    /// From now on connections can be made from these addresses alone.
    pub fn only_from(&self, sources: &[IpAddr]) {
        self.inner().sources = Some(sources.to_vec());
    }

    /// Addresses that were connected to and not expected; asking takes them off the list.
    pub fn unexpected(&self) -> Vec<SocketAddr> {
        std::mem::take(&mut self.inner().unexpected)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect_now(&self, to: SocketAddr, from: Option<IpAddr>) -> Result<Stream, ConnectKind> {
        let mut inner = self.inner();
        let family = |ip: IpAddr| ip.is_ipv4() == to.is_ipv4();
        let has = |ip: IpAddr| inner.sources.as_ref().is_none_or(|s| s.contains(&ip));
        if from.is_some_and(|ip| !family(ip) || !has(ip)) {
            return Err(ConnectKind::SourceUnavailable);
        }
        match inner.hosts.get(&to) {
            None => {
                inner.unexpected.push(to);
                Err(ConnectKind::Refused)
            }
            Some(Host::Fails(kind)) => Err(*kind),
            Some(Host::Listens(sender)) => {
                let (ours, theirs) = tokio::io::duplex(PIPE);
                let incoming = Incoming { stream: theirs, from };
                sender.try_send(incoming).map_err(|_| ConnectKind::Refused)?;
                Ok(Stream::memory(ours, from))
            }
        }
    }
}

impl Network for MemoryNetwork {
    fn connect(
        &self,
        to: SocketAddr,
        from: Option<IpAddr>,
        within: Duration,
    ) -> BoxFuture<'_, Result<Stream, ConnectError>> {
        Box::pin(async move {
            let made = self.connect_now(to, from);
            if let Err(ConnectKind::TimedOut) = made {
                tokio::time::sleep(within).await;
            }
            made.map_err(|kind| ConnectError { kind, text: format!("no connection to {to}: {kind:?}, in memory") })
        })
    }

    fn tls(&self) -> &TlsClient {
        &self.tls
    }
}

impl Drop for MemoryNetwork {
    fn drop(&mut self) {
        let unexpected = self.unexpected();
        if !std::thread::panicking() {
            assert!(unexpected.is_empty(), "did not expect to connect to {unexpected:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const HOST: &str = "192.0.2.1:25";

    fn network() -> MemoryNetwork {
        MemoryNetwork::new(TlsClient::without_roots())
    }

    async fn connect(network: &MemoryNetwork, from: Option<&str>) -> Result<Stream, ConnectKind> {
        let from = from.map(|a| a.parse().unwrap());
        network.connect(HOST.parse().unwrap(), from, Duration::from_secs(30)).await.map_err(|e| e.kind)
    }

    #[tokio::test]
    async fn octets_go_through() {
        let network = network();
        let mut listener = network.listen(HOST.parse().unwrap());
        let mut ours = connect(&network, Some("192.0.2.9")).await.unwrap();
        assert_eq!(ours.local_address(), Some("192.0.2.9".parse().unwrap()));
        let mut theirs = listener.accept().await.unwrap();
        assert_eq!(theirs.from, ours.local_address());
        ours.write_all(b"hello").await.unwrap();
        drop(ours);
        let mut heard = String::new();
        theirs.stream.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "hello");
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_fails_in_its_way() {
        let network = network();
        assert_eq!(connect(&network, None).await.unwrap_err(), ConnectKind::Refused);
        assert_eq!(network.unexpected(), [HOST.parse().unwrap()]);
        network.fail(HOST.parse().unwrap(), ConnectKind::TimedOut);
        let start = tokio::time::Instant::now();
        assert_eq!(connect(&network, None).await.unwrap_err(), ConnectKind::TimedOut);
        assert_eq!(start.elapsed(), Duration::from_secs(30));
        network.only_from(&["192.0.2.9".parse().unwrap()]);
        assert_eq!(connect(&network, Some("192.0.2.8")).await.unwrap_err(), ConnectKind::SourceUnavailable);
        assert_eq!(connect(&network, Some("2001:db8::1")).await.unwrap_err(), ConnectKind::SourceUnavailable);
    }

    #[tokio::test]
    #[should_panic(expected = "did not expect to connect")]
    async fn an_unexpected_connection_fails_the_test() {
        let _ = connect(&network(), None).await;
    }
}
