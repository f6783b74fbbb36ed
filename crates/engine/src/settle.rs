//! Step 9 of a message's path: what an attempt (or expiry, or an operator) decided is written
//! down. The one function that settles is [`settle`]: events (read by nobody who acts on them), then
//! the spool, then the queue, so that a part that is leased again is read as it was left.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use repute_delivery::SiteKey;
use repute_ledger::suppression::Entry;
use repute_queue::{Feedback, Intent, Then};
use repute_spool::{CampaignState, Change, Ended, Hold, Holder, PartRecord, PartState, Pending, Settlement};
use repute_types::{Cause, Culprit, EnhancedCode, EventKind, Outcome, Recipient, Stage, Timestamp, Verdict, event};

use crate::aside;
use crate::cause::{self, Plan, Reading};
use crate::circuit;
use crate::fresh::Loaded;
use crate::intake;
use crate::notice::{self, Written};
use crate::once_more;
use crate::refused;
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
    /// The address mail left from, if a session was had and it was bound; that which a server saw that would have no session.
    pub egress: Option<IpAddr>,
    /// Where it was tried; `None` for a relay host, and where it was not.
    pub site: Option<SiteKey>,
    /// Those of the recipients to whom mail is suppressed, each with its place, in that order: nothing was tried for them, and
    /// it is told of them by that word alone.
    pub suppressed: Vec<(usize, Entry)>,
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

impl By {
    /// The number of the attempt; 0 where none was made.
    fn attempt(&self) -> u32 {
        match self {
            By::Attempt(number) => *number,
            _ => 0,
        }
    }
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
            site: None,
            suppressed: Vec::new(),
            relay_tells: false,
        }
    }

    fn is_suppressed(&self, place: usize) -> bool {
        self.suppressed.binary_search_by_key(&place, |(place, _)| *place).is_ok()
    }
}

/// A recipient that is done, for events and notices.
pub(crate) struct Finished {
    pub recipient: Recipient,
    pub outcome: Arc<Outcome>,
    pub cause: Option<Cause>,
    pub suppression: Suppression,
    /// As [`is_put_off`] says, at the attempt before.
    pub was_put_off: bool,
}

/// What the end of a recipient has to do with the list of those who are not written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suppression {
    None,
    /// Nothing was tried, because it stands there.
    Known,
    /// The reply proves a permanent fault of the recipient's own: from now on it stands there.
    Learnt,
}

/// The steps, in the order in which a crash may come between them: who is tried once more, what became of each recipient
/// ([`sort`]), when what waits is tried again ([`plan`]), what is told of it ([`tell`]), then the spool with the notices, then
/// the queue.
pub(crate) fn settle(works: &Works, mut decided: Decided) {
    let (part, now) = (decided.loaded.part.id, works.now());
    let intent = works.queue(|queue| queue.take_intent(part));
    let cancelled = why_cancelled(works, &decided, intent.as_ref());
    let readings = cause::read(&decided.outcomes);
    let wanted = cause::checks(&decided.outcomes, &readings);
    if !wanted.is_empty() {
        works.board.ask(wanted);
    }
    let once_more = once_more::put_off(works, &mut decided, &readings);
    refused::count(works, &decided, &readings);
    let is_over = now >= works.expires(&decided.loaded.meta);
    let sorted = sort(&mut decided, &readings, cancelled.as_deref(), is_over);
    let Plan { next, feedback } = plan(works, &decided, &readings, once_more, intent.as_ref(), now);
    let notices = match cancelled {
        None => notice::about(works, &decided.loaded, &sorted.finished, decided.relay_tells),
        Some(_) => Vec::new(),
    };
    tell(works, &decided, &sorted, &notices, next);
    suppress::learn(works, &decided.loaded, &sorted.finished);
    circuit::count_settled(works, &decided.loaded.meta, &sorted.finished, sorted.newly_put_off());

    let notices: Vec<_> = notices.into_iter().map(Written::into_new).collect();
    let Sorted { finished, waiting } = sorted;
    let left = (!waiting.is_empty()).then(|| left(works, &decided, waiting, intent, next));
    let change = match &left {
        Some(record) => Change::Keep(record.clone()),
        None => end(&decided, &finished, cancelled.is_some()),
    };
    works.doors.spool.settle(Settlement { part, change, notices: notices.clone() });
    match left {
        // What was asked for since it was looked at is done, too.
        Some(record) => {
            let then = if record.state == PartState::Due { Then::Again(next) } else { Then::Held };
            aside::put_back(works, Loaded { part: record, ..decided.loaded }, then, feedback);
        }
        None => works.queue(|queue| queue.settle(part, Then::Done, feedback, now)),
    }
    for notice in notices {
        intake::enter(works, notice);
    }
}

