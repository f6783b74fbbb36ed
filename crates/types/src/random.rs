//! Randomness as a door: jitter and the order among equal MX hosts are arguments, so that a
//! seed replays a whole day in a test. Not for secrets.

use std::sync::atomic::{AtomicU64, Ordering};

pub trait Random: Send + Sync + 'static {
    fn next(&self) -> u64;

    /// Uniform in `0..bound`; `bound` is at least 1.
    fn below(&self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound.max(1))) >> 64) as u64
    }
}

/// The same sequence for the same seed (SplitMix64).
#[derive(Debug)]
pub struct SeededRandom(AtomicU64);

impl SeededRandom {
    pub fn new(seed: u64) -> SeededRandom {
        SeededRandom(AtomicU64::new(seed))
    }
}

impl Random for SeededRandom {
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Seeded once from the operating system.
#[derive(Debug)]
pub struct SystemRandom(SeededRandom);

impl SystemRandom {
    pub fn new() -> SystemRandom {
        // Where the system has no randomness, the address of a fresh allocation is all there is;
        // jitter need not be secret.
        let seed = getrandom::u64().unwrap_or_else(|_| std::ptr::from_ref(&*Box::new(0u8)) as u64);
        SystemRandom(SeededRandom::new(seed))
    }
}

impl Default for SystemRandom {
    fn default() -> SystemRandom {
        SystemRandom::new()
    }
}

impl Random for SystemRandom {
    fn next(&self) -> u64 {
        self.0.next()
    }
}
