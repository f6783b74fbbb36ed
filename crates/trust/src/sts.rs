//! MTA-STS (RFC 8461): a domain says that mail to it has to go over TLS, to hosts that it names.
//!
//! [`announced`] reads the record that says that there is a policy, [`Policy`] is the policy itself.

mod policy;
mod record;

pub use policy::{MAX_AGE_MOST, Mode, Policy};
pub use record::{Announced, announced};
