//! How many requests a token may make: a bucket a token, filled evenly (the token bucket of
//! draft-ietf-httpapi-ratelimit-headers).
//!
//! Promise: as many buckets as tokens. A token that was taken away is forgotten at the next
//! look that finds more buckets than there are names.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const WINDOW: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Paces(Mutex<HashMap<String, Bucket>>);

struct Bucket {
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
    /// Takes one request of `cost` out of the bucket of `name`.
    pub fn take(&self, name: &str, quota: u32, cost: u32) -> Pace {
        let quota = quota.max(1);
        let now = Instant::now();
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = match buckets.get_mut(name) {
            Some(bucket) => bucket,
            None => buckets.entry(name.to_owned()).or_insert(Bucket { left: f64::from(quota), at: now }),
        };
        let per_second = f64::from(quota) / WINDOW.as_secs_f64();
        let filled = bucket.left + now.duration_since(bucket.at).as_secs_f64() * per_second;
        bucket.left = filled.min(f64::from(quota));
        bucket.at = now;
        let cost = f64::from(cost);
        let lacking = (cost.min(f64::from(quota)) - bucket.left).max(0.0);
        let wait = (lacking > 0.0).then(|| (lacking / per_second).ceil().max(1.0) as u64);
        if wait.is_none() {
            bucket.left -= cost.min(bucket.left);
        }
        let full_in = ((f64::from(quota) - bucket.left) / per_second).ceil() as u64;
        Pace { quota, left: bucket.left as u32, full_in, wait }
    }

    /// Forgets the buckets of tokens that are no more.
    pub fn keep(&self, is_known: impl Fn(&str) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| is_known(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bucket_empties_and_fills_evenly() {
        let paces = Paces::default();
        for left in (0..60).rev() {
            assert_eq!(paces.take("a", 60, 1).left, left);
        }
        let over = paces.take("a", 60, 1);
        assert_eq!((over.left, over.wait, over.full_in), (0, Some(1), 60));
        assert_eq!(paces.take("b", 60, 1).wait, None);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(paces.take("a", 60, 1), Pace { quota: 60, left: 9, full_in: 51, wait: None });
        assert_eq!(paces.take("a", 60, 20).wait, Some(11));
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(paces.take("a", 60, 1).left, 59);
    }
}
