//! Bulk mail: one letter to a list, as a campaign.
//!
//! The same operations for the command line and the HTTP interface: begin with a letter, add
//! recipients in batches, commit, and from then on show, pause, resume and cancel.
//! What stands on disk at which instant: docs/bulk.md.

pub mod words;
