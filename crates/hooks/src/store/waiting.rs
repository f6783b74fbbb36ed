//! What waits for a webhook: parcels that failed, with the time of their next attempt, and events
//! behind them, which have none until they are the first of their chain.

use std::collections::{HashMap, HashSet};

use repute_types::Timestamp;
use rusqlite::{Transaction, params};

use super::{Kept, Store, StoreError, Wanted, event};
use crate::outbox::Parcel;
use crate::wire::EventId;

/// An event that waits from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub event: EventId,
    pub chain: i64,
    pub parcel: i64,
    pub attempts: u32,
    /// `None` behind others of its chain.
    pub due: Option<Timestamp>,
}

/// A parcel that failed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    pub parcel: i64,
    pub attempts: u32,
    pub due: Timestamp,
    /// From now on each of its events is a parcel of its own: one of them may be what is refused.
    pub apart: bool,
}

/// Everything that changed for a webhook, in one transaction.
#[derive(Clone, Debug)]
pub struct Update {
    pub kept: Kept,
    pub add: Vec<Waiting>,
    /// Parcels that wait no longer.
    pub done: Vec<i64>,
    pub again: Vec<Again>,
    /// The receiver is back: whatever waits for its time is due.
    pub all_due: bool,
}

/// What a webhook should know after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Updated {
    /// When the next parcel is due.
    pub next_due: Option<Timestamp>,
    /// Grows whenever something that a webhook had not got was deleted.
    pub losses: u64,
}

