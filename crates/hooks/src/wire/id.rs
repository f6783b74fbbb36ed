//! The name of an event: it grows with time, so that a reader can say how far it has come.

use std::fmt;
use std::str::FromStr;

use repute_types::{MessageId, Timestamp};

/// Made as message ids are (42 bits of milliseconds, then a count) and written `evt_` and 13
/// letters, so that it sorts by age as number and as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub u64);

const PREFIX: &str = "evt_";

impl EventId {
    /// Greater than every id from before `t`, less than every one from `t` on.
    pub fn before(t: Timestamp) -> EventId {
        EventId(MessageId::first_at(t).0.saturating_sub(1))
    }

    /// As a key of the store.
    pub(crate) fn key(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    pub(crate) fn of_key(key: i64) -> EventId {
        EventId(key.max(0) as u64)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", MessageId(self.0))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event's id is evt_ and 13 letters and digits")]
pub struct EventIdError;

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<EventId, EventIdError> {
        let number = text.strip_prefix(PREFIX).ok_or(EventIdError)?;
        number.parse::<MessageId>().map(|id| EventId(id.0)).map_err(|_| EventIdError)
    }
}

impl serde::Serialize for EventId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for EventId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<EventId, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}
