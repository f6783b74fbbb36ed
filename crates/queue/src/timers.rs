//! A heap of times with lazy removal: what was superseded stays until it comes up or until
//! half of the heap is stale, when the stale half is thrown out (amortised O(1) each).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use repute_types::Timestamp;

/// A place in the queue's table and the generation that the time was set in: an entry that
/// has moved on since has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub slot: u32,
    pub generation: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Timestamp, Mark)>>,
    stale: usize,
}

impl Timers {
    pub fn push(&mut self, at: Timestamp, mark: Mark) {
        self.heap.push(Reverse((at, mark)));
    }

    /// Says that one pushed mark will not be wanted any more.
    pub fn forget_one(&mut self, is_live: impl Fn(Mark) -> bool) {
        self.stale += 1;
        if self.stale > 1024 && self.stale * 2 > self.heap.len() {
            self.heap.retain(|Reverse((_, mark))| is_live(*mark));
            self.stale = 0;
        }
    }

    /// The next live mark whose time has come.
    pub fn pop_due(&mut self, now: Timestamp, is_live: impl Fn(Mark) -> bool) -> Option<Mark> {
        while let Some(Reverse((at, mark))) = self.heap.peek().copied() {
            if !is_live(mark) {
                self.heap.pop();
                self.stale = self.stale.saturating_sub(1);
                continue;
            }
            if at > now {
                return None;
            }
            self.heap.pop();
            return Some(mark);
        }
        None
    }

    /// The earliest time; may belong to a stale mark, which costs one needless look.
    pub fn earliest(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.heap.len()
    }
}
