//! Lanes that keep to a rate: who may have a message now, who stands in line, and whose turn is next.
//!
//! Of a lane without a pace nothing here is asked but whether it has one.

use std::time::Duration;

use repute_types::{Stream, Timestamp};

use super::Queue;
use crate::lane::LaneId;
use crate::pace::{PaceId, Terms};
use crate::part::is_at;
use crate::timers::{Mark, Timers};

/// A turn that nobody took within this goes to the next in line.
const TURN_HOLDS: Duration = Duration::from_secs(1);

impl Queue {
    /// What a lane keeps to from now on; `None`: nothing.
    pub fn set_pace(&mut self, id: LaneId, terms: Option<&Terms>, now: Timestamp) {
        let Some(lane) = self.lanes.get(id.0) else { return };
        let (before, ready, idle) = (lane.pace, lane.live, lane.idle);
        let known = before.and_then(|pace| self.paces.get(pace)).map(|pace| pace.terms());
        if known == terms {
            return;
        }
        if let (Some(before), Some(known), Some(terms)) = (before, known, terms)
            && known.is_of(terms)
        {
            // All who stand in line keep their places.
            self.paces.at(before).change(terms, now);
            self.plan_turn(before, None);
            return self.list(id, now);
        }
        if let Some(before) = before {
            self.paces.at(before).forget(id);
            self.leave_pace(before, ready);
        }
        let pace = terms.map(|terms| self.paces.join(terms, ready, now));
        let lane = self.lane_mut(id);
        (lane.pace, lane.lined_up) = (pace, None);
        if idle > 0 && ready > 0 {
            self.wakes.push(id);
        }
        self.list(id, now);
    }

    /// Whether the lane's pace lets it have a message now; where not, the lane stands in line.
    pub(super) fn is_let(&mut self, id: LaneId, now: Timestamp) -> bool {
        let lane = self.lane_mut(id);
        let Some(pace) = lane.pace else { return true };
        let stream = lane.best_stream();
        let is_open = self.paces.at(pace).is_open(stream, now);
        if !is_open {
            self.line_up(id, pace);
        }
        is_open
    }

    /// The next mark of a lane that is let: of transactional mail alone where bulk is not.
    pub(super) fn pop_let(&mut self, id: LaneId, now: Timestamp) -> Option<Mark> {
        let lane = self.lane_mut(id);
        match lane.pace {
            None => lane.pop(),
            Some(pace) => {
                let is_bulk_let = self.paces.at(pace).is_open(Stream::Bulk, now);
                let lane = self.lane_mut(id);
                if is_bulk_let { lane.pop() } else { lane.pop_transactional() }
            }
        }
    }

    fn line_up(&mut self, id: LaneId, pace: PaceId) {
        let lane = self.lane_mut(id);
        let stream = lane.best_stream();
        if lane.ready() == 0 || lane.lined_up == Some(Stream::Transactional) || lane.lined_up == Some(stream) {
            return;
        }
        lane.lined_up = Some(stream);
        self.paces.at(pace).line_up(id, stream);
        self.plan_turn(pace, None);
    }

    /// Looks at the line when its first may have a turn, not before `earliest`.
    fn plan_turn(&mut self, pace: PaceId, earliest: Option<Timestamp>) {
        if let Some(turn) = self.paces.at(pace).next_turn() {
            self.wake_pace(pace, earliest.map_or(turn, |earliest| turn.max(earliest)));
        }
    }

    /// One more part is ready in the lane.
    pub(super) fn comes_ready(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        lane.live += 1;
        lane.tidy(|mark| is_at(&self.rows, mark));
        if let Some(pace) = lane.pace {
            self.paces.at(pace).ready += 1;
        }
    }

    /// A part that was ready in this lane is not any more.
    pub(super) fn leaves_ready(&mut self, lane: Option<LaneId>) {
        let Some(lane) = lane.and_then(|id| self.lanes.get_mut(id.0)) else { return };
        lane.live = lane.live.saturating_sub(1);
        if let Some(pace) = lane.pace {
            let pace = self.paces.at(pace);
            pace.ready = pace.ready.saturating_sub(1);
        }
    }

