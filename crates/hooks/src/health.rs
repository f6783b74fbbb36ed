//! Whether a receiver as a whole can be reached. A pure state machine.
//!
//! A single event that is refused waits by itself (`schedule`). Where one request after another
//! fails it is the receiver: then nothing is tried but one request now and again, at growing
//! distances up to [`LONGEST_REST`], and the first success lets everything go on. What fails
//! without a success for [`PATIENCE`] is given up, with an incident.

use std::time::Duration;

use repute_types::{Random, Timestamp};

/// So many failures in a row and the receiver is left alone for a while.
const ENOUGH: u32 = 3;
const FIRST_REST: Duration = Duration::from_secs(5);
pub const LONGEST_REST: Duration = Duration::from_secs(600);
/// A receiver may ask for more patience than we would have, up to this.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);
pub const PATIENCE: Duration = Duration::from_secs(3 * 86_400);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// In a row.
    pub failures: u32,
    /// Of the first of them.
    pub since: Option<Timestamp>,
    pub rest_until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    GoOn,
    GiveUp,
}

impl Health {
    /// As it was left by a restart: what was failing is tried at once.
    pub fn kept(failures: u32, since: Option<Timestamp>) -> Health {
        Health { failures, since, rest_until: None }
    }

    /// Returns whether it had been left alone.
    pub fn succeeded(&mut self) -> bool {
        let was_ill = self.is_ill();
        *self = Health::default();
        was_ill
    }

    /// `asked` is what the receiver said in Retry-After.
    pub fn failed(&mut self, now: Timestamp, asked: Option<Duration>, random: &dyn Random) -> Verdict {
        self.failures = self.failures.saturating_add(1);
        let since = *self.since.get_or_insert(now);
        if now.since(since) >= PATIENCE {
            return Verdict::GiveUp;
        }
        let asked = asked.map(|wait| wait.min(LONGEST_ASKED));
        let rest = self.is_ill().then(|| self.rest(random)).max(asked);
        if let Some(rest) = rest {
            // A request that began earlier does not shorten the rest.
            self.rest_until = self.rest_until.max(Some(now + rest));
        }
        Verdict::GoOn
    }

    fn rest(&self, random: &dyn Random) -> Duration {
        let doublings = (self.failures - ENOUGH).min(16);
        let rest = FIRST_REST.saturating_mul(1 << doublings).min(LONGEST_REST);
        let millis = u64::try_from(rest.as_millis()).unwrap_or(u64::MAX / 4);
        Duration::from_millis(millis - millis / 4 + random.below(millis / 4 + 1))
    }

    /// One request after another has failed.
    pub fn is_ill(&self) -> bool {
        self.failures >= ENOUGH
    }

    /// How many requests may be under way now, of at most `most`.
    pub fn allows(&self, now: Timestamp, most: usize) -> usize {
        match self.rest_until {
            Some(until) if until > now => 0,
            _ if self.is_ill() => 1,
            _ => most,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use repute_types::SeededRandom;

    const START: Timestamp = Timestamp(1_795_478_400_000);

    #[test]
    fn a_receiver_that_is_down_is_asked_now_and_again_for_three_days() {
        let (random, mut health, mut now) = (SeededRandom::new(7), Health::default(), START);
        let mut asked = 0;
        while health.failed(now, None, &random) == Verdict::GoOn {
            asked += 1;
            let until = health.rest_until.unwrap_or(now);
            assert!(until.since(now) <= LONGEST_REST);
            assert_eq!(health.allows(now, 4), if asked < ENOUGH { 4 } else { 0 });
            now = until;
            assert_eq!(health.allows(now, 4), if asked < ENOUGH { 4 } else { 1 });
        }
        assert!(now.since(START) >= PATIENCE && now.since(START) < PATIENCE + LONGEST_REST);
        assert!((400..700).contains(&asked), "{asked}");
        assert!(health.succeeded());
        assert_eq!((health, health.allows(now, 4)), (Health::default(), 4));
    }

    #[test]
    fn who_asks_for_time_gets_it_within_bounds() {
        let (random, mut health) = (SeededRandom::new(7), Health::default());
        health.failed(START, Some(Duration::from_secs(30)), &random);
        assert_eq!(health.allows(START + Duration::from_secs(29), 4), 0);
        assert_eq!(health.allows(START + Duration::from_secs(30), 4), 4);
        health.failed(START, Some(Duration::from_secs(1 << 40)), &random);
        assert_eq!(health.rest_until, Some(START + LONGEST_ASKED));
        assert!(!health.succeeded());
    }
}
