//! What the face needs to know; replaced as a whole on reload.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::{constant_time, digest};
use repute_engine::door::Account;
use repute_types::Domain;

use crate::tokens::Tokens;

#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub tokens: Tokens,
    /// What the page at `/` says: who is behind this server, and how to reach them.
    pub imprint: Option<String>,
    /// MTA-STS policies (RFC 8461 §3.2) by the host that they are asked for at.
    pub policies: Vec<(Domain, String)>,
    /// Requests of one token in a minute, where it names no number of its own.
    pub requests_per_minute: u32,
    /// Whether programs of this machine read the metrics without a token.
    pub local_metrics: bool,
}

impl Settings {
    /// Requests of the token in a minute.
    pub(crate) fn pace_of(&self, token: &Token) -> u32 {
        token.requests_per_minute.unwrap_or(self.requests_per_minute)
    }
}

/// What an application shows to be let in.
pub struct Token {
    pub name: String,
    pub hash: TokenHash,
    /// What a client of SES signs with.
    pub signing_secret: String,
    /// Whose mail it is about; `None`: that of every account.
    pub account: Option<Arc<Account>>,
    pub actions: Vec<Action>,
    pub requests_per_minute: Option<u32>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.name)
    }
}

/// SHA-256 of a token. A token is 256 random bits, so there is nothing to guess that a slow
/// hash would make slower, and each request pays for it.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    pub fn of(token: &str) -> TokenHash {
        let mut out = [0; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        TokenHash(out)
    }

    /// In constant time.
    pub fn is(&self, other: &TokenHash) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }

    pub fn octets(&self) -> &[u8; 32] {
        &self.0
    }
}

/// As the configuration has it: `sha256:` and 64 hexadecimal digits.
impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash")
    }
}

impl FromStr for TokenHash {
    type Err = ();

    fn from_str(text: &str) -> Result<TokenHash, ()> {
        let digits = text.strip_prefix("sha256:").filter(|d| d.len() == 64 && d.is_ascii()).ok_or(())?;
        let mut out = [0; 32];
        for (octet, pair) in out.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| ())?;
            *octet = u8::from_str_radix(pair, 16).map_err(|_| ())?;
        }
        Ok(TokenHash(out))
    }
}

/// What a token may be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Hand in messages.
    Send,
    /// Read what became of messages, and the state of the server.
    Read,
    /// Hold, release, retry and cancel what waits.
    Queue,
    /// Change the suppression list.
    Suppress,
    /// Say which mail may leave, close circuits, and handle webhooks; for a token without an account.
    Operate,
    /// Read the metrics; for a token without an account.
    Metrics,
}

impl Action {
    pub const ALL: [Action; 6] =
        [Action::Send, Action::Read, Action::Queue, Action::Suppress, Action::Operate, Action::Metrics];

    /// What whoever lacks it may not do.
    pub fn told(self) -> &'static str {
        match self {
            Action::Send => "hand in messages",
            Action::Read => "ask what became of messages and how the server is",
            Action::Queue => "hold, release, retry or cancel what waits",
            Action::Suppress => "change the list of those who are left alone",
            Action::Operate => "operate the server",
            Action::Metrics => "read the metrics",
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Action::Send => "send",
            Action::Read => "read",
            Action::Queue => "queue",
            Action::Suppress => "suppress",
            Action::Operate => "operate",
            Action::Metrics => "metrics",
        }
    }
}

/// The bounds of the face.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Octets of one request's body; beyond: 413. A message of 50 MiB in base64, and some.
    pub body: usize,
    /// Octets of one message, as SMTP counts them; beyond: 413. 50 MiB.
    pub message: usize,
    /// Octets of all bodies on their way in; beyond: 503. 512 MiB.
    pub bodies: usize,
    /// Requests at once; beyond: 503. 256.
    pub requests: usize,
    /// Requests at once to the page by which recipients leave; beyond: 503. 32, a part of `requests`.
    pub leaving: usize,
    /// Requests of one client (a network of 64 bits in IPv6) to that page in a minute; beyond: 429. 600: the
    /// large receivers click for many from few addresses.
    pub leaving_per_minute: u32,
    /// Clients of that page that are told apart; those beyond share one pace. 10,000.
    pub leaving_clients: usize,
    /// Streams of events at once; beyond: 503. 200.
    pub streams: usize,
    /// Streams of one token; beyond: 429. 10.
    pub streams_per_token: usize,
    /// Between two signs of life of a stream in which nothing happens. 15 seconds: less than proxies wait.
    pub heartbeat: Duration,
    /// Lists of recipients that come in at once; beyond: 503. 8.
    pub lists: usize,
    /// For a list as a whole. 6 hours: a million rows take minutes, and a slow line has to have its time.
    pub list_whole: Duration,
    /// Messages of a batch. 500.
    pub batch: usize,
    /// Recipients of a message. 1,000.
    pub recipients: usize,
    /// Connections in all; beyond they are closed. 2,000.
    pub connections: usize,
    /// Connections from one client; beyond they are closed. 100.
    pub connections_per_client: usize,
    /// For a handshake. 30 seconds: there is no person in it.
    pub handshake: Duration,
    /// For the header of a request, and between requests. 30 seconds.
    pub header: Duration,
    /// Without an octet of the body; then 408. 30 seconds.
    pub body_idle: Duration,
    /// For the whole body; then 408. 10 minutes.
    pub body_whole: Duration,
    /// For the answer to be found, once the body is there; then 503. 2 minutes.
    pub answer: Duration,
    /// For a client that does not read its answer. 1 minute.
    pub write: Duration,
    /// Octets of a refused request that are read and thrown away, so that the client comes to read why. 256 MiB.
    pub unread: usize,
    /// Without an octet of those. 5 seconds.
    pub unread_idle: Duration,
    /// For all of those. 30 seconds.
    pub unread_whole: Duration,
    /// How long requests may go on after the shutdown signal. 30 seconds.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body: 70 * 1024 * 1024,
            message: 50 * 1024 * 1024,
            bodies: 512 * 1024 * 1024,
            requests: 256,
            leaving: 32,
            leaving_per_minute: 600,
            leaving_clients: 10_000,
            streams: 200,
            streams_per_token: 10,
            heartbeat: Duration::from_secs(15),
            lists: 8,
            list_whole: Duration::from_secs(6 * 3600),
            batch: 500,
            recipients: 1_000,
            connections: 2_000,
            connections_per_client: 100,
            handshake: Duration::from_secs(30),
            header: Duration::from_secs(30),
            body_idle: Duration::from_secs(30),
            body_whole: Duration::from_secs(600),
            answer: Duration::from_secs(120),
            write: Duration::from_secs(60),
            unread: 256 * 1024 * 1024,
            unread_idle: Duration::from_secs(5),
            unread_whole: Duration::from_secs(30),
            drain: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_and_knows_its_token() {
        let hash = TokenHash::of("repute_secret");
        let read: TokenHash = hash.to_string().parse().unwrap();
        assert!(read.is(&TokenHash::of("repute_secret")));
        assert!(!read.is(&TokenHash::of("repute_secreT")));
        for bad in ["", "sha256:", "sha256:zz", &hash.to_string()[..70], &format!("sha256:{}", "é".repeat(32))] {
            assert!(bad.parse::<TokenHash>().is_err(), "{bad}");
        }
    }
}
