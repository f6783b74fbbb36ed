//! The HTTP face as a whole: real works behind it, asked as clients ask. One program, so that the world is built once and what no
//! test needs of it is seen.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod asking;
mod campaigns;
mod description;
mod events;
mod http;
mod messages;
mod metrics;
mod moved;
mod once;
mod operating;
mod reports;
mod ses;
mod unsubscribe;
mod world;
