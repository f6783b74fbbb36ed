//! The index by which messages are found, in volumes.
//!
//! Where an entry goes its hash says, so in one index for a month each would dirty a page of its own, which is written twice,
//! to the log and to the file, for 30 octets. Entries go into a volume instead, until it is full or a day old: a batch shares its few
//! pages. To find something is to look into each volume, the newest first. A volume goes as a whole, when everything in it
//! is older than what is kept.

use std::time::Duration;

use repute_types::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

/// Entries of a volume: with more a batch shares fewer pages, with fewer there are more volumes to look into.
const FULL: usize = 16_384;
/// No entry of a volume was written later than this after it was opened.
const LASTS: Duration = Duration::from_secs(24 * 3600);
/// Entries that one statement adds: beginning and ending one costs as much as an entry.
const AT_ONCE: usize = 64;

/// What leads from a hash to a message, or to one of its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Entry {
    pub hash: i64,
    pub message: i64,
    /// 0: to the message.
    pub step: i64,
}

/// The volume that is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Volume {
    id: i64,
    opened: Timestamp,
    entries: usize,
}

impl Volume {
    /// The last one; `None` in a new file.
    pub fn last(db: &Connection) -> rusqlite::Result<Option<Volume>> {
        let last = "SELECT id, opened, (SELECT count(*) FROM lookup WHERE volume = id)
                    FROM volume ORDER BY id DESC LIMIT 1";
        let of_row = |row: &rusqlite::Row<'_>| {
            let entries: i64 = row.get(2)?;
            Ok(Volume { id: row.get(0)?, opened: Timestamp(row.get(1)?), entries: entries.max(0) as usize })
        };
        db.query_row(last, [], of_row).optional()
    }

    /// The one that entries go into now: the last, or a new one.
    pub fn now(db: &Connection, last: Option<Volume>, now: Timestamp) -> rusqlite::Result<Volume> {
        // A clock that was put back opens a new one too: then none spans more than it says.
        let has_room = |v: &Volume| v.entries < FULL && now >= v.opened && now.since(v.opened) <= LASTS;
        if let Some(last) = last.filter(has_room) {
            return Ok(last);
        }
        let id = last.map_or(1, |last| last.id + 1);
        db.prepare_cached("INSERT INTO volume VALUES (?1, ?2)")?.execute((id, now.0))?;
        Ok(Volume { id, opened: now, entries: 0 })
    }

    /// Adds entries, sorted, so that neighbours share a page; what is there already is not added again.
    pub fn add(&mut self, db: &Connection, mut entries: Vec<Entry>) -> rusqlite::Result<()> {
        entries.sort_unstable();
        for at_once in entries.chunks(AT_ONCE) {
            let rows = vec!["(?, ?, ?, ?)"; at_once.len()].join(", ");
            let mut add = db.prepare_cached(&format!("INSERT OR IGNORE INTO lookup VALUES {rows}"))?;
            let row = |entry: &Entry| [self.id, entry.hash, entry.message, entry.step].map(Value::Integer);
            add.execute(params_from_iter(at_once.iter().flat_map(row)))?;
        }
        self.entries += entries.len();
        Ok(())
    }
}

/// Deletes up to `most` entries of volumes in which everything is older than `before`. Gives how many; fewer than `most`: all.
pub(super) fn forget(db: &mut Connection, before: Timestamp, most: usize) -> rusqlite::Result<usize> {
    let transaction = db.transaction()?;
    let mut gone = 0;
    while gone < most {
        // The last one stays: the numbers go on from it.
        let oldest =
            "SELECT id FROM volume WHERE opened < ?1 AND id < (SELECT max(id) FROM volume) ORDER BY id LIMIT 1";
        let opened = (before - LASTS).0;
        let Some(id) = transaction.query_row(oldest, [opened], |row| row.get::<_, i64>(0)).optional()? else { break };
        let entries = transaction.execute(
            "DELETE FROM lookup WHERE (volume, hash, message, step) IN
             (SELECT volume, hash, message, step FROM lookup WHERE volume = ?1 LIMIT ?2)",
            [id, (most - gone) as i64],
        )?;
        if entries < most - gone {
            transaction.execute("DELETE FROM volume WHERE id = ?1", [id])?;
        }
        gone += entries;
    }
    transaction.commit()?;
    Ok(gone)
}
