//! Whether mail is taken now, as the writer last found it, for whoever asks.
//!
//! A disk without the reserve is full, whatever was written last. A write that failed stands until one succeeds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Refusal;

#[derive(Default)]
pub(super) struct Health {
    /// Looked at first, by the writer with each batch.
    is_refusing: AtomicBool,
    why: Mutex<Option<Refusal>>,
}

impl Health {
    pub fn refusal(&self) -> Option<Refusal> {
        if self.is_refusing.load(Ordering::Acquire) { self.lock().clone() } else { None }
    }

    /// Called by the writer alone, before it tells anybody of what was refused.
    pub fn is_now(&self, why: Option<Refusal>) {
        if why.is_none() && !self.is_refusing.load(Ordering::Acquire) {
            return;
        }
        let is_refusing = why.is_some();
        *self.lock() = why;
        self.is_refusing.store(is_refusing, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Refusal>> {
        // One value is put in the place of another: a panic leaves no half of it.
        self.why.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
