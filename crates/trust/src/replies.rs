//! A receiver's reply and what it means: cause, whose fault, what to do, what to check.
//!
//! The rules are data (`data/replies/`). Promise: every reply gets a classification; the most
//! specific rule that fits decides, and names itself; only a permanent reply about the
//! recipient ever suppresses.

mod class;
mod classification;
mod lists;
mod pasted;
mod pattern;
mod profile;
mod rules;

pub use class::{Action, Class, Fault};
pub use classification::Classification;
pub use pasted::{Pasted, parse_pasted};
pub use rules::{Receiver, Rule, Rules, classify};
