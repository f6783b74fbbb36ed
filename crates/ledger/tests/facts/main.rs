//! The files of facts: what is kept is there after a restart, and answers what it is asked. One program, so that it is linked once.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod opening;
mod reports;
mod returned;
mod suppression;
mod trust;
