//! Reports come packed: gzip (RFC 1952) or ZIP, both from strangers.
//!
//! Promise: what is unpacked is at most [`MOST`] octets, and what is larger is cut there, and said to be; more than [`RATIO`] times
//! what came (beyond [`FREE`] octets) is refused, so that a bomb is a refusal and not an outage. Of a ZIP the first file
//! is taken that is called .xml or .json, else the first; what was packed twice is unpacked twice, within the same bounds, and no more
//! often; nothing is written anywhere. What stands behind gzip and is none, like the zeros of a tape, is passed over.

use std::borrow::Cow;
use std::io::Read;

use flate2::bufread::GzDecoder;
use flate2::read::DeflateDecoder;

/// The largest reports seen are some MiB; this holds some twenty thousand records, which is all that is read of one.
pub(crate) const MOST: usize = 16 << 20;
/// XML of many like records packs 60 times; a bomb a thousand.
const RATIO: usize = 200;
const FREE: usize = 1 << 20;
/// Files of a ZIP that are looked at, with folders and what a Mac adds about files.
const ENTRIES: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("it unpacks to more than {RATIO} times its size, which no report does")]
    TooMuch,
    #[error("it cannot be unpacked: it is damaged, encrypted, or packed in a way that is not known here")]
    Broken,
    #[error("there is no file in it")]
    Empty,
}

/// Whether this is packed at all.
pub(crate) fn is_packed(octets: &[u8]) -> bool {
    octets.starts_with(b"\x1f\x8b") || octets.starts_with(b"PK\x03\x04") || octets.starts_with(b"PK\x05\x06")
}

/// What is inside, as far as it is read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Inside<'a> {
    pub content: Cow<'a, [u8]>,
    /// There is more of it.
    pub is_cut: bool,
}

impl<'a> Inside<'a> {
    fn of(content: &'a [u8]) -> Inside<'a> {
        Inside { content: Cow::Borrowed(&content[..content.len().min(MOST)]), is_cut: content.len() > MOST }
    }
}

/// What is inside, of what was packed twice in the inner; what is not packed is itself.
pub(crate) fn unpack(octets: &[u8]) -> Result<Inside<'_>, Refused> {
    let outer = unpack_once(octets)?;
    if !is_packed(&outer.content) {
        return Ok(outer);
    }
    let Inside { content, is_cut } = unpack_once(&outer.content)?;
    Ok(Inside { is_cut: is_cut || outer.is_cut, content: Cow::Owned(content.into_owned()) })
}

fn unpack_once(octets: &[u8]) -> Result<Inside<'_>, Refused> {
    if octets.starts_with(b"\x1f\x8b") {
        return gzip(octets);
    }
    if octets.starts_with(b"PK") && is_packed(octets) {
        return zip(octets);
    }
    Ok(Inside::of(octets))
}

/// One member after the other (RFC 1952 §2.2).
fn gzip(mut octets: &[u8]) -> Result<Inside<'static>, Refused> {
    let packed = octets.len();
    let (mut out, mut is_cut) = (Vec::new(), false);
    while octets.starts_with(b"\x1f\x8b") && !is_cut {
        is_cut = add(&mut out, GzDecoder::new(&mut octets), packed)?;
    }
    Ok(Inside { content: Cow::Owned(out), is_cut })
}

fn inflate(data: &[u8], packed: usize) -> Result<Inside<'static>, Refused> {
    let mut out = Vec::new();
    let is_cut = add(&mut out, DeflateDecoder::new(data), packed)?;
    Ok(Inside { content: Cow::Owned(out), is_cut })
}

/// Whether there was more than is kept.
fn add(out: &mut Vec<u8>, from: impl Read, packed: usize) -> Result<bool, Refused> {
    let most = packed.saturating_mul(RATIO).clamp(FREE, MOST);
    from.take((most - out.len()) as u64 + 1).read_to_end(out).map_err(|_| Refused::Broken)?;
    if out.len() <= most {
        return Ok(false);
    }
    out.truncate(MOST);
    if most < MOST { Err(Refused::TooMuch) } else { Ok(true) }
}

/// The file that is called a report, else the first, by the headers that stand before the files (APPNOTE §4.3.7).
fn zip(octets: &[u8]) -> Result<Inside<'_>, Refused> {
    let (mut first, mut rest) = (None, octets);
    for _ in 0..ENTRIES {
        let entry = match Entry::read(rest) {
            Ok(entry) => entry,
            // Behind the last file stands the directory.
            Err(why) => return first.map_or(Err(why), |entry: Entry| entry.open()),
        };
        if entry.is_report() {
            return entry.open();
        }
        let behind = entry.behind();
        if !entry.is_no_file() {
            first.get_or_insert(entry);
        }
        match behind {
            Some(behind) => rest = behind,
            None if first.is_some() => break,
            None => return Err(Refused::Broken),
        }
    }
    first.map_or(Err(Refused::Empty), |entry| entry.open())
}