/// What is said of a part that was cancelled: it itself, or its campaign.
fn why_cancelled(works: &Works, decided: &Decided, intent: Option<&Intent>) -> Option<String> {
    match (&decided.by, intent) {
        (By::Word(why), _) | (_, Some(Intent::Cancel(why))) => Some(why.clone()),
        _ => works.bulk.is_over(decided.loaded.part.id.message).then(|| CAMPAIGN_CANCELLED.to_owned()),
    }
}

/// The recipients of a part, by whether they are done.
struct Sorted {
    finished: Vec<Finished>,
    waiting: Vec<Waiting>,
}

impl Sorted {
    fn newly_put_off(&self) -> usize {
        let waiting = self.waiting.iter().filter(|one| !one.was_put_off);
        waiting.filter(|one| one.pending.last.as_ref().is_some_and(is_put_off)).count()
    }
}

/// A recipient that is tried again.
struct Waiting {
    pending: Pending,
    cause: Option<Cause>,
    /// As [`is_put_off`] says, at the attempt before.
    was_put_off: bool,
}

/// A server was asked about the recipient, and wants to be asked again.
fn is_put_off(outcome: &Outcome) -> bool {
    outcome.verdict == Verdict::Deferred && outcome.culprit == Culprit::Receiver && outcome.stage >= Stage::Rcpt
}

/// Who is done, and who waits. What was deferred is done where its time is over or it is cancelled.
fn sort(decided: &mut Decided, readings: &[Reading], cancelled: Option<&str>, is_over: bool) -> Sorted {
    let mut sorted = Sorted { finished: Vec::new(), waiting: Vec::new() };
    let outcomes = std::mem::take(&mut decided.outcomes);
    for (n, (before, outcome)) in decided.loaded.part.recipients.iter().zip(outcomes).enumerate() {
        let recipient = before.recipient.clone();
        let was_put_off = before.last.as_ref().is_some_and(is_put_off);
        let outcome = match (outcome.verdict, cancelled) {
            (Verdict::Deferred, Some(why)) => cancelled_outcome(why),
            (Verdict::Deferred, None) if is_over => expired_outcome(Some(outcome)),
            _ => outcome,
        };
        // What an operator cancelled is done because of that, whatever was said before.
        let reading = readings.get(n).filter(|_| outcome.reply.is_some());
        let cause = reading.and_then(Reading::cause);
        if outcome.verdict == Verdict::Deferred {
            sorted.waiting.push(Waiting { pending: Pending { recipient, last: Some(outcome) }, cause, was_put_off });
            continue;
        }
        let suppression = match reading {
            _ if decided.is_suppressed(n) => Suppression::Known,
            Some(reading) if reading.suppresses() => Suppression::Learnt,
            _ => Suppression::None,
        };
        let outcome = Arc::new(outcome);
        sorted.finished.push(Finished { recipient, outcome, cause, suppression, was_put_off });
    }
    sorted
}

