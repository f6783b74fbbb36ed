//! TLS for the side that connects, and what a handshake agreed on for the side that is connected to
//! (rustls, TLS 1.2 and 1.3, post-quantum key exchange preferred).
//!
//! Known limit: servers that speak nothing newer than TLS 1.1 cannot be reached by TLS (RFC 8996).

mod anchor;
mod client;
mod fault;

pub use anchor::leads_to;
pub use client::{RootsError, TlsClient, TlsError, TlsPolicy};
pub use fault::CertificateFault;

use repute_types::{TlsAsked, TlsUsed};
use rustls::ServerConnection;

/// What a handshake with a client agreed on.
pub fn used(connection: &ServerConnection) -> TlsUsed {
    let version = connection.protocol_version().and_then(|v| v.as_str()).unwrap_or("TLS");
    let cipher = connection.negotiated_cipher_suite().and_then(|s| s.suite().as_str()).unwrap_or("unknown");
    TlsUsed {
        // rustls writes `TLSv1_3`.
        version: version.replace('_', "."),
        cipher: cipher.to_owned(),
        // No client certificate is asked for.
        verified: false,
        asked: TlsAsked::Opportunistic,
    }
}
