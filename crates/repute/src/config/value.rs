//! Values with units and addresses, as people write them: `"4h"`, `"50MB"`, `"10.0.0.0/8"`.
//!
//! Each parser's error is the cure: what a right one looks like.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use repute_queue::Rate;

const DURATION_CURE: &str = "write a number with a unit: \"30s\", \"15m\", \"4h\", \"5d\", \"500ms\"";
const SIZE_CURE: &str = "write a number with a unit: \"50MB\", \"64KiB\", or octets without one";
const RATE_CURE: &str = "write a number of messages and in what they go: \"14/s\", \"100/m\", \"600/h\", \"5000/d\"";
const NETWORK_CURE: &str = "write an IP address, or a network such as \"10.0.0.0/8\"";
const SOCKET_CURE: &str =
    "write an IP address, with a port where it is not the usual one, such as \"127.0.0.1:587\" or \"[::1]:587\"";

/// Parts may follow one another: `"1h30m"`.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(DURATION_CURE);
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(DURATION_CURE)?;
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == ' ').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let number: u64 = number.parse().map_err(|_| DURATION_CURE)?;
        let millis: u64 = match unit {
            "ms" => 1,
            "s" | "sec" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            _ => return Err(DURATION_CURE),
        };
        let part = Duration::from_millis(number.checked_mul(millis).ok_or(DURATION_CURE)?);
        total = total.checked_add(part).ok_or(DURATION_CURE)?;
        rest = tail.trim_start();
    }
    Ok(total)
}

/// Octets. kB, MB, GB are powers of 1000; KiB, MiB, GiB of 1024.
pub fn size(text: &str) -> Result<u64, &'static str> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| SIZE_CURE)?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err(SIZE_CURE),
    };
    number.checked_mul(factor).ok_or(SIZE_CURE)
}

/// So many messages in a second, minute, hour or day.
pub fn rate(text: &str) -> Result<Rate, &'static str> {
    let (count, per) = text.split_once('/').ok_or(RATE_CURE)?;
    let seconds = match per.trim() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(RATE_CURE),
    };
    match count.trim().parse() {
        Ok(count) if count > 0 => Ok(Rate { count, per: Duration::from_secs(seconds) }),
        _ => Err(RATE_CURE),
    }
}

/// An IP network; a single address is one of full width. Bits beyond the prefix are refused:
/// `10.1.2.3/8` may mean two things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    pub address: IpAddr,
    pub prefix: u8,
}

impl Network {
    pub fn parse(text: &str) -> Result<Network, &'static str> {
        let (address, prefix) = match text.split_once('/') {
            Some((a, p)) => (a, Some(p.parse::<u8>().map_err(|_| NETWORK_CURE)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NETWORK_CURE)?;
        let address = address.to_canonical();
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(width);
        if prefix > width {
            return Err(NETWORK_CURE);
        }
        let network = Network { address, prefix };
        if network.bits_beyond_prefix() != 0 {
            return Err("clear the bits behind the prefix (10.0.0.0/8), or name the one host without a prefix");
        }
        Ok(network)
    }

    fn bits_beyond_prefix(self) -> u128 {
        let (bits, width) = self.bits();
        bits & !(u128::MAX.checked_shl(u32::from(width - self.prefix)).unwrap_or(0))
    }

    fn bits(self) -> (u128, u8) {
        match self.address {
            IpAddr::V4(a) => (u32::from(a).into(), 32),
            IpAddr::V6(a) => (a.into(), 128),
        }
    }

    pub fn is_single(self) -> bool {
        self.prefix == self.bits().1
    }

    /// Whether every address of `self` is one of `other`.
    pub fn is_within(self, other: Network) -> bool {
        let ((a, width), (b, other_width)) = (self.bits(), other.bits());
        let shift = u32::from(width - other.prefix.min(width));
        width == other_width && self.prefix >= other.prefix && (a ^ b).checked_shr(shift).unwrap_or(0) == 0
    }

    pub fn overlaps(self, other: Network) -> bool {
        self.is_within(other) || other.is_within(self)
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.is_single() {
            true => write!(f, "{}", self.address),
            false => write!(f, "{}/{}", self.address, self.prefix),
        }
    }
}

/// An address whose port may be left to a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    pub address: IpAddr,
    pub port: Option<u16>,
}

impl Socket {
    pub fn parse(text: &str) -> Result<Socket, &'static str> {
        if let Ok(both) = text.parse::<SocketAddr>() {
            return Ok(Socket { address: both.ip(), port: Some(both.port()) });
        }
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        let address = bare.parse().map_err(|_| SOCKET_CURE)?;
        Ok(Socket { address, port: None })
    }

    pub fn with_port(self, default: u16) -> SocketAddr {
        SocketAddr::new(self.address, self.port.unwrap_or(default))
    }
}

/// Lets the typed side read a value by its parser; `shape` has already shown it to be good.
macro_rules! from_text {
    ($($name:ident($inner:ty) by $parse:path;)*) => {$(
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(pub $inner);

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<$name, D::Error> {
                let text = String::deserialize(d)?;
                $parse(&text).map($name).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

from_text! {
    Span(Duration) by duration;
    Octets(u64) by size;
    Pace(Rate) by rate;
    Range(Network) by Network::parse;
    Endpoint(Socket) by Socket::parse;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, millis) in
            [("30s", 30_000), ("4h", 14_400_000), ("1h30m", 5_400_000), ("500ms", 500), ("5d", 432_000_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "5", "h", "5 hours", "-1s", "1.5h", "99999999999999999999s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rates_say_in_what_time() {
        for (text, shown) in
            [("14/s", "14/s"), ("100/m", "100/m"), ("100 / min", "100/m"), ("600/h", "600/h"), ("5/d", "5/d")]
        {
            assert_eq!(rate(text).unwrap().to_string(), shown, "{text}");
        }
        for bad in ["", "100", "/m", "0/m", "-1/m", "1.5/s", "100/w", "100/ms", "m/100", "9999999999/s"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, octets) in [("50MB", 50_000_000), ("64KiB", 65_536), ("10", 10), ("1 GiB", 1 << 30)] {
            assert_eq!(size(text), Ok(octets), "{text}");
        }
        for bad in ["", "MB", "5 apples", "-1", "99999999999GB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn networks_know_what_they_hold() {
        let n = |t| Network::parse(t).unwrap();
        assert!(n("10.1.0.0/16").is_within(n("10.0.0.0/8")));
        assert!(!n("10.0.0.0/8").is_within(n("10.1.0.0/16")));
        assert!(!n("0.0.0.0/0").is_within(n("10.0.0.0/8")));
        assert!(n("::1").is_within(n("::/0")));
        assert!(!n("::1").is_within(n("0.0.0.0/0")));
        assert!(n("192.0.2.7").is_single());
        assert_eq!(n("::ffff:10.0.0.1").to_string(), "10.0.0.1");
        for bad in ["10.0.0.1/8", "10.0.0.0/33", "x", "10.0.0.0/", ""] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_socket_may_leave_its_port_out() {
        let check = |text, expect: &str| assert_eq!(Socket::parse(text).unwrap().with_port(25).to_string(), expect);
        check("127.0.0.1", "127.0.0.1:25");
        check("127.0.0.1:587", "127.0.0.1:587");
        check("[::]", "[::]:25");
        check("::1", "[::1]:25");
        check("[::1]:0", "[::1]:0");
        assert!(Socket::parse("localhost:25").is_err());
    }
}
