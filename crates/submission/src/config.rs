//! What a listener is, and what all listeners together may use.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use repute_types::Domain;

use crate::tls::TlsSource;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerKind {
    /// 587: STARTTLS, then AUTH.
    Submission,
    /// 465: TLS from the first octet (RFC 8314 §3.3).
    SubmissionTls,
    /// 25: mail for our own return paths, from anyone; never a relay.
    Return,
}

/// One listener.
#[derive(Clone, Debug)]
pub struct ListenerConfig {
    pub kind: ListenerKind,
    /// Our name in the greeting; the EHLO name that receivers see elsewhere.
    pub hostname: Domain,
    /// Certificates, replaced on reload. Without any, STARTTLS and AUTH are not offered, and
    /// a `SubmissionTls` listener closes each connection.
    pub tls: TlsSource,
    /// Proxies that must, and alone may, begin with a PROXY protocol v2 header. Their own
    /// addresses count for nothing else.
    pub proxies: HashSet<IpAddr>,
    pub limits: Limits,
}

/// The bounds of a listener's sessions.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Octets of a message's content; beyond: 552 5.3.4. 50 MiB.
    pub message_size: usize,
    /// Recipients of a transaction; beyond: 452 4.5.3. 1,000.
    pub recipients: usize,
    /// Errors of a session without a message between them; then 421 4.7.0. 10.
    pub errors: u32,
    /// Commands in a row that bring no message nearer; then 421 4.7.0. 100.
    pub chatter: u32,
    /// Failures of AUTH in a session; then 421 4.7.0. 3.
    pub auth_failures: u32,
    /// Without an octet from the client; then 421 4.4.2. 5 minutes (RFC 5321 §4.5.3.2.7). On 587 and 465 a client has as
    /// long in all to say who it is.
    pub idle: Duration,
    /// For a handshake, or a PROXY header. 30 seconds: there is no person in it.
    pub handshake: Duration,
    /// For writing replies to a client that does not read. 1 minute.
    pub write: Duration,
    /// For the commit of a message; then 451. 9 minutes: the client gives up after 10
    /// (RFC 5321 §4.5.3.2.6), and must not do so first.
    pub accept: Duration,
    /// How long transactions may go on after the shutdown signal. 30 seconds.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            message_size: 50 * 1024 * 1024,
            recipients: 1_000,
            errors: 10,
            chatter: 100,
            auth_failures: 3,
            idle: Duration::from_secs(5 * 60),
            handshake: Duration::from_secs(30),
            write: Duration::from_secs(60),
            accept: Duration::from_secs(9 * 60),
            drain: Duration::from_secs(30),
        }
    }
}
