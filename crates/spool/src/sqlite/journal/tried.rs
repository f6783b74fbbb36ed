//! For the fuzz target: a journal that anybody may have written, and one that is written here, damaged in one place
//! and read.
//!
//! Holds: nothing stops the reader, and it keeps no more than the file has. What was written reads as it was, but for
//! the block that was hit, and for the content of that block's messages; and the journal goes on behind it.

mod lay;

use std::io;
use std::iter::Copied;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::slice::Iter;

use self::lay::{Written, lay, put};
use super::block::{self, HEADER, Header, Record};
use super::read::{self, Scanned};
use super::{ALIGNED, Place};

const SECTOR: u64 = 512;
/// Pages of a file that others have written, and blocks of ours, at most: enough for each to be among others.
const MOST_PAGES: u64 = 48;
const MOST_BLOCKS: u64 = 8;

/// Octets as a journal.
///
/// # Panics
/// Where it does not hold.
#[doc(hidden)]
pub fn try_journal(octets: &[u8]) {
    let mut choices = Choices(octets.iter().copied());
    match choices.next() % 2 {
        0 => try_found(&mut choices),
        _ => try_written(&mut choices),
    }
}

struct Choices<'a>(Copied<Iter<'a, u8>>);

impl Choices<'_> {
    fn next(&mut self) -> u8 {
        self.0.next().unwrap_or_default()
    }

    fn number(&mut self) -> u64 {
        u64::from(self.next()) << 8 | u64::from(self.next())
    }

    fn is_empty(&self) -> bool {
        self.0.len() == 0
    }
}

/// A file in memory, of which the disk may refuse to read a part.
#[derive(Clone)]
struct Disk {
    octets: Vec<u8>,
    refused: Range<u64>,
}

impl Disk {
    fn new(octets: u64) -> Disk {
        Disk { octets: vec![0; octets as usize], refused: 0..0 }
    }

    /// Whole pages, and so many octets at least.
    fn pad(&mut self, octets: u64) {
        self.octets.resize(self.len().max(octets).next_multiple_of(ALIGNED) as usize, 0);
    }

    fn len(&self) -> u64 {
        self.octets.len() as u64
    }

    fn scanned(&self, drained: u64) -> Scanned {
        read::segment(self, self.len(), drained, 0)
    }

    fn put(&mut self, octets: &[u8], at: u64) {
        let end = at as usize + octets.len();
        self.octets.resize(self.octets.len().max(end), 0);
        self.octets[at as usize..end].copy_from_slice(octets);
        if at < self.refused.end && self.refused.start < end as u64 {
            // A sector that is written over is another one.
            self.refused = 0..0;
        }
    }
}

impl FileExt for Disk {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let end = (offset + buffer.len() as u64).min(self.len());
        if offset < self.refused.end && self.refused.start < end {
            return Err(io::Error::other("the disk refuses"));
        }
        let found = self.octets.get(offset as usize..end as usize).unwrap_or_default();
        buffer[..found.len()].copy_from_slice(found);
        Ok(found.len())
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}

/// A file with something on each page: octets, or a block in which some are changed. What looks like a block may be given
/// its right checksum.
fn try_found(choices: &mut Choices<'_>) {
    let (drained, mut disk, mut sealed) = (u64::from(choices.next() % 4), Disk::new(0), Vec::new());
    while !choices.is_empty() && disk.len() < MOST_PAGES * ALIGNED {
        let (kind, at) = (choices.next(), disk.len());
        match kind & 8 {
            0 => put_octets(&mut disk, choices),
            _ => put_block_like(&mut disk, choices),
        }
        disk.pad(at + 1);
        if kind & 1 == 1 {
            sealed.push(at);
        }
        if kind & 6 == 6 {
            disk.refused = at..at + SECTOR;
        }
    }
    sealed.iter().rev().for_each(|at| seal_again(&mut disk.octets, *at));
    let (scanned, pages) = (disk.scanned(drained), disk.len() / ALIGNED);
    assert!(scanned.end <= disk.len() && scanned.end.is_multiple_of(ALIGNED), "ends at {}", scanned.end);
    assert!(scanned.blocks <= pages && scanned.found.damaged <= pages + 1, "{} blocks", scanned.blocks);
    for record in &scanned.found.records {
        if let Record::Message { content: Place { offset: Some(offset), seal, .. }, .. } = record {
            assert!(offset + u64::from(seal.len) <= disk.len(), "a content of {} at {offset}", seal.len);
        }
    }
}

fn put_octets(disk: &mut Disk, choices: &mut Choices<'_>) {
    let len = choices.number() as usize;
    disk.octets.extend(choices.0.by_ref().take(len));
}

fn put_block_like(disk: &mut Disk, choices: &mut Choices<'_>) {
    let (at, turn) = (disk.len(), (choices.next().into(), choices.next().into(), choices.next().into()));
    let Some(Written { records_at, end, .. }) = put(disk, choices, at, turn) else { return };
    for _ in 0..choices.next() % 4 {
        let changed = match choices.next() {
            // The header, or what is said of the contents.
            place @ 0..40 => at + u64::from(place),
            place => records_at + u64::from(place) % (end - records_at).max(1),
        };
        if let Some(octet) = disk.octets.get_mut(changed as usize) {
            *octet ^= choices.next();
        }
    }
}

fn seal_again(file: &mut [u8], at: u64) {
    let (len, at) = (file.len() as u64, at as usize);
    let head: [u8; HEADER] = std::array::from_fn(|n| file[at + n]);
    let header = Header::read(&head, at as u64 / ALIGNED).filter(|(header, _)| header.octets() <= len - at as u64);
    if let Some((header, _)) = header {
        let records_at = at + header.records_at() as usize;
        let sum = block::checksum(&head, &file[records_at..records_at + header.records as usize]);
        file[at + 4..at + 8].copy_from_slice(&sum.to_le_bytes());
    }
}

