//! The list itself: memory in front of a file.
//!
//! In memory stands a hash of each (scope, address). A question whose hashes are not there is answered
//! by that; only a hit reads its row, by the key, over a connection of its own that no writer's sync keeps
//! waiting. Writers are one at a time, and answer when SQLite has synced.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

use repute_types::labels::list_name;
use repute_types::{Address, Domain, Timestamp};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::entry::{Entry, Scope, Why, spelling};
use super::rows;
use crate::LedgerError;
use crate::file::{FileKind, blocking, lock, open, open_reader};

/// Entries deleted in one transaction.
const STEP: usize = 1000;

/// Which entries are meant; everything that is set has to hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    pub address: Option<Address>,
    /// The domain of the address, exactly.
    pub domain: Option<Domain>,
    /// Of the account: for all of it, and for its lists.
    pub account: Option<String>,
    /// Exactly this scope.
    pub scope: Option<Scope>,
    pub why: Option<Why>,
    /// Added at this time or later: what a receiver's bad hour put there can be taken away again.
    pub since: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    pub selection: Selection,
    /// Also what is over.
    pub expired: bool,
    /// The last entry of the page before.
    pub after: Option<Entry>,
    pub limit: usize,
}

/// What a release took away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    pub entries: usize,
}

/// Cheap to clone: all clones are one list.
#[derive(Clone)]
pub struct Suppressions {
    shared: Arc<Shared>,
}

struct Shared {
    known: RwLock<Known>,
    reader: Mutex<Connection>,
    writer: Mutex<Connection>,
}

/// A hash is spread already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        // Only ever fed with one `u64`; whatever else comes is not lost.
        octets.iter().for_each(|b| self.0 = self.0.rotate_left(8) ^ u64::from(*b));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

/// Of each of the two connections, in KiB.
const CACHE: u32 = 8192;

type Known = HashSet<u64, BuildHasherDefault<AsItIs>>;

impl Suppressions {
    /// Opens the list in the file `path`, making it where there is none.
    pub fn open(path: &Path) -> Result<Suppressions, LedgerError> {
        let mut writer = open(path, FileKind { cache: CACHE, ..FileKind::FACTS }, rows::MIGRATIONS)?;
        let failed = |source| LedgerError::Open { path: path.to_owned(), source };
        rows::fold_lists(&mut writer).map_err(failed)?;
        let known = load(&writer).map_err(failed)?;
        let reader = open_reader(path, CACHE)?;
        let shared = Shared { known: RwLock::new(known), reader: Mutex::new(reader), writer: Mutex::new(writer) };
        Ok(Suppressions { shared: Arc::new(shared) })
    }

    /// A page of the list in a file that exists, for questions alone, also beside a server that writes it.
    pub fn peek(path: &Path, query: &Query, now: Timestamp) -> Result<Vec<Entry>, LedgerError> {
        Ok(rows::page(&open_reader(path, FileKind::FACTS.cache)?, query, now)?)
    }

    /// Whether mail of this account by this list to the address is suppressed, and by what: the
    /// entry that weighs most. Reads one row where the address is listed, memory alone where not.
    ///
    /// # Errors
    /// Where the address is listed and its row cannot be read: it is then unknown whether the
    /// entry still counts, and the mail waits.
    pub fn find(
        &self,
        account: Option<&str>,
        list: Option<&str>,
        address: &Address,
        now: Timestamp,
    ) -> Result<Option<Entry>, LedgerError> {
        let spelled = spelling(address);
        if !self.may_know(account, list, &spelled) {
            return Ok(None);
        }
        let entries = rows::about(&lock(&self.shared.reader), &spelled, account, list)?;
        Ok(entries.into_iter().filter(|entry| !entry.is_over(now)).max_by_key(|entry| entry.why))
    }

    /// Whether anything at all is listed: nothing needs to be asked where not.
    pub fn is_empty(&self) -> bool {
        self.read_known().is_empty()
    }

    /// Addresses in their scopes, those that are over and not forgotten yet included.
    pub fn len(&self) -> usize {
        self.read_known().len()
    }

    /// Adds an entry, durably.
    pub async fn add(&self, entry: Entry) -> Result<(), LedgerError> {
        self.import(vec![entry]).await.map(drop)
    }

