//! The memory that contents take on their way out.
//!
//! Promises: contents of more than [`SMALL`] octets that sessions hold at once stay within the bound, whatever waits and
//! however many sessions are open; a message that goes to many sites at once is read and counted once; and what is large
//! never waits in front of what is not, so that a few receivers who take their time over large messages delay only others
//! of those. What is larger than the bound goes alone. Nothing fails: who finds no room waits for it, in turn, before
//! a connection is opened.

use std::sync::{Arc, Mutex, Weak};

use repute_spool::SpoolError;
use repute_types::{Content, Map, MessageId};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::works::lock;

/// What is not counted: so much for each session is always there.
const SMALL: usize = 64 << 10;
/// More than that is large. It has three quarters of the bound, what is not has the rest.
const LARGE: usize = 1 << 20;
/// Room is counted in these.
const UNIT: usize = 1 << 10;

type Shared = Mutex<Map<MessageId, Weak<Room>>>;

pub(crate) struct Outgoing {
    middling: Size,
    large: Size,
    shared: Arc<Shared>,
}

struct Size {
    units: u32,
    free: Arc<Semaphore>,
}

impl Size {
    fn new(octets: usize) -> Size {
        let units = u32::try_from(octets / UNIT).unwrap_or(u32::MAX).clamp(1, 1 << 28);
        Size { units, free: Arc::new(Semaphore::new(units as usize)) }
    }

    async fn take(&self, octets: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(octets.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.units);
        self.free.clone().acquire_many_owned(units).await.ok()
    }
}

/// Room for one content, held by whoever sends it.
#[derive(Debug)]
pub(crate) struct Room {
    taken: OnceCell<Option<OwnedSemaphorePermit>>,
    content: OnceCell<Content>,
    shared: Option<(MessageId, Arc<Shared>)>,
}

impl Room {
    /// The content, which is read once for all who send it now.
    pub async fn content(
        &self,
        read: impl Future<Output = Result<Content, SpoolError>>,
    ) -> Result<Content, SpoolError> {
        self.content.get_or_try_init(|| read).await.cloned()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some((message, shared)) = &self.shared {
            let mut shared = lock(shared);
            if shared.get(message).is_some_and(|room| room.strong_count() == 0) {
                shared.remove(message);
            }
        }
    }
}

impl Outgoing {
    pub fn new(bound: usize) -> Outgoing {
        let large = bound / 4 * 3;
        Outgoing { middling: Size::new(bound - large), large: Size::new(large), shared: Arc::default() }
    }

    /// Room for a message that may go to several at once; `None` where it needs none.
    pub async fn of_message(&self, message: MessageId, octets: usize) -> Option<Arc<Room>> {
        if octets <= SMALL {
            return None;
        }
        let room = {
            let mut shared = lock(&self.shared);
            match shared.get(&message).and_then(Weak::upgrade) {
                Some(room) => room,
                None => {
                    let room = Arc::new(Room::new(Some((message, self.shared.clone()))));
                    shared.insert(message, Arc::downgrade(&room));
                    room
                }
            }
        };
        self.fill(&room, octets).await;
        Some(room)
    }

    /// Room for a content that is made for one recipient.
    pub async fn of_one(&self, octets: usize) -> Option<Arc<Room>> {
        if octets <= SMALL {
            return None;
        }
        let room = Arc::new(Room::new(None));
        self.fill(&room, octets).await;
        Some(room)
    }

    async fn fill(&self, room: &Room, octets: usize) {
        let size = if octets > LARGE { &self.large } else { &self.middling };
        room.taken.get_or_init(|| size.take(octets)).await;
    }
}

impl Room {
    fn new(shared: Option<(MessageId, Arc<Shared>)>) -> Room {
        Room { taken: OnceCell::new(), content: OnceCell::new(), shared }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn id(n: u64) -> MessageId {
        MessageId(n)
    }

    /// What comes without waiting.
    async fn at_once<T>(wanted: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            it = wanted => Some(it),
            () = std::future::ready(()) => None,
        }
    }

    /// Forty messages of 30 MB to forty slow sites took 1.2 GB: each session read its own.
    #[tokio::test]
    async fn large_contents_wait_for_room_and_middling_ones_do_not_wait_for_them() {
        let outgoing = Outgoing::new(16 * MIB);
        let first = outgoing.of_message(id(1), 8 * MIB).await;
        let mut second = Box::pin(outgoing.of_message(id(2), 8 * MIB));
        assert!(at_once(second.as_mut()).await.is_none(), "twelve are for what is large");
        assert!(at_once(outgoing.of_message(id(3), MIB)).await.is_some());
        assert!(at_once(outgoing.of_message(id(4), SMALL)).await.is_some_and(|room| room.is_none()));
        // The same message to another site is there already.
        assert!(at_once(outgoing.of_message(id(1), 8 * MIB)).await.is_some());
        drop(first);
        assert!(second.await.is_some());
    }

    #[tokio::test]
    async fn what_is_larger_than_the_bound_goes_alone() {
        let outgoing = Outgoing::new(4 * MIB);
        let alone = outgoing.of_message(id(1), 50 * MIB).await;
        assert!(at_once(outgoing.of_one(2 * MIB)).await.is_none());
        drop(alone);
        assert!(at_once(outgoing.of_one(2 * MIB)).await.is_some());
    }

    #[tokio::test]
    async fn a_content_is_read_once_for_all_who_send_it_and_forgotten_after_them() {
        let outgoing = Outgoing::new(4 * MIB);
        let one = outgoing.of_message(id(1), 2 * MIB).await.unwrap();
        let other = outgoing.of_message(id(1), 2 * MIB).await.unwrap();
        assert_eq!(one.content(async { Ok(Content::from(&b"read"[..])) }).await.unwrap().to_vec(), b"read");
        let again = other.content(async { panic!("it is read once") }).await.unwrap();
        assert_eq!(again.to_vec(), b"read");
        // Who cannot read it leaves it to the next.
        let damaged = outgoing.of_message(id(2), 2 * MIB);
        drop((one, other));
        let damaged = damaged.await.unwrap();
        assert!(damaged.content(async { Err(SpoolError::Damaged(id(2))) }).await.is_err());
        assert!(damaged.content(async { Ok(Content::new()) }).await.is_ok());
        drop(damaged);
        assert!(lock(&outgoing.shared).is_empty());
    }
}
