//! A queue in its little world: sites by name with the paces that they keep to, time that goes from one moment at which
//! something happens to the next, and sessions that take whatever they are given and are done at once.

use std::collections::HashMap;

use super::*;

/// How much sooner than its rate says a message may follow (docs/pace.md).
pub(super) const LATE: Duration = Duration::from_millis(5);

pub(super) fn terms(name: &str, count: u32, per: Duration) -> Terms {
    Terms { name: name.into(), egress: 0, rate: Rate { count, per }, ahead: Duration::ZERO, earliest: Timestamp(0) }
}

pub(super) struct Given {
    pub at: Timestamp,
    pub part: PartId,
    pub way: u16,
}

pub(super) struct Room {
    pub queue: Queue,
    pub now: Timestamp,
    /// What a domain keeps to.
    terms: HashMap<Domain, Terms>,
    /// For how long a route is known.
    pub routes_last: Duration,
    /// Whether domains go by way 1 too, which has no pace.
    pub has_beside: bool,
    /// By way 0.
    pub lanes: HashMap<Domain, LaneId>,
    ways: HashMap<LaneId, u16>,
    idle: Vec<LaneId>,
    pub given: Vec<Given>,
    pub feedback: Feedback,
}

impl Room {
    pub fn new(terms: &[(&str, Terms)]) -> Room {
        Room {
            queue: Queue::new(LaneSettings::default()),
            now: T0,
            terms: terms.iter().map(|(name, terms)| (domain(name), terms.clone())).collect(),
            routes_last: 30 * DAY,
            has_beside: false,
            lanes: HashMap::new(),
            ways: HashMap::new(),
            idle: Vec::new(),
            given: Vec::new(),
            feedback: Feedback::Reached,
        }
    }

    pub fn enter(&mut self, parts: std::ops::Range<u64>, to: &str, stream: Stream) {
        for n in parts {
            self.queue.enter(Entry { stream, due: self.now, alarm: self.now + 50 * DAY, ..entry(n, to) }, self.now);
        }
    }

    /// Everything that can happen at this time.
    pub fn turn(&mut self) {
        for again in 0.. {
            assert!(again < 1000, "it never comes to rest");
            let before = self.given.len();
            for step in self.queue.advance(self.now) {
                let Step::Route(flow) = step else { panic!("{step:?}") };
                self.route(&flow);
            }
            while let Some((lane, lease)) = self.queue.next_session(self.now) {
                self.go_on(lane, Next::Work(lease));
            }
            for lane in self.queue.take_wakes() {
                if let Some(place) = self.idle.iter().position(|idle| *idle == lane) {
                    self.idle.remove(place);
                    self.queue.no_longer_idle(lane);
                    let next = self.queue.lease(lane, self.now);
                    self.go_on(lane, next);
                }
            }
            let is_due = self.queue.next_wake().is_some_and(|next| next <= self.now);
            if self.given.len() == before && !self.queue.has_news() && !is_due {
                return;
            }
        }
    }

    fn route(&mut self, flow: &Flow) {
        let key = |way: u16| LaneKey { way, ..key(flow.domain.as_str()) };
        let lane = self.queue.routed(flow, key(0), self.now + self.routes_last, self.now);
        self.queue.set_pace(lane, self.terms.get(&flow.domain), self.now);
        self.lanes.insert(flow.domain.clone(), lane);
        self.ways.insert(lane, 0);
        if self.has_beside {
            let other = self.queue.beside(flow, key(1), self.now).unwrap();
            self.queue.set_pace(other, None, self.now);
            self.ways.insert(other, 1);
        }
    }

    fn go_on(&mut self, lane: LaneId, mut next: Next) {
        while let Next::Work(lease) = next {
            self.given.push(Given { at: self.now, part: lease.part, way: self.ways[&lane] });
            self.queue.settle(lease.part, Then::Done, self.feedback, self.now);
            next = self.queue.lease(lane, self.now);
        }
        match next {
            Next::Idle => self.idle.push(lane),
            _ => self.queue.session_ended(lane, self.now),
        }
    }

    /// Idle sessions have waited long enough.
    pub fn end_idle(&mut self) {
        for lane in std::mem::take(&mut self.idle) {
            self.queue.no_longer_idle(lane);
            self.queue.session_ended(lane, self.now);
        }
    }

    pub fn until(&mut self, end: Timestamp) {
        self.turn();
        while let Some(next) = self.queue.next_wake().filter(|next| *next <= end) {
            assert!(next > self.now, "time stands still at {next}");
            self.now = next;
            self.turn();
        }
        self.now = end;
    }

    /// How many of a hundred parts, from this one on, were given away.
    pub fn of(&self, first: u64) -> usize {
        self.given.iter().filter(|given| (first..first + 100).contains(&given.part.message.0)).count()
    }

    pub fn by(&self, way: u16) -> usize {
        self.given.iter().filter(|given| given.way == way).count()
    }
}
