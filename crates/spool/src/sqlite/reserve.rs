//! Space set aside for a full disk.
//!
//! A delivery can only be recorded where the log can grow, or be copied into a database that
//! can grow. On a disk without a free block neither can, and every message delivered then
//! would go again after a restart. So a file holds blocks for it: it is given up when the disk
//! is full, and no mail is accepted until it can be had back.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use nix::fcntl::posix_fallocate;

pub(super) struct Reserve {
    path: PathBuf,
    octets: u64,
    held: bool,
}

impl Reserve {
    /// Finds the reserve of the last run, or sets a new one aside where the disk has room.
    pub fn new(path: PathBuf, octets: u64) -> Reserve {
        // A sparse or shorter file holds no blocks.
        let held = fs::metadata(&path).is_ok_and(|file| file.blocks() * 512 >= octets && file.len() == octets);
        let mut reserve = Reserve { path, octets, held };
        reserve.hold();
        reserve
    }

    /// Whether the reserve is there, after trying to have it back.
    pub fn hold(&mut self) -> bool {
        if !self.held {
            self.held = self.allocate().is_ok();
            if !self.held {
                self.give_up();
            }
        }
        self.held
    }

    pub fn is_held(&self) -> bool {
        self.held
    }

    pub fn give_up(&mut self) {
        self.held = false;
        // Where it is not there, its blocks are free already.
        let _ = fs::remove_file(&self.path);
    }

    pub fn octets(&self) -> u64 {
        self.octets
    }

    fn allocate(&self) -> io::Result<()> {
        let file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&self.path)?;
        let octets = i64::try_from(self.octets).unwrap_or(i64::MAX);
        posix_fallocate(&file, 0, octets).map_err(io::Error::from)
    }
}
