//! What a person asked about: a message, a recipient, or a Message-ID.

use repute_ledger::{LedgerError, Questions, Step, StepKind};
use repute_types::{Address, MessageId};

use super::{ControlError, Selector};

/// What a person asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    Message(MessageId),
    Recipient(Address),
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
        text.parse().map(About::Recipient).map_err(|_| ControlError::NotAskable(text.to_owned()))
    }

    /// The steps that the history knows of it: by message, the newest message first.
    pub fn steps(&self, questions: &Questions, limit: usize) -> Result<Vec<Step>, LedgerError> {
        let messages = match self {
            About::Message(id) => vec![*id],
            About::Recipient(address) => questions.by_recipient(address, limit)?,
            About::HeaderId(header_id) => questions.by_header_id(header_id)?,
        };
        let mut steps = Vec::new();
        for id in messages {
            steps.extend(questions.steps_of(id)?.into_iter().filter(|step| self.concerns(step)));
        }
        Ok(steps)
    }

    /// Steps about other recipients of the same message are left out where one was asked for.
    fn concerns(&self, step: &Step) -> bool {
        match (self, &step.kind) {
            (About::Recipient(address), StepKind::Settled(settled)) => {
                settled.recipient.eq_ignore_ascii_case(&address.to_string())
            }
            (About::Recipient(address), StepKind::CameBack { recipient, .. }) => {
                recipient.eq_ignore_ascii_case(&address.to_string())
            }
            _ => true,
        }
    }

    /// What is still queued of it, where the queue can be asked that.
    pub fn selector(&self) -> Option<Selector> {
        match self {
            About::Message(id) => Some(Selector { ids: vec![id.to_string()], ..Selector::default() }),
            About::Recipient(address) => Some(Selector { recipient: Some(address.clone()), ..Selector::default() }),
            About::HeaderId(_) => None,
        }
    }
}
