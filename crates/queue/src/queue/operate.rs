//! What may be done to a part beside delivering it: lease it for settling (expiry) or to be
//! changed, bring it forward, take it out, look at it. Where the part is leased already, the word is
//! kept as an [`Intent`] until its attempt ends.

use repute_types::{MessageId, PartId, Timestamp};

use super::Queue;
use crate::flows::Routing;
use crate::lane::{LaneId, LaneView};
use crate::part::{Aside, Change, Intent, Lease, State, View};

impl Queue {
    /// Takes a part out for good, or leases it to the caller for settling (expiry): `None`
    /// where it is unknown or leased already.
    pub fn lease_part(&mut self, part: PartId) -> Option<Lease> {
        let &slot = self.by_part.get(&part)?;
        self.forget_due(slot);
        self.lease_row(slot, None)
    }

    /// Leases a part to the caller for something else than an attempt; where it is leased already, the word is kept.
    pub fn take_aside(&mut self, part: PartId, word: &Intent) -> Aside {
        let Some(&slot) = self.by_part.get(&part) else { return Aside::Unknown };
        let held = self.row(slot).state == State::Held;
        if self.lease_part(part).is_some() {
            return Aside::Taken { held };
        }
        self.intents.insert(part, word.clone());
        Aside::AfterLease
    }

    /// Makes a part due now: one that is held, or one that waits.
    pub fn retry(&mut self, part: PartId, now: Timestamp) -> Change {
        self.intend(part, Intent::Retry, |queue, slot| {
            queue.forget_due(slot);
            let leads_to = queue.known_lane(slot, now);
            if let Some(lane) = queue.row(slot).lane.or(leads_to) {
                queue.lane_mut(lane).resume();
                // It is as due as can be already.
                if queue.row(slot).state == State::Ready && leads_to == Some(lane) {
                    return queue.list(lane, now);
                }
            }
            queue.set_state(slot, State::Waiting);
            queue.schedule(slot, now, now);
        })
    }

    /// A part that is held becomes due at its own time again.
    pub fn let_go(&mut self, part: PartId, now: Timestamp) {
        let Some(&slot) = self.by_part.get(&part) else { return };
        if self.row(slot).state == State::Held {
            let due = self.row(slot).due;
            self.let_go_at(slot, due, now);
        }
    }

    pub(super) fn let_go_at(&mut self, slot: u32, due: Timestamp, now: Timestamp) {
        self.set_state(slot, State::Waiting);
        self.schedule(slot, due, now);
    }

    /// How many parts of a message wait after an attempt. Looks at every part there is.
    pub fn tried(&self, message: MessageId) -> usize {
        self.rows.iter().filter(|(_, row)| row.part.message == message && row.attempts > 0).count()
    }

    /// Whether anything of a message is queued.
    pub fn has_parts(&self, message: MessageId) -> bool {
        self.rows.iter().any(|(_, row)| row.part.message == message)
    }

    /// Forgets a part; the caller has seen to its record.
    pub fn remove(&mut self, part: PartId, why: &str) -> Change {
        self.intend(part, Intent::Cancel(why.to_owned()), |queue, slot| {
            queue.forget_due(slot);
            queue.remove_slot(slot);
        })
    }

    pub fn view(&self, part: PartId) -> Option<View> {
        let &slot = self.by_part.get(&part)?;
        let row = self.rows.get(slot)?;
        let lane = row.lane.and_then(|id| self.lane_view(id));
        let is_barred = || matches!(self.flows.get(row.flow).routing, Routing::Barred(_));
        let state = if row.state == State::Routing && is_barred() { State::Barred } else { row.state };
        Some(View { state, due: row.due, attempts: row.attempts.into(), lane })
    }

    pub fn lane_view(&self, id: LaneId) -> Option<LaneView> {
        let lane = self.lanes.get(id.0)?;
        Some(LaneView {
            id,
            key: lane.key.clone(),
            ready: lane.live,
            sessions: lane.sessions,
            window: lane.window(),
            paused_until: lane.paused_until,
            told_to_wait: lane.told_to_wait,
            pace: lane.pace.and_then(|pace| self.paces.get(pace)).map(|pace| pace.view()),
        })
    }

    pub fn lanes(&self) -> impl Iterator<Item = LaneView> + '_ {
        self.lanes.iter().filter_map(|(id, _)| self.lane_view(LaneId(id)))
    }

    fn intend(&mut self, part: PartId, intent: Intent, at_once: impl FnOnce(&mut Queue, u32)) -> Change {
        let Some(&slot) = self.by_part.get(&part) else { return Change::Unknown };
        if self.row(slot).state == State::Leased {
            self.intents.insert(part, intent);
            return Change::AfterAttempt;
        }
        at_once(self, slot);
        Change::Now
    }
}
