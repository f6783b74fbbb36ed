//! Real sockets and real TLS on loopback.

#![allow(clippy::unwrap_used, reason = "what cannot be set up has failed")]

use std::net::SocketAddr;
use std::time::Duration;

use repute_net::{ConnectKind, Network, Stream, TcpNetwork, TlsClient, TlsPolicy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const PATIENCE: Duration = Duration::from_secs(5);

fn network() -> TcpNetwork {
    TcpNetwork::new(TlsClient::without_roots())
}

async fn connect(to: SocketAddr, from: Option<&str>) -> Result<Stream, ConnectKind> {
    let from = from.map(|a| a.parse().unwrap());
    network().connect(to, from, PATIENCE).await.map_err(|e| e.kind)
}

#[tokio::test]
async fn a_connection_leaves_from_the_address_it_is_told_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let ours = connect(to, Some("127.0.0.7")).await.unwrap();
    let (_, from) = listener.accept().await.unwrap();
    assert_eq!(from.ip().to_string(), "127.0.0.7");
    assert_eq!(ours.local_address(), Some(from.ip()));
}

#[tokio::test]
async fn why_it_cannot_be_made_is_a_kind() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    assert_eq!(connect(to, Some("198.51.100.1")).await.unwrap_err(), ConnectKind::SourceUnavailable);
    assert_eq!(connect(to, Some("::1")).await.unwrap_err(), ConnectKind::SourceUnavailable);
    drop(listener);
    assert_eq!(connect(to, None).await.unwrap_err(), ConnectKind::Refused);
}

#[tokio::test]
async fn a_session_is_made_verified_and_resumed() {
    let (config, certificate) = repute_testkit::tls::server_config_and_certificate(&["localhost"]);
    let roots = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(roots.path(), certificate).unwrap();
    let acceptor = TlsAcceptor::from(config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let mut kinds = Vec::new();
        for _ in 0..4 {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(mut session) = acceptor.accept(socket).await else {
                kinds.push(None);
                continue;
            };
            kinds.push(session.get_ref().1.handshake_kind());
            let mut heard = [0; 5];
            session.read_exact(&mut heard).await.unwrap();
            session.write_all(&heard).await.unwrap();
            session.shutdown().await.unwrap();
        }
        kinds
    });
    // A self-signed certificate is its own authority.
    let trusting = TcpNetwork::new(TlsClient::with_roots_from(roots.path()).unwrap());
    let strangers = network();
    for (network, name, policy, expected) in [
        (&trusting, "localhost", TlsPolicy::Verified, Some(true)),
        (&trusting, "localhost", TlsPolicy::Verified, Some(true)),
        (&trusting, "other.test", TlsPolicy::Verified, None),
        (&strangers, "localhost", TlsPolicy::Opportunistic, Some(false)),
    ] {
        let stream = network.connect(to, None, PATIENCE).await.unwrap();
        let started = network.tls().start(stream, name, policy).await;
        assert_eq!(started.as_ref().ok().map(|(_, used)| used.verified), expected, "{name}");
        let Ok((mut stream, used)) = started else { continue };
        assert_eq!(used.version, "TLSv1.3");
        assert!(used.cipher.starts_with("TLS13_"), "{used:?}");
        assert_eq!(stream.local_address(), Some(to.ip()));
        stream.write_all(b"hello").await.unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "hello");
    }
    use rustls::HandshakeKind::Resumed;
    let kinds = server.await.unwrap();
    assert_ne!(kinds[0], Some(Resumed));
    assert_eq!(kinds[1], Some(Resumed));
    assert_eq!(kinds[2], None);
    assert_ne!(kinds[3], Some(Resumed));
}

#[test]
fn what_is_wrong_with_a_file_of_trust_anchors_is_said() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "nothing\n").unwrap();
    let error = TlsClient::with_roots_from(file.path()).unwrap_err();
    assert!(error.to_string().contains("holds no usable certificate"), "{error}");
    let missing = file.path().with_extension("missing");
    let error = TlsClient::with_roots_from(&missing).unwrap_err();
    assert!(error.to_string().contains("no trust anchors could be read"), "{error}");
}
