//! One timer a connection. Moving the deadline later costs nothing: the timer is armed anew
//! only when it fires, not with every read.
//!
//! It holds the connection's place, too: where that is asked back, the time is out, and what is
//! to be done after that has [`LAST_WORDS`] in all.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use repute_net::seats::Seat;
use tokio::time::{Instant, Sleep, sleep_until};

/// For a reply to one whose place another has.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(crate) struct Timer {
    sleep: Pin<Box<Sleep>>,
    deadline: Instant,
    /// No deadline is later than this, once set.
    cap: Option<Instant>,
    /// A program of this machine has none.
    pub seat: Option<Seat>,
    asked_back: bool,
}

/// Of a place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hold {
    /// By whoever is known or at work.
    Keep,
    /// By a stranger; it may be asked back.
    Lend,
}

impl Timer {
    pub(crate) fn new(within: Duration, seat: Option<Seat>) -> Timer {
        let deadline = Instant::now() + within;
        Timer { sleep: Box::pin(sleep_until(deadline)), deadline, cap: None, seat, asked_back: false }
    }

    /// How the place is held from now on.
    pub(crate) fn hold_place(&self, hold: Hold) {
        match (&self.seat, hold) {
            (Some(seat), Hold::Keep) => seat.keep(),
            (Some(seat), Hold::Lend) => seat.lend(),
            (None, _) => {}
        }
    }

    /// Whether the place was asked back.
    pub(crate) fn is_asked_back(&self) -> bool {
        self.asked_back
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
        let cap = Instant::now() + within;
        self.cap = Some(self.cap.map_or(cap, |earlier| earlier.min(cap)));
        self.set(within);
    }

    /// Returns when the deadline has passed, or once where the place is asked back before; may be dropped and called again.
    pub(crate) async fn expired(&mut self) {
        loop {
            let asked_back = async {
                match &self.seat {
                    // Who waits is the holder, so that it stays kept meanwhile: then nothing need be listened for.
                    Some(seat) if !self.asked_back && seat.is_lent() => seat.asked_back().await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = asked_back => {
                    self.asked_back = true;
                    return self.cap(LAST_WORDS);
                }
                () = self.sleep.as_mut() => {}
            }
            if Instant::now() >= self.deadline {
                return;
            }
            self.sleep.as_mut().reset(self.deadline);
        }
    }

    /// The future's value, or `None` where the deadline passed first. What need not be waited for asks for no time.
    pub(crate) async fn within<T>(&mut self, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        if let Poll::Ready(value) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
            return Some(value);
        }
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
        let mut timer = Timer::new(Duration::from_secs(10), None);
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

    #[tokio::test(start_paused = true)]
    async fn the_time_of_one_whose_place_is_asked_back_is_out() {
        let seats = repute_net::seats::Seats::new(1, 9);
        let start = Instant::now();
        let mut timer = Timer::new(Duration::from_secs(100), seats.enter(None).ok().map(|entered| entered.0));
        let (_other, _) = seats.enter(None).unwrap();
        assert_eq!(timer.within(Duration::from_secs(60), std::future::pending::<()>()).await, None);
        assert!(timer.is_asked_back() && start.elapsed().is_zero());
        // A reply that is not read does not hold it up.
        assert_eq!(timer.within(Duration::from_secs(60), std::future::pending::<()>()).await, None);
        assert_eq!(start.elapsed(), LAST_WORDS);
    }
}
