//! The thread that writes.
//!
//! Each round: take what waits, write it as one transaction, answer. Where the transaction
//! fails for something that one of the messages brought with it (no space for a large one, a
//! record the database refuses), each is tried alone, so that no message fails for another.
//! Settlements that cannot be written go back to the head of the line.

use std::sync::Arc;
use std::time::{Duration, Instant};

use repute_types::{MessageId, PartId};

use super::Step;
use super::beside::Written;
use super::company::Company;
use super::database::Failure;
use super::inbox::{Answer, Arrival, Batch, Inbox, LINGER, Waiting, Work};
use super::journal::Place;
use super::pending::Pending;
use super::store::Store;
use crate::{Change, Settlement};

/// Time between two tries of settlements that could not be written, where no commit comes.
const RETRY: Duration = Duration::from_secs(1);

/// Ends in one block where there is no room for others: a page of the journal.
const ENDS: usize = 128;

pub(super) fn run(mut store: Store, inbox: &Inbox, mut company: Company) {
    let (mut linger, mut last) = (LINGER, Instant::now());
    store.look();
    while let Some(batch) = inbox.take(linger, store.quiet(), company.waits()) {
        if batch.is_empty() {
            // Settlements may be waiting for others.
            if inbox.unsettled() == 0 {
                store.use_quiet();
            }
            store.look();
            continue;
        }
        let (flushes, commits, began) = (batch.flushes, batch.commits.len(), Instant::now());
        let all_settled = work_off(&mut store, inbox, batch);
        company.was(commits, began - last, began.elapsed());
        last = if commits > 0 { began } else { last };
        if flushes {
            inbox.flushed(&store.drain_changes().map_err(|failure| failure.to_error()));
        }
        if !all_settled && inbox.is_closed() {
            break;
        }
        linger = if all_settled { LINGER } else { RETRY };
        store.tidy();
        store.look();
    }
    store.close();
}

/// Whether all settlements of the batch are on disk now.
fn work_off(store: &mut Store, inbox: &Inbox, batch: Batch) -> bool {
    let Batch { commits, settlements, .. } = batch;
    let (kept, written): (Vec<_>, Vec<_>) =
        commits.into_iter().partition(|waiting| waiting.work.arrival().is_some_and(Arrival::is_for_journal));
    let all_settled = settlements.is_empty() && kept.is_empty() || keep(store, inbox, kept, settlements);
    if !written.is_empty() {
        write(store, inbox, written);
    }
    all_settled
}

/// Settlements and messages, into the journal.
fn keep(store: &mut Store, inbox: &Inbox, commits: Vec<Waiting>, settlements: Vec<Arc<Settlement>>) -> bool {
    match store.keep(&settlements, commits.iter().map(|waiting| &waiting.work)) {
        Ok(places) => {
            inbox.settled(&settlements);
            answer_kept(store.pending(), inbox, commits, places);
            store.passed(Step::AfterAnswer);
            true
        }
        Err(failure @ Failure::Disk(_)) => {
            inbox.put_back(settlements, &failure.to_error());
            commits.into_iter().for_each(|waiting| refuse(waiting, &failure));
            false
        }
        Err(failure @ (Failure::Full(_) | Failure::Record(_) | Failure::Damage(_))) => {
            let all_settled = settle_alone(store, inbox, settlements);
            if let Failure::Full(_) = failure {
                store.squeeze();
            }
            let pending = store.pending().clone();
            let keep = |work: &Work| store.keep(&[], std::iter::once(work));
            one_by_one(commits, keep, |waiting, places| answer_kept(&pending, inbox, vec![waiting], places));
            all_settled
        }
    }
}

/// What is not for the journal, into the database.
fn write(store: &mut Store, inbox: &Inbox, commits: Vec<Waiting>) {
    match store.write(commits.iter().map(|waiting| &waiting.work)) {
        Ok(()) => {
            commits.into_iter().for_each(|waiting| answer_written(inbox, waiting));
            store.passed(Step::AfterAnswer);
        }
        Err(failure @ Failure::Disk(_)) => commits.into_iter().for_each(|waiting| refuse(waiting, &failure)),
        Err(failure @ (Failure::Full(_) | Failure::Record(_) | Failure::Damage(_))) => {
            if let Failure::Full(_) = failure {
                store.squeeze();
            }
            let write = |work: &Work| store.write(std::iter::once(work));
            one_by_one(commits, write, |waiting, ()| answer_written(inbox, waiting));
        }
    }
}

