//! The accept loop of a listener, and its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use repute_engine::door::Door;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::{ListenerConfig, ListenerKind};
use crate::connection::{self, Service};
use crate::shared::SharedLimits;

/// After a failed accept (out of descriptors): time for a session to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What a session may take beyond the drain to write its last reply and linger.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Serves a bound listener until `shutdown` turns true or its sender is dropped. Then nothing
/// new is accepted, idle sessions get 421, transactions may end within `limits.drain`.
/// Returns when every session has ended. Fails only where the socket cannot be used at all.
pub async fn serve(
    listener: std::net::TcpListener,
    config: ListenerConfig,
    door: Arc<dyn Door>,
    shared: Arc<SharedLimits>,
    mut shutdown: watch::Receiver<bool>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let drain = config.limits.drain;
    let service = Arc::new(Service::new(config, door, shared, shutdown.clone()));
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut shutdown) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => admit(&service, stream, peer, &mut sessions),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = sessions.join_next() => {}
        }
    }
    drop(listener);
    let all_ended = async { while sessions.join_next().await.is_some() {} };
    if tokio::time::timeout(drain + LAST_WORDS, all_ended).await.is_err() {
        sessions.shutdown().await;
    }
    Ok(())
}

/// Returns when the signal is given; a sender that is gone means the same.
pub(crate) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

fn admit(service: &Arc<Service>, stream: TcpStream, peer: SocketAddr, sessions: &mut JoinSet<()>) {
    match service.shared.enter() {
        Ok(seat) => {
            sessions.spawn(connection::run(service.clone(), stream, peer.ip().to_canonical(), seat));
        }
        Err(_) => turn_away(service, stream),
    }
}

/// Says 421 where it can be said at once and unencrypted, and closes.
fn turn_away(service: &Service, stream: TcpStream) {
    if service.config.kind == ListenerKind::SubmissionTls {
        return;
    }
    if let Ok(mut stream) = stream.into_std() {
        // The socket's buffer is empty, so the line fits; where it does not, nobody waits for it.
        let _ = io::Write::write(&mut stream, b"421 4.3.2 too many connections: try again later\r\n");
    }
}
