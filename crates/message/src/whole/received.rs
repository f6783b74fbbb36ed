//! The Received field that says how a message came to us (RFC 5321 §4.4, RFC 3848).
//!
//! Promise: nothing of the client's stands in it unchecked: what the client called itself is
//! written only where it is a name. For a private account neither that nor its address is.

use std::fmt::Write;
use std::net::IpAddr;

use repute_types::{Address, TlsUsed, short};

use super::Whole;

#[derive(Clone, Debug)]
pub struct Received<'a> {
    /// What the client said in EHLO.
    pub helo: &'a str,
    /// `None` from a local process.
    pub client: Option<IpAddr>,
    /// RFC 3848: `ESMTPSA` and its like.
    pub protocol: &'a str,
    pub tls: Option<&'a TlsUsed>,
    /// Whether the submitter's address and name stay out.
    pub private: bool,
    /// Set only where there is one recipient: with several it would give a Bcc away.
    pub recipient: Option<&'a Address>,
}

impl Received<'_> {
    pub(super) fn write(&self, out: &mut String, whole: &Whole<'_>) {
        out.push_str("Received: ");
        if let (Some(client), false) = (self.client, self.private) {
            let helo = if is_name(self.helo) { self.helo } else { "unknown" };
            let client = client.to_canonical();
            let kind = if client.is_ipv6() { "IPv6:" } else { "" };
            for text in ["from ", helo, " ([", kind, short::ip(client).as_str(), "])\r\n\t"] {
                out.push_str(text);
            }
        }
        // Writing to a string cannot fail.
        let _ = write!(out, "by {} with {} id {}", whole.hostname, self.protocol, whole.id);
        if let Some(tls) = self.tls {
            let _ = write!(out, "\r\n\t({}, {})", tls.version, tls.cipher);
        }
        if let Some(recipient) = self.recipient.filter(|r| !r.needs_smtputf8() || whole.smtputf8) {
            let _ = write!(out, "\r\n\tfor <{recipient}>");
        }
        let _ = write!(out, ";\r\n\t{}\r\n", whole.now.rfc5322());
    }
}

/// A host name, or an address in brackets.
fn is_name(helo: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    !helo.is_empty() && helo.len() <= 255 && helo.bytes().all(good)
}
