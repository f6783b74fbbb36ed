//! A mail address (RFC 5321 §4.1.2 `Mailbox`, RFC 6531 for local parts beyond ASCII).
//!
//! Promise: the local part is a dot-string or a quoted string, kept as it was written (its
//! meaning is the receiver's alone), 1 to 64 octets; the domain is a [`Domain`].

use std::fmt;
use std::sync::Arc;

use crate::Domain;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("there is no '@' in the address")]
    NoAt,
    #[error("the part before '@' is not well formed")]
    Local,
    #[error("the part before '@' is longer than 64 octets")]
    LocalTooLong,
    #[error("the domain is not a well-formed name")]
    Domain,
    #[error("an address literal is not a domain")]
    Literal,
}

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// Shared: an address is cloned for each who reads what happens to its mail.
    local: Arc<str>,
    domain: Domain,
}

impl Address {
    /// Parses `local@domain` without angle brackets.
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        let (local, domain) = text.rsplit_once('@').ok_or(AddressError::NoAt)?;
        if local.len() > 64 {
            return Err(AddressError::LocalTooLong);
        }
        let good = match local.strip_prefix('"') {
            Some(rest) => quoted_is_good(rest),
            None => !local.is_empty() && local.split('.').all(atom_is_good),
        };
        if !good {
            return Err(AddressError::Local);
        }
        Ok(Address { local: local.into(), domain: Domain::parse(domain)? })
    }

    pub fn local(&self) -> &str {
        &self.local
    }

    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Whether a server without SMTPUTF8 cannot take this address (RFC 6531).
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.is_ascii()
    }
}

/// `rest` is what follows the opening quote: qtext and quoted pairs, then the closing quote.
fn quoted_is_good(rest: &str) -> bool {
    let Some(inside) = rest.strip_suffix('"') else { return false };
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(next) if !next.is_control() => {}
                _ => return false,
            },
            '"' => return false,
            c if c.is_control() => return false,
            _ => {}
        }
    }
    true
}

fn atom_is_good(atom: &str) -> bool {
    let allowed =
        |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || (!c.is_ascii() && !c.is_control());
    !atom.is_empty() && atom.chars().all(allowed)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.local)?;
        f.write_str("@")?;
        f.write_str(self.domain.as_str())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Address, AddressError> {
        Address::parse(text)
    }
}

impl serde::Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Address, D::Error> {
        let text = String::deserialize(d)?;
        Address::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_part_is_kept_and_the_domain_is_normalised() {
        let a = Address::parse("John.Doe+tag@Example.ORG").unwrap();
        assert_eq!(a.to_string(), "John.Doe+tag@example.org");
        assert_eq!(Address::parse("\"a @ b\"@example.org").unwrap().local(), "\"a @ b\"");
        assert!(Address::parse("jürgen@example.org").unwrap().needs_smtputf8());
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (text, error) in [
            ("nobody", AddressError::NoAt),
            ("@example.org", AddressError::Local),
            ("a..b@example.org", AddressError::Local),
            ("a b@example.org", AddressError::Local),
            ("\"a\"b\"@example.org", AddressError::Local),
            ("a@[127.0.0.1]", AddressError::Literal),
            ("a@-", AddressError::Domain),
        ] {
            assert_eq!(Address::parse(text), Err(error), "{text}");
        }
        assert_eq!(Address::parse(&format!("{}@x.y", "a".repeat(65))), Err(AddressError::LocalTooLong));
    }
}
