//! Step 9 of a message's path: what an attempt (or expiry, or an operator) decided is written
//! down. The one function that settles is [`settle`]: events (read by nobody who acts on them), then
//! the spool, then the queue, so that a part that is leased again is read as it was left.

use std::net::IpAddr;
use std::time::Duration;

use repute_queue::{Feedback, Intent, Then};
use repute_spool::{Change, Ended, Hold, Holder, PartRecord, PartState, Pending, Settlement};
use repute_types::{Cause, Culprit, EnhancedCode, EventKind, Outcome, Recipient, Stage, Timestamp, Verdict};

use crate::aside;
use crate::cause::{self, Plan};
use crate::circuit;
use crate::fresh::Loaded;
use crate::intake;
use crate::notice;
use crate::suppress;
use crate::works::Works;

/// How long before its expiry a part is tried for the last time, if its next time lay beyond.
const LAST_CHANCE: Duration = Duration::from_secs(60);

/// What was decided about every recipient of a part.
pub(crate) struct Decided {
    pub loaded: Loaded,
    pub by: By,
    /// One for each recipient of the part, in their order.
    pub outcomes: Vec<Outcome>,
    pub feedback: Feedback,
    /// The address mail left from, if a session was had and it was bound.
    pub egress: Option<IpAddr>,
    /// Those of the recipients, by their place, that are suppressed: it was told of them by that word alone, and
    /// nothing was tried. Empty where none is.
    pub suppressed: Vec<bool>,
    /// The server that took it promised to send the notices of success (RFC 3461 §5.2.2).
    pub relay_tells: bool,
}

/// What decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The attempt of this number, from 1.
    Attempt(u32),
    /// Its time is over.
    Expiry,
    /// It was cancelled, as is said here: its sender is not told of that.
    Word(String),
    /// Mail to all of its recipients is suppressed.
    Suppression,
}

impl Decided {
    /// Decided without a session with a server.
    pub fn apart(loaded: Loaded, by: By, outcomes: Vec<Outcome>) -> Decided {
        Decided {
            loaded,
            by,
            outcomes,
            feedback: Feedback::None,
            egress: None,
            suppressed: Vec::new(),
            relay_tells: false,
        }
    }
}

/// A recipient that is done, for events and notices.
pub(crate) struct Finished {
    pub recipient: Recipient,
    pub outcome: Outcome,
    pub cause: Option<Cause>,
    /// The reply proves a permanent fault of the recipient's own.
    pub suppresses: bool,
    /// Nothing was tried, because mail to it is suppressed.
    pub suppressed: bool,
}

pub(crate) fn settle(works: &Works, decided: Decided) {
    let Decided { loaded, by, outcomes, feedback, egress, suppressed, relay_tells } = decided;
    let attempt = if let By::Attempt(number) = &by { *number } else { 0 };
    let now = works.now();
    let settings = works.settings();
    let intent = works.queue(|queue| queue.take_intent(loaded.part.id));
    let suppressed_all = by == By::Suppression;
    let cancelled = match (by, &intent) {
        (By::Word(why), _) => Some(why),
        (_, Some(Intent::Cancel(why))) => Some(why.clone()),
        _ => works.bulk.is_over(loaded.part.id.message).then(|| CAMPAIGN_CANCELLED.to_owned()),
    };
    let readings = cause::read(&outcomes);
    let wanted = cause::checks(&outcomes, &readings);
    if !wanted.is_empty() {
        works.board.ask(wanted);
    }
    let mut finished = Vec::new();
    let (mut pending, mut pending_causes) = (Vec::new(), Vec::new());
    for (n, (Pending { recipient, .. }, outcome)) in loaded.part.recipients.iter().cloned().zip(outcomes).enumerate() {
        let outcome = match (outcome.verdict, &cancelled) {
            (Verdict::Deferred, Some(why)) => cancelled_outcome(why),
            (Verdict::Deferred, None) if now >= loaded.meta.expires => expired_outcome(Some(outcome)),
            _ => outcome,
        };
        // What an operator cancelled is done because of that, whatever was said before.
        let reading = readings.get(n).filter(|_| outcome.reply.is_some());
        let cause = reading.and_then(|r| r.cause);
        match outcome.verdict {
            Verdict::Deferred => {
                pending.push(Pending { recipient, last: Some(outcome) });
                pending_causes.push(cause);
            }
            _ => {
                let suppresses = reading.is_some_and(|r| r.suppresses());
                let suppressed = suppressed.get(n).copied().unwrap_or_default();
                finished.push(Finished { recipient, outcome, cause, suppresses, suppressed });
            }
        }
    }
    let next = settings.retry.next(loaded.part.attempts + 1, now, &*works.doors.random);
    let mut plan = Plan { next, feedback };
    if attempt > 0 {
        plan = cause::heed(plan, &readings, attempt, now);
    }
    let Plan { next, feedback } = plan;
    let next = match &intent {
        Some(Intent::Retry) => now,
        // Nothing is tried after expiry, but one last time shortly before it.
        _ => next.min((loaded.meta.expires - LAST_CHANCE).max(now + LAST_CHANCE)),
    };
    let notices = if cancelled.is_none() { notice::about(works, &loaded, &finished, relay_tells) } else { Vec::new() };
    let tried = finished.iter().filter(|f| !f.suppressed);
    let done = tried.map(|f| Said { recipient: &f.recipient, outcome: &f.outcome, cause: f.cause, next: None });
    let waiting = pending.iter().zip(&pending_causes).filter_map(|(p, cause)| {
        Some(Said { recipient: &p.recipient, outcome: p.last.as_ref()?, cause: *cause, next: Some(next) })
    });
    emit(works, &loaded, attempt, egress, done.chain(waiting));
    suppress::learn(works, &loaded, &finished);
    circuit::count_settled(works, &loaded.meta, &finished);

    let part = loaded.part.id;
    let (change, then) = if pending.is_empty() {
        (end(&loaded, &finished, cancelled.is_some(), suppressed_all), Then::Done)
    } else {
        let held = match intent {
            Some(Intent::Hold(reason)) => {
                works.emit_held(
                    &loaded.meta,
                    &PartRecord { recipients: pending.clone(), ..loaded.part.clone() },
                    &reason,
                );
                Some(Hold::new(Holder::Operator, reason))
            }
            _ => None,
        };
        let then = if held.is_some() { Then::Held } else { Then::Again(next) };
        let state = held.map_or(PartState::Due, PartState::Held);
        let attempts = loaded.part.attempts + u32::from(attempt > 0);
        let record = PartRecord { recipients: pending, attempts, state, due: next, ..loaded.part.clone() };
        (Change::Keep(record), then)
    };
    let left = if let Change::Keep(record) = &change { Some(record.clone()) } else { None };
    works.doors.spool.settle(Settlement { part, change, notices: notices.clone() });
    match left {
        // What was asked for since it was looked at is done, too.
        Some(record) => aside::put_back(works, Loaded { part: record, ..loaded }, then, feedback),
        None => works.queue(|queue| queue.settle(part, then, feedback, now)),
    }
    for notice in notices {
        intake::enter(works, notice);
    }
}

