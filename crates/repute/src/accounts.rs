//! Secrets of accounts, made and read: the argon2id hash for PLAIN and LOGIN, and the SCRAM
//! secret (RFC 5803 §2: `SCRAM-SHA-256$ITERATIONS:SALT$STORED-KEY:SERVER-KEY`).
//!
//! Promise: neither lets anybody log in elsewhere or find the password without guessing it.

use std::num::NonZeroU32;

use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// RFC 7677 §4 asks for 4096 at least; it costs the client, once a log-in.
const ITERATIONS: u32 = 8192;
/// Above what any client should be made to compute.
const MOST_ITERATIONS: u32 = 10_000_000;

/// What the server keeps of a password for SCRAM-SHA-256 (RFC 5802 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scram {
    pub iterations: u32,
    pub salt: Vec<u8>,
    pub stored_key: [u8; 32],
    pub server_key: [u8; 32],
}

impl Scram {
    pub fn make(password: &str, salt: &[u8]) -> Scram {
        let iterations = NonZeroU32::new(ITERATIONS).unwrap_or(NonZeroU32::MIN);
        let mut salted = [0u8; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password.as_bytes(), &mut salted);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
        let client_key = hmac::sign(&key, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
        let server_key = hmac::sign(&key, b"Server Key");
        Scram {
            iterations: ITERATIONS,
            salt: salt.to_vec(),
            stored_key: fixed(stored_key.as_ref()).unwrap_or_default(),
            server_key: fixed(server_key.as_ref()).unwrap_or_default(),
        }
    }

    pub fn parse(text: &str) -> Option<Scram> {
        let rest = text.strip_prefix("SCRAM-SHA-256$")?;
        let (params, keys) = rest.split_once('$')?;
        let (iterations, salt) = params.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        let iterations = iterations.parse().ok().filter(|i| (4096..=MOST_ITERATIONS).contains(i))?;
        let salt = STANDARD.decode(salt).ok().filter(|s| !s.is_empty())?;
        let stored_key = fixed(&STANDARD.decode(stored).ok()?)?;
        let server_key = fixed(&STANDARD.decode(server).ok()?)?;
        Some(Scram { iterations, salt, stored_key, server_key })
    }
}

fn fixed(octets: &[u8]) -> Option<[u8; 32]> {
    octets.try_into().ok()
}

impl std::fmt::Display for Scram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let b64 = |octets: &[u8]| STANDARD.encode(octets);
        let (salt, stored, server) = (b64(&self.salt), b64(&self.stored_key), b64(&self.server_key));
        write!(f, "SCRAM-SHA-256${}:{salt}${stored}:{server}", self.iterations)
    }
}

/// An argon2id hash in PHC form. 19 MiB and two passes, as OWASP advises: a log-in costs some
/// 20 ms, which is why the server remembers a good one for a while.
pub fn hash(password: &str, salt: &[u8]) -> anyhow::Result<String> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(|e| anyhow::anyhow!("argon2: {e}"))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password_with_salt(password.as_bytes(), salt).map_err(|e| anyhow::anyhow!("argon2: {e}"))?;
    Ok(hash.to_string())
}

/// Whether the text is a hash that a password can be checked against.
pub fn is_hash(text: &str) -> bool {
    text.starts_with("$argon2") && argon2::password_hash::phc::PasswordHash::new(text).is_ok_and(|h| h.hash.is_some())
}

/// A password that nobody can guess and anybody can type: 120 bits in lower-case letters and
/// digits.
pub fn generate() -> anyhow::Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut octets = [0u8; 24];
    fill(&mut octets)?;
    Ok(octets.iter().map(|o| char::from(LETTERS[usize::from(o & 31)])).collect())
}

pub fn salt() -> anyhow::Result<[u8; 16]> {
    let mut octets = [0u8; 16];
    fill(&mut octets)?;
    Ok(octets)
}

fn fill(octets: &mut [u8]) -> anyhow::Result<()> {
    getrandom::fill(octets).map_err(|e| anyhow::anyhow!("the operating system gave no random numbers: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example exchange of RFC 7677 §3: user "user", password "pencil", 4096 iterations.
    #[test]
    fn a_secret_reads_back() {
        let made = Scram::make("pencil", b"0123456789abcdef");
        assert_eq!(Scram::parse(&made.to_string()), Some(made));
        for bad in ["", "SCRAM-SHA-1$4096:c2FsdA==$a:b", "SCRAM-SHA-256$1:c2FsdA==$AAAA:AAAA", "SCRAM-SHA-256$4096"] {
            assert_eq!(Scram::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_hash_is_recognised() {
        let hash = hash("secret", b"0123456789abcdef").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(is_hash(&hash));
        for bad in ["secret", "$argon2id$", "$2y$10$abcdefghijklmnopqrstuv", ""] {
            assert!(!is_hash(bad), "{bad}");
        }
    }
}
