//! The accept loop of a listener, and its end.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use repute_engine::door::Door;
use repute_net::accept::{Hindered, is_of_client};
use repute_net::seats::Full;
use repute_smtp::server::LineEnds;
use tokio::io::AsyncWrite as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::{ListenerConfig, ListenerKind};
use crate::connection::{self, Service};
use crate::shared::SharedLimits;
use crate::stream::Stream;

/// What a session may take beyond the drain to write its last reply and linger.
const LAST_WORDS: Duration = Duration::from_secs(5);
pub(crate) const TOO_MANY_OF_CLIENT: &str = "421 4.7.0 too many connections from your address\r\n";

/// Serves a bound listener until `shutdown` turns true or its sender is dropped. Then nothing
/// new is accepted, idle sessions get 421, transactions may end within `limits.drain`.
/// Returns when every session has ended. Fails only where the socket cannot be used at all.
pub async fn serve(
    listener: std::net::TcpListener,
    config: ListenerConfig,
    door: Arc<dyn Door>,
    shared: Arc<SharedLimits>,
    shutdown: watch::Receiver<bool>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let arrivals = Arrivals::Network(TcpListener::from_std(listener)?);
    take_in(arrivals, Service::new(config, door, shared, LineEnds::CrLf, shutdown.clone()), shutdown).await;
    Ok(())
}

/// The same for clients on a network in memory, in whatever time tokio has: for tests of the whole. A client that
/// chose no address comes from loopback.
pub async fn serve_in_memory(
    listener: repute_net::Listener,
    config: ListenerConfig,
    door: Arc<dyn Door>,
    shared: Arc<SharedLimits>,
    shutdown: watch::Receiver<bool>,
) {
    let service = Service::new(config, door, shared, LineEnds::CrLf, shutdown.clone());
    take_in(Arrivals::Memory(listener), service, shutdown).await;
}

/// Where clients come from.
enum Arrivals {
    Network(TcpListener),
    Memory(repute_net::Listener),
}

impl Arrivals {
    /// The next client. Safe to drop.
    async fn next(&mut self) -> io::Result<(Stream, IpAddr)> {
        match self {
            Arrivals::Network(listener) => {
                let (stream, peer) = listener.accept().await?;
                // A socket that refuses the option still works, slower.
                let _ = stream.set_nodelay(true);
                Ok((Stream::Plain(stream), peer.ip().to_canonical()))
            }
            Arrivals::Memory(listener) => match listener.accept().await {
                Some(incoming) => {
                    Ok((Stream::Memory(incoming.stream), incoming.from.unwrap_or(Ipv4Addr::LOCALHOST.into())))
                }
                None => Err(io::ErrorKind::NotConnected.into()),
            },
        }
    }
}

async fn take_in(mut arrivals: Arrivals, service: Service, mut shutdown: watch::Receiver<bool>) {
    let drain = service.config.limits.drain;
    let service = Arc::new(service);
    let mut sessions = JoinSet::new();
    let mut hindered = Hindered::default();
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut shutdown) => break,
            // Before accepting, or a flood of clients would leave what remains of them.
            Some(_) = sessions.join_next() => {}
            accepted = arrivals.next() => match accepted {
                Ok((stream, peer)) => admit(&service, stream, peer, &mut sessions),
                Err(why) => {
                    if !is_of_client(&why) {
                        service.shared.make_room();
                    }
                    hindered.rest(&why, |why| service.door.hindered(why)).await;
                }
            },
        }
    }
    drop(arrivals);
    let all_ended = async { while sessions.join_next().await.is_some() {} };
    if tokio::time::timeout(drain + LAST_WORDS, all_ended).await.is_err() {
        sessions.shutdown().await;
    }
}

/// Returns when the signal is given; a sender that is gone means the same.
pub(crate) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

fn admit(service: &Arc<Service>, stream: Stream, peer: IpAddr, sessions: &mut JoinSet<()>) {
    // A proxy will say whose place it is.
    let client = (!service.config.proxies.contains(&peer)).then_some(peer);
    let entered = service.shared.enter(client);
    if matches!(entered, Ok((_, true)) | Err(Full::All))
        && let Some(crowd) = service.shared.sent_away()
    {
        service.door.crowded(crowd);
    }
    match entered {
        Ok((seat, _)) => drop(sessions.spawn(connection::run(service.clone(), stream, peer, seat))),
        Err(Full::All) => turn_away(service, stream, "421 4.3.2 too many connections: try again later\r\n"),
        Err(Full::Client) => turn_away(service, stream, TOO_MANY_OF_CLIENT),
    }
}

/// Says 421 where it can be said at once and unencrypted, and closes.
pub(crate) fn turn_away(service: &Service, stream: Stream, line: &str) {
    if service.config.kind == ListenerKind::SubmissionTls {
        return;
    }
    let line = line.as_bytes();
    // The other side's buffer is empty, so the line fits; where it does not, nobody waits for it.
    match stream {
        // As the machine has it: tokio has not heard yet that it can be written to.
        Stream::Plain(stream) => {
            let _ = stream.into_std().and_then(|mut stream| io::Write::write(&mut stream, line));
        }
        mut other => {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let _ = std::pin::Pin::new(&mut other).poll_write(&mut context, line);
        }
    }
}
