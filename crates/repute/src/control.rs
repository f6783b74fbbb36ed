//! The control socket, `STATE/control.sock`: how the command line asks a running server.
//!
//! One JSON value a line in both directions: a [`wire::Request`] and its [`wire::Answer`];
//! several may follow one another on a connection. The socket is 0600 in the state folder,
//! and only root and the server's own user are answered.

pub mod accept;
pub mod client;
pub mod events;
pub mod sendmail;
pub mod server;
pub mod wire;
