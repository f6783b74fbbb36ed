//! The writer's side of the database: one transaction at a time.
//!
//! Promise: [`Database::write`] returns `Ok` only after everything handed to it is synced, and
//! after an error nothing of it is visible. [`Database::take`] takes a slice of the journal without a sync, and
//! with one where that was the last of its generation. After a sync that failed, the log is not believed:
//! it is copied into the database and begun again before the next transaction, because the
//! system may have forgotten pages that it could not write, and a second sync would succeed
//! without them.

use std::sync::Arc;

use repute_types::{MessageId, PartId};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::beside::Beside;
use super::checkpoint::{self, Checkpointer};
use super::inbox::Work;
use super::journal::{Files, Place};
use super::pending::Kept;
use super::reserve::Reserve;
use super::rows::{self, Rows, Statements};
use super::schema::{self, PAGE_OCTETS};
use super::vacuum::Vacuum;
use super::{Fault, Hook, Options, Step};
use crate::{Change, Settlement, SpoolError};

/// Pages of the log for a message or a settlement beside content, and not too few: of all tables and of what
/// tells which pages are free.
const PAGES_OF_CHANGE: u64 = 4;
/// By which the database grows for a part that is kept otherwise than before, and for a message beside its content.
const GROWTH_OF_CHANGE: u64 = 512;
const GROWTH_OF_MESSAGE: u64 = 2 * PAGE_OCTETS;
/// Small steps of giving space back in a row, so that the writer soon looks at its work again.
const MOST_SQUEEZES: usize = 64;

/// Why a transaction failed, by what to do next.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// No space: what is smaller may still fit.
    Full(String),
    /// The database refuses this record and no other.
    Record(String),
    /// It touches a damaged page; what does not can be written.
    Damage(String),
    /// The disk or the database fails, whatever is written.
    Disk(String),
}

impl Failure {
    pub fn to_error(&self) -> SpoolError {
        let (Failure::Full(text) | Failure::Record(text) | Failure::Damage(text) | Failure::Disk(text)) = self;
        SpoolError::Storage(text.clone())
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Failure::Full(text),
            Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch) => Failure::Record(text),
            Some(ErrorCode::DatabaseCorrupt) => Failure::Damage(text),
            _ => Failure::Disk(text),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        match fault {
            Fault::Full => Failure::Full("a test says that the disk is full".into()),
            Fault::Io => Failure::Disk("a test says that the disk fails".into()),
        }
    }
}

/// The row key of a message: the order of ids is the order of keys over the whole range, also
/// when the milliseconds in an id pass 2^41, in 2039.
pub(super) fn key(id: MessageId) -> i64 {
    (id.0 ^ (1 << 63)) as i64
}

pub(super) fn id_of_key(key: i64) -> MessageId {
    MessageId(key as u64 ^ (1 << 63))
}

pub(super) struct Database {
    db: Connection,
    hook: Arc<dyn Hook>,
    beside: Beside,
    next_content: i64,
    /// Reused for every record and for contents that come in slices.
    buffer: Vec<u8>,
    checkpointer: Checkpointer,
    vacuum: Vacuum,
    reserve: Reserve,
    /// Set by a failed write or sync: the log must be begun again first.
    distrusted: bool,
    /// Whether a transaction syncs when it is committed.
    syncs: bool,
    max_octets: Option<u64>,
}

impl Database {
    pub fn new(
        db: Connection,
        beside: Beside,
        options: &Options,
        checkpointer: Checkpointer,
        reserve: Reserve,
    ) -> rusqlite::Result<Database> {
        db.set_prepared_statement_cache_capacity(32);
        let next_content = db.query_row("SELECT coalesce(max(id), 0) + 1 FROM content", [], |row| row.get(0))?;
        let buffer = Vec::new();
        let vacuum = Vacuum::default();
        let (hook, max_octets) = (options.hook.clone(), options.max_octets);
        let mut database = Database {
            db,
            hook,
            beside,
            next_content,
            buffer,
            checkpointer,
            vacuum,
            reserve,
            distrusted: true,
            syncs: true,
            max_octets,
        };
        // What a process that was killed left in the log may never have been synced. Where this
        // fails (a full disk), what is there can still be read, and it is tried again before
        // the first transaction.
        let _ = database.begin_log_again();
        Ok(database)
    }

