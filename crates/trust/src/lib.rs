//! trust

pub mod dkim;
pub mod dnsbl;
pub mod lookup;
pub mod names;
pub mod remark;
pub mod records;
pub mod replies;
pub mod spf;
