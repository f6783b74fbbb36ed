//! Floor 1: SMTP as a language. Commands, replies, and both sides of a conversation, without
//! sockets, clock or tasks: octets in, octets and values out.

pub mod client;
pub mod command;
pub mod reply;
pub mod server;
