//! One block of the journal: what one sync makes durable.
//!
//! A header, the contents one after another, then the records that say what happened. Header and records have one
//! checksum, each content has its own, so that a damaged content is known as its message's. Integers are
//! little-endian; what is left of the last page is zero.

use std::ops::Range;

use repute_types::{Content, MessageId, PartId};

use super::super::beside::Seal;
use super::{ALIGNED, Place};
use crate::codec::Bad;
use crate::{Change, Ended, MessageMeta, PartRecord, codec};

/// Magic, checksum of the rest of the header and of the records, octets of the contents, octets of the
/// records, generation, salt, number of the block in its generation.
pub(super) const HEADER: usize = 40;
/// The form of today, and the first one, which is still read: their checksums differ.
const MAGIC: [u8; 4] = *b"RPJ2";
const FIRST_MAGIC: [u8; 4] = *b"RPJ1";
/// What both begin with.
const MARK: [u8; 3] = *b"RPJ";

const MESSAGE: u8 = 1;
const CHANGE: u8 = 2;
/// A message whose content stands in a file of its own.
const LARGE_MESSAGE: u8 = 3;

const DONE: u8 = 0;
const DELIVERED: u8 = 1;
const FAILED: u8 = 2;
const SUPPRESSED: u8 = 3;
const CANCELLED: u8 = 4;
const KEEP: u8 = 5;

/// Memory that stays for the next block; what a larger one took is given back.
const KEPT: usize = 1 << 20;

/// What a record says.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::sqlite) enum Record {
    Message { meta: MessageMeta, parts: Vec<PartRecord>, content: Place },
    Change(PartId, Change),
}

/// A block under construction.
#[derive(Default)]
pub(in crate::sqlite) struct Block {
    /// Room for the header, then the contents; once sealed, everything.
    octets: Vec<u8>,
    records: Vec<u8>,
    /// The record that is being written.
    record: Vec<u8>,
}

impl Block {
    pub fn clear(&mut self) {
        self.octets.clear();
        self.octets.shrink_to(KEPT);
        self.octets.resize(HEADER, 0);
        self.records.clear();
        self.records.shrink_to(KEPT);
    }

    /// Octets that it takes in a segment.
    pub fn octets(&self) -> u64 {
        ((self.octets.len() + self.records.len()) as u64).next_multiple_of(ALIGNED)
    }

    /// Octets of its records alone.
    pub(super) fn records_len(&self) -> u64 {
        self.records.len() as u64
    }

    /// Adds a message; gives where its content stands, counted from the block's first octet.
    pub fn message(&mut self, meta: &MessageMeta, parts: &[PartRecord], content: &Content) -> Place {
        let offset = self.octets.len() as u64;
        let mut sum = crc32fast::Hasher::new();
        for slice in content.chunks() {
            sum.update(slice);
            self.octets.extend_from_slice(slice);
        }
        let seal = Seal { len: content.len() as u32, crc: sum.finalize() };
        self.message_record(MESSAGE, meta, parts, seal);
        Place { segment: 0, offset: Some(offset), seal }
    }

    /// Adds a message whose content stands beside.
    pub fn large_message(&mut self, meta: &MessageMeta, parts: &[PartRecord], seal: Seal) -> Place {
        self.message_record(LARGE_MESSAGE, meta, parts, seal);
        Place { segment: 0, offset: None, seal }
    }

    fn message_record(&mut self, kind: u8, meta: &MessageMeta, parts: &[PartRecord], seal: Seal) {
        self.records.push(kind);
        self.records.extend_from_slice(&meta.id.0.to_le_bytes());
        self.u32(seal.len);
        self.u32(seal.crc);
        codec::meta_to_octets(meta, &mut self.record);
        self.take_record();
        self.u32(parts.len() as u32);
        for part in parts {
            self.u32(part.id.number);
            codec::part_to_octets(part, &mut self.record);
            self.take_record();
        }
    }

    /// Whether a page behind its first begins as a block does: what a client wrote there could be read as one, should the
    /// first page be damaged. Such a block is for the database.
    pub fn looks_like_more(&self) -> bool {
        let begins = |page: usize| {
            MARK.iter().zip(page..).all(|(octet, at)| {
                let found = self.octets.get(at).or_else(|| self.records.get(at - self.octets.len()));
                found == Some(octet)
            })
        };
        let end = self.octets.len() + self.records.len();
        (ALIGNED as usize..end).step_by(ALIGNED as usize).any(begins)
    }

    pub fn change(&mut self, part: PartId, change: &Change) {
        self.records.push(CHANGE);
        self.records.extend_from_slice(&part.message.0.to_le_bytes());
        self.u32(part.number);
        self.record.clear();
        let kind = match change {
            Change::Done => DONE,
            Change::Ended(Ended::Delivered) => DELIVERED,
            Change::Ended(Ended::Failed) => FAILED,
            Change::Ended(Ended::Suppressed) => SUPPRESSED,
            Change::Ended(Ended::Cancelled) => CANCELLED,
            Change::Keep(record) => {
                codec::part_to_octets(record, &mut self.record);
                KEEP
            }
        };
        self.records.push(kind);
        self.take_record();
    }

    fn u32(&mut self, value: u32) {
        self.records.extend_from_slice(&value.to_le_bytes());
    }

    fn take_record(&mut self) {
        self.u32(self.record.len() as u32);
        self.records.extend_from_slice(&self.record);
    }

