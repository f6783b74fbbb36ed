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
        let word = text.split([' ', '\t']).next()?;
        let mut numbers = word.split('.');
        let class: u8 = numbers.next()?.parse().ok()?;
        let subject = numbers.next().filter(|s| s.len() <= 3)?.parse().ok()?;
        let detail = numbers.next().filter(|s| s.len() <= 3)?.parse().ok()?;
        (numbers.next().is_none() && matches!(class, 2 | 4 | 5)).then_some(EnhancedCode(class, subject, detail))
    }
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
        for none in ["", "no", "5.1", "3.1.1 x", "5.1.1.1 x", "5.1.x", "1.2.3.4 refused"] {
            assert_eq!(EnhancedCode::parse_prefix(none), None, "{none}");
        }
    }
}
