//! The door: what a listener may ask of the works, and the one way into the spool.
//!
//! Promise: `accept` returns [`Committed`] only for a message that is whole, signed and on
//! disk; everything it refuses, it refuses with a reply that names the cure. A listener holds
//! an `Arc<dyn Door>` and knows nothing behind it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use repute_net::accept::Spell;
use repute_net::seats::{Seats, Spread};
use repute_spool::{BoxFuture, Committed};
use repute_types::{
    AccountName, Address, Content, Domain, Envelope, Labels, MessageId, Recipient, Reply, Stream, Timestamp, TlsUsed,
};

use crate::allowance::Allowance;
use crate::listed::Listed;

/// How far ahead a message may be handed in.
pub const SEND_AT_MOST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Who may submit, as the configuration says; shared, replaced as a whole on reload.
#[derive(Clone, Debug)]
pub struct Account {
    pub name: AccountName,
    /// From and MAIL FROM must be within one of these exactly (subdomains are listed too).
    pub domains: Listed<Domain>,
    pub stream: Stream,
    /// Leave the submitter's address and name out of the Received field.
    pub private: bool,
}

/// What a client needs for SCRAM-SHA-256 (RFC 5802 §5, RFC 7677).
#[derive(Clone, Debug)]
pub struct ScramSecret {
    pub iterations: u32,
    pub salt: Vec<u8>,
    pub stored_key: [u8; 32],
    pub server_key: [u8; 32],
}

/// How a message came to us.
#[derive(Clone, Debug)]
pub struct Origin {
    /// `None` from a local process.
    pub client: Option<IpAddr>,
    /// The name said in EHLO.
    pub helo: String,
    pub tls: Option<TlsUsed>,
    /// RFC 3848: `ESMTPSA`, `UTF8SMTPSA`, ... for the Received field.
    pub protocol: &'static str,
}

#[derive(Debug)]
pub struct Submitted {
    pub account: Arc<Account>,
    pub envelope: Envelope,
    pub content: Content,
    pub origin: Origin,
    /// What it is to be known by; SMTP has none.
    pub labels: Option<Arc<Labels>>,
    /// Not before this; `None` is now. At most [`SEND_AT_MOST`] ahead, less where mail is tried for long:
    /// the signature, made now, has to outlive the last attempt.
    pub send_at: Option<Timestamp>,
    /// Of a request that is carried out once: the id that was reserved for it.
    pub id: Option<MessageId>,
}

/// A message for one of our return paths that a stranger brought to port 25.
#[derive(Debug)]
pub struct Returned {
    pub from: Option<Address>,
    pub recipients: Vec<Address>,
    pub content: Content,
    pub origin: Origin,
}

/// Authentication's answer where it is not an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthRefused {
    /// 535 5.7.8: wrong name or password, not told apart.
    Wrong,
    /// 454 4.7.0: too many attempts at once, or from this client; later.
    Busy,
}

/// What the clients of a listener speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Smtp,
    Http,
}

/// Of more clients than there are places for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowd {
    pub of: Protocol,
    /// Clients now, from how many addresses, and the address that has most of them.
    pub clients: usize,
    pub addresses: usize,
    pub most: Option<(IpAddr, usize)>,
    /// How many were sent away, newcomers or strangers in favour of newcomers, and for how long that goes on.
    pub sent_away: u64,
    pub lasts: Duration,
}

impl Crowd {
    /// A client was sent away, since all places are taken: what is to be told of that now, if anything.
    pub fn of(of: Protocol, seats: &Seats, spell: &mut Spell) -> Option<Crowd> {
        let (lasts, sent_away) = spell.again()?;
        let Spread { connections, clients, most } = seats.spread();
        Some(Crowd { of, clients: connections, addresses: clients, most, sent_away, lasts })
    }
}

pub trait Door: Send + Sync + 'static {
    /// AUTH PLAIN and LOGIN. Takes the time that an argon2 hash takes, also for unknown names.
    /// How often a client may try is the listener's to say.
    fn password<'a>(&'a self, name: &'a str, password: &'a str) -> BoxFuture<'a, Result<Arc<Account>, AuthRefused>>;

    /// SCRAM: the secret of an account, or a made-up one that stays the same for an unknown
    /// name, with the account to be used if the proof is right.
    fn scram(&self, name: &str) -> (ScramSecret, Option<Arc<Account>>);

    /// The account of a client that is known by its address alone.
    fn known_address(&self, client: IpAddr) -> Option<Arc<Account>>;

    /// What an account may hand in now, where it has a rate.
    fn allowance(&self, account: &str) -> Option<Allowance>;

    /// Whether the account may use this return path, and hand in anything now, at MAIL FROM.
    fn may_send_from(&self, account: &Account, from: Option<&Address>) -> Result<(), Reply>;

    /// Whether mail to this recipient is taken, at RCPT TO, or of a message with these labels.
    fn may_send_to(&self, account: &Account, recipient: &Recipient, labels: Option<&Labels>) -> Result<(), Reply>;

    /// Steps 2 to 4 of a message's path: may it, made whole, signed, committed.
    fn accept(&self, submitted: Submitted) -> BoxFuture<'_, Result<Committed, Reply>>;

    /// Whether an address on port 25 is one of our return paths.
    fn may_return_to(&self, recipient: &Address) -> Result<(), Reply>;

    /// A listener refused a client before there was a message: told so that it can be logged.
    fn refused(&self, client: IpAddr, account: Option<&str>, reply: &Reply);

    /// A listener can take no clients in for now: told so that it can be logged.
    fn hindered(&self, why: &std::io::Error);

    /// All places are taken, and a client was sent away: told so that it can be logged.
    fn crowded(&self, crowd: Crowd);

    /// Keeps a returned message; durable before it answers.
    fn accept_returned(&self, returned: Returned) -> BoxFuture<'_, Result<MessageId, Reply>>;
}
