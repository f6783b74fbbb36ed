//! Rates: so many messages in so long a time, spread evenly, for one lane or for several that share it
//! (docs/pace.md).
//!
//! Promise: between two messages of a pace lies the time that its rate says, to within [`LATE`], so that no stretch of
//! that length has more messages: where they are given to sessions, and once more where these begin to speak of them
//! ([`Pace::speak`]), since a session may take long to open. What it is asked costs O(1), what it gives one entry in a heap of times.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use repute_types::{Map, Stream, Timestamp};

use crate::lane::LaneId;
use crate::slots::Slots;
use crate::timers::Mark;

/// Whoever has to be woken comes late by so much: a message that goes late by no more does not put off the next.
const LATE: i64 = 5_000;

/// So many messages in so long a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// At least 1.
    pub count: u32,
    pub per: Duration,
}

impl Rate {
    /// Between two messages, in microseconds.
    fn interval(self) -> i64 {
        let micros = self.per.as_micros().div_ceil(u128::from(self.count.max(1)));
        i64::try_from(micros).unwrap_or(i64::MAX >> 8).max(1)
    }

    /// How long so many messages take.
    pub fn takes(self, messages: usize) -> Duration {
        let messages = u64::try_from(messages).unwrap_or(u64::MAX);
        Duration::from_micros(u64::try_from(self.interval()).unwrap_or_default().saturating_mul(messages))
    }
}

/// As it is written: `100/m`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.per.as_secs() {
            1 => write!(f, "{}/s", self.count),
            60 => write!(f, "{}/m", self.count),
            3600 => write!(f, "{}/h", self.count),
            86_400 => write!(f, "{}/d", self.count),
            seconds => write!(f, "{} in {seconds} s", self.count),
        }
    }
}

/// What a lane keeps to. Lanes with the same name and egress share one pace.
#[derive(Clone, Debug)]
pub struct Terms {
    /// For people: the hosts, or the site.
    pub name: Arc<str>,
    pub egress: u16,
    pub rate: Rate,
    /// How far transactional mail may run ahead of it: what runs ahead is made up for by what comes after. Bulk mail
    /// never does.
    pub ahead: Duration,
    /// Where nothing is known of it yet, bulk mail waits until then: for what was sent before a start.
    pub earliest: Timestamp,
}

/// What is known of a pace counts, not from when on it would have begun otherwise.
impl PartialEq for Terms {
    fn eq(&self, other: &Terms) -> bool {
        self.is_of(other) && (self.rate, self.ahead) == (other.rate, other.ahead)
    }
}

impl Eq for Terms {}

impl Terms {
    /// Whether they are of one pace.
    pub(crate) fn is_of(&self, other: &Terms) -> bool {
        (&self.name, self.egress) == (&other.name, other.egress)
    }
}

/// A pace as it is shown to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaceView {
    pub name: Arc<str>,
    pub rate: Rate,
    /// Parts that are ready, of all lanes that share it.
    pub ready: usize,
    /// When the next message may go; bulk mail, and transactional mail, which may run ahead.
    pub next: Timestamp,
    pub next_transactional: Timestamp,
}

impl PaceView {
    /// When all that is ready now will have gone, if nothing goes before it.
    pub fn all_by(&self) -> Timestamp {
        self.next + self.rate.takes(self.ready.saturating_sub(1))
    }
}

/// Names a pace for as long as a lane has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PaceId(pub u32);

#[derive(Debug)]
pub(crate) struct Pace {
    terms: Terms,
    /// When the next message may go, in microseconds.
    next: i64,
    /// The same for what was given away and waits for its session to open.
    speaks: i64,
    /// Lanes in line that had transactional mail when they came, and the others.
    urgent: VecDeque<LaneId>,
    waiting: VecDeque<LaneId>,
    /// Lanes that keep to it.
    pub lanes: u32,
    /// Parts that are ready in those lanes.
    pub ready: usize,
    /// When it looks again at who is in line, and the generation of that mark; `None` while it need not.
    pub wake: Option<(Timestamp, u32)>,
}

impl Pace {
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    pub fn is_open(&self, stream: Stream, now: Timestamp) -> bool {
        self.opens_at(stream) <= micros(now)
    }

    fn opens_at(&self, stream: Stream) -> i64 {
        let ahead = match stream {
            Stream::Transactional => span(self.terms.ahead),
            Stream::Bulk => 0,
        };
        self.next.saturating_sub(ahead)
    }

    /// When the next message of a stream may go, in whole milliseconds.
    pub fn next(&self, stream: Stream) -> Timestamp {
        in_millis(self.opens_at(stream))
    }

    /// When the first in line may have its turn; `None` where nobody stands there.
    pub fn next_turn(&self) -> Option<Timestamp> {
        let urgent = (!self.urgent.is_empty()).then(|| self.next(Stream::Transactional));
        urgent.or_else(|| (!self.waiting.is_empty()).then(|| self.next(Stream::Bulk)))
    }

    /// Whether a message with so many before it goes before the day (UTC) is over; one that may run ahead goes now, or not today.
    pub fn goes_today(&self, stream: Stream, before: usize, now: Timestamp) -> bool {
        let goes = self.opens_at(stream).saturating_add(span(self.terms.rate.takes(before)));
        let is_urgent = stream == Stream::Transactional && !self.terms.ahead.is_zero();
        let midnight = micros(Timestamp::of_day(now.day() + 1));
        if is_urgent { goes <= micros(now) } else { goes < midnight }
    }

