//! A wall clock that follows tokio's time, so that under `tokio::time::pause` five days pass
//! in a moment for both.

use std::sync::atomic::{AtomicI64, Ordering};

use repute_types::{Clock, Timestamp};
use tokio::time::Instant;

/// Starts at a given date and goes on with `tokio::time`.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    start: Timestamp,
    since: Instant,
    /// By how many milliseconds it was set forward. A test's clocks live as long as the test.
    jumped: &'static AtomicI64,
}

impl TokioClock {
    /// Says `start` now.
    pub fn at(start: Timestamp) -> TokioClock {
        TokioClock { start, since: Instant::now(), jumped: Box::leak(Box::default()) }
    }

    /// Says 2026-11-24T00:00:00Z now.
    pub fn new() -> TokioClock {
        TokioClock::at(Timestamp(1_795_478_400_000))
    }

    /// Sets it, and each copy of it, forward by so many milliseconds; back where they are negative.
    pub fn jump(&self, millis: i64) {
        self.jumped.fetch_add(millis, Ordering::SeqCst);
    }

    /// By how many milliseconds it was set forward, all in all.
    pub fn jumped(&self) -> i64 {
        self.jumped.load(Ordering::SeqCst)
    }

    /// The time as it would be had nobody set the clock.
    pub fn steady(&self) -> Timestamp {
        self.start + self.since.elapsed()
    }
}

impl Default for TokioClock {
    fn default() -> TokioClock {
        TokioClock::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.steady().0 + self.jumped())
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
