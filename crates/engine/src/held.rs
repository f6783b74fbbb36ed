//! A start after which nothing that waited before goes by itself: for a state folder that was put back from a copy, in
//! which stands as waiting what has been delivered since.
//!
//! Promise: [`begin`] returns when all of it is held on disk, before anything could be tried, and an operator's word lets it go:
//! a part by its release, a campaign as a whole by its resumption. What was held for another reason keeps that one. Mail
//! that comes in afterwards goes as ever.
//!
//! Known limit: what has expired meanwhile would be told to its sender at once as failed; it is kept for [`TIME_TO_LOOK`], counted
//! from each start, whether held or released.

use std::sync::Arc;
use std::time::Duration;

use repute_spool::{CampaignState, Hold, Holder, MessageMeta, PartRecord, PartState, SpoolError};
use repute_types::MessageId;
use tokio::sync::watch;

use crate::bulk::words::BulkError;
use crate::works::Works;
use crate::{bulk, refill};

/// What becomes of what the spool holds at a start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Begin {
    /// It goes on.
    #[default]
    GoesOn,
    /// It is held until an operator has looked.
    Held,
}

const REASON: &str = "held at the start (serve --held): cancel it if it has arrived, else release it";

/// The least time between such a start and the expiry of what it holds.
const TIME_TO_LOOK: Duration = Duration::from_secs(24 * 3600);

/// Holds all that is there.
pub(crate) async fn begin(
    works: &Arc<Works>,
    last: Option<MessageId>,
    stop: watch::Receiver<bool>,
) -> Result<(), SpoolError> {
    for known in works.bulk.all() {
        if known.state() == CampaignState::Running {
            match bulk::hold(works, &known, REASON).await {
                Ok(()) => {}
                Err(BulkError::Spool(error)) => return Err(error),
                // It was cancelled in between.
                Err(_) => {}
            }
        }
    }
    refill::run(works.clone(), last, stop, Begin::Held).await;
    works.doors.spool.flush().await
}

/// A part as it is entered in the queue.
pub(crate) fn entry(works: &Works, meta: &MessageMeta, part: PartRecord) -> repute_queue::Entry {
    let goes_alone = works.bulk.state(meta.id).is_none();
    let part = match part.state {
        PartState::Due if goes_alone => works.write_held(meta, part, Hold::new(Holder::Start, REASON)),
        _ => part,
    };
    let entry = works.entry(meta, &part);
    repute_queue::Entry { alarm: entry.alarm.max(works.now() + TIME_TO_LOOK), ..entry }
}

/// The last word of such a start.
pub(crate) fn told(parts: usize) -> String {
    format!(
        "{parts} parts of messages from before are held (serve --held): look with `repute queue list`, take out what has arrived \
         (`repute queue cancel`), let go the rest (`repute queue release`), and campaigns with `repute bulk resume`"
    )
}
