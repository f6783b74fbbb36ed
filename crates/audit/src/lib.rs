//! Runs the catalogue of checks: gathers facts, has them judged, and reports.
//!
//! Facts are gathered at the same time, within a bound and a deadline: from DNS, from servers that
//! are connected to, and from what is known of this machine ([`Own`]); the judgement is `repute_trust::checks`, which does no I/O. Promise: what was not answered in time is
//! unknown, never a pass or a fail, and a run ends by its deadline whatever DNS does.

mod arrival;
mod confirm;
mod doors;
mod gather;
mod machine;
mod once;
mod past;
mod probe;
mod questions;
mod remembered;
mod report;
mod run;
mod signatures;
mod silent;
mod talk;
mod web;
mod zones;

pub use arrival::{Arrival, Connection, Limits, Listing, Sight, judge};
pub use confirm::contradicted;
pub use doors::{Doors, Kept, Own};
pub use past::{Change, Past};
pub use questions::Progress;
pub use remembered::Remembered;
pub use report::{PROVIDERS, Pair, Report, Takes, rule_of};
pub use run::{Options, run};
pub use silent::Silent;
#[doc(hidden)]
pub use web::try_answer;
