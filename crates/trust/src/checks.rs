//! The checks: facts in, findings out. One file a rule, none of which does I/O.
//!
//! Promise: four outcomes that are never mixed up. What DNS did not tell is `Unknown`, never
//! a pass or a fail; a fail rests on a definite answer. Each finding says in one sentence what
//! was found and what was expected, and a fix has its values filled in.

pub mod address;
pub mod arrival;
pub mod asked;
pub mod catalogue;
pub mod dkim;
pub mod dmarc;
mod finding;
pub mod left;
pub mod leftovers;
pub mod lists;
pub mod machine;
pub mod mailbox;
pub mod names;
pub mod origin;
pub mod outward;
pub mod registration;
pub mod reported;
pub mod sender;
pub mod sent;
pub mod servers;
pub mod settled;
pub mod signature;
pub mod spf;
pub mod tls;
pub mod watched;
pub mod web;
mod words;

pub use catalogue::{Entry, Rule, catalogue, entry};
pub use finding::{Finding, Fix, Outcome};