impl Store {
    pub fn update(&mut self, update: &Update, now: Timestamp) -> Result<Updated, StoreError> {
        let webhook = update.kept.key;
        let transaction = self.db.transaction()?;
        Store::keep(&transaction, &update.kept)?;
        for row in &update.add {
            let mut add =
                transaction.prepare_cached("INSERT OR REPLACE INTO waiting VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
            add.execute(params![webhook, row.event.key(), row.chain, row.parcel, row.attempts, row.due.map(|t| t.0)])?;
        }
        // What it stood behind may have been deleted.
        let behind: HashSet<i64> = update.add.iter().filter(|row| row.due.is_none()).map(|row| row.chain).collect();
        for chain in behind {
            first_is_due(&transaction, webhook, chain, now)?;
        }
        for again in &update.again {
            try_again(&transaction, webhook, again)?;
        }
        for parcel in &update.done {
            take_out(&transaction, webhook, *parcel, now)?;
        }
        if update.all_due {
            transaction
                .execute("UPDATE waiting SET due = ?2 WHERE webhook = ?1 AND due > ?2", params![webhook, now.0])?;
        }
        transaction.commit()?;
        self.syncer.written();
        self.updated(webhook)
    }

    pub fn updated(&self, webhook: i64) -> Result<Updated, StoreError> {
        let mut next = self.db.prepare_cached("SELECT min(due) FROM waiting WHERE webhook = ?1 AND due IS NOT NULL")?;
        let next_due: Option<i64> = next.query_row([webhook], |row| row.get(0))?;
        Ok(Updated { next_due: next_due.map(Timestamp), losses: self.losses })
    }

    /// Parcels whose time has come, the longest due first.
    pub fn due(&self, webhook: i64, now: Timestamp, limit: usize) -> Result<Vec<Parcel>, StoreError> {
        let mut select = self.db.prepare_cached(
            "SELECT parcel, max(attempts) FROM waiting WHERE webhook = ?1 AND due <= ?2
             GROUP BY parcel ORDER BY min(due), parcel LIMIT ?3",
        )?;
        let mut read = self.db.prepare_cached(
            "SELECT e.* FROM waiting w JOIN event e ON e.id = w.event
             WHERE w.webhook = ?1 AND w.parcel = ?2 AND w.due IS NOT NULL ORDER BY w.event",
        )?;
        let mut parcels = Vec::new();
        let mut rows = select.query(params![webhook, now.0, limit as i64])?;
        while let Some(row) = rows.next()? {
            let (number, attempts) = (row.get(0)?, row.get(1)?);
            let mut events = Vec::new();
            let mut found = read.query(params![webhook, number])?;
            while let Some(row) = found.next()? {
                events.extend(event(row)?);
            }
            parcels.push(Parcel { number, events, attempts, waits: true });
        }
        Ok(parcels)
    }

    /// The chains that wait, and how many events of each.
    pub fn waiting_chains(&self, webhook: i64) -> Result<HashMap<i64, usize>, StoreError> {
        let mut select =
            self.db.prepare_cached("SELECT chain, count(*) FROM waiting WHERE webhook = ?1 GROUP BY chain")?;
        let rows = select.query_map([webhook], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.max(0) as usize)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Puts events that were done already (up to `done_to`) in wait again, due now, each by itself;
    /// at most `room`. Returns how many.
    pub fn redeliver(
        &mut self,
        kept: &Kept,
        wanted: &Wanted,
        room: usize,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let Some(filter) = self.readers.get(&kept.key).cloned() else { return Ok(0) };
        let found = self.find(wanted, kept.done_to, room, |event| filter.takes(event))?;
        let transaction = self.db.transaction()?;
        let chains: HashSet<i64> = found.iter().map(|event| event.chain).collect();
        for event in &found {
            let mut add = transaction.prepare_cached(
                "INSERT INTO waiting VALUES (?1, ?2, ?3, ?2, 0, NULL)
                 ON CONFLICT DO UPDATE SET parcel = event, attempts = 0, due = NULL",
            )?;
            add.execute(params![kept.key, event.id.key(), event.chain])?;
        }
        for chain in chains {
            let mut apart = transaction
                .prepare_cached("UPDATE waiting SET parcel = event, due = NULL WHERE webhook = ?1 AND chain = ?2")?;
            apart.execute([kept.key, chain])?;
            first_is_due(&transaction, kept.key, chain, now)?;
        }
        transaction.commit()?;
        Ok(found.len())
    }

    fn find(
        &self,
        wanted: &Wanted,
        up_to: EventId,
        limit: usize,
        takes: impl Fn(&crate::wire::Told) -> bool,
    ) -> Result<Vec<std::sync::Arc<crate::wire::Told>>, StoreError> {
        let mut found = Vec::new();
        let mut look = |sql: &str, values: &[i64]| -> Result<(), StoreError> {
            let mut select = self.db.prepare_cached(sql)?;
            let mut rows = select.query(rusqlite::params_from_iter(values))?;
            while let Some(row) = rows.next()? {
                if found.len() >= limit {
                    break;
                }
                found.extend(event(row)?.filter(|event| takes(event)));
            }
            Ok(())
        };
        let up_to = up_to.key();
        match wanted {
            Wanted::Events(ids) => {
                for id in ids {
                    look("SELECT * FROM event WHERE id = ?1 AND id <= ?2", &[id.key(), up_to])?;
                }
            }
            Wanted::Chain(chain) => {
                look("SELECT * FROM event WHERE chain = ?1 AND id <= ?2 ORDER BY id", &[*chain, up_to])?
            }
            Wanted::Span(from, to) => look(
                "SELECT * FROM event WHERE id > ?1 AND id <= ?2 AND id <= ?3 ORDER BY id",
                &[EventId::before(*from).key(), EventId::before(*to).key(), up_to],
            )?,
        }
        Ok(found)
    }
}

/// A parcel leaves; the first of what waited behind it is due.
fn take_out(db: &Transaction<'_>, webhook: i64, parcel: i64, now: Timestamp) -> rusqlite::Result<()> {
    let mut select =
        db.prepare_cached("SELECT DISTINCT chain FROM waiting WHERE webhook = ?1 AND parcel = ?2 AND due IS NOT NULL")?;
    let chains: Vec<i64> = select.query_map([webhook, parcel], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut delete = db.prepare_cached("DELETE FROM waiting WHERE webhook = ?1 AND parcel = ?2 AND due IS NOT NULL")?;
    delete.execute([webhook, parcel])?;
    chains.into_iter().try_for_each(|chain| first_is_due(db, webhook, chain, now))
}

fn first_is_due(db: &Transaction<'_>, webhook: i64, chain: i64, now: Timestamp) -> rusqlite::Result<()> {
    let mut update = db.prepare_cached(
        "UPDATE waiting SET due = ?3 WHERE webhook = ?1 AND due IS NULL
         AND event = (SELECT min(event) FROM waiting WHERE webhook = ?1 AND chain = ?2)",
    )?;
    update.execute([webhook, chain, now.0]).map(drop)
}

fn try_again(db: &Transaction<'_>, webhook: i64, again: &Again) -> rusqlite::Result<()> {
    if !again.apart {
        let mut update = db.prepare_cached(
            "UPDATE waiting SET attempts = ?3, due = ?4 WHERE webhook = ?1 AND parcel = ?2 AND due IS NOT NULL",
        )?;
        return update.execute(params![webhook, again.parcel, again.attempts, again.due.0]).map(drop);
    }
    let mut select = db.prepare_cached(
        "SELECT event, chain FROM waiting WHERE webhook = ?1 AND parcel = ?2 AND due IS NOT NULL ORDER BY event",
    )?;
    let rows = select.query_map([webhook, again.parcel], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows: Vec<(i64, i64)> = rows.collect::<Result<_, _>>()?;
    let mut update = db.prepare_cached(
        "UPDATE waiting SET parcel = event, attempts = ?3, due = ?4 WHERE webhook = ?1 AND event = ?2",
    )?;
    let mut chains = HashSet::new();
    for (event, chain) in rows {
        let due = chains.insert(chain).then_some(again.due.0);
        update.execute(params![webhook, event, again.attempts, due])?;
    }
    Ok(())
}
