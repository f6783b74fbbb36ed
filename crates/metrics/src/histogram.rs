//! How often something lay below each of some bounds, counted without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// `N` bounds, in seconds, growing. Reading while it is counted may see one observation in the sum and not yet in its
/// bucket: the next reading has both.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    bounds: [u32; N],
    below: [AtomicU64; N],
    beyond: AtomicU64,
    millis: AtomicU64,
}

impl<const N: usize> Histogram<N> {
    pub const fn new(bounds: [u32; N]) -> Histogram<N> {
        Histogram {
            bounds,
            below: [const { AtomicU64::new(0) }; N],
            beyond: AtomicU64::new(0),
            millis: AtomicU64::new(0),
        }
    }

    pub fn observe(&self, what: Duration) {
        let place = self.bounds.iter().position(|bound| what <= Duration::from_secs(u64::from(*bound)));
        place.map_or(&self.beyond, |place| &self.below[place]).fetch_add(1, Ordering::Relaxed);
        let millis = u64::try_from(what.as_millis()).unwrap_or(u64::MAX >> 16);
        self.millis.fetch_add(millis, Ordering::Relaxed);
    }

    /// Each bound with how many lay at or below it.
    pub fn cumulated(&self) -> [(f64, u64); N] {
        let mut sum = 0;
        std::array::from_fn(|n| {
            sum += self.below[n].load(Ordering::Relaxed);
            (f64::from(self.bounds[n]), sum)
        })
    }

    /// How many lay beyond the last bound.
    pub fn beyond(&self) -> u64 {
        self.beyond.load(Ordering::Relaxed)
    }

    /// The sum of all, in seconds.
    pub fn sum(&self) -> f64 {
        self.millis.load(Ordering::Relaxed) as f64 / 1000.0
    }
}
