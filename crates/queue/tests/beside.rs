//! A second lane for what the pace of the first would not let go today: the first gets its share, nothing waits for another day, and
//! nothing is lost whatever else happens.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::HashMap;
use std::time::Duration;

use repute_queue::{
    Entry, Feedback, Flow, LaneId, LaneKey, LaneSettings, Next, Queue, Rate, Sender, Step, Terms, Then,
};
use repute_types::{Domain, MessageId, PartId, Random, SeededRandom, Stream, Timestamp};

/// 02:05:50 UTC.
const T0: Timestamp = Timestamp(1_795_485_950_000);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

fn part(n: u64) -> PartId {
    PartId { message: MessageId(n), number: 0 }
}

/// A queue whose domains go by way 0, which warms up, and beside it by way 1. Sessions are done at once.
struct Room {
    queue: Queue,
    now: Timestamp,
    has_beside: bool,
    lanes: HashMap<LaneId, u16>,
    /// Which part was given away, by which way.
    given: Vec<(PartId, u16)>,
}

impl Room {
    fn new(has_beside: bool) -> Room {
        let queue = Queue::new(LaneSettings::default());
        Room { queue, now: T0, has_beside, lanes: HashMap::new(), given: Vec::new() }
    }

    fn enter(&mut self, parts: std::ops::Range<u64>, to: &str, stream: Stream) {
        for n in parts {
            let entry = Entry {
                part: part(n),
                domain: Domain::parse(to).unwrap(),
                sender: Sender(0),
                tls_optional: false,
                stream,
                due: self.now,
                alarm: self.now + 50 * DAY,
                attempts: 0,
                held: false,
            };
            self.queue.enter(entry, self.now);
        }
    }

    fn route(&mut self, flow: &Flow) {
        let key = |way: u16| LaneKey { site: flow.domain.as_str().into(), way };
        let rate = Rate { count: 50, per: DAY };
        let terms = Terms { name: flow.domain.as_str().into(), egress: 0, rate, ahead: DAY, earliest: Timestamp(0) };
        let first = self.queue.routed(flow, key(0), self.now + 60 * MINUTE, self.now);
        self.queue.set_pace(first, Some(&terms), self.now);
        self.lanes.insert(first, 0);
        if self.has_beside {
            let second = self.queue.beside(flow, key(1), self.now).unwrap();
            self.queue.set_pace(second, None, self.now);
            self.lanes.insert(second, 1);
        }
    }

    fn turn(&mut self) {
        for again in 0.. {
            assert!(again < 1000, "it never comes to rest");
            let before = self.given.len();
            for step in self.queue.advance(self.now) {
                let Step::Route(flow) = step else { panic!("{step:?}") };
                self.route(&flow);
            }
            while let Some((lane, lease)) = self.queue.next_session(self.now) {
                let mut next = Next::Work(lease);
                while let Next::Work(lease) = next {
                    self.given.push((lease.part, self.lanes[&lane]));
                    self.queue.settle(lease.part, Then::Done, Feedback::Reached, self.now);
                    next = self.queue.lease(lane, self.now);
                }
                if let Next::Idle = next {
                    self.queue.no_longer_idle(lane);
                }
                self.queue.session_ended(lane, self.now);
            }
            let is_due = self.queue.next_wake().is_some_and(|next| next <= self.now);
            if self.given.len() == before && !self.queue.has_news() && !is_due {
                return;
            }
        }
    }

    fn until(&mut self, end: Timestamp) {
        self.turn();
        while let Some(next) = self.queue.next_wake().filter(|next| *next <= end) {
            assert!(next > self.now, "time stands still at {next}");
            self.now = next;
            self.turn();
        }
        self.now = end;
    }

    fn by(&self, way: u16) -> usize {
        self.given.iter().filter(|(_, of)| *of == way).count()
    }
}

#[test]
fn what_would_go_tomorrow_goes_now_by_the_other_lane() {
    let mut room = Room::new(true);
    room.enter(0..300, "a.test", Stream::Bulk);
    room.turn();
    // Until midnight lie 21:54:10 hours, and between two messages 28:48 minutes.
    assert_eq!((room.by(0), room.by(1)), (1, 254));
    room.enter(300..400, "a.test", Stream::Bulk);
    room.turn();
    assert_eq!((room.by(0), room.by(1)), (1, 354));
    room.until(T0 + DAY);
    assert_eq!((room.by(0), room.by(1)), (46, 354));
    assert!(room.queue.is_empty());
}

#[test]
fn what_is_urgent_and_beyond_the_number_of_a_day_does_not_wait() {
    let mut room = Room::new(true);
    room.enter(0..200, "a.test", Stream::Transactional);
    room.turn();
    assert!((50..=51).contains(&room.by(0)), "{}", room.by(0));
    assert_eq!(room.given.len(), 200);
}

#[test]
fn what_waited_before_there_was_another_lane_goes_by_it() {
    let mut room = Room::new(false);
    room.enter(0..300, "a.test", Stream::Bulk);
    room.until(T0 + 60 * MINUTE);
    assert_eq!((room.by(0), room.by(1)), (3, 0));
    room.has_beside = true;
    room.queue.review(|_: &Flow, _: &LaneKey| false);
    // Whoever comes next asks for the route; the rest moves with it.
    room.enter(300..301, "a.test", Stream::Bulk);
    room.turn();
    assert!(room.by(1) > 250, "{}", room.by(1));
    room.until(T0 + DAY);
    assert_eq!((room.by(0) + room.by(1), room.queue.len()), (301, 0));
}

#[test]
fn nothing_is_lost_or_left_behind() {
    for seed in 0..30 {
        let random = SeededRandom::new(seed);
        let mut room = Room::new(true);
        let (mut entered, mut removed) = (0, 0);
        for _ in 0..100 {
            match random.below(6) {
                0 | 1 => {
                    let count = random.below(60);
                    let stream = if random.below(3) == 0 { Stream::Transactional } else { Stream::Bulk };
                    room.enter(entered..entered + count, ["a.test", "b.test"][random.below(2) as usize], stream);
                    entered += count;
                }
                2 => {
                    let (stays, key) = (random.below(2), random.below(2) as u16);
                    room.queue.review(|flow, of| (flow.domain.as_str() == "a.test") == (stays == 0) && of.way == key);
                }
                3 => {
                    room.queue.reroute(|flow| flow.domain.as_str() == "b.test", room.now);
                }
                4 => room.has_beside = random.below(2) == 0,
                _ => {
                    let n = random.below(entered + 1);
                    if room.queue.view(part(n)).is_some() {
                        room.queue.remove(part(n), "x");
                        removed += 1;
                    }
                }
            }
            let until = room.now + Duration::from_secs(random.below(7200));
            room.until(until);
        }
        room.until(room.now + 90 * DAY);
        assert_eq!((room.queue.len(), room.given.len() as u64), (0, entered - removed), "seed {seed}");
        room.queue.review(|_: &Flow, _: &LaneKey| false);
        room.until(room.now + DAY);
        assert_eq!(room.queue.lanes().count(), 0, "seed {seed}");
    }
}
