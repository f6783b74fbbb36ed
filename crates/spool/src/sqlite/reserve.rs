//! Space set aside for a full disk.
//!
//! A delivery can only be recorded where the log can grow, or be copied into a database that
//! can grow. On a disk without a free block neither can, and every message delivered then
//! would go again after a restart. So a file holds blocks for it: it is given up when the disk
//! is full, and no mail is accepted until it can be had back.
//!
//! Its blocks go to the database and to its log, beyond their ends, and not to whoever else filled the disk: with
//! them, what is delivered or cancelled can be taken out of the database when there is not an octet left.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{FallocateFlags, fallocate, posix_fallocate};
use nix::sys::statvfs::statvfs;

/// Such a part of the reserve is for the log; less where there is less.
const FOR_LOG: u64 = 8;
const LEAST: u64 = 16 << 10;

pub(super) struct Reserve {
    path: PathBuf,
    /// Open for as long as the database is: a file that is closed loses the locks that others of this process have on it.
    database: Option<File>,
    log: PathBuf,
    octets: u64,
    held: bool,
}

impl Reserve {
    /// Finds the reserve of the last run, or sets a new one aside where the disk has room.
    pub fn new(path: PathBuf, database: &Path, octets: u64) -> Reserve {
        // A sparse or shorter file holds no blocks.
        let held = fs::metadata(&path).is_ok_and(|file| file.blocks() * 512 >= octets && file.len() == octets);
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        let database = File::options().write(true).open(database).ok();
        let mut reserve = Reserve { path, database, log: log.into(), octets, held };
        reserve.hold(true);
        reserve
    }

    /// Whether the reserve is there, after trying to have it back. `at_rest`: nobody else writes the database now, so that what was
    /// handed over to it can be part of that.
    pub fn hold(&mut self, at_rest: bool) -> bool {
        if !self.held {
            self.held = self.allocate().is_ok();
            if !self.held {
                self.give_up();
                self.held = at_rest && self.take_back() && self.allocate().is_ok();
            }
            if !self.held {
                self.give_up();
            }
        }
        self.held
    }

    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Gives it up to whoever takes it.
    pub fn give_up(&mut self) {
        self.held = false;
        // Where it is not there, its blocks are free already.
        let _ = fs::remove_file(&self.path);
    }

    /// Gives it up to the database and its log.
    pub fn hand_over(&mut self) {
        if !self.held {
            return;
        }
        self.give_up();
        self.hold_for_log();
        self.hold_for_database();
    }

    /// Gives the database blocks beyond its end, those that it lost: whenever its log has been copied, SQLite cuts them off.
    pub fn hold_for_database(&self) {
        if let Some(database) = &self.database
            && let Ok(known) = database.metadata()
        {
            grow(database, known.len(), self.octets - self.octets / FOR_LOG);
        }
    }

    /// Octets by which the database may grow while the reserve is not there.
    pub fn room(&self) -> u64 {
        self.handed().map_or(0, |(handed, _)| handed) + self.free()
    }

    /// Gives the log, which is empty, blocks to be written in: its length stays.
    pub fn hold_for_log(&self) {
        // Nobody locks this one.
        if let Ok(log) = File::options().write(true).open(&self.log) {
            grow(&log, 0, self.octets / FOR_LOG);
        }
    }

    /// Whether the reserve is not there, and the log has as much as it is given of it and not much more.
    pub fn has_room_in_log(&self) -> bool {
        let wanted = self.octets / FOR_LOG;
        let known = fs::metadata(&self.log).map_or(0, |log| log.blocks() * 512);
        !self.held && (wanted..=2 * wanted).contains(&known)
    }

    pub fn octets(&self) -> u64 {
        self.octets
    }

    fn allocate(&self) -> io::Result<()> {
        let file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&self.path)?;
        let octets = i64::try_from(self.octets).unwrap_or(i64::MAX);
        posix_fallocate(&file, 0, octets).map_err(io::Error::from)
    }

    /// Takes back what the database has beyond its end, if the reserve can be had with that.
    fn take_back(&self) -> bool {
        let Some((handed, len)) = self.handed() else { return false };
        let cut = |database: &File| database.set_len(len).is_ok();
        handed > 0 && self.free() + handed >= self.octets && self.database.as_ref().is_some_and(cut)
    }

    /// What the database has beyond its end, and where that is.
    fn handed(&self) -> Option<(u64, u64)> {
        let known = self.database.as_ref()?.metadata().ok()?;
        Some(((known.blocks() * 512).saturating_sub(known.len()), known.len()))
    }

    /// Of a disk that cannot be asked nothing is known to be free.
    fn free(&self) -> u64 {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        statvfs(folder).map_or(0, |disk| disk.blocks_available() * disk.fragment_size())
    }
}

/// Gives a file blocks from there on, as many as can be had; its length stays.
fn grow(file: &File, from: u64, mut octets: u64) {
    let allocate = |octets: u64| {
        let [from, octets] = [from, octets].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        fallocate(file, FallocateFlags::FALLOC_FL_KEEP_SIZE, from, octets)
    };
    while octets >= LEAST && allocate(octets).is_err() {
        octets /= 2;
    }
}
