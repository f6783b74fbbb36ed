//! Attempts as the works make them: routes, hosts, sessions, in the clear and in TLS, with servers that are scripts.

#![allow(clippy::unwrap_used, reason = "what cannot be set up has failed")]

mod authority;
mod case;
mod dialogues;
mod hosts;
mod secured;
mod tally;
mod tls;
mod world;
