//! What a person asked about: a message, a recipient, everybody at a domain, a sender, or a Message-ID.

use repute_ledger::{LedgerError, Questions, Step, StepKind};
use repute_types::{Address, Domain, MessageId};

use super::{ControlError, Selector};

/// What a person asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    Message(MessageId),
    Recipient(Address),
    /// All recipients at a domain: `@example.net`.
    Domain(Domain),
    /// A return path as the client gave it: `from:shop@example.com`.
    Sender(Address),
    /// A Message-ID field, without its brackets.
    HeaderId(String),
}

impl About {
    pub fn parse(text: &str) -> Result<About, ControlError> {
        let text = text.trim();
        if let Some(header_id) = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
            return Ok(About::HeaderId(header_id.to_owned()));
        }
        if let Ok(id) = text.parse() {
            return Ok(About::Message(id));
        }
        let about = match (text.strip_prefix('@'), text.strip_prefix("from:")) {
            (Some(domain), _) => domain.parse().ok().map(About::Domain),
            (_, Some(sender)) => sender.trim().parse().ok().map(About::Sender),
            _ => text.parse().ok().map(About::Recipient),
        };
        about.ok_or_else(|| ControlError::NotAskable(text.to_owned()))
    }

    /// The steps that the history knows of it: by message, the newest message first. Of one message the last `limit`,
    /// of a recipient those of the last `limit` messages.
    pub fn steps(&self, questions: &Questions, limit: usize) -> Result<Vec<Step>, LedgerError> {
        let messages = match self {
            About::Message(id) => vec![*id],
            About::Recipient(address) => questions.by_recipient(address, limit)?,
            About::Domain(domain) => questions.by_domain(domain, limit)?,
            About::Sender(address) => questions.by_sender(address, limit)?,
            About::HeaderId(header_id) => questions.by_header_id(header_id)?,
        };
        let mut steps = Vec::new();
        for id in messages {
            match self {
                // Steps about other recipients of the same message are left out.
                About::Recipient(address) => steps.extend(questions.steps_to(id, address)?),
                About::Domain(domain) => {
                    steps.extend(questions.steps_of(id)?.into_iter().filter(|step| About::concerns(step, domain)));
                }
                _ => steps.extend(questions.last_steps(id, limit)?),
            }
        }
        Ok(steps)
    }

    /// Whether a step is about somebody at the domain, or about the whole message.
    fn concerns(step: &Step, domain: &Domain) -> bool {
        let recipient = match &step.kind {
            StepKind::Settled(settled) => &settled.recipient,
            StepKind::CameBack { recipient, .. } => recipient,
            _ => return true,
        };
        recipient.rsplit_once('@').is_some_and(|(_, theirs)| theirs.eq_ignore_ascii_case(domain.as_str()))
    }

    /// What is still queued of it, where the queue can be asked that.
    pub fn selector(&self) -> Option<Selector> {
        match self {
            About::Message(id) => Some(Selector { ids: vec![id.to_string()], ..Selector::default() }),
            About::Recipient(address) => Some(Selector { recipient: Some(address.clone()), ..Selector::default() }),
            About::Domain(domain) => Some(Selector { domain: Some(domain.clone()), ..Selector::default() }),
            About::Sender(address) => Some(Selector { sender: Some(address.to_string()), ..Selector::default() }),
            About::HeaderId(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_about_is_known_by_how_it_is_written() {
        let parse = |text: &str| About::parse(text).ok();
        assert_eq!(parse(" bob@example.net "), Some(About::Recipient("bob@example.net".parse().unwrap())));
        assert_eq!(parse("@Example.net"), Some(About::Domain("example.net".parse().unwrap())));
        assert_eq!(parse("from:shop@example.com"), Some(About::Sender("shop@example.com".parse().unwrap())));
        assert_eq!(parse("<a@b>"), Some(About::HeaderId("a@b".into())));
        assert!(matches!(parse("0000000000000"), Some(About::Message(_))));
        for text in ["", "bob", "@", "@not a domain", "from:", "from:bob"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
