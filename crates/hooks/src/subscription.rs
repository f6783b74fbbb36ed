//! Events as they come, from a point on that the reader names: the stream that the API, the
//! command line and the file of lines read.
//!
//! A reader may be as slow as it likes: it asks for what comes next, from memory where it is nearly
//! up to date, else from the store. What is no longer kept is told as a gap, never passed over.

use std::sync::Arc;
use std::time::Duration;

use repute_types::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::feed::Feed;
use crate::ring::Kept;
use crate::store::StoreError;
use crate::wire::{EventId, Filter, Told};

/// Events looked at for one batch.
const PAGE: usize = 500;

/// A reader that is up to date is called so often at most: two hundred that were called with each event took the
/// processor from the mail.
const PACE: Duration = Duration::from_millis(50);

/// Where a stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// With what comes.
    Now,
    /// After an event that the reader had.
    After(EventId),
    Time(Timestamp),
    /// As far back as is kept.
    Start,
}

#[derive(Clone, Debug)]
pub struct Batch {
    pub events: Vec<Arc<Told>>,
    /// Events before these, after those that the reader had, are no longer kept.
    pub gap: bool,
}

pub struct Subscription {
    feed: Arc<Feed>,
    filter: Filter,
    newest: watch::Receiver<EventId>,
    after: EventId,
    /// The reader had an event that nobody knows here, later than all that are.
    lost: bool,
    /// When a reader that is up to date is called again.
    again: Option<Instant>,
}

impl Subscription {
    pub(crate) fn new(feed: Arc<Feed>, since: Since, filter: Filter) -> Subscription {
        let newest = feed.newest();
        let last = *newest.borrow();
        let after = match since {
            Since::Now => last,
            Since::After(id) => id.min(last),
            Since::Time(at) => EventId::before(at),
            Since::Start => EventId(0),
        };
        let lost = matches!(since, Since::After(id) if id > last);
        Subscription { feed, filter, newest, after, lost, again: None }
    }

    /// Up to here the reader has everything.
    pub fn position(&self) -> EventId {
        self.after
    }

    /// Nothing more comes after what there is.
    pub fn has_ended(&self) -> bool {
        self.feed.has_ended()
    }

    /// Waits for what comes next; `None` at the end of the feed. Safe to be dropped while it waits.
    pub async fn next(&mut self) -> Result<Option<Batch>, StoreError> {
        if let Some(again) = self.again {
            sleep_until(again).await;
            self.again = None;
        }
        loop {
            // Asked first: what is shown before the end is ready then.
            let ended = self.has_ended();
            if let Some(batch) = self.ready().await? {
                let is_up_to_date = self.after >= *self.newest.borrow();
                self.again = is_up_to_date.then(|| Instant::now() + PACE);
                return Ok(Some(batch));
            }
            if ended || self.newest.changed().await.is_err() {
                return Ok(None);
            }
        }
    }

    /// What is there now; `None` where the reader is up to date.
    pub async fn ready(&mut self) -> Result<Option<Batch>, StoreError> {
        loop {
            let newest = *self.newest.borrow_and_update();
            if std::mem::take(&mut self.lost) {
                return Ok(Some(Batch { events: Vec::new(), gap: true }));
            }
            if self.after >= newest {
                return Ok(None);
            }
            let ((events, to), gap) = self.page().await?;
            // Where nothing is kept between the two, the reader is up to date: who stayed would ask again for ever.
            self.after = if to == self.after { newest } else { to };
            if !events.is_empty() || gap {
                return Ok(Some(Batch { events, gap }));
            }
        }
    }

    async fn page(&self) -> Result<((Vec<Arc<Told>>, EventId), bool), StoreError> {
        let after = self.after;
        let remembered = {
            let ring = self.feed.ring();
            let reaches = ring.reaches(after);
            (reaches || !self.feed.is_stored()).then(|| (ring.page(after, PAGE), !reaches && after > EventId(0)))
        };
        if let Some((events, gap)) = remembered {
            let to = events.last().map_or(after, Kept::id);
            let told = events.into_iter().filter_map(Kept::told).filter(|told| self.filter.takes(told));
            return Ok(((told.collect(), to), gap));
        }
        let filter = self.filter.clone();
        self.feed
            .ask(move |store| {
                let gap = after > EventId(0) && after < store.gone_to()?;
                Ok((store.page(after, &filter, PAGE)?, gap))
            })
            .await
    }
}
