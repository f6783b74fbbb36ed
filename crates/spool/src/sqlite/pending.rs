//! What stands in the journal and not in the database yet, for readers and for the drain.
//!
//! Messages as they are now (a change of one of their parts is made here), and the last change of each
//! part whose message is in the database. Contents stay in the journal. Only the writer's thread changes it.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard};

use repute_types::{Map, MessageId, PartId};

use super::journal::Place;
use super::schema::PAGE_OCTETS;
use crate::{Change, MessageMeta, PartRecord};

/// Octets of content in one slice, and one message more: they are held while they are written.
const MOST_CONTENT: u64 = 4 << 20;

/// A message in the journal.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub meta: MessageMeta,
    /// Those that are not done, by their numbers.
    pub parts: Vec<PartRecord>,
    pub content: Place,
}

/// What is known of a part.
pub(super) enum Known {
    /// As it is now; its message is not in the database.
    Part(PartRecord),
    /// Its last change; whether there is such a part, the database says.
    Changed(Change),
    /// The message is here, and has no such part any more.
    Gone,
    Unknown,
}

/// What goes into the database next, from one segment.
pub(super) struct Slice {
    pub segment: usize,
    pub messages: Vec<Arc<Kept>>,
    pub changes: Vec<(PartId, Change)>,
    /// Looked at in the order of the segment, also those that are not needed any more.
    looked_at: [usize; 2],
    /// Whether nothing of the segment remains behind it.
    pub is_last: bool,
}

impl Slice {
    pub fn len(&self) -> usize {
        self.messages.len() + self.changes.len()
    }
}

/// In the order in which they came. What was done meanwhile is still named.
#[derive(Default)]
struct OfSegment {
    messages: Vec<MessageId>,
    changes: Vec<PartId>,
}

#[derive(Default)]
struct State {
    messages: BTreeMap<MessageId, Arc<Kept>>,
    /// With the segment that holds the change.
    changes: Map<PartId, (Change, usize)>,
    segments: [OfSegment; 2],
    /// What the messages will take in the database, more or less.
    octets: u64,
    /// How far each segment is drained.
    drained: [[usize; 2]; 2],
}

impl State {
    fn remove(&mut self, id: MessageId) {
        if let Some(kept) = self.messages.remove(&id) {
            self.octets -= octets_of(kept.content);
        }
    }
}

/// Content, and two pages for what stands with it.
fn octets_of(content: Place) -> u64 {
    content.octets() + 2 * PAGE_OCTETS
}

#[derive(Default)]
pub(super) struct Pending(Mutex<State>);

impl Pending {
    /// A message that stands in the journal now.
    pub fn add(&self, meta: MessageMeta, parts: Vec<PartRecord>, content: Place) {
        let mut state = self.lock();
        state.segments[content.segment].messages.push(meta.id);
        state.octets += octets_of(content);
        state.messages.insert(meta.id, Arc::new(Kept { meta, parts, content }));
    }

    /// A change that stands in the journal now, in this segment. Gives the message that has gone with it, where its content
    /// stands beside.
    pub fn change(&self, part: PartId, change: &Change, segment: usize) -> Option<MessageId> {
        let mut state = self.lock();
        let Some(kept) = state.messages.get_mut(&part.message) else {
            // What comes after the end of a part changes nothing.
            if !state.changes.get(&part).is_some_and(|(known, _)| known.is_end()) {
                state.segments[segment].changes.push(part);
                state.changes.insert(part, (change.clone(), segment));
            }
            return None;
        };
        let kept = Arc::make_mut(kept);
        match change {
            Change::Done | Change::Ended(_) => kept.parts.retain(|known| known.id != part),
            Change::Keep(record) => {
                if let Some(known) = kept.parts.iter_mut().find(|known| known.id == part) {
                    *known = record.clone();
                }
            }
        }
        if !kept.parts.is_empty() {
            return None;
        }
        let is_beside = kept.content.is_beside();
        state.remove(part.message);
        is_beside.then_some(part.message)
    }

    /// Octets that the messages will take in the database, more or less.
    pub fn octets(&self) -> u64 {
        self.lock().octets
    }

    pub fn is_empty(&self) -> bool {
        let state = self.lock();
        state.messages.is_empty() && state.changes.is_empty()
    }

