//! The queue itself: a table of parts, their timers, and the lanes they are ready for.
//!
//! How a part goes: `enter` → (due) → its flow's lane is known, or [`Step::Route`] asks for
//! it → ready in the lane → `lease` by a session of the lane → `settle`.

mod bar;
mod beside;
mod clock;
mod operate;
mod pace;
mod seats;

use std::collections::VecDeque;

use repute_types::{Map, PartId, Timestamp};

use crate::flows::{Flows, Routing};
use crate::lane::{Lane, LaneId, LaneKey, LaneSettings};
use crate::pace::Paces;
use crate::part::{Entry, Feedback, Flow, Intent, Lease, Next, Row, State, Step, Then, is_alarm, is_at};
use crate::slots::Slots;
use crate::timers::{Mark, Timers};

/// Parts of a lane that are sent elsewhere in one go, so that no touch of the queue takes long.
const MOVED_MOST: usize = 1000;

#[derive(Debug, Default)]
pub struct Queue {
    settings: LaneSettings,
    rows: Slots<Row>,
    by_part: Map<PartId, u32>,
    intents: Map<PartId, Intent>,
    due: Timers,
    alarms: Timers,
    flows: Flows,
    /// Flows whose route is to be asked for.
    to_route: Vec<u32>,
    lanes: Slots<Lane>,
    by_key: Map<LaneKey, LaneId>,
    /// Lanes that may want a session, each once.
    wanting: VecDeque<LaneId>,
    /// Of these, those that wait until more sessions are free (`seats.rs`).
    strangers: VecDeque<LaneId>,
    /// Ends of lanes' pauses; `slot` is the lane.
    pauses: Timers,
    paces: Paces,
    /// When paces look at who is in line; `slot` is the pace.
    pace_timers: Timers,
    /// Lanes with an idle session that a part has become ready for.
    wakes: Vec<LaneId>,
    /// Lanes with parts that still have to be looked at, because their flows have left.
    unfinished: Vec<LaneId>,
    sessions: u32,
    /// Of the sessions, those that wait for work, and those of them that were asked to end.
    idle: u32,
    dismissed: u32,
    /// Where the next idle session is looked for.
    look_from: usize,
    generation: u32,
    /// Parts by their state, in the order of [`State::ALL`].
    counts: [usize; State::ALL.len()],
}

impl Queue {
    pub fn new(settings: LaneSettings) -> Queue {
        Queue { settings, ..Queue::default() }
    }

    pub fn configure(&mut self, settings: LaneSettings) {
        self.settings = settings;
    }

    /// Parts in all states.
    pub fn len(&self) -> usize {
        self.by_part.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_part.is_empty()
    }

    /// Sessions open or being opened.
    pub fn sessions(&self) -> u32 {
        self.sessions
    }

    /// Whether `advance` or `next_session` has something to do now.
    pub fn has_news(&self) -> bool {
        !self.to_route.is_empty() || !self.unfinished.is_empty() || self.has_wanting()
    }

    /// The lanes of which one idle session each should ask for work again.
    pub fn take_wakes(&mut self) -> Vec<LaneId> {
        std::mem::take(&mut self.wakes)
    }

    /// Takes a part in. A part that is known already is left as it is.
    pub fn enter(&mut self, entry: Entry, now: Timestamp) {
        if self.by_part.contains_key(&entry.part) {
            return;
        }
        let flow = self.flows.enter(entry.flow);
        let generation = self.next_generation();
        let row = Row {
            part: entry.part,
            due: entry.due,
            flow,
            generation,
            alarm_generation: generation,
            attempts: u16::try_from(entry.attempts).unwrap_or(u16::MAX),
            state: if entry.held { State::Held } else { State::Waiting },
            stream: entry.stream,
            lane: None,
        };
        self.counts[row.state as usize] += 1;
        let slot = self.rows.put(row);
        self.by_part.insert(entry.part, slot);
        self.alarms.push(entry.alarm, Mark { slot, generation });
        if !entry.held {
            self.schedule(slot, entry.due, now);
        }
    }

