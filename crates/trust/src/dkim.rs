//! DomainKeys Identified Mail: keys and signatures (RFC 6376, RFC 8301, RFC 8463).
//!
//! Promise: relaxed/relaxed, SHA-256, RSA of 2048 bits or more and Ed25519; the fields that
//! show are signed once more than they stand, so that none can be added; never `l=`. The
//! content is read once for all signatures, chunk by chunk, and never copied whole.

mod body;
mod fields;
mod key;
mod relaxed;
mod sign;
mod written;

pub use key::{Algorithm, KeyError, SigningKey};
pub use sign::{EXPIRY, SignError, sign};
pub use written::Written;
