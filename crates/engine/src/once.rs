//! Requests that may be made again and are carried out once (Idempotency-Key).
//!
//! Steps: the ids of the messages are reserved, synced, before the first of them is accepted; each
//! message is accepted under its id; the answer is kept. A request that comes again gets the
//! answer. Where a crash came between, it is begun (ids reserved) and unanswered: a message whose
//! id the spool or the history knows was accepted, the others are accepted now.
//!
//! Bounds: those of the store (`repute_ledger::Requests`); one turn a key at a time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use repute_ledger::LedgerError;
use repute_ledger::requests::{Known, Request, Requests};
use repute_spool::SpoolError;
use repute_types::MessageId;

use crate::control::{Control, ControlError};
use crate::works::{Works, lock};

/// The keys whose requests are being carried out.
pub(crate) type Running = Mutex<HashSet<(String, String)>>;

/// What a request with a key comes upon.
pub enum Begun {
    /// It is this one's to carry out.
    Turn(Turn),
    /// It was carried out before.
    Answered { status: u16, body: Vec<u8> },
    /// It is being carried out.
    Running,
    /// The key belongs to another request.
    Another,
}

/// The right to carry out one request; given back when dropped.
pub struct Turn {
    works: Arc<Works>,
    store: Arc<Requests>,
    request: Request,
    /// Of an earlier turn that had no end.
    begun: Vec<MessageId>,
}

/// What is to be done about one message of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Accept it under this id.
    Free(MessageId),
    /// It was accepted in an earlier turn.
    Taken(MessageId),
}

impl Control {
    /// Takes the turn of a request.
    pub async fn once(&self, request: Request) -> Result<Begun, ControlError> {
        let store = self.works.doors.requests.clone().ok_or(ControlError::NoRequests)?;
        let name = (request.account.clone(), request.key.clone());
        if !lock(&self.works.running).insert(name) {
            return Ok(Begun::Running);
        }
        // From here on dropping the turn gives it back.
        let mut turn = Turn { works: self.works.clone(), store, request, begun: Vec::new() };
        let known = turn.store.find(turn.request.clone(), self.works.now()).await;
        Ok(match known.map_err(ControlError::Requests)? {
            Known::Nothing => Begun::Turn(turn),
            Known::Begun(ids) => {
                turn.begun = ids;
                Begun::Turn(turn)
            }
            Known::Answered { status, body } => Begun::Answered { status, body },
            Known::Another => Begun::Another,
        })
    }
}

impl Turn {
    /// A place for each of `count` messages, reserved on disk.
    pub async fn places(&self, count: usize) -> Result<Vec<Place>, ControlError> {
        let mut places = Vec::with_capacity(count);
        for i in 0..count {
            let place = match self.begun.get(i) {
                Some(id) if self.is_known(*id).await? => Place::Taken(*id),
                // Never an id of an earlier process: what was accepted since may have a later one.
                _ => Place::Free(self.works.ids.next(self.works.now())),
            };
            places.push(place);
        }
        let ids = places.iter().map(|place| match place {
            Place::Free(id) | Place::Taken(id) => *id,
        });
        let reserved = self.store.reserve(self.request.clone(), ids.collect(), self.works.now()).await;
        reserved.map_err(ControlError::Requests)?;
        Ok(places)
    }

    /// Whether a message of this id was ever accepted.
    async fn is_known(&self, id: MessageId) -> Result<bool, ControlError> {
        match self.works.doors.spool.meta(id).await {
            Ok(_) | Err(SpoolError::Damaged(_)) => return Ok(true),
            Err(SpoolError::Missing(_)) => {}
            Err(error) => return Err(ControlError::Spool(error)),
        }
        let Some(history) = &self.works.doors.history else { return Ok(false) };
        let steps = history.ask(move |questions| questions.last_steps(id, 1)).await;
        Ok(!steps.map_err(ControlError::History)?.is_empty())
    }

    /// Keeps the answer for all who ask again. Where it cannot be kept, it can be found again.
    pub async fn answer(self, status: u16, body: Vec<u8>) -> Result<(), LedgerError> {
        self.store.answer(self.request.clone(), status, body).await
    }

    /// Nothing was accepted: the key is free for another try.
    pub async fn release(self) -> Result<(), LedgerError> {
        self.store.release(self.request.clone()).await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let name = (self.request.account.clone(), self.request.key.clone());
        lock(&self.works.running).remove(&name);
    }
}
