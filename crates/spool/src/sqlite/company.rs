//! Whether a commit waits for others that could share its sync.
//!
//! A sync costs the same for one message as for ten, and as much processor time as a third of everything else that is done for
//! one. Where a crowd commits, waiting for as long as the last batch took halves the number of syncs and costs no
//! throughput, since meanwhile the processor has others to serve (measured: docs/performance.md). Where few do, nobody waits: their
//! clients would stand still for nothing.

use std::time::Duration;

/// So many commits share a sync by themselves, on average, where there is a crowd.
const CROWD: f32 = 2.5;
/// Batches over which the average is taken.
const OVER: f32 = 16.0;
/// However slow the disk is, nobody waits longer: what a sync saves of the processor is then the same, what it keeps others
/// waiting is more.
const MOST: Duration = Duration::from_micros(250);

#[derive(Default)]
pub(super) struct Company {
    /// Commits in a batch, of late.
    average: f32,
    /// How long the last batch took.
    took: Duration,
}

impl Company {
    /// How long the next batch waits.
    pub fn wait(&self) -> Duration {
        if self.average < CROWD { Duration::ZERO } else { self.took.min(MOST) }
    }

    /// A batch of so many commits took so long.
    pub fn was(&mut self, commits: usize, took: Duration) {
        if commits > 0 {
            self.average += (commits as f32 - self.average) / OVER;
            self.took = took;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_micros(200);

    #[test]
    fn only_a_crowd_waits() {
        let mut company = Company::default();
        for commits in [1, 2, 1, 3, 1, 2, 2, 1].repeat(20) {
            company.was(commits, TOOK);
            assert_eq!(company.wait(), Duration::ZERO);
        }
        (0..40).for_each(|_| company.was(4, TOOK));
        assert_eq!(company.wait(), TOOK);
    }

    #[test]
    fn when_the_crowd_has_gone_nobody_waits_and_never_long() {
        let mut company = Company::default();
        (0..40).for_each(|_| company.was(100, Duration::from_secs(3)));
        assert_eq!(company.wait(), MOST);
        // Batches of settlements alone say nothing about it.
        company.was(0, Duration::ZERO);
        assert_eq!(company.wait(), MOST);
        (0..80).for_each(|_| company.was(1, TOOK));
        assert_eq!(company.wait(), Duration::ZERO);
    }
}
