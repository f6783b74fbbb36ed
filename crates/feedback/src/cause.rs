//! Why a message came back: whose fault it is, and what kind of fault, by the same rules that
//! read the replies of receivers (`repute_trust::replies`).
//!
//! What the refusing server said decides. Where it said nothing that tells, the sentences for
//! people that came with it are read; where these tell nothing, the status does.

use repute_trust::replies::{self, Class, Fault};
use repute_types::{EnhancedCode, Reply};

use crate::find;
use crate::report::Action;

/// Octets of sentences that are read for a cause.
const EXPLANATION: usize = 4096;

/// What a cause is, in words that events carry (`types::Cause`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    pub class: Class,
    pub fault: Fault,
    /// The rule that says so; `none` where no rule fits.
    pub rule: &'static str,
    /// Whether the recipient belongs on the suppression list: a lasting fault of its own.
    pub suppresses: bool,
}

impl Cause {
    pub fn told(&self) -> repute_types::Cause {
        repute_types::Cause { rule: self.rule, class: self.class.as_str(), fault: self.fault.as_str() }
    }
}

/// What there is to judge by.
pub(crate) struct Said<'a> {
    /// As the report states it.
    pub status: Option<EnhancedCode>,
    /// Of the server that refused.
    pub diagnostic: &'a str,
    /// For people; may be about other recipients too.
    pub explanation: &'a str,
    pub remote: Option<&'a str>,
    pub recipient: &'a str,
    pub action: Action,
}

pub(crate) struct Read {
    pub status: EnhancedCode,
    pub is_status_told: bool,
    pub reply: Option<u16>,
    pub cause: Option<Cause>,
}

pub(crate) fn read(said: &Said<'_>) -> Read {
    let reply = find::reply_code(said.diagnostic);
    let told = told_status(said, reply.map(|(code, _)| code));
    let code = reply.map(|(code, _)| code);
    if said.action.is_good() {
        let status = told.filter(|s| s.0 == 2).unwrap_or(EnhancedCode(2, 0, 0));
        return Read { status, is_status_told: told.is_some(), reply: code, cause: None };
    }
    let class = class_of(said, told, code);
    let mut found = classify(said.diagnostic, class, told, code, said.remote);
    if is_vague(&found) && !said.explanation.is_empty() {
        let about = about(said.explanation, said.recipient);
        let other = classify(about, class, told, code, said.remote);
        if !is_vague(&other) {
            found = other;
        }
    }
    let status = told.unwrap_or_else(|| usual_status(found.class, class));
    Read { status, is_status_told: told.is_some(), reply: code.filter(|c| *c >= 400), cause: Some(found) }
}

/// The status that is stated, or the one in the diagnostic where that says more.
fn told_status(said: &Said<'_>, code: Option<u16>) -> Option<EnhancedCode> {
    let in_text = find::statuses(said.diagnostic).find(|s| code.is_none_or(|code| code / 100 == u16::from(s.0)));
    match said.status {
        Some(EnhancedCode(class, 0, 0)) => Some(in_text.filter(|s| s.0 == class).unwrap_or(EnhancedCode(class, 0, 0))),
        Some(status) => Some(status),
        None => in_text,
    }
}

/// 4 or 5.
fn class_of(said: &Said<'_>, told: Option<EnhancedCode>, code: Option<u16>) -> u8 {
    match (told, code) {
        (Some(EnhancedCode(class @ (4 | 5), ..)), _) => class,
        (_, Some(code @ 400..=599)) => (code / 100) as u8,
        _ if said.action == Action::Delayed => 4,
        _ => 5,
    }
}

fn classify(text: &str, class: u8, status: Option<EnhancedCode>, code: Option<u16>, remote: Option<&str>) -> Cause {
    // Where no reply is told, one that no rule asks for stands for it.
    let code = code.filter(|code| *code >= 400).unwrap_or(if class == 4 { 499 } else { 599 });
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let reply = Reply { code, enhanced: status, lines: vec![text] };
    let found = replies::classify(&reply, remote);
    Cause { class: found.class, fault: found.fault, rule: found.rule, suppresses: class == 5 && found.suppresses() }
}

/// Whether a cause says no more than a status or code does.
fn is_vague(cause: &Cause) -> bool {
    cause.rule == "none" || cause.rule.starts_with("status.") || cause.rule.starts_with("code.")
}

/// The sentences from where the recipient is named first.
fn about<'a>(explanation: &'a str, recipient: &str) -> &'a str {
    let start = if recipient.is_empty() { None } else { explanation.find(recipient) };
    let text = &explanation[start.unwrap_or_default()..];
    &text[..text.floor_char_boundary(EXPLANATION)]
}

/// What RFC 3463 calls a cause, for a report that states no status.
fn usual_status(class: Class, of: u8) -> EnhancedCode {
    let (subject, detail) = match class {
        Class::UnknownUser => (1, 1),
        Class::NoDomain => (1, 2),
        Class::TakesNoMail => (1, 10),
        Class::Moved => (1, 6),
        Class::DisabledMailbox => (2, 1),
        Class::FullMailbox => (2, 2),
        Class::TooLarge => (3, 4),
        Class::Network => (4, 1),
        Class::Loop => (4, 6),
        Class::Expired => (4, 7),
        Class::SenderDomain => (1, 8),
        Class::ReverseDns => (7, 25),
        Class::Authentication | Class::Dmarc => (7, 26),
        Class::Spf => (7, 23),
        Class::Dkim => (7, 20),
        Class::Tls => (7, 10),
        Class::MessageFormat => (6, 0),
        Class::Protocol => (5, 0),
        Class::MailProgram | Class::ReceiverFault | Class::Temporary => (3, 0),
        Class::Unknown => (0, 0),
        _ => (7, 1),
    };
    EnhancedCode(of, subject, detail)
}
