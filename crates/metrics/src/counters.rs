//! Counts of what happened, since the server started.
//!
//! Promise: [`Counters::record`] makes no system call, takes no lock and allocates nothing; an event costs a few relaxed
//! additions. Counts of one event are not seen together: a reader may find a message counted before its octets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use repute_trust::replies::Class;
use repute_types::event::{self, Back, EventSink, IncidentState, Level, NoticeKind};
use repute_types::{Cause, Event, EventKind, Outcome, Reply, Stage, TlsAsked, Verdict};

use crate::catalogue as metric;
use crate::histogram::Histogram;
use crate::page::Page;

const ORIGINS: [&str; 3] = ["client", "campaign", "server"];
const REASONS: [&str; 4] = ["authentication", "policy", "message", "temporary"];
/// `suppressed` is what a campaign says of a recipient that was left out while its list came in.
const WHYS: [&str; 5] = ["unknown", "complaint", "unsubscribed", "manual", "suppressed"];
/// What an incident is of.
const SUBJECTS: [&str; 3] = ["check", "circuit", "webhook"];
/// From a second, which a receiver that takes mail at once needs, to the five days after which nothing is tried.
const DELIVERY_BOUNDS: [u32; 11] = [1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200, 86_400, 432_000];

/// One count for each of `N` values.
#[derive(Debug)]
struct Row<const N: usize>([AtomicU64; N]);

impl<const N: usize> Row<N> {
    const fn new() -> Row<N> {
        Row([const { AtomicU64::new(0) }; N])
    }

    fn add(&self, place: usize, count: u64) {
        if let Some(cell) = self.0.get(place) {
            cell.fetch_add(count, Ordering::Relaxed);
        }
    }

    fn all(&self) -> impl Iterator<Item = f64> + '_ {
        self.0.iter().map(|cell| cell.load(Ordering::Relaxed) as f64)
    }
}

