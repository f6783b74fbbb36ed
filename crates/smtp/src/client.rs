//! The client's side of a conversation (RFC 5321, with PIPELINING 2920, SIZE 1870, 8BITMIME
//! 6152, SMTPUTF8 6531, CHUNKING 3030, DSN 3461, ENHANCEDSTATUSCODES 2034, STARTTLS 3207,
//! AUTH 4954, REQUIRETLS 8689, LIMITS 9422), without sockets, clock or tasks.
//!
//! [`Opening`] goes from the greeting to the point where mail may be sent; [`Exchange`] is one
//! transaction, and ends with an outcome for each recipient. Both are driven alike: they write
//! commands into a buffer, say what they wait for, and are fed replies. Whoever drives them
//! owns the socket and the time-outs; [`Stuffed`] gives a message's content as slices for the
//! socket, without copying it.
//!
//! Promises: what a server says decides by code, never by text; every recipient ends with
//! exactly one outcome, however the conversation ends.

mod dots;
mod exchange;
mod extensions;
mod opening;
mod transaction;

pub use dots::Stuffed;
pub use exchange::{Exchange, Loss, Next, Payload, TOO_MANY};
pub use extensions::Extensions;
pub use opening::{Login, Opening, Refusal, Step, TlsWish};
pub use transaction::Transaction;
