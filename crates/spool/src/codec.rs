//! The binary form of the spool's records.
//!
//! One version octet, the fields in order (integers as LEB128, signed ones zigzag, strings
//! with their length), and a CRC-32 of all before it. A tenth of JSON's time, a third of
//! its size. A record that does not check or does not parse is [`Bad`]; which message that
//! damages is the caller's to say. A new field means a new version that still reads the old.

mod campaign;
mod outcome;
mod records;
#[cfg(test)]
mod tests;

pub(crate) use campaign::{campaign_from_octets, campaign_to_octets, member_from_octets, member_to_octets};
pub(crate) use records::{meta_from_octets, meta_to_octets, part_from_octets, part_to_octets};

/// For the fuzz target: octets under a right checksum are read as a record of each kind; what is
/// one is written as it was read.
///
/// # Panics
/// Where it is not.
#[doc(hidden)]
pub fn try_record(octets: &[u8]) {
    let mut sealed = octets.to_vec();
    sealed.extend_from_slice(&crc32fast::hash(octets).to_le_bytes());
    let (message, mut written) = (repute_types::MessageId(1), Vec::new());
    if let Ok(meta) = meta_from_octets(message, &sealed) {
        meta_to_octets(&meta, &mut written);
        assert_eq!(meta_from_octets(message, &written), Ok(meta));
    }
    let id = repute_types::PartId { message, number: 0 };
    if let Ok(part) = part_from_octets(id, &sealed) {
        part_to_octets(&part, &mut written);
        assert_eq!(part_from_octets(id, &written), Ok(part));
    }
    if let Ok(campaign) = campaign_from_octets(message, 7, Default::default(), &sealed) {
        campaign_to_octets(&campaign, &mut written);
        assert_eq!(campaign_from_octets(message, 7, Default::default(), &written), Ok(campaign));
    }
    if let Ok(member) = member_from_octets(&sealed) {
        let of = member.1.as_ref().map(|(account, list)| (account.as_deref(), list.as_deref()));
        member_to_octets(member.0.iter(), of, &mut written);
        assert_eq!(member_from_octets(&written), Ok(member));
    }
}

/// The octets are not a record: damaged, or written by a later version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bad;

type Read<T> = Result<T, Bad>;

const CHECKSUM_OCTETS: usize = 4;

/// Fields are appended to a buffer that the caller keeps for the next record.
struct Writer<'a>(&'a mut Vec<u8>);

impl<'a> Writer<'a> {
    fn start(buffer: &'a mut Vec<u8>, version: u8) -> Writer<'a> {
        buffer.clear();
        buffer.push(version);
        Writer(buffer)
    }

    fn seal(self) {
        let sum = crc32fast::hash(self.0);
        self.0.extend_from_slice(&sum.to_le_bytes());
    }

    fn octet(&mut self, value: u8) {
        self.0.push(value);
    }

    fn uint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn int(&mut self, value: i64) {
        self.uint(((value << 1) ^ (value >> 63)) as u64);
    }

    fn text(&mut self, value: &str) {
        self.uint(value.len() as u64);
        self.0.extend_from_slice(value.as_bytes());
    }

    /// An absent value and one octet's absence are told apart by a leading 0 or 1.
    fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            None => self.octet(0),
            Some(value) => {
                self.octet(1);
                write(self, value);
            }
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Checks the sum and gives the version with what follows it.
    fn open(octets: &'a [u8]) -> Read<(u8, Reader<'a>)> {
        let (body, sum) = octets.split_at_checked(octets.len().wrapping_sub(CHECKSUM_OCTETS)).ok_or(Bad)?;
        if crc32fast::hash(body).to_le_bytes() != sum {
            return Err(Bad);
        }
        let mut reader = Reader(body);
        Ok((reader.octet()?, reader))
    }

    fn octet(&mut self) -> Read<u8> {
        let (first, rest) = self.0.split_first().ok_or(Bad)?;
        self.0 = rest;
        Ok(*first)
    }

    fn uint(&mut self) -> Read<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            value |= u64::from(octet & 0x7f) << shift;
            if octet < 0x80 {
                return Ok(value);
            }
        }
        Err(Bad)
    }

    fn int(&mut self) -> Read<i64> {
        let value = self.uint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A count of things that each take at least one octet, so that a wrong one cannot ask
    /// for more memory than the record itself has.
    fn count(&mut self) -> Read<usize> {
        usize::try_from(self.uint()?).ok().filter(|n| *n <= self.0.len()).ok_or(Bad)
    }

    fn text(&mut self) -> Read<&'a str> {
        let len = self.count()?;
        let (text, rest) = self.0.split_at_checked(len).ok_or(Bad)?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| Bad)
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        match self.octet()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(Bad),
        }
    }

    fn end(self) -> Read<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Bad) }
    }
}
