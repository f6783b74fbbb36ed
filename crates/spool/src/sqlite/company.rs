//! Whether a commit waits for others that could share its sync.
//!
//! A sync costs the same for one message as for ten, and as much processor time as a third of everything else that is done for
//! one. Where the processor is what all wait for, signing say, each sync that is saved is time for the next message: with every
//! second batch having another one coming, waiting for as long as the last batch took halves their number, and a crowd waits on,
//! a few times as long, while no thread that serves clients is idle (measured: docs/performance.md).
//!
//! Where fewer come, or threads are often idle, nobody waits: clients would stand still for the sake of time that nobody needs.
//! It is asked how many come in a time, and not how many share a batch: batches that waited are larger, and would go on waiting
//! because they did.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// While a batch is written, so many others come, where there is a crowd: with fewer, most would wait for nobody.
const CROWD: f32 = 0.5;
/// Behind so many batches nobody is idle, where the processor is what all wait for.
const BUSY: f32 = 0.6;
/// Batches over which the average is taken.
const OVER: f32 = 16.0;
/// However slow the disk is, nobody waits longer: what a sync saves of the processor is then the same, what it keeps others
/// waiting is more.
const MOST: Duration = Duration::from_micros(250);
/// How many times more a batch waits while nobody is idle.
const FURTHER: usize = 3;
/// A longer time without a commit says no more than this: that there is no crowd.
const LONG: Duration = Duration::from_millis(10);

/// How many of the threads that serve clients have nothing to do. Whoever starts them keeps it.
#[derive(Debug, Default)]
pub struct Idle(AtomicUsize);

impl Idle {
    /// A thread has nothing to do.
    pub fn begins(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// It has again.
    pub fn ends(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    fn is_nobody(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

#[derive(Default)]
pub(super) struct Company {
    /// `None`: it is not known who is idle; a crowd waits, but never on.
    idle: Option<Arc<Idle>>,
    /// Behind how many batches somebody was idle, of late.
    idled: f32,
    /// Commits in a batch, of late.
    commits: f32,
    /// Seconds from the begin of a batch to the begin of the next one, and that it took, of late.
    between: f32,
    takes: f32,
    /// How long the last batch took.
    took: Duration,
}

impl Company {
    pub fn new(idle: Option<Arc<Idle>>) -> Company {
        Company { idle, ..Company::default() }
    }

    /// How long the next batch waits, in pieces; before each but the first it is asked who is idle.
    pub fn waits(&self) -> impl Iterator<Item = Duration> {
        let wait = self.wait();
        let pieces = if wait.is_zero() { 0 } else { 1 + FURTHER };
        let are_all_busy = || self.idle.as_ref().is_some_and(|idle| idle.is_nobody());
        (0..pieces).take_while(move |piece| *piece == 0 || are_all_busy()).map(move |_| wait)
    }

    fn wait(&self) -> Duration {
        let is_crowd = self.commits * self.takes >= CROWD * self.between && self.between > 0.0;
        let is_busy = self.idled <= 1.0 - BUSY;
        if is_crowd && is_busy { self.took.min(MOST) } else { Duration::ZERO }
    }

    /// A batch of so many commits began so long after the one before, and took so long.
    pub fn was(&mut self, commits: usize, after: Duration, took: Duration) {
        if commits > 0 {
            let towards = |average: &mut f32, now: f32| *average += (now - *average) / OVER;
            let is_somebody_idle = self.idle.as_ref().is_some_and(|idle| !idle.is_nobody());
            towards(&mut self.idled, f32::from(u8::from(is_somebody_idle)));
            towards(&mut self.commits, commits as f32);
            towards(&mut self.between, after.min(LONG).as_secs_f32());
            towards(&mut self.takes, took.min(LONG).as_secs_f32());
            self.took = took;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_micros(200);

    /// So many a second, each batch having the commits that came since the one before; whether the last one waits.
    fn waits(a_second: f64, company: &mut Company) -> bool {
        let mut left = 0.0;
        for _ in 0..200 {
            let after = (TOOK + company.wait()).max(Duration::from_secs_f64(1.0 / a_second));
            left += a_second * after.as_secs_f64();
            let commits = left.floor();
            left -= commits;
            company.was(commits as usize, after, TOOK);
        }
        !company.wait().is_zero()
    }

    #[test]
    fn only_a_crowd_waits_and_no_longer_than_it_is_one() {
        let mut company = Company::default();
        assert!(company.wait().is_zero());
        for (a_second, is_crowd) in
            [(10.0, false), (2_000.0, false), (4_000.0, true), (1_500.0, false), (50_000.0, true), (1.0, false)]
        {
            assert_eq!(waits(a_second, &mut company), is_crowd, "{a_second} a second");
        }
    }

    #[test]
    fn a_crowd_waits_on_while_nobody_is_idle() {
        let idle = Arc::<Idle>::default();
        for (idle, pieces) in [(None, 1), (Some(idle.clone()), 1 + FURTHER)] {
            let mut company = Company::new(idle);
            assert_eq!(company.waits().count(), 0);
            assert!(waits(50_000.0, &mut company));
            assert_eq!(company.waits().collect::<Vec<_>>(), vec![TOOK; pieces]);
            assert!(!waits(10.0, &mut company));
            assert_eq!(company.waits().count(), 0);
        }
        let mut company = Company::new(Some(idle.clone()));
        waits(50_000.0, &mut company);
        idle.begins();
        assert_eq!(company.waits().count(), 1, "it has been busy until now");
        idle.ends();
        // A thread that has nothing to do meanwhile ends it.
        let mut pieces = company.waits();
        assert_eq!((pieces.next(), pieces.next()), (Some(TOOK), Some(TOOK)));
        idle.begins();
        assert_eq!(pieces.next(), None);
    }

    /// At half of the peak, whoever came first stood still for others, while a processor had nothing to do.
    #[test]
    fn nobody_waits_where_threads_are_often_idle() {
        let idle = Arc::<Idle>::default();
        let mut company = Company::new(Some(idle.clone()));
        // Of ten batches.
        for (idled, waits) in [(0, true), (10, false), (6, false), (1, true)] {
            for batch in 0..200 {
                let is_idle = batch % 10 < idled;
                if is_idle {
                    idle.begins();
                }
                company.was(10, TOOK, TOOK);
                if is_idle {
                    idle.ends();
                }
            }
            assert_eq!(!company.wait().is_zero(), waits, "{idled} of ten");
        }
    }

    #[test]
    fn nobody_waits_long() {
        let mut company = Company::default();
        (0..40).for_each(|_| company.was(100, Duration::from_secs(3), Duration::from_secs(3)));
        assert_eq!(company.wait(), MOST);
        // Batches of settlements alone say nothing about it.
        company.was(0, Duration::ZERO, Duration::ZERO);
        assert_eq!(company.wait(), MOST);
    }
}
