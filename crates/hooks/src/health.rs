//! Whether a receiver as a whole can be reached. A pure state machine.
//!
//! A single event that is refused waits by itself (`schedule`). Where one request after another
//! fails it is the receiver: then nothing is tried but one request now and again, at growing
//! distances up to [`LONGEST_REST`], and the first success lets everything go on. Requests that were
//! under way together meet the same moment of the receiver: their failures count as one. How long a
//! receiver asks to be left alone is kept to, whatever requests that began before it come to. What fails
//! without a success for [`PATIENCE`] is given up, with an incident. Only time in which it was asked counts: the server
//! may have been off in between, or its machine asleep.

use std::time::Duration;

use repute_types::{Random, Timestamp};

/// So many failures in a row and the receiver is left alone for a while.
const ENOUGH: u32 = 3;
const FIRST_REST: Duration = Duration::from_secs(5);
pub const LONGEST_REST: Duration = Duration::from_secs(600);
/// A receiver may ask for more patience than we would have, up to this.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);
pub const PATIENCE: Duration = Duration::from_secs(3 * 86_400);
/// More time than this between two attempts was not spent on waiting for the second: the longest wait of `schedule`, a tenth
/// longer, and some.
const LONGEST_GAP: Duration = Duration::from_secs(27 * 3600);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// In a row.
    pub failures: u32,
    /// Of the first of them.
    pub since: Option<Timestamp>,
    /// Time in which it was asked in vain, from the first of them on.
    pub failing: Duration,
    /// Up to here the time is counted; `None`: nothing failed.
    counted_to: Option<Timestamp>,
    rest_until: Option<Timestamp>,
    /// By Retry-After; a success does not end it.
    asked_until: Option<Timestamp>,
    /// Failures that counted since the start, in a row or not.
    counted: Moment,
}

/// When a request began, as far as failures go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    GoOn,
    GiveUp,
}

impl Health {
    /// As it was left by a restart, which is now: what was failing is tried at once, and the time until now does not count.
    pub fn kept(failures: u32, since: Option<Timestamp>, failing: Duration, now: Timestamp) -> Health {
        Health { failures, since, failing, counted_to: since.map(|_| now), ..Health::default() }
    }

    /// What a request that begins now is to bring back.
    pub fn moment(&self) -> Moment {
        self.counted
    }

    /// Returns whether it had been left alone.
    pub fn succeeded(&mut self) -> bool {
        let was_ill = self.is_ill();
        *self = Health { asked_until: self.asked_until, counted: self.counted, ..Health::default() };
        was_ill
    }

    /// By an operator's word everything goes on; what fails that began before does not count.
    pub fn renew(&mut self) {
        *self = Health { counted: Moment(self.counted.0 + 1), ..Health::default() };
    }

