//! Giving space back to the file system after a backlog.
//!
//! Free pages are used again by the next messages, so some are kept; what is beyond that is
//! given back in small steps, a step after each quiet moment, and now and then under load.

use rusqlite::Connection;

use super::schema::PAGE_OCTETS;

/// Free octets that stay in the file for the mail to come.
const KEPT_OCTETS: i64 = 16 << 20;
/// Pages of one step: at most 4 MiB to move, some milliseconds.
const STEP_PAGES: i64 = 1024;
const SMALL_STEP_PAGES: i64 = 32;
/// Transactions between two steps under load.
const ROUNDS: u32 = 64;

#[derive(Default)]
pub(super) struct Vacuum {
    rounds: u32,
    /// Whether the last look found more free pages than are kept.
    pub wanted: bool,
}

impl Vacuum {
    /// Called by the writer after each transaction; says how many octets were given back.
    pub fn look_after(&mut self, db: &Connection) -> rusqlite::Result<u64> {
        self.rounds += 1;
        if self.rounds < ROUNDS {
            return Ok(0);
        }
        self.step(db)
    }

    /// One step, if there is much to give back; says how many octets. Whether there is more is in `wanted`.
    pub fn step(&mut self, db: &Connection) -> rusqlite::Result<u64> {
        self.give_back(db, KEPT_OCTETS / PAGE_OCTETS as i64, STEP_PAGES)
    }

    /// One step on a full disk: nothing is kept, and little is moved, because each page moved
    /// is a page of the log until that is copied. Whether there is more.
    pub fn squeeze(&mut self, db: &Connection) -> rusqlite::Result<bool> {
        let mut pages = SMALL_STEP_PAGES;
        while let Err(error) = self.give_back(db, 0, pages) {
            // The log may have room for less.
            pages /= 2;
            if pages == 0 {
                return Err(error);
            }
        }
        Ok(self.wanted)
    }

    fn give_back(&mut self, db: &Connection, kept: i64, most: i64) -> rusqlite::Result<u64> {
        self.rounds = 0;
        self.wanted = false;
        let excess = free_pages(db)? - kept;
        if excess <= 0 {
            return Ok(0);
        }
        let pages = excess.min(most);
        // The statement frees a page for each row that is taken from it.
        let mut statement = db.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        self.wanted = excess > pages;
        Ok(pages as u64 * PAGE_OCTETS)
    }

    /// For a quiet moment: whether to look at all. A spool that was just used may have
    /// freed pages that nobody has counted yet.
    pub fn is_due(&self) -> bool {
        self.wanted || self.rounds > 0
    }
}

fn free_pages(db: &Connection) -> rusqlite::Result<i64> {
    db.prepare_cached("PRAGMA freelist_count")?.query_row([], |row| row.get(0))
}
