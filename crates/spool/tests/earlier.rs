//! A folder of each earlier schema (docs/spool.md), as a clean stop left it, is opened with its mail and brought up to date.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use common::*;
use repute_spool::sqlite::Options;
use repute_spool::{Spool, SqliteSpool};

const NOW: i64 = 5;

/// What takes a schema back to the one before, by its number.
const TAKEN_BACK: [(i64, &str); 2] = [(3, "DROP TABLE journal;"), (2, "DROP TABLE campaign; DROP TABLE member;")];

#[tokio::test]
async fn what_an_earlier_version_left_is_there_after_an_upgrade() {
    for earlier in 1..NOW {
        let dir = tempfile::tempdir().unwrap();
        let spool = SqliteSpool::open(dir.path(), Options::default()).unwrap();
        for n in 1..=3 {
            spool.commit(message(n, octets(n, 10_000), &["a.example", "b.example"])).await.unwrap();
        }
        spool.settle(done(2, 0));
        drop(spool);
        let db = rusqlite::Connection::open(dir.path().join("spool.sqlite")).unwrap();
        for (_, sql) in TAKEN_BACK.iter().filter(|(schema, _)| *schema > earlier) {
            db.execute_batch(sql).unwrap();
        }
        db.pragma_update(None, "user_version", earlier).unwrap();
        drop(db);
        if earlier < 3 {
            // There was no journal.
            (0..2).for_each(|n| std::fs::remove_file(dir.path().join(format!("journal-{n}"))).unwrap());
        }
        let spool = SqliteSpool::open(dir.path(), Options::default()).unwrap();
        let left: Vec<_> = spool.scan(None, 10).await.unwrap().into_iter().map(|(_, part)| part.id).collect();
        let all = [part_id(1, 0), part_id(1, 1), part_id(2, 1), part_id(3, 0), part_id(3, 1)];
        assert_eq!(left, all, "schema {earlier}");
        assert!(spool.content(id(3)).await.unwrap().to_vec() == octets(3, 10_000), "schema {earlier}");
        // Also what only the newest one has a place for.
        spool.commit(message(4, octets(4, 5_000_000), &["a.example"])).await.unwrap();
        drop(spool);
        let db = rusqlite::Connection::open(dir.path().join("spool.sqlite")).unwrap();
        let schema: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!(schema, NOW);
    }
}
