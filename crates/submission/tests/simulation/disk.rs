//! A disk with the spool's real promises about time: a commit is there when it returns, a
//! settlement only with the next commit or after 100 ms, and a crash drops what was not there
//! yet. What is there is kept by the strict fake, which panics on what no correct caller does.
//!
//! A [`Disk`] is the disk as one life of the works sees it: [`Disk::pull_the_plug`] ends that
//! life, and the next one gets its own over the same platter.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use repute_spool::{
    BoxFuture, Campaign, CampaignWrite, Change, Committed, Member, MemorySpool, MessageMeta, NewMessage, PartRecord,
    Refusal, Settlement, Spool, SpoolError,
};
use repute_types::{Content, MessageId, PartId, Timestamp};
use tokio::time::Instant;

use super::book::{Book, Moment};

/// After so long at most a settlement is on disk, where the disk takes it (docs/queue-states.md).
const LAZY: Duration = Duration::from_millis(100);

pub struct Disk {
    platter: Arc<MemorySpool>,
    book: Arc<Book>,
    /// What a sync takes.
    sync: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    unwritten: VecDeque<(Instant, Settlement)>,
    /// The life of the works that had this disk has ended.
    dead: bool,
    full: bool,
    unreadable: bool,
}

impl Disk {
    pub fn new(platter: Arc<MemorySpool>, book: Arc<Book>, sync: Duration) -> Disk {
        Disk { platter, book, sync, state: Mutex::default() }
    }

    pub fn set_full(&self, full: bool) {
        self.write_what_is_old();
        self.state.lock().unwrap().full = full;
    }

    pub fn set_unreadable(&self, unreadable: bool) {
        self.state.lock().unwrap().unreadable = unreadable;
    }

    /// The crash: what is not on disk by now never will be. Returns how much that was.
    pub fn pull_the_plug(&self) -> usize {
        self.write_what_is_old();
        let mut state = self.state.lock().unwrap();
        state.dead = true;
        let lost = std::mem::take(&mut state.unwritten);
        if state.full {
            // Notices that went out meanwhile were never on disk, and will be written again.
            lost.iter().for_each(|(_, settlement)| self.book.may_be_told_again(&self.on_platter(settlement.part)));
        }
        lost.len()
    }

    fn write_what_is_old(&self) {
        let old = Instant::now().checked_sub(LAZY);
        self.write(|since| old.is_some_and(|old| since <= old));
    }

    fn write(&self, which: impl Fn(Instant) -> bool) {
        let mut state = self.state.lock().unwrap();
        while !state.full && !state.dead && state.unwritten.front().is_some_and(|(since, _)| which(*since)) {
            let Some((_, settlement)) = state.unwritten.pop_front() else { return };
            self.apply(settlement);
        }
    }

    /// Puts it on the platter, and in the book who is done for good.
    fn apply(&self, settlement: Settlement) {
        let before = self.on_platter(settlement.part);
        let kept: BTreeSet<String> = match &settlement.change {
            Change::Done | Change::Ended(_) => BTreeSet::new(),
            Change::Keep(record) => record.recipients.iter().map(|p| p.recipient.address.to_string()).collect(),
        };
        for gone in before.iter().filter(|address| !kept.contains(*address)) {
            self.book.is_gone(gone);
        }
        self.platter.settle(settlement);
    }

    fn on_platter(&self, part: PartId) -> Vec<String> {
        // The fake answers at once: its future is ready at the first poll.
        let record = futures_now(self.platter.part(part));
        record.map_or_else(|_| Vec::new(), |r| r.recipients.iter().map(|p| p.recipient.address.to_string()).collect())
    }

    fn fault(&self) -> Option<SpoolError> {
        let state = self.state.lock().unwrap();
        match (state.dead, state.full) {
            (true, _) => Some(SpoolError::Closed),
            (_, true) => Some(SpoolError::Storage("the disk is full".into())),
            _ => None,
        }
    }

    fn readable(&self) -> Result<(), SpoolError> {
        self.write_what_is_old();
        let state = self.state.lock().unwrap();
        match (state.dead, state.unreadable) {
            (true, _) => Err(SpoolError::Closed),
            (_, true) => Err(SpoolError::Storage("the disk cannot be read".into())),
            _ => Ok(()),
        }
    }

    /// The last change of a part that is not on the platter yet.
    fn unwritten(&self, part: PartId) -> Option<Change> {
        let state = self.state.lock().unwrap();
        state.unwritten.iter().rev().find(|(_, s)| s.part == part).map(|(_, s)| s.change.clone())
    }

