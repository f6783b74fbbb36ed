//! How old mail may get: when its sender is told that it takes long, and when it is given up (RFC 5321 §4.5.4.1).
//!
//! Both are times of the day, from the message's acceptance on. Promise: nobody is told of a delay, and nothing is given up, for
//! time in which nothing could be tried. While the server was off no first attempt was made; and where the clock is found to have
//! jumped ahead, because the machine slept or because somebody set it, all that waits has [`TO_BE_TRIED`] from then on before it
//! is too old, and is due at once. What is too old when the server starts, or was before the clock jumped, is given up: that much
//! of the clock is believed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use repute_spool::{MessageMeta, PartRecord};
use repute_types::Timestamp;

use crate::works::Works;

/// After a start, and after the clock jumped, an attempt has so long to be made before its sender is told that it takes long, or
/// that it has failed.
const TO_BE_TRIED: Duration = Duration::from_secs(600);

/// Since when time goes on as it should, in milliseconds.
pub(crate) struct Awake {
    /// Since the start, or since the clock jumped ahead.
    since: AtomicI64,
    /// The last jump ahead; before all times where there was none.
    jumped: AtomicI64,
    /// What the clock would say at that instant if it had not jumped: what had expired by then has no right to be tried.
    without: AtomicI64,
}

impl Awake {
    pub fn new(now: Timestamp) -> Awake {
        let never = || AtomicI64::new(i64::MIN);
        Awake { since: AtomicI64::new(now.millis()), jumped: never(), without: never() }
    }

    pub fn jumped_ahead(&self, by: Duration, now: Timestamp) {
        let mut without = now - by;
        // Who is being given time because of the jump before goes on to be.
        if self.jumped().is_some_and(|at| without < at + TO_BE_TRIED) {
            without = without.min(self.without());
        }
        self.without.store(without.millis(), Ordering::Relaxed);
        self.since.store(now.millis(), Ordering::Relaxed);
        self.jumped.store(now.millis(), Ordering::Relaxed);
    }

    pub fn set_back(&self, now: Timestamp) {
        self.since.fetch_min(now.millis(), Ordering::Relaxed);
        self.jumped.fetch_min(now.millis(), Ordering::Relaxed);
    }

    fn since(&self) -> Timestamp {
        Timestamp(self.since.load(Ordering::Relaxed))
    }

    fn jumped(&self) -> Option<Timestamp> {
        Some(Timestamp(self.jumped.load(Ordering::Relaxed))).filter(|at| at.millis() > i64::MIN)
    }

    fn without(&self) -> Timestamp {
        Timestamp(self.without.load(Ordering::Relaxed))
    }

    fn expires(&self, received: Timestamp, expires: Timestamp) -> Timestamp {
        match self.jumped() {
            Some(at) if received < at && expires > self.without() => expires.max(at + TO_BE_TRIED),
            _ => expires,
        }
    }
}

impl Works {
    /// After this instant a message is not tried any more.
    pub(crate) fn expires(&self, meta: &MessageMeta) -> Timestamp {
        self.awake.expires(meta.received, meta.expires)
    }

    /// The delay notice first, if one is still owed, then expiry.
    pub(crate) fn next_alarm(&self, meta: &MessageMeta, part: &PartRecord) -> Timestamp {
        let retry = &self.settings().retry;
        let expires = self.expires(meta);
        if part.delay_noticed || meta.account.is_none() {
            return expires;
        }
        // A message that was to wait is late only after that: it expires so much later, too.
        let begun = (meta.expires - retry.expire).max(meta.received);
        let since = if part.attempts == 0 { Some(self.awake.since()) } else { self.awake.jumped() };
        let tried = since.map_or(begun, |since| since + TO_BE_TRIED);
        (begun + retry.delay_notice).max(tried).min(expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const MINUTE: Duration = Duration::from_secs(60);
    const START: Timestamp = Timestamp(1_800_000_000_000);

    /// Found by the simulation (seed 213): a disk that could not be read kept mail from being given up; then the clock was set ahead
    /// by a minute and a half, and mail that had been too old for hours was tried.
    #[test]
    fn what_was_too_old_before_the_clock_jumped_is_not_tried_because_it_did() {
        let awake = Awake::new(START);
        let now = START + 5 * HOUR;
        awake.jumped_ahead(Duration::from_secs(90), now);
        let expires = |after: Duration| awake.expires(START, START + after);
        assert_eq!(expires(HOUR), START + HOUR);
        // What waits and is too old by the jump alone, or is not yet, has its ten minutes.
        assert_eq!([expires(5 * HOUR - MINUTE), expires(5 * HOUR + MINUTE)], [now + 10 * MINUTE; 2]);
        assert_eq!(expires(6 * HOUR), START + 6 * HOUR);
        // What came since then has the clock as it is.
        assert_eq!(awake.expires(now, now + MINUTE), now + MINUTE);
    }

    #[test]
    fn who_is_being_tried_after_a_jump_goes_on_to_be_after_the_next() {
        let awake = Awake::new(START);
        awake.jumped_ahead(24 * HOUR, START + 25 * HOUR);
        awake.jumped_ahead(HOUR, START + 26 * HOUR + MINUTE);
        let end = START + 26 * HOUR + 11 * MINUTE;
        assert_eq!(awake.expires(START, START + 2 * HOUR), end);
        // A day later nobody is.
        awake.jumped_ahead(HOUR, START + 50 * HOUR);
        assert_eq!(awake.expires(START, START + 2 * HOUR), START + 2 * HOUR);
    }
}
