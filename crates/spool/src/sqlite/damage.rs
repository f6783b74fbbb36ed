//! What a damaged page of the database hides, and where it can be read again behind it.

use repute_types::PartId;
use rusqlite::{Connection, ErrorCode, OptionalExtension};

use super::store::id_of_key;
use crate::SpoolError;

/// Whether the database does not understand itself, which trying again does not mend.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
}

/// Why nothing can be read behind this key of a part, beside its message.
pub(super) fn behind(db: &Connection, after: (i64, i64)) -> SpoolError {
    match first_part(db, after) {
        // The part can be read; what is damaged is its message.
        Ok(Some(part)) => SpoolError::Damaged(part.message),
        Ok(None) => SpoolError::Gap { next: None },
        Err(_) => SpoolError::Gap { next: first_readable(db, after.0) },
    }
}

fn first_part(db: &Connection, after: (i64, i64)) -> rusqlite::Result<Option<PartId>> {
    let mut first = db.prepare_cached(
        "SELECT message, number FROM part WHERE (message, number) > (?1, ?2) ORDER BY message, number LIMIT 1",
    )?;
    first.query_row(after, |row| Ok(PartId { message: id_of_key(row.get(0)?), number: row.get(1)? })).optional()
}

/// The first part behind the damage that begins after this message: a page holds what lies between two keys, so a place
/// that can be read is looked for ever further ahead, and then the way back is halved.
fn first_readable(db: &Connection, after: i64) -> Option<PartId> {
    let seek = |key: i128| first_part(db, (i64::try_from(key).unwrap_or(i64::MAX), -1));
    let (mut damaged, mut step) = (i128::from(after), 1);
    let (mut readable, mut found) = loop {
        let key = damaged + step;
        match seek(key) {
            Ok(found) => break (key, found),
            Err(_) if key >= i128::from(i64::MAX) => return None,
            Err(_) => (damaged, step) = (key, step * 2),
        }
    };
    while readable - damaged > 1 {
        let middle = damaged + (readable - damaged) / 2;
        match seek(middle) {
            Ok(part) => (readable, found) = (middle, part),
            Err(_) => damaged = middle,
        }
    }
    found
}