/// Settlements first, because they make room.
fn settle_alone(store: &mut Store, inbox: &Inbox, settlements: Vec<Arc<Settlement>>) -> bool {
    if settlements.is_empty() {
        return true;
    }
    if store.keep(&settlements, std::iter::empty()).is_ok() {
        inbox.settled(&settlements);
        return true;
    }
    let mut refused = Vec::new();
    let mut reason = None;
    let mut settlements = settlements.into_iter();
    for settlement in settlements.by_ref() {
        match store.keep(std::slice::from_ref(&settlement), std::iter::empty()) {
            Ok(_) => inbox.settled(&[settlement]),
            Err(failure) => {
                reason = Some(failure.to_error());
                refused.push(settlement);
                // There is none for the next either, and thousands of tries take minutes.
                if let Failure::Full(_) = failure {
                    break;
                }
            }
        }
    }
    refused.extend(end_alone(store, inbox, settlements.collect()));
    match reason {
        None => true,
        Some(reason) => {
            inbox.put_back(refused, &reason);
            false
        }
    }
}

/// Without room, those by which a part is gone go before what was handed in earlier: they need little, and room comes from
/// nothing else. What stands before them of the same part does nothing afterwards. Gives those that are not on disk.
fn end_alone(store: &mut Store, inbox: &Inbox, settlements: Vec<Arc<Settlement>>) -> Vec<Arc<Settlement>> {
    let (ends, mut left): (Vec<_>, Vec<_>) = settlements.into_iter().partition(|settlement| settlement.is_bare_end());
    let mut chunks = ends.chunks(ENDS);
    for chunk in chunks.by_ref() {
        match store.keep(chunk, std::iter::empty()) {
            Ok(_) => inbox.settled(chunk),
            Err(_) => {
                left.extend_from_slice(chunk);
                break;
            }
        }
    }
    left.extend(chunks.flatten().cloned());
    left
}

fn one_by_one<T>(
    commits: Vec<Waiting>,
    mut write: impl FnMut(&Work) -> Result<T, Failure>,
    answer: impl Fn(Waiting, T),
) {
    // What did not fit does not fit the next one of its size either: no need to try.
    let mut too_large = usize::MAX;
    let mut full = None;
    for waiting in commits {
        let size = waiting.work.size();
        if let Some(failure) = full.as_ref().filter(|_| size >= too_large) {
            refuse(waiting, failure);
            continue;
        }
        match write(&waiting.work) {
            Ok(written) => answer(waiting, written),
            Err(failure) => {
                refuse(waiting, &failure);
                if let Failure::Full(_) = failure {
                    too_large = size;
                    full = Some(failure);
                }
            }
        }
    }
}

/// The caller may have gone; nothing is kept but a large content, and that goes before anybody is told.
fn refuse(Waiting { work, answer }: Waiting, failure: &Failure) {
    drop(work);
    let _ = answer.send(Err(failure.to_error()));
}

/// What is in the journal is known to readers before anybody is told.
fn answer_kept(pending: &Pending, inbox: &Inbox, commits: Vec<Waiting>, places: Option<Vec<Place>>) {
    let mut places = places.into_iter().flatten();
    for Waiting { work, answer } in commits {
        let Work::Message(Arrival { message, beside }) = work else { continue };
        let (id, parts) = (message.meta.id, message.parts.len());
        beside.into_iter().for_each(Written::keep);
        if let Some(place) = places.next() {
            pending.add(message.meta, message.parts, place);
        }
        tell(inbox, answer, id, parts);
    }
}

fn answer_written(inbox: &Inbox, Waiting { work, answer }: Waiting) {
    match work {
        Work::Message(Arrival { message, beside }) => {
            beside.into_iter().for_each(Written::keep);
            tell(inbox, answer, message.meta.id, message.parts.len());
        }
        // What a campaign has on disk is asked for by whoever goes on with it.
        Work::Campaign(_) | Work::Forget(_) => {
            let _ = answer.send(Ok(()));
        }
    }
}

/// Where nobody is there to be told, nobody will enter it in the queue either: the client sends it again.
fn tell(inbox: &Inbox, answer: Answer, message: MessageId, parts: usize) {
    if answer.send(Ok(())).is_err() {
        for number in 0..parts as u32 {
            let part = PartId { message, number };
            inbox.settle(Settlement { part, change: Change::Done, notices: Vec::new() });
        }
    }
}
