//! What an attempt did, per recipient, as data (never an `Err`), stored and shown as it is.
//!
//! A reason carries the stage at which it was decided, by whom, the reply where there was
//! one, and a sentence of ours where there was none.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{EnhancedCode, Reply};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The next server took responsibility.
    Delivered,
    /// Try again later.
    Deferred,
    /// Never; the sender is told.
    Failed,
}

impl Verdict {
    pub const ALL: [Verdict; 3] = [Verdict::Delivered, Verdict::Deferred, Verdict::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Delivered => "delivered",
            Verdict::Deferred => "deferred",
            Verdict::Failed => "failed",
        }
    }
}

/// Where in an attempt the outcome was decided; ordered as an attempt goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Before any network: expiry, cancellation, a policy of ours.
    Queue,
    Route,
    Connect,
    Greeting,
    Ehlo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// The reply to the final dot or the last BDAT.
    Body,
}

impl Stage {
    pub const ALL: [Stage; 11] = [
        Stage::Queue,
        Stage::Route,
        Stage::Connect,
        Stage::Greeting,
        Stage::Ehlo,
        Stage::StartTls,
        Stage::Auth,
        Stage::Mail,
        Stage::Rcpt,
        Stage::Data,
        Stage::Body,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Queue => "queue",
            Stage::Route => "route",
            Stage::Connect => "connect",
            Stage::Greeting => "greeting",
            Stage::Ehlo => "ehlo",
            Stage::StartTls => "starttls",
            Stage::Auth => "auth",
            Stage::Mail => "mail",
            Stage::Rcpt => "rcpt",
            Stage::Data => "data",
            Stage::Body => "body",
        }
    }
}

/// Whose decision or fault it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Culprit {
    /// The receiver said so.
    Receiver,
    /// Connection refused, reset, timed out.
    Network,
    Dns,
    /// Our configuration or policy.
    Us,
}

impl Culprit {
    pub fn as_str(self) -> &'static str {
        match self {
            Culprit::Receiver => "receiver",
            Culprit::Network => "network",
            Culprit::Dns => "dns",
            Culprit::Us => "us",
        }
    }
}

/// The server that an attempt spoke to, or tried to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    pub name: String,
    pub address: Option<IpAddr>,
    pub port: u16,
}

/// The TLS of a session that had it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsUsed {
    /// `TLSv1.3`
    pub version: String,
    /// `TLS13_AES_256_GCM_SHA384`
    pub cipher: String,
    /// Whether the certificate was checked: it names the host, or is the one that DANE promises.
    pub verified: bool,
    /// Who wanted it to be there.
    #[serde(default)]
    pub asked: TlsAsked,
}

/// `TLSv1.3`, or `TLSv1.3 (dane)` where somebody asked for it.
impl fmt::Display for TlsUsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.asked.demand() {
            None => f.write_str(&self.version),
            Some(who) => write!(f, "{} ({who})", self.version),
        }
    }
}

/// Who asked for the TLS of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsAsked {
    /// Nobody: it was offered.
    #[default]
    Opportunistic,
    /// The operator, for this route.
    Route,
    /// The sender of the message (RFC 8689).
    #[serde(rename = "requiretls")]
    RequireTls,
    /// The host's TLSA records (RFC 7672).
    Dane,
    /// The domain's policy (RFC 8461).
    MtaSts,
}

impl TlsAsked {
    pub const ALL: [TlsAsked; 5] =
        [TlsAsked::Opportunistic, TlsAsked::Route, TlsAsked::RequireTls, TlsAsked::Dane, TlsAsked::MtaSts];

    /// The word, where it was asked for.
    pub fn demand(self) -> Option<&'static str> {
        (self != TlsAsked::Opportunistic).then(|| self.as_str())
    }

    pub fn as_str(self) -> &'static str {
        match self {
            TlsAsked::Opportunistic => "opportunistic",
            TlsAsked::Route => "route",
            TlsAsked::RequireTls => "requiretls",
            TlsAsked::Dane => "dane",
            TlsAsked::MtaSts => "mta-sts",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub verdict: Verdict,
    pub stage: Stage,
    pub culprit: Culprit,
    /// For notices (RFC 3464 Status): the receiver's where it gave one, else ours.
    pub status: EnhancedCode,
    pub reply: Option<Reply>,
    /// Our sentence where there is no reply, or beside it; may be empty.
    pub text: String,
    pub peer: Option<Peer>,
    pub tls: Option<TlsUsed>,
}

/// Why a receiver refused or put off, as the rules for replies have it: names of theirs, so
/// that readers of events need not know the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The rule that fits: `google.ptr`; `none` where no rule does.
    pub rule: &'static str,
    /// What it means: `reverse-dns`.
    pub class: &'static str,
    /// Whose fault it is: `address`.
    pub fault: &'static str,
}

impl Outcome {
    /// An outcome that was decided here, without a reply.
    pub fn ours(
        verdict: Verdict,
        stage: Stage,
        culprit: Culprit,
        status: EnhancedCode,
        text: impl Into<String>,
    ) -> Outcome {
        Outcome { verdict, stage, culprit, status, reply: None, text: text.into(), peer: None, tls: None }
    }

    /// An outcome that a receiver's reply decides: 2xx delivered, 4xx deferred, 5xx failed.
    pub fn from_reply(stage: Stage, reply: Reply) -> Outcome {
        let verdict = match reply.code {
            200..=299 => Verdict::Delivered,
            500..=599 => Verdict::Failed,
            _ => Verdict::Deferred,
        };
        let class = match verdict {
            Verdict::Delivered => 2,
            Verdict::Deferred => 4,
            Verdict::Failed => 5,
        };
        // A code whose class contradicts the reply's is noise (RFC 3463 §2).
        let status = reply.enhanced.filter(|e| e.0 == class).unwrap_or(EnhancedCode(class, 0, 0));
        Outcome {
            verdict,
            stage,
            culprit: Culprit::Receiver,
            status,
            reply: Some(reply),
            text: String::new(),
            peer: None,
            tls: None,
        }
    }

    /// Whether the session broke at the answer to this recipient's own RCPT: it may do so again, and whoever shares the
    /// transaction loses by it.
    pub fn broke_the_session(&self) -> bool {
        let no_answer = self.reply.as_ref().is_none_or(|reply| reply.code < 400);
        self.verdict == Verdict::Deferred && self.stage == Stage::Rcpt && no_answer
    }

    /// The reply, our sentence, or what we have to say of the reply: what a person reads first.
    pub fn reason(&self) -> String {
        match &self.reply {
            Some(reply) if self.text.is_empty() => reply.to_string(),
            Some(reply) => format!("{}: {reply}", self.text),
            None => self.text.clone(),
        }
    }
}
