//! The server's side of a conversation (RFC 5321, with PIPELINING 2920, SIZE 1870, 8BITMIME
//! 6152, SMTPUTF8 6531, CHUNKING 3030, DSN 3461, ENHANCEDSTATUSCODES 2034, STARTTLS 3207,
//! AUTH 4954, REQUIRETLS 8689), without sockets, clock or tasks.
//!
//! [`Session::advance`] takes octets as they came, in any cut, writes replies into its output,
//! and says what it needs next ([`Step`]). Questions that can be answered at once go to a
//! [`Host`]; what may take time (a password, the commit of a message) is a step, answered by
//! [`Session::password_checked`] and [`Session::accepted`].
//!
//! Promises: it never panics, whatever the octets; memory is bounded by the limits in
//! [`Config`] and by what `Host::room` grants; a reply to a command that was pipelined is
//! written in order; nothing that came before a TLS handshake has an effect after it
//! (CVE-2011-0411). BINARYMIME is not offered: content must be lines.

mod auth;
mod content;
pub mod dry;
mod envelope;
pub mod gather;
mod hello;
pub mod lines;
mod say;
pub mod scram;
mod session;

use repute_types::envelope::EnvelopeOptions;
use repute_types::{Address, Content, Domain, Envelope, Recipient, Reply};
pub use session::{Dismissal, Session};

/// Which door this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 587 and 465: clients say who they are, then may send anywhere.
    Submission,
    /// 25: no AUTH; mail only for what the host says is ours.
    Return,
}

/// What a conversation is bound by; shared by all sessions of a listener.
#[derive(Clone, Debug)]
pub struct Config {
    /// Said in the greeting and in the reply to EHLO.
    pub hostname: Domain,
    pub kind: Kind,
    /// Octets of a message's content.
    pub max_size: usize,
    /// Recipients of a transaction; RFC 5321 §4.5.3.1.8 asks for 100 at least.
    pub max_recipients: usize,
    /// Errors without a message accepted between them, after which the session is closed with
    /// 421.
    pub max_errors: u32,
    /// Commands in a row that bring no message nearer (NOOP, RSET, EHLO, VRFY ...).
    pub max_chatter: u32,
    /// Failures of AUTH after which the session is closed with 421.
    pub max_auth_failures: u32,
    pub line_ends: LineEnds,
}

/// What ends a line (RFC 5321 §2.3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnds {
    /// CR LF and nothing else: what comes over a network.
    CrLf,
    /// LF alone as well, for as long as a session lasts whose first line ends so: programs of this machine, to which a pipe is text.
    /// BDAT counts octets, and its content ends lines in CR LF all the same.
    AsTheFirst,
}

/// How a session begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    pub security: Security,
    /// The client is known by its address, and needs no AUTH.
    pub known: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// No TLS, and none to be had.
    Plain,
    /// No TLS yet; STARTTLS is offered.
    CanStartTls,
    Tls,
}

/// What the session needs next. Before `Read`, `StartTls` and `Close` the output is to be
/// written.
#[derive(Debug)]
pub enum Step {
    /// More octets.
    Read,
    /// A handshake, then [`Session::tls_started`]. All input at hand was dropped.
    StartTls,
    /// An answer by [`Session::password_checked`].
    CheckPassword { name: String, password: String },
    /// An answer by [`Session::accepted`].
    Accept { envelope: Envelope, content: Content },
    /// The connection is to be closed.
    Close,
}

/// What became of an attempt to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthAnswer {
    Welcome,
    Wrong,
    Busy,
}

/// Questions of a session that are answered at once, from memory.
pub trait Host {
    /// Whether this return path may be used.
    fn mail(&mut self, from: Option<&Address>, options: &EnvelopeOptions) -> Result<(), Reply>;

    /// Whether mail to this recipient is taken.
    fn rcpt(&mut self, recipient: &Recipient) -> Result<(), Reply>;

    /// Grants memory for content, in octets. It is given back when [`Session::reserved`] falls.
    fn room(&mut self, octets: usize) -> bool;

    /// Whether this client may try to authenticate now.
    fn may_try_auth(&mut self) -> bool;

    /// The SCRAM secret of a name (made up where the name is unknown), and 18 octets that were
    /// never used before.
    fn scram(&mut self, name: &str) -> (scram::Secret, [u8; 18]);

    /// The end of a SCRAM exchange: whether the proof was right. Says whether the name of
    /// [`Host::scram`] is an account that may come in.
    fn scram_ended(&mut self, proof_is_right: bool) -> AuthAnswer;
}
