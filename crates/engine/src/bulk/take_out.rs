//! Taking out what is left of cancelled campaigns: in blocks, behind the answer, and on after a restart.
//!
//! Promise: what is here taken out is counted once, and nothing of it is sent. Whoever was never tried leaves no trace
//! but the campaign's count, which one event tells at the end; whoever was tried has an end of their own. What is under
//! way is waited for. A disk that refuses is tried again.

use std::sync::Arc;
use std::time::Duration;

use repute_queue::Change as Changed;
use repute_spool::{CampaignState, CampaignWrite, Change, Ended, MessageMeta, PartRecord, Settlement, Walk};
use repute_types::event::Level;
use repute_types::{EventKind, PartId};
use tokio::sync::watch;

use super::Known;
use super::operate::{change, page};
use super::words::BulkError;
use crate::fresh::Loaded;
use crate::settle;
use crate::works::Works;

/// Parts in one transaction, and in one touch of the queue.
const BLOCK: usize = 1_000;
/// After this it is looked whether what was under way has ended.
const LOOK: Duration = Duration::from_secs(1);
/// After this what the disk refused is tried again.
const RETRY: Duration = Duration::from_secs(60);

/// How far the taking out of a campaign came.
enum Came {
    ToTheEnd,
    /// Attempts are under way, or the works stop.
    NotYet,
}

/// Takes out whatever is cancelled, one campaign after the other, until `stop` turns true.
pub(crate) async fn run(works: Arc<Works>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let mut again = None;
        for known in works.bulk.all().iter().filter(|known| known.state() == CampaignState::Cancelling) {
            match take_out(&works, known, &stop).await {
                Ok(Came::ToTheEnd) => {}
                Ok(Came::NotYet) => again = Some(LOOK),
                Err(error) => {
                    again = again.or(Some(RETRY));
                    let text =
                        format!("the campaign {} could not be taken out, and is tried again: {error}", known.name);
                    works.note(Level::Error, "bulk", text);
                }
            }
        }
        tokio::select! {
            () = works.bulk.cancelled.notified() => {}
            () = tokio::time::sleep(again.unwrap_or_default()), if again.is_some() => {}
            _ = stop.changed() => return,
        }
    }
}

async fn take_out(works: &Works, known: &Known, stop: &watch::Receiver<bool>) -> Result<Came, BulkError> {
    let mut walk = Walk::starting_at(known.id);
    let mut under_way = false;
    loop {
        let parts = page(works, known.id, &mut walk, BLOCK).await?;
        let Some((meta, _)) = parts.first() else { break };
        let meta = Arc::new(meta.clone());
        let block = Block::of(works, parts);
        under_way |= block.under_way;
        block.take_out(works, known, meta).await;
        if *stop.borrow() {
            return Ok(Came::NotYet);
        }
    }
    if under_way {
        return Ok(Came::NotYet);
    }
    end(works, known).await?;
    Ok(Came::ToTheEnd)
}

/// Nothing is left of it: one event tells how many get nothing, and the campaign is cancelled.
async fn end(works: &Works, known: &Known) -> Result<(), BulkError> {
    works.bulk.forget_letter(known.id);
    let stored = works.doors.spool.campaigns().await.map_err(BulkError::Spool)?;
    let Some(stored) = stored.into_iter().find(|campaign| campaign.id == known.id) else {
        known.set(CampaignState::Cancelled);
        return Ok(());
    };
    // Told before it is written: after a crash it is rather told twice than never.
    if stored.launched.is_some() && stored.state == CampaignState::Cancelling {
        works.emit(EventKind::Cancelled {
            message: known.id,
            account: Some(known.account.clone()),
            labels: known.labels(),
            recipient_count: stored.tally.cancelled,
        });
    }
    change(works, known, CampaignState::Cancelled).await
}

/// Some parts of a campaign, out of the queue.
struct Block {
    never_tried: Vec<u32>,
    tried: Vec<PartId>,
    /// Whether some are being sent: their attempts end them, whatever comes of these.
    under_way: bool,
}

impl Block {
    fn of(works: &Works, parts: Vec<(MessageMeta, PartRecord)>) -> Block {
        let mut block = Block { never_tried: Vec::new(), tried: Vec::new(), under_way: false };
        works.queue(|queue| {
            for (_, part) in parts {
                // An attempt may have ended since the part was read.
                let attempts = queue.view(part.id).map_or(0, |view| view.attempts).max(part.attempts);
                match queue.remove(part.id, settle::CAMPAIGN_CANCELLED) {
                    Changed::AfterAttempt => block.under_way = true,
                    Changed::Now | Changed::Unknown if attempts > 0 => block.tried.push(part.id),
                    Changed::Now | Changed::Unknown => block.never_tried.push(part.id.number),
                }
            }
        });
        block
    }

    async fn take_out(self, works: &Works, known: &Known, meta: Arc<MessageMeta>) {
        let spool = &works.doors.spool;
        for id in self.tried {
            // One that has ended a moment ago has had its end told.
            if let Ok(part) = spool.part(id).await {
                let loaded = Loaded::unread(meta.clone(), part);
                settle::cancel(works, loaded, settle::CAMPAIGN_CANCELLED.to_owned());
            }
        }
        if self.never_tried.is_empty() {
            return;
        }
        let (parts, never_sent) = (self.never_tried.clone(), known.launched_here);
        let write = CampaignWrite::TakeOut { id: known.id, parts, never_sent };
        if spool.change_campaign(write).await.is_err() {
            // A full disk has room for settlements, and what stands on a damaged page is passed over by them one by one.
            for number in self.never_tried {
                let part = PartId { message: known.id, number };
                spool.settle(Settlement { part, change: Change::Ended(Ended::Cancelled), notices: Vec::new() });
            }
        }
    }
}
