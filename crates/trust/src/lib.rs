//! What makes receivers trust a sender, judged: mail as it is authenticated (SPF, DKIM, DMARC), a set-up with its records and
//! checks, the permits that follow, and what the replies of receivers mean.
//!
//! Pure: answers and octets go in, judgements come out. Nothing here asks DNS, opens a connection or reads a clock; what has
//! to be asked is handed to the caller ([`lookup`]). A judgement fails by saying that it does not know: that is never a
//! pass or a fail.

pub mod certificate;
pub mod checks;
pub mod dane;
pub mod dkim;
pub mod dmarc;
pub mod dnsbl;
pub mod lookup;
pub mod names;
pub mod permit;
pub mod receivers;
pub mod records;
pub mod replies;
pub mod setup;
pub mod spf;
pub mod sts;
pub mod tlsrpt;
pub mod warm_up;

pub use repute_types::remark;
