//! The files of a ZIP (APPNOTE 6.3), found and not opened: by the directory at its end, and where that is missing or damaged, by the headers
//! that stand before the files.
//!
//! Promise: no more than [`ENTRIES`] are looked at, folders and what a Mac adds about files among them. All that are called as
//! reports are, or as what is packed again, are returned in their order; where none is, the first file.

use crate::unpack::Refused;

const ENTRIES: usize = 256;
/// Octets at the end in which the end of the directory is looked for: its own, and the longest comment (APPNOTE §4.3.16).
const END: usize = 22 + 65_535;
const NAMES: [&[u8]; 4] = [b".xml", b".json", b".gz", b".zip"];

/// A file of a ZIP as its header says.
pub(crate) struct Entry<'a> {
    name: &'a [u8],
    pub packed: Packed,
    /// Packed; `None` where only what stands behind the file says it.
    pub size: Option<usize>,
    /// What stands behind the header: the file, and all that is behind it.
    pub data: &'a [u8],
    /// Octets with the header.
    pub whole: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packed {
    Stored,
    Deflated,
    /// Encrypted, or in a way that is not known here.
    Unknown,
}

/// # Errors
/// Where there is no file.
pub(crate) fn entries(octets: &[u8]) -> Result<Vec<Entry<'_>>, Refused> {
    let mut found = match by_directory(octets) {
        Some(found) => found,
        None => by_headers(octets)?,
    };
    found.retain(|entry| !entry.is_no_file());
    if found.iter().any(Entry::is_report) {
        found.retain(Entry::is_report);
    } else {
        found.truncate(1);
    }
    if found.is_empty() { Err(Refused::Empty) } else { Ok(found) }
}

fn short(octets: &[u8], at: usize) -> Option<usize> {
    Some(u16::from_le_bytes(*octets.get(at..)?.first_chunk()?).into())
}

fn long(octets: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*octets.get(at..)?.first_chunk()?)).ok()
}

/// `None` where it is not there whole, or names what is not there.
fn by_directory(octets: &[u8]) -> Option<Vec<Entry<'_>>> {
    let from = octets.len().saturating_sub(END);
    let end = from + octets[from..].windows(4).rposition(|mark| mark == b"PK\x05\x06")?;
    let mut at = long(octets, end + 16)?;
    let mut found = Vec::new();
    for _ in 0..short(octets, end + 10)?.min(ENTRIES) {
        let line = octets.get(at..).filter(|line| line.starts_with(b"PK\x01\x02"))?;
        let entry = Entry::read(octets.get(long(line, 42)?..)?).ok()?;
        // A program that writes as it goes knows the length only afterwards, and says it here.
        found.push(Entry { size: Some(long(line, 20)?), ..entry });
        at += 46 + short(line, 28)? + short(line, 30)? + short(line, 32)?;
    }
    Some(found)
}

fn by_headers(octets: &[u8]) -> Result<Vec<Entry<'_>>, Refused> {
    let (mut found, mut rest) = (Vec::new(), octets);
    while found.len() < ENTRIES {
        let entry = match Entry::read(rest) {
            Ok(entry) => entry,
            Err(why) if found.is_empty() => return Err(why),
            // Behind the last file stands the directory.
            Err(_) => break,
        };
        let size = entry.size.or_else(|| (entry.packed == Packed::Stored && entry.is_no_file()).then_some(0));
        let behind = size.and_then(|size| entry.data.get(size..));
        found.push(entry);
        match behind {
            Some(behind) => rest = behind,
            None => break,
        }
    }
    Ok(found)
}

impl<'a> Entry<'a> {
    /// By the header that stands before the file (APPNOTE §4.3.7).
    fn read(octets: &'a [u8]) -> Result<Entry<'a>, Refused> {
        let Some(header) = octets.first_chunk::<30>().filter(|h| h.starts_with(b"PK\x03\x04")) else {
            return Err(if octets.len() < 30 || octets.starts_with(b"PK") { Refused::Empty } else { Refused::Broken });
        };
        let number = |at| short(header, at).ok_or(Refused::Broken);
        let (flags, method, name) = (number(6)?, number(8)?, number(26)?);
        let data = octets.get(30 + name + number(28)?..).ok_or(Refused::Broken)?;
        let size = long(header, 18).filter(|_| flags & 8 == 0);
        let packed = match method {
            8 if flags & 1 == 0 => Packed::Deflated,
            0 if flags & 1 == 0 => Packed::Stored,
            _ => Packed::Unknown,
        };
        Ok(Entry { name: &octets[30..30 + name], packed, size, data, whole: octets.len() })
    }

    fn is_report(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        NAMES.iter().any(|end| name.ends_with(end))
    }

    /// A folder, or what a Mac keeps beside a file.
    fn is_no_file(&self) -> bool {
        let last = self.name.rsplit(|b| *b == b'/').next().unwrap_or_default();
        last.is_empty() || last.starts_with(b"._") || self.name.starts_with(b"__MACOSX/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a program writes it that does not know a file's length before its end: it stands behind the file, and in the directory.
    fn streamed(files: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut out, mut directory) = (Vec::new(), Vec::new());
        for (name, data) in files {
            let (at, length) = ((out.len() as u32).to_le_bytes(), (data.len() as u32).to_le_bytes());
            let named = (name.len() as u16).to_le_bytes();
            let common = [&[20, 0, 8, 0, 0, 0, 0, 0, 0, 0][..]].concat();
            out.extend([b"PK\x03\x04", &common[..], &[0; 12], &named, &[0; 2], name.as_bytes(), data].concat());
            out.extend([*b"PK\x07\x08", [0; 4], length, length].concat());
            let sizes = [[0; 4], length, length].concat();
            directory
                .extend([b"PK\x01\x02\x14\0", &common[..], &sizes, &named, &[0; 12], &at, name.as_bytes()].concat());
        }
        let (count, at) = ((files.len() as u16).to_le_bytes(), (out.len() as u32).to_le_bytes());
        let length = (directory.len() as u32).to_le_bytes();
        out.extend(directory);
        out.extend([b"PK\x05\x06\0\0\0\0", &count[..], &count, &length, &at, &[0, 0]].concat());
        out
    }

    fn names(octets: &[u8]) -> Vec<&[u8]> {
        entries(octets).unwrap().iter().map(|entry| entry.name).collect()
    }

    /// Nothing behind the first file was found, and what is stored was refused.
    #[test]
    fn a_zip_that_was_written_as_it_went_has_all_its_files() {
        let octets =
            streamed(&[("readme.txt", b"read me"), ("d/", b""), ("1.xml", b"one"), ("2.xml", b"two and more")]);
        let found = entries(&octets).unwrap();
        let all: Vec<_> = found.iter().map(|entry| (entry.name, &entry.data[..entry.size.unwrap()])).collect();
        assert_eq!(all, [(&b"1.xml"[..], &b"one"[..]), (b"2.xml", b"two and more")]);
        assert!(found.iter().all(|entry| entry.packed == Packed::Stored));
    }

    #[test]
    fn a_directory_that_is_damaged_is_passed_over() {
        let whole = streamed(&[("1.xml", b"one"), ("2.xml", b"two")]);
        assert_eq!(names(&whole), [b"1.xml", b"2.xml"]);
        let end = whole.len() - 22;
        for (what, at) in [("where the directory is", end + 16), ("its first line", whole.len() - 22 - 2 * (46 + 5))] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            assert_eq!(names(&damaged), [b"1.xml"], "{what}");
        }
        for length in 0..whole.len() {
            let _ = entries(&whole[..length]);
        }
    }
}
