//! How many requests a token may make: a bucket a token, filled evenly (the token bucket of
//! draft-ietf-httpapi-ratelimit-headers).
//!
//! Promise: no more than the quota in the long run. A batch of more messages than a minute has requests is taken by a full bucket, and what
//! comes next waits until that is made up for.
//! As many buckets as tokens, and never more than the bound: at it, names whose bucket is full again are
//! forgotten, and where there are none, new names share one bucket. A token that was taken away is forgotten at the next
//! look that finds more buckets than there are names.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const WINDOW: Duration = Duration::from_secs(60);

pub(crate) struct Paces {
    buckets: Mutex<HashMap<String, Bucket>>,
    most: usize,
}

impl Default for Paces {
    fn default() -> Paces {
        Paces::bounded(usize::MAX)
    }
}

struct Bucket {
    /// Below zero after a batch that was larger than what was left.
    left: f64,
    at: Instant,
}

/// What is left to a token after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    pub quota: u32,
    pub left: u32,
    /// Seconds until the bucket is full again.
    pub full_in: u64,
    /// Set where the request was one too many: seconds until the next may come.
    pub wait: Option<u64>,
}

impl Paces {
    /// At most so many buckets.
    pub fn bounded(most: usize) -> Paces {
        Paces { buckets: Mutex::default(), most }
    }

    /// Takes one request out of the bucket of `name`.
    pub fn take(&self, name: &str, quota: u32) -> Pace {
        self.take_some(name, quota, 1, 1)
    }

    /// Takes what a request that was taken costs beside itself.
    pub fn take_rest(&self, name: &str, quota: u32, cost: u32) -> Pace {
        self.take_some(name, quota, cost, cost.min(quota.saturating_sub(1)))
    }

    /// What is left, of which nothing is taken.
    pub fn look(&self, name: &str, quota: u32) -> Pace {
        self.take_some(name, quota, 0, 0)
    }

    /// Takes `cost`, where as much as `needed` is there.
    fn take_some(&self, name: &str, quota: u32, cost: u32, needed: u32) -> Pace {
        let quota = quota.max(1);
        let now = Instant::now();
        let per_second = f64::from(quota) / WINDOW.as_secs_f64();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let name = self.room(&mut buckets, name, |bucket| {
            bucket.left + now.duration_since(bucket.at).as_secs_f64() * per_second >= f64::from(quota)
        });
        let bucket = match buckets.get_mut(name) {
            Some(bucket) => bucket,
            None => buckets.entry(name.to_owned()).or_insert(Bucket { left: f64::from(quota), at: now }),
        };
        let filled = bucket.left + now.duration_since(bucket.at).as_secs_f64() * per_second;
        bucket.left = filled.min(f64::from(quota));
        bucket.at = now;
        let lacking = (f64::from(needed) - bucket.left).max(0.0);
        let wait = (lacking > 0.0).then(|| (lacking / per_second).ceil().max(1.0) as u64);
        if wait.is_none() {
            bucket.left -= f64::from(cost);
        }
        let full_in = ((f64::from(quota) - bucket.left) / per_second).ceil() as u64;
        Pace { quota, left: bucket.left as u32, full_in, wait }
    }

    /// The name whose bucket it is: the one given, or that of all for whom there is no room.
    fn room<'a>(
        &self,
        buckets: &mut HashMap<String, Bucket>,
        name: &'a str,
        is_full: impl Fn(&Bucket) -> bool,
    ) -> &'a str {
        if buckets.len() < self.most || buckets.contains_key(name) {
            return name;
        }
        buckets.retain(|_, bucket| !is_full(bucket));
        if buckets.len() < self.most { name } else { "" }
    }

    /// Forgets the buckets of tokens that are no more.
    pub fn keep(&self, is_known: impl Fn(&str) -> bool) {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| is_known(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bucket_empties_and_fills_evenly() {
        let paces = Paces::default();
        for left in (0..60).rev() {
            assert_eq!(paces.take("a", 60).left, left);
        }
        let over = paces.take("a", 60);
        assert_eq!((over.left, over.wait, over.full_in), (0, Some(1), 60));
        assert_eq!(paces.take("b", 60).wait, None);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(paces.take("a", 60), Pace { quota: 60, left: 9, full_in: 51, wait: None });
        assert_eq!(paces.take_rest("a", 60, 20).wait, Some(11));
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(paces.take("a", 60).left, 59);
    }

    /// A batch of more messages than the token has requests in a minute was refused for ever, each time for a second.
    #[tokio::test(start_paused = true)]
    async fn a_batch_of_more_than_a_minute_has_is_taken_and_made_up_for() {
        let paces = Paces::default();
        paces.take("a", 60);
        assert_eq!(paces.take_rest("a", 60, 499), Pace { quota: 60, left: 0, full_in: 500, wait: None });
        assert_eq!(paces.take("a", 60).wait, Some(441));
        tokio::time::advance(Duration::from_secs(441)).await;
        assert_eq!(paces.take("a", 60), Pace { quota: 60, left: 0, full_in: 60, wait: None });
        assert_eq!(paces.take_rest("a", 60, 499).wait, Some(59), "and the next has to find a full bucket again");
        assert_eq!(
            (paces.take("b", 1).left, paces.take_rest("b", 1, 4).wait, paces.look("b", 1).full_in),
            (0, None, 300)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_bound_new_names_share_one_bucket() {
        let paces = Paces::bounded(2);
        paces.take("a", 60);
        paces.take("b", 60);
        assert_eq!((paces.take_rest("c", 60, 60).left, paces.take("d", 60).wait), (0, Some(1)));
        assert_eq!(paces.take("a", 60).left, 58);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(paces.take("e", 60).left, 59, "the others are full again, and forgotten");
    }
}
