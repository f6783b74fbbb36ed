//! The bounds: what is too old, or too much, goes, the oldest first and a little at a time.

use std::collections::HashSet;

use repute_ledger::give_back;
use repute_types::Timestamp;
use rusqlite::params;

use super::{Store, StoreError, event};
use crate::wire::EventId;

/// Events deleted in one transaction: small, so that new ones never wait long for it.
const STEP: i64 = 500;
/// Pages given back to the file system at a time: 1 MiB.
const PAGES: u32 = 256;

/// What one step of trimming did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Events that a webhook had not got yet, each once, however many webhooks.
    pub lost: u64,
    /// There is more to do.
    pub more: bool,
}

impl Store {
    /// One step. To be called again soon where it says that there is more.
    pub fn trim(&mut self, now: Timestamp) -> Result<Trimmed, StoreError> {
        let Some((oldest, last)) = self.oldest(STEP)? else { return Ok(Trimmed::default()) };
        let too_old = EventId::before(now - self.bounds.age);
        let up_to = if self.is_too_large()? { last } else { last.min(too_old) };
        if oldest > up_to {
            return Ok(Trimmed::default());
        }
        let lost = self.delete(up_to)?;
        give_back(&self.db, PAGES)?;
        Ok(Trimmed { lost, more: up_to == last })
    }

    fn is_too_large(&self) -> Result<bool, StoreError> {
        let pragma = |name: &str| self.db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
        let pages = pragma("page_count")? - pragma("freelist_count")?;
        Ok(pages.max(0) as u64 * pragma("page_size")?.max(0) as u64 > self.bounds.octets)
    }

    /// The first and the last of the `n` oldest events.
    fn oldest(&self, n: i64) -> Result<Option<(EventId, EventId)>, StoreError> {
        let mut select =
            self.db.prepare_cached("SELECT min(id), max(id) FROM (SELECT id FROM event ORDER BY id LIMIT ?1)")?;
        let (first, last): (Option<i64>, Option<i64>) = select.query_row([n], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(first.zip(last).map(|(first, last)| (EventId::of_key(first), EventId::of_key(last))))
    }

    fn delete(&mut self, up_to: EventId) -> Result<u64, StoreError> {
        let lost = self.losses_up_to(up_to)?;
        let transaction = self.db.transaction()?;
        for (webhook, events) in &lost {
            let mut count = transaction.prepare_cached("UPDATE webhook SET lost = lost + ?2 WHERE id = ?1")?;
            count.execute(params![webhook, events.len() as i64])?;
        }
        transaction.execute("DELETE FROM waiting WHERE event <= ?1", [up_to.key()])?;
        transaction.execute("DELETE FROM event WHERE id <= ?1", [up_to.key()])?;
        transaction.execute("DELETE FROM mark", [])?;
        transaction.execute("INSERT INTO mark VALUES (?1)", [up_to.key()])?;
        transaction.commit()?;
        let events: HashSet<i64> = lost.into_iter().flat_map(|(_, events)| events).collect();
        if !events.is_empty() {
            self.losses += 1;
        }
        Ok(events.len() as u64)
    }

    /// What each reader loses with the events up to an id (no more than a step): those that wait, and those that it had not
    /// come to.
    fn losses_up_to(&self, up_to: EventId) -> Result<Vec<(i64, Vec<i64>)>, StoreError> {
        let mut losses = Vec::new();
        for (webhook, filter) in &self.readers {
            let mut waiting = self.db.prepare_cached("SELECT event FROM waiting WHERE webhook = ?1 AND event <= ?2")?;
            let waiting = waiting.query_map(params![webhook, up_to.key()], |row| row.get(0))?;
            let mut events = waiting.collect::<Result<Vec<i64>, _>>()?;
            let mut select = self.db.prepare_cached(
                "SELECT * FROM event WHERE id <= ?2 AND id > (SELECT done_to FROM webhook WHERE id = ?1)",
            )?;
            let mut rows = select.query(params![webhook, up_to.key()])?;
            while let Some(row) = rows.next()? {
                events.extend(event(row)?.filter(|event| filter.takes(event)).map(|event| event.id.key()));
            }
            if !events.is_empty() {
                losses.push((*webhook, events));
            }
        }
        Ok(losses)
    }
}
