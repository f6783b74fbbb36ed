//! Names of messages and of their parts.
//!
//! A message id is a number that grows with time (42 bits of milliseconds, 22 bits that tell
//! messages of one millisecond apart), written as 13 letters of Crockford's base 32, so that
//! it sorts by age, can be read out on the telephone and found with grep. A part is the
//! recipients of one message at one domain: what is scheduled, sent and settled together.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Timestamp;

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub u64);

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SEQUENCE_BITS: u32 = 22;

impl MessageId {
    /// The time at which the id was made, to the millisecond.
    pub fn time(self) -> Timestamp {
        Timestamp((self.0 >> SEQUENCE_BITS) as i64)
    }

    /// The lowest id that can have been made at `t`; for searches by age.
    pub fn first_at(t: Timestamp) -> MessageId {
        MessageId((t.0.max(0) as u64) << SEQUENCE_BITS)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; 13];
        for (i, slot) in text.iter_mut().enumerate() {
            *slot = DIGITS[(self.0 >> (60 - 5 * i)) as usize & 31];
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message id is 13 letters and digits, as `repute queue` prints it")]
pub struct IdError;

impl FromStr for MessageId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<MessageId, IdError> {
        if text.len() != 13 {
            return Err(IdError);
        }
        text.bytes()
            .try_fold(0u64, |n, b| {
                let digit = DIGITS.iter().position(|d| *d == b.to_ascii_lowercase()).ok_or(IdError)?;
                if n >> 59 != 0 {
                    return Err(IdError);
                }
                Ok(n << 5 | digit as u64)
            })
            .map(MessageId)
    }
}

impl serde::Serialize for MessageId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for MessageId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<MessageId, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Hands out ids that grow strictly, also where the clock stands still or is set back.
#[derive(Debug, Default)]
pub struct IdSource(AtomicU64);

impl IdSource {
    /// Starts above `last`, the highest id known to the spool.
    pub fn after(last: MessageId) -> IdSource {
        IdSource(AtomicU64::new(last.0))
    }

    pub fn next(&self, now: Timestamp) -> MessageId {
        let floor = MessageId::first_at(now).0;
        let grow = |last: u64| Some(floor.max(last + 1));
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grow) {
            Ok(last) | Err(last) => MessageId(floor.max(last + 1)),
        }
    }
}

/// One part of a message: `number` counts from 0 within the message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartId {
    pub message: MessageId,
    pub number: u32,
}

impl fmt::Display for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.message, self.number)
    }
}

impl fmt::Debug for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_read_back() {
        let source = IdSource::default();
        let now = Timestamp(1_795_485_950_120);
        let (a, b, c) = (source.next(now), source.next(now), source.next(Timestamp(5)));
        assert!(a < b && b < c);
        assert_eq!(a.time(), now);
        assert_eq!(a.to_string().len(), 13);
        assert_eq!(a.to_string().parse(), Ok(a));
        assert!(a.to_string() < b.to_string());
        assert_eq!("zzzzzzzzzzzzz".parse::<MessageId>(), Err(IdError));
    }
}