    /// A message is given away.
    pub fn take(&mut self, now: Timestamp) {
        // A pace that was open for long has saved nothing up.
        let from = self.next.max(micros(now) - LATE);
        self.next = from.saturating_add(self.terms.rate.interval());
    }

    /// When a session may begin with a message that it was given: now, or as long after the one before as the rate says. What runs
    /// ahead of the pace does not wait.
    pub fn speak(&mut self, stream: Stream, now: Timestamp) -> Timestamp {
        if stream == Stream::Transactional && !self.terms.ahead.is_zero() {
            return now;
        }
        let at = self.speaks.max(micros(now) - LATE);
        self.speaks = at.saturating_add(self.terms.rate.interval());
        in_millis(at).max(now)
    }

    /// Other terms from now on; what was sent still counts.
    pub fn change(&mut self, terms: &Terms, now: Timestamp) {
        self.terms = terms.clone();
        self.speaks = self.speaks.min(micros(now).saturating_add(terms.rate.interval()));
        // By the slower rate of before it might wait for hours.
        self.next = self.next.min(micros(now).saturating_add(terms.rate.interval()).saturating_add(span(terms.ahead)));
    }

    /// A lane is in no line any more.
    pub fn forget(&mut self, lane: LaneId) {
        self.urgent.retain(|other| *other != lane);
        self.waiting.retain(|other| *other != lane);
    }

    /// A lane stands in line.
    pub fn line_up(&mut self, lane: LaneId, stream: Stream) {
        match stream {
            Stream::Transactional => self.urgent.push_back(lane),
            Stream::Bulk => self.waiting.push_back(lane),
        }
    }

    /// The next in line who may have a message now.
    pub fn call(&mut self, now: Timestamp) -> Option<LaneId> {
        if self.is_open(Stream::Transactional, now)
            && let Some(lane) = self.urgent.pop_front()
        {
            return Some(lane);
        }
        if self.is_open(Stream::Bulk, now) { self.waiting.pop_front() } else { None }
    }

    pub fn view(&self) -> PaceView {
        PaceView {
            name: self.terms.name.clone(),
            rate: self.terms.rate,
            ready: self.ready,
            next: self.next(Stream::Bulk),
            next_transactional: self.next(Stream::Transactional),
        }
    }
}

fn span(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX >> 8)
}

fn micros(at: Timestamp) -> i64 {
    at.millis().saturating_mul(1000)
}

/// Never earlier than it says.
fn in_millis(micros: i64) -> Timestamp {
    Timestamp(micros.div_euclid(1000) + i64::from(micros.rem_euclid(1000) > 0))
}

/// The paces that lanes keep to.
#[derive(Debug, Default)]
pub(crate) struct Paces {
    slots: Slots<Pace>,
    by_key: Map<(Arc<str>, u16), PaceId>,
}

impl Paces {
    /// The pace of these terms, with one more lane, in which so many parts are ready. Where the rate alone has changed,
    /// what was sent still counts.
    pub fn join(&mut self, terms: &Terms, ready: usize, now: Timestamp) -> PaceId {
        let key = (terms.name.clone(), terms.egress);
        let id = self.by_key.get(&key).copied().unwrap_or_else(|| self.open(key, terms, now));
        let pace = self.at(id);
        if pace.terms != *terms {
            pace.change(terms, now);
        }
        pace.lanes += 1;
        pace.ready += ready;
        id
    }

    fn open(&mut self, key: (Arc<str>, u16), terms: &Terms, now: Timestamp) -> PaceId {
        let pace = Pace {
            terms: terms.clone(),
            next: micros(now.max(terms.earliest)),
            speaks: micros(now),
            urgent: VecDeque::new(),
            waiting: VecDeque::new(),
            lanes: 0,
            ready: 0,
            wake: None,
        };
        let id = PaceId(self.slots.put(pace));
        self.by_key.insert(key, id);
        id
    }

    /// Forgets a pace that no lane has any more, once it is open. Whether it was forgotten.
    pub fn forget_unused(&mut self, id: PaceId, now: Timestamp) -> bool {
        let unused = |pace: &&Pace| pace.lanes == 0 && pace.is_open(Stream::Bulk, now);
        let Some(pace) = self.get(id).filter(unused) else { return false };
        let key = (pace.terms.name.clone(), pace.terms.egress);
        self.by_key.remove(&key);
        self.slots.take(id.0);
        true
    }

    pub fn get(&self, id: PaceId) -> Option<&Pace> {
        self.slots.get(id.0)
    }

    pub fn at(&mut self, id: PaceId) -> &mut Pace {
        self.slots.at(id.0)
    }

    /// Whether a mark is the one that a pace waits for.
    pub fn is_wake(&self, mark: Mark) -> bool {
        let wake = self.get(PaceId(mark.slot)).and_then(|pace| pace.wake);
        wake.is_some_and(|(_, generation)| generation == mark.generation)
    }

    /// The clock says so much less than before. Returns those that look again at who is in line.
    pub fn set_back(&mut self, by: Duration) -> Vec<PaceId> {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX >> 1);
        let mut waking = Vec::new();
        for (index, pace) in self.slots.iter_mut() {
            pace.next = pace.next.saturating_sub(by);
            pace.speaks = pace.speaks.saturating_sub(by);
            if pace.wake.take().is_some() {
                waking.push(PaceId(index));
            }
        }
        waking
    }
}