    /// `began` is the moment of the request, `asked` what the receiver said in Retry-After.
    pub fn failed(&mut self, began: Moment, now: Timestamp, asked: Option<Duration>, random: &dyn Random) -> Verdict {
        let counts = began >= self.counted;
        if counts {
            self.counted = Moment(began.0 + 1);
            self.failures = self.failures.saturating_add(1);
        }
        self.since.get_or_insert(now);
        self.failing += now.since(self.counted_to.unwrap_or(now)).min(LONGEST_GAP);
        self.counted_to = Some(now);
        if self.failing >= PATIENCE {
            return Verdict::GiveUp;
        }
        // A request that began earlier does not shorten what was asked for.
        self.asked_until = self.asked_until.max(asked.map(|wait| now + wait.min(LONGEST_ASKED)));
        if counts && self.is_ill() {
            self.rest_until = Some(now + self.rest(random));
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

    /// Until when nothing is sent; it may be over.
    pub fn rests_until(&self) -> Option<Timestamp> {
        self.rest_until.max(self.asked_until)
    }

    /// How many requests may be under way now, of at most `most`.
    pub fn allows(&self, now: Timestamp, most: usize) -> usize {
        match self.rests_until() {
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
        while health.failed(health.moment(), now, None, &random) == Verdict::GoOn {
            asked += 1;
            let until = health.rests_until().unwrap_or(now);
            assert!(until.since(now) <= LONGEST_REST);
            assert_eq!(health.allows(now, 4), if asked < ENOUGH { 4 } else { 0 });
            now = until;
            assert_eq!(health.allows(now, 4), if asked < ENOUGH { 4 } else { 1 });
        }
        assert!(now.since(START) >= PATIENCE && now.since(START) < PATIENCE + LONGEST_REST);
        assert!((400..700).contains(&asked), "{asked}");
        assert!(health.succeeded());
        assert_eq!((health.failures, health.since, health.allows(now, 4)), (0, None, 4));
    }

    /// It was disabled at the first failure after a weekend in which the server was off.
    #[test]
    fn time_in_which_the_server_was_off_is_no_failure() {
        let (random, mut health, week) = (SeededRandom::new(7), Health::default(), 7 * 86_400);
        health.failed(health.moment(), START, None, &random);
        health.failed(health.moment(), START + Duration::from_secs(60), None, &random);
        for start in 1..10 {
            let now = START + Duration::from_secs(start * week);
            health = Health::kept(health.failures, health.since, health.failing, now);
            assert_eq!(health.failed(health.moment(), now + Duration::from_secs(60), None, &random), Verdict::GoOn);
            assert_eq!(health.failing.as_secs(), (start + 1) * 60);
        }
        // Nor is that in which its machine slept.
        let woken = START + Duration::from_secs(20 * week);
        assert_eq!(health.failed(health.moment(), woken, None, &random), Verdict::GoOn);
        // Time in which it was asked counts over every restart.
        let mut now = woken;
        let asked = (0..100).take_while(|_| {
            health = Health::kept(health.failures, health.since, health.failing, now);
            now = now + Duration::from_secs(3600);
            health.failed(health.moment(), now, None, &random) == Verdict::GoOn
        });
        assert!((44..48).contains(&asked.count()), "with the 27 hours of before");
    }

    #[test]
    fn who_asks_for_time_gets_it_within_bounds() {
        let (random, mut health) = (SeededRandom::new(7), Health::default());
        health.failed(health.moment(), START, Some(Duration::from_secs(30)), &random);
        assert_eq!(health.allows(START + Duration::from_secs(29), 4), 0);
        assert_eq!(health.allows(START + Duration::from_secs(30), 4), 4);
        health.failed(health.moment(), START, Some(Duration::from_secs(1 << 40)), &random);
        assert_eq!(health.rests_until(), Some(START + LONGEST_ASKED));
        assert!(!health.succeeded());
    }

    /// With four connections the first rest was 32 seconds, not five.
    #[test]
    fn failures_of_requests_that_were_under_way_together_count_as_one() {
        let (random, mut health, mut now) = (SeededRandom::new(7), Health::default(), START);
        for round in 1..=ENOUGH {
            assert_eq!(health.allows(now, 4), 4, "round {round}");
            let began = [health.moment(); 4];
            now = now + Duration::from_millis(20);
            for began in began {
                health.failed(began, now, None, &random);
            }
            assert_eq!(health.failures, round);
        }
        let rest = health.rests_until().unwrap_or(now).since(now);
        assert!(rest > Duration::from_secs(3) && rest <= FIRST_REST, "{rest:?}");
        // What began before the rest and fails within it makes it no longer.
        health.failed(Moment(0), now + Duration::from_secs(1), None, &random);
        assert_eq!(health.rests_until(), Some(now + rest));
    }

    /// The success of a request that had begun before made us forget it.
    #[test]
    fn who_asks_for_time_gets_it_although_another_request_succeeds() {
        let (random, mut health) = (SeededRandom::new(7), Health::default());
        health.failed(health.moment(), START, Some(Duration::from_secs(20)), &random);
        health.succeeded();
        assert_eq!(health.allows(START + Duration::from_secs(19), 4), 0);
        assert_eq!(health.allows(START + Duration::from_secs(20), 4), 4);
        // An operator's word ends it.
        health.renew();
        assert_eq!(health.allows(START, 4), 4);
    }
}
