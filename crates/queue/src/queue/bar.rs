//! Flows that may take no way, and what happens when what they may take has changed. Nothing here
//! touches a part by itself: the parts of a flow follow when their turn comes.

use std::collections::HashSet;

use repute_types::Timestamp;

use super::Queue;
use crate::flows::Routing;
use crate::lane::{LaneId, LaneKey};
use crate::part::{Flow, State};

impl Queue {
    /// The third answer to [`Step::Route`](crate::Step::Route): the sender may take no way now. The
    /// flow's parts wait until [`Queue::review`].
    pub fn bar(&mut self, flow: &Flow) {
        let Some(index) = self.flows.find(flow) else { return };
        let slot = self.flows.at(index);
        if let Routing::Asked(waiting) = &mut slot.routing {
            slot.routing = Routing::Barred(std::mem::take(waiting));
        }
    }

    /// What senders may do has changed: a flow whose lane does not stay its lane leaves it, parts
    /// that are ready there included, and for what is barred the route is asked for again.
    pub fn review(&mut self, stays: impl Fn(&Flow, &LaneKey) -> bool) {
        let mut leaving = Vec::new();
        let mut again = Vec::new();
        for (index, slot) in self.flows.iter() {
            match slot.routing {
                Routing::Barred(_) => again.push(index),
                Routing::Known { lane, beside, .. } => {
                    let key = self.lanes.get(lane.0).map(|lane| &lane.key);
                    // Nobody looked at the lane beside it.
                    if beside.is_some() || !key.is_some_and(|key| stays(&slot.flow, key)) {
                        leaving.push((index, lane, beside));
                    }
                }
                Routing::Unknown | Routing::Asked(_) => {}
            }
        }
        for index in again {
            let slot = self.flows.at(index);
            if let Routing::Barred(waiting) = &mut slot.routing {
                slot.routing = Routing::Asked(std::mem::take(waiting));
                self.to_route.push(index);
            }
        }
        for (index, lane, beside) in leaving {
            let slot = self.flows.at(index);
            (slot.routing, slot.moving) = (Routing::Unknown, true);
            self.leave_lanes(lane, beside);
        }
    }

    /// Flows for which other hosts are configured than before: their parts leave the lanes that they are ready in and look
    /// for another, whatever those wait for, and a part that was tried before is due now. Returns how many parts each
    /// of these flows has. A part that waits for a first time of its own goes on waiting.
    pub fn reroute(&mut self, is_other: impl Fn(&Flow) -> bool, now: Timestamp) -> Vec<(Flow, u32)> {
        let (mut others, mut found) = (HashSet::new(), Vec::new());
        for (index, slot) in self.flows.iter().filter(|(_, slot)| slot.parts > 0 && is_other(&slot.flow)) {
            others.insert(index);
            found.push((slot.flow.clone(), slot.parts));
        }
        if others.is_empty() {
            return found;
        }
        for index in &others {
            let slot = self.flows.at(*index);
            let Routing::Known { lane, beside, .. } = slot.routing else { continue };
            (slot.routing, slot.moving) = (Routing::Unknown, true);
            for lane in [Some(lane), beside].into_iter().flatten() {
                self.lane_mut(lane).resume();
                self.unfinished.push(lane);
                self.unroute(lane);
            }
        }
        for slot in 0..self.rows.len() as u32 {
            let Some(row) = self.rows.get(slot) else { continue };
            if row.state == State::Waiting && row.attempts > 0 && others.contains(&row.flow) {
                self.forget_due(slot);
                self.schedule(slot, now, now);
            }
        }
        found
    }

    /// Parts whose sender may take no way now.
    pub fn barred(&self) -> usize {
        let barred = self.flows.iter().filter(|(_, slot)| matches!(slot.routing, Routing::Barred(_)));
        barred.map(|(_, slot)| slot.parts as usize).sum()
    }

    /// Parts in each state, in the order of [`State::ALL`](crate::State::ALL).
    pub fn counts(&self) -> [(State, usize); State::ALL.len()] {
        let mut counts = self.counts;
        // The rows of a flow that is barred say that they look for a way.
        let barred = self.barred().min(counts[State::Routing as usize]);
        counts[State::Routing as usize] -= barred;
        counts[State::Barred as usize] += barred;
        State::ALL.map(|state| (state, counts[state as usize]))
    }

    /// Whether a part that is ready in a lane may still go by it.
    pub(super) fn goes_by(&mut self, slot: u32, lane: LaneId) -> bool {
        let flow = self.row(slot).flow;
        let flow = self.flows.get(flow);
        match &flow.routing {
            Routing::Known { lane: known, beside, .. } => *known == lane || *beside == Some(lane),
            Routing::Barred(_) => false,
            Routing::Unknown | Routing::Asked(_) => !flow.moving,
        }
    }

    /// Looks on through lanes that were left half-way.
    pub(super) fn go_on(&mut self, now: Timestamp) {
        for id in std::mem::take(&mut self.unfinished) {
            let Some(lane) = self.lanes.get(id.0) else { continue };
            if lane.idle > 0 {
                self.wakes.push(id);
            }
            self.list(id, now);
        }
    }
}
