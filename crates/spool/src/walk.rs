//! All parts of a spool, in the order of their ids, past whatever is damaged: a flipped bit hides what it hit, and
//! nothing behind it.

use repute_types::{MessageId, PartId};

use crate::{MessageMeta, PartRecord, Spool, SpoolError};

/// What comes next.
#[derive(Debug)]
pub enum Stretch {
    /// At least one.
    Parts(Vec<(MessageMeta, PartRecord)>),
    /// The records of this message do not check.
    Damaged(MessageId),
    /// A part or a page is damaged: what stood behind `after` (from the start, where there is none) and before `next` (to
    /// the end) cannot be read.
    Gap { after: Option<PartId>, next: Option<PartId> },
}

/// A place in the spool.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    after: Option<PartId>,
    is_over: bool,
}

impl Walk {
    /// Begins behind this part, or with the first.
    pub fn behind(after: Option<PartId>) -> Walk {
        Walk { after, is_over: false }
    }

    /// Begins with the first part of this message, or of the next that is there.
    pub fn starting_at(message: MessageId) -> Walk {
        Walk::behind(Some(before(PartId { message, number: 0 })))
    }

    /// Some parts, at most `limit`, or why there are none here; `None` at the end. After an error it stands where it
    /// stood, and can be asked again.
    pub async fn next(&mut self, spool: &dyn Spool, limit: usize) -> Result<Option<Stretch>, SpoolError> {
        if self.is_over {
            return Ok(None);
        }
        let after = self.after;
        match spool.scan(after, limit).await {
            Ok(page) => {
                let Some((_, last)) = page.last() else {
                    self.is_over = true;
                    return Ok(None);
                };
                self.after = Some(last.id);
                Ok(Some(Stretch::Parts(page)))
            }
            Err(SpoolError::Damaged(id)) => {
                self.after = Some(PartId { message: id, number: u32::MAX });
                Ok(Some(Stretch::Damaged(id)))
            }
            Err(SpoolError::Gap { next }) => {
                match next {
                    Some(next) => self.after = Some(before(next)),
                    None => self.is_over = true,
                }
                Ok(Some(Stretch::Gap { after, next }))
            }
            Err(error) => Err(error),
        }
    }
}

/// The part behind which a walk begins that is to come to this one.
pub fn before(part: PartId) -> PartId {
    match part.number.checked_sub(1) {
        Some(number) => PartId { number, ..part },
        None => PartId { message: MessageId(part.message.0.saturating_sub(1)), number: u32::MAX },
    }
}
