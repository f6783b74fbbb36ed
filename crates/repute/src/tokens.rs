//! Tokens of the HTTP API: made here, kept nowhere.
//!
//! Promise: a token is 256 random bits, so that nobody guesses it and its plain SHA-256 gives
//! nothing away. It begins with `repute_`, so that programs that look for leaked secrets know it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

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
