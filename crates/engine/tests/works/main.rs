//! The works as a whole: intake, queue, delivery and what stands beside them, in a small world within this process and in
//! simulated time. One program, so that the world is built once and what no test needs of it is seen.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod bulk;
mod bulk_why;
mod cause;
mod circuit;
mod circuit_campaigns;
mod complaints;
mod disk;
mod held;
mod intake;
mod launch;
mod pace;
mod path;
mod permit;
mod queue_words;
mod reload;
mod returned;
mod returned_reports;
mod simulation_found;
mod suppression;
mod tlsrpt;
mod world;
