//! Reports come packed: gzip (RFC 1952) or ZIP, both from strangers.
//!
//! Promise: a file that is unpacked is at most [`MOST`] octets, and what is larger is cut there, and said to be; more than [`RATIO`]
//! times what came (beyond [`FREE`] octets) is refused, so that a bomb is a refusal and not an outage. Of a ZIP all files
//! are taken that are called as reports are, else the first; what was packed twice is unpacked twice, within the same bounds, and no
//! more often; once [`Room`] is used up no other file is opened, and that is said. Nothing is written anywhere. What stands behind
//! gzip and is none, like the zeros of a tape, is passed over.

use std::borrow::Cow;
use std::io::Read;

use flate2::bufread::GzDecoder;
use flate2::read::DeflateDecoder;

use crate::zip::{self, Entry, Packed};

/// The largest reports seen are some MiB; this holds some twenty thousand records, which is all that is read of one.
pub(crate) const MOST: usize = 16 << 20;
/// XML of many like records packs 60 times; a bomb a thousand.
const RATIO: usize = 200;
const FREE: usize = 1 << 20;
/// What is packed in what is packed counts as well.
const FILES: usize = 64;
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("it unpacks to more than {RATIO} times its size, which no report does")]
    TooMuch,
    #[error("it cannot be unpacked: it is damaged, encrypted, or packed in a way that is not known here")]
    Broken,
    #[error("there is no file in it")]
    Empty,
    #[error("it holds more than is read at a time, {FILES} files or 16 MiB, and the rest was left out")]
    Rest,
}

/// How much is still unpacked of all that came together; the last file may be as large as any.
pub(crate) struct Room {
    files: usize,
    octets: usize,
}

impl Room {
    pub fn new() -> Room {
        Room { files: FILES, octets: MOST }
    }

    fn open<'a>(&mut self, file: &Closed<'a>) -> Result<Inside<'a>, Refused> {
        if self.files == 0 || self.octets == 0 {
            return Err(Refused::Rest);
        }
        self.files -= 1;
        let inside = file.open()?;
        self.octets = self.octets.saturating_sub(inside.content.len());
        Ok(inside)
    }
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

/// The files that are inside, of what was packed twice in the inner; what is not packed is itself. Never empty.
pub(crate) fn unpack<'a>(octets: &'a [u8], room: &mut Room) -> Vec<Result<Inside<'a>, Refused>> {
    let outer = match Closed::all(octets) {
        Ok(outer) => outer,
        Err(why) => return vec![Err(why)],
    };
    let mut files = Vec::new();
    for file in outer {
        match room.open(&file) {
            Ok(inside) if is_packed(&inside.content) => unpack_inner(&inside, room, &mut files),
            other => files.push(other),
        }
        if files.last() == Some(&Err(Refused::Rest)) {
            break;
        }
    }
    files
}

fn unpack_inner<'a>(outer: &Inside<'_>, room: &mut Room, files: &mut Vec<Result<Inside<'a>, Refused>>) {
    let inner = match Closed::all(&outer.content) {
        Ok(inner) => inner,
        Err(why) => return files.push(Err(why)),
    };
    for file in inner {
        let inside = room.open(&file).map(|inside| Inside {
            content: Cow::Owned(inside.content.into_owned()),
            is_cut: inside.is_cut || outer.is_cut,
        });
        let is_rest = inside == Err(Refused::Rest);
        files.push(inside);
        if is_rest {
            break;
        }
    }
}

/// A file that is not unpacked yet.
enum Closed<'a> {
    Plain(&'a [u8]),
    Gzip(&'a [u8]),
    Zip(Entry<'a>),
}

impl<'a> Closed<'a> {
    fn all(octets: &'a [u8]) -> Result<Vec<Closed<'a>>, Refused> {
        if octets.starts_with(b"\x1f\x8b") {
            return Ok(vec![Closed::Gzip(octets)]);
        }
        if !is_packed(octets) {
            return Ok(vec![Closed::Plain(octets)]);
        }
        Ok(zip::entries(octets)?.into_iter().map(Closed::Zip).collect())
    }

    fn open(&self) -> Result<Inside<'a>, Refused> {
        match self {
            Closed::Plain(octets) => Ok(Inside::of(octets)),
            Closed::Gzip(octets) => gzip(octets),
            Closed::Zip(entry) => of_zip(entry),
        }
    }
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

fn of_zip<'a>(entry: &Entry<'a>) -> Result<Inside<'a>, Refused> {
    let data = entry.data;
    match (entry.packed, entry.size) {
        (Packed::Deflated, _) => inflate(data, entry.whole),
        // Of what is larger than is read, the rest may not be here.
        (Packed::Stored, Some(size)) if size > MOST => {
            Ok(Inside { is_cut: true, ..Inside::of(&data[..data.len().min(size)]) })
        }
        (Packed::Stored, Some(size)) => data.get(..size).map(Inside::of).ok_or(Refused::Broken),
        (Packed::Stored, None) | (Packed::Unknown, _) => Err(Refused::Broken),
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

    /// The only file inside.
    fn unpack(octets: &[u8]) -> Result<Inside<'_>, Refused> {
        let mut files = super::unpack(octets, &mut Room::new());
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
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

    /// Only the first was read.
    #[test]
    fn all_reports_of_a_zip_are_unpacked() {
        let whole = |octets: &[u8]| -> Vec<Vec<u8>> {
            super::unpack(octets, &mut Room::new()).into_iter().map(|file| file.unwrap().content.into_owned()).collect()
        };
        let (one, two) = (zip_entry("1.xml", 8, 0, &deflate(b"one")), zip_entry("2.XML", 0, 0, b"two"));
        let readme = zip_entry("readme.txt", 8, 0, &deflate(b"read me"));
        let empty = zip_entry("empty.txt", 0, 0, b"");
        let all = [&empty[..], &one, &readme, &two].concat();
        assert_eq!(whole(&all), [b"one", b"two"]);
        let packed = [zip_entry("1.xml.gz", 0, 0, &gzip(b"one")), zip_entry("2.zip", 8, 0, &deflate(&two))].concat();
        assert_eq!(whole(&packed), [b"one", b"two"]);
        assert_eq!(whole(&zip_entry("all.zip", 8, 0, &deflate(&all))), [b"one", b"two"]);
    }

    #[test]
    fn what_is_packed_together_is_unpacked_up_to_a_bound_and_that_is_said() {
        let count = |octets: &[u8]| {
            let files = super::unpack(octets, &mut Room::new());
            assert_eq!(files.last(), Some(&Err(Refused::Rest)));
            assert_eq!(files.iter().filter(|file| file.is_err()).count(), 1);
            files.len() - 1
        };
        let small = zip_entry("r.xml", 0, 0, b"report");
        assert_eq!(count(&small.repeat(100)), FILES);
        assert_eq!(count(&zip_entry("r.zip", 8, 0, &deflate(&small)).repeat(100)), FILES / 2);
        let large = zip_entry("r.xml", 0, 0, &vec![b' '; 6 << 20]);
        assert_eq!(count(&large.repeat(5)), 3);
        // All that comes in one mail has one room.
        let mut room = Room::new();
        assert_eq!(super::unpack(&large.repeat(3), &mut room).len(), 3);
        assert_eq!(super::unpack(&small, &mut room), [Err(Refused::Rest)]);
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
