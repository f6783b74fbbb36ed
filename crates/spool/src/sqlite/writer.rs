//! The thread that writes.
//!
//! Each round: take what waits, write it as one transaction, answer. Where the transaction
//! fails for something that one of the messages brought with it (no space for a large one, a
//! record the database refuses), each is tried alone, so that no message fails for another.
//! Settlements that cannot be written go back to the head of the line.

use std::sync::Arc;
use std::time::Duration;

use repute_types::PartId;

use super::Step;
use super::inbox::{Batch, Inbox, LINGER, Waiting, Work};
use super::store::{Failure, Store};
use crate::{Change, Settlement};

/// Time between two tries of settlements that could not be written, where no commit comes.
const RETRY: Duration = Duration::from_secs(1);

/// A moment without work, after which space may be given back.
const QUIET: Duration = Duration::from_millis(50);
/// The same on a full disk, where it is tried until it succeeds.
const QUIET_WHEN_FULL: Duration = Duration::from_secs(1);

pub(super) fn run(mut store: Store, inbox: &Inbox) {
    let mut linger = LINGER;
    while let Some(batch) = inbox.take(linger, quiet(&store)) {
        if batch.is_empty() {
            store.use_quiet();
            continue;
        }
        let all_settled = work_off(&mut store, inbox, batch);
        if !all_settled && inbox.is_closed() {
            break;
        }
        linger = if all_settled { LINGER } else { RETRY };
        store.tidy();
    }
}

fn quiet(store: &Store) -> Option<Duration> {
    if store.is_full() {
        return Some(QUIET_WHEN_FULL);
    }
    store.wants_quiet().then_some(QUIET)
}

/// Whether all settlements of the batch are on disk now.
fn work_off(store: &mut Store, inbox: &Inbox, batch: Batch) -> bool {
    let Batch { commits, settlements } = batch;
    match store.write(&settlements, commits.iter().map(|waiting| &waiting.work)) {
        Ok(()) => {
            inbox.settled(&settlements);
            for waiting in commits {
                answer(inbox, waiting, Ok(()));
            }
            store.passed(Step::AfterAnswer);
            true
        }
        Err(failure @ Failure::Disk(_)) => {
            inbox.put_back(settlements, &failure.to_error());
            for waiting in commits {
                answer(inbox, waiting, Err(&failure));
            }
            false
        }
        Err(failure @ (Failure::Full(_) | Failure::Record(_) | Failure::Damage(_))) => {
            let all_settled = settle_alone(store, inbox, settlements);
            if let Failure::Full(_) = failure {
                store.squeeze();
            }
            commit_one_by_one(store, inbox, commits);
            all_settled
        }
    }
}

/// Settlements first, because they make room.
fn settle_alone(store: &mut Store, inbox: &Inbox, settlements: Vec<Arc<Settlement>>) -> bool {
    if settlements.is_empty() {
        return true;
    }
    if store.write(&settlements, std::iter::empty()).is_ok() {
        inbox.settled(&settlements);
        return true;
    }
    let mut refused = Vec::new();
    let mut reason = None;
    for settlement in settlements {
        match store.write(std::slice::from_ref(&settlement), std::iter::empty()) {
            Ok(()) => inbox.settled(&[settlement]),
            Err(failure) => {
                reason = Some(failure.to_error());
                refused.push(settlement);
            }
        }
    }
    match reason {
        None => true,
        Some(reason) => {
            inbox.put_back(refused, &reason);
            false
        }
    }
}

fn commit_one_by_one(store: &mut Store, inbox: &Inbox, commits: Vec<Waiting>) {
    // What did not fit does not fit the next one of its size either: no need to try.
    let mut too_large = usize::MAX;
    let mut full = None;
    for waiting in commits {
        let size = waiting.work.size();
        if let Some(failure) = full.as_ref().filter(|_| size >= too_large) {
            answer(inbox, waiting, Err(failure));
            continue;
        }
        let written = store.write(&[], std::iter::once(&waiting.work));
        answer(inbox, waiting, written.as_ref().copied());
        if let Err(failure @ Failure::Full(_)) = written {
            too_large = size;
            full = Some(failure);
        }
    }
}

fn answer(inbox: &Inbox, waiting: Waiting, written: Result<(), &Failure>) {
    let Waiting { work, answer } = waiting;
    match written {
        Err(failure) => {
            // The caller may have gone; nothing is kept, so there is nothing to undo.
            let _ = answer.send(Err(failure.to_error()));
        }
        Ok(()) if answer.send(Ok(())).is_ok() => {}
        // Nobody was told, so nobody will enter it in the queue: the client sends it again.
        Ok(()) => {
            // What a campaign has on disk is asked for by whoever goes on with it.
            let Work::Message(message) = work else { return };
            for part in &message.parts {
                let part = PartId { message: message.meta.id, number: part.id.number };
                inbox.settle(Settlement { part, change: Change::Done, notices: Vec::new() });
            }
        }
    }
}
