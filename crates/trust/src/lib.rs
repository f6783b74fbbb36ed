//! trust

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
