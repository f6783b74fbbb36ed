//! A message's content: header and body as octets, CRLF line ends, no dot-stuffing.
//!
//! Promise: a list of reference-counted slices. Cloning copies no octet, and what is put in
//! front (a signature, a Received field) is a slice of its own, so that a message of 50 MB is
//! held once. Slices are never empty.

use bytes::Bytes;

#[derive(Clone, Debug, Default)]
pub struct Content {
    chunks: Vec<Bytes>,
    len: usize,
}

impl Content {
    pub fn new() -> Content {
        Content::default()
    }

    pub fn push(&mut self, chunk: impl Into<Bytes>) {
        let chunk = chunk.into();
        if !chunk.is_empty() {
            self.len += chunk.len();
            self.chunks.push(chunk);
        }
    }

    /// Puts a slice before all others.
    pub fn prepend(&mut self, chunk: impl Into<Bytes>) {
        let chunk = chunk.into();
        if !chunk.is_empty() {
            self.len += chunk.len();
            self.chunks.insert(0, chunk);
        }
    }

    /// Octets in all.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// The slices, so that each can be let go when it has been dealt with.
    pub fn into_chunks(self) -> Vec<Bytes> {
        self.chunks
    }

    /// The octets from `start` up to `end`, sharing memory with this content.
    ///
    /// # Panics
    /// Where the range lies outside the content.
    pub fn slice(&self, start: usize, end: usize) -> Content {
        assert!(start <= end && end <= self.len, "range {start}..{end} of {}", self.len);
        let mut out = Content::new();
        let mut at = 0;
        for chunk in &self.chunks {
            let (from, to) = (start.max(at), end.min(at + chunk.len()));
            if from < to {
                out.push(chunk.slice(from - at..to - at));
            }
            at += chunk.len();
        }
        out
    }

    /// One contiguous copy; for small contents and tests.
    pub fn to_vec(&self) -> Vec<u8> {
        self.chunks.concat()
    }
}

impl<T: Into<Bytes>> From<T> for Content {
    fn from(octets: T) -> Content {
        let mut content = Content::new();
        content.push(octets);
        content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_spans_chunks() {
        let mut c = Content::from(&b"abc"[..]);
        c.push(&b"def"[..]);
        c.prepend(&b"01"[..]);
        assert_eq!(c.len(), 8);
        assert_eq!(c.slice(1, 6).to_vec(), b"1abcd");
        assert!(c.slice(3, 3).is_empty());
    }
}
