//! Floor 1, messages: their header read, judged and made whole; notices and simple letters
//! composed; encodings made safe. Octets in, octets out: no I/O, no clock.
//!
//! Promise: what leaves [`whole::make_whole`] may be signed and sent over any path without
//! being changed on it. What large receivers would reject is refused with a sentence that
//! says what to do ([`Fault`]).

pub mod compose;
pub mod dsn;
pub mod encode;
mod fault;
pub mod forward;
pub mod handlebars;
pub mod header;
pub mod judge;
mod lint;
pub mod merge;
mod safe;
pub mod scan;
pub mod sendmail;
pub mod whole;

pub use fault::Fault;
pub use header::{Field, Header};
