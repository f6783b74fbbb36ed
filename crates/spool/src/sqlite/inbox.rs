//! What waits for the writer: handed in from any thread, taken by the one that writes.
//!
//! Promise: settlements are taken in the order in which they were handed in, and stay visible
//! to readers until they are on disk. Commits wait no longer than the transaction before
//! theirs, and in a crowd once more as long ([`Inbox::take`]); settlements alone wait [`LINGER`] or until there are [`MANY`], and
//! until what tells of them is kept ([`Told`]), for [`PATIENCE`] at most.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use repute_types::{Map, MessageId, PartId};
use tokio::sync::oneshot;

use super::Told;
use super::beside::Written;
use crate::{CampaignWrite, Change, NewMessage, Settlement, SpoolError};

/// How long a settlement waits for a commit to travel with (docs/queue-states.md): long enough
/// to save syncs, short enough that few messages go twice after a crash.
pub(super) const LINGER: Duration = Duration::from_millis(100);

/// How long a settlement waits until what tells of it is kept: in that time, a crash makes a message go twice.
const PATIENCE: Duration = Duration::from_secs(1);

/// One transaction's bounds: it must neither hold up the first message in it for long, nor
/// outgrow the log.
const MOST_COMMITS: usize = 512;
pub(super) const MOST_CONTENT: usize = 8 << 20;
const MOST_SETTLEMENTS: usize = 4096;

/// So many settlements wait for no commit: they fill a page of the journal by themselves, and each of them goes twice after a
/// crash.
const MANY: usize = 128;

pub(super) type Answer = oneshot::Sender<Result<(), SpoolError>>;

/// A message that came, its content on the disk already where it is large.
pub(super) struct Arrival {
    pub message: NewMessage,
    pub beside: Option<Written>,
}

impl Arrival {
    /// To whom bulk mail went is kept for longer than the journal is.
    pub fn is_for_journal(&self) -> bool {
        !self.message.meta.members
    }
}

/// What is waited for until it is on disk.
pub(super) enum Work {
    Message(Arrival),
    Campaign(CampaignWrite),
    /// Whom bulk mail went to whose ids are below this one.
    Forget(MessageId),
}

impl Work {
    /// Octets that are written by the writer, more or less.
    pub fn size(&self) -> usize {
        match self {
            Work::Message(Arrival { beside: Some(_), .. }) => 0,
            Work::Message(arrival) => arrival.message.content.len(),
            Work::Campaign(write) => write.size(),
            Work::Forget(_) => 0,
        }
    }

    pub fn arrival(&self) -> Option<&Arrival> {
        match self {
            Work::Message(arrival) => Some(arrival),
            Work::Campaign(_) | Work::Forget(_) => None,
        }
    }

    /// Whether it is refused on a full disk without being tried.
    pub fn wants_room(&self) -> bool {
        match self {
            Work::Message(_) => true,
            Work::Campaign(write) => write.wants_room(),
            Work::Forget(_) => false,
        }
    }
}

pub(super) struct Waiting {
    pub work: Work,
    pub answer: Answer,
}

#[derive(Default)]
pub(super) struct Batch {
    pub commits: Vec<Waiting>,
    pub settlements: Vec<Arc<Settlement>>,
    /// Whether somebody waits until readers of the database see the settlements.
    pub flushes: bool,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.settlements.is_empty() && !self.flushes
    }
}

struct Flush {
    /// Answered when so many settlements, counted from the start, are on disk.
    when: u64,
    /// And only when readers of the database see them.
    is_drain: bool,
    answer: Answer,
}

/// A settlement that is not on disk yet.
struct Held {
    settlement: Arc<Settlement>,
    /// So much has to be kept of what is told before it is written.
    after: u64,
    since: Instant,
}

impl Held {
    /// What tells of it is among so much that is kept, or nobody waits for that any longer.
    fn is_ready(&self, kept: u64) -> bool {
        self.after <= kept || self.since.elapsed() >= PATIENCE
    }
}

