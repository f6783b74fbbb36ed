//! Floor 4, the works: intake, dispatch, notices, control.
pub mod door;
