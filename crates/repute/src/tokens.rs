//! Tokens of the HTTP API, made here and kept nowhere; and the key of the server that secrets are
//! made from.
//!
//! Promise: a token is 256 random bits, so that nobody guesses it and its plain SHA-256 gives
//! nothing away. The secret that SES clients sign with is an HMAC of that hash with the server's
//! key: nothing else is stored, and neither the configuration nor the key alone gives it away. A token begins with `repute_`, so that programs that look for leaked secrets know it.

use std::path::Path;

use anyhow::Context as _;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use repute_web::TokenHash;

use crate::{private, state};

pub const NAME_CURE: &str = "1 to 64 letters, digits, dots, hyphens and underscores";

/// It stands in log lines, and is the access key id of SES clients.
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

pub fn generate() -> anyhow::Result<String> {
    let mut octets = [0u8; 32];
    getrandom::fill(&mut octets).map_err(|e| anyhow::anyhow!("the operating system gave no random numbers: {e}"))?;
    Ok(format!("repute_{}", URL_SAFE_NO_PAD.encode(octets)))
}

/// The secret access key of a token, for clients of SES.
pub fn signing_secret(key: &[u8; 32], hash: &TokenHash) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mac = hmac::sign(&key, &[b"ses secret access key\0", hash.octets().as_slice()].concat());
    URL_SAFE_NO_PAD.encode(mac.as_ref())
}

/// Whether the key is there.
pub fn is_made(state: &Path) -> bool {
    state::tokens_key(state).exists()
}

/// Whether a server was here before, and its key is not: a state folder that was put back without it.
pub fn is_lost(state: &Path) -> bool {
    !is_made(state) && state::spool_database(state).exists()
}

/// The key that makes return paths, unsubscribe links and signing secrets, made at the first start, or when a secret is first asked for.
/// With another key the ones that are out in the world would mean nothing any more.
pub fn key(state: &Path) -> anyhow::Result<[u8; 32]> {
    let path = state::tokens_key(state);
    match std::fs::read(&path) {
        Ok(octets) => <[u8; 32]>::try_from(octets).map_err(|_| {
            anyhow::anyhow!("{} does not hold 32 octets: put the file back from a back-up", path.display())
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret).map_err(|error| anyhow::anyhow!("no random octets to be had: {error}"))?;
            private::write(&path, &secret)?;
            Ok(secret)
        }
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}
