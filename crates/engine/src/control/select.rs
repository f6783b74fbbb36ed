//! Which parts an operator means: a walk over the spool, page by page. However many are meant, no more than a page of
//! them is in memory.

use repute_spool::{MessageMeta, PartRecord, Spool, SpoolError, Stretch, Walk, walk};
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
    // What was settled a moment ago must not be shown as if it still waited.
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
    let mut found = Vec::new();
    let mut pages = Pages::of(selector, None, now)?;
    while let Some(page) = pages.next(spool, &held).await? {
        found.extend(page);
        if found.len() >= limit {
            found.truncate(limit);
            break;
        }
    }
    Ok(found)
}

/// What is meant, in the order of the ids, a page at a time.
pub(super) struct Pages<'a> {
    selector: &'a Selector,
    /// Sorted.
    ids: Vec<MessageId>,
    last: Option<MessageId>,
    walk: Walk,
    now: Timestamp,
}

impl<'a> Pages<'a> {
    /// None of messages behind `last`.
    pub fn of(selector: &'a Selector, last: Option<MessageId>, now: Timestamp) -> Result<Pages<'a>, ControlError> {
        let mut ids = selector.ids()?;
        ids.sort_unstable();
        let mut after = ids.first().map(|first| walk::before(PartId { message: *first, number: 0 }));
        if let Some(place) = &selector.after {
            after = after.max(Some(place_of(place).ok_or_else(|| ControlError::NoSuchPlace(place.clone()))?));
        }
        let last = ids.last().copied().into_iter().chain(last).min();
        Ok(Pages { selector, ids, last, walk: Walk::behind(after), now })
    }

    /// Those of the next page, which may be none; `None` at the end.
    pub async fn next(
        &mut self,
        spool: &dyn Spool,
        held: &impl Fn(&MessageMeta) -> bool,
    ) -> Result<Option<Vec<(MessageMeta, PartRecord)>>, ControlError> {
        loop {
            let stretch = self.walk.next(spool, PAGE).await.map_err(ControlError::Spool)?;
            let mut page = match stretch {
                Some(Stretch::Parts(page)) => page,
                // What is damaged was told at start.
                Some(Stretch::Damaged(_) | Stretch::Gap { .. }) => continue,
                None => return Ok(None),
            };
            if let Some(last) = self.last {
                if page.first().is_some_and(|(meta, _)| meta.id > last) {
                    return Ok(None);
                }
                page.retain(|(meta, _)| meta.id <= last);
            }
            page.retain(|(meta, part)| self.selector.matches(&self.ids, meta, part, held, self.now));
            return Ok(Some(page));
        }
    }
}

fn place_of(text: &str) -> Option<PartId> {
    let (id, number) = text.split_once('.')?;
    Some(PartId { message: id.parse().ok()?, number: number.parse().ok()? })
}
