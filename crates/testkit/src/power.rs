//! A power cut: what is on the disk is copied at each instant at which a promise was given; a cut then leaves the
//! last such state with any selection of the sectors written since.

use std::path::Path;

use repute_types::{Random, SeededRandom};

const SECTOR: usize = 512;
/// The header of SQLite's write-ahead log (sqlite.org/fileformat2.html §4).
const HEADER: usize = 32;

/// Files by name, and what is in them; none where there is no such file.
pub type Image = Vec<(&'static str, Vec<u8>)>;

/// The files in `dir` as they are now. Nobody may be writing them.
pub fn image(dir: &Path, files: &[&'static str]) -> Image {
    files.iter().map(|file| (*file, std::fs::read(dir.join(file)).unwrap_or_default())).collect()
}

/// Puts the files of an image into `dir`.
///
/// # Panics
/// Where they cannot be written.
pub fn lay(dir: &Path, image: &Image) {
    for (file, octets) in image {
        if !octets.is_empty() {
            let path = dir.join(file);
            path.parent().map(std::fs::create_dir_all).transpose().expect("a folder of the test's own takes a folder");
            std::fs::write(path, octets).expect("a folder of the test's own takes a file");
        }
    }
}

/// `before` with those sectors of `after` that `choose` selects. One order is certain: when its
/// log (`-wal`) is begun again, SQLite syncs its new header before it writes a frame behind it (`syncHeader`
/// in wal.c, for this very reason: old frames behind an old header would be believed), so frames
/// of the new log never stand behind the header of the old one.
pub fn torn(before: &Image, after: &Image, mut choose: impl FnMut() -> bool) -> Image {
    let mut files = Vec::new();
    for ((name, old), (_, new)) in before.iter().zip(after) {
        let mut octets = old.clone();
        octets.resize(old.len().max(new.len()), 0);
        let mut end = old.len();
        for at in (0..new.len()).step_by(SECTOR) {
            let sector = &new[at..new.len().min(at + SECTOR)];
            if octets[at..at + sector.len()] != *sector && choose() {
                octets[at..at + sector.len()].copy_from_slice(sector);
                end = end.max(at + sector.len());
            }
        }
        octets.truncate(end);
        let is_log = name.ends_with("-wal");
        if is_log && old.len() >= HEADER && octets != *old && old[..HEADER] != new[..HEADER] {
            octets[..HEADER].copy_from_slice(&new[..HEADER]);
        }
        files.push((*name, octets));
    }
    files
}

/// Cuts between two states: nothing written, all of it, the first so many sectors, and sectors at random. Says how
/// many there were.
pub fn each_cut(before: &Image, after: &Image, random: &SeededRandom, mut check: impl FnMut(&str, &Image)) -> usize {
    check("nothing written", before);
    check("all written", after);
    let mut cuts = 2;
    let mut sectors = 0;
    torn(before, after, || {
        sectors += 1;
        true
    });
    for written in 0..sectors.min(12) {
        let up_to = written * sectors / sectors.min(12);
        let mut seen = 0;
        let disk = torn(before, after, || {
            seen += 1;
            seen <= up_to
        });
        check(&format!("the first {up_to} of {sectors} sectors"), &disk);
        cuts += 1;
    }
    for choice in 0..6 {
        let disk = torn(before, after, || random.below(6) > choice);
        check(&format!("sectors at random, {choice}"), &disk);
        cuts += 1;
    }
    cuts
}
