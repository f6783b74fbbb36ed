//! The accept loop of a local socket, and its end.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// After a failed accept (out of descriptors): time for a conversation to end.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens a socket; one that a killed server left behind is replaced.
pub fn bind(path: &Path, mode: u32) -> anyhow::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        anyhow::bail!("another server runs already: it listens on {}", path.display());
    }
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(listener)
}

/// Returns when the signal is given; a sender that is gone means the same.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Serves until `stop` turns true or its sender is dropped, `most` conversations at once (more
/// wait to be accepted). Then nothing new is accepted, and what is under way may end `within` a
/// time; each conversation watches `stop` itself.
pub async fn serve<C, F>(
    listener: UnixListener,
    most: usize,
    mut stop: watch::Receiver<bool>,
    within: Duration,
    converse: C,
) where
    C: Fn(UnixStream) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(_) = under_way.join_next() => {}
            accepted = listener.accept(), if under_way.len() < most => match accepted {
                Ok((stream, _)) => drop(under_way.spawn(converse(stream))),
                Err(_) => sleep(PAUSE).await,
            },
        }
    }
    drop(listener);
    let all_ended = async { while under_way.join_next().await.is_some() {} };
    if timeout(within, all_ended).await.is_err() {
        under_way.shutdown().await;
    }
}