    pub fn holds(&self, id: MessageId) -> bool {
        self.lock().messages.contains_key(&id)
    }

    pub fn message(&self, id: MessageId) -> Option<Arc<Kept>> {
        self.lock().messages.get(&id).cloned()
    }

    pub fn part(&self, id: PartId) -> Known {
        let state = self.lock();
        if let Some(kept) = state.messages.get(&id.message) {
            return kept.parts.iter().find(|part| part.id == id).cloned().map_or(Known::Gone, Known::Part);
        }
        state.changes.get(&id).map_or(Known::Unknown, |(change, _)| Known::Changed(change.clone()))
    }

    /// The messages with parts after this one, at most so many parts and a message more.
    pub fn after(&self, after: Option<PartId>, parts: usize) -> Vec<Arc<Kept>> {
        let state = self.lock();
        let mut found = Vec::new();
        let begun = after.and_then(|after| state.messages.get(&after.message));
        let rest = match after {
            Some(after) => state.messages.range((Excluded(after.message), Unbounded)),
            None => state.messages.range(..),
        };
        let mut count = 0;
        for kept in begun.into_iter().chain(rest.map(|(_, kept)| kept)) {
            if count > parts {
                break;
            }
            count += kept.parts.len();
            found.push(kept.clone());
        }
        found
    }

    pub fn last_id(&self) -> Option<MessageId> {
        self.lock().messages.last_key_value().map(|(id, _)| *id)
    }

    /// Messages and changes that a segment brought, also those of which nothing is left.
    pub fn entries(&self, segment: usize) -> usize {
        let state = self.lock();
        state.segments[segment].messages.len() + state.segments[segment].changes.len()
    }

    /// The next that a segment has for the database: changes first, since they make room.
    pub fn slice(&self, segment: usize, most: usize, messages_too: bool) -> Slice {
        let state = self.lock();
        let of = &state.segments[segment];
        let mut looked_at = state.drained[segment];
        let mut slice = Slice { segment, messages: Vec::new(), changes: Vec::new(), looked_at, is_last: false };
        for part in &of.changes[looked_at[1]..] {
            if slice.changes.len() == most {
                break;
            }
            looked_at[1] += 1;
            // A later change may stand in the other segment; an earlier one is not needed then.
            if let Some((change, in_segment)) = state.changes.get(part)
                && *in_segment == segment
            {
                slice.changes.push((*part, change.clone()));
            }
        }
        let room = if messages_too { most - slice.changes.len() } else { 0 };
        let mut octets = 0;
        for id in &of.messages[looked_at[0]..] {
            if slice.messages.len() == room || octets >= MOST_CONTENT {
                break;
            }
            looked_at[0] += 1;
            if let Some(kept) = state.messages.get(id)
                && kept.content.segment == segment
            {
                octets += kept.content.octets();
                slice.messages.push(kept.clone());
            }
        }
        slice.is_last = looked_at == [of.messages.len(), of.changes.len()];
        slice.looked_at = looked_at;
        slice
    }

    /// Some of the parts that are gone and still in the database.
    pub fn ends(&self, most: usize) -> Vec<(PartId, Change)> {
        let state = self.lock();
        let ends = state.changes.iter().filter(|(_, (change, _))| change.is_end());
        ends.take(most).map(|(part, (change, _))| (*part, change.clone())).collect()
    }

    /// These changes are in the database, whatever of their segments is not.
    pub fn took(&self, changes: &[(PartId, Change)]) {
        let mut state = self.lock();
        for (part, _) in changes {
            state.changes.remove(part);
        }
    }

    /// The slice is in the database.
    pub fn drained(&self, slice: &Slice) {
        let mut state = self.lock();
        for kept in &slice.messages {
            state.remove(kept.meta.id);
        }
        for (part, _) in &slice.changes {
            state.changes.remove(part);
        }
        state.drained[slice.segment] = slice.looked_at;
    }

    /// The segment is begun again.
    pub fn forget(&self, segment: usize) {
        let mut state = self.lock();
        state.segments[segment] = OfSegment::default();
        state.drained[segment] = [0, 0];
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock leaves the state half changed when it panics.
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
