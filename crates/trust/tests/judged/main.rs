//! What is judged of mail, records and replies, with no I/O. One program, so that it is linked once.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod dkim;
mod dnsbl;
mod names;
mod permit;
mod receivers;
mod records;
mod replies;
mod spf_explain;
mod spf_record;
mod spf_suite;
mod zone;
