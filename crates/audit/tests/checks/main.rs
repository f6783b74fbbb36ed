//! Checks with the names, hosts and messages that they look at: what passes, what fails, what cannot be known.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod arrivals;
mod asked;
mod common;
mod confirm;
mod names;
mod rules;
