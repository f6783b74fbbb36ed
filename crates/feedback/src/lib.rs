//! What comes back about mail that was sent: the addresses and links it comes back by.
//!
//! Pure: octets in, values out. Nothing here decides what is done about it.

pub mod token;

pub use token::{Token, Tokens};
