//! How much a command changed, and whether it is on disk.

use repute_queue::Change as Changed;
use serde::Serialize;

/// How many parts a command changed, and how many will be when their attempt ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    pub now: usize,
    pub after_attempt: usize,
    /// The disk refuses to be written: all of it is so in the running server, and is written as soon as the disk takes
    /// it. Should the server be killed before, it is not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unwritten: bool,
}

impl Changes {
    pub fn is_none(&self) -> bool {
        self.now + self.after_attempt == 0
    }

    pub(super) fn count(&mut self, changed: Changed) {
        match changed {
            Changed::Now => self.now += 1,
            Changed::AfterAttempt => self.after_attempt += 1,
            Changed::Unknown => {}
        }
    }
}
