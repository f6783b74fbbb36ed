//! Requests that are answered once, by the key that their sender gave them.
//!
//! Promises: [`Requests::reserve`] is synced before it returns, so that after a crash it is known
//! which messages a request had begun; [`Requests::answer`] outlives the process and may be lost
//! with the power, after which the answer is found again from the messages. Kept for
//! [`RequestOptions::age`], at most [`RequestOptions::most`] of them; beyond it the oldest go.

use std::path::Path;
use std::time::Duration;

use repute_types::{MessageId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::LedgerError;
use crate::file::{File, FileKind};

const MIGRATIONS: &[&str] = &["
    CREATE TABLE request (
        account TEXT NOT NULL,
        key     TEXT NOT NULL,
        digest  BLOB NOT NULL,
        at      INTEGER NOT NULL,
        -- Ids of the messages, eight octets each.
        ids     BLOB NOT NULL,
        status  INTEGER,
        answer  BLOB,
        PRIMARY KEY (account, key)
    );
    CREATE INDEX request_at ON request (at);
"];

/// Forgotten at each reservation, at most: more than one, so that there is an end to it.
const FORGET_STEP: i64 = 20;

#[derive(Clone, Debug)]
pub struct RequestOptions {
    pub age: Duration,
    pub most: u64,
}

impl Default for RequestOptions {
    fn default() -> RequestOptions {
        RequestOptions { age: Duration::from_secs(48 * 3600), most: 1_000_000 }
    }
}

/// Whose request, by which key, and the digest of all that it asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub account: String,
    pub key: String,
    pub digest: [u8; 32],
}

/// What is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    Nothing,
    /// It was begun with these ids and has no answer.
    Begun(Vec<MessageId>),
    Answered {
        status: u16,
        body: Vec<u8>,
    },
    /// The key belongs to another request.
    Another,
}

/// Cheap to clone: all clones are one store.
#[derive(Clone)]
pub struct Requests {
    db: File,
    options: RequestOptions,
}

impl Requests {
    pub fn open(path: &Path, options: RequestOptions) -> Result<Requests, LedgerError> {
        Ok(Requests { db: File::open(path, FileKind::FACTS, MIGRATIONS)?, options })
    }

    pub async fn find(&self, request: Request, now: Timestamp) -> Result<Known, LedgerError> {
        let since = now - self.options.age;
        self.db.blocking(move |db| known(db, &request, since)).await
    }

    /// Keeps the ids that the request is going to use, synced.
    pub async fn reserve(&self, request: Request, ids: Vec<MessageId>, now: Timestamp) -> Result<(), LedgerError> {
        let (before, most) = (now - self.options.age, self.options.most);
        self.db
            .blocking(move |db| {
                let ids: Vec<u8> = ids.iter().flat_map(|id| id.0.to_be_bytes()).collect();
                let transaction = db.transaction()?;
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO request VALUES (?1, ?2, ?3, ?4, ?5, NULL, NULL)")?
                    .execute(params![request.account, request.key, &request.digest[..], now.0, ids])?;
                forget(&transaction, before, most)?;
                transaction.commit()?;
                Ok(())
            })
            .await
    }

    /// Keeps the answer to a reserved request. Not synced: it can be found again.
    pub async fn answer(&self, request: Request, status: u16, body: Vec<u8>) -> Result<(), LedgerError> {
        self.db
            .blocking(move |db| {
                db.execute_batch("PRAGMA synchronous = NORMAL")?;
                let done = db
                    .prepare_cached("UPDATE request SET status = ?3, answer = ?4 WHERE account = ?1 AND key = ?2")
                    .and_then(|mut update| update.execute(params![request.account, request.key, status, body]));
                db.execute_batch("PRAGMA synchronous = FULL")?;
                done?;
                Ok(())
            })
            .await
    }

    /// Nothing came of it: the key is free again.
    pub async fn release(&self, request: Request) -> Result<(), LedgerError> {
        self.db
            .blocking(move |db| {
                db.prepare_cached("DELETE FROM request WHERE account = ?1 AND key = ?2")?
                    .execute(params![request.account, request.key])?;
                Ok(())
            })
            .await
    }
}

