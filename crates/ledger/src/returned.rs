//! Mail that came back to one of our return paths, kept until somebody has read it.
//!
//! Promise: [`Returned::keep`] returns only after the message is synced, because the sender of
//! a notice that we took never sends it again. Bounded by size and age; at the bound the oldest
//! goes first, so that a flood of notices cannot fill the disk.
//!
//! What was kept is unread until [`Returned::done`] says otherwise, also over a restart. With it stands
//! what was heard and acted on, so that the same news, told again or forged again, does nothing.

use std::path::Path;
use std::time::Duration;

use repute_types::{Address, Content, MessageId, PartId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use crate::file::{File, FileKind};
use crate::{LedgerError, give_back, id_of_key, key};

const CHUNK_OCTETS: usize = 1 << 20;
/// News is remembered for twice this time, or twice the age of what is kept.
const HEARD_AGE: Duration = Duration::from_secs(180 * 24 * 3600);
/// Pages given back to the file system with each message deleted for room: 4 MiB.
const VACUUM_PAGES: u32 = 1024;

const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE returned (
        id         INTEGER PRIMARY KEY,
        at         INTEGER NOT NULL,
        sender     TEXT,
        recipients TEXT NOT NULL,
        size       INTEGER NOT NULL
    );
    CREATE TABLE chunk (
        message INTEGER NOT NULL,
        number  INTEGER NOT NULL,
        data    BLOB NOT NULL,
        PRIMARY KEY (message, number)
    ) WITHOUT ROWID;
    -- Octets of all contents, so that nothing is added up when a message comes.
    CREATE TABLE total (octets INTEGER NOT NULL);
    INSERT INTO total VALUES (0);
    CREATE TRIGGER more AFTER INSERT ON returned BEGIN UPDATE total SET octets = octets + new.size; END;
    CREATE TRIGGER less AFTER DELETE ON returned BEGIN UPDATE total SET octets = octets - old.size; END;
",
    "
    CREATE TABLE unread (id INTEGER PRIMARY KEY);
    INSERT INTO unread SELECT id FROM returned;
    -- News that was acted on: what, of which part, about whom.
    CREATE TABLE heard (
        message   INTEGER NOT NULL,
        part      INTEGER NOT NULL,
        recipient TEXT NOT NULL,
        what      TEXT NOT NULL,
        at        INTEGER NOT NULL,
        PRIMARY KEY (message, part, recipient, what)
    ) WITHOUT ROWID;
",
];

/// News about a recipient of a message: a bounce, a complaint, a wish to leave; or a letter about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Heard {
    pub part: PartId,
    /// As [`spelling`](crate::suppression::spelling) has it; of a letter, what tells it from others.
    pub recipient: String,
    pub what: &'static str,
}

/// What becomes of a message that has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterReading {
    Keep,
    Delete,
}

#[derive(Clone, Debug)]
pub struct ReturnedOptions {
    /// Octets of content kept at most.
    pub octets: u64,
    pub age: Duration,
}

impl Default for ReturnedOptions {
    fn default() -> ReturnedOptions {
        ReturnedOptions { octets: 1 << 30, age: Duration::from_secs(30 * 24 * 3600) }
    }
}

/// A returned message as it came.
#[derive(Clone, Debug)]
pub struct ReturnedMail {
    pub id: MessageId,
    pub at: Timestamp,
    /// `None` is the null sender of a notice.
    pub from: Option<Address>,
    pub recipients: Vec<Address>,
    pub content: Content,
}

/// What a list shows of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReturnedSummary {
    pub id: MessageId,
    pub at: Timestamp,
    pub from: Option<String>,
    pub recipients: Vec<String>,
    /// Octets.
    pub size: u64,
}

/// Cheap to clone: all clones are one store.
#[derive(Clone)]
pub struct Returned {
    db: File,
    options: ReturnedOptions,
}

impl Returned {
    pub fn open(path: &Path, options: ReturnedOptions) -> Result<Returned, LedgerError> {
        Ok(Returned { db: File::open(path, FileKind { shrinks: true, ..FileKind::FACTS }, MIGRATIONS)?, options })
    }

    /// Keeps a message, durably. The same id again replaces it.
    pub async fn keep(&self, mail: ReturnedMail) -> Result<(), LedgerError> {
        let options = self.options.clone();
        self.db
            .blocking(move |db| {
                insert(db, &mail)?;
                // The message is safe; what is too much goes now or with the next one.
                let _ = make_room(db, &options, mail.at);
                Ok(())
            })
            .await
    }

