//! Messages that were just accepted, kept in memory so that the first attempt reads nothing
//! from the disk. Bounded by the octets that they take, contents and envelopes: beyond the bound a
//! message is simply not kept here and its session reads it back from the spool.

use std::mem::size_of;
use std::sync::Arc;

use bytes::Bytes;
use repute_spool::{MessageMeta, PartRecord, Pending};
use repute_types::{Address, Content, Map, MessageId, PartId};

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
    messages: Map<MessageId, Message>,
    octets: usize,
    bound: usize,
}

impl Fresh {
    pub fn new(bound: usize) -> Fresh {
        Fresh { messages: Map::default(), octets: 0, bound }
    }

    pub fn keep(&mut self, meta: Arc<MessageMeta>, content: Content, parts: Vec<PartRecord>) {
        let envelopes = parts.iter().map(of_part).sum::<usize>();
        // A part that was put back joins its siblings: the content is counted once.
        if let Some(known) = self.messages.get_mut(&meta.id) {
            self.octets += envelopes;
            known.parts.extend(parts);
            return;
        }
        let octets = of_message(&meta, &content) + envelopes;
        if self.octets + octets <= self.bound {
            self.octets += octets;
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
        self.octets -= of_part(&part);
        if !message.parts.is_empty() {
            return Some(Loaded { meta: message.meta.clone(), part, content: message.content.clone(), room: None });
        }
        let message = self.messages.remove(&id.message)?;
        self.octets -= of_message(&message.meta, &message.content);
        Some(Loaded { meta: message.meta, part, content: message.content, room: None })
    }
}

/// What an allocation takes beside what was asked for: its size is rounded up, and what is shared has counters.
const BLOCK: usize = 24;

/// What a message takes beside its parts.
fn of_message(meta: &MessageMeta, content: &Content) -> usize {
    // A table has at most as many empty places as full ones.
    let place = 2 * size_of::<(MessageId, Message)>();
    let slices = BLOCK + content.chunks().len() * (size_of::<Bytes>() + 2 * BLOCK);
    let sender = meta.from.as_ref().map_or(0, of_address);
    let rest = size_of::<MessageMeta>() + BLOCK + meta.header_id.len() + BLOCK;
    content.len() + slices + place + sender + rest
}

/// Of a short message to many this is more than its content.
fn of_part(part: &PartRecord) -> usize {
    let room = part.recipients.capacity() * size_of::<Pending>() + BLOCK;
    let recipients = part.recipients.iter().map(|p| of_address(&p.recipient.address));
    let values = part.values.iter().map(|value| size_of::<String>() + value.len() + BLOCK);
    size_of::<PartRecord>() + room + recipients.chain(values).sum::<usize>()
}

fn of_address(address: &Address) -> usize {
    address.local().len() + address.domain().as_str().len() + 2 * BLOCK
}

#[cfg(test)]
mod tests {
    use super::*;
    use repute_types::{Domain, Recipient, Timestamp};

    /// The octets of a message one of whose parts was put back were counted again and never given
    /// back, until nothing was kept in memory any more.
    #[test]
    fn a_part_that_is_put_back_costs_nothing() {
        let id = MessageId(1);
        let t = Timestamp(0);
        let meta = Arc::new(MessageMeta { size: 5, ..MessageMeta::new(id, t, t) });
        let part =
            |number| PartRecord::new(PartId { message: id, number }, Domain::parse("a.test").unwrap(), Vec::new(), t);
        let mut fresh = Fresh::new(10_000);
        fresh.keep(meta, Content::from(&b"hello"[..]), vec![part(0), part(1)]);
        let before = fresh.octets;
        let loaded = fresh.take(part(0).id).unwrap();
        fresh.keep(loaded.meta, loaded.content, vec![loaded.part]);
        assert_eq!(fresh.octets, before);
        assert!(fresh.take(part(0).id).is_some() && fresh.take(part(1).id).is_some());
        assert_eq!((fresh.octets, fresh.messages.len()), (0, 0));
    }

    /// Contents alone were counted: a short message to many, or many of them, took any amount of memory.
    #[test]
    fn envelopes_count_as_contents_do() {
        let t = Timestamp(0);
        let bound = 1 << 20;
        let mut fresh = Fresh::new(bound);
        let mut message = |id, recipients: u32| {
            let id = MessageId(id);
            let meta = Arc::new(MessageMeta { size: 5, ..MessageMeta::new(id, t, t) });
            let part = |number| {
                let to = Recipient::to(Address::parse(&format!("p{number}@d{number}.test")).unwrap());
                let domain = to.address.domain().clone();
                PartRecord::new(PartId { message: id, number }, domain, vec![to], t)
            };
            fresh.keep(meta, Content::from(&b"hello"[..]), (0..recipients).map(part).collect());
            assert!(fresh.octets <= bound, "{} octets", fresh.octets);
            fresh.size(id).is_some()
        };
        assert!(!message(1, 20_000), "a message to 20,000 is more than a mebibyte");
        let kept = (2..20_000).filter(|id| message(*id, 1)).count();
        assert!((100..4_000).contains(&kept), "{kept} messages in a mebibyte");
        let octets = fresh.octets;
        assert!(
            fresh.messages.values().map(|m| m.parts.len()).sum::<usize>() == kept && octets > bound / 2,
            "{octets}"
        );
    }
}
