//! trust

pub mod dkim;
pub mod names;
pub mod spf;
