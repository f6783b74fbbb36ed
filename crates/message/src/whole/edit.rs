//! Changes to a content as a list of ranges: what no range names is shared, not copied.

use std::ops::Range;

use bytes::Bytes;
use repute_types::Content;

#[derive(Debug, Default)]
pub(crate) struct Edits {
    list: Vec<(Range<usize>, Bytes)>,
}

impl Edits {
    pub fn remove(&mut self, range: Range<usize>) {
        self.replace(range, Bytes::new());
    }

    /// Puts `with` where `range` is; an empty range inserts. Ranges must not overlap; of two
    /// that begin at one place the first handed in comes first.
    pub fn replace(&mut self, range: Range<usize>, with: impl Into<Bytes>) {
        self.list.push((range, with.into()));
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
        let mut at = 0;
        for (range, with) in self.list {
            debug_assert!(at <= range.start, "edits overlap at {range:?}");
            share(&mut out, &content, at..range.start);
            out.push(with);
            at = range.end;
        }
        share(&mut out, &content, at..content.len());
        out
    }
}

fn share(out: &mut Content, content: &Content, range: Range<usize>) {
    for chunk in content.slice(range.start, range.end).chunks() {
        out.push(chunk.clone());
    }
}
