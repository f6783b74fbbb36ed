//! The writer's side of the disk: the journal first, the database behind it.
//!
//! Promise: [`Store::keep`] and [`Store::write`] return `Ok` only after everything handed to them is synced,
//! and after an error nothing of it is there. What [`Store::keep`] put into the journal goes into the
//! database a little after each transaction ([`Store::tidy`]), beginning when the other segment is half
//! full: by then most of it is delivered and need not go at all. In quiet moments the rest goes.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use repute_types::{MessageId, PartId, Set};

use super::beside::Beside;
use super::database::{Database, Failure};
use super::health::Health;
use super::inbox::{Arrival, Work};
use super::journal::{Block, Files, Found, Journal, Place, Record};
use super::pending::{Known, Pending, Slice};
use super::{Hook, Step};
use crate::{Refusal, Settlement};

/// Messages and changes of a segment at most, so that what is known of them in memory stays small.
const MOST_ENTRIES: usize = 16_384;
/// Messages and changes that go into the database in one step, for each that came meanwhile: a
/// segment is drained long before the other is full.
const STEP: usize = 8;
/// The same at least, and the step of one in a hurry.
const LEAST_STEP: usize = 64;
const LONG_STEP: usize = 1024;
/// Such a part of a segment is for settlements by which parts are gone, where there is no room for others: what is cancelled
/// on a full disk makes room.
const ENDS: u64 = 32;
/// Parts that are taken out at a time where there is no room: little of the log, which is begun again between them.
const END_STEP: usize = 64;
/// Without work for so long, the rest of the journal goes into the database.
const IDLE: Duration = Duration::from_secs(1);
/// A moment without work, after which space may be given back.
const QUIET: Duration = Duration::from_millis(100);
/// The same on a disk that is full or fails, where it is tried until it succeeds.
const QUIET_WHEN_REFUSED: Duration = Duration::from_secs(1);

/// Between two tries to have the reserve back for no message: deliveries go on on a full disk, and are many.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) struct Store {
    database: Database,
    beside: Beside,
    journal: Journal,
    /// The youngest generation of which everything is in the database.
    taken: u64,
    pending: Arc<Pending>,
    hook: Arc<dyn Hook>,
    block: Block,
    /// Messages and changes since the last step of the drain.
    came: usize,
    /// What the disk said to the last write, where that failed.
    failing: Option<String>,
    /// When it was last tried, without mail, to have the reserve back.
    looked: Option<Instant>,
    health: Arc<Health>,
}

impl Store {
    /// Goes on with what the journal holds.
    pub fn new(
        (database, beside): (Database, Beside),
        taken: u64,
        (journal, found): (Journal, Vec<Found>),
        hook: Arc<dyn Hook>,
    ) -> rusqlite::Result<Store> {
        let pending = Arc::new(Pending::default());
        for generation in found {
            for record in generation.records {
                match record {
                    // A step of the drain that was under way has brought it there.
                    Record::Message { meta, .. } if database.holds(meta.id)? => {}
                    Record::Message { meta, parts, content } => pending.add(meta, parts, content),
                    // Its content goes with the rest that is no message's.
                    Record::Change(part, change) => _ = pending.change(part, &change, generation.segment),
                }
            }
        }
        let (block, health) = (Block::default(), Arc::default());
        Ok(Store {
            database,
            beside,
            journal,
            taken,
            pending,
            hook,
            block,
            came: 0,
            failing: None,
            looked: None,
            health,
        })
    }

