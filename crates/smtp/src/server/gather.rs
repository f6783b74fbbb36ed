//! Gathers content into chunks: small messages end as one slice, large ones are held once.
//!
//! Promise: no chunk is ever moved or grown; sizes go from 8 KiB to 256 KiB, so that memory
//! beyond the content is at most a chunk. Each chunk is asked for before it is taken, so that
//! the memory of all sessions has a bound.

use bytes::BytesMut;
use repute_types::Content;

const FIRST_CHUNK: usize = 8 * 1024;
const LARGEST_CHUNK: usize = 256 * 1024;

#[derive(Debug, Default)]
pub struct Gather {
    done: Content,
    current: BytesMut,
    /// Octets asked for and granted.
    reserved: usize,
}

/// The memory for one more chunk was not granted.
#[derive(Debug, PartialEq, Eq)]
pub struct NoRoom;

impl Gather {
    /// Starts with room for `expected` octets (what SIZE= said), within the limits of a chunk.
    pub fn start(expected: u64, room: &mut dyn FnMut(usize) -> bool) -> Result<Gather, NoRoom> {
        let mut gather = Gather::default();
        let expected = usize::try_from(expected).unwrap_or(LARGEST_CHUNK);
        gather.new_chunk(expected.clamp(FIRST_CHUNK, LARGEST_CHUNK), room)?;
        Ok(gather)
    }

    /// Octets gathered.
    pub fn len(&self) -> usize {
        self.done.len() + self.current.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets of memory held.
    pub fn reserved(&self) -> usize {
        self.reserved
    }

    pub fn push(&mut self, mut piece: &[u8], room: &mut dyn FnMut(usize) -> bool) -> Result<(), NoRoom> {
        loop {
            let space = self.current.capacity() - self.current.len();
            let (now, later) = piece.split_at(piece.len().min(space));
            self.current.extend_from_slice(now);
            if later.is_empty() {
                return Ok(());
            }
            piece = later;
            // Doubling what is held already reaches the largest chunk after five.
            self.new_chunk(self.reserved.clamp(FIRST_CHUNK, LARGEST_CHUNK), room)?;
        }
    }

    pub fn finish(mut self) -> Content {
        self.close_chunk();
        self.done
    }

    fn new_chunk(&mut self, size: usize, room: &mut dyn FnMut(usize) -> bool) -> Result<(), NoRoom> {
        if !room(size) {
            return Err(NoRoom);
        }
        self.close_chunk();
        self.reserved += size;
        self.current = BytesMut::with_capacity(size);
        Ok(())
    }

    fn close_chunk(&mut self) {
        let chunk = std::mem::take(&mut self.current);
        // A slice keeps its whole allocation alive: one of which more than an eighth would be empty is copied, or what is kept
        // in memory would be up to twice of what is counted.
        if chunk.len() + chunk.len() / 8 < chunk.capacity() {
            self.done.push(bytes::Bytes::copy_from_slice(&chunk));
        } else {
            self.done.push(chunk.freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_message_is_one_chunk_and_a_large_one_is_held_once() {
        let mut yes = |_| true;
        let mut small = Gather::start(0, &mut yes).unwrap();
        for _ in 0..64 {
            small.push(&[b'x'; 64], &mut yes).unwrap();
        }
        assert_eq!(small.finish().chunks().len(), 1);

        let mut large = Gather::start(0, &mut yes).unwrap();
        for i in 0..1000u32 {
            large.push(&[(i % 251) as u8; 10_000], &mut yes).unwrap();
        }
        assert_eq!(large.len(), 10_000_000);
        assert!(large.reserved() < 10_000_000 + LARGEST_CHUNK);
        let content = large.finish();
        assert!(content.chunks().len() < 60);
        assert_eq!(content.slice(9_999_999, 10_000_000).to_vec(), [(999 % 251) as u8]);
    }

    #[test]
    fn without_room_it_stops() {
        let mut left = 20_000;
        let mut room = |n: usize| {
            let fits = n <= left;
            left -= if fits { n } else { 0 };
            fits
        };
        let mut gather = Gather::start(0, &mut room).unwrap();
        assert_eq!(gather.push(&[0; 8192], &mut room), Ok(()));
        assert_eq!(gather.push(&[0; 9000], &mut room), Err(NoRoom));
    }
}
