//! Which parts an operator means: a walk over the spool, page by page.

use repute_spool::{MessageMeta, PartRecord, Spool, SpoolError, Stretch, Walk};
use repute_types::{MessageId, PartId, Timestamp};

use super::{ControlError, Selector};

const PAGE: usize = 1000;

/// Whether all that was settled is on disk now; it stays in memory, in order, where the disk refuses it.
pub(super) async fn is_written(spool: &dyn Spool) -> Result<bool, ControlError> {
    match spool.flush().await {
        Ok(()) => Ok(true),
        Err(SpoolError::Closed) => Err(ControlError::Spool(SpoolError::Closed)),
        Err(_) => Ok(false),
    }
}

/// The parts in a spool that are meant, at most `limit`, in the order of their ids. Also for a
/// spool whose works do not run.
pub async fn select(
    spool: &dyn Spool,
    selector: &Selector,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<(MessageMeta, PartRecord)>, ControlError> {
    // What was settled a moment ago must not be changed as if it still waited.
    spool.flush().await.map_err(ControlError::Spool)?;
    find(spool, selector, |_| false, limit, now).await
}

pub(super) async fn find(
    spool: &dyn Spool,
    selector: &Selector,
    held: impl Fn(&MessageMeta) -> bool,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<(MessageMeta, PartRecord)>, ControlError> {
    let ids = selector.ids()?;
    let mut found = Vec::new();
    let mut after = match ids.iter().min() {
        Some(first) if first.0 > 0 => Some(PartId { message: MessageId(first.0 - 1), number: u32::MAX }),
        _ => None,
    };
    if let Some(place) = &selector.after {
        after = after.max(Some(place_of(place).ok_or_else(|| ControlError::NoSuchPlace(place.clone()))?));
    }
    let last = ids.iter().max();
    let mut walk = Walk::behind(after);
    while let Some(stretch) = walk.next(spool, PAGE).await.map_err(ControlError::Spool)? {
        // What is damaged was told at start.
        let Stretch::Parts(page) = stretch else { continue };
        for (meta, part) in page {
            if last.is_some_and(|last| meta.id > *last) {
                return Ok(found);
            }
            if selector.matches(&ids, &meta, &part, &held, now) {
                found.push((meta, part));
                if found.len() >= limit {
                    return Ok(found);
                }
            }
        }
    }
    Ok(found)
}

fn place_of(text: &str) -> Option<PartId> {
    let (id, number) = text.split_once('.')?;
    Some(PartId { message: id.parse().ok()?, number: number.parse().ok()? })
}
