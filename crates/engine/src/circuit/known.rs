//! Whom an account has written to, remembered in little room, pure.
//!
//! Layers of Bloom filters, each four times the one before until [`LARGEST`]: whoever is new goes into the newest; when
//! it is full, the next begins, and beyond [`LAYERS`] the oldest is forgotten. A recipient's bits lie within one line of
//! 64 octets, so that a look at a layer touches one line of memory, and one page when it is written down. Promise:
//! who is remembered is never taken for a stranger; of a hundred strangers fewer than two are taken for known (a test
//! measures it). The pages that changed are known, so that only they are written.

use aws_lc_rs::digest::{SHA256, digest};
use repute_ledger::suppression::spelling;
use repute_types::Address;

/// The first layer, in octets; a power of four times this is the largest.
const SMALLEST: usize = 1 << 10;
const LARGEST: usize = 1 << 20;
/// Layers of an account at most: 8 MiB, four million recipients.
const LAYERS: usize = 8;
/// Octets that are written together.
const PAGE: usize = 4096;
const LINE_BITS: usize = 512;
/// Bits of a filter for each recipient in it, and how many of them are set.
const ROOM: usize = 16;
const PROBES: u32 = 6;

/// What is remembered of an address: the same on every machine and in every version, because it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Face {
    line: u64,
    bits: u64,
}

impl Face {
    pub fn of(address: &Address) -> Face {
        let hash = digest(&SHA256, spelling(address).as_bytes());
        let word = |at: usize| {
            hash.as_ref().iter().skip(at).take(8).fold(0_u64, |word, octet| (word << 8) | u64::from(*octet))
        };
        Face { line: word(0), bits: word(8) }
    }
}

/// A page of a layer, to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub layer: u32,
    pub page: u32,
    pub size: u32,
    pub entries: u32,
    pub bits: Vec<u8>,
}

#[derive(Debug)]
struct Layer {
    bits: Vec<u8>,
    entries: usize,
    /// For each page, whether it changed since it was written down.
    changed: Vec<bool>,
}

impl Layer {
    fn new(size: usize) -> Layer {
        Layer { bits: vec![0; size], entries: 0, changed: vec![false; size.div_ceil(PAGE)] }
    }

    /// The bits of a face, as octet and mask.
    fn places(&self, face: Face) -> impl Iterator<Item = (usize, u8)> + use<> {
        let lines = self.bits.len() * 8 / LINE_BITS;
        let line = usize::try_from(face.line % lines.max(1) as u64).unwrap_or(0) * (LINE_BITS / 8);
        (0..PROBES).map(move |n| {
            let bit = (face.bits >> (9 * n)) as usize % LINE_BITS;
            (line + bit / 8, 1 << (bit % 8))
        })
    }

    fn has(&self, face: Face) -> bool {
        self.places(face).all(|(octet, mask)| self.bits[octet] & mask != 0)
    }

    fn add(&mut self, face: Face) {
        for (octet, mask) in self.places(face) {
            self.bits[octet] |= mask;
            self.changed[octet / PAGE] = true;
        }
        self.entries += 1;
    }

    fn is_full(&self) -> bool {
        self.entries * ROOM >= self.bits.len() * 8
    }
}

#[derive(Debug)]
pub(crate) struct Acquaintances {
    /// Oldest first.
    layers: Vec<Layer>,
    /// The number of the oldest layer.
    pub first: u32,
    largest: usize,
}

impl Default for Acquaintances {
    fn default() -> Acquaintances {
        Acquaintances { layers: Vec::new(), first: 0, largest: LARGEST }
    }
}

impl Acquaintances {
    /// Remembers a recipient; whether it was a stranger.
    pub fn meet(&mut self, face: Face) -> bool {
        if self.knows(face) {
            return false;
        }
        match self.layers.last() {
            None => self.layers.push(Layer::new(SMALLEST)),
            Some(last) if last.is_full() => {
                self.layers.push(Layer::new((last.bits.len() * 4).min(self.largest)));
                if self.layers.len() > LAYERS {
                    self.layers.remove(0);
                    self.first += 1;
                }
            }
            Some(_) => {}
        }
        if let Some(newest) = self.layers.last_mut() {
            newest.add(face);
        }
        true
    }

    pub fn knows(&self, face: Face) -> bool {
        self.layers.iter().rev().any(|layer| layer.has(face))
    }

