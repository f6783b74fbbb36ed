//! When a request that failed is made again: the schedule that the Standard Webhooks
//! specification suggests, ten attempts within three days, each wait longer by up to a tenth so
//! that what failed together does not come back together. A pure function.

use std::time::Duration;

use repute_types::Random;

/// Seconds to wait after the first attempt, the second, and so on.
const WAITS: [u64; 9] = [5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600];

/// How long to wait after so many attempts (at least 1); `None` after the last.
pub fn wait(attempts: u32, random: &dyn Random) -> Option<Duration> {
    let seconds = *WAITS.get(attempts.max(1) as usize - 1)?;
    let millis = seconds * 1000;
    Some(Duration::from_millis(millis + random.below(millis / 10 + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use repute_types::SeededRandom;

    #[test]
    fn ten_attempts_within_three_days_and_a_half() {
        let random = SeededRandom::new(1);
        let waits: Vec<Duration> = (1..).map_while(|n| wait(n, &random)).collect();
        assert_eq!(waits.len() + 1, 10);
        assert!(waits.windows(2).all(|w| w[0] < w[1]));
        let total: Duration = waits.iter().sum();
        assert!((75 * 3600..84 * 3600).contains(&total.as_secs()), "{total:?}");
        assert_ne!(wait(5, &random), wait(5, &random));
    }
}
