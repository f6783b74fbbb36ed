//! The little internet, asked as others ask: its names, its receivers, its judge. One program, so that it is linked once.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod dns;
mod judge;
mod receiver;