    /// A message of the lane took so many transactions more than the one that it was given for.
    pub fn spend(&mut self, id: LaneId, transactions: u32, now: Timestamp) {
        let Some(pace) = self.lanes.get(id.0).and_then(|lane| lane.pace) else { return };
        for _ in 0..transactions {
            self.paces.at(pace).take(now);
        }
    }

    /// When a session of the lane may begin with the message that it was given, of that stream: sessions that took long to open would
    /// all begin at once.
    pub fn speaks_at(&mut self, id: LaneId, stream: Stream, now: Timestamp) -> Timestamp {
        let pace = self.lanes.get(id.0).and_then(|lane| lane.pace);
        pace.map_or(now, |pace| self.paces.at(pace).speak(stream, now))
    }

    /// A message of the lane was given to a session.
    pub(super) fn gave(&mut self, id: LaneId, now: Timestamp) {
        let Some(pace) = self.lane_mut(id).pace else { return };
        self.paces.at(pace).take(now);
        self.line_up(id, pace);
        self.plan_turn(pace, None);
    }

    /// Looks at the line of a pace then, or before.
    fn wake_pace(&mut self, id: PaceId, at: Timestamp) {
        let generation = self.next_generation();
        let pace = self.paces.at(id);
        match pace.wake {
            Some((planned, _)) if planned <= at => return,
            Some(_) => {
                self.pace_timers.forget_one(|mark| self.paces.is_wake(mark));
            }
            None => {}
        }
        self.paces.at(id).wake = Some((at, generation));
        self.pace_timers.push(at, Mark { slot: id.0, generation });
    }

    /// The turns that have come.
    pub(super) fn turn_paces(&mut self, now: Timestamp) {
        while let Some(mark) = self.pace_timers.pop_due(now, |mark| self.paces.is_wake(mark)) {
            let id = PaceId(mark.slot);
            self.paces.at(id).wake = None;
            if self.paces.forget_unused(id, now) {
                continue;
            }
            let offered = self.call_next(id, now);
            self.plan_turn(id, offered.then(|| now + TURN_HOLDS));
            let pace = self.paces.at(id);
            if pace.lanes == 0 {
                let next = pace.next(Stream::Bulk);
                self.wake_pace(id, next);
            }
        }
    }

    /// Offers a turn to the first in line who can use it; whether there was one. Who is busy asks by itself when it is done.
    fn call_next(&mut self, id: PaceId, now: Timestamp) -> bool {
        while let Some(lane_id) = self.paces.at(id).call(now) {
            let lane = self.lanes.get_mut(lane_id.0);
            let Some(lane) = lane.filter(|lane| lane.pace == Some(id)) else { continue };
            if lane.lined_up.take().is_none() || lane.ready() == 0 || lane.is_paused(now) {
                continue;
            }
            if lane.idle > 0 {
                self.wakes.push(lane_id);
                return true;
            }
            if lane.wants_session(now) {
                self.list(lane_id, now);
                return true;
            }
        }
        false
    }

    /// A lane that is no more, or keeps to another pace, leaves it.
    pub(super) fn leave_pace(&mut self, id: PaceId, ready: usize) {
        let pace = self.paces.at(id);
        pace.lanes -= 1;
        pace.ready = pace.ready.saturating_sub(ready);
        if pace.lanes == 0 {
            // It is forgotten when it is open: a lane that comes before that finds it as it was.
            let next = pace.next(Stream::Bulk);
            self.wake_pace(id, next);
        }
    }

    /// The clock says so much less than before.
    pub(super) fn set_paces_back(&mut self, by: Duration) {
        self.pace_timers = Timers::default();
        for id in self.paces.set_back(by) {
            let next = self.paces.at(id).next_turn().unwrap_or(self.paces.at(id).next(Stream::Bulk));
            self.wake_pace(id, next);
        }
    }
}
