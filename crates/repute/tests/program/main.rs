//! The program as people and other programs meet it: its commands, and the server as a process. One program of tests, so that
//! what all of them need is built once.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod check;
mod cli;
#[path = "../common/mod.rs"]
mod common;
mod login;
mod message;
mod mirror;
mod serve;
mod setup;
