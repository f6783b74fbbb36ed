//! The listeners before a scripted door. One program, so that the door is built once and what no test needs of it is seen.

#![allow(clippy::unwrap_used, reason = "a test may panic, also in its helpers")]

mod common;
mod crowd;
mod dialogues;
mod sessions;
