//! One attempt: where mail for a domain goes, how safely, and the conversation with the server
//! there.
//!
//! 1. [`Routes::resolve`] finds the hosts: the domain's MX, or a relay host that was configured.
//! 2. [`Connection::open`] tries them in order, from the egress's address, with its name and the TLS that
//!    the route and the message ask for.
//! 3. [`Connection::send`] sends messages over it, one transaction each, with an outcome for each
//!    recipient.
//!
//! Promise: whatever goes wrong is an [`Outcome`](repute_types::Outcome), with stage and
//! culprit; unknown is temporary. Nothing here knows of the queue, or when it is tried again.

#![allow(clippy::result_large_err, reason = "an outcome is what a failed step is for; it is made once an attempt")]

mod connection;
mod dane;
mod egress;
mod hosts;
pub mod https;
mod memory;
mod opening;
mod route;
mod rules;
mod secured;
mod settings;
pub mod sts;
mod tally;
mod wire;

pub use connection::{Connection, Sent};
pub use egress::Egress;
pub use memory::HostMemory;
pub use opening::NO_SOCKETS;
pub use repute_smtp::client::{Login, Transaction};
pub use route::{HostName, MxHost, Relay, Route, Routes, SiteKey};
pub use rules::{TlsNeed, Wanted};
pub use settings::{DeliverySettings, Timeouts};
pub use tally::{AppliedPolicy, Counts, SessionFailure, SessionKind, Tally};
