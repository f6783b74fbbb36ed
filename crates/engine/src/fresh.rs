//! Messages that were just accepted, kept in memory so that the first attempt reads nothing
//! from the disk. Bounded by octets of content: beyond the bound a message is simply not kept
//! here and its session reads it back from the spool.

use std::collections::HashMap;
use std::sync::Arc;

use repute_spool::{MessageMeta, PartRecord};
use repute_types::{Content, MessageId, PartId};

/// A part with all that an attempt needs.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub meta: Arc<MessageMeta>,
    pub part: PartRecord,
    pub content: Content,
}

struct Message {
    meta: Arc<MessageMeta>,
    content: Content,
    parts: Vec<PartRecord>,
}

pub(crate) struct Fresh {
    messages: HashMap<MessageId, Message>,
    octets: usize,
    bound: usize,
}

impl Fresh {
    pub fn new(bound: usize) -> Fresh {
        Fresh { messages: HashMap::new(), octets: 0, bound }
    }

    pub fn keep(&mut self, meta: Arc<MessageMeta>, content: Content, parts: Vec<PartRecord>) {
        if self.octets + content.len() <= self.bound {
            self.octets += content.len();
            self.messages.insert(meta.id, Message { meta, content, parts });
        }
    }

    /// A part is taken once: what happens to it afterwards is known to the spool alone.
    pub fn take(&mut self, id: PartId) -> Option<Loaded> {
        let message = self.messages.get_mut(&id.message)?;
        let at = message.parts.iter().position(|p| p.id == id)?;
        let part = message.parts.swap_remove(at);
        if !message.parts.is_empty() {
            return Some(Loaded { meta: message.meta.clone(), part, content: message.content.clone() });
        }
        let message = self.messages.remove(&id.message)?;
        self.octets -= message.content.len();
        Some(Loaded { meta: message.meta, part, content: message.content })
    }
}
