//! trust

pub mod dkim;
pub mod names;
pub mod replies;
pub mod spf;
