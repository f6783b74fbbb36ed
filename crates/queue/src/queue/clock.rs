//! What becomes of times when the clock is set back: they were meant as so long from then, and stay so long from
//! then. A clock that is set forward needs nothing: what is due is tried, a little early.

use std::time::Duration;

use repute_types::Timestamp;

use super::Queue;
use crate::part::State;
use crate::timers::{Mark, Timers};

impl Queue {
    /// The clock says `now`, so much less than it should. Retries, pauses and routes end when they would have; a time
    /// that somebody named for a first attempt, and alarms, stay times of the day. Looks at every part.
    pub fn set_back(&mut self, by: Duration, now: Timestamp) {
        // What is due before this was put off since the clock was set, by the clock as it is now.
        let expected = now + by;
        self.due = Timers::default();
        for (slot, row) in self.rows.iter_mut() {
            if row.attempts > 0 && row.due >= expected {
                row.due = row.due - by;
            }
            if row.state == State::Waiting {
                self.due.push(row.due, Mark { slot, generation: row.generation });
            }
        }
        self.pauses = Timers::default();
        for (slot, lane) in self.lanes.iter_mut() {
            lane.set_back(by);
            if let Some(until) = lane.paused_until {
                self.pauses.push(until, Mark { slot, generation: 0 });
            }
        }
        self.set_paces_back(by);
        self.flows.set_back(by);
    }
}
