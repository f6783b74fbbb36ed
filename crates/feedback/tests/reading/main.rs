//! What comes back, read as the rest of the server reads it. One program, so that it is linked once.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod agreement;
mod bounces;
mod families;
mod mangled;
mod read;
mod reports;
mod wrapped;
mod xarf;