    /// Moves what is due on, and says what the caller has to do about it.
    pub fn advance(&mut self, now: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some(mark) = self.due.pop_due(now, |mark| is_at(&self.rows, mark)) {
            self.make_ready(mark.slot, now);
        }
        while let Some(mark) = self.alarms.pop_due(now, |mark| is_alarm(&self.rows, mark)) {
            steps.push(Step::Alarm(self.row(mark.slot).part));
        }
        while let Some(mark) = self.pauses.pop_due(now, |mark| self.lanes.get(mark.slot).is_some()) {
            self.end_pause(LaneId(mark.slot), now);
        }
        self.turn_paces(now);
        for index in std::mem::take(&mut self.to_route) {
            steps.push(Step::Route(self.flows.get(index).flow.clone()));
        }
        for lane in self.flows.sweep(now) {
            self.unroute(lane);
        }
        steps
    }

    /// When `advance` should be called next, if nothing else happens before.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let times = [&self.due, &self.alarms, &self.pauses, &self.pace_timers];
        times.into_iter().filter_map(Timers::earliest).min()
    }

    /// The answer to [`Step::Route`]: parts of this flow go by this lane until then.
    pub fn routed(&mut self, flow: &Flow, key: LaneKey, until: Timestamp, now: Timestamp) -> LaneId {
        let lane = self.lane_for(key);
        let Some(index) = self.flows.find(flow) else { return lane };
        let slot = self.flows.at(index);
        slot.moving = false;
        let before = std::mem::replace(&mut slot.routing, Routing::Known { lane, beside: None, until });
        self.lane_mut(lane).flows += 1;
        match before {
            Routing::Asked(waiting) | Routing::Barred(waiting) => {
                for mark in waiting {
                    if is_at(&self.rows, mark) {
                        self.ready_in(mark.slot, lane, now);
                    }
                }
            }
            Routing::Known { lane: old, beside, .. } => self.leave_lanes(old, beside),
            Routing::Unknown => {}
        }
        lane
    }

    /// The other answer: there is no way to this domain now. Its waiting parts are leased to
    /// the caller, who settles each of them.
    pub fn unroutable(&mut self, flow: &Flow) -> Vec<Lease> {
        let Some(index) = self.flows.find(flow) else { return Vec::new() };
        let before = std::mem::replace(&mut self.flows.at(index).routing, Routing::Unknown);
        let Routing::Asked(waiting) = before else { return Vec::new() };
        let mut leases = Vec::new();
        for mark in waiting {
            if is_at(&self.rows, mark) {
                leases.extend(self.lease_row(mark.slot, None));
            }
        }
        leases
    }

    /// The next lane that should have one more session, which is counted as open from now on,
    /// with the session's first work.
    pub fn next_session(&mut self, now: Timestamp) -> Option<(LaneId, Lease)> {
        self.go_on(now);
        while let Some(id) = self.next_wanting() {
            let Some(lane) = self.lanes.get_mut(id.0) else { continue };
            lane.listed = false;
            let lease = if self.wants_session(id, now) { self.pop_ready(id, now) } else { None };
            let Some(lease) = lease else {
                self.drop_lane_if_unused(id);
                continue;
            };
            self.lane_mut(id).sessions += 1;
            self.sessions += 1;
            self.list(id, now);
            return Some((id, lease));
        }
        self.make_room();
        None
    }

    /// A session of the lane asks for work.
    pub fn lease(&mut self, id: LaneId, now: Timestamp) -> Next {
        let lane = self.lane_mut(id);
        if lane.is_paused(now) || lane.sessions > lane.window() {
            return Next::Close;
        }
        if let Some(lease) = self.pop_ready(id, now) {
            return Next::Work(lease);
        }
        if self.is_wanted_elsewhere() { Next::Close } else { self.becomes_idle(id) }
    }

    /// A session has ended, idle or not (call `no_longer_idle` before, if it was).
    pub fn session_ended(&mut self, id: LaneId, now: Timestamp) {
        self.sessions = self.sessions.saturating_sub(1);
        let lane = self.lane_mut(id);
        lane.sessions = lane.sessions.saturating_sub(1);
        self.list(id, now);
        self.drop_lane_if_unused(id);
    }

    /// What an operator asked for while the part was leased.
    pub fn intent(&self, part: PartId) -> Option<&Intent> {
        self.intents.get(&part)
    }

    /// The same, for whoever does it now.
    pub fn take_intent(&mut self, part: PartId) -> Option<Intent> {
        self.intents.remove(&part)
    }

    /// Ends a lease.
    pub fn settle(&mut self, part: PartId, then: Then, feedback: Feedback, now: Timestamp) {
        let Some(&slot) = self.by_part.get(&part) else { return };
        self.intents.remove(&part);
        let lane = self.row(slot).lane.take();
        if let Some(lane) = lane {
            self.learn(lane, feedback, now);
        }
        match then {
            Then::Done => self.remove_slot(slot),
            Then::Held | Then::Unchanged { held: true } => self.set_state(slot, State::Held),
            Then::Due(at) => {
                self.set_state(slot, State::Held);
                match at > now {
                    true => self.let_go_at(slot, at, now),
                    false => drop(self.retry(part, now)),
                }
            }
            Then::Unchanged { held: false } => {
                let due = self.row(slot).due;
                self.let_go_at(slot, due, now);
            }
            Then::Again(due) => {
                let row = self.row(slot);
                row.attempts = row.attempts.saturating_add(1);
                self.set_state(slot, State::Waiting);
                self.schedule(slot, due, now);
            }
        }
    }

    /// Sets when the part's next alarm comes.
    pub fn set_alarm(&mut self, part: PartId, at: Timestamp) {
        let Some(&slot) = self.by_part.get(&part) else { return };
        let generation = self.next_generation();
        self.row(slot).alarm_generation = generation;
        self.alarms.push(at, Mark { slot, generation });
    }

    #[cfg(test)]
    pub(crate) fn alarm_count(&self) -> usize {
        self.alarms.len()
    }

    // ---- rows ----

    fn row(&mut self, slot: u32) -> &mut Row {
        self.rows.at(slot)
    }

    fn next_generation(&mut self) -> u32 {
        self.generation = self.generation.wrapping_add(1);
        self.generation
    }

    fn set_state(&mut self, slot: u32, state: State) {
        let generation = self.next_generation();
        let row = self.row(slot);
        row.generation = generation;
        let before = std::mem::replace(&mut row.state, state);
        let left = row.lane.filter(|_| before == State::Ready);
        self.counts[before as usize] -= 1;
        self.counts[state as usize] += 1;
        self.leaves_ready(left);
    }

    fn remove_slot(&mut self, slot: u32) {
        let Some(row) = self.rows.take(slot) else { return };
        self.counts[row.state as usize] -= 1;
        self.leaves_ready(row.lane.filter(|_| row.state == State::Ready));
        self.by_part.remove(&row.part);
        self.intents.remove(&row.part);
        self.flows.leave(row.flow);
        self.alarms.forget_one(|mark| is_alarm(&self.rows, mark));
    }

    /// A waiting part's place in the heap of due times becomes stale.
    fn forget_due(&mut self, slot: u32) {
        if self.row(slot).state == State::Waiting {
            let generation = self.next_generation();
            self.row(slot).generation = generation;
            self.due.forget_one(|mark| is_at(&self.rows, mark));
        }
    }

    fn schedule(&mut self, slot: u32, due: Timestamp, now: Timestamp) {
        self.row(slot).due = due;
        if due <= now {
            return self.make_ready(slot, now);
        }
        let generation = self.row(slot).generation;
        self.due.push(due, Mark { slot, generation });
    }

    fn make_ready(&mut self, slot: u32, now: Timestamp) {
        if let Some(lane) = self.known_lane(slot, now) {
            let lane = self.lane_today(slot, lane, now);
            return self.ready_in(slot, lane, now);
        }
        self.set_state(slot, State::Routing);
        let (index, generation) = {
            let row = self.row(slot);
            row.lane = None;
            (row.flow, row.generation)
        };
        let mark = Mark { slot, generation };
        let flow = self.flows.at(index);
        if let Routing::Asked(waiting) | Routing::Barred(waiting) = &mut flow.routing {
            waiting.push(mark);
            return;
        }
        let before = std::mem::replace(&mut flow.routing, Routing::Asked(vec![mark]));
        self.to_route.push(index);
        if let Routing::Known { lane, beside, .. } = before {
            self.leave_lanes(lane, beside);
        }
    }

    fn known_lane(&mut self, slot: u32, now: Timestamp) -> Option<LaneId> {
        let index = self.row(slot).flow;
        match self.flows.get(index).routing {
            Routing::Known { lane, until, .. } if until > now => Some(lane),
            _ => None,
        }
    }

    fn ready_in(&mut self, slot: u32, id: LaneId, now: Timestamp) {
        self.set_state(slot, State::Ready);
        let row = self.row(slot);
        row.lane = Some(id);
        let (mark, stream) = (Mark { slot, generation: row.generation }, row.stream);
        let lane = self.lane_mut(id);
        lane.push(mark, stream);
        let idle = lane.idle;
        self.comes_ready(id);
        if idle > 0 && self.is_let(id, now) {
            self.wakes.push(id);
        }
        self.list(id, now);
    }

    fn lease_row(&mut self, slot: u32, lane: Option<LaneId>) -> Option<Lease> {
        if self.row(slot).state == State::Leased {
            return None;
        }
        self.set_state(slot, State::Leased);
        let row = self.row(slot);
        row.lane = lane;
        let (part, attempt, flow) = (row.part, u32::from(row.attempts) + 1, row.flow);
        Some(Lease { part, attempt, sender: self.flows.get(flow).flow.sender })
    }

    /// The next part that is really ready, where the lane's pace lets it go; stale marks are thrown away.
    fn pop_ready(&mut self, id: LaneId, now: Timestamp) -> Option<Lease> {
        if !self.is_let(id, now) {
            return None;
        }
        let mut moved = 0;
        while let Some(mark) = self.pop_let(id, now) {
            if !is_at(&self.rows, mark) {
                continue;
            }
            if self.goes_by(mark.slot, id) {
                let lease = self.lease_row(mark.slot, Some(id));
                self.gave(id, now);
                return lease;
            }
            self.make_ready(mark.slot, now);
            moved += 1;
            if moved == MOVED_MOST {
                self.unfinished.push(id);
                break;
            }
        }
        // What is left may be of a stream that is not let: then it stands in line.
        self.is_let(id, now);
        None
    }

    // ---- lanes ----

    /// A lane lives while a flow, a session or a part refers to it.
    fn lane_mut(&mut self, id: LaneId) -> &mut Lane {
        self.lanes.at(id.0)
    }

    fn lane_for(&mut self, key: LaneKey) -> LaneId {
        if let Some(&id) = self.by_key.get(&key) {
            return id;
        }
        let id = LaneId(self.lanes.put(Lane::new(key.clone(), &self.settings)));
        self.by_key.insert(key, id);
        id
    }

    fn unroute(&mut self, id: LaneId) {
        let lane = self.lane_mut(id);
        lane.flows = lane.flows.saturating_sub(1);
        self.drop_lane_if_unused(id);
    }

    fn drop_lane_if_unused(&mut self, id: LaneId) {
        if !self.lanes.get(id.0).is_some_and(Lane::is_unused) {
            return;
        }
        let Some(lane) = self.lanes.take(id.0) else { return };
        self.by_key.remove(&lane.key);
        if let Some(pace) = lane.pace {
            self.leave_pace(pace, 0);
        }
    }

    fn end_pause(&mut self, id: LaneId, now: Timestamp) {
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        if !lane.is_paused(now) {
            lane.resume();
        }
        self.list(id, now);
        self.drop_lane_if_unused(id);
    }

    /// Puts a lane that wants a session on the list, once.
    fn list(&mut self, id: LaneId, now: Timestamp) {
        let Some(lane) = self.lanes.get(id.0) else { return };
        if !lane.listed && self.wants_session(id, now) && self.is_let(id, now) {
            self.lane_mut(id).listed = true;
            self.wanting.push_back(id);
            self.make_room();
        }
    }

    fn learn(&mut self, id: LaneId, feedback: Feedback, now: Timestamp) {
        let (settings, lane) = (&self.settings, self.lanes.at(id.0));
        match feedback {
            Feedback::Reached => lane.succeeded(settings, now),
            Feedback::Crowded => lane.crowded(now),
            Feedback::PushedBack => lane.pushed_back(),
            Feedback::Unreachable => lane.unreachable(settings, now),
            Feedback::ToldToWait(pause) => lane.told_to_wait(pause, now),
            Feedback::None => {}
        }
        if let Feedback::Unreachable | Feedback::ToldToWait(_) = feedback
            && let Some(until) = lane.paused_until
        {
            self.pauses.push(until, Mark { slot: id.0, generation: 0 });
        }
        self.list(id, now);
    }
}
