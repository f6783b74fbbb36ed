//! What black lists said a while ago, for whoever asks again and again: lists that matter less are asked
//! less often.
//!
//! Only a sound list that has none of ours is remembered: what is listed, refused or not known is
//! asked for at every run. Bounded by the table of lists.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use repute_trust::checks::lists::{Asked, Target};
use repute_trust::dnsbl::{Health, Tier, Verdict};
use repute_types::Timestamp;

pub struct Remembered {
    /// How often lists of a tier are asked.
    every: fn(Tier) -> Duration,
    said: Mutex<HashMap<String, (Timestamp, Asked)>>,
}

impl Remembered {
    pub fn new(every: fn(Tier) -> Duration) -> Remembered {
        Remembered { every, said: Mutex::default() }
    }

    /// From now on every list is asked again.
    pub fn forget(&self) {
        self.said().clear();
    }

    /// What the list said of these targets, if that is not too long ago.
    pub(crate) fn recall(&self, zone: &str, targets: &[Target], now: Timestamp) -> Option<Asked> {
        let said = self.said();
        let (at, asked) = said.get(zone)?;
        let age = now.since(*at);
        let every = (self.every)(asked.list.tier);
        // Runs come up to a tenth before their time.
        let is_fresh = *at <= now && age + every / 10 < every;
        let alike = asked.answers.iter().map(|(target, ..)| target).eq(targets);
        (is_fresh && alike).then(|| asked.clone())
    }

    pub(crate) fn keep(&self, zone: &str, asked: &Asked, now: Timestamp) {
        let is_clean = |answer| matches!(asked.list.judge(answer), Verdict::Clean { .. });
        let clean = asked.health == Health::Sound && asked.answers.iter().all(|(_, answer, _)| is_clean(answer));
        match clean {
            true => drop(self.said().insert(zone.to_owned(), (now, asked.clone()))),
            false => drop(self.said().remove(zone)),
        }
    }

    fn said(&self) -> MutexGuard<'_, HashMap<String, (Timestamp, Asked)>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use repute_trust::dnsbl::Table;
    use repute_trust::lookup::Answer;

    use super::*;

    const T0: Timestamp = Timestamp(1_795_485_950_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn asked(answer: Answer) -> Asked {
        let list = Table::shipped().lists().iter().find(|list| list.tier == Tier::Notice).unwrap();
        let target = Target::Address("203.0.113.10".parse().unwrap());
        Asked { list: Arc::new(list.clone()), health: Health::Sound, answers: vec![(target, answer, Vec::new())] }
    }

    #[test]
    fn what_is_clean_is_asked_for_as_often_as_its_tier_says() {
        let remembered = Remembered::new(|_| 6 * HOUR);
        let clean = asked(Answer::NoName);
        let targets: Vec<Target> = clean.answers.iter().map(|(target, ..)| target.clone()).collect();
        let knows = |at, targets: &[Target]| remembered.recall("list.example", targets, at).is_some();
        assert!(!knows(T0, &targets));
        remembered.keep("list.example", &clean, T0);
        assert!(knows(T0 + HOUR, &targets) && knows(T0 + HOUR * 5, &targets));
        assert!(!knows(T0 + HOUR * 6, &targets));
        assert!(!knows(T0 + HOUR, &[]), "other addresses are asked about");
        remembered.keep("list.example", &asked(Answer::Failure("SERVFAIL".into())), T0 + HOUR);
        assert!(!knows(T0 + HOUR, &targets), "what is not known is not remembered");
        remembered.keep("list.example", &clean, T0);
        remembered.forget();
        assert!(!knows(T0, &targets));
    }
}