    /// Whether there is such a message, by all that can be read.
    pub fn may_hold(&self, id: MessageId) -> bool {
        self.pending.holds(id) || self.database.holds(id).unwrap_or(true)
    }

    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// Has it known whether mail is taken, after trying to have the room for it back.
    pub fn look(&mut self) {
        if self.database.is_full() && self.looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
            let _ = self.database.ask_for_room(self.pending.octets());
            self.looked = Some(Instant::now());
        }
        self.tell_health();
    }

    fn tell_health(&self) {
        let full = self.database.is_full().then(|| Refusal::Full(self.database.want_of_room()));
        self.health.is_now(full.or_else(|| self.failing.clone().map(Refusal::Failing)));
    }

    /// Has it known what a write came to, before anybody is answered.
    fn noted<T>(&mut self, written: Result<T, Failure>) -> Result<T, Failure> {
        match &written {
            Ok(_) => self.failing = None,
            Err(Failure::Disk(text)) => self.failing = Some(text.clone()),
            // It has room when the reserve is there, and the others fail alone.
            Err(Failure::Full(_) | Failure::Record(_) | Failure::Damage(_)) => {}
        }
        self.tell_health();
        written
    }

    pub fn pending(&self) -> &Arc<Pending> {
        &self.pending
    }

    pub fn files(&self) -> Files {
        self.journal.files()
    }

    /// Keeps settlements, in order, and then works that are messages, durably, or does nothing. Gives where each content is;
    /// `None` where all of it went into the database instead, being more than a segment holds or what could be read as several blocks.
    pub fn keep<'a>(
        &mut self,
        settlements: &[Arc<Settlement>],
        works: impl Iterator<Item = &'a Work> + Clone,
    ) -> Result<Option<Vec<Place>>, Failure> {
        let kept = self.try_keep(settlements, works);
        self.noted(kept)
    }

    fn try_keep<'a>(
        &mut self,
        settlements: &[Arc<Settlement>],
        works: impl Iterator<Item = &'a Work> + Clone,
    ) -> Result<Option<Vec<Place>>, Failure> {
        if works.clone().next().is_some() {
            self.database.ask_for_room(self.pending.octets())?;
        }
        self.hook.at(Step::BeforeTransaction)?;
        self.block.clear();
        let settled = self.put_settlements(settlements)?;
        let mut places = self.put_messages(works.clone().filter_map(Work::arrival))?;
        if self.block.octets() > self.journal.octets() || self.block.looks_like_more() {
            self.drain()?;
            self.database.write(settlements, works)?;
            return Ok(None);
        }
        let only_ends = works.clone().next().is_none() && settlements.iter().all(|settlement| settlement.is_bare_end());
        self.make_room(only_ends)?;
        let at = self.append()?;
        self.passed(Step::AfterCommit);
        let segment = self.journal.active();
        self.came += places.len() + settled.len();
        for Settled { settlement, notices } in settled {
            if let Some(gone) = self.pending.change(settlement.part, &settlement.change, segment) {
                self.beside.remove(gone);
            }
            for (notice, place) in settlement.notices.iter().zip(notices) {
                self.pending.add(notice.meta.clone(), notice.parts.clone(), place.of_block(segment, at));
            }
        }
        places.iter_mut().for_each(|place| *place = place.of_block(segment, at));
        Ok(Some(places))
    }

    /// Puts the settlements into the block, but for those of parts that are gone and their notices.
    fn put_settlements<'a>(&mut self, settlements: &'a [Arc<Settlement>]) -> Result<Vec<Settled<'a>>, Failure> {
        let (mut ended, mut settled) = (Set::default(), Vec::with_capacity(settlements.len()));
        for settlement in settlements {
            // Without a notice the change of a part that is gone does nothing anyway.
            if !settlement.notices.is_empty() && !self.is_known(settlement.part, &ended)? {
                continue;
            }
            if settlement.change.is_end() {
                ended.insert(settlement.part);
            }
            self.block.change(settlement.part, &settlement.change);
            let mut notices = Vec::with_capacity(settlement.notices.len());
            for notice in &settlement.notices {
                notices.push(self.block.message(&notice.meta, &notice.parts, &notice.content));
                self.hook.at(Step::AfterInsert)?;
            }
            settled.push(Settled { settlement, notices });
        }
        Ok(settled)
    }

    fn is_known(&self, part: PartId, ended: &Set<PartId>) -> Result<bool, Failure> {
        if ended.contains(&part) {
            return Ok(false);
        }
        match self.pending.part(part) {
            Known::Part(_) => Ok(true),
            Known::Gone => Ok(false),
            Known::Changed(change) if change.is_end() => Ok(false),
            Known::Changed(_) | Known::Unknown => match self.database.holds_part(part).map_err(Failure::from) {
                // It stands on a damaged page; that somebody is told twice is less than that nobody is.
                Err(Failure::Damage(_)) => Ok(true),
                known => known,
            },
        }
    }

    fn put_messages<'a>(&mut self, arrivals: impl Iterator<Item = &'a Arrival>) -> Result<Vec<Place>, Failure> {
        let (mut seen, mut places) = (Set::<MessageId>::default(), Vec::new());
        for Arrival { message, beside } in arrivals {
            let id = message.meta.id;
            if !seen.insert(id) || self.pending.holds(id) {
                return Err(Failure::Record(format!("there is a message {id} already")));
            }
            places.push(match beside {
                Some(written) => self.block.large_message(&message.meta, &message.parts, written.seal),
                None => self.block.message(&message.meta, &message.parts, &message.content),
            });
            self.hook.at(Step::AfterInsert)?;
        }
        Ok(places)
    }

    /// Writes and syncs the block; gives where it stands.
    fn append(&mut self) -> Result<u64, Failure> {
        let written = self.journal.write(&mut self.block).map_err(Failure::from).and_then(|at| {
            self.hook.at(Step::BeforeCommit)?;
            self.journal.sync(&self.block)?;
            Ok(at)
        });
        if written.is_err() {
            self.journal.take_back();
        }
        written
    }

    /// What is not for the journal, durably, into the database.
    pub fn write<'a>(&mut self, works: impl Iterator<Item = &'a Work> + Clone) -> Result<(), Failure> {
        let written = self.try_write(works);
        self.noted(written)
    }

    fn try_write<'a>(&mut self, works: impl Iterator<Item = &'a Work> + Clone) -> Result<(), Failure> {
        if works.clone().any(Work::wants_room) {
            self.database.ask_for_room(self.pending.octets())?;
        }
        self.hook.at(Step::BeforeTransaction)?;
        self.database.write(&[], works)
    }

    /// Makes the block fit into the active segment: where it does not, the other one's turn comes. Where it takes parts out
    /// and nothing else, what is left for that counts, and a little more memory is no matter.
    fn make_room(&mut self, only_ends: bool) -> Result<(), Failure> {
        let left = if only_ends { 0 } else { self.journal.octets() / ENDS };
        let fits = self.block.octets() + left <= self.journal.room();
        let many = self.pending.entries(self.journal.active()) >= MOST_ENTRIES;
        if !fits || many && !only_ends {
            self.turn()?;
        }
        Ok(())
    }

    /// Drains the other segment and begins it again.
    fn turn(&mut self) -> Result<(), Failure> {
        while !self.is_drained() {
            self.step(LONG_STEP)?;
        }
        self.journal.turn();
        self.pending.forget(self.journal.active());
        Ok(())
    }

    /// The segment that is not written.
    fn other(&self) -> usize {
        1 - self.journal.active()
    }

    /// Whether the database has all of the other segment.
    fn is_drained(&self) -> bool {
        self.journal.generation(self.other()) <= self.taken
    }

    /// Takes the next messages and changes of the other segment into the database; fewer of them where the disk has little room,
    /// and then the log is begun again behind them.
    fn step(&mut self, mut most: usize) -> Result<(), Failure> {
        let segment = self.other();
        let (slice, generation) = loop {
            let slice = self.pending.slice(segment, most, true);
            let generation = slice.is_last.then(|| self.journal.generation(segment));
            match self.take(&slice, generation) {
                Err(Failure::Full(_)) if most > 1 => most = slice.len().min(most) / 4,
                taken => break taken.map(|()| (slice, generation))?,
            }
            most = most.max(1);
        };
        if self.database.is_full() {
            let _ = self.database.empty_log();
        }
        self.pending.drained(&slice);
        self.taken = generation.unwrap_or(self.taken);
        Ok(())
    }

    fn take(&mut self, slice: &Slice, generation: Option<u64>) -> Result<(), Failure> {
        let files = self.journal.files();
        let mut taken = self.database.take(&slice.changes, &slice.messages, &files, generation);
        if let Err(Failure::Full(_)) = taken {
            // The reserve has been given up for this.
            taken = self.database.take(&slice.changes, &slice.messages, &files, generation);
        }
        if let Err(Failure::Full(_)) = taken
            && self.take_ends()? > 0
        {
            taken = self.database.take(&slice.changes, &slice.messages, &files, generation);
        }
        if let Err(Failure::Damage(_)) = taken {
            // What cannot be changed cannot be read either, and nothing waits for it.
            for (part, change) in &slice.changes {
                self.database.change_beside_damage(*part, change)?;
            }
            taken = self.database.take(&[], &slice.messages, &files, generation);
        }
        taken
    }

    /// Takes what is gone out of the database, a little at a time, which needs no room but that of the log; says how much it was.
    fn take_ends(&mut self) -> Result<usize, Failure> {
        let (files, mut count, mut most) = (self.journal.files(), 0, END_STEP);
        loop {
            let ends = self.pending.ends(most);
            if ends.is_empty() {
                return Ok(count);
            }
            match self.database.take(&ends, &[], &files, None) {
                Err(Failure::Full(_)) if most > 1 => {
                    most /= 2;
                    continue;
                }
                taken => taken?,
            }
            self.pending.took(&ends);
            count += ends.len();
            // Where somebody reads it, the next one has less of it.
            let _ = self.database.empty_log();
        }
    }

    /// Takes everything into the database.
    fn drain(&mut self) -> Result<(), Failure> {
        self.turn()?;
        while !self.is_drained() {
            self.step(LONG_STEP)?;
        }
        Ok(())
    }

    /// Takes the changes of those parts into the database that it has, for readers who ask it.
    pub fn drain_changes(&mut self) -> Result<(), Failure> {
        for segment in [self.other(), self.journal.active()] {
            loop {
                let slice = self.pending.slice(segment, LONG_STEP, false);
                if slice.changes.is_empty() {
                    break;
                }
                self.take(&slice, None)?;
                self.pending.drained(&slice);
            }
        }
        Ok(())
    }

    /// Tells the hook of a step after which nothing can fail any more.
    pub fn passed(&self, step: Step) {
        self.database.passed(step);
    }

    /// What has to be done now and then, after a transaction. None of it loses anything when
    /// it fails; a disk that fails here fails the next transaction too, and that one says so.
    pub fn tidy(&mut self) {
        let half_full = self.journal.room() < self.journal.octets() / 2
            || self.pending.entries(self.journal.active()) > MOST_ENTRIES / 2;
        if half_full && !self.is_drained() {
            let _ = self.step(LEAST_STEP + STEP * self.came);
        }
        self.came = 0;
        self.database.tidy();
    }

    /// How long to wait for work before a quiet moment is used; `None` where there is no use for one.
    pub fn quiet(&self) -> Option<Duration> {
        if self.database.is_full() || self.failing.is_some() {
            Some(QUIET_WHEN_REFUSED)
        } else if !self.pending.is_empty() {
            Some(IDLE)
        } else {
            self.database.wants_quiet().then_some(QUIET)
        }
    }

    /// Uses a quiet moment.
    pub fn use_quiet(&mut self) {
        if self.database.is_full() {
            self.squeeze();
        } else if self.failing.is_some() {
            // A block of nothing: mail may have stopped coming because it was refused.
            let _ = self.keep(&[], std::iter::empty());
        } else if self.pending.is_empty() || self.drain().is_ok() {
            self.database.use_quiet();
        }
    }

    /// On a full disk: gives back what deliveries have freed, so that the reserve can be had again.
    pub fn squeeze(&mut self) {
        // What the disk refuses now is tried again soon. Ends first: they make room. Messages stay in the journal: there they take nothing.
        let _ = self.take_ends().and_then(|_| self.drain_changes());
        self.database.squeeze();
        let _ = self.database.ask_for_room(self.pending.octets());
    }

    /// Before the end: everything into the database. What the disk refuses, the next start finds in the journal.
    pub fn close(&mut self) {
        if !self.pending.is_empty() {
            let _ = self.drain();
        }
    }
}

/// A settlement in the block, with where its notices stand.
struct Settled<'a> {
    settlement: &'a Settlement,
    notices: Vec<Place>,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        let text = format!("the journal: {error}");
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Failure::Full(text),
            _ => Failure::Disk(text),
        }
    }
}
