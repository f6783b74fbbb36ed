//! The lines of a content, wherever its chunks are cut.

use repute_types::Content;

use crate::scan::LINE;

pub(super) struct Line<'a> {
    /// Where it starts in the content.
    pub start: usize,
    /// After its line end.
    pub end: usize,
    /// Its octets without the line end; of a very long line only the first [`HEAD`].
    pub text: &'a [u8],
    pub eight_bit: bool,
    pub long: bool,
}

/// Long enough for every boundary and every field that is read.
const HEAD: usize = 16 * 1024;

/// Calls `visit` for each line from `from` on, until it fails.
pub(super) fn each<E>(
    content: &Content,
    from: usize,
    mut visit: impl FnMut(Line<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut open = Open { start: from, ..Open::default() };
    let mut at = 0;
    for chunk in content.chunks() {
        let skip = from.saturating_sub(at).min(chunk.len());
        let mut rest = &chunk[skip..];
        at += chunk.len();
        while let Some(i) = memchr::memchr(b'\n', rest) {
            let (line, more) = rest.split_at(i + 1);
            rest = more;
            open.line(line, &mut visit)?;
        }
        open.keep(rest);
    }
    if open.length > 0 { open.line(&[], &mut visit) } else { Ok(()) }
}

/// A line whose beginning lay in chunks before.
#[derive(Default)]
struct Open {
    start: usize,
    length: usize,
    head: Vec<u8>,
    eight_bit: bool,
}

impl Open {
    fn keep(&mut self, octets: &[u8]) {
        self.length += octets.len();
        self.eight_bit |= !octets.is_ascii();
        let room = HEAD - self.head.len();
        self.head.extend_from_slice(&octets[..octets.len().min(room)]);
    }

    fn line<E>(&mut self, tail: &[u8], visit: &mut impl FnMut(Line<'_>) -> Result<(), E>) -> Result<(), E> {
        let whole = self.length == 0;
        if !whole {
            self.keep(tail);
        }
        let length = if whole { tail.len() } else { self.length };
        let octets = if whole { &tail[..tail.len().min(HEAD)] } else { &self.head[..] };
        let text = octets.strip_suffix(b"\r\n").unwrap_or(octets);
        let line = Line {
            start: self.start,
            end: self.start + length,
            text,
            eight_bit: if whole { !tail.is_ascii() } else { self.eight_bit },
            // With its line end; a line at the end without one is never over by that.
            long: length > LINE + 2,
        };
        visit(line)?;
        *self = Open { start: self.start + length, head: std::mem::take(&mut self.head), ..Open::default() };
        self.head.clear();
        Ok(())
    }
}
