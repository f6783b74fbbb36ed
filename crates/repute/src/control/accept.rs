//! The accept loop of a local socket, and its end.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use repute_net::accept::Hindered;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// What a local socket takes in, and how long it takes to end.
pub struct Bounds {
    /// Conversations at once; more wait to be accepted.
    pub most: usize,
    /// For what is under way at the end.
    pub within: Duration,
}

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

/// Serves until `stop` turns true or its sender is dropped. Then nothing new is accepted, and what is under way may end;
/// each conversation watches `stop` itself. Where nobody can be taken in for now, `tell` says so.
pub async fn serve<C, F>(
    listener: UnixListener,
    bounds: Bounds,
    tell: impl Fn(&io::Error),
    mut stop: watch::Receiver<bool>,
    converse: C,
) where
    C: Fn(UnixStream) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let Bounds { most, within } = bounds;
    let mut under_way = JoinSet::new();
    let mut hindered = Hindered::default();
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(_) = under_way.join_next() => {}
            accepted = listener.accept(), if under_way.len() < most => match accepted {
                Ok((stream, _)) => drop(under_way.spawn(converse(stream))),
                Err(why) => hindered.rest(&why, &tell).await,
            },
        }
    }
    drop(listener);
    let all_ended = async { while under_way.join_next().await.is_some() {} };
    if timeout(within, all_ended).await.is_err() {
        under_way.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::fd::OwnedFd;

    /// It was said of SMTP's listeners alone.
    #[tokio::test]
    async fn that_nobody_can_be_taken_in_is_told() {
        // A socket that does not listen, with something to look at: to accept from it fails.
        let (broken, mut other) = std::os::unix::net::UnixStream::pair().unwrap();
        other.write_all(b"x").unwrap();
        broken.set_nonblocking(true).unwrap();
        let listener = UnixListener::from_std(std::os::unix::net::UnixListener::from(OwnedFd::from(broken))).unwrap();
        let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
        let tell = move |why: &io::Error| drop(told.send(why.to_string()));
        let (_stop, stopping) = watch::channel(false);
        let bounds = Bounds { most: 1, within: Duration::ZERO };
        let serving = serve(listener, bounds, tell, stopping, |_| async {});
        tokio::select! {
            () = serving => panic!("it ended by itself"),
            why = timeout(Duration::from_secs(20), tells.recv()) => assert!(why.unwrap().is_some()),
        }
    }
}
