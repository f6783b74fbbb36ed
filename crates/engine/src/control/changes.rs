//! How much a command changed, what it could not, and whether it is on disk.

use serde::Serialize;

/// How many parts a command changed, and how many will be when their attempt ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    pub now: usize,
    pub after_attempt: usize,
    /// What is not sent for all that, by what holds it, each with the command that lets it go.
    pub still: Vec<StillHeld>,
    /// The disk refuses to be written: all of it is so in the running server, and is written as soon as the disk takes
    /// it. Should the server be killed before, it is not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unwritten: bool,
    /// The disk refuses to be written, and no more can be kept in memory: the rest was left as it was.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unfinished: bool,
}

/// Mail that one thing holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StillHeld {
    /// An account, ACCOUNT/CAMPAIGN, or the domain that it is sent as.
    pub name: String,
    /// How many parts of what was meant, where they were counted.
    pub parts: Option<usize>,
    /// Why.
    pub text: String,
    pub cure: String,
}

impl Changes {
    pub fn is_none(&self) -> bool {
        self.now + self.after_attempt == 0
    }

    pub(super) fn add(&mut self, more: Changes) {
        self.now += more.now;
        self.after_attempt += more.after_attempt;
        self.unwritten |= more.unwritten;
        self.unfinished |= more.unfinished;
        for row in more.still {
            self.hold_still(row);
        }
    }

    /// Each thing that holds mail has one row.
    pub(super) fn hold_still(&mut self, row: StillHeld) {
        match self.still.iter_mut().find(|known| known.name == row.name && known.cure == row.cure) {
            Some(known) => known.parts = Some(known.parts.unwrap_or(0) + row.parts.unwrap_or(0)),
            None => self.still.push(row),
        }
    }
}
