//! Answer codes as the table writes them: `127.0.0.2`, `127.0.0.4-7`, `127.0.*.0-3`.

use std::fmt;
use std::net::Ipv4Addr;

/// A set of IPv4 addresses, by a range for each octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodePattern([(u8, u8); 4]);

impl CodePattern {
    pub fn parse(text: &str) -> Result<CodePattern, String> {
        let wrong = || format!("{text:?} is no code like 127.0.0.2, 127.0.0.4-7 or 127.0.*.0-3");
        let number = |s: &str| s.parse::<u8>().map_err(|_| wrong());
        let mut octets = Vec::new();
        for part in text.split('.') {
            octets.push(match part.split_once('-') {
                _ if part == "*" => (0, 255),
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(part)?, number(part)?),
            });
        }
        octets.try_into().map(CodePattern).map_err(|_| wrong())
    }

    pub fn matches(&self, code: Ipv4Addr) -> bool {
        self.0.iter().zip(code.octets()).all(|((first, last), octet)| (*first..=*last).contains(&octet))
    }
}

impl<'de> serde::Deserialize<'de> for CodePattern {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<CodePattern, D::Error> {
        let text = String::deserialize(d)?;
        CodePattern::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for CodePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, (first, last)) in self.0.iter().enumerate() {
            let dot = if nth == 0 { "" } else { "." };
            match (first, last) {
                (0, 255) => write!(f, "{dot}*")?,
                _ if first == last => write!(f, "{dot}{first}")?,
                _ => write!(f, "{dot}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_matched_octet_by_octet() {
        for (pattern, code, expected) in [
            ("127.0.0.2", "127.0.0.2", true),
            ("127.0.0.2", "127.0.0.3", false),
            ("127.0.0.4-7", "127.0.0.7", true),
            ("127.0.0.4-7", "127.0.0.8", false),
            ("127.0.*.0-3", "127.0.15.3", true),
            ("127.0.*.0-3", "127.0.15.4", false),
        ] {
            let parsed = CodePattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(code.parse().unwrap()), expected, "{pattern} {code}");
            assert_eq!(parsed.to_string(), pattern);
        }
        for bad in ["127.0.0", "127.0.0.256", "127.0.0.2.1", "x"] {
            assert!(CodePattern::parse(bad).is_err(), "{bad}");
        }
    }
}
