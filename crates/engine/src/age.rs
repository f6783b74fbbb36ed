//! How old mail may get: when its sender is told that it takes long, and when it is given up (RFC 5321 §4.5.4.1).
//!
//! Both are times of the day, from the message's acceptance on. Promise: nobody is told of a delay, and nothing is given up, for
//! time in which nothing could be tried. While the server was off no first attempt was made; and where the clock is found to have
//! jumped ahead, because the machine slept or because somebody set it, all that waits has [`TO_BE_TRIED`] from then on before it
//! is too old, and is due at once. What is too old when the server starts is given up: that much of the clock is believed.

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
}

impl Awake {
    pub fn new(now: Timestamp) -> Awake {
        Awake { since: AtomicI64::new(now.millis()), jumped: AtomicI64::new(i64::MIN) }
    }

    pub fn jumped_ahead(&self, now: Timestamp) {
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

    fn expires(&self, meta: &MessageMeta) -> Timestamp {
        match self.jumped() {
            Some(at) if meta.received < at => meta.expires.max(at + TO_BE_TRIED),
            _ => meta.expires,
        }
    }
}

impl Works {
    /// After this instant a message is not tried any more.
    pub(crate) fn expires(&self, meta: &MessageMeta) -> Timestamp {
        self.awake.expires(meta)
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