/// A file of a ZIP as its header says.
struct Entry<'a> {
    name: &'a [u8],
    flags: u16,
    method: u16,
    /// Packed.
    size: usize,
    /// What stands behind the header: the file, and all that is behind it.
    data: &'a [u8],
    /// Octets with the header.
    whole: usize,
}

impl<'a> Entry<'a> {
    fn read(octets: &'a [u8]) -> Result<Entry<'a>, Refused> {
        let Some(header) = octets.first_chunk::<30>().filter(|h| h.starts_with(b"PK\x03\x04")) else {
            return Err(if octets.len() < 30 || octets.starts_with(b"PK") { Refused::Empty } else { Refused::Broken });
        };
        let short = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let long = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let name = usize::from(short(26));
        let data = octets.get(30 + name + usize::from(short(28))..).ok_or(Refused::Broken)?;
        let name = &octets[30..30 + name];
        let (flags, method, size) = (short(6), short(8), long(18) as usize);
        Ok(Entry { name, flags, method, size, data, whole: octets.len() })
    }

    /// `None` where the header does not say how long the file is, or the end is missing.
    fn behind(&self) -> Option<&'a [u8]> {
        if self.flags & 8 == 0 || (self.method == 0 && self.is_no_file()) { self.data.get(self.size..) } else { None }
    }

    fn is_report(&self) -> bool {
        let ends = |end: &[u8]| {
            self.name.len() >= end.len() && self.name[self.name.len() - end.len()..].eq_ignore_ascii_case(end)
        };
        !self.is_no_file() && (ends(b".xml") || ends(b".json"))
    }

    /// A folder, or what a Mac keeps beside a file.
    fn is_no_file(&self) -> bool {
        let last = self.name.rsplit(|b| *b == b'/').next().unwrap_or_default();
        last.is_empty() || last.starts_with(b"._") || self.name.starts_with(b"__MACOSX/")
    }

