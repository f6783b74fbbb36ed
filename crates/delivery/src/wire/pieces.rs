//! What is to be written, a message in pieces, as the slices of one write after the other.
//!
//! Promise: few writes, and large pieces are never copied. A message whose every line begins with a dot is a hundred thousand
//! pieces to a megabyte (RFC 5321 §4.5.2), and one made safe part by part is thousands: written by sixteen slices each, either would
//! cost a system call, and over TLS a record, for some fifty octets. So where a write's worth of slices holds little, they and those
//! behind them are gathered in one piece of up to [`COPIED`] octets.

use std::collections::VecDeque;
use std::io::IoSlice;

/// Slices that one write gathers: commands, a few chunks, some doubled dots.
pub(super) const SLICES: usize = 16;
/// A write of so many octets is worth its system call; less in all of the slices is copied together.
const COPIED: usize = 64 * 1024;

pub(super) struct Pieces<'a, I> {
    left: I,
    window: VecDeque<&'a [u8]>,
    /// Small pieces in one, before those of the window.
    copied: Vec<u8>,
    /// Of `copied`.
    written: usize,
}

impl<'a, I: Iterator<Item = &'a [u8]>> Pieces<'a, I> {
    pub fn new(left: I) -> Pieces<'a, I> {
        Pieces { left, window: VecDeque::with_capacity(SLICES), copied: Vec::new(), written: 0 }
    }

    /// Puts the slices of the next write into `out`, and says how many they are: none at the end.
    pub fn next<'s>(&'s mut self, out: &mut [IoSlice<'s>; SLICES]) -> usize {
        if self.written == self.copied.len() {
            self.fill();
        }
        let copied = &self.copied[self.written..];
        let first = (!copied.is_empty()).then_some(copied);
        let count = SLICES.min(self.window.len() + usize::from(first.is_some()));
        for (slot, piece) in out.iter_mut().zip(first.into_iter().chain(self.window.iter().copied())) {
            *slot = IoSlice::new(piece);
        }
        count
    }

    /// So many octets have been written.
    pub fn advance(&mut self, mut count: usize) {
        let copied = count.min(self.copied.len() - self.written);
        self.written += copied;
        count -= copied;
        while let Some(front) = self.window.front_mut() {
            if front.len() > count {
                *front = &front[count..];
                return;
            }
            count -= front.len();
            self.window.pop_front();
        }
    }

    fn fill(&mut self) {
        let room = SLICES - self.window.len();
        self.window.extend(self.left.by_ref().filter(|piece| !piece.is_empty()).take(room));
        if self.window.len() < SLICES || self.window.iter().map(|piece| piece.len()).sum::<usize>() >= COPIED {
            return;
        }
        self.copied.clear();
        self.written = 0;
        for piece in self.window.drain(..) {
            self.copied.extend_from_slice(piece);
        }
        for piece in self.left.by_ref() {
            if self.copied.len() + piece.len() > COPIED {
                self.window.push_back(piece);
                return;
            }
            self.copied.extend_from_slice(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use repute_smtp::client::Stuffed;
    use repute_types::Content;

    use super::*;

    /// The octets of each write, where a write takes at most `most` of them.
    fn writes<'a>(pieces: impl Iterator<Item = &'a [u8]>, most: usize) -> Vec<Vec<u8>> {
        let mut pieces = Pieces::new(pieces);
        let mut out = Vec::new();
        loop {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = pieces.next(&mut slices);
            if count == 0 {
                return out;
            }
            let mut octets: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
            octets.truncate(most);
            pieces.advance(octets.len());
            out.push(octets);
        }
    }

    #[test]
    fn a_message_of_lines_that_begin_with_dots_goes_in_few_writes() {
        for (line, most) in [(".\r\n", 32), ("..a\r\n", 32), (".text of a line as people write them\r\n", 24)] {
            let content = Content::from(line.repeat(1_000_000 / line.len()).into_bytes());
            let written = writes(Stuffed::new(&content), usize::MAX);
            assert_eq!(written.concat(), Stuffed::new(&content).collect::<Vec<_>>().concat());
            assert!(written.len() <= most, "{} writes of {line:?}", written.len());
        }
    }

    #[test]
    fn a_message_of_thousands_of_small_slices_goes_in_few_writes() {
        let content: Vec<Vec<u8>> = (0..10_000u32).map(|n| n.to_string().into_bytes()).collect();
        let written = writes(content.iter().map(|piece| &piece[..]), usize::MAX);
        assert_eq!(written.concat(), content.concat());
        assert_eq!(written.len(), 1);
    }

    #[test]
    fn a_large_slice_is_not_copied_whatever_stands_beside_it() {
        let small = std::iter::repeat_n(&b"."[..], 100);
        let large = vec![b'x'; COPIED];
        let all = small.clone().chain([&large[..]]).chain(small);
        let mut pieces = Pieces::new(all);
        let mut slices = [IoSlice::new(&[]); SLICES];
        assert_eq!(pieces.next(&mut slices), 2);
        assert_eq!((slices[0].len(), slices[1].as_ptr()), (100, large.as_ptr()));
    }

    #[test]
    fn a_write_that_takes_a_part_goes_on_behind_it() {
        let content = Content::from(b".a\r\nb\r\n".repeat(10_000));
        let expected = Stuffed::new(&content).collect::<Vec<_>>().concat();
        for most in [1_000, 4_096, 65_535, 65_537] {
            assert_eq!(writes(Stuffed::new(&content), most).concat(), expected, "{most} octets a write");
        }
    }
}
