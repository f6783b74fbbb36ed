//! The journal: what was accepted and settled of late, synced before it is answered.
//!
//! Most mail is delivered within moments. It is written here once, in one piece and with one sync for all
//! that waits, and never reaches the database: that takes, later and without hurry, what is left.
//! Two segments, files of a fixed size that are there from the start (so that a full disk cannot keep
//! a delivery from being recorded), are written in turn. Each turn of a segment is a *generation*; it may
//! be written over once the database says that it has taken all of it.
//!
//! Promise: a block is whole or not there. What was torn by a power cut is not read, what was refused is
//! not either; a block that bit rot has damaged does not hide those behind it.
//! Fails with the error of the disk, and then nothing of the block will be read.

mod block;
mod read;
mod tried;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise, posix_fallocate};
use repute_types::{Content, Random, SystemRandom};

pub(super) use self::block::{Block, Record};
pub(super) use self::read::Found;
use self::read::Scanned;
pub use self::tried::try_journal;
use super::beside::Seal;

/// Blocks begin on a page of the system's cache, so that no page of one that is synced is written again.
const ALIGNED: u64 = 4096;

/// Octets of a segment at least: some blocks.
const LEAST: u64 = 16 * ALIGNED;

/// Octets of zeros that are written at a time where a segment is made.
const ZEROS: u64 = 1 << 20;

/// Where a content stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where the message's record is.
    pub segment: usize,
    /// `None`: in a file of its own, beside.
    pub offset: Option<u64>,
    pub seal: Seal,
}

impl Place {
    /// The same, of a block that begins there.
    pub fn of_block(self, segment: usize, at: u64) -> Place {
        Place { segment, offset: self.offset.map(|offset| at + offset), ..self }
    }

    pub fn is_beside(&self) -> bool {
        self.offset.is_none()
    }

    /// Octets of content that go into the database.
    pub fn octets(&self) -> u64 {
        if self.is_beside() { 0 } else { u64::from(self.seal.len) }
    }
}

struct Segment {
    /// Which turn this is; of all turns of both segments, the highest is the youngest.
    generation: u64,
    /// Random: what is left of other generations is not of this one, and no content can look like a block of it.
    salt: u64,
    blocks: u64,
    /// Where the next block goes.
    end: u64,
    /// Whether octets of a block that was refused may stand there.
    soiled: bool,
}

/// The files, for whoever reads contents.
#[derive(Clone)]
pub(super) struct Files(Arc<[File; 2]>);

pub(super) struct Journal {
    files: Files,
    segments: [Segment; 2],
    /// The segment that is written.
    active: usize,
    octets: u64,
}

impl Journal {
    /// Opens or makes both segments of `octets` each, and gives what stands in those generations
    /// that the database has not taken.
    pub fn open(dir: &Path, octets: u64, drained: u64) -> io::Result<(Journal, Vec<Found>)> {
        let paths = [dir.join("journal-0"), dir.join("journal-1")];
        // What was larger once stays so: mail may stand there.
        let found = paths.iter().map(|path| fs::metadata(path).map_or(0, |file| file.len())).max().unwrap_or(0);
        let octets = octets.max(found).max(LEAST).next_multiple_of(ALIGNED);
        let files = [open_segment(&paths[0], octets)?, open_segment(&paths[1], octets)?];
        let scanned = [read::segment(&files[0], octets, drained, 0), read::segment(&files[1], octets, drained, 1)];
        let mut found = Vec::new();
        let segments = scanned.map(|Scanned { found: of_segment, salt, blocks, end }| {
            let generation = of_segment.generation;
            found.push(of_segment);
            Segment { generation, salt, blocks, end, soiled: false }
        });
        files.iter().for_each(leave_cache);
        let active = usize::from(segments[1].generation > segments[0].generation);
        let mut journal = Journal { files: Files(Arc::new(files)), segments, active, octets };
        if journal.generation(active) <= drained {
            journal.begin(active, drained + 1);
        }
        found.retain(|found| found.generation > drained);
        found.sort_by_key(|found| found.generation);
        Ok((journal, found))
    }