/// A generation over one that the database has taken, hit once.
fn try_written(choices: &mut Choices<'_>) {
    let (how, which, region, offset, bits) =
        (choices.next(), choices.next(), choices.next(), choices.number(), choices.next());
    let mut disk = Disk::new(4 * ALIGNED);
    lay(&mut disk, choices, 1);
    let beneath = disk.octets.clone();
    let written = lay(&mut disk, choices, 2);
    let scanned = disk.scanned(1);
    if !written.is_empty() {
        assert_eq!((scanned.blocks, scanned.found.damaged), (written.len() as u64, 0));
    }
    assert_stands(&scanned, &written, |_| true);
    let at = place(&disk, &written, which, region, offset);
    let (stand, damaged) = match how % 3 {
        0 => flip(&mut disk, at, bits, &written),
        1 => refuse(&mut disk, at, &written),
        _ => tear(&mut disk, at, &beneath, &written),
    };
    let scanned = disk.scanned(1);
    let is_there = scanned.found.generation == 2;
    assert!(!is_there || scanned.found.damaged == damaged, "{} damaged, not {damaged}", scanned.found.damaged);
    assert_stands(&scanned, &written, |number| stand[number]);
    go_on(&mut disk, &scanned, choices);
}

/// An octet of each of a block's regions, or of all.
fn place(disk: &Disk, written: &[Written], which: u8, region: u8, offset: u64) -> u64 {
    let whole = 0..disk.len();
    let Range { start, end } = match written.get(usize::from(which) % written.len().max(1)) {
        None => whole,
        Some(Written { at, records_at, end, .. }) => match region % 4 {
            0 => *at..at + HEADER as u64,
            1 => at + HEADER as u64..*records_at,
            2 => *records_at..*end,
            _ => whole,
        },
    };
    // A region may be empty; what stands there then is another's.
    (start + offset * 37 % (end - start).max(1)).min(disk.len() - 1)
}

fn assert_stands(scanned: &Scanned, written: &[Written], stands: impl Fn(usize) -> bool) {
    let expected: Vec<_> = written
        .iter()
        .enumerate()
        .filter(|(number, _)| stands(*number))
        .flat_map(|(_, block)| &block.records)
        .collect();
    assert_eq!(scanned.found.records.iter().collect::<Vec<_>>(), expected);
}

/// Which blocks stand after the damage, and how many are told as damaged.
type Left = (Vec<bool>, u64);

/// What is left where this much of a block does not check: its contents alone, or what tells of them.
fn without(hit: Option<usize>, only_contents: bool, written: &[Written]) -> Left {
    let mut stand = vec![true; written.len()];
    let Some(hit) = hit else { return (stand, 0) };
    let is_last = hit + 1 == written.len();
    // A last one is as if it had never been written, whatever of it is not there.
    stand[hit] = only_contents && !is_last;
    (stand, u64::from(!only_contents && !is_last))
}

fn flip(disk: &mut Disk, at: u64, bits: u8, written: &[Written]) -> Left {
    disk.octets[at as usize] ^= bits.max(1);
    let hit = written.iter().position(|block| (block.at..block.end).contains(&at));
    let contents = hit.is_some_and(|hit| (written[hit].at + HEADER as u64..written[hit].records_at).contains(&at));
    without(hit, contents, written)
}

fn refuse(disk: &mut Disk, at: u64, written: &[Written]) -> Left {
    let at = at / SECTOR * SECTOR;
    disk.refused = at..at + SECTOR;
    let overlaps = |range: Range<u64>| range.start < at + SECTOR && at < range.end;
    let hit = written
        .iter()
        .position(|block| overlaps(block.at..block.at + HEADER as u64) || overlaps(block.records_at..block.end));
    let end = written.last().map_or(0, |block| block.pages().end);
    match hit {
        Some(hit) => (without(Some(hit), false, written).0, 1),
        // Nobody knows that nothing stood there.
        None => (vec![true; written.len()], u64::from(at >= end && at.is_multiple_of(ALIGNED))),
    }
}

/// From there on, the disk has what was there before.
fn tear(disk: &mut Disk, at: u64, beneath: &[u8], written: &[Written]) -> Left {
    let before = disk.octets.clone();
    let rest = &mut disk.octets[at as usize..];
    let old = beneath.get(at as usize..).unwrap_or_default();
    rest.fill(0);
    rest[..old.len()].copy_from_slice(old);
    let is_whole = |block: &Written| {
        let block = block.at as usize..block.end as usize;
        disk.octets[block.clone()] == before[block]
    };
    (written.iter().map(is_whole).collect(), 0)
}

/// The next block is written behind what is there, and read with it.
fn go_on(disk: &mut Disk, scanned: &Scanned, choices: &mut Choices<'_>) {
    let is_there = scanned.found.generation == 2;
    let (salt, number, at) = if is_there { (scanned.salt, scanned.blocks, scanned.end) } else { (99, 0, 0) };
    let Some(block) = put(disk, choices, at, (2, salt, number)) else { return };
    disk.pad(0);
    let again = disk.scanned(1);
    assert_eq!((again.found.generation, again.salt, again.blocks), (2, salt, number + 1));
    let before = if is_there { &scanned.found.records[..] } else { &[] };
    assert!(again.found.records.iter().eq(before.iter().chain(&block.records)), "{:?}", again.found.records);
}
