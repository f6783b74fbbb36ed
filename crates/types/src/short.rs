//! Short texts on the stack: numbers, codes, addresses and times, which are written many times a message.
//!
//! The formatting of the standard library does the same for ten times the instructions, since it is made for every
//! width and alignment.

use std::fmt::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

/// At most `N` octets of text; what does not fit is left out.
#[derive(Clone, Copy)]
pub struct Short<const N: usize> {
    octets: [u8; N],
    len: usize,
}

impl<const N: usize> Short<N> {
    pub const fn new() -> Short<N> {
        Short { octets: [0; N], len: 0 }
    }

    pub fn as_str(&self) -> &str {
        // Only whole texts were put in.
        std::str::from_utf8(&self.octets[..self.len]).unwrap_or_default()
    }

    pub(crate) fn put(&mut self, text: &str) -> &mut Self {
        if let Some(room) = self.octets.get_mut(self.len..self.len + text.len()) {
            room.copy_from_slice(text.as_bytes());
            self.len += text.len();
        }
        self
    }

    /// In decimal, with noughts before it up to `digits`.
    pub(crate) fn number(&mut self, number: u32, digits: usize) -> &mut Self {
        let (text, from) = decimal(number.into(), digits);
        self.ascii(&text[from..])
    }

    /// What does not fit, or is not ASCII, is left out.
    pub(crate) fn ascii(&mut self, text: &[u8]) -> &mut Self {
        if let Some(room) = self.octets.get_mut(self.len..self.len + text.len())
            && text.is_ascii()
        {
            room.copy_from_slice(text);
            self.len += text.len();
        }
        self
    }
}

impl<const N: usize> Default for Short<N> {
    fn default() -> Short<N> {
        Short::new()
    }
}

impl<const N: usize> Write for Short<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text);
        Ok(())
    }
}

impl<const N: usize> fmt::Display for Short<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An IP address as the standard library writes it.
pub fn ip(address: IpAddr) -> Short<45> {
    let mut text = Short::new();
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets().map(u32::from);
            text.number(a, 1).put(".").number(b, 1).put(".").number(c, 1).put(".").number(d, 1);
        }
        IpAddr::V6(v6) => {
            // Writing into memory cannot fail.
            let _ = write!(text, "{v6}");
        }
    }
    text
}

/// A number in decimal.
pub fn number(number: u64) -> Short<20> {
    let (text, from) = decimal(number, 1);
    *Short::new().ascii(&text[from..])
}

/// A number with noughts before it up to `digits`, and where it begins.
fn decimal(number: u64, digits: usize) -> ([u8; 20], usize) {
    let (mut text, mut rest, mut from) = ([b'0'; 20], number, 20);
    while rest > 0 || from > 20 - digits.clamp(1, 20) {
        from -= 1;
        text[from] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    (text, from)
}

/// A time as seconds with milliseconds: `3.042s`.
pub fn seconds(time: Duration) -> Short<25> {
    let mut text = Short::new();
    *text.put(number(time.as_secs()).as_str()).put(".").number(time.subsec_millis(), 3).put("s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_addresses_read_as_the_standard_library_writes_them() {
        for n in [0, 1, 9, 10, 99, 100, 255, 65_535, 1_000_000, u32::MAX] {
            assert_eq!(Short::<10>::new().number(n, 1).as_str(), n.to_string());
            assert_eq!(Short::<10>::new().number(n, 3).as_str(), format!("{n:03}"));
        }
        for n in [0, 1, 10, 99, u64::MAX] {
            assert_eq!(number(n).as_str(), n.to_string());
        }
        assert_eq!(seconds(Duration::from_millis(3_042)).as_str(), "3.042s");
        assert_eq!(seconds(Duration::MAX).as_str(), format!("{}.999s", u64::MAX));
        for text in [
            "0.0.0.0",
            "192.0.2.7",
            "255.255.255.255",
            "::",
            "2001:db8::1",
            "::ffff:192.0.2.1",
            "fe80:1:2:3:4:5:6:789a",
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(ip(address).as_str(), address.to_string());
        }
        assert_eq!(format!("[{:>10}]", ip("192.0.2.7".parse().unwrap())), "[ 192.0.2.7]");
    }

    #[test]
    fn what_does_not_fit_is_left_out_whole() {
        let mut text = Short::<4>::new();
        text.put("abc").put("de").put("f");
        assert_eq!(text.as_str(), "abcf");
    }
}
