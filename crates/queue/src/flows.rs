//! The flows that parts are queued for, interned: recipient domains, each with a sender, and
//! what is known of the lane. A flow without parts is forgotten in sweeps, when many have gathered.

use std::time::Duration;

use repute_types::{Map, Timestamp};

use crate::lane::LaneId;
use crate::part::Flow;
use crate::slots::Slots;
use crate::timers::Mark;

#[derive(Debug)]
pub(crate) struct FlowSlot {
    pub flow: Flow,
    /// Parts queued for it, in whatever state.
    pub parts: u32,
    pub routing: Routing,
    /// The lane that it was taken from may be taken no more: its parts there look for another.
    pub moving: bool,
}

#[derive(Debug)]
pub(crate) enum Routing {
    Unknown,
    /// The route was asked for; these parts wait for it.
    Asked(Vec<Mark>),
    /// Its sender may take no way now; these parts wait until that may have changed.
    Barred(Vec<Mark>),
    Known {
        lane: LaneId,
        /// Takes what the lane's pace would not let go today.
        beside: Option<LaneId>,
        until: Timestamp,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Flows {
    by_name: Map<Flow, u32>,
    slots: Slots<FlowSlot>,
    /// Flows with `parts == 0`.
    unused: usize,
    /// When they were looked through last.
    swept: Timestamp,
}

/// Unused flows that may gather before they are looked through.
const SWEEP_AT: usize = 4096;
/// A sweep looks at every flow and may find nothing to forget, so it waits so long for the next.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

impl Flows {
    /// The index of a flow, with one more part counted for it.
    pub fn enter(&mut self, flow: Flow) -> u32 {
        if let Some(&index) = self.by_name.get(&flow) {
            let slot = self.at(index);
            slot.parts += 1;
            if slot.parts == 1 {
                self.unused -= 1;
            }
            return index;
        }
        let slot = FlowSlot { flow: flow.clone(), parts: 1, routing: Routing::Unknown, moving: false };
        let index = self.slots.put(slot);
        self.by_name.insert(flow, index);
        index
    }

    pub fn leave(&mut self, index: u32) {
        let slot = self.at(index);
        slot.parts -= 1;
        if slot.parts == 0 {
            self.unused += 1;
        }
    }

    pub fn find(&self, flow: &Flow) -> Option<u32> {
        self.by_name.get(flow).copied()
    }

    pub fn at(&mut self, index: u32) -> &mut FlowSlot {
        self.slots.at(index)
    }

    pub fn get(&self, index: u32) -> &FlowSlot {
        self.slots.get(index).expect("an index is given out only while its slot is in use")
    }

    /// All that are in use, by index.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &FlowSlot)> {
        self.slots.iter()
    }

    /// The clock says so much less than before.
    pub fn set_back(&mut self, by: Duration) {
        self.swept = self.swept - by;
        for (_, slot) in self.slots.iter_mut() {
            if let Routing::Known { until, .. } = &mut slot.routing {
                *until = *until - by;
            }
        }
    }

    /// Forgets unused flows whose route is stale; returns the lanes they were routed to.
    pub fn sweep(&mut self, now: Timestamp) -> Vec<LaneId> {
        let mut lanes = Vec::new();
        if self.unused < SWEEP_AT.max(self.by_name.len() / 4) {
            return lanes;
        }
        if (self.swept..self.swept + SWEEP_EVERY).contains(&now) {
            return lanes;
        }
        self.swept = now;
        let is_needed = |slot: &FlowSlot| {
            slot.parts > 0
                || match slot.routing {
                    Routing::Known { until, .. } => until > now,
                    Routing::Asked(_) => true,
                    Routing::Unknown | Routing::Barred(_) => false,
                }
        };
        self.slots.retain(is_needed, |slot| {
            if let Routing::Known { lane, beside, .. } = slot.routing {
                lanes.extend([Some(lane), beside].into_iter().flatten());
            }
            self.by_name.remove(&slot.flow);
            self.unused -= 1;
        });
        lanes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_flows_are_forgotten_when_their_routes_are_stale_and_looked_for_once_a_minute() {
        let (now, hour) = (Timestamp(1_795_485_950_000), Duration::from_secs(3600));
        let mut flows = Flows::default();
        for number in 0..10_000 {
            let domain = repute_types::Domain::parse(&format!("d{number}.test")).unwrap();
            let index = flows.enter(Flow { domain, sender: crate::Sender(0), tls_optional: false });
            let until = now + hour;
            flows.at(index).routing = Routing::Known { lane: LaneId(number), beside: None, until };
            flows.leave(index);
        }
        let mut check = |after: Duration, forgotten: usize| {
            assert_eq!(flows.sweep(now + after).len(), forgotten, "after {after:?}");
        };
        check(hour - SWEEP_EVERY / 2, 0);
        check(hour, 0);
        check(hour + SWEEP_EVERY, 10_000);
        assert_eq!((flows.unused, flows.by_name.len()), (0, 0));
    }
}
