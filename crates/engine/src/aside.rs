//! The one way in which a part is changed by anything but an attempt: it is taken out of the queue's hands, read as it
//! then is, changed, written, and put back.
//!
//! Promise: while a part is leased nobody else leases it, so no record of it that is written here can be older than what
//! an attempt wrote. A record that was read before the lease is good for choosing parts and is never written back: it
//! can name recipients who have been served since, and they would get the message again.
//! Fails with nothing written and the part as it was.

use std::collections::HashMap;
use std::sync::Arc;

use repute_queue::{Aside, Feedback, Intent, Queue, Then};
use repute_spool::{CampaignState, Hold, Holder, MessageMeta, PartRecord, PartState, SpoolError};
use repute_types::event::Level;
use repute_types::{EventKind, MessageId, PartId, Timestamp};

use crate::circuit::campaigns;
use crate::fresh::Loaded;
use crate::settle;
use crate::works::Works;

/// So many are read one by one; more, as a stretch of the spool.
const ONE_BY_ONE: usize = 16;

/// A part that is leased to the holder of this, without its content.
pub(crate) struct Taken {
    pub loaded: Loaded,
    /// What puts it back as it was.
    pub as_it_was: Then,
}

/// Parts of one page of the spool, taken out of the queue's hands and read as they now are.
pub(crate) struct Page {
    pub taken: Vec<Taken>,
    /// Those that are leased by others, who do it when the lease ends.
    pub after_lease: usize,
}

/// `parts` were read before, in the order of their ids; whoever has one leased is told `word`.
pub(crate) async fn take(works: &Works, parts: Vec<(Arc<MessageMeta>, PartId)>, word: &Intent) -> Page {
    let mut page = Page { taken: Vec::new(), after_lease: 0 };
    let mut leased = Vec::new();
    works.queue(|queue| {
        for (meta, part) in parts {
            match queue.take_aside(part, word) {
                Aside::Taken { held } => leased.push((meta, part, Then::Unchanged { held })),
                Aside::AfterLease => page.after_lease += 1,
                Aside::Unknown => {}
            }
        }
    });
    let mut known = match leased.as_slice() {
        [(_, first, _), .., (_, last, _)] if leased.len() > ONE_BY_ONE => stretch(works, *first, *last).await,
        _ => HashMap::new(),
    };
    for (meta, part, as_it_was) in leased {
        let record = match known.remove(&part) {
            Some(record) => Ok(record),
            None => works.doors.spool.part(part).await,
        };
        match record {
            Ok(record) => {
                // What is known of it from its acceptance is not what it becomes.
                works.fresh().take(part);
                let loaded = Loaded::unread(meta, record);
                page.taken.push(Taken { loaded, as_it_was });
            }
            Err(error) => put_back_unreadable(works, part, as_it_was, &error),
        }
    }
    page
}

/// The records from one part to another; what cannot be read so is left out.
async fn stretch(works: &Works, first: PartId, last: PartId) -> HashMap<PartId, PartRecord> {
    let mut found = HashMap::new();
    let mut after = Some(repute_spool::walk::before(first));
    while let Ok(page) = works.doors.spool.scan(after, 1000).await {
        let end = page.last().map(|(_, part)| part.id);
        found.extend(page.into_iter().filter(|(_, part)| part.id <= last).map(|(_, part)| (part.id, part)));
        match end {
            Some(end) if end < last => after = Some(end),
            _ => break,
        }
    }
    found
}

/// Ends the lease of a part whose record cannot be had.
pub(crate) fn put_back_unreadable(works: &Works, part: PartId, as_it_was: Then, error: &SpoolError) {
    let (then, text) = match error {
        SpoolError::Missing(_) => (Then::Done, format!("part {part} is queued but not in the spool: it is forgotten")),
        error => (as_it_was, format!("part {part} could not be read: {error}; tried again later")),
    };
    works.note(Level::Error, "spool", text);
    works.queue(|queue| queue.settle(part, then, Feedback::None, works.now()));
}

/// Ends a lease, and does what was asked for meanwhile. Whatever is written of the part is written while it is leased;
/// the lease ends in the touch of the queue in which nothing more is asked.
pub(crate) fn put_back(works: &Works, loaded: Loaded, then: Then, feedback: Feedback) {
    end(works, loaded, then, feedback, |_| false);
}

/// The same for a part that a circuit holds since a moment ago. Where it has been closed since, whoever lets go what it held
/// may have read this part as one that waits, and passed it over: then it goes by itself.
pub(crate) fn put_back_stopped(works: &Works, loaded: Loaded, then: Then) {
    let has_let_go = |loaded: &Loaded| works.circuits.have_let_go(&loaded.meta, &loaded.part);
    end(works, loaded, then, Feedback::None, has_let_go);
}

/// Holds a leased part in place of an attempt, because a circuit is open: with its campaign where it is of one.
pub(crate) fn stop(works: &Works, loaded: Loaded, hold: Hold) {
    match loaded.meta.letter {
        Some(_) => put_back(works, loaded, Then::Unchanged { held: true }, Feedback::None),
        None => put_back_stopped(works, written_held(works, loaded, hold), Then::Held),
    }
}