    /// Adds entries in one transaction, durably; all of them or, at an error, none. Returns how many
    /// were new. A few thousand at once keep memory small.
    pub async fn import(&self, entries: Vec<Entry>) -> Result<usize, LedgerError> {
        self.write(move |shared, db| {
            let transaction = db.transaction()?;
            let mut new = 0;
            for entry in &entries {
                new += usize::from(rows::add(&transaction, entry)?);
            }
            transaction.commit()?;
            let mut known = shared.known.write().unwrap_or_else(|poisoned| poisoned.into_inner());
            known.extend(entries.iter().map(|entry| hash(&entry.scope, &spelling(&entry.address))));
            Ok(new)
        })
        .await
    }

    /// A page in the order of the addresses.
    pub async fn list(&self, query: Query, now: Timestamp) -> Result<Vec<Entry>, LedgerError> {
        let shared = self.shared.clone();
        blocking(move || Ok(rows::page(&lock(&shared.reader), &query, now)?)).await
    }

    /// Takes away what is meant, durably. An empty selection means everything.
    pub async fn release(&self, selection: Selection) -> Result<Released, LedgerError> {
        self.write(move |shared, db| {
            let mut released = Released::default();
            let mut query = Query { selection, expired: true, limit: STEP, ..Query::default() };
            loop {
                let page = rows::page(db, &query, Timestamp(i64::MIN))?;
                delete(shared, db, &page)?;
                released.entries += page.len();
                if page.len() < STEP {
                    return Ok(released);
                }
                query.after = page.into_iter().next_back();
            }
        })
        .await
    }

    /// Forgets what is over, some at most; returns whether there may be more.
    pub async fn forget_over(&self, now: Timestamp) -> Result<bool, LedgerError> {
        self.write(move |shared, db| {
            let page = rows::over(db, now, STEP)?;
            delete(shared, db, &page)?;
            Ok(page.len() == STEP)
        })
        .await
    }

    fn may_know(&self, account: Option<&str>, list: Option<&str>, spelled: &str) -> bool {
        let known = self.read_known();
        if known.is_empty() {
            return false;
        }
        known.contains(&hash_of("", "", spelled))
            || account.is_some_and(|account| {
                known.contains(&hash_of(account, "", spelled))
                    || list.is_some_and(|list| known.contains(&hash_of(account, list, spelled)))
            })
    }

    fn read_known(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.shared.known.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared, &mut Connection) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let shared = self.shared.clone();
        blocking(move || work(&shared, &mut lock(&shared.writer))).await
    }
}

/// Deletes entries, and their hashes where nothing else stands for the same address and scope.
fn delete(shared: &Shared, db: &mut Connection, entries: &[Entry]) -> Result<(), LedgerError> {
    let transaction = db.transaction()?;
    let mut gone = Known::default();
    for entry in entries {
        rows::delete(&transaction, entry)?;
        let spelled = spelling(&entry.address);
        let rest = rows::about(&transaction, &spelled, entry.scope.account(), entry.scope.list())?;
        if rest.iter().all(|other| other.scope != entry.scope) {
            gone.insert(hash(&entry.scope, &spelled));
        }
    }
    transaction.commit()?;
    // Two addresses of one hash: the other would no longer be found. With 64 bits and ten million
    // entries that is one chance in 300,000, and it lasts until the next start.
    let mut known = shared.known.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    for hash in gone {
        known.remove(&hash);
    }
    Ok(())
}

fn load(db: &Connection) -> rusqlite::Result<Known> {
    let count: i64 = db.query_row("SELECT count(*) FROM suppressed", [], |row| row.get(0))?;
    let mut known = Known::with_capacity_and_hasher(usize::try_from(count).unwrap_or(0), BuildHasherDefault::default());
    let mut statement = db.prepare("SELECT address, account, list FROM suppressed")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let text = |column| row.get_ref(column).and_then(|value| Ok(value.as_str()?));
        known.insert(hash_of(text(1)?, text(2)?, text(0)?));
    }
    Ok(known)
}

fn hash(scope: &Scope, spelled: &str) -> u64 {
    hash_of(scope.account().unwrap_or(""), scope.list().unwrap_or(""), spelled)
}

fn hash_of(account: &str, list: &str, spelled: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    let list = list_name(list);
    (account, list.as_str(), spelled).hash(&mut hasher);
    hasher.finish()
}