/// A reader of events.
#[derive(Debug)]
pub struct Counters {
    messages: Row<3>,
    recipients: Row<3>,
    octets: Row<1>,
    refused: Row<4>,
    verdicts: Row<{ Verdict::ALL.len() }>,
    delivery: Histogram<11>,
    /// None, then by who asked for it.
    tls: Row<{ 1 + TlsAsked::ALL.len() }>,
    /// Deferred, failed; by the place of the class in `Class::ALL`.
    refusals: [Row<{ Class::ALL.len() }>; 2],
    /// The same by stage.
    unanswered: [Row<{ Stage::ALL.len() }>; 2],
    held: Row<1>,
    released: Row<1>,
    notices: Row<{ NoticeKind::ALL.len() }>,
    cancelled: Row<1>,
    returned: Row<1>,
    came_back: Row<{ Back::ALL.len() }>,
    suppressed: Row<5>,
    incidents: Row<3>,
    notes: Row<{ Level::ALL.len() }>,
    /// Names of the classes, sorted, each with its place.
    classes: [(&'static str, usize); Class::ALL.len()],
}

impl Default for Counters {
    fn default() -> Counters {
        let mut classes = std::array::from_fn(|n| (Class::ALL[n].as_str(), n));
        classes.sort_unstable();
        Counters {
            messages: Row::new(),
            recipients: Row::new(),
            octets: Row::new(),
            refused: Row::new(),
            verdicts: Row::new(),
            delivery: Histogram::new(DELIVERY_BOUNDS),
            tls: Row::new(),
            refusals: [const { Row::new() }; 2],
            unanswered: [const { Row::new() }; 2],
            held: Row::new(),
            released: Row::new(),
            notices: Row::new(),
            cancelled: Row::new(),
            returned: Row::new(),
            came_back: Row::new(),
            suppressed: Row::new(),
            incidents: Row::new(),
            notes: Row::new(),
            classes,
        }
    }
}

impl Counters {
    /// Counts an event.
    pub fn record(&self, event: &Event) {
        match &event.kind {
            EventKind::Accepted(event::Accepted { account, recipients, recipient_count, size, .. }) => {
                let origin = match account {
                    None => 2,
                    Some(_) if recipients.is_empty() => 1,
                    Some(_) => 0,
                };
                self.messages.add(origin, 1);
                self.recipients.add(origin, *recipient_count);
                self.octets.add(0, *size as u64);
            }
            EventKind::Refused { reply, .. } => self.refused.add(reason(reply), 1),
            EventKind::Settled(event::Settled { outcome, cause, age, .. }) => self.settled(outcome, *cause, *age),
            EventKind::Held { .. } => self.held.add(0, 1),
            EventKind::Released { .. } => self.released.add(0, 1),
            EventKind::Noticed { kind, .. } => self.notices.add(*kind as usize, 1),
            EventKind::Returned { .. } => self.returned.add(0, 1),
            EventKind::CameBack { what, .. } => self.came_back.add(*what as usize, 1),
            EventKind::Suppressed { why, .. } => self.suppressed.add(place(&WHYS, why), 1),
            EventKind::Cancelled { .. } => self.cancelled.add(0, 1),
            EventKind::Incident { state: IncidentState::Opened, what, .. } => self.incidents.add(subject(what), 1),
            EventKind::Incident { .. } => {}
            EventKind::Note { level, .. } => self.notes.add(*level as usize, 1),
        }
    }

    fn settled(&self, outcome: &Outcome, cause: Option<Cause>, age: Duration) {
        let row = match outcome.verdict {
            Verdict::Delivered => {
                self.verdicts.add(0, 1);
                self.delivery.observe(age);
                return self.tls.add(outcome.tls.as_ref().map_or(0, |tls| tls.asked as usize + 1), 1);
            }
            Verdict::Deferred => 0,
            Verdict::Failed => 1,
        };
        self.verdicts.add(row + 1, 1);
        // What expires carries the last reply; it is not answered a second time.
        match cause.filter(|_| outcome.stage != Stage::Queue) {
            Some(cause) => self.refusals[row].add(self.class(cause.class), 1),
            None => self.unanswered[row].add(outcome.stage as usize, 1),
        }
    }

    fn class(&self, name: &str) -> usize {
        let found = self.classes.binary_search_by_key(&name, |(name, _)| name);
        found.map_or(usize::MAX, |at| self.classes[at].1)
    }

    /// Writes all of it down.
    pub fn read(&self, page: &mut Page) {
        for (n, origin) in ORIGINS.iter().enumerate() {
            page.add(&metric::MESSAGES_ACCEPTED, &[origin], nth(&self.messages, n));
            page.add(&metric::RECIPIENTS_ACCEPTED, &[origin], nth(&self.recipients, n));
        }
        page.set(&metric::ACCEPTED_BYTES, nth(&self.octets, 0));
        each(page, &metric::SUBMISSIONS_REFUSED, &REASONS, &self.refused);
        each(page, &metric::DELIVERIES, &Verdict::ALL.map(Verdict::as_str), &self.verdicts);
        page.histogram(&metric::DELIVERY_SECONDS, &self.delivery);
        let asked = std::iter::once("none").chain(TlsAsked::ALL.iter().map(|asked| asked.as_str()));
        for (asked, count) in asked.zip(self.tls.all()) {
            page.add(&metric::DELIVERED_TLS, &[asked], count);
        }
        for (row, verdict) in [Verdict::Deferred, Verdict::Failed].into_iter().enumerate() {
            for (class, count) in Class::ALL.iter().zip(self.refusals[row].all()) {
                let labels = [verdict.as_str(), class.fault().as_str(), class.as_str()];
                page.add(&metric::REFUSALS, &labels, count);
            }
            for (stage, count) in Stage::ALL.iter().zip(self.unanswered[row].all()) {
                page.add(&metric::UNANSWERED, &[verdict.as_str(), stage.as_str()], count);
            }
        }
        page.set(&metric::HELD, nth(&self.held, 0));
        page.set(&metric::RELEASED, nth(&self.released, 0));
        each(page, &metric::NOTICES, &NoticeKind::ALL.map(NoticeKind::as_str), &self.notices);
        page.set(&metric::CAMPAIGNS_CANCELLED, nth(&self.cancelled, 0));
        page.set(&metric::RETURNED, nth(&self.returned, 0));
        each(page, &metric::CAME_BACK, &Back::ALL.map(Back::as_str), &self.came_back);
        each(page, &metric::SUPPRESSED, &WHYS, &self.suppressed);
        each(page, &metric::INCIDENTS_OPENED, &SUBJECTS, &self.incidents);
        each(page, &metric::NOTES, &Level::ALL.map(Level::as_str), &self.notes);
    }
}

impl EventSink for Counters {
    fn emit(&self, event: Event) {
        self.record(&event);
    }
}

/// What an incident is of, by the check or rule that found it: `check`, `circuit` or `webhook`.
pub fn incident_of(what: &str) -> &'static str {
    SUBJECTS[subject(what)]
}

fn subject(what: &str) -> usize {
    match what {
        "webhook" => 2,
        _ if what.starts_with("circuit.") => 1,
        _ => 0,
    }
}

fn reason(reply: &Reply) -> usize {
    match (reply.code, reply.enhanced) {
        (530 | 534 | 535 | 538, _) => 0,
        (400..=499, _) => 3,
        (_, Some(enhanced)) if enhanced.1 == 7 => 1,
        _ => 2,
    }
}

/// Beyond the end where there is no such value.
fn place(values: &[&str], value: &str) -> usize {
    values.iter().position(|known| *known == value).unwrap_or(usize::MAX)
}

fn nth<const N: usize>(row: &Row<N>, n: usize) -> f64 {
    row.all().nth(n).unwrap_or_default()
}

fn each<const N: usize>(page: &mut Page, metric: &'static crate::Metric, values: &[&str; N], row: &Row<N>) {
    for (value, count) in values.iter().zip(row.all()) {
        page.add(metric, &[value], count);
    }
}
