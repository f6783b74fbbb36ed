//! Answers kept for as long as their TTL says, found or not (RFC 2308).
//!
//! Bounded: at [`Cache::new`]'s bound, what has expired goes, and if that is not enough,
//! everything does; what is needed is asked again. Failures and silence are never kept.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::Lookup;

pub(crate) struct Cache<K, T> {
    most: usize,
    entries: Mutex<HashMap<K, Entry<T>>>,
}

struct Entry<T> {
    answer: Lookup<T>,
    until: Instant,
}

impl<K: Hash + Eq + Clone, T: Clone> Cache<K, T> {
    pub fn new(most: usize) -> Cache<K, T> {
        Cache { most, entries: Mutex::default() }
    }

    /// The answer with what is left of its time.
    pub fn get(&self, key: &K) -> Option<Lookup<T>> {
        let entries = self.entries();
        let entry = entries.get(key)?;
        let left = entry.until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        let mut answer = entry.answer.clone();
        if let Lookup::Found(found) = &mut answer {
            found.ttl = left;
        }
        Some(answer)
    }

    /// Keeps an answer; one that says that nothing is known is not kept.
    pub fn put(&self, key: &K, answer: &Lookup<T>, ttl: Duration) {
        if ttl.is_zero() || self.most == 0 || answer.unknown().is_some() {
            return;
        }
        let now = Instant::now();
        let mut entries = self.entries();
        if entries.len() >= self.most {
            entries.retain(|_, entry| entry.until > now);
        }
        if entries.len() >= self.most {
            entries.clear();
        }
        entries.insert(key.clone(), Entry { answer: answer.clone(), until: now + ttl });
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<K, Entry<T>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Records;

    const MINUTE: Duration = Duration::from_secs(60);

    fn found(ttl: Duration) -> Lookup<u8> {
        Lookup::Found(Records { items: vec![7], authentic: false, ttl })
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_lives_as_long_as_its_ttl() {
        let cache = Cache::new(10);
        cache.put(&1, &found(MINUTE), MINUTE);
        cache.put(&2, &Lookup::NoName { authentic: true }, MINUTE / 2);
        cache.put(&3, &Lookup::Failure("SERVFAIL".into()), MINUTE);
        tokio::time::sleep(MINUTE / 4).await;
        assert_eq!(cache.get(&1), Some(found(MINUTE * 3 / 4)));
        assert_eq!(cache.get(&2), Some(Lookup::NoName { authentic: true }));
        assert_eq!(cache.get(&3), None);
        tokio::time::sleep(MINUTE / 4).await;
        assert_eq!(cache.get(&2), None);
        tokio::time::sleep(MINUTE / 2).await;
        assert_eq!(cache.get(&1), None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_never_grows_beyond_its_bound() {
        let cache = Cache::new(10);
        for key in 0..100 {
            cache.put(&key, &found(MINUTE), MINUTE);
            assert!(cache.entries().len() <= 10);
        }
        assert!(cache.get(&99).is_some());
    }
}
