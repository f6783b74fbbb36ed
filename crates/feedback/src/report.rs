//! What a delivery report says (RFC 3464, RFC 3461, and the notices that came before them).

use repute_types::EnhancedCode;

use crate::cause::Cause;
use crate::original::Original;

/// A notice about the delivery of a message of ours: bounce, delay, success.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How it was written: `rfc3464`, or the family of servers whose free form it is: `qmail`, `exim`.
    pub form: &'static str,
    /// The server that reports (Reporting-MTA), without its kind; `None` where it does not say.
    pub reporter: Option<String>,
    /// ENVID of our MAIL command (Original-Envelope-Id).
    pub envelope: Option<String>,
    /// One for each recipient that is reported about; at least one.
    pub recipients: Vec<Reported>,
    /// What is known about the message that the report is about.
    pub original: Original,
}

/// What is reported about one recipient.
#[derive(Clone, Debug, PartialEq)]
pub struct Reported {
    /// The address as the sender wrote it (Original-Recipient), where it is said.
    pub original: Option<String>,
    /// The address that the report is about (Final-Recipient): after forwarding it may be one that we
    /// never wrote to. Empty where the report names no address.
    pub last: String,
    pub action: Action,
    /// As the report has it; where it has none, what the cause is called by RFC 3463.
    pub status: EnhancedCode,
    /// Whether `status` stands in the report.
    pub is_status_told: bool,
    /// The code of the SMTP reply that decided, where one is told.
    pub reply: Option<u16>,
    /// What the server that refused has said, in one line; may be empty.
    pub diagnostic: String,
    /// The server that said it (Remote-MTA).
    pub remote: Option<String>,
    /// `None` where nothing went wrong.
    pub cause: Option<Cause>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Given up.
    Failed,
    /// Still tried.
    Delayed,
    Delivered,
    /// Handed to a server that sends no reports.
    Relayed,
    /// Delivered, and sent on to several.
    Expanded,
}

impl Action {
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Failed => "failed",
            Action::Delayed => "delayed",
            Action::Delivered => "delivered",
            Action::Relayed => "relayed",
            Action::Expanded => "expanded",
        }
    }

    /// Whether the mail has gone through, as far as is known.
    pub fn is_good(self) -> bool {
        matches!(self, Action::Delivered | Action::Relayed | Action::Expanded)
    }
}

impl Reported {
    /// The address that we wrote to, as far as the report tells.
    pub fn address(&self) -> &str {
        self.original.as_deref().unwrap_or(&self.last)
    }

    /// Given up for good: no server tries any more, and the address or its host is the reason.
    pub fn is_hard(&self) -> bool {
        self.action == Action::Failed && self.cause.is_some_and(|cause| cause.suppresses)
    }
}
