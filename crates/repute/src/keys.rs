//! DKIM keys in the state folder: `STATE/keys/DOMAIN/SELECTOR.pem`, PKCS #8, one file a key.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use repute_types::Domain;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;

pub fn folder(state: &Path, domain: &Domain) -> PathBuf {
    state.join("keys").join(domain.as_str())
}

pub fn path(folder: &Path, selector: &str) -> PathBuf {
    folder.join(format!("{selector}.pem"))
}

/// The selectors that have a key, sorted. A folder that is not there has none.
pub fn selectors(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut selectors = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        if let Some(selector) = name.to_str().and_then(|n| n.strip_suffix(".pem")) {
            selectors.push(selector.to_owned());
        }
    }
    selectors.sort();
    Ok(selectors)
}

/// What a key signs with (RFC 6376, RFC 8463).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Rsa,
    Ed25519,
}

impl Algorithm {
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Rsa => "rsa",
            Algorithm::Ed25519 => "ed25519",
        }
    }
}

/// A key that is there and good, with the record that makes it known.
pub struct Stored {
    pub selector: String,
    pub algorithm: Algorithm,
    /// The value of its TXT record.
    pub record: String,
}

impl Stored {
    /// The name of its TXT record (RFC 6376 §3.6.2.1).
    pub fn record_name(&self, domain: &Domain) -> String {
        format!("{}._domainkey.{domain}", self.selector)
    }
}

/// Every key of a folder; one that cannot be used is an error, for it would not sign.
pub fn read_all(folder: &Path) -> anyhow::Result<Vec<Stored>> {
    let cannot = || format!("{} cannot be read", folder.display());
    let mut stored = Vec::new();
    for selector in selectors(folder).with_context(cannot)? {
        let path = path(folder, &selector);
        let pem = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let (algorithm, record) =
            parse(&pem).map_err(|wrong| anyhow::anyhow!("{} is not a key to sign with: {wrong}", path.display()))?;
        stored.push(Stored { selector, algorithm, record });
    }
    Ok(stored)
}

/// A new private key, PKCS #8 PEM.
pub fn generate(algorithm: Algorithm) -> anyhow::Result<String> {
    let failed = |_| anyhow::anyhow!("the cryptography library cannot make a key");
    let der = match algorithm {
        Algorithm::Rsa => {
            let key = KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
            AsDer::<Pkcs8V1Der<'_>>::as_der(&key).map_err(failed)?.as_ref().to_vec()
        }
        Algorithm::Ed25519 => {
            let key = Ed25519KeyPair::generate().map_err(failed)?;
            AsDer::<Pkcs8V1Der<'_>>::as_der(&key).map_err(failed)?.as_ref().to_vec()
        }
    };
    Ok(to_pem(&der))
}

fn to_pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|c| std::str::from_utf8(c).ok()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

/// Reads a key: its algorithm and record, or what is wrong with it.
pub fn parse(pem: &str) -> Result<(Algorithm, String), String> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| "it holds no PKCS #8 key".to_owned())?;
    let der = der.secret_pkcs8_der();
    if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
        let record = format!("v=DKIM1; k=ed25519; p={}", STANDARD.encode(key.public_key().as_ref()));
        return Ok((Algorithm::Ed25519, record));
    }
    let key = KeyPair::from_pkcs8(der).map_err(|_| "it is neither RSA of 2048 bits and more nor Ed25519".to_owned())?;
    if key.public_modulus_len() < 256 {
        return Err(format!("it has {} bits, and receivers want 2048", key.public_modulus_len() * 8));
    }
    let public =
        AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()).map_err(|_| "its public half is lost".to_owned())?;
    Ok((Algorithm::Rsa, format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(public.as_ref()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_made_reads_back() {
        for algorithm in [Algorithm::Rsa, Algorithm::Ed25519] {
            let (read, record) = parse(&generate(algorithm).unwrap()).unwrap();
            assert_eq!(read, algorithm);
            assert!(record.starts_with(&format!("v=DKIM1; k={}; p=", algorithm.as_str())), "{record}");
        }
        assert!(parse("no key").is_err());
    }
}
