//! When which check is made next. Times go in, checks come out.

use std::collections::HashMap;
use std::time::Duration;

use repute_trust::checks::catalogue;
use repute_trust::permit::{CONFIRM_AFTER, cadence, suspending};
use repute_types::{Random, Timestamp};

/// What was contradicted is asked again after this: long enough to be another answer.
const CONFIRM: Duration = Duration::from_secs(CONFIRM_AFTER.as_secs() + 5);
/// What keeps a first permit back is asked again this soon in the first minute; later mail waits
/// anyway, and DNS that does not answer is not to be asked for ever as if it did.
const PROVE: Duration = Duration::from_secs(5);
const PROVE_LATER: Duration = Duration::from_secs(30);
const FIRST: Duration = Duration::from_secs(60);
const LATER: Duration = Duration::from_secs(15 * 60);
/// A check that replies ask for again and again is made at most this often for it.
const ASKED_EVERY: Duration = Duration::from_secs(60);
/// What is due within this time is made along with what is due now.
const TOGETHER: Duration = Duration::from_secs(2);
/// Everything but what permits need begins this long after the start.
const AFTER_START: Duration = Duration::from_secs(5);

/// What is known of a check when it has been made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// Something about it fails.
    pub fails: bool,
    /// A definite answer contradicted what stands.
    pub doubted: bool,
    /// Something about it is not known at all yet.
    pub open: bool,
}

pub(crate) struct Schedule {
    /// When permits were last begun from nothing.
    began: Timestamp,
    next: HashMap<&'static str, Timestamp>,
    made: HashMap<&'static str, Timestamp>,
}

impl Schedule {
    /// Of the checks that it is for, what permits need is due at once, the rest a little later.
    pub fn new(now: Timestamp, is_for: impl Fn(&str) -> bool) -> Schedule {
        let first = |check: &str| match suspends(check) {
            true => now,
            false => now + AFTER_START,
        };
        let built = catalogue().iter().filter(|entry| entry.built && is_for(&entry.id));
        Schedule {
            began: now,
            next: built.map(|entry| (entry.id.as_str(), first(&entry.id))).collect(),
            made: HashMap::new(),
        }
    }

    /// The checks to make now, by name.
    pub fn due(&mut self, now: Timestamp) -> Vec<&'static str> {
        self.follow_clock(now);
        if self.next.values().all(|at| *at > now) {
            return Vec::new();
        }
        let mut due: Vec<_> = self.next.iter().filter(|(_, at)| **at <= now + TOGETHER).map(|(id, _)| *id).collect();
        due.sort_unstable();
        due
    }

    /// A check that was made later than now tells that the clock was set back: all times follow it, so that a rule
    /// that is broken is not found a day later for it.
    fn follow_clock(&mut self, now: Timestamp) {
        let last = self.made.values().max().copied().unwrap_or(self.began);
        let by = last.since(now);
        if by.is_zero() {
            return;
        }
        self.began = self.began - by;
        self.next.values_mut().chain(self.made.values_mut()).for_each(|at| *at = *at - by);
    }

    /// When something is due next.
    pub fn earliest(&self) -> Option<Timestamp> {
        self.next.values().min().copied()
    }

    /// These were made at `now`. Checks of one cadence stay together, and are made a little earlier
    /// each time than the cadence says, so that many servers do not ask in step.
    pub fn made(
        &mut self,
        checks: &[&'static str],
        known: impl Fn(&str) -> Known,
        now: Timestamp,
        random: &dyn Random,
    ) {
        let jitter = random.below(100);
        for check in checks {
            let (cadence, known) = (cadence(check), known(check));
            let after = match known {
                Known { doubted: true, .. } => CONFIRM,
                Known { open: true, .. } if proves(check) => self.prove(cadence.every, now),
                Known { fails: true, .. } => early(cadence.failing, jitter),
                _ => early(cadence.every, jitter),
            };
            self.next.insert(check, now + after);
            self.made.insert(check, now);
        }
    }

    fn prove(&self, every: Duration, now: Timestamp) -> Duration {
        match now.since(self.began) {
            young if young < FIRST => PROVE,
            young if young < LATER => PROVE_LATER,
            _ => every,
        }
    }

    /// A receiver's reply or an operator asks for checks, or groups of them.
    pub fn ask(&mut self, wanted: &[String], now: Timestamp) {
        for (check, next) in &mut self.next {
            let is_wanted = wanted.iter().any(|id| repute_trust::checks::catalogue::is_within(check, id));
            let last = self.made.get(check);
            if is_wanted {
                let at = last.map_or(now, |last| now.max(*last + ASKED_EVERY));
                *next = at.min(*next);
            }
        }
    }

    /// Everything that permits need is due at once: the configuration is another.
    pub fn begin_again(&mut self, now: Timestamp) {
        self.began = now;
        for (check, next) in &mut self.next {
            if suspends(check) {
                *next = now;
            }
        }
    }
}

