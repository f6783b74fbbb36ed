//! A lane: one site as reached by one way, with the parts that are ready for it and the
//! window of sessions that may be open to it. The window grows by one a round of successes and
//! halves when the site pushes back (additive increase, multiplicative decrease); a site that
//! cannot be reached is left alone for a time that doubles, and is then probed by one session;
//! one that tells us to wait is left alone for as long as it wants, and then gets one session.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use repute_types::{Stream, Timestamp};

use crate::pace::{PaceId, PaceView};
use crate::timers::Mark;

/// Names a lane for as long as the queue knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneId(pub u32);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LaneKey {
    /// Domains that share their hosts and rules share this text.
    pub site: Arc<str>,
    /// Which way out: the caller's number for it.
    pub way: u16,
}

#[derive(Clone, Debug)]
pub struct LaneSettings {
    /// Sessions to one site at most.
    pub max_window: u32,
    /// Sessions to all sites together at most.
    pub max_sessions: u32,
    /// How long an unreachable site is left alone at first, and at most.
    pub first_pause: Duration,
    pub max_pause: Duration,
}

impl Default for LaneSettings {
    fn default() -> LaneSettings {
        LaneSettings {
            max_window: 20,
            max_sessions: 2_000,
            first_pause: Duration::from_secs(30),
            max_pause: Duration::from_secs(15 * 60),
        }
    }
}

/// Sessions to a new site at first.
const FIRST_WINDOW: u32 = 3;
/// How long a site's refusal of one more session is believed.
const CEILING_HOLDS: Duration = Duration::from_secs(10 * 60);

/// One bulk part is picked after this many transactional ones, so that bulk never starves.
const TRANSACTIONAL_IN_A_ROW: u32 = 15;
/// So many stale marks are no matter.
const TIDY_FROM: usize = 1000;

#[derive(Debug)]
pub(crate) struct Lane {
    pub key: LaneKey,
    transactional: VecDeque<Mark>,
    bulk: VecDeque<Mark>,
    in_a_row: u32,
    /// Sessions open or being opened.
    pub sessions: u32,
    /// Of these, how many wait for work, and how many of those were asked to end.
    pub idle: u32,
    pub dismissed: u32,
    /// The last that was heard of the site is that it takes mail.
    pub reached: bool,
    window: f32,
    pub paused_until: Option<Timestamp>,
    /// The site itself wants the pause: mail that it still took over another session does not
    /// end it.
    pub told_to_wait: bool,
    failures: u32,
    /// More sessions than this were refused not long ago, and until when that is believed.
    ceiling: Option<(u32, Timestamp)>,
    /// Flows that are routed here.
    pub flows: u32,
    /// Whether it stands in the queue's list of lanes that want a session.
    pub listed: bool,
    /// The rate that it keeps to.
    pub pace: Option<PaceId>,
    /// In whose place it stands in the line of its pace.
    pub lined_up: Option<Stream>,
    /// Parts that are ready in it.
    pub live: usize,
}

impl Lane {
    pub fn new(key: LaneKey, settings: &LaneSettings) -> Lane {
        Lane {
            key,
            transactional: VecDeque::new(),
            bulk: VecDeque::new(),
            in_a_row: 0,
            sessions: 0,
            idle: 0,
            dismissed: 0,
            reached: false,
            window: FIRST_WINDOW.min(settings.max_window) as f32,
            paused_until: None,
            told_to_wait: false,
            failures: 0,
            ceiling: None,
            flows: 0,
            listed: false,
            pace: None,
            lined_up: None,
            live: 0,
        }
    }

    pub fn push(&mut self, mark: Mark, stream: Stream) {
        match stream {
            Stream::Transactional => self.transactional.push_back(mark),
            Stream::Bulk => self.bulk.push_back(mark),
        }
    }

    pub fn pop(&mut self) -> Option<Mark> {
        let bulk_turn = self.in_a_row >= TRANSACTIONAL_IN_A_ROW && !self.bulk.is_empty();
        if !bulk_turn && let Some(mark) = self.transactional.pop_front() {
            self.in_a_row += 1;
            return Some(mark);
        }
        self.in_a_row = 0;
        self.bulk.pop_front()
    }

    pub fn pop_transactional(&mut self) -> Option<Mark> {
        self.transactional.pop_front()
    }

