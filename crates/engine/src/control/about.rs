//! What a person asked about: a message, a recipient, or a Message-ID.

use repute_ledger::{LedgerError, Questions, Step};
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

    /// The steps that the history knows of it: by message, the newest message first. Of one message the last `limit`,
    /// of a recipient those of the last `limit` messages.
    pub fn steps(&self, questions: &Questions, limit: usize) -> Result<Vec<Step>, LedgerError> {
        let mut steps = Vec::new();
        match self {
            About::Message(id) => steps = questions.last_steps(*id, limit)?,
            // Steps about other recipients of the same message are left out.
            About::Recipient(address) => {
                for id in questions.by_recipient(address, limit)? {
                    steps.extend(questions.steps_to(id, address)?);
                }
            }
            About::HeaderId(header_id) => {
                for id in questions.by_header_id(header_id)? {
                    steps.extend(questions.last_steps(id, limit)?);
                }
            }
        }
        Ok(steps)
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
