//! A wall clock that follows tokio's time, so that under `tokio::time::pause` five days pass
//! in a moment for both.

use repute_types::{Clock, Timestamp};
use tokio::time::Instant;

/// Starts at a given date and goes on with `tokio::time`.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    start: Timestamp,
    since: Instant,
}

impl TokioClock {
    /// Says `start` now.
    pub fn at(start: Timestamp) -> TokioClock {
        TokioClock { start, since: Instant::now() }
    }

    /// Says 2026-11-24T00:00:00Z now.
    pub fn new() -> TokioClock {
        TokioClock::at(Timestamp(1_795_478_400_000))
    }
}

impl Default for TokioClock {
    fn default() -> TokioClock {
        TokioClock::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.start + self.since.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn five_days_pass_in_a_moment() {
        let clock = TokioClock::new();
        assert_eq!(clock.now().to_string(), "2026-11-24T00:00:00.000Z");
        tokio::time::sleep(Duration::from_secs(5 * 86_400)).await;
        assert_eq!(clock.now().to_string(), "2026-11-29T00:00:00.000Z");
    }
}