    /// All of them, in the order of their picking but for bulk's turns, stale ones included.
    pub fn marks(&self) -> impl Iterator<Item = (Stream, Mark)> + '_ {
        let of = |stream: Stream| move |mark: &Mark| (stream, *mark);
        self.transactional.iter().map(of(Stream::Transactional)).chain(self.bulk.iter().map(of(Stream::Bulk)))
    }

    pub fn transactional_ready(&self) -> usize {
        self.transactional.len()
    }

    /// The stream of the first to be picked, but for bulk's turn.
    pub fn best_stream(&self) -> Stream {
        if self.transactional.is_empty() { Stream::Bulk } else { Stream::Transactional }
    }

    /// Throws stale marks away, once they are most of what stands here: parts that are held and released again and again
    /// leave one each time.
    pub fn tidy(&mut self, is_live: impl Fn(Mark) -> bool) {
        if self.ready() > 2 * self.live + TIDY_FROM {
            self.transactional.retain(|mark| is_live(*mark));
            self.bulk.retain(|mark| is_live(*mark));
        }
    }

    /// Marks waiting, stale ones included.
    pub fn ready(&self) -> usize {
        self.transactional.len() + self.bulk.len()
    }

    pub fn window(&self) -> u32 {
        self.window as u32
    }

    pub fn is_paused(&self, now: Timestamp) -> bool {
        self.paused_until.is_some_and(|until| until > now)
    }

    /// Whether one more session would be of use and is allowed.
    pub fn wants_session(&self, now: Timestamp) -> bool {
        self.ready() > self.idle as usize && self.sessions < self.window() && !self.is_paused(now)
    }

    pub fn succeeded(&mut self, settings: &LaneSettings, now: Timestamp) {
        self.failures = 0;
        self.reached = true;
        if self.told_to_wait && self.is_paused(now) {
            return;
        }
        self.resume();
        let most = match self.ceiling {
            Some((ceiling, until)) if until > now => ceiling.min(settings.max_window),
            _ => settings.max_window,
        };
        self.window = (self.window + 1.0 / self.window).min(most.max(1) as f32);
    }

    /// One more session was refused while others are open: the site takes no more of them.
    pub fn crowded(&mut self, now: Timestamp) {
        let most = self.sessions.saturating_sub(1).max(1);
        self.window = most as f32;
        self.ceiling = Some((most, now + CEILING_HOLDS));
    }

    pub fn pushed_back(&mut self) {
        self.window = (self.window / 2.0).max(1.0);
    }

    /// The site could not be reached. Sessions that fail together count as one failure.
    pub fn unreachable(&mut self, settings: &LaneSettings, now: Timestamp) {
        self.window = 1.0;
        self.reached = false;
        if self.is_paused(now) {
            return;
        }
        let pause = settings.first_pause.saturating_mul(1 << self.failures.min(16)).min(settings.max_pause);
        self.failures = self.failures.saturating_add(1);
        self.paused_until = Some(now + pause);
    }

    /// The site wants nothing for that long. Sessions that hear it together agree on the end
    /// that comes last.
    pub fn told_to_wait(&mut self, pause: Duration, now: Timestamp) {
        self.window = 1.0;
        self.told_to_wait = true;
        self.paused_until = self.paused_until.max(Some(now + pause));
    }

    /// The clock says so much less than before.
    pub fn set_back(&mut self, by: Duration) {
        self.paused_until = self.paused_until.map(|until| until - by);
        self.ceiling = self.ceiling.map(|(most, until)| (most, until - by));
    }

    pub fn resume(&mut self) {
        (self.paused_until, self.told_to_wait) = (None, false);
    }

    pub fn is_unused(&self) -> bool {
        self.flows == 0 && self.sessions == 0 && self.ready() == 0 && !self.listed && self.paused_until.is_none()
    }
}

/// A lane as it is shown to a person.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneView {
    pub id: LaneId,
    pub key: LaneKey,
    pub ready: usize,
    pub sessions: u32,
    pub window: u32,
    pub paused_until: Option<Timestamp>,
    /// The pause is the site's own wish.
    pub told_to_wait: bool,
    /// The rate that it keeps to.
    pub pace: Option<PaceView>,
}
