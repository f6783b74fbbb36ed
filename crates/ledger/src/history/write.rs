//! The history's writer: a batch of events a transaction, and what is older than the retention forgotten.
//!
//! Promise: a batch is written whole or not at all, and what is old goes a little at a time, so that events never wait long
//! for it. Fails with SQLite's error; whether the batch is tried again its caller decides.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use repute_types::event::Level;
use repute_types::{Clock, Event, MessageId, Timestamp};
use rusqlite::Connection;

use super::batch::{Batch, Campaigns, minute};
use super::schema;
use super::volume::{self, Volume};
use crate::{LedgerError, give_back, key};

/// Messages forgotten in one transaction: small, so that events never wait long for it.
const FORGET_STEP: i64 = 500;
/// Pages given back to the file system after a look for what is old: 1 MiB.
const VACUUM_PAGES: u32 = 256;
/// Steps, and entries of the index, forgotten in one transaction: a campaign has one and more for each recipient.
const FORGET_STEPS: usize = 5_000;
/// Between two looks for what is old.
const FORGET_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Writer {
    db: Connection,
    /// The number of the next step or note.
    seq: i64,
    retention: Duration,
    clock: Arc<dyn Clock>,
    forget_next: Timestamp,
    campaigns: Campaigns,
    /// `None`: there is none yet.
    volume: Option<Volume>,
}

impl Writer {
    pub fn open(path: &Path, retention: Duration, clock: Arc<dyn Clock>) -> Result<Writer, LedgerError> {
        let db = schema::open_writer(path)?;
        // Numbers grow with the time, so that they go on growing without being looked up.
        let seq = clock.now().0.max(0) << 20;
        let (forget_next, campaigns, volume) = (Timestamp(i64::MIN), Campaigns::default(), Volume::last(&db)?);
        Ok(Writer { db, seq, retention, clock, forget_next, campaigns, volume })
    }

    pub fn write(&mut self, events: &[Arc<Event>], lost: u64) -> rusqlite::Result<()> {
        let transaction = self.db.transaction()?;
        let volume = Volume::now(&transaction, self.volume, self.clock.now())?;
        let mut batch = Batch::new(&transaction, self.seq, &mut self.campaigns);
        for event in events {
            batch.event(event)?;
        }
        if lost > 0 {
            let text = format!(
                "{lost} events came faster than they could be written, or could not be written, and are not in the history"
            );
            let at = events.last().map_or(Timestamp(0), |event| event.at);
            batch.note(at, Level::Warning, "events_lost", &text)?;
        }
        let (seq, volume) = batch.finish(volume)?;
        transaction.commit()?;
        (self.seq, self.volume) = (seq, Some(volume));
        Ok(())
    }

    /// Deletes a little of what is older than the retention, once a minute.
    pub fn forget_old(&mut self) -> rusqlite::Result<()> {
        let now = self.clock.now();
        if now < self.forget_next {
            return Ok(());
        }
        let before = now - self.retention;
        let all = self.forget_messages(key(MessageId::first_at(before)))?;
        let all = volume::forget(&mut self.db, before, FORGET_STEPS)? < FORGET_STEPS && all;
        self.db.execute(
            "DELETE FROM note WHERE seq IN (SELECT seq FROM note WHERE at < ?1 LIMIT ?2)",
            [before.0, FORGET_STEP],
        )?;
        self.db.execute("DELETE FROM tally WHERE minute < ?1", [minute(before)])?;
        if all {
            self.forget_next = now + FORGET_EVERY;
            give_back(&self.db, VACUUM_PAGES)?;
        }
        Ok(())
    }

    /// Some of them; whether that was all.
    fn forget_messages(&mut self, before: i64) -> rusqlite::Result<bool> {
        let transaction = self.db.transaction()?;
        // Steps of messages whose acceptance was lost go as well.
        let steps = transaction.execute(
            "DELETE FROM step WHERE (message, seq) IN
             (SELECT message, seq FROM step WHERE message < ?1 ORDER BY message, seq LIMIT ?2)",
            [before, FORGET_STEPS as i64],
        )?;
        let messages = transaction.execute(
            "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE id < ?1 ORDER BY id LIMIT ?2)",
            [before, FORGET_STEP],
        )?;
        transaction.commit()?;
        Ok(steps < FORGET_STEPS && messages < FORGET_STEP as usize)
    }
}
