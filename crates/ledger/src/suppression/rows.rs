//! Entries as rows of SQLite.

use repute_types::labels::list_name;
use repute_types::{Address, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter};

use super::entry::{Entry, Scope, Why, spelling};
use super::store::{Query, Selection};
use crate::{id_of_key, key};

/// `account` and `list` are empty where an entry counts for all of them, so that the key is whole.
pub(super) const MIGRATIONS: &[&str] = &["
    CREATE TABLE suppressed (
        address TEXT NOT NULL,
        account TEXT NOT NULL,
        list    TEXT NOT NULL,
        why     TEXT NOT NULL,
        written TEXT NOT NULL,
        reason  TEXT NOT NULL,
        reply   TEXT,
        message INTEGER,
        at      INTEGER NOT NULL,
        expires INTEGER,
        PRIMARY KEY (address, account, list, why)
    ) WITHOUT ROWID;
    CREATE INDEX expiring ON suppressed (expires) WHERE expires IS NOT NULL;
"];

const COLUMNS: &str = "written, account, list, why, reason, reply, message, at, expires";

/// Writes an entry; what is known of the same address, scope and cause is replaced, unless it is for
/// good and the new one is not. Returns whether there was none before.
pub(super) fn add(db: &Connection, entry: &Entry) -> rusqlite::Result<bool> {
    let address = spelling(&entry.address);
    let (account, list) = (entry.scope.account().unwrap_or(""), list_name(entry.scope.list().unwrap_or("")));
    let known: Option<Option<i64>> = db
        .prepare_cached(
            "SELECT expires FROM suppressed WHERE address = ?1 AND account = ?2 AND list = ?3 AND why = ?4",
        )?
        .query_row(params![address, account, list, entry.why.as_str()], |row| row.get(0))
        .optional()?;
    if known == Some(None) && entry.expires.is_some() {
        return Ok(false);
    }
    db.prepare_cached("INSERT OR REPLACE INTO suppressed VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?.execute(
        params![
            address,
            account,
            list,
            entry.why.as_str(),
            entry.address.to_string(),
            entry.reason,
            entry.reply,
            entry.message.map(key),
            entry.at.0,
            entry.expires.map(|t| t.0),
        ],
    )?;
    Ok(known.is_none())
}

/// Every entry of an address that counts for the account and the list, expired ones as well.
pub(super) fn about(
    db: &Connection,
    address: &str,
    account: Option<&str>,
    list: Option<&str>,
) -> rusqlite::Result<Vec<Entry>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM suppressed
         WHERE address = ?1 AND (account = '' OR (account = ?2 AND (list = '' OR list = ?3)))"
    ))?;
    // `''` as an account's or list's name finds what counts for all, which is found anyway.
    let list = list_name(list.unwrap_or(""));
    let rows = statement.query_map(params![address, account.unwrap_or(""), list], read)?;
    rows.collect()
}

/// Entries of before lists had one spelling, brought to it.
pub(super) fn fold_lists(db: &mut Connection) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    let mut statement = transaction.prepare("SELECT DISTINCT list FROM suppressed WHERE list <> ''")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    for name in names.iter().filter(|name| list_name(name) != **name) {
        let text = format!("SELECT {COLUMNS} FROM suppressed WHERE list = ?1");
        let entries = transaction.prepare(&text)?.query_map([name], read)?.collect::<Result<Vec<_>, _>>()?;
        transaction.execute("DELETE FROM suppressed WHERE list = ?1", [name])?;
        for entry in &entries {
            add(&transaction, entry)?;
        }
    }
    drop(statement);
    transaction.commit()
}

/// A page of entries in the order of their keys.
pub(super) fn page(db: &Connection, query: &Query, now: Timestamp) -> rusqlite::Result<Vec<Entry>> {
    let (mut conditions, mut values) = of_selection(&query.selection);
    if !query.expired {
        conditions.push("(expires IS NULL OR expires > ?)".into());
        values.push(Value::Integer(now.0));
    }
    if let Some(after) = &query.after {
        conditions.push("(address, account, list, why) > (?, ?, ?, ?)".into());
        values.push(Value::Text(spelling(&after.address)));
        values.extend(names_of(&after.scope));
        values.push(Value::Text(after.why.as_str().into()));
    }
    let wanted = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
    values.push(Value::Integer(i64::try_from(query.limit).unwrap_or(i64::MAX)));
    let text = format!("SELECT {COLUMNS} FROM suppressed WHERE {wanted} ORDER BY address, account, list, why LIMIT ?");
    db.prepare(&text)?.query_map(params_from_iter(values), read)?.collect()
}

pub(super) fn delete(db: &Connection, entry: &Entry) -> rusqlite::Result<()> {
    let [account, list] = names_of(&entry.scope);
    db.prepare_cached("DELETE FROM suppressed WHERE address = ?1 AND account = ?2 AND list = ?3 AND why = ?4")?
        .execute(params![spelling(&entry.address), account, list, entry.why.as_str()])?;
    Ok(())
}

/// At most `limit` entries that are over.
pub(super) fn over(db: &Connection, now: Timestamp, limit: usize) -> rusqlite::Result<Vec<Entry>> {
    let text = format!("SELECT {COLUMNS} FROM suppressed WHERE expires IS NOT NULL AND expires <= ?1 LIMIT ?2");
    db.prepare_cached(&text)?.query_map(params![now.0, i64::try_from(limit).unwrap_or(i64::MAX)], read)?.collect()
}

fn of_selection(selection: &Selection) -> (Vec<String>, Vec<Value>) {
    let (mut conditions, mut values) = (Vec::new(), Vec::new());
    let mut want = |condition: &str, value: String| {
        conditions.push(condition.to_owned());
        values.push(Value::Text(value));
    };
    if let Some(address) = &selection.address {
        want("address = ?", spelling(address));
    }
    if let Some(domain) = &selection.domain {
        // The local part may hold an '@' in quotes: only the end is compared.
        let end = format!("@{domain}");
        want(&format!("substr(address, -{}) = ?", end.len()), end);
    }
    if let Some(scope) = &selection.scope {
        want("account = ?", scope.account().unwrap_or("").to_owned());
        want("list = ?", list_name(scope.list().unwrap_or("")));
    } else if let Some(account) = &selection.account {
        want("account = ?", account.clone());
    }
    if let Some(why) = selection.why {
        want("why = ?", why.as_str().to_owned());
    }
    if let Some(since) = selection.since {
        conditions.push("at >= ?".to_owned());
        values.push(Value::Integer(since.0));
    }
    (conditions, values)
}

fn names_of(scope: &Scope) -> [Value; 2] {
    let list = list_name(scope.list().unwrap_or(""));
    [scope.account().unwrap_or("").to_owned(), list].map(Value::Text)
}

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let bad =
        |column: usize| rusqlite::Error::InvalidColumnType(column, "suppressed".into(), rusqlite::types::Type::Text);
    let name = |column: usize| row.get::<_, String>(column).map(|text| Some(text).filter(|text| !text.is_empty()));
    Ok(Entry {
        address: Address::parse(&row.get::<_, String>(0)?).map_err(|_| bad(0))?,
        scope: Scope::of(name(1)?.as_deref(), name(2)?.as_deref()),
        why: row.get::<_, String>(3)?.parse::<Why>().map_err(|_| bad(3))?,
        reason: row.get(4)?,
        reply: row.get(5)?,
        message: row.get::<_, Option<i64>>(6)?.map(id_of_key),
        at: Timestamp(row.get(7)?),
        expires: row.get::<_, Option<i64>>(8)?.map(Timestamp),
    })
}
