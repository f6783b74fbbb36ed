//! Reading, on connections of its own and off the async threads.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use repute_types::{Content, MessageId, PartId};
use rusqlite::{Connection, OptionalExtension, Row};
use tokio::sync::Semaphore;

use super::beside::Seal;
use super::damage::{self, is_damage};
use super::database::{id_of_key, key};
use super::rows::BESIDE;
use super::schema;
use crate::{Campaign, Member, MessageMeta, PartRecord, SpoolError, Tally, codec};

/// Connections at most; each has a cache of 1 MiB.
const CONNECTIONS: usize = 2;

pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    turns: Arc<Semaphore>,
}

impl Readers {
    pub fn new(path: PathBuf) -> Readers {
        Readers { path, idle: Mutex::default(), turns: Arc::new(Semaphore::new(CONNECTIONS)) }
    }

    /// Opens the first connection, so that what cannot be read is known at start.
    pub fn warm(&self) -> rusqlite::Result<()> {
        let db = schema::open_reader(&self.path)?;
        self.put(db);
        Ok(())
    }

    pub async fn ask<T: Send + 'static>(
        self: &Arc<Readers>,
        question: impl FnOnce(&Connection) -> Result<T, SpoolError> + Send + 'static,
    ) -> Result<T, SpoolError> {
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| SpoolError::Closed)?;
        let readers = self.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let idle = readers.lock().pop();
            let db = match idle {
                Some(db) => db,
                None => schema::open_reader(&readers.path).map_err(storage)?,
            };
            let answer = question(&db);
            readers.put(db);
            answer
        });
        // The task is lost only where the runtime is shutting down.
        asked.await.unwrap_or(Err(SpoolError::Closed))
    }

    fn put(&self, db: Connection) {
        self.lock().push(db);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A record's octets; none where the row holds something else, which then does not check.
fn octets<'a>(row: &'a Row<'_>, column: usize) -> &'a [u8] {
    row.get_ref(column).ok().and_then(|value| value.as_blob().ok()).unwrap_or_default()
}

fn storage(error: rusqlite::Error) -> SpoolError {
    SpoolError::Storage(error.to_string())
}

/// An error in reading what belongs to one message.
fn of_message(id: MessageId) -> impl Fn(rusqlite::Error) -> SpoolError {
    move |error| if is_damage(&error) { SpoolError::Damaged(id) } else { storage(error) }
}

pub(super) fn meta(db: &Connection, id: MessageId) -> Result<MessageMeta, SpoolError> {
    let mut statement = db.prepare_cached("SELECT meta FROM message WHERE id = ?1").map_err(storage)?;
    let meta = statement
        .query_row([key(id)], |row| Ok(codec::meta_from_octets(id, octets(row, 0))))
        .optional()
        .map_err(of_message(id))?;
    meta.ok_or(SpoolError::Missing(id))?.map_err(|_| SpoolError::Damaged(id))
}

pub(super) fn part(db: &Connection, id: PartId) -> Result<PartRecord, SpoolError> {
    let mut statement =
        db.prepare_cached("SELECT record FROM part WHERE message = ?1 AND number = ?2").map_err(storage)?;
    let part = statement
        .query_row((key(id.message), id.number), |row| Ok(codec::part_from_octets(id, octets(row, 0))))
        .optional()
        .map_err(of_message(id.message))?;
    part.ok_or(SpoolError::Missing(id.message))?.map_err(|_| SpoolError::Damaged(id.message))
}

/// What the database has of a content.
pub(super) enum Stored {
    Here(Content),
    Beside(Seal),
}

/// Row by row, so that a large content is held once; the checksum is verified.
pub(super) fn content(db: &Connection, id: MessageId) -> Result<Stored, SpoolError> {
    let mut statement =
        db.prepare_cached("SELECT first, crc FROM message WHERE id = ?1 AND chunks = ?2").map_err(storage)?;
    let beside = statement
        .query_row((key(id), BESIDE), |row| Ok(Seal { len: row.get(0)?, crc: row.get(1)? }))
        .optional()
        .map_err(of_message(id))?;
    match beside {
        Some(seal) => Ok(Stored::Beside(seal)),
        None => content_here(db, id).map(Stored::Here),
    }
}

fn content_here(db: &Connection, id: MessageId) -> Result<Content, SpoolError> {
    let mut statement = db
        .prepare_cached(
            "SELECT m.crc, m.chunks, c.data FROM message m
             LEFT JOIN content c ON c.id BETWEEN m.first AND m.first + m.chunks - 1
             WHERE m.id = ?1 ORDER BY c.id",
        )
        .map_err(storage)?;
    let mut rows = statement.query([key(id)]).map_err(storage)?;
    // A column of another type than was written is damage as well.
    let damaged = |_| SpoolError::Damaged(id);
    let (mut sum, mut content, mut expected) = (crc32fast::Hasher::new(), Content::new(), None);
    while let Some(row) = rows.next().map_err(of_message(id))? {
        let says: (u32, u32) = (row.get(0).map_err(damaged)?, row.get(1).map_err(damaged)?);
        expected = Some(says);
        if let Some(octets) =
            row.get_ref(2).map_err(of_message(id))?.as_blob_or_null().map_err(|_| SpoolError::Damaged(id))?
        {
            sum.update(octets);
            content.push(octets.to_vec());
        }
    }
    let (crc, chunks) = expected.ok_or(SpoolError::Missing(id))?;
    if sum.finalize() != crc || content.chunks().len() != chunks as usize {
        return Err(SpoolError::Damaged(id));
    }
    Ok(content)
}

/// Parts in order.
pub(super) struct Page {
    pub rows: Vec<(MessageMeta, PartRecord)>,
    /// Whether there is none behind them.
    pub is_all: bool,
}

pub(super) fn scan(db: &Connection, after: Option<PartId>, limit: usize) -> Result<Page, SpoolError> {
    let mut statement = db
        .prepare_cached(
            "SELECT p.message, p.number, p.record, m.meta FROM part p LEFT JOIN message m ON m.id = p.message
             WHERE (p.message, p.number) > (?1, ?2) ORDER BY p.message, p.number LIMIT ?3",
        )
        .map_err(storage)?;
    let (message, number) = after.map_or((i64::MIN, -1), |part| (key(part.message), i64::from(part.number)));
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query((message, number, most)).map_err(storage)?;
    let mut found: Vec<(MessageMeta, PartRecord)> = Vec::new();
    let cut_short = |rows| Ok(Page { rows, is_all: false });
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => break,
            Err(error) if !is_damage(&error) => return Err(storage(error)),
            Err(_) if found.is_empty() => return Err(damage::behind(db, (message, number))),
            Err(_) => return cut_short(found),
        };
        let id = PartId { message: id_of_key(row.get(0).map_err(storage)?), number: row.get(1).map_err(storage)? };
        let (record, meta) = (octets(row, 2), octets(row, 3));
        // Parts of one message follow one another.
        let meta = match found.last() {
            Some((meta, _)) if meta.id == id.message => Ok(meta.clone()),
            _ => codec::meta_from_octets(id.message, meta),
        };
        match (meta, codec::part_from_octets(id, record)) {
            (Ok(meta), Ok(record)) => found.push((meta, record)),
            _ if !found.is_empty() => return cut_short(found),
            (Err(_), _) => return Err(SpoolError::Damaged(id.message)),
            // The other parts of a campaign go on.
            (Ok(_), Err(_)) => return Err(SpoolError::Gap { next: Some(PartId { number: id.number + 1, ..id }) }),
        }
    }
    Ok(Page { is_all: found.len() < limit, rows: found })
}