    fn unwritten_notice(&self, id: MessageId) -> Option<NewMessage> {
        let state = self.state.lock().unwrap();
        state.unwritten.iter().flat_map(|(_, s)| &s.notices).find(|n| n.meta.id == id).cloned()
    }
}

/// The value of a future that does not wait.
fn futures_now<T>(mut future: BoxFuture<'_, T>) -> T {
    let waker = std::task::Waker::noop();
    match future.as_mut().poll(&mut std::task::Context::from_waker(waker)) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the strict fake answers reads at once"),
    }
}

impl Spool for Disk {
    fn commit(&self, message: NewMessage) -> BoxFuture<'_, Result<Committed, SpoolError>> {
        Box::pin(async move {
            tokio::time::sleep(self.sync).await;
            if let Some(error) = self.fault() {
                return Err(error);
            }
            // One transaction: what was settled before goes with it.
            self.write(|_| true);
            let committed = self.platter.commit(message).await?;
            self.book.moment(Moment::Committed);
            // Synced, and the answer is not there yet.
            tokio::time::sleep(Duration::from_millis(1)).await;
            if self.state.lock().unwrap().dead { Err(SpoolError::Closed) } else { Ok(committed) }
        })
    }

    fn settle(&self, settlement: Settlement) {
        self.write_what_is_old();
        let mut state = self.state.lock().unwrap();
        if !state.dead {
            state.unwritten.push_back((Instant::now(), settlement));
            drop(state);
            self.book.moment(Moment::Settled);
        }
    }

    fn unsettled(&self) -> usize {
        self.write_what_is_old();
        self.state.lock().unwrap().unwritten.len()
    }

    fn refusal(&self) -> Option<Refusal> {
        let state = self.state.lock().unwrap();
        (state.full && !state.dead).then(|| Refusal::Full("the disk is full".into()))
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), SpoolError>> {
        Box::pin(async move {
            if let Some(error) = self.fault() {
                return Err(error);
            }
            self.write(|_| true);
            Ok(())
        })
    }

    fn meta(&self, id: MessageId) -> BoxFuture<'_, Result<MessageMeta, SpoolError>> {
        Box::pin(async move {
            self.readable()?;
            match self.unwritten_notice(id) {
                Some(notice) => Ok(notice.meta),
                None => self.platter.meta(id).await,
            }
        })
    }

    fn content(&self, id: MessageId) -> BoxFuture<'_, Result<Content, SpoolError>> {
        Box::pin(async move {
            self.readable()?;
            match self.unwritten_notice(id) {
                Some(notice) => Ok(notice.content),
                None => self.platter.content(id).await,
            }
        })
    }

    fn part(&self, id: PartId) -> BoxFuture<'_, Result<PartRecord, SpoolError>> {
        Box::pin(async move {
            self.readable()?;
            match self.unwritten(id) {
                Some(Change::Done | Change::Ended(_)) => Err(SpoolError::Missing(id.message)),
                Some(Change::Keep(record)) => Ok(record),
                None => match self.unwritten_notice(id.message) {
                    Some(notice) => Ok(notice.parts[id.number as usize].clone()),
                    None => self.platter.part(id).await,
                },
            }
        })
    }

    fn scan(
        &self,
        after: Option<PartId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(MessageMeta, PartRecord)>, SpoolError>> {
        Box::pin(async move {
            self.readable()?;
            self.write(|_| true);
            let mut rows = self.platter.scan(after, limit).await?;
            rows.retain_mut(|(_, part)| match self.unwritten(part.id) {
                Some(Change::Done | Change::Ended(_)) => false,
                Some(Change::Keep(record)) => {
                    *part = record;
                    true
                }
                None => true,
            });
            Ok(rows)
        })
    }

    fn last_id(&self) -> BoxFuture<'_, Result<Option<MessageId>, SpoolError>> {
        self.platter.last_id()
    }

    fn change_campaign(&self, write: CampaignWrite) -> BoxFuture<'_, Result<(), SpoolError>> {
        Box::pin(async move {
            tokio::time::sleep(self.sync).await;
            if let Some(error) = self.fault() {
                return Err(error);
            }
            self.write(|_| true);
            self.platter.change_campaign(write).await
        })
    }

    fn campaigns(&self) -> BoxFuture<'_, Result<Vec<Campaign>, SpoolError>> {
        self.write(|_| true);
        self.platter.campaigns()
    }

    fn member(&self, part: PartId) -> BoxFuture<'_, Result<Option<Member>, SpoolError>> {
        self.platter.member(part)
    }

    fn forget_members(&self, before: Timestamp) -> BoxFuture<'_, Result<(), SpoolError>> {
        self.platter.forget_members(before)
    }
}