#[derive(Default)]
struct State {
    commits: VecDeque<Waiting>,
    settlements: VecDeque<Held>,
    flushes: Vec<Flush>,
    /// Settlements handed in and settlements on disk, counted from the start.
    handed_in: u64,
    on_disk: u64,
    /// The last change of each part that is not on disk yet, for readers.
    changes: Map<PartId, Arc<Settlement>>,
    /// The notices that are not on disk yet, by their ids: where in a settlement they are.
    notices: Map<MessageId, (Arc<Settlement>, usize)>,
    /// Some could not be written: the next batch takes all there are, so that those by which parts are gone are among them.
    refused: bool,
    closed: bool,
    /// The writer waits for whatever comes, without knowing how long.
    asleep: bool,
}

pub(super) struct Inbox {
    /// Octets of content in one batch, and one message more.
    most_content: usize,
    told: Option<Arc<dyn Told>>,
    state: Mutex<State>,
    /// Signalled when there is reason for the writer to look before its time.
    wake: Condvar,
}

impl Inbox {
    pub fn new(most_content: usize, told: Option<Arc<dyn Told>>) -> Inbox {
        Inbox { most_content, told, state: Mutex::default(), wake: Condvar::new() }
    }

    pub fn commit(&self, work: Work, answer: Answer) {
        let mut state = self.lock();
        if !state.closed {
            state.commits.push_back(Waiting { work, answer });
            let first = state.commits.len() == 1;
            drop(state);
            // Later ones find a writer that is awake or has been called.
            if first {
                self.wake.notify_one();
            }
        }
    }

    pub fn settle(&self, settlement: Settlement) {
        let settlement = Arc::new(settlement);
        let mut state = self.lock();
        // Under the lock, so that these stand in the order of the settlements.
        let after = self.told.as_ref().map_or(0, |told| told.handed_in());
        for (place, notice) in settlement.notices.iter().enumerate() {
            state.notices.insert(notice.meta.id, (settlement.clone(), place));
        }
        state.changes.insert(settlement.part, settlement.clone());
        state.settlements.push_back(Held { settlement, after, since: Instant::now() });
        state.handed_in += 1;
        let count = state.settlements.len();
        // A writer that is awake looks in time by itself.
        let calls = count == 1 && state.asleep || count == MANY || count == MOST_SETTLEMENTS;
        drop(state);
        if calls {
            self.wake.notify_one();
        }
    }

