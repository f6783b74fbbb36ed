//! Messages that were just accepted, kept in memory so that the first attempt reads nothing
//! from the disk. Bounded by octets of content: beyond the bound a message is simply not kept
//! here and its session reads it back from the spool.

use std::collections::HashMap;
use std::sync::Arc;

use repute_spool::{MessageMeta, PartRecord};
use repute_types::{Content, MessageId, PartId};

use crate::outgoing::Room;

/// A part with all that an attempt needs.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub meta: Arc<MessageMeta>,
    pub part: PartRecord,
    pub content: Content,
    /// What its content takes of the memory for contents on their way out.
    #[expect(dead_code, reason = "it is held for as long as the content is")]
    pub room: Option<Arc<Room>>,
}

impl Loaded {
    /// For what is not sent.
    pub fn unread(meta: Arc<MessageMeta>, part: PartRecord) -> Loaded {
        Loaded { meta, part, content: Content::new(), room: None }
    }
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
        // A part that was put back joins its siblings: the content is counted once.
        if let Some(known) = self.messages.get_mut(&meta.id) {
            known.parts.extend(parts);
        } else if self.octets + content.len() <= self.bound {
            self.octets += content.len();
            self.messages.insert(meta.id, Message { meta, content, parts });
        }
    }

    /// Octets of a message's content, if it is here.
    pub fn size(&self, id: MessageId) -> Option<usize> {
        self.messages.get(&id).map(|message| message.content.len())
    }

    /// A part is taken once: what happens to it afterwards is known to the spool alone.
    pub fn take(&mut self, id: PartId) -> Option<Loaded> {
        let message = self.messages.get_mut(&id.message)?;
        let at = message.parts.iter().position(|p| p.id == id)?;
        let part = message.parts.swap_remove(at);
        if !message.parts.is_empty() {
            return Some(Loaded { meta: message.meta.clone(), part, content: message.content.clone(), room: None });
        }
        let message = self.messages.remove(&id.message)?;
        self.octets -= message.content.len();
        Some(Loaded { meta: message.meta, part, content: message.content, room: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use repute_types::{Domain, Timestamp};

    /// The octets of a message one of whose parts was put back were counted again and never given
    /// back, until nothing was kept in memory any more.
    #[test]
    fn a_part_that_is_put_back_costs_nothing() {
        let id = MessageId(1);
        let t = Timestamp(0);
        let meta = Arc::new(MessageMeta { size: 5, ..MessageMeta::new(id, t, t) });
        let part =
            |number| PartRecord::new(PartId { message: id, number }, Domain::parse("a.test").unwrap(), Vec::new(), t);
        let mut fresh = Fresh::new(100);
        fresh.keep(meta, Content::from(&b"hello"[..]), vec![part(0), part(1)]);
        let loaded = fresh.take(part(0).id).unwrap();
        fresh.keep(loaded.meta, loaded.content, vec![loaded.part]);
        assert_eq!(fresh.octets, 5);
        assert!(fresh.take(part(0).id).is_some() && fresh.take(part(1).id).is_some());
        assert_eq!((fresh.octets, fresh.messages.len()), (0, 0));
    }
}
