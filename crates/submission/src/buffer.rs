//! The one read buffer of a connection.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Holds the longest line (12,288 octets, AUTH) and a small message with its envelope.
const AT_FIRST: usize = 16 * 1024;
/// Where content keeps filling the buffer: fewer system calls. Given back after the message.
const FOR_CONTENT: usize = 128 * 1024;

pub(crate) struct Buffer {
    octets: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    pub(crate) fn new() -> Buffer {
        Buffer { octets: vec![0; AT_FIRST], start: 0, end: 0 }
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
        }
        let count = from.read(&mut self.octets[self.end..]).await?;
        self.end += count;
        if content && self.end == self.octets.len() && self.end < FOR_CONTENT {
            self.octets.resize(FOR_CONTENT, 0);
        }
        Ok(count)
    }
}
