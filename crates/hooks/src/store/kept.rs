//! What is kept of a webhook from one start to the next.

use std::time::Duration;

use repute_types::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

use super::{Store, StoreError};
use crate::wire::{EventId, Filter};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Active,
    /// By an operator.
    Paused,
    /// By itself: the receiver was given up.
    Disabled,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Active => "active",
            State::Paused => "paused",
            State::Disabled => "disabled",
        }
    }
}

/// Events, counted since the webhook was first known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub taken: u64,
    /// Refused to the last attempt while others were taken.
    pub given_up: u64,
    /// Deleted at the bound of the store before the receiver had them.
    pub lost: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub key: i64,
    pub name: String,
    /// Everything up to here was taken or waits in the store.
    pub done_to: EventId,
    pub state: State,
    /// Why it is not active.
    pub reason: String,
    /// Failures in a row, and the time of the first.
    pub failures: u32,
    pub since: Option<Timestamp>,
    /// Time of those failures in which the server ran.
    pub failing: Duration,
    /// The incident that tells that it is disabled.
    pub incident: Option<u64>,
    pub counts: Counts,
    pub last_taken: Option<Timestamp>,
    pub last_failed: Option<Timestamp>,
    pub last_failure: String,
}

impl Store {
    /// What is known of a webhook. A new one begins after the newest event; one whose URL is
    /// another now is active again.
    pub fn webhook(&mut self, name: &str, url: &str, filter: Filter) -> Result<Kept, StoreError> {
        let begin = self.last()?;
        self.db.execute(
            "INSERT INTO webhook (name, url, done_to) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO NOTHING",
            params![name, url, begin.key()],
        )?;
        self.db.execute(
            "UPDATE webhook SET url = ?2, state = 'active', reason = '', failures = 0, since = NULL, failing = 0
             WHERE name = ?1 AND url <> ?2",
            params![name, url],
        )?;
        let kept = self.db.query_row("SELECT * FROM webhook WHERE name = ?1", [name], kept)?;
        self.readers.insert(kept.key, filter);
        Ok(kept)
    }

    /// Nobody of that key reads any more: what is deleted is not its loss.
    pub fn forget_reader(&mut self, key: i64) {
        self.readers.remove(&key);
    }

    pub(super) fn keep(db: &rusqlite::Connection, kept: &Kept) -> rusqlite::Result<()> {
        let mut update = db.prepare_cached(
            "UPDATE webhook SET done_to = ?2, state = ?3, reason = ?4, failures = ?5, since = ?6, incident = ?7,
                                taken = ?8, given_up = ?9, last_taken = ?10, last_failed = ?11, last_failure = ?12, failing = ?13
             WHERE id = ?1",
        )?;
        update.execute(params![
            kept.key,
            kept.done_to.key(),
            kept.state.as_str(),
            kept.reason,
            kept.failures,
            kept.since.map(|t| t.0),
            kept.incident.map(|id| id as i64),
            kept.counts.taken as i64,
            kept.counts.given_up as i64,
            kept.last_taken.map(|t| t.0),
            kept.last_failed.map(|t| t.0),
            kept.last_failure,
            i64::try_from(kept.failing.as_millis()).unwrap_or(i64::MAX),
        ])?;
        Ok(())
    }

    /// How much a webhook has lost; trimming counts it.
    pub fn lost(&self, key: i64) -> Result<u64, StoreError> {
        let mut select = self.db.prepare_cached("SELECT lost FROM webhook WHERE id = ?1")?;
        let lost: Option<i64> = select.query_row([key], |row| row.get(0)).optional()?;
        Ok(lost.unwrap_or(0).max(0) as u64)
    }
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    let time = |name: &str| row.get::<_, Option<i64>>(name).map(|t| t.map(Timestamp));
    let count = |name: &str| row.get::<_, i64>(name).map(|n| n.max(0) as u64);
    let state: String = row.get("state")?;
    let known = [State::Active, State::Paused, State::Disabled].into_iter().find(|s| s.as_str() == state);
    Ok(Kept {
        key: row.get("id")?,
        name: row.get("name")?,
        done_to: EventId::of_key(row.get("done_to")?),
        state: known.unwrap_or(State::Active),
        reason: row.get("reason")?,
        failures: row.get("failures")?,
        since: time("since")?,
        failing: Duration::from_millis(count("failing")?),
        incident: row.get::<_, Option<i64>>("incident")?.map(|id| id as u64),
        counts: Counts { taken: count("taken")?, given_up: count("given_up")?, lost: count("lost")? },
        last_taken: time("last_taken")?,
        last_failed: time("last_failed")?,
        last_failure: row.get("last_failure")?,
    })
}
