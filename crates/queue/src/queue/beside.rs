//! A second lane for a flow: for what the pace of its first would not let go before the day (UTC) is over. So mail that an
//! address may not send while it warms up goes from another one, and no more of it than that.
//!
//! Promise: what goes today by the first lane stays there; a part is looked at when it becomes ready, and all of a flow when the
//! second lane is named. Nothing is asked of a flow that has none.

use repute_types::{Stream, Timestamp};

use super::Queue;
use crate::flows::Routing;
use crate::lane::{LaneId, LaneKey};
use crate::part::{Flow, is_at};

impl Queue {
    /// Names the lane that a flow goes by, too, until its route is asked for again; what waits in its first one for another day
    /// goes there at once. `None` where the flow goes by no lane, or by this one already.
    pub fn beside(&mut self, flow: &Flow, key: LaneKey, now: Timestamp) -> Option<LaneId> {
        let index = self.flows.find(flow)?;
        let Routing::Known { lane, .. } = self.flows.get(index).routing else { return None };
        let other = self.lane_for(key);
        if other == lane {
            return None;
        }
        self.lane_mut(other).flows += 1;
        if let Routing::Known { beside, .. } = &mut self.flows.at(index).routing
            && let Some(before) = beside.replace(other)
        {
            self.unroute(before);
        }
        for slot in self.another_day(lane, index, now) {
            self.ready_in(slot, other, now);
        }
        Some(other)
    }

    /// The one of a flow's lanes that a part of it becomes ready in.
    pub(super) fn lane_today(&mut self, slot: u32, lane: LaneId, now: Timestamp) -> LaneId {
        let (flow, stream) = (self.row(slot).flow, self.row(slot).stream);
        let Routing::Known { beside: Some(other), .. } = self.flows.get(flow).routing else { return lane };
        let first = self.lane_mut(lane);
        let Some(pace) = first.pace else { return lane };
        let before = match stream {
            Stream::Transactional => first.transactional_ready(),
            Stream::Bulk => self.paces.at(pace).ready,
        };
        if self.paces.at(pace).goes_today(stream, before, now) { lane } else { other }
    }

    /// Parts of a flow that are ready in this lane and would not go today.
    fn another_day(&mut self, lane: LaneId, flow: u32, now: Timestamp) -> Vec<u32> {
        let (rows, paces) = (&self.rows, &self.paces);
        let Some(lane) = self.lanes.get(lane.0) else { return Vec::new() };
        let Some(pace) = lane.pace.and_then(|id| paces.get(id)) else { return Vec::new() };
        if pace.goes_today(Stream::Bulk, pace.ready, now)
            && pace.goes_today(Stream::Transactional, lane.transactional_ready(), now)
        {
            return Vec::new();
        }
        // Others that share the pace have their turns between.
        let (others, mut before, mut late) = (pace.ready.saturating_sub(lane.live), 0, Vec::new());
        for (stream, mark) in lane.marks().filter(|(_, mark)| is_at(rows, *mark)) {
            let ahead = if stream == Stream::Bulk { others } else { 0 };
            let is_of_flow = rows.get(mark.slot).is_some_and(|row| row.flow == flow);
            if is_of_flow && !pace.goes_today(stream, ahead + before, now) {
                late.push(mark.slot);
            } else {
                before += 1;
            }
        }
        late
    }

    pub(super) fn leave_lanes(&mut self, lane: LaneId, beside: Option<LaneId>) {
        self.unroute(lane);
        if let Some(beside) = beside {
            self.unroute(beside);
        }
    }
}
