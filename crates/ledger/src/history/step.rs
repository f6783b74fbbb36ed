//! A step of a message's history, as programs (serde) and people (`Display`) read it.

use std::fmt;

use repute_types::{MessageId, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub at: Timestamp,
    /// `None` for a refused submission and a note.
    pub message: Option<MessageId>,
    #[serde(flatten)]
    pub kind: StepKind,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum StepKind {
    Accepted {
        account: Option<String>,
        from: Option<String>,
        /// Empty for a campaign.
        recipients: Vec<String>,
        /// Of a campaign: how many its list has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recipient_count: Option<u64>,
        /// Octets.
        size: u64,
        header_id: String,
        client: Option<String>,
        tls: Option<String>,
    },
    Settled(Box<Settled>),
    Held {
        /// `None`: all of a campaign.
        part: Option<u32>,
        reason: String,
    },
    Released {
        part: Option<u32>,
    },
    Noticed {
        notice: Option<MessageId>,
        kind: String,
    },
    Returned {
        recipient: String,
        client: Option<String>,
    },
    /// What was heard of a recipient beside attempts: `bounced`, `complained`, `unsubscribed`; or it
    /// was left out as `suppressed`.
    CameBack {
        what: String,
        recipient: String,
        status: Option<String>,
        text: Option<String>,
        cause: Option<Cause>,
    },
    /// The campaign was cancelled; to so many nothing was delivered because of that.
    Cancelled {
        recipients: u64,
    },
    Refused {
        account: Option<String>,
        client: Option<String>,
        reply: String,
    },
    Note {
        level: String,
        what: String,
        text: String,
    },
}

/// One recipient's outcome of one attempt; the words are those of `Verdict`, `Stage` and `Culprit`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    pub part: u32,
    pub recipient: String,
    pub verdict: String,
    /// Counts from 1; 0 where no attempt was made.
    pub attempt: u32,
    pub stage: String,
    pub culprit: String,
    pub status: String,
    pub reply: Option<String>,
    pub text: Option<String>,
    pub peer: Option<String>,
    pub peer_ip: Option<String>,
    pub peer_port: Option<u16>,
    pub tls: Option<String>,
    pub egress: Option<String>,
    /// What the reply meant; `None` for what was delivered, had no reply, or is older than this.
    #[serde(default)]
    pub cause: Option<Cause>,
    pub next_attempt: Option<Timestamp>,
    /// Milliseconds from acceptance.
    pub age: u64,
}

/// Names of the rules for replies, as they were at the time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    pub rule: String,
    pub class: String,
    pub fault: String,
}

impl Step {
    /// Whether it is about this recipient, or about all of the message.
    pub fn concerns(&self, address: &str) -> bool {
        match &self.kind {
            StepKind::Settled(settled) => settled.recipient.eq_ignore_ascii_case(address),
            StepKind::CameBack { recipient, .. } => recipient.eq_ignore_ascii_case(address),
            _ => true,
        }
    }
}

/// One line that reads alone.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.at)?;
        if let Some(message) = self.message {
            write!(f, "{message} ")?;
        }
        fmt::Display::fmt(&self.kind, f)
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StepKind::Accepted { account, from, recipients, recipient_count, size, client, tls, .. } => {
                match (recipient_count, from) {
                    // Of a campaign that the spool remembers: its letter is not there any more.
                    (Some(count), None) => write!(f, "accepted for the {count} of a campaign")?,
                    (Some(count), Some(from)) => write!(f, "accepted from <{from}> for the {count} of a campaign")?,
                    (None, from) => {
                        write!(f, "accepted from <{}> for {}", from.as_deref().unwrap_or(""), list(recipients))?;
                    }
                }
                if *size > 0 {
                    write!(f, ", {size} octets")?;
                }
                match account {
                    Some(account) => write!(f, ", account {account}")?,
                    None => write!(f, ", a notice of ours")?,
                }
                if let Some(client) = client {
                    write!(f, ", client {client}")?;
                }
                tls.as_ref().map_or(Ok(()), |tls| write!(f, ", {tls}"))
            }
            StepKind::Settled(settled) => fmt::Display::fmt(settled, f),
            StepKind::Held { part: Some(part), reason } => write!(f, "held (part {part}): {reason}"),
            StepKind::Held { part: None, reason } => write!(f, "held (all of the campaign): {reason}"),
            StepKind::Released { part: Some(part) } => write!(f, "released (part {part})"),
            StepKind::Released { part: None } => f.write_str("released (all of the campaign)"),
            StepKind::Noticed { notice: Some(notice), kind } => write!(f, "{kind} notice to the sender, as {notice}"),
            StepKind::Noticed { notice: None, kind } => write!(f, "{kind} notice to the sender"),
            StepKind::Returned { recipient, client } => {
                write!(f, "came back to {recipient}")?;
                client.as_ref().map_or(Ok(()), |client| write!(f, " from {client}"))
            }
            StepKind::CameBack { what, recipient, status, text, .. } => {
                write!(f, "{what} {recipient}")?;
                status.as_ref().map_or(Ok(()), |status| write!(f, ", {status}"))?;
                text.as_ref().map_or(Ok(()), |text| write!(f, ": {text}"))
            }
            StepKind::Cancelled { recipients } => write!(f, "cancelled: {recipients} of its list get nothing"),
            StepKind::Refused { account, client, reply } => {
                write!(f, "refused")?;
                if let Some(account) = account {
                    write!(f, " to account {account}")?;
                }
                if let Some(client) = client {
                    write!(f, " at {client}")?;
                }
                write!(f, ": {reply}")
            }
            StepKind::Note { level, what, text } => write!(f, "{level} {what}: {text}"),
        }
    }
}

impl fmt::Display for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verdict, self.recipient)?;
        if let Some(peer) = &self.peer {
            write!(f, " by {peer}")?;
        }
        if let Some(ip) = &self.peer_ip {
            write!(f, " [{ip}]:{}", self.peer_port.unwrap_or(25))?;
        }
        if let Some(tls) = &self.tls {
            write!(f, " {tls}")?;
        }
        if let Some(egress) = &self.egress {
            write!(f, " from {egress}")?;
        }
        if self.attempt > 0 {
            write!(f, ", attempt {}", self.attempt)?;
        }
        write!(f, ", at {}", self.stage)?;
        match (&self.reply, &self.text) {
            (Some(reply), Some(text)) => write!(f, ": {text}: {reply}")?,
            (Some(reply), None) => write!(f, ": {reply}")?,
            (None, Some(text)) => write!(f, ": {} {text}", self.status)?,
            (None, None) => write!(f, ": {}", self.status)?,
        }
        self.next_attempt.map_or(Ok(()), |next| write!(f, "; next attempt {next}"))
    }
}

fn list(recipients: &[String]) -> String {
    match recipients {
        [] => "nobody".into(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}
