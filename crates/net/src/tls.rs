//! TLS for the side that connects (rustls, TLS 1.2 and 1.3, post-quantum key exchange preferred).
//!
//! Known limit: servers that speak nothing newer than TLS 1.1 cannot be reached by TLS (RFC 8996).

mod client;

pub use client::{RootsError, TlsClient, TlsError, TlsPolicy};
