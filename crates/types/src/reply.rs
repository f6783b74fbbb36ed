//! An SMTP reply (RFC 5321 §4.2) with its enhanced status code (RFC 3463), as it is spoken
//! by us and read from others. Parsing octets into one is the `smtp` crate's work.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::short::Short;

/// `class.subject.detail`; class is 2, 4 or 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EnhancedCode(pub u8, pub u16, pub u16);

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Short::<15>::new();
        text.number(self.0.into(), 1).put(".").number(self.1.into(), 1).put(".").number(self.2.into(), 1);
        text.fmt(f)
    }
}

impl EnhancedCode {
    /// Reads a code at the start of a reply's text, followed by a space or the end.
    pub fn parse_prefix(text: &str) -> Option<EnhancedCode> {
        EnhancedCode::split_prefix(text).map(|(code, _)| code)
    }

    /// The same, with what stands behind the code and the space.
    pub fn split_prefix(text: &str) -> Option<(EnhancedCode, &str)> {
        let (class, rest) = number(text.as_bytes())?;
        let (subject, rest) = number(rest.strip_prefix(b".")?)?;
        let (detail, rest) = number(rest.strip_prefix(b".")?)?;
        let (b' ' | b'\t', _) = rest.split_first().unwrap_or((&b' ', rest)) else { return None };
        let behind = text.len() - rest.len().saturating_sub(1);
        let class = u8::try_from(class).ok().filter(|class| matches!(class, 2 | 4 | 5))?;
        Some((EnhancedCode(class, subject, detail), text.get(behind..)?))
    }
}

/// A number of at most three digits in front, and what follows it.
fn number(octets: &[u8]) -> Option<(u16, &[u8])> {
    let digits = octets.iter().take(4).take_while(|octet| octet.is_ascii_digit()).count();
    let (number, rest) = octets.split_at(digits);
    let value = number.iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0'));
    (1..=3).contains(&digits).then_some((value, rest))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// 200 to 599.
    pub code: u16,
    pub enhanced: Option<EnhancedCode>,
    /// At least one; without the code and, where `enhanced` is set, without it.
    pub lines: Vec<String>,
}

impl Reply {
    pub fn new(code: u16, enhanced: EnhancedCode, text: impl Into<String>) -> Reply {
        Reply { code, enhanced: Some(enhanced), lines: vec![text.into()] }
    }

    /// A reply whose kind carries no enhanced code: greeting, EHLO, 354, 334 (RFC 2034 §4).
    pub fn bare(code: u16, text: impl Into<String>) -> Reply {
        Reply { code, enhanced: None, lines: vec![text.into()] }
    }

    pub fn is_positive(&self) -> bool {
        (200..400).contains(&self.code)
    }

    pub fn is_transient(&self) -> bool {
        (400..500).contains(&self.code)
    }

    pub fn is_permanent(&self) -> bool {
        (500..600).contains(&self.code)
    }

    /// The text in one line, lines joined by a blank.
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }
}

/// One line, as people and logs read it: `550 5.1.1 no such user here`.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Short::<5>::new().number(self.code.into(), 1).as_str())?;
        if let Some(code) = self.enhanced {
            f.write_str(" ")?;
            code.fmt(f)?;
        }
        for line in &self.lines {
            f.write_str(" ")?;
            f.write_str(line)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enhanced_codes_are_read_only_where_they_are_whole() {
        assert_eq!(EnhancedCode::parse_prefix("5.1.1 no such user"), Some(EnhancedCode(5, 1, 1)));
        assert_eq!(EnhancedCode::parse_prefix("4.7.650 busy"), Some(EnhancedCode(4, 7, 650)));
        assert_eq!(EnhancedCode::parse_prefix("5.7.1"), Some(EnhancedCode(5, 7, 1)));
        assert_eq!(EnhancedCode::split_prefix("5.1.1 no such user"), Some((EnhancedCode(5, 1, 1), "no such user")));
        assert_eq!(EnhancedCode::split_prefix("2.0.0\t"), Some((EnhancedCode(2, 0, 0), "")));
        assert_eq!(EnhancedCode::split_prefix("2.0.0"), Some((EnhancedCode(2, 0, 0), "")));
        for none in [
            "",
            "no",
            "5.1.1234567 x",
            "5.1.1\u{a0}x",
            ".1.1",
            "5..1",
            "5.1.",
            "5.1",
            "3.1.1 x",
            "5.1.1.1 x",
            "5.1.x",
            "1.2.3.4 refused",
        ] {
            assert_eq!(EnhancedCode::parse_prefix(none), None, "{none}");
        }
    }
}
