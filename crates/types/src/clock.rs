//! Wall-clock time as a value and a door. Time is an argument below floor 2; above it the
//! clock is handed in, so that a five-day retry takes a moment in a test.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::short::Short;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(pub i64);

/// In milliseconds.
const DAY: i64 = 86_400_000;

impl Timestamp {
    pub fn millis(self) -> i64 {
        self.0
    }

    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Days since 1970-01-01, UTC.
    pub fn day(self) -> i64 {
        self.0.div_euclid(DAY)
    }

    /// When such a day begins.
    pub fn of_day(day: i64) -> Timestamp {
        Timestamp(day.saturating_mul(DAY))
    }

    /// Time from `earlier` to this; zero where `earlier` is later (the clock was set back).
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).max(0) as u64)
    }

    fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    /// The date in the form of RFC 5322 §3.3, in UTC: `Tue, 24 Nov 2026 02:05:50 +0000`.
    pub fn rfc5322(self) -> String {
        const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let at = self.civil();
        let mut text = Short::<31>::new();
        text.put(DAYS[usize::from(at.weekday().to_monday_zero_offset().unsigned_abs())]).put(", ");
        text.number(in_digits(at.day()), 2).put(" ").put(MONTHS[usize::from(at.month().unsigned_abs()) - 1]).put(" ");
        text.number(u32::from(at.year().unsigned_abs()), 4).put(" ");
        time_of_day(&mut text, at);
        text.put(" +0000").as_str().to_owned()
    }

    fn civil(self) -> jiff::civil::DateTime {
        // A year before the first is no time of ours, and would need a sign.
        let at = self.to_jiff().max(jiff::Timestamp::UNIX_EPOCH);
        jiff::tz::Offset::UTC.to_datetime(at)
    }
}

impl Timestamp {
    /// RFC 3339 in UTC with milliseconds, the form of log lines and JSON; a time before 1970 is no time of ours, and stands as that.
    pub fn rfc3339(self) -> Short<24> {
        let at = self.civil();
        let mut text = Short::new();
        text.number(u32::from(at.year().unsigned_abs()), 4).put("-").number(in_digits(at.month()), 2).put("-");
        text.number(in_digits(at.day()), 2).put("T");
        time_of_day(&mut text, at);
        *text.put(".").number(u32::from(at.millisecond().unsigned_abs()), 3).put("Z")
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            return write!(f, "{:.3}", self.to_jiff());
        }
        self.rfc3339().fmt(f)
    }
}

fn in_digits(n: i8) -> u32 {
    n.unsigned_abs().into()
}

fn time_of_day<const N: usize>(text: &mut Short<N>, at: jiff::civil::DateTime) {
    text.number(in_digits(at.hour()), 2).put(":").number(in_digits(at.minute()), 2).put(":");
    text.number(in_digits(at.second()), 2);
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// A text is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a time: write it as RFC 3339 has it, 2026-11-27T08:00:00Z or 2026-11-27T09:00:00+01:00")]
pub struct NotATime;

impl std::str::FromStr for Timestamp {
    type Err = NotATime;

    /// Reads RFC 3339 §5.6, and no other form that ISO 8601 or jiff has.
    fn from_str(text: &str) -> Result<Timestamp, NotATime> {
        if !is_rfc3339(text.as_bytes()) {
            return Err(NotATime);
        }
        match text.parse::<jiff::Timestamp>() {
            Ok(at) => Ok(Timestamp(at.as_millisecond())),
            // Its last day is less than a day before that of the calendar, by which people mean never.
            Err(_) if text.starts_with("9999-12-31") || text.starts_with("9999-12-30") => {
                text[..19].parse::<jiff::civil::DateTime>().map_err(|_| NotATime)?;
                Ok(Timestamp(jiff::Timestamp::MAX.as_second() * 1000))
            }
            Err(_) => Err(NotATime),
        }
    }
}

/// `2026-11-24T02:05:50`, perhaps a fraction, and `Z` or an offset of less than a day. What the numbers mean is not looked at.
fn is_rfc3339(text: &[u8]) -> bool {
    let is_like = |text: &[u8], form: &[u8]| {
        let like = |(octet, form): (&u8, &u8)| match form {
            b'0' => octet.is_ascii_digit(),
            b'T' => matches!(octet, b'T' | b't' | b' '),
            form => octet == form,
        };
        text.len() == form.len() && text.iter().zip(form).all(like)
    };
    const TIME: &[u8] = b"0000-00-00T00:00:00";
    let Some((time, rest)) = text.split_at_checked(TIME.len()) else { return false };
    let zone = match rest.strip_prefix(b".") {
        None => Some(rest),
        Some(rest) => {
            let digits = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
            (digits > 0).then(|| &rest[digits..])
        }
    };
    let is_offset = |zone: &[u8]| is_like(zone, b"+00:00") && zone[1..3] < b"24"[..] && zone[4..6] < b"60"[..];
    is_like(time, TIME)
        && zone.is_some_and(|zone| match zone.split_first() {
            Some((b'-', rest)) => is_offset(&[b"+", rest].concat()),
            _ => matches!(zone, b"Z" | b"z") || is_offset(zone),
        })
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Timestamp, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, d: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, d: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }
}

pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
    fn now(&self) -> Timestamp {
        match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            Ok(d) => Timestamp(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)),
            Err(_) => Timestamp(0),
        }
    }
}

/// A clock that stands still until it is moved; for tests.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    pub fn at(t: Timestamp) -> ManualClock {
        ManualClock(AtomicI64::new(t.0))
    }

    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_in_both_forms() {
        let t = Timestamp(1_795_485_950_120);
        assert_eq!(t.to_string(), "2026-11-24T02:05:50.120Z");
        assert_eq!("2026-11-24T02:05:50.120Z".parse::<Timestamp>().unwrap(), t);
        assert_eq!(t.rfc5322(), "Tue, 24 Nov 2026 02:05:50 +0000");
    }

    /// `+24:00` was an hour of tomorrow, and whatever stood in brackets behind a time was passed over.
    #[test]
    fn a_time_is_read_as_rfc_3339_has_it_and_in_no_other_way() {
        let good = [
            ("2026-11-24T02:05:50.120Z", "2026-11-24T02:05:50.120Z"),
            ("2026-11-24t02:05:50z", "2026-11-24T02:05:50.000Z"),
            ("2026-11-24 02:05:50+01:00", "2026-11-24T01:05:50.000Z"),
            ("2026-11-24T02:05:50.1234567-23:59", "2026-11-25T02:04:50.123Z"),
            ("2026-11-24T02:05:50-00:00", "2026-11-24T02:05:50.000Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000Z"),
            ("9999-12-31T23:59:59Z", "9999-12-30T22:00:00.000Z"),
        ];
        for (text, expected) in good {
            assert_eq!(text.parse::<Timestamp>().map(|at| at.to_string()), Ok(expected.to_owned()), "{text}");
        }
        for wrong in [
            "2026-11-24T02:05:50+24:00",
            "2026-11-24T02:05:50-25:59",
            "2026-11-24T02:05:50+00:60",
            "2026-11-24T02:05:50+0100",
            "2026-11-24T02:05:50+01",
            "2026-11-24T02:05:50+01:00:30",
            "2026-11-24T02:05:50Z[Europe/Paris]",
            "2026-11-24T02:05:50",
            "2026-11-24T02:05:50.Z",
            "2026-11-24T02:05:50,5Z",
            "2026-11-24T02:05Z",
            "20261124T020550Z",
            "+002026-11-24T02:05:50Z",
            "2026-11-24T24:00:00Z",
            "2026-02-29T02:05:50Z",
            "9999-12-31T24:00:00Z",
            " 2026-11-24T02:05:50Z",
            "2026-11-24T02:05:50Zü",
            "",
        ] {
            assert_eq!(wrong.parse::<Timestamp>(), Err(NotATime), "{wrong}");
        }
    }

    /// Beside jiff's own words: each kind of day, times before there were computers, and the end of time.
    #[test]
    fn a_time_is_written_as_the_calendar_has_it() {
        let days = (-400_000..2_900_000).step_by(37).map(|day: i64| Timestamp(day * DAY + day * 1_234_567 % DAY));
        for t in days.chain([Timestamp(0), Timestamp(951_782_399_999), Timestamp(i64::MAX), Timestamp(i64::MIN)]) {
            let jiff = t.to_jiff();
            assert_eq!(t.to_string(), format!("{jiff:.3}"));
            if t.0 >= 0 {
                let expected = jiff.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
                assert_eq!(t.rfc5322(), expected);
            }
        }
    }
}
