//! Unforgeable names for what may come back: the address a bounce returns to, and the link or
//! address by which a recipient leaves.
//!
//! A token is what it names and the first 80 bits of an HMAC-SHA-256 over it, in the letters of
//! Crockford's base 32, so that it survives mail systems that change case or fold lines. Nobody
//! without the key can make one for another message or recipient. Reading one tells its time (it
//! lies in the message id), so whoever asks decides how old is too old; a token of another kind,
//! a changed one and one that is no token are the same: `None`.

use aws_lc_rs::{constant_time, hmac};
use repute_types::{MessageId, PartId};

const MAC_OCTETS: usize = 10;
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// No token is longer; what is, is not looked at.
const LONGEST: usize = 64;

/// What a token names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Token {
    /// The return path of a part: where notices about it come back to.
    Return(PartId),
    /// A recipient of a message leaves the list that it was sent to; `recipient` counts within the part.
    Unsubscribe { part: PartId, recipient: u32 },
}

/// The key with which tokens are made and known again.
pub struct Tokens {
    key: hmac::Key,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    pub fn new(secret: &[u8; 32]) -> Tokens {
        Tokens { key: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// Lower-case letters and digits, at most 47 of them.
    pub fn write(&self, token: &Token) -> String {
        let mut octets = named(token);
        let mac = hmac::sign(&self.key, &octets);
        octets.extend_from_slice(&mac.as_ref()[..MAC_OCTETS]);
        encode(&octets)
    }

    /// What a token names, if it was made with this key. Upper case is as good.
    pub fn read(&self, text: &str) -> Option<Token> {
        let octets = decode(text)?;
        let (name, mac) = octets.split_at_checked(octets.len().checked_sub(MAC_OCTETS)?)?;
        let token = of_name(name)?;
        // The name is written in one way only, so that a token has one spelling.
        if named(&token) != name {
            return None;
        }
        let right = hmac::sign(&self.key, name);
        constant_time::verify_slices_are_equal(&right.as_ref()[..MAC_OCTETS], mac).ok()?;
        Some(token)
    }
}

/// The kind, the message id, then numbers in as few octets as they need.
fn named(token: &Token) -> Vec<u8> {
    let (kind, part, recipient) = match token {
        Token::Return(part) => (b'r', part, None),
        Token::Unsubscribe { part, recipient } => (b'u', part, Some(*recipient)),
    };
    let mut octets = vec![kind];
    octets.extend_from_slice(&part.message.0.to_be_bytes());
    write_number(&mut octets, part.number);
    if let Some(recipient) = recipient {
        write_number(&mut octets, recipient);
    }
    octets
}

fn of_name(name: &[u8]) -> Option<Token> {
    let (kind, rest) = name.split_first()?;
    let (id, mut rest) = rest.split_first_chunk::<8>()?;
    let part = PartId { message: MessageId(u64::from_be_bytes(*id)), number: read_number(&mut rest)? };
    let token = match kind {
        b'r' => Token::Return(part),
        b'u' => Token::Unsubscribe { part, recipient: read_number(&mut rest)? },
        _ => return None,
    };
    rest.is_empty().then_some(token)
}

fn write_number(octets: &mut Vec<u8>, mut n: u32) {
    while n >= 0x80 {
        octets.push(n as u8 | 0x80);
        n >>= 7;
    }
    octets.push(n as u8);
}

fn read_number(octets: &mut &[u8]) -> Option<u32> {
    let mut n = 0u64;
    for shift in (0..35).step_by(7) {
        let (first, rest) = octets.split_first()?;
        *octets = rest;
        n |= u64::from(first & 0x7f) << shift;
        if *first < 0x80 {
            return u32::try_from(n).ok();
        }
    }
    None
}

fn encode(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 8 / 5 + 1);
    let (mut bits, mut have) = (0u32, 0);
    for octet in octets {
        bits = bits << 8 | u32::from(*octet);
        have += 8;
        while have >= 5 {
            have -= 5;
            text.push(DIGITS[(bits >> have) as usize & 31] as char);
        }
    }
    if have > 0 {
        text.push(DIGITS[(bits << (5 - have)) as usize & 31] as char);
    }
    text
}

fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() > LONGEST {
        return None;
    }
    let mut octets = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut have) = (0u32, 0);
    for b in text.bytes() {
        let digit = DIGITS.iter().position(|d| *d == b.to_ascii_lowercase())?;
        bits = (bits & 0xff) << 5 | digit as u32;
        have += 5;
        if have >= 8 {
            have -= 8;
            octets.push((bits >> have) as u8);
        }
    }
    // What is left over is padding: less than a letter, and nothing in it.
    (have < 5 && bits & ((1 << have) - 1) == 0).then_some(octets)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens() -> Tokens {
        Tokens::new(&[7; 32])
    }

    fn token() -> impl Strategy<Value = Token> {
        any::<(bool, u64, u32, u32)>().prop_map(|(leave, id, number, recipient)| {
            let part = PartId { message: MessageId(id), number };
            if leave { Token::Unsubscribe { part, recipient } } else { Token::Return(part) }
        })
    }

    proptest! {
        #[test]
        fn a_token_reads_as_it_was_written(token in token()) {
            let text = tokens().write(&token);
            prop_assert!(text.len() <= 47, "{text}");
            prop_assert_eq!(tokens().read(&text), Some(token));
            prop_assert_eq!(tokens().read(&text.to_uppercase()), Some(token));
        }

        #[test]
        fn a_changed_letter_makes_it_worthless(token in token(), at in 0usize..30, by in 1usize..32) {
            let mut text = tokens().write(&token).into_bytes();
            let at = at % text.len();
            let digit = DIGITS.iter().position(|d| *d == text[at]).unwrap();
            text[at] = DIGITS[(digit + by) % 32];
            prop_assert_eq!(tokens().read(std::str::from_utf8(&text).unwrap()), None);
        }

        #[test]
        fn what_is_no_token_names_nothing(text in ".{0,80}") {
            prop_assert_eq!(tokens().read(&text), None);
        }
    }

    #[test]
    fn another_key_makes_other_tokens() {
        let token = Token::Return(PartId { message: MessageId(5), number: 0 });
        assert_eq!(Tokens::new(&[8; 32]).read(&tokens().write(&token)), None);
    }

    #[test]
    fn a_return_path_is_short_enough_for_every_mail_system() {
        let token = Token::Return(PartId { message: MessageId(u64::MAX), number: 20 });
        assert_eq!(tokens().write(&token).len(), 32);
    }
}
