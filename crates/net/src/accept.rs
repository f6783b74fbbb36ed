//! What a listener does where a client could not be taken in, and how often it is told.
//!
//! Promise: the fault of this machine (no more files may be open) is told, once a minute at most, and is not tried
//! again busily: a connection gets time to end. A client that went away by itself is nobody's fault.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

/// Time for a connection to end.
const PAUSE: Duration = Duration::from_millis(100);
/// Between two words.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Of one listener.
#[derive(Debug, Default)]
pub struct Hindered {
    spell: Spell,
}

impl Hindered {
    /// After an accept that failed: tells why, where that is due, and waits a moment.
    pub async fn rest(&mut self, why: &io::Error, tell: impl FnOnce(&io::Error)) {
        if !is_of_client(why) && self.spell.again().is_some() {
            tell(why);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether an accept failed because its client went away.
pub fn is_of_client(why: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, NotConnected};
    matches!(why.kind(), ConnectionAborted | ConnectionReset | Interrupted | NotConnected)
}

/// That something happens again and again, told once a minute at most.
#[derive(Debug, Default)]
pub struct Spell {
    run: Option<Run>,
}

#[derive(Debug)]
struct Run {
    since: Instant,
    last: Instant,
    told: Option<Instant>,
    times: u64,
}

impl Spell {
    /// Counts it once more. Where that is to be told now: for how long it goes on, and how often it was. It has ended
    /// where it did not happen for a minute.
    pub fn again(&mut self) -> Option<(Duration, u64)> {
        let now = Instant::now();
        let begin = || Run { since: now, last: now, told: None, times: 0 };
        let run = self.run.take().filter(|run| now.duration_since(run.last) < TOLD_EVERY).unwrap_or_else(begin);
        let due = run.told.is_none_or(|at| now.duration_since(at) >= TOLD_EVERY);
        let run = Run { last: now, times: run.times + 1, told: if due { Some(now) } else { run.told }, ..run };
        let told = due.then(|| (now.duration_since(run.since), run.times));
        self.run = Some(run);
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_lasts_is_told_once_a_minute_and_a_client_that_went_away_never() {
        let mut hindered = Hindered::default();
        let mut told = 0;
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(150) {
            hindered.rest(&io::Error::from_raw_os_error(24), |_| told += 1).await;
            hindered.rest(&io::ErrorKind::ConnectionAborted.into(), |_| told += 100).await;
        }
        assert_eq!(told, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_happens_again_and_again_is_told_once_a_minute_and_counted_anew_after_a_quiet_one() {
        let mut spell = Spell::default();
        let mut told = Vec::new();
        for _ in 0..80 {
            told.extend(spell.again());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(told, [(Duration::ZERO, 1), (Duration::from_secs(60), 61)]);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(spell.again(), Some((Duration::ZERO, 1)));
    }
}
