//! Signing keys: made, read, written, and their record for DNS (RFC 6376 §3.6.1, RFC 8463 §4).
//!
//! Promise: a [`SigningKey`] that exists can sign, and RSA has at least 2048 bits (RFC 8301
//! §3.2, and what receivers recommend). `Debug` shows no secret.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use repute_types::Domain;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSA with 2048 bits: what every receiver verifies.
    Rsa,
    /// RFC 8463: small and fast; receivers that do not know it pass over it.
    Ed25519,
}

impl Algorithm {
    /// The `k=` of the record.
    pub fn key_type(self) -> &'static str {
        match self {
            Algorithm::Rsa => "rsa",
            Algorithm::Ed25519 => "ed25519",
        }
    }

    /// The `a=` of the signature.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Rsa => "rsa-sha256",
            Algorithm::Ed25519 => "ed25519-sha256",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error(
        "there is no PEM block \"BEGIN PRIVATE KEY\" in it: make a new key, or convert it with `openssl pkcs8 -topk8 -nocrypt`"
    )]
    NoPem,
    #[error("the key is protected by a passphrase: take it off with `openssl pkcs8 -topk8 -nocrypt`")]
    Encrypted,
    #[error("the PEM block is damaged: copy the file again")]
    Damaged,
    #[error("it is neither an RSA key of 2048 to 8192 bits nor an Ed25519 key: make a new one")]
    Unusable,
    #[error("\"{0}\" is longer than a DNS name may be or holds more than letters, digits, hyphens and dots")]
    Selector(String),
    #[error("the system's random source failed: no key was made")]
    Random,
}

/// A private key with the selector under which its public half stands in DNS.
pub struct SigningKey {
    selector: Box<str>,
    pair: Pair,
}

pub(super) enum Pair {
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// A new key. `selector` is one or more DNS labels (RFC 6376 §3.1).
    pub fn generate(algorithm: Algorithm, selector: &str) -> Result<SigningKey, KeyError> {
        let pair = match algorithm {
            Algorithm::Rsa => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
            Algorithm::Ed25519 => Ed25519KeyPair::generate().map(Pair::Ed25519),
        };
        SigningKey::new(selector, pair.map_err(|_| KeyError::Random)?)
    }

    /// Reads PKCS #8 in PEM, or the older PKCS #1 form of RSA keys.
    pub fn from_pem(selector: &str, pem: &str) -> Result<SigningKey, KeyError> {
        let block = Block::find(pem).ok_or(KeyError::NoPem)?;
        let der = block.octets().ok_or(KeyError::Damaged);
        let pair = match block.label {
            "PRIVATE KEY" => from_pkcs8(&der?),
            // Its text holds header lines, which are no base64: the label is judged first.
            "RSA PRIVATE KEY" if !block.text.contains("ENCRYPTED") => RsaKeyPair::from_der(&der?).ok().map(Pair::Rsa),
            "ENCRYPTED PRIVATE KEY" | "RSA PRIVATE KEY" => return Err(KeyError::Encrypted),
            _ => return Err(KeyError::NoPem),
        };
        SigningKey::new(selector, pair.ok_or(KeyError::Unusable)?)
    }

    fn new(selector: &str, pair: Pair) -> Result<SigningKey, KeyError> {
        match Domain::parse(selector) {
            Ok(name) if name.as_str().eq_ignore_ascii_case(selector) => {
                Ok(SigningKey { selector: name.as_str().into(), pair })
            }
            _ => Err(KeyError::Selector(selector.chars().take(60).collect())),
        }
    }

