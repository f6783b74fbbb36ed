//! TLS reports (RFC 8460): what is counted of the sessions with a domain's hosts, in the words of the standard, and who
//! asks to be told.

mod record;
mod words;

pub use record::{Destination, destinations};
pub use words::{PolicyType, ResultType};
