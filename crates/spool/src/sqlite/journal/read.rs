//! A segment read at the start: which blocks stand there, and which are damaged.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::block::{self, HEADER, Header, Record};
use super::{ALIGNED, Place};

/// What a generation holds.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Found {
    pub generation: u64,
    pub segment: usize,
    /// In the order in which they were written.
    pub records: Vec<Record>,
    /// Blocks that cannot be read, with others behind them.
    pub damaged: u64,
}

/// The state of a segment: of no generation where nothing can be read.
#[derive(Default)]
pub(super) struct Scanned {
    pub found: Found,
    pub salt: u64,
    /// The number of the next block, and where it goes.
    pub blocks: u64,
    pub end: u64,
}

/// Reads a segment. A block that does not check and is the last was torn: it is as if it were not there.
/// One with others behind it is damaged, since those were written after it was synced. Generations that
/// the database has taken are not read, only found.
pub(super) fn segment(file: &File, octets: u64, drained: u64, segment: usize) -> io::Result<Scanned> {
    let mut scanned = Scanned { found: Found { segment, ..Found::default() }, ..Scanned::default() };
    let (mut at, mut last) = (0, None);
    while at + ALIGNED <= octets {
        let block = block_at(file, at, octets)?.filter(|(header, _)| scanned.goes_on_with(header));
        let Some((header, records)) = block else {
            at += ALIGNED;
            continue;
        };
        let before = (scanned.blocks, scanned.end, scanned.found.records.len());
        scanned.found.damaged += header.number - scanned.blocks;
        (scanned.found.generation, scanned.salt) = (header.generation, header.salt);
        scanned.blocks = header.number + 1;
        scanned.end = (at + header.octets()).next_multiple_of(ALIGNED);
        if header.generation > drained {
            match block::records(&records, segment, at + HEADER as u64) {
                Ok(records) => scanned.found.records.extend(records),
                Err(_) => scanned.found.damaged += 1,
            }
        }
        last = Some(before);
        at = scanned.end;
    }
    if let Some((blocks, end, records)) = last
        && scanned.found.records[records..].iter().any(|record| is_torn(file, record))
    {
        (scanned.blocks, scanned.end) = (blocks, end);
        scanned.found.records.truncate(records);
    }
    Ok(scanned)
}

impl Scanned {
    fn goes_on_with(&self, header: &Header) -> bool {
        let begins = self.found.generation == 0;
        begins
            || ((header.generation, header.salt) == (self.found.generation, self.salt) && header.number >= self.blocks)
    }
}

/// The block that begins here, where one does and its header and records check.
fn block_at(file: &File, at: u64, octets: u64) -> io::Result<Option<(Header, Vec<u8>)>> {
    let mut head = [0; HEADER];
    file.read_exact_at(&mut head, at)?;
    let Some((header, sum)) = Header::read(&head) else { return Ok(None) };
    if header.octets() > octets - at {
        return Ok(None);
    }
    let mut records = vec![0; header.records as usize];
    file.read_exact_at(&mut records, at + header.records_at())?;
    Ok((block::checksum(&head[8..], &records) == sum).then_some((header, records)))
}

fn is_torn(file: &File, record: &Record) -> bool {
    let Record::Message { content: Place { offset, len, crc, .. }, .. } = record else { return false };
    let mut octets = vec![0; *len as usize];
    // What cannot be read does not check either.
    file.read_exact_at(&mut octets, *offset).is_err() || crc32fast::hash(&octets) != *crc
}
