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
use crate::short::Short;

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub u64);

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SEQUENCE_BITS: u32 = 22;
/// Behind the 64 bits of an id that is written as a UUID.
const UUID_END: &str = "-8000-000000000000";

impl MessageId {
    /// The time at which the id was made, to the millisecond.
    pub fn time(self) -> Timestamp {
        Timestamp((self.0 >> SEQUENCE_BITS) as i64)
    }

    /// The lowest id that can have been made at `t`; for searches by age.
    pub fn first_at(t: Timestamp) -> MessageId {
        MessageId((t.0.max(0) as u64) << SEQUENCE_BITS)
    }

    /// The same as a UUID (of a form of our own, RFC 9562 §5.8), for clients of other services that read no other id. It is read
    /// wherever an id is.
    pub fn to_uuid(self) -> String {
        let n = self.0;
        format!("{:08x}-{:04x}-{:04x}{UUID_END}", n >> 32, n >> 16 & 0xffff, n & 0xffff)
    }

    fn from_uuid(text: &str) -> Option<MessageId> {
        let (first, rest) = text.strip_suffix(UUID_END)?.split_once('-')?;
        let (second, third) = rest.split_once('-')?;
        let number = [(first, 8), (second, 4), (third, 4)].into_iter().try_fold(0, |number, (digits, count)| {
            let are_digits = digits.len() == count && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            let more = u64::from_str_radix(digits, 16).ok().filter(|_| are_digits)?;
            Some(number << (4 * count) | more)
        });
        number.map(MessageId)
    }
}

impl MessageId {
    /// As it is written.
    pub fn text(self) -> Short<13> {
        let mut text = [0u8; 13];
        for (i, slot) in text.iter_mut().enumerate() {
            *slot = DIGITS[(self.0 >> (60 - 5 * i)) as usize & 31];
        }
        *Short::new().ascii(&text)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
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
        if let Some(id) = MessageId::from_uuid(text) {
            return Ok(id);
        }
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
///
/// Messages that are gone leave no trace by which the next start could know their ids; so where the clock was set back
/// between two starts, their times come again. `salt`, another at each start, keeps the ids apart.
#[derive(Debug, Default)]
pub struct IdSource {
    last: AtomicU64,
    /// Stands where the ids of one millisecond are told apart, above room for 256 of them.
    salt: u64,
}

const SALT_SHIFT: u32 = 8;

impl IdSource {
    /// Starts above `last`, the highest id known to the spool.
    pub fn after(last: MessageId) -> IdSource {
        IdSource { last: AtomicU64::new(last.0), salt: 0 }
    }

    /// With any number as the salt, of which 14 bits are used. What is known last may not have been the last: ids begin
    /// in the millisecond after it.
    pub fn salted(self, salt: u64) -> IdSource {
        let salt = (salt & ((1 << (SEQUENCE_BITS - SALT_SHIFT)) - 1)) << SALT_SHIFT;
        let last = self.last.into_inner() >> SEQUENCE_BITS;
        IdSource { last: AtomicU64::new((last + 1) << SEQUENCE_BITS | salt), salt }
    }

    pub fn next(&self, now: Timestamp) -> MessageId {
        let floor = MessageId::first_at(now).0 | self.salt;
        let grow = |last: u64| Some(floor.max(last + 1));
        match self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grow) {
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
    fn another_start_at_the_same_time_gives_other_ids() {
        let now = Timestamp(1_795_485_950_120);
        let ids = |last, salt| IdSource::after(last).salted(salt).next(now);
        let none = MessageId(0);
        assert_ne!(ids(none, 1), ids(none, 2));
        assert_eq!(ids(none, u64::MAX).time(), now);
        // The clock was set back: of the ids of then only some are still known.
        let later = Timestamp(now.0 + 86_400_000);
        let source = IdSource::after(none).salted(1);
        let [known, gone] = [source.next(later), source.next(later)];
        assert!(ids(known, 1) > gone && ids(known, 2) > gone);
    }

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

    #[test]
    fn an_id_can_be_written_as_a_uuid() {
        let id = MessageId(0x0123_4567_89ab_cdef);
        assert_eq!(id.to_uuid(), "01234567-89ab-cdef-8000-000000000000");
        assert_eq!(id.to_uuid().parse(), Ok(id));
        assert_eq!(id.to_uuid().to_uppercase().parse(), Ok(id));
        for wrong in [
            "01234567-89ab-cdef-8000-000000000001",
            "0123456789ab-cdef--8000-000000000000",
            "+1234567-89ab-cdef-8000-000000000000",
        ] {
            assert_eq!(wrong.parse::<MessageId>(), Err(IdError), "{wrong}");
        }
    }
}