fn suspends(check: &str) -> bool {
    suspending().iter().any(|rule| rule.check == check)
}

/// Whether a first permit waits for it.
fn proves(check: &str) -> bool {
    suspending().iter().any(|rule| rule.check == check && rule.proves)
}

/// Up to a tenth earlier.
fn early(time: Duration, percent: u64) -> Duration {
    time - time * u32::try_from(percent / 10).unwrap_or(0) / 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use repute_types::SeededRandom;

    const T0: Timestamp = Timestamp(1_795_485_950_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn after(known: Known, check: &'static str) -> Duration {
        let mut schedule = Schedule::new(T0, |_| true);
        schedule.made(&[check], |_| known, T0, &SeededRandom::new(1));
        schedule.next[check].since(T0)
    }

    #[test]
    fn what_permits_need_comes_first_and_all_else_soon() {
        let mut schedule = Schedule::new(T0, |_| true);
        let first = schedule.due(T0);
        assert!(first.contains(&"name.fcrdns") && first.contains(&"spf.pass.each") && !first.contains(&"bl.ip"));
        assert!(schedule.due(T0 + AFTER_START).contains(&"bl.ip"));
    }

    #[test]
    fn a_doubt_is_asked_about_soon_and_a_failure_sooner_than_the_rest() {
        let good = Known::default();
        assert!((54..=60).contains(&after(good, "name.fcrdns").as_secs()));
        assert!((54..=60).contains(&(after(good, "bl.ip").as_secs() / 60)));
        let fails = Known { fails: true, ..good };
        assert!((4..=5).contains(&after(fails, "bl.ip").as_secs().div_ceil(60)));
        assert_eq!(after(Known { doubted: true, ..fails }, "bl.ip"), CONFIRM);
        assert_eq!(after(Known { open: true, ..good }, "name.fcrdns"), PROVE);
        // No host tells it: that keeps no mail back, and nobody is connected to again and again for it.
        assert!(after(Known { open: true, ..good }, "ip.egress") > MINUTE * 13);
    }

    #[test]
    fn a_clock_that_is_set_back_puts_no_check_off() {
        let mut schedule = Schedule::new(T0, |_| true);
        schedule.made(&["name.fcrdns"], |_| Known::default(), T0, &SeededRandom::new(1));
        let day = MINUTE * 60 * 24;
        assert!(!schedule.due(T0 - day).contains(&"name.fcrdns"));
        assert!(schedule.due(T0 - day + MINUTE).contains(&"name.fcrdns"));
    }

    #[test]
    fn replies_ask_at_most_once_a_minute() {
        let mut schedule = Schedule::new(T0, |_| true);
        let bl = ["bl.ip".to_owned()];
        schedule.made(&["bl.ip"], |_| Known::default(), T0, &SeededRandom::new(1));
        schedule.ask(&bl, T0 + MINUTE / 2);
        assert_eq!(schedule.next["bl.ip"], T0 + MINUTE);
        schedule.ask(&bl, T0 + MINUTE * 3);
        assert_eq!(schedule.next["bl.ip"], T0 + MINUTE, "what is due already stays due");
        schedule.made(&["bl.ip"], |_| Known::default(), T0 + MINUTE, &SeededRandom::new(1));
        schedule.ask(&["bl".to_owned()], T0 + MINUTE * 9);
        assert_eq!(schedule.next["bl.ip"], T0 + MINUTE * 9);
    }
}
