//! A segment read at the start: which blocks stand there, and which are damaged.

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
/// One with others behind it is damaged, since those were written after it was synced. What the disk refuses to
/// read does not hide what stands behind it either. Generations that the database has taken are not read, only found.
pub(super) fn segment(file: &impl FileExt, octets: u64, drained: u64, segment: usize) -> Scanned {
    let mut scanned = Scanned { found: Found { segment, ..Found::default() }, ..Scanned::default() };
    let (mut at, mut last, mut is_refused) = (0, None, false);
    while at + ALIGNED <= octets {
        let block = block_at(file, at, octets, &scanned);
        is_refused |= block.is_err();
        let Ok(Some((header, records))) = block else {
            at += ALIGNED;
            continue;
        };
        let before = (scanned.blocks, scanned.end, scanned.found.records.len());
        scanned.found.damaged += header.number - scanned.blocks;
        (scanned.found.generation, scanned.salt) = (header.generation, header.salt);
        scanned.blocks = header.number + 1;
        scanned.end = (at + header.octets()).next_multiple_of(ALIGNED);
        if header.generation > drained {
            match block::records(&records, segment, at + HEADER as u64..at + header.records_at()) {
                Ok(records) => scanned.found.records.extend(records),
                Err(_) => scanned.found.damaged += 1,
            }
        }
        (last, is_refused) = (Some(before), false);
        at = scanned.end;
    }
    if let Some((blocks, end, records)) = last
        && scanned.found.records[records..].iter().any(|record| is_torn(file, record))
    {
        (scanned.blocks, scanned.end) = (blocks, end);
        scanned.found.records.truncate(records);
    }
    // Behind the last block that can be read: whether one stood there nobody knows, so it is told.
    scanned.found.damaged += u64::from(is_refused);
    scanned
}

impl Scanned {
    fn goes_on_with(&self, header: &Header) -> bool {
        let begins = self.found.generation == 0;
        begins
            || ((header.generation, header.salt) == (self.found.generation, self.salt) && header.number >= self.blocks)
    }
}

/// The next block of the generation, where it begins here and its header and records check.
fn block_at(file: &impl FileExt, at: u64, octets: u64, scanned: &Scanned) -> io::Result<Option<(Header, Vec<u8>)>> {
    let mut head = [0; HEADER];
    file.read_exact_at(&mut head, at)?;
    let header = Header::read(&head, at / ALIGNED);
    let fits = |header: &Header| header.octets() <= octets - at && scanned.goes_on_with(header);
    let Some((header, sum)) = header.filter(|(header, _)| fits(header)) else { return Ok(None) };
    let mut records = vec![0; header.records as usize];
    file.read_exact_at(&mut records, at + header.records_at())?;
    Ok((block::checksum(&head, &records) == sum).then_some((header, records)))
}

fn is_torn(file: &impl FileExt, record: &Record) -> bool {
    // What stands beside was synced before.
    let Record::Message { content: Place { offset: Some(offset), seal, .. }, .. } = record else { return false };
    let mut octets = vec![0; seal.len as usize];
    // A content that the disk refuses to read is damaged: its message is named.
    file.read_exact_at(&mut octets, *offset).is_ok() && crc32fast::hash(&octets) != seal.crc
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use repute_types::{MessageId, PartId, Recipient, Timestamp};

    use super::block::Block;
    use super::*;
    use crate::{Change, PartRecord, PartState, Pending};

    /// A disk that refuses to read a sector.
    struct Refusing {
        octets: Vec<u8>,
        sector: usize,
    }

    impl FileExt for Refusing {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            let wanted = offset as usize..offset as usize + buffer.len();
            if wanted.start < self.sector + 512 && self.sector < wanted.end {
                return Err(io::Error::from_raw_os_error(nix::libc::EIO));
            }
            buffer.copy_from_slice(&self.octets[wanted]);
            Ok(buffer.len())
        }

        fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
            Err(io::ErrorKind::ReadOnlyFilesystem.into())
        }
    }

    /// The server did not start until the disk read the sector again.
    #[test]
    fn a_sector_that_the_disk_refuses_to_read_hides_one_block() {
        let part = |number| PartId { message: MessageId(7), number };
        let mut octets = Vec::new();
        for number in 0..3 {
            let mut block = Block::default();
            block.clear();
            block.change(part(number), &Change::Done);
            octets.extend_from_slice(block.seal(1, 76, number.into()));
        }
        octets.resize(8 * ALIGNED as usize, 0);
        let found = |page: usize| {
            let disk = Refusing { octets: octets.clone(), sector: page * ALIGNED as usize };
            let scanned = segment(&disk, 8 * ALIGNED, 0, 0);
            let parts = scanned.found.records.iter().map(|record| match record {
                Record::Change(part, Change::Done) => part.number,
                other => panic!("{other:?}"),
            });
            (parts.collect::<Vec<_>>(), scanned.found.damaged, scanned.end / ALIGNED)
        };
        assert_eq!(found(0), (vec![1, 2], 1, 3));
        assert_eq!(found(1), (vec![0, 2], 1, 3));
        // Whether something stood there nobody knows, so it is told.
        assert_eq!(found(2), (vec![0, 1], 1, 2));
        assert_eq!(found(7), (vec![0, 1, 2], 1, 3));
    }

    /// A block in which a part is kept as it was after so many attempts.
    fn kept(attempts: u32, generation: u64) -> Vec<u8> {
        let id = PartId { message: MessageId(7), number: 0 };
        let recipients = vec![Pending { recipient: Recipient::to("ann@example.net".parse().unwrap()), last: None }];
        let (domain, state, due) = ("example.net".parse().unwrap(), PartState::Due, Timestamp(9));
        let part =
            PartRecord { id, domain, recipients, attempts, state, due, delay_noticed: false, values: Vec::new() };
        let mut block = Block::default();
        block.clear();
        block.change(id, &Change::Keep(part));
        block.seal(generation, 76, 0).to_vec()
    }

    fn attempts(octets: &[u8]) -> Vec<u32> {
        let disk = Refusing { octets: octets.to_vec(), sector: 1 << 20 };
        let attempts = |record: &Record| match record {
            Record::Change(_, Change::Keep(part)) => part.attempts,
            other => panic!("{other:?}"),
        };
        segment(&disk, ALIGNED, 0, 0).found.records.iter().map(attempts).collect()
    }

    /// Found by fuzzing: what is kept of a part ends in a CRC-32, over which another CRC-32 is the same for all of one length.
    #[test]
    fn a_header_before_the_records_of_an_earlier_turn_is_a_torn_block() {
        let (before, now) = (kept(3, 1), kept(8, 2));
        assert_eq!((attempts(&before), attempts(&now)), (vec![3], vec![8]));
        let torn = [&now[..HEADER], &before[HEADER..]].concat();
        assert_eq!(attempts(&torn), []);
    }

    #[test]
    fn blocks_of_the_first_form_are_read() {
        let mut octets = kept(3, 1);
        octets[..4].copy_from_slice(b"RPJ1");
        let head: [u8; HEADER] = octets[..HEADER].try_into().unwrap();
        let (header, _) = Header::read(&head, 0).unwrap();
        let mut crc = crc32fast::Hasher::new();
        crc.update(&octets[8..header.octets() as usize]);
        octets[4..8].copy_from_slice(&crc.finalize().to_le_bytes());
        assert_eq!(attempts(&octets), [3]);
    }
}
