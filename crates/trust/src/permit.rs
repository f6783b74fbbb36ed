//! The permit: may mail of this domain leave from this address?
//!
//! Findings and times go in, states come out; there is no I/O and no clock here. What a
//! receiver refuses outright takes the permit away (`data/permit.toml` says which checks).
//!
//! Promise: only definite answers count. What could not be found out changes nothing, ever.
//! A permit is lost only by two definite failures some seconds apart with nothing good between
//! them, and two good answers bring it back; a first permit takes one good answer to each
//! question. What an operator says for a time stands above what was found, and ends by itself.

mod override_;
mod permits;
mod points;
mod rules;
mod trail;

pub use override_::{Override, Word};
pub use permits::{Changed, Configured, Key, Permits, Record, Rights, State};
pub use points::Points;
pub use rules::{Cadence, Scope, Suspending, cadence, connects, list_every, suspending};
pub use trail::{CONFIRM_AFTER, Standing, Subject, Trail, Turn};