    /// Answers when what was handed in is on disk; with `is_drain`, when readers of the database see it.
    pub fn flush(&self, is_drain: bool, answer: Answer) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        let when = state.handed_in;
        state.flushes.push(Flush { when, is_drain, answer });
        drop(state);
        self.wake.notify_one();
    }

    pub fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    pub fn unsettled(&self) -> usize {
        let state = self.lock();
        (state.handed_in - state.on_disk) as usize
    }

    /// The last change of a part, where it is not on disk yet.
    pub fn change(&self, part: PartId) -> Option<Change> {
        self.lock().changes.get(&part).map(|settlement| settlement.change.clone())
    }

    /// Something of a notice that is not on disk yet.
    pub fn notice<T>(&self, id: MessageId, take: impl FnOnce(&NewMessage) -> T) -> Option<T> {
        let state = self.lock();
        let (settlement, place) = state.notices.get(&id)?;
        settlement.notices.get(*place).map(take)
    }

    /// Waits for work: at once where a commit or a flush waits, after `linger` where there are
    /// only settlements. An empty batch after `quiet` without any, or where they have to wait. `None` once closed with
    /// nothing left. Commits wait for others to share their sync, as long as `company` says, piece by piece.
    pub fn take(
        &self,
        linger: Duration,
        quiet: Option<Duration>,
        company: impl IntoIterator<Item = Duration>,
    ) -> Option<Batch> {
        let told = self.told.as_deref();
        let mut state = self.lock();
        // Settlements that come within this time wake nobody, unless they are many.
        state = self.wait_while(state, linger, |s| !s.is_urgent(told));
        if state.is_idle() {
            state.asleep = true;
            state = match quiet {
                Some(quiet) => self.wait_while(state, quiet.saturating_sub(linger), |s| s.is_idle()),
                None => self.wake.wait_while(state, |s| s.is_idle()).unwrap_or_else(|poisoned| poisoned.into_inner()),
            };
            state.asleep = false;
            if !state.settlements.is_empty() {
                state = self.wait_while(state, linger, |s| !s.is_urgent(told));
            }
        }
        if !state.commits.is_empty() {
            for piece in company {
                state = self.wait_while(state, piece, |s| !s.is_hurried());
            }
        }
        if state.closed && state.commits.is_empty() && state.settlements.is_empty() && state.flushes.is_empty() {
            return None;
        }
        Some(state.next_batch(self.most_content, told))
    }

    /// The settlements of a batch are on disk.
    pub fn settled(&self, settlements: &[Arc<Settlement>]) {
        if settlements.is_empty() {
            return;
        }
        let mut state = self.lock();
        for settlement in settlements {
            // A later change of the same part may have taken its place.
            if state.changes.get(&settlement.part).is_some_and(|last| Arc::ptr_eq(last, settlement)) {
                state.changes.remove(&settlement.part);
            }
            for notice in &settlement.notices {
                state.notices.remove(&notice.meta.id);
            }
        }
        state.on_disk += settlements.len() as u64;
        state.refused = false;
    }

    /// What is on disk is where readers of the database see it, or could not be brought there: then it is in the journal.
    pub fn flushed(&self, drained: &Result<(), SpoolError>) {
        let mut state = self.lock();
        let on_disk = state.on_disk;
        for flush in state.flushes.extract_if(.., |flush| flush.when <= on_disk) {
            // The caller may have gone; then nobody needs the answer.
            let _ = flush.answer.send(if flush.is_drain { drained.clone() } else { Ok(()) });
        }
    }

    /// The settlements of a batch could not be written: they are first in line again.
    pub fn put_back(&self, settlements: Vec<Arc<Settlement>>, error: &SpoolError) {
        let mut state = self.lock();
        state.refused = true;
        for settlement in settlements.into_iter().rev() {
            state.settlements.push_front(Held { settlement, after: 0, since: Instant::now() });
        }
        for flush in state.flushes.drain(..) {
            let _ = flush.answer.send(Err(error.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock leaves the state half changed when it panics.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn wait_while<'a>(
        &self,
        state: MutexGuard<'a, State>,
        at_most: Duration,
        condition: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'a, State> {
        if at_most.is_zero() {
            return state;
        }
        let waited = self.wake.wait_timeout_while(state, at_most, condition);
        waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0
    }
}

impl State {
    fn is_urgent(&self, told: Option<&dyn Told>) -> bool {
        !self.commits.is_empty() || self.is_hurried() || !self.refused && self.are_many(told)
    }

    /// Whether there are settlements enough for a block of their own.
    fn are_many(&self, told: Option<&dyn Told>) -> bool {
        let is_ready = |held: &Held| told.is_none_or(|told| held.is_ready(told.kept()));
        self.settlements.len() >= MOST_SETTLEMENTS || self.settlements.get(MANY - 1).is_some_and(is_ready)
    }

    /// Whether nothing is waited for any more.
    fn is_hurried(&self) -> bool {
        !self.flushes.is_empty() || self.closed
    }

    fn is_idle(&self) -> bool {
        self.commits.is_empty() && !self.is_hurried() && self.settlements.is_empty()
    }

    fn next_batch(&mut self, most_content: usize, told: Option<&dyn Told>) -> Batch {
        let flushes = !self.flushes.is_empty();
        let settlements = self.settlements.len().min(if self.refused { usize::MAX } else { MOST_SETTLEMENTS });
        // What is done to a campaign counts on what was settled of it before.
        let awaited = self.is_hurried() || self.commits.iter().any(|waiting| waiting.work.arrival().is_none());
        let ready = match told {
            Some(told) if !awaited && settlements < MOST_SETTLEMENTS => {
                let kept = told.kept();
                self.settlements.iter().take_while(|held| held.is_ready(kept)).count()
            }
            _ => settlements,
        };
        let settlements = self.settlements.drain(..ready).map(|held| held.settlement).collect();
        let mut batch = Batch { settlements, flushes, ..Batch::default() };
        let mut content = 0;
        while batch.commits.len() < MOST_COMMITS && content < most_content {
            let Some(waiting) = self.commits.pop_front() else { break };
            content += waiting.work.size();
            batch.commits.push(waiting);
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Everything is handed in; so much is kept.
    #[derive(Default)]
    struct Feed(AtomicU64, AtomicU64);

    impl Told for Feed {
        fn handed_in(&self) -> u64 {
            self.0.load(Ordering::SeqCst)
        }

        fn kept(&self) -> u64 {
            self.1.load(Ordering::SeqCst)
        }
    }

    fn settlement(n: u64) -> Settlement {
        Settlement { part: PartId { message: MessageId(n), number: 0 }, change: Change::Done, notices: Vec::new() }
    }

    fn taken(inbox: &Inbox) -> Vec<u64> {
        let batch = inbox.take(Duration::from_millis(1), None, None).unwrap();
        batch.settlements.iter().map(|settlement| settlement.part.message.0).collect()
    }

    /// After a kill under load a message was gone from the spool, and nobody had ever been told that it was delivered.
    #[test]
    fn what_is_settled_is_written_after_what_tells_of_it() {
        let feed = Arc::new(Feed::default());
        let inbox = Inbox::new(1 << 20, Some(feed.clone()));
        for n in 1..=3 {
            feed.0.store(n, Ordering::SeqCst);
            inbox.settle(settlement(n));
        }
        assert_eq!(taken(&inbox), [] as [u64; 0]);
        feed.1.store(2, Ordering::SeqCst);
        assert_eq!(taken(&inbox), [1, 2]);
        assert!(inbox.change(settlement(3).part).is_some(), "readers see it all the same");
        // Whoever waits for it to be on disk waits for nothing else.
        let (answer, _asked) = oneshot::channel();
        inbox.flush(false, answer);
        assert_eq!(taken(&inbox), [3]);
        inbox.settled(&[Arc::new(settlement(1)), Arc::new(settlement(2)), Arc::new(settlement(3))]);
        inbox.flushed(&Ok(()));
        // Nor does the disk wait for ever for those who are told.
        inbox.settle(settlement(4));
        let begun = Instant::now();
        while taken(&inbox) != [4] {
            assert!(begun.elapsed() < 60 * PATIENCE);
        }
    }

    /// What takes mail out on a full disk stood behind thousands that could not be written, and the writer tried those without a pause.
    #[test]
    fn what_was_refused_is_tried_together_with_all_behind_it_and_not_without_a_pause() {
        let inbox = Inbox::new(1 << 20, None);
        let count = MOST_SETTLEMENTS as u64 + 1000;
        (1..=count).for_each(|n| inbox.settle(settlement(n)));
        assert_eq!(taken(&inbox).len(), MOST_SETTLEMENTS);
        let back = (1..=MOST_SETTLEMENTS as u64).map(|n| Arc::new(settlement(n))).collect();
        inbox.put_back(back, &SpoolError::Closed);
        let begun = Instant::now();
        let batch = inbox.take(Duration::from_millis(200), None, None).unwrap();
        assert_eq!(batch.settlements.len() as u64, count);
        assert!(begun.elapsed() >= Duration::from_millis(200));
        inbox.settled(&batch.settlements);
        (1..=count).for_each(|n| inbox.settle(settlement(n)));
        assert_eq!(taken(&inbox).len(), MOST_SETTLEMENTS);
    }

    /// Of mail that leaves at thousands a second, as a campaign does, some hundreds went twice after a kill: what was settled in
    /// the last tenth of a second.
    #[test]
    fn many_settlements_wait_for_no_commit() {
        let feed = Arc::new(Feed::default());
        let inbox = Inbox::new(1 << 20, Some(feed.clone()));
        let days = Duration::from_secs(100_000);
        (1..=MANY as u64).for_each(|n| inbox.settle(settlement(n)));
        let batch = inbox.take(days, None, None).unwrap();
        assert_eq!(batch.settlements.len(), MANY);
        // Where what tells of them is not kept yet, they wait as few do.
        feed.0.store(1, Ordering::SeqCst);
        (1..=MANY as u64).for_each(|n| inbox.settle(settlement(n)));
        assert_eq!(taken(&inbox), [] as [u64; 0]);
        feed.1.store(1, Ordering::SeqCst);
        assert_eq!(inbox.take(days, None, None).unwrap().settlements.len(), MANY);
    }

    #[test]
    fn what_is_done_to_a_campaign_finds_all_that_was_settled_before() {
        let feed = Arc::new(Feed(AtomicU64::new(1), AtomicU64::new(0)));
        let inbox = Inbox::new(1 << 20, Some(feed));
        inbox.settle(settlement(1));
        let (answer, _asked) = oneshot::channel();
        inbox.commit(Work::Forget(MessageId(1)), answer);
        assert_eq!(taken(&inbox), [1]);
    }
}
