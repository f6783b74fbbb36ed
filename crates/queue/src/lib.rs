//! What is due, for which site, from which egress.
//!
//! The queue is a value without tasks, sockets or clock: calls go in with the time as an
//! argument, decisions come out. It sees parts, flows, lanes and times; never content, never
//! SMTP, never DNS. A *flow* is mail of one sender to one domain, which has one route; a *lane* is
//! a site as reached by one way out: what sessions, windows and back-off are counted for. A flow
//! that may take no way is *barred*: its parts wait in one list, and what that costs does not
//! depend on how many they are.
//!
//! Promises: a part is leased to one session at a time; a part entered leaves only through
//! [`Queue::settle`] or [`Queue::remove`]; an alarm set for a part is raised in every state.
//! Entering, picking and settling cost O(log n). The states are those of docs/queue-states.md.

mod flows;
mod lane;
mod pace;
mod part;
mod queue;
mod slots;
mod timers;

mod retry;

#[cfg(test)]
mod tests;

pub use lane::{LaneId, LaneKey, LaneSettings, LaneView};
pub use pace::{PaceView, Rate, Terms};
pub use part::{Aside, Change, Entry, Feedback, Flow, Intent, Lease, Next, Sender, State, Step, Then, View};
pub use queue::Queue;
pub use retry::Retry;