    /// Applies the settlements in order and then what is waited for, durably, or does nothing.
    pub fn write<'a>(
        &mut self,
        settlements: &[Arc<Settlement>],
        works: impl Iterator<Item = &'a Work> + Clone,
    ) -> Result<(), Failure> {
        let pages = PAGES_OF_CHANGE * (settlements.len() + works.clone().count()) as u64;
        let octets: usize = works.clone().map(Work::size).sum();
        let hook = self.hook.clone();
        let kept = settlements.iter().filter(|settlement| !settlement.change.is_end()).count() as u64;
        let notices = settlements.iter().flat_map(|settlement| &settlement.notices);
        let notices: u64 = notices.map(|notice| notice.content.len() as u64 + GROWTH_OF_MESSAGE).sum();
        self.expect_room(kept * GROWTH_OF_CHANGE + notices)?;
        self.transaction(true, pages * PAGE_OCTETS + octets as u64, |rows| {
            for settlement in settlements {
                rows.settle(settlement)?;
            }
            for work in works {
                rows.work(work)?;
            }
            rows.count_ends()?;
            hook.at(Step::BeforeCommit)?;
            Ok(())
        })?;
        self.passed(Step::AfterCommit);
        Ok(())
    }

    /// Takes changes and messages over from the journal, or nothing. With `generation` all of that is here then, and
    /// synced.
    pub fn take(
        &mut self,
        changes: &[(PartId, Change)],
        messages: &[Arc<Kept>],
        files: &Files,
        generation: Option<u64>,
    ) -> Result<(), Failure> {
        let pages = PAGES_OF_CHANGE * (messages.len() + changes.len()) as u64;
        let octets: u64 = messages.iter().map(|kept| kept.content.octets()).sum();
        self.hook.at(Step::BeforeDrain)?;
        let kept = changes.iter().filter(|(_, change)| !change.is_end()).count() as u64;
        self.expect_room(octets + messages.len() as u64 * GROWTH_OF_MESSAGE + kept * GROWTH_OF_CHANGE)?;
        self.transaction(generation.is_some(), pages * PAGE_OCTETS + octets, |rows| {
            for (part, change) in changes {
                rows.change(*part, change)?;
            }
            for kept in messages {
                let Place { segment, offset, seal } = kept.content;
                let Some(offset) = offset else {
                    rows.take_large(&kept.meta, &kept.parts, seal)?;
                    continue;
                };
                // What cannot be read is damaged: its checksum says so to whoever asks for it.
                let content = files.read(segment, offset, seal).map(|(content, _)| content).unwrap_or_default();
                rows.take(&kept.meta, &kept.parts, &content, seal.crc)?;
            }
            rows.count_ends()?;
            generation.map_or(Ok(()), |generation| rows.took(generation))
        })?;
        if generation.is_some() {
            self.passed(Step::Drained);
        }
        self.passed(Step::AfterDrain);
        Ok(())
    }

    /// Changes a part whose message, or itself, may stand on a damaged page. What cannot be taken out stays
    /// there and takes room: without its part it is nobody's. What cannot be changed for the damage is left.
    pub fn change_beside_damage(&mut self, part: PartId, change: &Change) -> Result<(), Failure> {
        for leaves_content in [false, true] {
            let changed = self.transaction(false, PAGES_OF_CHANGE * PAGE_OCTETS, |rows| {
                rows.leaves_content = leaves_content;
                rows.change(part, change)?;
                rows.count_ends()
            });
            if !matches!(changed, Err(Failure::Damage(_))) {
                return changed;
            }
        }
        Ok(())
    }

    /// Whether a message is here.
    pub fn holds(&self, id: MessageId) -> rusqlite::Result<bool> {
        rows::holds(&self.db, id)
    }

    /// Whether a part is here.
    pub fn holds_part(&self, part: PartId) -> rusqlite::Result<bool> {
        let mut find = self.db.prepare_cached("SELECT 1 FROM part WHERE message = ?1 AND number = ?2")?;
        find.exists((key(part.message), part.number))
    }

    /// An error where mail has to wait until the disk has room again; `pending` octets wait to come here.
    pub fn ask_for_room(&mut self, pending: u64) -> Result<(), Failure> {
        if !self.reserve.hold(self.checkpointer.is_at_rest()) {
            return Err(Failure::Full(self.want_of_room()));
        }
        match self.max_octets {
            Some(most) if schema::octets(&self.db)? + pending > most => {
                Err(Failure::Full("the database is at its bound".into()))
            }
            _ => Ok(()),
        }
    }

    /// While the reserve is not there, an error before the log is filled with what could not be copied into a database that cannot
    /// grow: then not even what makes room could be written.
    fn expect_room(&self, growth: u64) -> Result<(), Failure> {
        if growth == 0 || self.reserve.is_held() {
            return Ok(());
        }
        let pages: u32 = self.db.prepare_cached("PRAGMA freelist_count")?.query_row([], |row| row.get(0))?;
        let free = u64::from(pages) * PAGE_OCTETS;
        if growth > free + self.reserve.room() { Err(Failure::Full(self.want_of_room())) } else { Ok(()) }
    }

    /// What is said while the reserve is not there.
    pub fn want_of_room(&self) -> String {
        format!("less than {} MiB of the disk are free", self.reserve.octets() >> 20)
    }

    fn transaction(
        &mut self,
        synced: bool,
        octets: u64,
        write: impl FnOnce(&mut Rows<'_, '_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.distrusted {
            self.begin_log_again()?;
        }
        if synced != self.syncs {
            self.db.execute_batch(if synced { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" })?;
            self.syncs = synced;
        }
        let next_content = self.next_content;
        let written = self.within_transaction(write);
        self.checkpointer.added(octets);
        if let Err(failure) = &written {
            self.next_content = next_content;
            self.distrusted = matches!(failure, Failure::Disk(_));
            if let Failure::Full(_) = failure {
                self.reserve.hand_over();
                // Where this fails, the next transaction meets the same failure and reports it.
                let _ = self.empty_log();
            }
        }
        written
    }

    fn within_transaction(
        &mut self,
        write: impl FnOnce(&mut Rows<'_, '_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut statements = Statements::prepare(&transaction)?;
        let mut rows = Rows::new(&transaction, &mut statements, &mut self.next_content, &mut self.buffer, &*self.hook);
        write(&mut rows)?;
        let gone = std::mem::take(&mut rows.gone);
        drop(rows);
        drop(statements);
        transaction.commit()?;
        // Whatever is synced of this transaction: that their parts have ended stands in the journal, or was synced with it.
        gone.iter().for_each(|id| self.beside.remove(*id));
        Ok(())
    }

    /// Tells the hook of a step after which nothing can fail any more.
    pub fn passed(&self, step: Step) {
        let _ = self.hook.at(step);
    }

    /// What has to be done now and then, after a transaction. None of it loses anything when
    /// it fails; a disk that fails here fails the next transaction too, and that one says so.
    pub fn tidy(&mut self) {
        let _ = self.checkpointer.look_after(&self.db, &*self.hook);
        if !self.reserve.is_held() {
            self.reserve.hold_for_database();
        }
        if let Ok(freed) = self.vacuum.look_after(&self.db)
            && freed > 0
        {
            // The file shrinks when the log that says so is copied.
            self.checkpointer.ask();
        }
    }

    /// Whether a quiet moment is of use.
    pub fn wants_quiet(&self) -> bool {
        self.vacuum.is_due()
    }

    /// Whether mail is refused until the disk has room again.
    pub fn is_full(&self) -> bool {
        !self.reserve.is_held()
    }

    /// Uses a quiet moment: a step of giving space back, copied into the file at the end.
    pub fn use_quiet(&mut self) {
        if !self.reserve.hold(self.checkpointer.is_at_rest()) {
            self.squeeze();
            return;
        }
        let was_wanted = self.vacuum.wanted;
        let Ok(freed) = self.vacuum.step(&self.db) else { return };
        self.checkpointer.added(freed);
        if was_wanted && !self.vacuum.wanted {
            // The file shrinks when the log that says so is copied.
            let _ = checkpoint::copy(&self.db, &*self.hook);
        }
        // No `tidy`: to the vacuum that is one transaction more, after which it would look again, for ever.
        let _ = self.checkpointer.look_after(&self.db, &*self.hook);
    }

    /// On a full disk: gives back what deliveries have freed, so that the reserve can be had again.
    pub fn squeeze(&mut self) {
        for _ in 0..MOST_SQUEEZES {
            let more = self.vacuum.squeeze(&self.db);
            // The file shrinks when the log that says so is copied; if not now, then later.
            if self.empty_log().is_err() || !matches!(more, Ok(true)) {
                break;
            }
        }
    }

    /// Copies all of the log into the database, synced; the next transaction writes over it.
    fn begin_log_again(&mut self) -> Result<(), Failure> {
        self.checkpoint("PRAGMA wal_checkpoint(RESTART)")?;
        self.distrusted = false;
        Ok(())
    }

    /// The same, and gives the log's space back: a large message that failed has filled it. What the log has while the reserve is not
    /// there stays the log's: what makes room has to be written first, and whoever else filled the disk takes at once what is free.
    pub fn empty_log(&mut self) -> Result<(), Failure> {
        if self.reserve.has_room_in_log() {
            self.checkpoint("PRAGMA wal_checkpoint(RESTART)")?;
        } else {
            self.checkpoint("PRAGMA wal_checkpoint(TRUNCATE)")?;
            self.reserve.hold_for_log();
        }
        if !self.reserve.is_held() {
            self.reserve.hold_for_database();
        }
        Ok(())
    }

    fn checkpoint(&self, pragma: &str) -> Result<(), Failure> {
        let busy: bool = self.db.query_row(pragma, [], |row| row.get(0))?;
        match busy {
            true => Err(Failure::Disk("the log is being read and cannot be begun again".into())),
            false => Ok(()),
        }
    }
}
