//! trust

pub mod checks;
pub mod dkim;
pub mod dmarc;
pub mod dnsbl;
pub mod lookup;
pub mod names;
pub mod records;
pub mod remark;
pub mod replies;
pub mod spf;