/// Holds a leased part in place of an attempt.
pub(crate) fn hold(works: &Works, loaded: Loaded, hold: Hold) {
    put_back(works, written_held(works, loaded, hold), Then::Held, Feedback::None);
}

fn written_held(works: &Works, loaded: Loaded, hold: Hold) -> Loaded {
    let part = works.write_held(&loaded.meta, loaded.part, hold);
    Loaded { part, ..loaded }
}

fn end(works: &Works, mut loaded: Loaded, mut then: Then, feedback: Feedback, goes: impl Fn(&Loaded) -> bool) {
    let part = loaded.part.id;
    loop {
        let asked = works.queue(|queue| {
            let asked = queue.take_intent(part).or_else(|| goes(&loaded).then_some(Intent::Release));
            if asked.is_none() {
                let is_due = loaded.part.state == PartState::Due;
                end_lease(works, queue, (part, is_due), then, feedback);
            }
            asked
        });
        match asked {
            None => return,
            Some(Intent::Cancel(why)) => {
                works.fresh().take(part);
                return settle::cancel(works, loaded, why);
            }
            Some(Intent::Hold(reason)) if loaded.part.state == PartState::Due => {
                loaded.part = works.write_held(&loaded.meta, loaded.part, Hold::new(Holder::Operator, reason));
                then = Then::Held;
            }
            Some(Intent::Release) if loaded.part.state != PartState::Due => {
                then = release(works, &mut loaded);
            }
            Some(Intent::Retry) if loaded.part.state == PartState::Due => {
                then = bring_forward(works, &mut loaded);
            }
            Some(Intent::Hold(_) | Intent::Release | Intent::Retry) => {}
        }
    }
}

/// In the touch of the queue in which nothing more is asked. What is due is held for its campaign alone, which may go on since
/// a moment ago: who lets it go finds what is not leased.
fn end_lease(works: &Works, queue: &mut Queue, (part, is_due): (PartId, bool), then: Then, feedback: Feedback) {
    let now = works.now();
    queue.settle(part, then, feedback, now);
    if is_due && !is_held_with_campaign(works, part.message) {
        queue.let_go(part, now);
    }
}

/// Ends the lease of a part that waits and was not read, for its attempt is not to be made now: in the queue alone, unless
/// something was asked for meanwhile. A campaign's own record says on disk that its parts are held.
pub(crate) async fn put_back_unread(works: &Works, part: PartId, then: Then) {
    let is_over = works.queue(|queue| {
        let is_over = queue.intent(part).is_none();
        if is_over {
            end_lease(works, queue, (part, true), then, Feedback::None);
        }
        is_over
    });
    if is_over {
        return;
    }
    match works.without_content(part).await {
        Ok(loaded) => put_back(works, loaded, then, Feedback::None),
        Err(error) => put_back_unreadable(works, part, then, &error),
    }
}

/// Writes that a leased part is not held any more, and tells of it. What becomes of it in the queue is the answer.
pub(crate) fn release(works: &Works, loaded: &mut Loaded) -> Then {
    works.emit(EventKind::Released {
        message: loaded.part.id.message,
        part: Some(loaded.part.id.number),
        account: loaded.meta.account.clone(),
        labels: loaded.meta.labels.clone(),
        recipients: loaded.part.addresses(),
    });
    let due = due_when_released(&loaded.part, works.now());
    (loaded.part.state, loaded.part.due) = (PartState::Due, due);
    works.keep(loaded.part.clone());
    match is_held_with_campaign(works, loaded.part.id.message) {
        true => Then::Unchanged { held: true },
        false => Then::Due(due),
    }
}

/// A leased part that waits is due now. That it was to be sent later is forgotten, on disk too.
pub(crate) fn bring_forward(works: &Works, loaded: &mut Loaded) -> Then {
    let now = works.now();
    if is_scheduled(&loaded.part, now) {
        loaded.part.due = now;
        works.fresh().take(loaded.part.id);
        works.keep(loaded.part.clone());
    }
    match is_held_with_campaign(works, loaded.part.id.message) {
        true => Then::Unchanged { held: true },
        false => Then::Due(now),
    }
}

/// Whether a message is a campaign that does not go on now.
fn is_held_with_campaign(works: &Works, message: MessageId) -> bool {
    works.bulk.state(message).is_some_and(|state| state != CampaignState::Running)
        || campaigns::is_stopped(works, message)
}

/// Whether the time that its sender set is still ahead.
pub(crate) fn is_scheduled(part: &PartRecord, now: Timestamp) -> bool {
    part.attempts == 0 && part.due > now
}

/// What was held is due at once, but for what was to be sent later and still is.
pub(crate) fn due_when_released(part: &PartRecord, now: Timestamp) -> Timestamp {
    if is_scheduled(part, now) { part.due } else { now }
}
