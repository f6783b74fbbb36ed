//! trust

pub mod names;
pub mod spf;