    /// The block as it is written. Nothing can be added after.
    pub(super) fn seal(&mut self, generation: u64, salt: u64, number: u64) -> &[u8] {
        let contents = self.octets.len() - HEADER;
        let header = Header { contents: contents as u32, records: self.records.len() as u32, generation, salt, number };
        header.write(&self.records, &mut self.octets[..HEADER]);
        self.octets.append(&mut self.records);
        // Whole pages, so that the system need not read what it writes over.
        self.octets.resize(self.octets.len().next_multiple_of(ALIGNED as usize), 0);
        &self.octets
    }
}

/// A block's header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub contents: u32,
    pub records: u32,
    pub generation: u64,
    pub salt: u64,
    pub number: u64,
}

impl Header {
    fn write(&self, records: &[u8], octets: &mut [u8]) {
        octets[..4].copy_from_slice(&MAGIC);
        octets[8..12].copy_from_slice(&self.contents.to_le_bytes());
        octets[12..16].copy_from_slice(&self.records.to_le_bytes());
        octets[16..24].copy_from_slice(&self.generation.to_le_bytes());
        octets[24..32].copy_from_slice(&self.salt.to_le_bytes());
        octets[32..40].copy_from_slice(&self.number.to_le_bytes());
        let sum = checksum(octets, records);
        octets[4..8].copy_from_slice(&sum.to_le_bytes());
    }

    /// What may be a header where this page of a segment begins, and the checksum that it and its records have to have.
    pub fn read(octets: &[u8; HEADER], page: u64) -> Option<(Header, u32)> {
        let rest = octets.strip_prefix(&MAGIC).or_else(|| octets.strip_prefix(&FIRST_MAGIC));
        let mut rest = Cursor(rest?);
        let sum = rest.u32().ok()?;
        let header = Header {
            contents: rest.u32().ok()?,
            records: rest.u32().ok()?,
            generation: rest.u64().ok()?,
            salt: rest.u64().ok()?,
            number: rest.u64().ok()?,
        };
        // Each block before it took a page at least, and what the database has taken it knows as a number with a sign.
        let may_be = header.number <= page && (1..i64::MAX as u64).contains(&header.generation);
        may_be.then_some((header, sum))
    }

    /// Octets of the block without what is left of its last page.
    pub fn octets(&self) -> u64 {
        HEADER as u64 + u64::from(self.contents) + u64::from(self.records)
    }

    pub fn records_at(&self) -> u64 {
        HEADER as u64 + u64::from(self.contents)
    }
}

/// The checksum of a block with this header: CRC-32. What is kept of a part ends in a CRC-32 of its own, and one over several such
/// records is the same for all of one length: those of an earlier turn behind a header of this one would check. So their sum as
/// numbers goes into it, which the first form did not have.
pub(super) fn checksum(header: &[u8], records: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header[8..]);
    crc.update(records);
    if header.starts_with(&MAGIC) {
        let (words, rest) = records.as_chunks::<8>();
        let rest = rest.iter().rev().fold(0, |number, octet| number << 8 | u64::from(*octet));
        let sum = words.iter().fold(rest, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
        crc.update(&sum.to_le_bytes());
    }
    crc.finalize()
}

/// The records of a block whose checksum is right; `contents` is where in the segment its contents stand.
pub(super) fn records(octets: &[u8], segment: usize, contents: Range<u64>) -> Result<Vec<Record>, Bad> {
    let (mut cursor, mut offset, mut found) = (Cursor(octets), contents.start, Vec::new());
    while !cursor.0.is_empty() {
        let kind = cursor.take(1)?[0];
        let message = MessageId(cursor.u64()?);
        match kind {
            MESSAGE | LARGE_MESSAGE => {
                let seal = Seal { len: cursor.u32()?, crc: cursor.u32()? };
                let mut content = Place { segment, offset: None, seal };
                if kind == MESSAGE {
                    content.offset = Some(offset);
                    offset += u64::from(seal.len);
                }
                if offset > contents.end {
                    return Err(Bad);
                }
                let meta = codec::meta_from_octets(message, cursor.record()?)?;
                let parts = (0..cursor.u32()?).map(|_| {
                    let id = PartId { message, number: cursor.u32()? };
                    codec::part_from_octets(id, cursor.record()?)
                });
                let parts = parts.collect::<Result<_, Bad>>()?;
                found.push(Record::Message { meta, parts, content });
            }
            CHANGE => {
                let part = PartId { message, number: cursor.u32()? };
                let (kind, record) = (cursor.take(1)?[0], cursor.record()?);
                let change = match kind {
                    DONE => Change::Done,
                    DELIVERED => Change::Ended(Ended::Delivered),
                    FAILED => Change::Ended(Ended::Failed),
                    SUPPRESSED => Change::Ended(Ended::Suppressed),
                    CANCELLED => Change::Ended(Ended::Cancelled),
                    KEEP => Change::Keep(codec::part_from_octets(part, record)?),
                    _ => return Err(Bad),
                };
                found.push(Record::Change(part, change));
            }
            _ => return Err(Bad),
        }
    }
    Ok(found)
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Bad> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Bad)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, Bad> {
        let octets = self.take(4)?.try_into().map_err(|_| Bad)?;
        Ok(u32::from_le_bytes(octets))
    }

    fn u64(&mut self) -> Result<u64, Bad> {
        let octets = self.take(8)?.try_into().map_err(|_| Bad)?;
        Ok(u64::from_le_bytes(octets))
    }

    fn record(&mut self) -> Result<&'a [u8], Bad> {
        let len = self.u32()? as usize;
        self.take(len)
    }
}
