//! A leased part with what an attempt needs of it: its recipients, and the content, which is in memory, is read from the spool,
//! or is merged of its campaign's letter.
//!
//! Promise: what cannot be had is put where it belongs, so that whoever asked has nothing left to do: tried again later
//! where the disk fails, held where it is damaged or where its letter cannot be made, taken out where its campaign is over.

use std::sync::Arc;
use std::time::Duration;

use repute_queue::{Feedback, Then};
use repute_spool::{CampaignState, Hold, Holder, PartRecord, PartState, SpoolError};
use repute_types::event::Level;
use repute_types::{EventKind, PartId};

use crate::circuit::campaigns;
use crate::fresh::Loaded;
use crate::works::Works;
use crate::{aside, bulk, settle};

/// A part that could not be loaded because the disk failed is looked at again after this.
pub(crate) const DISK_RETRY: Duration = Duration::from_secs(60);

/// What a part is loaded for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// A session sends it: it waits until there is memory for its content.
    ToSend,
    /// Something is told or decided of it, and waits for nothing.
    Aside,
}

/// Of a part that is leased for an attempt.
pub(crate) async fn for_attempt(works: &Works, part: PartId, load: Load) -> Option<Loaded> {
    match works.bulk.state(part.message) {
        None => {}
        Some(CampaignState::Running) if !campaigns::is_stopped(works, part.message) => {}
        Some(CampaignState::Cancelling | CampaignState::Cancelled) => {
            take_out(works, part).await;
            return None;
        }
        Some(CampaignState::Running | CampaignState::Loading | CampaignState::Paused(_)) => {
            aside::put_back_unread(works, part, Then::Unchanged { held: true }).await;
            return None;
        }
    }
    or_put_back(works, part, load, Then::Again(works.now() + DISK_RETRY)).await
}

/// Ends a leased part of a cancelled campaign: whoever takes the campaign out has passed it over.
async fn take_out(works: &Works, part: PartId) {
    match works.without_content(part).await {
        Ok(loaded) => settle::cancel(works, loaded, settle::CAMPAIGN_CANCELLED.to_owned()),
        // It is gone already, or cannot be read now and is taken out after the next start.
        Err(_) => works.queue(|queue| queue.settle(part, Then::Done, Feedback::None, works.now())),
    }
}

/// Of a part that is leased for whatever it is. `unread` is what becomes of it where the disk cannot be read now.
pub(crate) async fn or_put_back(works: &Works, part: PartId, load: Load, unread: Then) -> Option<Loaded> {
    let now = works.now();
    let error = match read(works, part, load).await {
        Ok(loaded) => return Some(loaded),
        // Its time is over: no content is needed to say so.
        Err(LoadError::Merge(loaded, _)) if now >= works.expires(&loaded.meta) => return Some(*loaded),
        // By the configuration as it is now its letter cannot be merged or signed: the rest goes on.
        Err(LoadError::Merge(loaded, why)) => {
            works.note(Level::Error, "bulk", format!("message {} is held: {why}", part.message));
            aside::hold(works, *loaded, Hold::new(Holder::Letter, why));
            return None;
        }
        Err(LoadError::Spool(error)) => error,
    };
    match error {
        SpoolError::Damaged(_) => hold_damaged(works, part).await,
        error => aside::put_back_unreadable(works, part, unread, &error),
    }
    None
}

const DAMAGED: &str = "its content is damaged on disk (the checksum does not match)";

/// What is damaged is held, named, and the rest goes on.
async fn hold_damaged(works: &Works, part: PartId) {
    works.note(Level::Error, "spool", format!("message {} is held: {DAMAGED}", part.message));
    let hold = Hold::new(Holder::Damage, DAMAGED);
    let spool = &works.doors.spool;
    match (spool.part(part).await, spool.meta(part.message).await) {
        (Ok(record), Ok(meta)) => drop(works.write_held(&meta, record, hold)),
        (Ok(record), Err(_)) => {
            works.emit(nobodys(part, &hold.reason));
            works.keep(PartRecord { state: PartState::Held(hold), ..record });
        }
        (Err(_), _) => works.emit(nobodys(part, &hold.reason)),
    }
    let now = works.now();
    works.queue(|queue| queue.settle(part, Then::Held, Feedback::None, now));
}

/// A part of which nothing can be read any more is held.
fn nobodys(part: PartId, reason: &str) -> EventKind {
    EventKind::Held {
        message: part.message,
        part: Some(part.number),
        account: None,
        labels: None,
        recipients: Vec::new(),
        reason: reason.to_owned(),
    }
}

/// Why a part cannot be had.
enum LoadError {
    Spool(SpoolError),
    /// Its letter cannot be merged for it, or not be signed, by the configuration as it is now.
    Merge(Box<Loaded>, String),
}

impl From<SpoolError> for LoadError {
    fn from(error: SpoolError) -> LoadError {
        LoadError::Spool(error)
    }
}

async fn read(works: &Works, id: PartId, load: Load) -> Result<Loaded, LoadError> {
    let kept = works.fresh().size(id.message);
    let room = match kept {
        Some(octets) if load == Load::ToSend => works.outgoing.of_message(id.message, octets).await,
        _ => None,
    };
    if let Some(loaded) = works.fresh().take(id) {
        return Ok(Loaded { room, ..loaded });
    }
    if works.bulk.known(id.message).is_some() {
        return merged(works, id, load).await;
    }
    let spool = &works.doors.spool;
    let meta = Arc::new(spool.meta(id.message).await?);
    let room = match room {
        None if load == Load::ToSend => {
            works.outgoing.of_message(id.message, usize::try_from(meta.size).unwrap_or(usize::MAX)).await
        }
        room => room,
    };
    // After the wait, in which nobody else has it.
    let part = spool.part(id).await?;
    let read = spool.content(id.message);
    let content = match &room {
        Some(room) => room.content(read).await?,
        None => read.await?,
    };
    Ok(Loaded { meta, part, content, room })
}

/// A campaign's part: its letter, merged for its recipient.
async fn merged(works: &Works, id: PartId, load: Load) -> Result<Loaded, LoadError> {
    let room = match load {
        Load::ToSend => works.outgoing.of_one(bulk::letter_size(works, id.message).await?).await,
        Load::Aside => None,
    };
    let part = works.doors.spool.part(id).await?;
    let (meta, content) = bulk::merged(works, &part).await?;
    match content {
        Ok(content) => Ok(Loaded { meta, part, content, room }),
        Err(why) => Err(LoadError::Merge(Box::new(Loaded::unread(meta, part)), why)),
    }
}

impl Works {
    /// A part as the spool has it, for what is not sent.
    pub(crate) async fn without_content(&self, id: PartId) -> Result<Loaded, SpoolError> {
        let part = self.doors.spool.part(id).await?;
        let meta = self.doors.spool.meta(id.message).await?;
        Ok(Loaded::unread(Arc::new(meta), part))
    }
}
