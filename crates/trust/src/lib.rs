//! trust

pub mod dkim;
pub mod dnsbl;
pub mod lookup;
pub mod names;
pub mod replies;
pub mod spf;
