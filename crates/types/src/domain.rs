//! A domain name as mail uses it (RFC 5321 §2.3.5, RFC 5890): lower-case A-labels.
//!
//! Promise: a `Domain` is 1 to 253 octets of dot-separated labels of 1 to 63 octets, letters,
//! digits, hyphen and (because DNS has them and mail reaches them) underscore, no trailing
//! dot, not an address literal. U-labels are accepted and turned into A-labels (UTS 46).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::AddressError;

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Arc<str>);

impl Domain {
    /// Parses a name as written by a person or a client; a trailing dot is taken off.
    pub fn parse(text: &str) -> Result<Domain, AddressError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.starts_with('[') {
            return Err(AddressError::Literal);
        }
        let name = if !text.is_ascii() {
            Cow::Owned(idna::domain_to_ascii(text).map_err(|_| AddressError::Domain)?)
        } else if text.bytes().any(|octet| octet.is_ascii_uppercase()) {
            Cow::Owned(text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(text)
        };
        let good = !name.is_empty() && name.len() <= 253 && name.as_bytes().split(|b| *b == b'.').all(label_is_good);
        // A dotted quad is an address that someone forgot to put into brackets.
        let quad = || name.ends_with(|c: char| c.is_ascii_digit()) && name.parse::<std::net::Ipv4Addr>().is_ok();
        if good && !quad() { Ok(Domain(name.into())) } else { Err(AddressError::Domain) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `other` or a name under it.
    pub fn is_within(&self, other: &Domain) -> bool {
        match self.0.strip_suffix(&*other.0) {
            Some("") => true,
            Some(rest) => rest.ends_with('.'),
            None => false,
        }
    }

    /// The name without its first label, if two labels or more remain to speak of.
    pub fn parent(&self) -> Option<Domain> {
        self.0.split_once('.').map(|(_, rest)| Domain(rest.into()))
    }
}

fn label_is_good(label: &[u8]) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with(b"-")
        && !label.ends_with(b"-")
        && label.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Domain {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Domain, AddressError> {
        Domain::parse(text)
    }
}

impl serde::Serialize for Domain {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Domain {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Domain, D::Error> {
        let text = String::deserialize(d)?;
        Domain::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_a_labels() {
        assert_eq!(Domain::parse("Example.COM.").unwrap().as_str(), "example.com");
        assert_eq!(Domain::parse("bücher.example").unwrap().as_str(), "xn--bcher-kva.example");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in ["", ".", "a..b", "-a.com", "a b", "1.2.3.4", &"a".repeat(64)] {
            assert_eq!(Domain::parse(bad), Err(AddressError::Domain), "{bad}");
        }
        assert_eq!(Domain::parse("[1.2.3.4]"), Err(AddressError::Literal));
    }

    #[test]
    fn within_respects_label_borders() {
        let d = |s| Domain::parse(s).unwrap();
        assert!(d("a.example.com").is_within(&d("example.com")));
        assert!(d("example.com").is_within(&d("example.com")));
        assert!(!d("badexample.com").is_within(&d("example.com")));
    }
}
