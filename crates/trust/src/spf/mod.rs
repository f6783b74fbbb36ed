//! SPF (RFC 7208): an evaluator that explains, and the care of one's own record.
//!
//! [`Evaluation`] answers "may this address send as this sender?" and tells why, without
//! doing any I/O. [`Record`] reads a record and names its faults.

mod evaluate;
mod lookup;
mod macros;
mod parse;
mod record;
mod report;
mod request;
mod run;

pub use evaluate::{Evaluation, Step, evaluate};
pub use lookup::{Answer, Kind, Query};
pub use macros::{DomainSpec, MacroString};
pub use record::{Mechanism, Network, Prefixes, Qualifier, Record, RecordError, Term, TermKind, select};
pub use report::{Limits, Problem, Report, Step as TermStep, Verdict, Visit};
pub use request::Request;
