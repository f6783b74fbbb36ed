//! Greylisting: who comes for the first time is asked to come again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Triples remembered; when they are more, all are forgotten, and senders come once more.
const REMEMBERED_MOST: usize = 200_000;

#[derive(Debug)]
pub(crate) struct Greylist {
    delay: Option<Duration>,
    first_seen: Mutex<HashMap<(IpAddr, String, String), Instant>>,
}

impl Greylist {
    pub(crate) fn new(delay: Option<Duration>) -> Greylist {
        Greylist { delay, first_seen: Mutex::new(HashMap::new()) }
    }

    /// Whether the triple may pass now; else for how long it has to wait.
    pub(crate) fn pass(&self, peer: IpAddr, from: &str, to: &str) -> Result<(), Duration> {
        let Some(delay) = self.delay else { return Ok(()) };
        let now = Instant::now();
        let mut seen = self.first_seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED_MOST {
            seen.clear();
        }
        let first = *seen.entry((peer, from.to_ascii_lowercase(), to.to_ascii_lowercase())).or_insert(now);
        let passed = now.duration_since(first);
        // The very first attempt waits, however short the delay is.
        if passed >= delay && first != now { Ok(()) } else { Err(delay.saturating_sub(passed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_attempt_waits_and_each_triple_is_its_own() {
        let list = Greylist::new(Some(Duration::from_secs(2)));
        let peer = "127.0.0.1".parse().unwrap();
        assert_eq!(list.pass(peer, "a@x", "b@y"), Err(Duration::from_secs(2)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(list.pass(peer, "A@x", "b@y"), Err(Duration::from_secs(1)));
        assert_eq!(list.pass(peer, "a@x", "c@y"), Err(Duration::from_secs(2)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(list.pass(peer, "a@x", "b@y"), Ok(()));
        assert_eq!(list.pass("127.0.0.2".parse().unwrap(), "a@x", "b@y"), Err(Duration::from_secs(2)));
    }
}