    /// The last ones, newest first.
    pub async fn list(&self, limit: usize) -> Result<Vec<ReturnedSummary>, LedgerError> {
        self.db
            .blocking(move |db| {
                let mut statement = db.prepare_cached(
                    "SELECT id, at, sender, recipients, size FROM returned ORDER BY id DESC LIMIT ?1",
                )?;
                let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
                    Ok(ReturnedSummary {
                        id: id_of_key(row.get(0)?),
                        at: Timestamp(row.get(1)?),
                        from: row.get(2)?,
                        recipients: row.get::<_, String>(3)?.split('\n').map(str::to_owned).collect(),
                        size: row.get::<_, i64>(4)?.max(0) as u64,
                    })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    pub async fn get(&self, id: MessageId) -> Result<Option<ReturnedMail>, LedgerError> {
        self.db.blocking(move |db| read(db, id)).await
    }

    /// The oldest that nobody has read, at most `limit`.
    pub async fn unread(&self, limit: usize) -> Result<Vec<MessageId>, LedgerError> {
        self.db
            .blocking(move |db| {
                let mut statement = db.prepare_cached("SELECT id FROM unread ORDER BY id LIMIT ?1")?;
                let ids =
                    statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| row.get(0).map(id_of_key))?;
                Ok(ids.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// Which of these news were acted on before, in their order.
    pub async fn was_heard(&self, news: Vec<Heard>) -> Result<Vec<bool>, LedgerError> {
        self.db
            .blocking(move |db| {
                let mut ask = db.prepare_cached(
                    "SELECT 1 FROM heard WHERE message = ?1 AND part = ?2 AND recipient = ?3 AND what = ?4",
                )?;
                let known = |n: &Heard| ask.exists(params![key(n.part.message), n.part.number, n.recipient, n.what]);
                Ok(news.iter().map(known).collect::<Result<_, _>>()?)
            })
            .await
    }

    /// How much news of this kind about a part was acted on.
    pub async fn count_heard(&self, part: PartId, what: &'static str) -> Result<usize, LedgerError> {
        self.db
            .blocking(move |db| {
                let mut count =
                    db.prepare_cached("SELECT COUNT(*) FROM heard WHERE message = ?1 AND part = ?2 AND what = ?3")?;
                Ok(count.query_row(params![key(part.message), part.number, what], |row| row.get::<_, i64>(0))?.max(0)
                    as usize)
            })
            .await
    }

    /// A message has been read and these news acted on: in one transaction, durably.
    pub async fn done(
        &self,
        id: MessageId,
        news: Vec<Heard>,
        at: Timestamp,
        then: AfterReading,
    ) -> Result<(), LedgerError> {
        let age = self.options.age;
        self.db
            .blocking(move |db| {
                let transaction = db.transaction()?;
                {
                    let mut add =
                        transaction.prepare_cached("INSERT OR IGNORE INTO heard VALUES (?1, ?2, ?3, ?4, ?5)")?;
                    for n in &news {
                        add.execute(params![key(n.part.message), n.part.number, n.recipient, n.what, at.0])?;
                    }
                    // A token is refused long before its news is forgotten.
                    transaction
                        .prepare_cached("DELETE FROM heard WHERE message < ?1")?
                        .execute([key(MessageId::first_at(at - 2 * age.max(HEARD_AGE)))])?;
                    transaction.prepare_cached("DELETE FROM unread WHERE id = ?1")?.execute([key(id)])?;
                }
                transaction.commit()?;
                match then {
                    AfterReading::Keep => {}
                    AfterReading::Delete => delete(db, key(id))?,
                }
                Ok(())
            })
            .await
    }

    /// Deletes one that has been read.
    pub async fn forget(&self, id: MessageId) -> Result<(), LedgerError> {
        self.db.blocking(move |db| Ok(delete(db, key(id))?)).await
    }
}

fn insert(db: &mut Connection, mail: &ReturnedMail) -> Result<(), LedgerError> {
    let transaction = db.transaction()?;
    let id = key(mail.id);
    transaction.prepare_cached("DELETE FROM chunk WHERE message = ?1")?.execute([id])?;
    transaction.prepare_cached("DELETE FROM returned WHERE id = ?1")?.execute([id])?;
    transaction.prepare_cached("INSERT OR IGNORE INTO unread VALUES (?1)")?.execute([id])?;
    let recipients: Vec<String> = mail.recipients.iter().map(ToString::to_string).collect();
    transaction.prepare_cached("INSERT INTO returned VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        id,
        mail.at.0,
        mail.from.as_ref().map(ToString::to_string),
        recipients.join("\n"),
        mail.content.len() as i64,
    ])?;
    {
        let mut add = transaction.prepare_cached("INSERT INTO chunk VALUES (?1, ?2, ?3)")?;
        let pieces = mail.content.chunks().iter().flat_map(|slice| slice.chunks(CHUNK_OCTETS));
        for (number, piece) in pieces.enumerate() {
            add.execute(params![id, number as i64, piece])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

fn read(db: &Connection, id: MessageId) -> Result<Option<ReturnedMail>, LedgerError> {
    let mut statement = db.prepare_cached("SELECT at, sender, recipients FROM returned WHERE id = ?1")?;
    let row = statement
        .query_row([key(id)], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, String>(2)?))
        })
        .optional()?;
    let Some((at, from, recipients)) = row else { return Ok(None) };
    let mut content = Content::new();
    let mut chunks = db.prepare_cached("SELECT data FROM chunk WHERE message = ?1 ORDER BY number")?;
    for chunk in chunks.query_map([key(id)], |row| row.get::<_, Vec<u8>>(0))? {
        content.push(chunk?);
    }
    Ok(Some(ReturnedMail {
        id,
        at: Timestamp(at),
        from: from.and_then(|text| text.parse().ok()),
        recipients: recipients.split('\n').filter_map(|text| text.parse().ok()).collect(),
        content,
    }))
}

fn make_room(db: &mut Connection, options: &ReturnedOptions, now: Timestamp) -> rusqlite::Result<()> {
    let mut size: i64 = db.query_row("SELECT octets FROM total", [], |row| row.get(0))?;
    loop {
        let oldest: Option<(i64, i64, i64)> = db
            .prepare_cached("SELECT id, at, size FROM returned ORDER BY id LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((id, at, of_this)) = oldest else { return Ok(()) };
        if size.max(0) as u64 <= options.octets && at >= (now - options.age).0 {
            return Ok(());
        }
        delete(db, id)?;
        give_back(db, VACUUM_PAGES)?;
        size -= of_this;
    }
}

fn delete(db: &mut Connection, id: i64) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    transaction.execute("DELETE FROM chunk WHERE message = ?1", [id])?;
    transaction.execute("DELETE FROM returned WHERE id = ?1", [id])?;
    transaction.execute("DELETE FROM unread WHERE id = ?1", [id])?;
    transaction.commit()
}