    pub fn octets(&self) -> usize {
        self.layers.iter().map(|layer| layer.bits.len()).sum()
    }

    /// What changed since the last time.
    pub fn take_changed(&mut self) -> Vec<Page> {
        let mut pages = Vec::new();
        for (layer, number) in self.layers.iter_mut().zip(self.first..) {
            let (size, entries) = (layer.bits.len() as u32, layer.entries as u32);
            for ((bits, changed), page) in layer.bits.chunks(PAGE).zip(&mut layer.changed).zip(0..) {
                if std::mem::take(changed) {
                    pages.push(Page { layer: number, page, size, entries, bits: bits.to_vec() });
                }
            }
        }
        pages
    }

    /// All of it is to be written again.
    pub fn mark(&mut self) {
        self.layers.iter_mut().for_each(|layer| layer.changed.fill(true));
    }

    /// A page from the last run; they come in their order. What does not fit is left out: its recipients are strangers
    /// again.
    pub fn restore(&mut self, page: &Page) {
        let size = page.size as usize;
        if !(SMALLEST..=LARGEST).contains(&size) || !size.is_power_of_two() {
            return;
        }
        if self.layers.is_empty() {
            self.first = page.layer;
        }
        let Some(at) = page.layer.checked_sub(self.first).map(|at| at as usize).filter(|at| *at < LAYERS) else {
            return;
        };
        while self.layers.len() <= at {
            self.layers.push(Layer::new(size));
        }
        let layer = &mut self.layers[at];
        layer.entries = layer.entries.max(page.entries as usize);
        let begin = page.page as usize * PAGE;
        if let Some(there) = layer.bits.get_mut(begin..begin + page.bits.len()) {
            there.copy_from_slice(&page.bits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(n: usize) -> Face {
        Face::of(&Address::parse(&format!("p{n}@a.test")).unwrap())
    }

    #[test]
    fn who_is_remembered_is_no_stranger_and_few_strangers_are_taken_for_known() {
        let mut known = Acquaintances::default();
        for (all, most) in [(500, 0.02), (40_000, 0.02)] {
            let before = (0..all).filter(|n| known.meet(face(*n))).count();
            assert!((0..all).all(|n| !known.meet(face(n))), "after {before}");
            let wrong = (1_000_000..1_005_000).filter(|n| known.layers.iter().any(|l| l.has(face(*n)))).count();
            assert!((wrong as f64) < 5000.0 * most, "{wrong} of 5000 after {all}");
        }
        assert!(known.octets() < 6 * 40_000, "{} octets", known.octets());
    }

    #[test]
    fn spellings_of_one_mailbox_are_one() {
        let of = |text: &str| Face::of(&Address::parse(text).unwrap());
        assert_eq!(of("Ann@A.test"), of("ann@a.test"));
        assert_ne!(of("ann@a.test"), of("ben@a.test"));
    }

    #[test]
    fn it_has_a_bound_and_the_newest_are_kept() {
        let mut known = Acquaintances { largest: 4096, ..Acquaintances::default() };
        let all = 20_000;
        assert!((0..all).filter(|n| known.meet(face(*n))).count() > all * 9 / 10);
        assert!(known.octets() <= LAYERS * 4096 && known.first > 0, "{} from {}", known.octets(), known.first);
        // Seven full layers of 2,048, and the newest; without the few that a layer which is gone had taken for known.
        let kept = (all - 14_000..all).filter(|n| known.layers.iter().any(|layer| layer.has(face(*n)))).count();
        assert!(kept > 13_700, "{kept} of 14,000");
    }

    #[test]
    fn what_is_written_down_is_what_is_read_again() {
        let mut known = Acquaintances::default();
        assert!((0..3000).filter(|n| known.meet(face(*n))).count() > 2900);
        let written = known.take_changed();
        assert_eq!(known.take_changed(), []);
        known.meet(face(3000));
        let more = known.take_changed();
        assert_eq!(more.len(), 1, "one page changed");
        let mut again = Acquaintances::default();
        written
            .iter()
            .filter(|page| (page.layer, page.page) != (more[0].layer, more[0].page))
            .for_each(|p| again.restore(p));
        more.iter().for_each(|page| again.restore(page));
        assert!((0..=3000).all(|n| !again.meet(face(n))));
        assert_eq!(again.octets(), known.octets());
    }
}
