//! Changes to a content as a list of ranges: what no range names is shared, not copied; what is
//! encoded anew is encoded piece by piece while its old octets are let go, so that a large body
//! is held once.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use repute_types::Content;

use crate::encode::Encoder;

/// Encoded octets that are gathered before they become a slice of the content.
const PIECE: usize = 256 * 1024;

#[derive(Default)]
pub(crate) struct Edits {
    list: Vec<(Range<usize>, With)>,
}

/// What stands in the place of a range.
enum With {
    Octets(Bytes),
    /// The range itself, written by an encoder; `open` leaves out the line end at its end.
    Encoded {
        encoder: Encoder,
        open: bool,
    },
}

impl Edits {
    pub fn remove(&mut self, range: Range<usize>) {
        self.replace(range, Bytes::new());
    }

    /// Removes what was to be changed in it, too.
    pub fn remove_changed(&mut self, range: Range<usize>) {
        self.list.retain(|(changed, _)| changed.end <= range.start || range.end <= changed.start);
        self.remove(range);
    }

    /// Puts `with` where `range` is; an empty range inserts. Ranges must not overlap; of two
    /// that begin at one place the first handed in comes first.
    pub fn replace(&mut self, range: Range<usize>, with: impl Into<Bytes>) {
        self.list.push((range, With::Octets(with.into())));
    }

    /// Writes what stands in `range` anew, once the changes are made. `open`: without a line end
    /// at its end.
    pub fn encode(&mut self, range: Range<usize>, encoder: Encoder, open: bool) {
        self.list.push((range, With::Encoded { encoder, open }));
    }

    /// What was to be put in place of just this range stays as it is.
    pub fn forget(&mut self, range: &Range<usize>) {
        self.list.retain(|(other, _)| other != range);
    }

    /// Whether something is done within this range already.
    pub fn touches(&self, range: &Range<usize>) -> bool {
        self.list.iter().any(|(r, _)| r.start < range.end && range.start < r.end)
    }

    /// The content with `front` before it and the changes made.
    pub fn apply(mut self, mut content: Content, front: String) -> Content {
        if self.list.is_empty() {
            content.prepend(front);
            return content;
        }
        self.list.sort_by_key(|(range, _)| (range.start, range.end));
        let mut out = Content::from(front);
        let mut rest = Rest { at: 0, chunks: content.into_chunks().into() };
        for (range, with) in self.list {
            debug_assert!(rest.at <= range.start, "edits overlap at {range:?}");
            rest.up_to(range.start, |piece| out.push(piece));
            match with {
                With::Octets(octets) => {
                    rest.up_to(range.end, drop);
                    out.push(octets);
                }
                With::Encoded { encoder, open } => encode(&mut rest, range.end, encoder, open, &mut out),
            }
        }
        rest.up_to(usize::MAX, |piece| out.push(piece));
        out
    }
}

fn encode(rest: &mut Rest, end: usize, mut encoder: Encoder, open: bool, out: &mut Content) {
    rest.up_to(end, |piece| {
        for part in piece.chunks(PIECE) {
            encoder.feed(part);
            if encoder.written() >= PIECE {
                out.push(encoder.take());
            }
        }
    });
    let mut last = encoder.finish();
    if open && last.ends_with(b"\r\n") {
        last.truncate(last.len() - 2);
    }
    out.push(last);
}

/// What of a content has not been handed on. A slice that was is not held here any more.
struct Rest {
    at: usize,
    chunks: VecDeque<Bytes>,
}

impl Rest {
    fn up_to(&mut self, end: usize, mut visit: impl FnMut(Bytes)) {
        while self.at < end
            && let Some(mut chunk) = self.chunks.pop_front()
        {
            let wanted = end - self.at;
            if wanted < chunk.len() {
                let later = chunk.split_off(wanted);
                self.chunks.push_front(later);
            }
            self.at += chunk.len();
            visit(chunk);
        }
    }
}