    /// The key as PKCS #8 in PEM: a secret, to be written where only the service can read it.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let der: Result<Pkcs8V1Der<'_>, _> = match &self.pair {
            Pair::Rsa(pair) => pair.as_der(),
            Pair::Ed25519(pair) => pair.as_der(),
        };
        let text = STANDARD.encode(der.map_err(|_| KeyError::Unusable)?.as_ref());
        let mut pem = String::with_capacity(text.len() + 100);
        pem.push_str("-----BEGIN PRIVATE KEY-----\n");
        for line in text.as_bytes().chunks(64) {
            pem.extend(line.iter().map(|b| char::from(*b)));
            pem.push('\n');
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Ok(pem)
    }

    pub fn selector(&self) -> &str {
        &self.selector
    }

    pub fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Rsa(_) => Algorithm::Rsa,
            Pair::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// Bits of an RSA key's modulus; 256 for Ed25519.
    pub fn bits(&self) -> usize {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_modulus_len() * 8,
            Pair::Ed25519(_) => 256,
        }
    }

    /// The public half as the `p=` of a record has it: SubjectPublicKeyInfo in DER for RSA
    /// (RFC 6376 §3.6.1), the 32 octets themselves for Ed25519 (RFC 8463 §4.2), in base64.
    pub fn public_key(&self) -> String {
        match &self.pair {
            Pair::Rsa(pair) => {
                let der: PublicKeyX509Der<'_> =
                    pair.public_key().as_der().expect("the public half of a checked RSA key is well formed");
                STANDARD.encode(der.as_ref())
            }
            Pair::Ed25519(pair) => STANDARD.encode(pair.public_key()),
        }
    }

    /// The text of the TXT record. A zone file or an API may need it split into strings of at
    /// most 255 octets.
    pub fn record(&self) -> String {
        format!("v=DKIM1; k={}; p={}", self.algorithm().key_type(), self.public_key())
    }

    /// Where the record stands: `SELECTOR._domainkey.DOMAIN`.
    pub fn record_name(&self, domain: &Domain) -> String {
        format!("{}._domainkey.{domain}", self.selector)
    }

    pub(super) fn pair(&self) -> &Pair {
        &self.pair
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {})", self.selector, self.algorithm().as_str())
    }
}

fn from_pkcs8(der: &[u8]) -> Option<Pair> {
    // Each parser refuses the other's keys, so the order does not matter.
    match Ed25519KeyPair::from_pkcs8(der) {
        Ok(pair) => Some(Pair::Ed25519(pair)),
        Err(_) => RsaKeyPair::from_pkcs8(der).ok().map(Pair::Rsa),
    }
}

/// The first PEM block whose label speaks of a private key (RFC 7468).
struct Block<'a> {
    label: &'a str,
    text: &'a str,
}

impl<'a> Block<'a> {
    fn find(mut pem: &'a str) -> Option<Block<'a>> {
        loop {
            let (_, rest) = pem.split_once("-----BEGIN ")?;
            let (label, rest) = rest.split_once("-----")?;
            let (text, rest) = rest.split_once("-----END ")?;
            if label.ends_with("PRIVATE KEY") {
                return Some(Block { label, text });
            }
            pem = rest;
        }
    }

    fn octets(&self) -> Option<Vec<u8>> {
        let text: Vec<u8> = self.text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        STANDARD.decode(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_being_written_and_read() {
        for algorithm in [Algorithm::Rsa, Algorithm::Ed25519] {
            let key = SigningKey::generate(algorithm, "s1").unwrap();
            let pem = key.to_pem().unwrap();
            let again = SigningKey::from_pem("s1", &pem).unwrap();
            assert_eq!(again.algorithm(), algorithm);
            assert_eq!(again.record(), key.record());
            assert_eq!(again.to_pem().unwrap(), pem);
            assert_eq!(format!("{key:?}"), format!("SigningKey(s1 {})", algorithm.as_str()));
        }
    }

    #[test]
    fn records_have_the_form_that_verifiers_read() {
        let rsa = SigningKey::generate(Algorithm::Rsa, "s1").unwrap();
        assert_eq!(rsa.bits(), 2048);
        // The head of every SubjectPublicKeyInfo with a 2048-bit RSA key.
        assert!(rsa.record().starts_with("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA"));
        let ed = SigningKey::generate(Algorithm::Ed25519, "s2").unwrap();
        assert!(ed.record().starts_with("v=DKIM1; k=ed25519; p="));
        assert_eq!(STANDARD.decode(ed.public_key()).unwrap().len(), 32);
        assert_eq!(ed.record_name(&Domain::parse("Example.com").unwrap()), "s2._domainkey.example.com");
    }

    #[test]
    fn what_cannot_sign_is_refused_with_its_cure() {
        let pem = |text: &str| format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        let check = |pem: &str, expect: KeyError| assert_eq!(SigningKey::from_pem("s1", pem).unwrap_err(), expect);
        check("", KeyError::NoPem);
        check("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", KeyError::NoPem);
        check(&pem("not base64!"), KeyError::Damaged);
        check(&pem("AAAA"), KeyError::Unusable);
        check(&pem("AAAA").replace("PRIVATE", "ENCRYPTED PRIVATE"), KeyError::Encrypted);
        let good = SigningKey::generate(Algorithm::Ed25519, "s1").unwrap().to_pem().unwrap();
        for selector in ["", "a b", "ä", "a..b"] {
            let error = SigningKey::from_pem(selector, &good).unwrap_err();
            assert_eq!(error, KeyError::Selector(selector.to_owned()));
        }
    }
}
