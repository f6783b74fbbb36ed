//! The one read buffer of a connection.
//!
//! It is larger while content fills it, as long as the room for that lasts ([`Held`]): of thousands who send at once, those
//! who come later are read with the small one, so that their number bounds the memory and nobody is refused for it.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::shared::Held;

/// Holds the longest line (12,288 octets, AUTH) and a small message with its envelope.
const AT_FIRST: usize = 16 * 1024;
/// Where content keeps filling the buffer: fewer system calls. Given back after the message.
const FOR_CONTENT: usize = 128 * 1024;

pub(crate) struct Buffer {
    octets: Vec<u8>,
    start: usize,
    end: usize,
    /// What it has beyond its first size.
    room: Held,
}

impl Buffer {
    pub(crate) fn new(room: Held) -> Buffer {
        Buffer { octets: vec![0; AT_FIRST], start: 0, end: 0, room }
    }

    pub(crate) fn filled(&self) -> &[u8] {
        &self.octets[self.start..self.end]
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Reads once behind what is there. Zero octets mean the end. Safe to drop.
    pub(crate) async fn fill(&mut self, from: &mut (impl AsyncRead + Unpin), content: bool) -> io::Result<usize> {
        if self.start > 0 {
            self.octets.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if !content && self.end == 0 && self.octets.len() > AT_FIRST {
            self.octets = vec![0; AT_FIRST];
            self.room.shrink_to(0);
        }
        let count = from.read(&mut self.octets[self.end..]).await?;
        self.end += count;
        if content && self.end == self.octets.len() && self.end < FOR_CONTENT && self.room.grow(FOR_CONTENT - self.end)
        {
            self.octets.resize(FOR_CONTENT, 0);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::{SharedBounds, SharedLimits};

    async fn filled(buffer: &mut Buffer) -> usize {
        let octets = vec![b'x'; 2 * FOR_CONTENT];
        let mut from = octets.as_slice();
        buffer.consume(usize::MAX);
        for _ in 0..2 {
            buffer.fill(&mut from, true).await.unwrap();
        }
        buffer.filled().len()
    }

    /// Three thousand clients with content under way took 400 MiB for reading it, whatever `incoming_memory` said.
    #[tokio::test]
    async fn large_buffers_are_bounded_together_and_who_has_none_reads_on() {
        let bounds = SharedBounds { content_octets: 16 * FOR_CONTENT, ..SharedBounds::default() };
        let shared = SharedLimits::new(bounds);
        let mut buffers: Vec<Buffer> = (0..50).map(|_| Buffer::new(shared.hold_for_reading())).collect();
        let mut large = 0;
        for buffer in &mut buffers {
            large += usize::from(filled(buffer).await == FOR_CONTENT);
        }
        let all: usize = buffers.iter().map(|buffer| buffer.octets.len()).sum();
        assert_eq!(large, 2, "an eighth of the bound");
        assert_eq!(all, 2 * FOR_CONTENT + 48 * AT_FIRST);
        assert_eq!(shared.content_octets(), 0, "contents have all of theirs");
        // Those who come later have what the first gave back.
        buffers.remove(0);
        assert_eq!(filled(buffers.last_mut().unwrap()).await, FOR_CONTENT);
    }
}