    fn open(&self) -> Result<Inside<'a>, Refused> {
        if self.flags & 1 != 0 {
            return Err(Refused::Broken);
        }
        let (data, size) = (self.data, self.size);
        match self.method {
            8 => inflate(data, self.whole),
            // Of what is larger than is read, the rest may not be here.
            0 if self.flags & 8 == 0 && size > MOST => {
                Ok(Inside { is_cut: true, ..Inside::of(&data[..data.len().min(size)]) })
            }
            0 if self.flags & 8 == 0 => data.get(..size).map(Inside::of).ok_or(Refused::Broken),
            _ => Err(Refused::Broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder};

    use super::*;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn zip_entry(name: &str, method: u16, flags: u16, data: &[u8]) -> Vec<u8> {
        let mut out = b"PK\x03\x04\x14\0".to_vec();
        out.extend(flags.to_le_bytes());
        out.extend(method.to_le_bytes());
        out.extend([0; 8]);
        out.extend((data.len() as u32).to_le_bytes());
        out.extend([0; 4]);
        out.extend((name.len() as u16).to_le_bytes());
        out.extend([0; 2]);
        out.extend(name.as_bytes());
        out.extend(data);
        out
    }

    fn deflate(content: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let whole = |octets: &[u8]| {
            let inside = unpack(octets).unwrap();
            assert!(!inside.is_cut);
            inside.content.into_owned()
        };
        assert_eq!(whole(&gzip(b"report")), b"report");
        assert_eq!(whole(&zip_entry("r.xml", 8, 8, &deflate(b"report"))), b"report");
        assert_eq!(whole(&zip_entry("r.xml", 0, 0, b"report")), b"report");
        let in_folder = [zip_entry("d/", 0, 0, b""), zip_entry("d/r.xml", 0, 0, b"report")].concat();
        assert_eq!(whole(&in_folder), b"report");
        let beside = [zip_entry("__MACOSX/._r.xml", 0, 0, b"Mac OS X"), zip_entry("r.xml", 0, 0, b"report")].concat();
        assert_eq!(whole(&beside), b"report");
        assert_eq!(whole(b"<feedback/>"), b"<feedback/>");
    }

    /// The readme was read, and the report dropped.
    #[test]
    fn a_report_behind_another_file_is_found() {
        let readme = zip_entry("readme.txt", 8, 0, &deflate(b"read me"));
        let report = zip_entry("r.XML", 8, 8, &deflate(b"report"));
        let inside = |octets: &[u8]| unpack(octets).unwrap().content.into_owned();
        assert_eq!(inside(&[&readme[..], &report].concat()), b"report");
        assert_eq!(inside(&[&readme[..], b"PK\x01\x02"].concat()), b"read me");
        assert_eq!(inside(&readme), b"read me");
        // How long the first one is stands behind it: nobody knows where the next begins.
        let unknown = zip_entry("readme.txt", 8, 8, &deflate(b"read me"));
        assert_eq!(inside(&[&unknown[..], &report].concat()), b"read me");
    }

    /// It was dropped, as neither XML nor JSON.
    #[test]
    fn what_is_packed_twice_is_unpacked_twice() {
        let in_zip = zip_entry("r.xml", 8, 0, &deflate(b"report"));
        for octets in [
            zip_entry("r.zip", 8, 0, &deflate(&in_zip)),
            zip_entry("r.xml.gz", 0, 0, &gzip(b"report")),
            gzip(&in_zip),
            gzip(&gzip(b"report")),
        ] {
            assert_eq!(&*unpack(&octets).unwrap().content, b"report");
        }
        assert!(is_packed(&unpack(&gzip(&gzip(&gzip(b"report")))).unwrap().content), "no more often");
        let bomb = gzip(&vec![0; 8 << 20]);
        assert_eq!(unpack(&gzip(&bomb)), Err(Refused::TooMuch));
    }

    #[test]
    fn what_stands_behind_gzip_is_passed_over() {
        let whole = gzip(b"report");
        assert_eq!(&*unpack(&[&whole[..], &[0; 512]].concat()).unwrap().content, b"report");
        assert_eq!(&*unpack(&[gzip(b"rep"), gzip(b"ort")].concat()).unwrap().content, b"report");
        assert_eq!(unpack(&[&whole[..], &whole[..12]].concat()), Err(Refused::Broken));
    }

    #[test]
    fn bombs_are_refused() {
        let zeros = vec![0; 8 << 20];
        assert_eq!(unpack(&gzip(&zeros)), Err(Refused::TooMuch));
        assert_eq!(unpack(&zip_entry("r.xml", 8, 0, &deflate(&zeros))), Err(Refused::TooMuch));
        // Many small members, each of which is a bomb.
        assert_eq!(unpack(&gzip(&vec![0; 1 << 20]).repeat(64)), Err(Refused::TooMuch));
    }

    /// It was dropped whole.
    #[test]
    fn what_is_larger_than_a_report_is_cut() {
        // It packs badly enough to be no bomb.
        let mut state = 1u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b'a' + (state >> 24) as u8 % 26
        };
        let large: Vec<u8> = (0..MOST + 100).map(|_| noise()).collect();
        let halves = [gzip(&large[..MOST / 2]), gzip(&large[MOST / 2..])].concat();
        let stored = zip_entry("r.xml", 0, 0, &large);
        for (how, octets) in [
            ("as it is", &large[..]),
            ("gzip", &gzip(&large)),
            ("gzip in two", &halves),
            ("zip", &zip_entry("r.xml", 8, 0, &deflate(&large))),
            ("zip, stored", &stored),
            ("zip, stored, of which the end is missing", &stored[..MOST + 1]),
        ] {
            let inside = unpack(octets).unwrap();
            let length = inside.content.len();
            assert!(inside.is_cut && length > MOST - 100 && length <= MOST, "{how}: {length}");
            assert!(large.starts_with(&inside.content), "{how}");
        }
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let whole = gzip(b"a report that is long enough to be cut");
        assert_eq!(unpack(&whole[..20]), Err(Refused::Broken));
        for (entry, why) in [
            (zip_entry("r", 8, 1, b"x"), Refused::Broken),
            (zip_entry("r", 12, 0, b"x"), Refused::Broken),
            (zip_entry("r", 0, 8, b"x"), Refused::Broken),
            (zip_entry("d/", 0, 0, b"").repeat(20), Refused::Empty),
            (b"PK\x05\x06".to_vec(), Refused::Empty),
            (b"PK\x03\x04".to_vec(), Refused::Empty),
            (zip_entry("name", 8, 0, b"")[..32].to_vec(), Refused::Broken),
        ] {
            assert_eq!(unpack(&entry), Err(why), "{entry:?}");
        }
    }
}
