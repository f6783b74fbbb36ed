//! One timer a connection. Moving the deadline later costs nothing: the timer is armed anew
//! only when it fires, not with every read.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

pub(crate) struct Timer {
    sleep: Pin<Box<Sleep>>,
    deadline: Instant,
    /// No deadline is later than this, once set.
    cap: Option<Instant>,
}

impl Timer {
    pub(crate) fn new(within: Duration) -> Timer {
        let deadline = Instant::now() + within;
        Timer { sleep: Box::pin(sleep_until(deadline)), deadline, cap: None }
    }

    pub(crate) fn set(&mut self, within: Duration) {
        let deadline = Instant::now() + within;
        self.deadline = self.cap.map_or(deadline, |cap| cap.min(deadline));
        if self.deadline < self.sleep.deadline() {
            self.sleep.as_mut().reset(self.deadline);
        }
    }

    /// Bounds all deadlines from now on; for a shutdown.
    pub(crate) fn cap(&mut self, within: Duration) {
        self.cap = Some(Instant::now() + within);
        self.set(within);
    }

    /// Returns when the deadline has passed; may be dropped and called again.
    pub(crate) async fn expired(&mut self) {
        loop {
            self.sleep.as_mut().await;
            if Instant::now() >= self.deadline {
                return;
            }
            self.sleep.as_mut().reset(self.deadline);
        }
    }

    /// The future's value, or `None` where the deadline passed first.
    pub(crate) async fn within<T>(&mut self, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
        self.set(limit);
        tokio::select! {
            biased;
            value = future => Some(value),
            () = self.expired() => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_moves_both_ways() {
        let start = Instant::now();
        let mut timer = Timer::new(Duration::from_secs(10));
        timer.set(Duration::from_secs(20));
        timer.expired().await;
        assert_eq!(start.elapsed().as_secs(), 20);
        timer.set(Duration::from_secs(100));
        timer.set(Duration::from_secs(5));
        timer.expired().await;
        assert_eq!(start.elapsed().as_secs(), 25);
        timer.cap(Duration::from_secs(3));
        assert_eq!(timer.within(Duration::from_secs(60), std::future::pending::<()>()).await, None);
        assert_eq!(start.elapsed().as_secs(), 28);
    }
}
