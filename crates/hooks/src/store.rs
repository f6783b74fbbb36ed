//! The durable side: events in the order of their ids, how far each webhook has come, and what of
//! it waits. One SQLite file of its own, used by the feed's thread alone.
//!
//! Promise: what [`Store::append`] has returned for survives the end of the process, also a kill;
//! a power cut may take the last seconds (the log is synced by a thread of its own, about once a
//! second). Bounded in age and size: at a bound the oldest events go, delivered or not, and what a
//! webhook misses by it is counted as lost.

mod kept;
mod schema;
mod sync;
mod trim;
mod waiting;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use repute_ledger::LedgerError;
use repute_types::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

pub use self::kept::{Kept, State};
use self::sync::Syncer;
pub use self::waiting::{Again, Update, Waiting};
use crate::wire::{EventId, Filter, Told};

/// What is kept of events at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub age: Duration,
    /// Of the file.
    pub octets: u64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { age: Duration::from_secs(7 * 86_400), octets: 1 << 30 }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Open(#[from] LedgerError),
    #[error("the file of events cannot be used just now")]
    Database(#[from] rusqlite::Error),
    #[error("a thread for events cannot be started")]
    Thread(#[source] std::io::Error),
    #[error("no events are kept on disk: there is no [[webhook]], and [events] says no `keep`")]
    Absent,
    #[error("events are no longer taken: the server is stopping")]
    Closed,
}

/// Which events are meant when some are to be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    Events(Vec<EventId>),
    /// From, included, until, not included.
    Span(Timestamp, Timestamp),
    Chain(i64),
}

pub struct Store {
    db: Connection,
    bounds: Bounds,
    /// What each known webhook wants, by its key: to count what it loses.
    readers: HashMap<i64, Filter>,
    /// How often something was lost that a webhook had not got yet.
    losses: u64,
    syncer: Syncer,
}

impl Store {
    /// `now`: where nothing was ever kept, it is from here on.
    pub fn open(path: &Path, bounds: Bounds, now: Timestamp) -> Result<Store, StoreError> {
        let db = schema::open(path)?;
        let syncer = Syncer::start(path)?;
        let store = Store { db, bounds, readers: HashMap::new(), losses: 0, syncer };
        if store.last()? == EventId(0) {
            store.db.execute("INSERT INTO mark VALUES (?1)", [EventId::before(now).key()])?;
        }
        Ok(store)
    }

    /// The newest event; where there is none yet, what is before all that will be.
    pub fn last(&self) -> Result<EventId, StoreError> {
        let id: Option<i64> = self.db.query_row("SELECT max(id) FROM event", [], |row| row.get(0))?;
        Ok(id.map_or(self.gone_to()?, EventId::of_key))
    }

    /// Up to here events are not kept, or not any more.
    pub fn gone_to(&self) -> Result<EventId, StoreError> {
        let found = self.db.query_row("SELECT gone_to FROM mark", [], |row| row.get(0)).optional()?;
        Ok(EventId::of_key(found.unwrap_or(0)))
    }

    /// Writes events, all or none.
    pub fn append(&mut self, events: &[Arc<Told>]) -> Result<(), StoreError> {
        let transaction = self.db.transaction()?;
        {
            let mut add = transaction.prepare_cached(
                "INSERT OR IGNORE INTO event (id, at, type, account, chain, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for event in events {
                let account = event.account.as_deref();
                add.execute(params![
                    event.id.key(),
                    event.at.0,
                    event.kind.as_str(),
                    account,
                    event.chain,
                    &*event.json
                ])?;
            }
        }
        transaction.commit()?;
        self.syncer.written();
        Ok(())
    }

    /// The events after an id that a filter takes, out of the next `looked_at`, and the id up to
    /// which was looked.
    pub fn page(
        &self,
        after: EventId,
        filter: &Filter,
        looked_at: usize,
    ) -> Result<(Vec<Arc<Told>>, EventId), StoreError> {
        let mut select = self.db.prepare_cached("SELECT * FROM event WHERE id > ?1 ORDER BY id LIMIT ?2")?;
        let mut rows = select.query(params![after.key(), looked_at as i64])?;
        let (mut page, mut to) = (Vec::new(), after);
        while let Some(row) = rows.next()? {
            to = EventId::of_key(row.get("id")?);
            page.extend(event(row)?.filter(|event| filter.takes(event)));
        }
        Ok((page, to))
    }

    /// How many events after an id a filter takes; counts up to `most` of them all.
    pub fn count(&self, after: EventId, filter: &Filter, most: usize) -> Result<usize, StoreError> {
        let mut select = self.db.prepare_cached(
            "SELECT id, at, type, account, chain, '' AS json FROM event WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?;
        let mut rows = select.query(params![after.key(), most as i64])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            count += usize::from(event(row)?.is_some_and(|event| filter.takes(&event)));
        }
        Ok(count)
    }

    /// Whether an event of this type is kept for a chain.
    pub fn has(&self, chain: i64, kind: crate::wire::Type) -> Result<bool, StoreError> {
        let mut select = self.db.prepare_cached("SELECT 1 FROM event WHERE chain = ?1 AND type = ?2 LIMIT 1")?;
        Ok(select.exists(params![chain, kind.as_str()])?)
    }
}

/// A row as an event; `None` where it is of a type that this version does not know.
fn event(row: &Row<'_>) -> rusqlite::Result<Option<Arc<Told>>> {
    let kind: String = row.get("type")?;
    let Ok(kind) = kind.parse() else { return Ok(None) };
    Ok(Some(Arc::new(Told {
        id: EventId::of_key(row.get("id")?),
        at: Timestamp(row.get("at")?),
        kind,
        account: row.get::<_, Option<String>>("account")?.map(Into::into),
        chain: row.get("chain")?,
        json: row.get::<_, String>("json")?.into(),
    })))
}

#[cfg(test)]
mod tests;