pub(super) fn last_id(db: &Connection) -> Result<Option<MessageId>, SpoolError> {
    let last: Option<i64> = db
        .query_row("SELECT max(id) FROM (SELECT id FROM message UNION ALL SELECT id FROM campaign)", [], |row| {
            row.get(0)
        })
        .map_err(storage)?;
    Ok(last.map(id_of_key))
}

const CAMPAIGN: &str =
    "SELECT id, rows, taken, refused, left_out, delivered, failed, suppressed, cancelled, record FROM campaign";

pub(super) fn campaigns(db: &Connection) -> Result<Vec<Campaign>, SpoolError> {
    let mut statement = db.prepare_cached(&format!("{CAMPAIGN} ORDER BY id")).map_err(storage)?;
    let mut rows = statement.query([]).map_err(storage)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(storage)? {
        found.push(campaign(row)?);
    }
    Ok(found)
}

fn campaign(row: &Row<'_>) -> Result<Campaign, SpoolError> {
    let id = id_of_key(row.get(0).map_err(storage)?);
    let count = |column| row.get::<_, i64>(column).map(|n| n.max(0) as u64).map_err(|_| SpoolError::Damaged(id));
    let tally = Tally {
        taken: count(2)?,
        refused: count(3)?,
        left_out: count(4)?,
        delivered: count(5)?,
        failed: count(6)?,
        suppressed: count(7)?,
        cancelled: count(8)?,
    };
    let rows = u32::try_from(count(1)?).map_err(|_| SpoolError::Damaged(id))?;
    codec::campaign_from_octets(id, rows, tally, octets(row, 9)).map_err(|_| SpoolError::Damaged(id))
}

pub(super) fn member(db: &Connection, part: PartId) -> Result<Option<Member>, SpoolError> {
    let damaged = |_| SpoolError::Damaged(part.message);
    let mut statement =
        db.prepare_cached("SELECT record FROM member WHERE message = ?1 AND number = ?2").map_err(storage)?;
    let record = statement
        .query_row((key(part.message), part.number), |row| Ok(codec::member_from_octets(octets(row, 0))))
        .optional()
        .map_err(storage)?;
    let Some(record) = record else { return Ok(None) };
    let (recipients, of) = record.map_err(damaged)?;
    if let Some((account, list)) = of {
        return Ok(Some(Member { recipients, account, list, campaign: None }));
    }
    let mut statement = db.prepare_cached(&format!("{CAMPAIGN} WHERE id = ?1")).map_err(storage)?;
    let campaign = statement.query_row([key(part.message)], |row| Ok(campaign(row))).optional().map_err(storage)?;
    // A member outlives its campaign by no more than one step of forgetting.
    let Some(campaign) = campaign.transpose()? else { return Ok(None) };
    let (account, list) = (Some(campaign.account), Some(campaign.list));
    Ok(Some(Member { recipients, account, list, campaign: Some(campaign.name) }))
}