/// When what waits is tried again, and what the lane learns: by our own back-off, by what the receiver asked for, because it is
/// to be tried once more, by an operator's word.
fn plan(
    works: &Works,
    decided: &Decided,
    readings: &[Reading],
    once_more: Option<Timestamp>,
    intent: Option<&Intent>,
    now: Timestamp,
) -> Plan {
    let loaded = &decided.loaded;
    let next = works.settings().retry.next(loaded.part.attempts + 1, now, &*works.doors.random);
    let mut plan = Plan { next, feedback: decided.feedback };
    if let By::Attempt(number) = decided.by {
        plan = cause::heed(plan, readings, number, now);
    }
    plan.next = match intent {
        Some(Intent::Retry) => now,
        // Nothing is tried after expiry, but one last time shortly before it.
        _ => once_more.unwrap_or(plan.next).min((works.expires(&loaded.meta) - LAST_CHANCE).max(now + LAST_CHANCE)),
    };
    plan
}

/// What is left of a part, with those alone who wait: due, or held where that was asked for meanwhile.
fn left(
    works: &Works,
    decided: &Decided,
    waiting: Vec<Waiting>,
    intent: Option<Intent>,
    next: Timestamp,
) -> PartRecord {
    let part = &decided.loaded.part;
    let recipients = waiting.into_iter().map(|one| one.pending).collect();
    let attempts = part.attempts + u32::from(decided.by.attempt() > 0);
    let mut record = PartRecord { recipients, attempts, state: PartState::Due, due: next, ..part.clone() };
    if let Some(Intent::Hold(reason)) = intent {
        works.emit_held(&decided.loaded.meta, &record, &reason);
        record.state = PartState::Held(Hold::new(Holder::Operator, reason));
    }
    record
}

/// Nobody is left; a campaign counts how its recipients end.
fn end(decided: &Decided, finished: &[Finished], cancelled: bool) -> Change {
    if decided.loaded.meta.letter.is_none() {
        return Change::Done;
    }
    Change::Ended(match finished.first().map(|f| f.outcome.verdict) {
        Some(Verdict::Delivered) => Ended::Delivered,
        _ if cancelled => Ended::Cancelled,
        _ if decided.by == By::Suppression => Ended::Suppressed,
        _ => Ended::Failed,
    })
}

/// One event for each recipient that something was tried for or decided about, and what is told of notices.
fn tell(works: &Works, decided: &Decided, sorted: &Sorted, notices: &[Written], next: Timestamp) {
    let loaded = &decided.loaded;
    let age = works.now().since(loaded.meta.received);
    let emit = |recipient: &Recipient, outcome: Arc<Outcome>, cause: Option<Cause>, next_attempt: Option<Timestamp>| {
        works.emit(EventKind::Settled(event::Settled {
            part: loaded.part.id,
            account: loaded.meta.account.clone(),
            labels: loaded.meta.labels.clone(),
            recipient: recipient.address.clone(),
            attempt: decided.by.attempt(),
            outcome,
            cause,
            next_attempt,
            age,
            egress: decided.egress,
        }));
    };
    for (_, entry) in &decided.suppressed {
        suppress::tell(works, loaded.meta.id, loaded.meta.account.as_ref(), loaded.meta.labels.as_ref(), entry);
    }
    notices.iter().for_each(|notice| notice.tell(works));
    for done in sorted.finished.iter().filter(|done| done.suppression != Suppression::Known) {
        emit(&done.recipient, done.outcome.clone(), done.cause, None);
    }
    for Waiting { pending, cause, .. } in &sorted.waiting {
        if let Some(outcome) = &pending.last {
            emit(&pending.recipient, Arc::new(outcome.clone()), *cause, Some(next));
        }
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
        // The campaign's own event tells of all who were never tried. Whoever takes it out has found the part leased, comes
        // by again, and keeps nothing of it.
        if works.bulk.state(part.message) == Some(CampaignState::Cancelling) {
            return works.queue(|queue| queue.settle(part, Then::Done, Feedback::None, works.now()));
        }
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
