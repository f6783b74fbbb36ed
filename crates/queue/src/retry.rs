//! When a deferred part is tried again (RFC 5321 §4.5.4.1): exponential back-off with jitter.
//! A pure function; the numbers are data.

use std::time::Duration;

use repute_types::{Random, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// After the first deferral; a greylist's usual wait is minutes.
    pub first: Duration,
    /// Each interval is twice the one before, up to this.
    pub max_interval: Duration,
    /// From acceptance until no more is tried.
    pub expire: Duration,
    /// From acceptance until the sender is told that it takes long.
    pub delay_notice: Duration,
}

impl Default for Retry {
    fn default() -> Retry {
        const HOUR: u64 = 3600;
        Retry {
            first: Duration::from_secs(150),
            max_interval: Duration::from_secs(4 * HOUR),
            expire: Duration::from_secs(5 * 24 * HOUR),
            delay_notice: Duration::from_secs(4 * HOUR),
        }
    }
}

impl Retry {
    /// The longest wait between two attempts.
    pub fn longest(&self) -> Duration {
        self.max_interval.max(self.first) * 6 / 5
    }

    /// The time of the next attempt after `attempts` (at least 1) that ended in a deferral:
    /// the back-off interval, give or take a fifth, so that a thousand parts that failed
    /// together do not come back together.
    pub fn next(&self, attempts: u32, now: Timestamp, random: &dyn Random) -> Timestamp {
        let doublings = attempts.saturating_sub(1).min(20);
        let interval = self.first.saturating_mul(1 << doublings).min(self.max_interval);
        let millis = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX / 4).max(5);
        let fifth = millis / 5;
        now + Duration::from_millis(millis - fifth + random.below(2 * fifth + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use repute_types::SeededRandom;

    #[test]
    fn intervals_double_up_to_the_longest_and_stay_within_a_fifth() {
        let retry = Retry::default();
        let random = SeededRandom::new(7);
        let now = Timestamp(0);
        for (attempts, seconds) in [(1, 150), (2, 300), (3, 600), (7, 9_600), (8, 14_400), (50, 14_400)] {
            for _ in 0..200 {
                let next = retry.next(attempts, now, &random).millis();
                let exact = seconds * 1000;
                assert!((exact * 4 / 5..=exact * 6 / 5).contains(&next), "attempt {attempts}: {next}");
            }
        }
    }

    #[test]
    fn the_first_retry_comes_within_minutes() {
        let next = Retry::default().next(1, Timestamp(0), &SeededRandom::new(1));
        assert!(next < Timestamp(0) + Duration::from_secs(5 * 60));
    }
}
