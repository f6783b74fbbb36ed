//! Secrets and signatures as the Standard Webhooks specification has them: HMAC-SHA256 over
//! `id.timestamp.body`, written `v1,` and base 64; one signature for each secret, so that a
//! secret can be changed without a gap.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const PREFIX: &str = "whsec_";
/// What the specification asks for, in octets.
const LENGTH: std::ops::RangeInclusive<usize> = 24..=64;

#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook's secret is whsec_ and 24 to 64 octets in base 64: `repute webhook secret` makes one")]
pub struct SecretError;

impl Secret {
    /// A new one of 32 octets, or `None` where the system has no random ones.
    pub fn random() -> Option<Secret> {
        let mut octets = vec![0; 32];
        getrandom::fill(&mut octets).ok()?;
        Some(Secret(octets))
    }

    /// As it is written into a configuration, here and at the receiver.
    pub fn text(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Secret, SecretError> {
        let octets = text.strip_prefix(PREFIX).and_then(|t| STANDARD.decode(t).ok()).ok_or(SecretError)?;
        if LENGTH.contains(&octets.len()) { Ok(Secret(octets)) } else { Err(SecretError) }
    }
}

/// Secrets never stand in a log.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The value of `webhook-signature`: one signature a secret, separated by blanks.
pub fn sign(secrets: &[Secret], id: &str, seconds: i64, body: &[u8]) -> String {
    let one = |secret: &Secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret.0);
        let mut context = hmac::Context::with_key(&key);
        context.update(format!("{id}.{seconds}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    };
    secrets.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the specification's own libraries test themselves with.
    #[test]
    fn signatures_are_those_of_the_specification() {
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signature = sign(std::slice::from_ref(&secret), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let other = Secret::random().unwrap();
        let both = sign(&[secret, other], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert!(both.starts_with(&format!("{signature} v1,")), "{both}");
    }

    #[test]
    fn a_secret_has_its_form() {
        let made = Secret::random().unwrap();
        assert_eq!(made.text().parse(), Ok(made));
        for bad in ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_&&&&"] {
            assert_eq!(bad.parse::<Secret>(), Err(SecretError), "{bad}");
        }
        assert!(!format!("{:?}", Secret::random().unwrap()).contains("whsec"));
    }
}