fn known(db: &Connection, request: &Request, since: Timestamp) -> Result<Known, LedgerError> {
    let mut find = db.prepare_cached(
        "SELECT digest, ids, status, answer FROM request WHERE account = ?1 AND key = ?2 AND at >= ?3",
    )?;
    let row = find.query_row(params![request.account, request.key, since.0], |row| {
        let answer = row.get::<_, Option<u16>>(2)?.zip(row.get::<_, Option<Vec<u8>>>(3)?);
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?, answer))
    });
    let Some((digest, ids, answer)) = row.optional()? else { return Ok(Known::Nothing) };
    if digest != request.digest {
        return Ok(Known::Another);
    }
    let id = |octets: &[u8]| octets.try_into().ok().map(|octets| MessageId(u64::from_be_bytes(octets)));
    Ok(match answer {
        Some((status, body)) => Known::Answered { status, body },
        None => Known::Begun(ids.chunks(8).filter_map(id).collect()),
    })
}

fn forget(db: &Connection, before: Timestamp, most: u64) -> rusqlite::Result<()> {
    let mut old = db.prepare_cached(
        "DELETE FROM request WHERE rowid IN (SELECT rowid FROM request WHERE at < ?1 ORDER BY at LIMIT ?2)",
    )?;
    old.execute(params![before.0, FORGET_STEP])?;
    // Rows are numbered as they come, so that the numbers tell how many there can be.
    let mut span = db.prepare_cached("SELECT max(rowid) - min(rowid) + 1 FROM request")?;
    let span: Option<i64> = span.query_row([], |row| row.get(0))?;
    if span.is_some_and(|span| span.max(0) as u64 > most) {
        let mut oldest = db
            .prepare_cached("DELETE FROM request WHERE rowid IN (SELECT rowid FROM request ORDER BY rowid LIMIT ?1)")?;
        oldest.execute([FORGET_STEP])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(key: &str, digest: u8) -> Request {
        Request { account: "shop".into(), key: key.into(), digest: [digest; 32] }
    }

    #[tokio::test]
    async fn a_request_is_known_by_its_key_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("requests.sqlite");
        let at = Timestamp(1_000_000_000);
        let open = || Requests::open(&path, RequestOptions::default()).unwrap();
        let requests = open();
        assert_eq!(requests.find(request("a", 1), at).await.unwrap(), Known::Nothing);
        let ids = vec![MessageId(5), MessageId(u64::MAX)];
        requests.reserve(request("a", 1), ids.clone(), at).await.unwrap();
        drop(requests);
        let requests = open();
        assert_eq!(requests.find(request("a", 1), at).await.unwrap(), Known::Begun(ids));
        assert_eq!(requests.find(request("a", 2), at).await.unwrap(), Known::Another);
        let other = Request { account: "other".into(), ..request("a", 1) };
        assert_eq!(requests.find(other, at).await.unwrap(), Known::Nothing);
        requests.answer(request("a", 1), 202, b"{}".to_vec()).await.unwrap();
        let answered = Known::Answered { status: 202, body: b"{}".to_vec() };
        assert_eq!(requests.find(request("a", 1), at).await.unwrap(), answered);
        let late = at + Duration::from_secs(49 * 3600);
        assert_eq!(requests.find(request("a", 1), late).await.unwrap(), Known::Nothing);
        requests.release(request("a", 1)).await.unwrap();
        assert_eq!(requests.find(request("a", 1), at).await.unwrap(), Known::Nothing);
    }

    #[tokio::test]
    async fn there_is_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let options = RequestOptions { most: 10, ..RequestOptions::default() };
        let requests = Requests::open(&folder.path().join("r"), options).unwrap();
        for n in 0..30 {
            requests.reserve(request(&n.to_string(), 1), Vec::new(), Timestamp(1000 + n)).await.unwrap();
        }
        let count: i64 = requests.db.lock().query_row("SELECT count(*) FROM request", [], |row| row.get(0)).unwrap();
        assert!(count <= 10, "{count}");
        assert_eq!(requests.find(request("29", 1), Timestamp(2000)).await.unwrap(), Known::Begun(Vec::new()));
    }
}
