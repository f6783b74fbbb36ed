//! Who has a session where there are not enough of them for all lanes.
//!
//! Promises: a session that has nothing to do is kept for its lane only while no other lane waits for one; and sites that
//! nothing was heard of yet cannot take all sessions, so that receivers who never answer, however many they are, keep nobody
//! waiting who was reached before. For that a site that was not reached yet has one session once a quarter of all are open,
//! and the last quarter of them is for sites that were.
//! Nothing fails here; an idle session that was asked to end and is given work meanwhile just goes on.

use repute_types::Timestamp;

use super::Queue;
use crate::lane::LaneId;
use crate::part::Next;

impl Queue {
    /// A session that was idle asks again, or is about to end.
    pub fn no_longer_idle(&mut self, id: LaneId) {
        let lane = self.lane_mut(id);
        if lane.idle == 0 {
            return;
        }
        lane.idle -= 1;
        let was_dismissed = lane.dismissed > 0;
        lane.dismissed -= u32::from(was_dismissed);
        self.idle -= 1;
        self.dismissed -= u32::from(was_dismissed);
    }

    pub(super) fn becomes_idle(&mut self, id: LaneId) -> Next {
        self.lane_mut(id).idle += 1;
        self.idle += 1;
        Next::Idle
    }

    pub(super) fn wants_session(&self, id: LaneId, now: Timestamp) -> bool {
        let Some(lane) = self.lanes.get(id.0) else { return false };
        let may_have_more = lane.reached || lane.sessions == 0 || self.sessions <= self.settings.max_sessions / 4;
        may_have_more && lane.wants_session(now)
    }

    pub(super) fn has_wanting(&self) -> bool {
        (!self.wanting.is_empty() && self.is_one_free())
            || (!self.strangers.is_empty() && self.is_one_free_for_strangers())
    }

    /// The next that may have a session now. Those for whom too few are left go aside, and come first once there are more.
    pub(super) fn next_wanting(&mut self) -> Option<LaneId> {
        if self.is_one_free_for_strangers() {
            return self.strangers.pop_front().or_else(|| self.wanting.pop_front());
        }
        while self.is_one_free() {
            let id = self.wanting.pop_front()?;
            if self.lanes.get(id.0).is_none_or(|lane| lane.reached) {
                return Some(id);
            }
            self.strangers.push_back(id);
        }
        None
    }

    pub(super) fn is_wanted_elsewhere(&self) -> bool {
        self.kept_waiting() > 0
    }

    /// Asks as many idle sessions to end as lanes wait for one.
    pub(super) fn make_room(&mut self) {
        let mut short = self.kept_waiting().saturating_sub(self.dismissed as usize);
        let mut left = self.lanes.len();
        while short > 0 && left > 0 && self.idle > self.dismissed {
            let at = self.look_from % self.lanes.len();
            match self.lanes.get_mut(at as u32).filter(|lane| lane.idle > lane.dismissed) {
                Some(lane) => {
                    lane.dismissed += 1;
                    self.dismissed += 1;
                    self.wakes.push(LaneId(at as u32));
                    short -= 1;
                }
                None => {
                    self.look_from = at + 1;
                    left -= 1;
                }
            }
        }
    }

    /// Lanes that wait for a session of others to end.
    fn kept_waiting(&self) -> usize {
        let strangers = if self.is_one_free_for_strangers() { 0 } else { self.strangers.len() };
        let others = if self.is_one_free() { 0 } else { self.wanting.len() };
        strangers + others
    }

    fn is_one_free(&self) -> bool {
        self.sessions < self.settings.max_sessions
    }

    fn is_one_free_for_strangers(&self) -> bool {
        self.sessions < self.settings.max_sessions - self.settings.max_sessions / 4
    }
}
