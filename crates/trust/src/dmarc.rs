//! DMARC (RFC 9989): the record, and which record holds for a domain.
//!
//! Promise: a record that receivers would pass over is none; the organisational domain is
//! found by the tree walk, without a list of public suffixes. No I/O: [`walk`] says which
//! names to ask, [`Policy::find`] takes the answers.

mod record;
mod walk;

pub use record::{Alignment, Demand, Record, select};
pub use walk::{Policy, walk};