    fn begin(&mut self, segment: usize, generation: u64) {
        let salt = SystemRandom::new().next();
        // What is there of an earlier generation is not read any more, whether it is refused or not.
        self.segments[segment] = Segment { generation, salt, blocks: 0, end: 0, soiled: false };
        self.active = segment;
    }

    /// Begins the other segment again, of which nothing is needed any more.
    pub fn turn(&mut self) {
        let generation = self.generation(self.active) + 1;
        self.begin(1 - self.active, generation);
    }

    pub fn active(&self) -> usize {
        self.active
    }

    pub fn generation(&self, segment: usize) -> u64 {
        self.segments[segment].generation
    }

    /// Octets of one segment.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Octets that are left in the active segment.
    pub fn room(&self) -> u64 {
        self.octets - self.segments[self.active].end
    }

    pub fn files(&self) -> Files {
        self.files.clone()
    }

    /// Writes a block behind the last one; not synced. Gives where it begins.
    pub fn write(&mut self, block: &mut Block) -> io::Result<u64> {
        self.clean()?;
        let (file, segment) = (&self.files.0[self.active], &mut self.segments[self.active]);
        let octets = block.seal(segment.generation, segment.salt, segment.blocks);
        segment.soiled = true;
        file.write_all_at(octets, segment.end)?;
        Ok(segment.end)
    }

    /// Syncs what was written; only then it counts.
    pub fn sync(&mut self, block: &Block) -> io::Result<()> {
        self.files.0[self.active].sync_data()?;
        let segment = &mut self.segments[self.active];
        segment.end += block.octets();
        segment.blocks += 1;
        segment.soiled = false;
        Ok(())
    }

    /// Makes sure that a block which was refused is not read after a crash; where the disk fails, that is
    /// tried again before the next one.
    pub fn take_back(&mut self) {
        // What is wrong with the disk, the next block says.
        let _ = self.clean();
    }

    fn clean(&mut self) -> io::Result<()> {
        let (file, segment) = (&self.files.0[self.active], &mut self.segments[self.active]);
        if segment.soiled {
            if segment.end + ALIGNED <= self.octets {
                file.write_all_at(&[0; block::HEADER], segment.end)?;
                file.sync_data()?;
            }
            segment.soiled = false;
        }
        Ok(())
    }
}

impl Files {
    /// A content in a segment, whether it checks or not: the place may have been written over meanwhile.
    pub fn read(&self, segment: usize, offset: u64, seal: Seal) -> io::Result<(Content, bool)> {
        let mut octets = vec![0; seal.len as usize];
        self.0[segment].read_exact_at(&mut octets, offset)?;
        let whole = crc32fast::hash(&octets) == seal.crc;
        Ok((Content::from(octets), whole))
    }
}

/// The system keeps what was written or read in one go in pieces as large, and counts all of such a piece as written where
/// one page of it is: what the program writes looked a hundred times as much. Written block by block the pieces are small.
fn leave_cache(file: &File) {
    // A file system that cannot keeps it as it is.
    let _ = posix_fadvise(file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
}

fn open_segment(path: &Path, octets: u64) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)?;
    // Writing over what is there costs half of what it costs to write where nothing ever was: no extent changes, so nothing of
    // the file system's own is synced.
    let zeros = vec![0; ZEROS as usize];
    let mut len = file.metadata()?.len();
    while len < octets {
        let more = ZEROS.min(octets - len);
        file.write_all_at(&zeros[..more as usize], len)?;
        len += more;
    }
    // What a process that was killed wrote may never have been synced.
    file.sync_all()?;
    // A copy may have left out what is zero, and the room would be somebody else's when it is wanted.
    if file.metadata()?.blocks() * 512 < octets {
        posix_fallocate(&file, 0, i64::try_from(octets).unwrap_or(i64::MAX)).map_err(io::Error::from)?;
        file.sync_all()?;
    }
    Ok(file)
}
