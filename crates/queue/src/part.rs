//! A part as the queue knows it, and the words in which the queue is spoken to.

use std::time::Duration;

use repute_types::{Domain, PartId, Stream, Timestamp};

use crate::lane::{LaneId, LaneView};
use crate::slots::Slots;
use crate::timers::Mark;

/// As whom mail is sent: the caller's number for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sender(pub u16);

/// Mail of one sender to one domain: what a route is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flow {
    pub domain: Domain,
    pub sender: Sender,
    /// It goes also where the TLS that the domain asks for cannot be had: by another route than the rest.
    pub tls_optional: bool,
}

/// What the queue is told of a part.
#[derive(Clone, Debug)]
pub struct Entry {
    pub part: PartId,
    pub flow: Flow,
    pub stream: Stream,
    pub due: Timestamp,
    /// When [`Step::Alarm`] is to be raised, in whatever state the part is then.
    pub alarm: Timestamp,
    /// Attempts made before.
    pub attempts: u32,
    pub held: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    Routing,
    /// Its sender may take no way now.
    Barred,
    Ready,
    Leased,
    Held,
}

impl State {
    pub const ALL: [State; 6] =
        [State::Waiting, State::Routing, State::Barred, State::Ready, State::Leased, State::Held];

    /// `sending` is what is leased.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Routing => "routing",
            State::Barred => "barred",
            State::Ready => "ready",
            State::Leased => "sending",
            State::Held => "held",
        }
    }
}

/// What an operator asked for while the part was leased; done when the attempt ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// With the reason.
    Hold(String),
    /// What its recipients' end is told as.
    Cancel(String),
    Retry,
    /// Where it is held.
    Release,
}

/// What came of taking a part aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// It is leased to the caller.
    Taken {
        held: bool,
    },
    /// It is leased by another, who does it when the lease ends.
    AfterLease,
    Unknown,
}

/// Whether an operator's word took effect at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Now,
    AfterAttempt,
    Unknown,
}

/// What `advance` asks its caller to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Find the lane of this flow, then call `routed`, `unroutable` or `bar`.
    Route(Flow),
    /// The part's alarm has come: set the next one, or settle it.
    Alarm(PartId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub part: PartId,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    pub sender: Sender,
}

/// A session's answer to "what next?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Work(Lease),
    /// Nothing is ready; wait, and be counted as idle.
    Idle,
    /// The lane has more sessions than its window, or is paused: end this one.
    Close,
}

/// What becomes of a part after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Done,
    /// Tried and deferred.
    Again(Timestamp),
    Held,
    /// By somebody's word, and no attempt was made: it waits for this time; where that is now, its lane is not paused
    /// any more.
    Due(Timestamp),
    /// It was leased for something else than an attempt, and waits or is held as before.
    Unchanged {
        held: bool,
    },
}

/// What an attempt taught about the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feedback {
    /// The site answered about the message, whatever it said.
    Reached,
    /// The site asked for less: 421, too many connections.
    PushedBack,
    /// One more session could not be had while others are open.
    Crowded,
    /// No session could be had.
    Unreachable,
    /// The site wants nothing more for so long, and then little at first.
    ToldToWait(Duration),
    /// Nothing was learnt.
    None,
}

impl Feedback {
    /// The one of two that asks for more care.
    pub fn worse(self, other: Feedback) -> Feedback {
        let weight = |feedback| match feedback {
            Feedback::None => 0,
            Feedback::Reached => 1,
            Feedback::PushedBack | Feedback::Crowded => 2,
            Feedback::Unreachable => 3,
            Feedback::ToldToWait(_) => 4,
        };
        if weight(self) >= weight(other) { self } else { other }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub state: State,
    pub due: Timestamp,
    pub attempts: u32,
    pub lane: Option<LaneView>,
}

#[derive(Debug)]
pub(crate) struct Row {
    pub part: PartId,
    pub due: Timestamp,
    /// Index of its flow.
    pub flow: u32,
    /// Changes with every change of state, so that marks in heaps and lanes go stale.
    pub generation: u32,
    /// The same for the alarm.
    pub alarm_generation: u32,
    pub attempts: u16,
    pub state: State,
    pub stream: Stream,
    pub lane: Option<LaneId>,
}

/// Whether a mark still means the row it was made for.
pub(crate) fn is_at(rows: &Slots<Row>, mark: Mark) -> bool {
    rows.get(mark.slot).is_some_and(|row| row.generation == mark.generation)
}

pub(crate) fn is_alarm(rows: &Slots<Row>, mark: Mark) -> bool {
    rows.get(mark.slot).is_some_and(|row| row.alarm_generation == mark.generation)
}
