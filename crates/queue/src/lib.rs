//! What is due, for which site, from which egress.
//!
//! The queue is a value without tasks, sockets or clock: calls go in with the time as an
//! argument, decisions come out. It sees parts, domains, lanes and times; never content, never
//! SMTP, never DNS. A *lane* is a site as reached from one egress: what sessions, windows and
//! back-off are counted for.
//!
//! Promises: a part is leased to one session at a time; a part entered leaves only through
//! [`Queue::settle`] or [`Queue::remove`]; an alarm set for a part is raised in every state.
//! Entering, picking and settling cost O(log n). The states are those of docs/queue-states.md.

mod domains;
mod lane;
mod part;
mod queue;
mod timers;

pub mod retry;

#[cfg(test)]
mod tests;

pub use lane::{LaneId, LaneKey, LaneSettings, LaneView};
pub use part::{Change, Entry, Feedback, Intent, Lease, Next, State, Step, Then, View};
pub use queue::Queue;
pub use retry::Retry;
