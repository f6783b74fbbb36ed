//! What filters and large receivers make of a message: the points of the two most used filters,
//! symbol by symbol, and the decision of each receiver with the reply that it gives.
//!
//! It starts from signs, which are what is seen of a message (`spf.fail`, `rdns.none`, `listed
//! Spamhaus ZEN CSS`). Rules and points are data (`data/signs.toml`, `data/receivers.toml`).
//! Promise: what was not found out is no sign, so nobody is refused for it here.

mod decide;
mod points;

pub use decide::{Decision, Receiver, View, receiver, receivers};
pub use points::{Filter, Score, Sign, Symbol, predicted, scores, sign, signs};
