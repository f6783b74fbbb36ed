//! SPF (RFC 7208): an evaluator that explains, and the care of one's own record.
//!
//! Three uses, none of which does I/O. [`Evaluation`] answers "may this address send as this
//! sender?" and tells why, as a receiver would. [`Survey`] follows every term of a record and
//! counts what it costs and permits in all; [`lint`] says what is wrong with that. [`propose`]
//! makes the record to publish out of what we need and what stands there.
//!
//! Both machines are driven in the same way: `step` asks questions or is done, `answer` hands
//! in what DNS said. [`evaluate`] and [`survey`] do it where answers are at hand. Whoever asks
//! over a network maps a time-out and a SERVFAIL alike to [`Answer::Failure`], and answers
//! [`Answer::NoName`] for a name that its resolver cannot carry.

mod breadth;
mod evaluate;
mod lint;
mod macros;
mod merge;
mod parse;
mod record;
mod report;
mod request;
mod run;
mod survey;

pub use crate::lookup::{Answer, Kind, Query};
pub use crate::remark::{Level, Remark};
pub use breadth::{Breadth, Grant};
pub use evaluate::{Evaluation, Step, evaluate};
pub use lint::{Use, lint};
pub use macros::{DomainSpec, MacroString};
pub use merge::{Proposal, Wanted, propose, propose_ahead, strings, zone_file_text};
pub use record::{Mechanism, Network, Prefixes, Qualifier, Record, RecordError, Term, TermKind, select};
pub use report::{Limits, Problem, Report, TermTrace, Verdict, Visit};
pub use request::Request;
pub use survey::{Branch, Node, State, Survey, Tree, Voids, survey};