/// A campaign counts how its recipients end.
fn end(loaded: &Loaded, finished: &[Finished], cancelled: bool, suppressed: bool) -> Change {
    if loaded.meta.letter.is_none() {
        return Change::Done;
    }
    Change::Ended(match finished.first().map(|f| f.outcome.verdict) {
        Some(Verdict::Delivered) => Ended::Delivered,
        _ if cancelled => Ended::Cancelled,
        _ if suppressed => Ended::Suppressed,
        _ => Ended::Failed,
    })
}

/// What an event says of one recipient.
struct Said<'a> {
    recipient: &'a Recipient,
    outcome: &'a Outcome,
    cause: Option<Cause>,
    next: Option<Timestamp>,
}

fn emit<'a>(works: &Works, loaded: &Loaded, attempt: u32, egress: Option<IpAddr>, all: impl Iterator<Item = Said<'a>>) {
    let age = works.now().since(loaded.meta.received);
    for Said { recipient, outcome, cause, next } in all {
        works.emit(EventKind::Settled {
            part: loaded.part.id,
            account: loaded.meta.account.clone(),
            labels: loaded.meta.labels.clone(),
            recipient: recipient.address.clone(),
            attempt,
            outcome: Box::new(outcome.clone()),
            cause,
            next_attempt: next,
            age,
            egress,
        });
    }
}

/// Fails a leased part whose time is over, without an attempt.
pub(crate) fn expire(works: &Works, loaded: Loaded) {
    let outcomes = loaded.part.recipients.iter().map(|p| expired_outcome(p.last.clone())).collect();
    settle(works, Decided::apart(loaded, By::Expiry, outcomes));
}

/// Takes a leased part out of the queue, without a notice to its sender.
pub(crate) fn cancel(works: &Works, loaded: Loaded, why: String) {
    let part = loaded.part.id;
    if loaded.meta.letter.is_some() && loaded.part.attempts == 0 && works.bulk.is_over(part.message) {
        // The campaign's own event tells of all who were never tried.
        works.doors.spool.settle(Settlement { part, change: Change::Ended(Ended::Cancelled), notices: Vec::new() });
        return works.queue(|queue| queue.settle(part, Then::Done, Feedback::None, works.now()));
    }
    let outcomes = vec![cancelled_outcome(&why); loaded.part.recipients.len()];
    settle(works, Decided::apart(loaded, By::Word(why), outcomes));
}

/// Time is over (RFC 3463 X.4.7). What the last attempt said is kept: it is the reason.
fn expired_outcome(last: Option<Outcome>) -> Outcome {
    let text = match &last {
        Some(last) => format!("not delivered within the time allowed; the last attempt said: {}", last.reason()),
        None => "not delivered within the time allowed".to_owned(),
    };
    let (peer, reply) = last.map_or((None, None), |last| (last.peer, last.reply));
    Outcome { peer, reply, ..Outcome::ours(Verdict::Failed, Stage::Queue, Culprit::Us, EnhancedCode(5, 4, 7), text) }
}

/// What is said of a recipient that no attempt has reached yet.
pub(crate) fn not_tried_yet() -> Outcome {
    let text = "the receiving server could not be reached yet";
    Outcome::ours(Verdict::Deferred, Stage::Connect, Culprit::Network, EnhancedCode(4, 4, 1), text)
}

/// Why the rest of a campaign gets nothing.
pub(crate) const CAMPAIGN_CANCELLED: &str = "its campaign was cancelled";

fn cancelled_outcome(text: &str) -> Outcome {
    Outcome::ours(Verdict::Failed, Stage::Queue, Culprit::Us, EnhancedCode(5, 7, 0), text)
}
