//! The accept loop of a listener, its connections, and its end.
//!
//! HTTP/1.1 by hyper, over TLS or, on loopback and behind a proxy that the configuration names,
//! plain. A request with both Transfer-Encoding and Content-Length is taken by the former and its
//! connection closed (RFC 9112 §6.3), so that no proxy in front can be made to see two requests
//! where there is one.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use repute_net::accept::{Hindered, is_of_client};
use repute_net::seats::Seat;
use repute_net::tls;
use repute_types::TlsUsed;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::app::{App, Face};
use crate::crowd::Places;
use crate::http::{Peer, Place, Stopping};
use crate::linger::{Unread, linger};
use crate::router;
use crate::slow::Slow;

/// What a connection may take beyond the drain to write its last answer.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Octets of a request's line and header fields.
const HEAD: usize = 64 * 1024;
const FIELDS: usize = 100;

/// How clients reach a listener.
#[derive(Clone, Default)]
pub struct Transport {
    /// `None`: plain HTTP, for loopback and for proxies.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Proxies whose X-Forwarded-For is believed. Where there are any, a listener without TLS
    /// serves them and loopback alone.
    pub proxies: HashSet<IpAddr>,
}

struct Service {
    app: Arc<App>,
    router: Router,
    transport: Transport,
    stop: watch::Receiver<bool>,
}

/// Serves a bound listener until `stop` turns true or its sender is dropped. Then nothing new
/// is accepted, idle connections are closed, requests under way may end within `limits.drain`.
/// Returns when every connection has ended. Fails only where the socket cannot be used at all.
pub async fn serve(
    listener: std::net::TcpListener,
    face: Face,
    transport: Transport,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let app = face.0;
    let drain = app.limits.drain;
    let places = Places::new(app.limits.connections, app.limits.connections_per_client, app.door.clone());
    let router = router::router(app.clone());
    let service = Arc::new(Service { app, router, transport, stop: stop.clone() });
    let mut connections = JoinSet::new();
    let mut hindered = Hindered::default();
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            // Before accepting, or a flood of clients would leave what remains of them.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => admit(&service, &places, stream, peer, &mut connections),
                Err(why) => {
                    if !is_of_client(&why) {
                        places.seats.make_room();
                    }
                    hindered.rest(&why, |why| service.app.door.hindered(why)).await;
                }
            },
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if timeout(drain + LAST_WORDS, all_ended).await.is_err() {
        connections.shutdown().await;
    }
    Ok(())
}

/// Returns when the signal is given; a sender that is gone means the same.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// A connection over a bound is answered with 503 where that can be said at once. That of a stranger, who has shown no token
/// yet, is closed where a newcomer needs its place.
fn admit(service: &Arc<Service>, places: &Places, stream: TcpStream, peer: SocketAddr, connections: &mut JoinSet<()>) {
    let address = peer.ip().to_canonical();
    if !service.serves(address) {
        return;
    }
    // A proxy brings many clients; it is bounded with all the others.
    let client = (!service.transport.proxies.contains(&address)).then_some(address);
    match places.enter(client) {
        Ok(seat) => drop(connections.spawn(connection(service.clone(), stream, address, seat))),
        // By TLS nothing can be said without a handshake.
        Err(Some(turned)) if service.transport.tls.is_none() => drop(connections.spawn(turned.tell(stream))),
        Err(_) => {}
    }
}

impl Service {
    /// Whether a client may come to this listener at all.
    fn serves(&self, address: IpAddr) -> bool {
        let Transport { tls, proxies } = &self.transport;
        tls.is_some() || proxies.is_empty() || address.is_loopback() || proxies.contains(&address)
    }
}

async fn connection(service: Arc<Service>, stream: TcpStream, address: IpAddr, seat: Seat) {
    let _ = stream.set_nodelay(true);
    let seat = Arc::new(seat);
    tokio::select! {
        biased;
        () = seat.asked_back() => {}
        () = serve_client(&service, stream, address, &seat) => {}
    }
}

async fn serve_client(service: &Service, stream: TcpStream, address: IpAddr, seat: &Arc<Seat>) {
    let is_proxy = service.transport.proxies.contains(&address);
    let Some(config) = service.transport.tls.clone() else {
        return converse(service, stream, Peer { address, is_proxy, tls: None }, seat).await;
    };
    let accepting = TlsAcceptor::from(config).accept(stream);
    if let Ok(Ok(stream)) = timeout(service.app.limits.handshake, accepting).await {
        let used: TlsUsed = tls::used(stream.get_ref().1);
        converse(service, stream, Peer { address, is_proxy, tls: Some(used) }, seat).await;
    }
}

/// Request after request, until the client goes, is too slow, or the signal is given. What
/// breaks here breaks for the client alone.
async fn converse(service: &Service, mut stream: impl AsyncRead + AsyncWrite + Unpin, peer: Peer, seat: &Arc<Seat>) {
    let limits = &service.app.limits;
    let unread = Unread::default();
    let answer = service_fn(|request: Request<Incoming>| {
        let mut request = unread.watch(request);
        request.extensions_mut().insert(peer.clone());
        request.extensions_mut().insert(Stopping(service.stop.clone()));
        request.extensions_mut().insert(Place(seat.clone()));
        service.router.clone().oneshot(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.header).max_buf_size(HEAD).max_headers(FIELDS);
    let mut stop = service.stop.clone();
    let refused = {
        let io = TokioIo::new(Slow::new(&mut stream, limits.write));
        let mut connection = pin!(http.serve_connection(io, answer));
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            () = stopped(&mut stop) => {
                connection.as_mut().graceful_shutdown();
                timeout(limits.drain, connection).await.ok()
            }
        };
        // What is no request was answered too, and what came with it is unread.
        ended.is_some_and(|ended| ended.is_err_and(|error| error.is_parse()))
    };
    if refused || unread.is_left() {
        linger(&mut stream, limits).await;
    }
}
