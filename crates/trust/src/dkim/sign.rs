//! Signing a message with every key of its domain (RFC 6376 §5, RFC 8463 §3).
//!
//! Steps: the body is hashed once; the fields to be signed are canonicalised and hashed once;
//! then each key adds its own DKIM-Signature field, without the value of `b=`, to a copy of that
//! hash and signs the result.

use aws_lc_rs::digest::{Context, Digest, SHA256};
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use repute_types::{Content, Domain, Timestamp};
use std::time::Duration;

use super::fields::Header;
use super::key::{Pair, SigningKey};
use super::{body, relaxed};

/// `x=`: longer than a message may wait in any queue on its way, short enough to spoil replay.
pub const EXPIRY: Duration = Duration::from_secs(14 * 24 * 3600);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error("the message has no From field, without which no signature is valid")]
    NoFrom,
    #[error("the header does not end within 1 MiB")]
    HeaderTooLarge,
    #[error("the key refused to sign: make a new one")]
    Key,
}

/// The DKIM-Signature fields to be put in front of the content, one for each key, in the order
/// of the keys, each with its line end.
pub fn sign(content: &Content, keys: &[&SigningKey], domain: &Domain, now: Timestamp) -> Result<Bytes, SignError> {
    let header = Header::of(content).ok_or(SignError::HeaderTooLarge)?;
    let signed = header.signed();
    if !signed.has_from() {
        return Err(SignError::NoFrom);
    }
    let body_hash = STANDARD.encode(body::hash(content, header.body));
    let mut context = Context::new(&SHA256);
    context.update(&signed.canonical);
    let mut out = Folded::with_capacity(1400 * keys.len());
    for key in keys {
        let start = out.text.len();
        unsigned_field(&mut out, key, domain, now, &signed.names, &body_hash);
        let value = start + NAME.len() + 1;
        let digest = data_hash(context.clone(), &out.text.as_bytes()[value..]);
        out.base64(&signature(key, &digest)?);
        out.text.push_str("\r\n");
    }
    Ok(out.text.into())
}

const NAME: &str = "DKIM-Signature";

/// The field up to and with `b=`.
fn unsigned_field(
    out: &mut Folded,
    key: &SigningKey,
    domain: &Domain,
    now: Timestamp,
    names: &[&'static str],
    body_hash: &str,
) {
    out.line_start();
    out.text.push_str(NAME);
    out.text.push(':');
    out.column += NAME.len() + 1;
    let time = now.seconds();
    out.word(" v=1;");
    out.word(&format!(" a={};", key.algorithm().as_str()));
    out.word(" c=relaxed/relaxed;");
    out.word(&format!(" d={domain};"));
    out.word(&format!(" s={};", key.selector()));
    out.word(&format!(" t={time};"));
    out.word(&format!(" x={};", time + EXPIRY.as_secs() as i64));
    for (i, name) in names.iter().enumerate() {
        let before = if i == 0 { " h=" } else { "" };
        let after = if i + 1 == names.len() { ";" } else { ":" };
        out.word(&format!("{before}{name}{after}"));
    }
    out.word(&format!(" bh={body_hash};"));
    out.word(" b=");
}

/// RFC 6376 §3.7: the fields signed, then the signature's own, with `b=` empty and no line end.
fn data_hash(mut context: Context, unsigned_value: &[u8]) -> Digest {
    let mut canonical = Vec::with_capacity(unsigned_value.len() + NAME.len() + 1);
    relaxed::field(NAME.as_bytes(), unsigned_value, &mut canonical);
    context.update(&canonical);
    context.finish()
}

fn signature(key: &SigningKey, digest: &Digest) -> Result<Vec<u8>, SignError> {
    match key.pair() {
        Pair::Rsa(pair) => {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign_digest(&RSA_PKCS1_SHA256, digest, &mut signature).map_err(|_| SignError::Key)?;
            Ok(signature)
        }
        // RFC 8463 §3: what Ed25519 signs is the hash.
        Pair::Ed25519(pair) => Ok(pair.try_sign(digest.as_ref()).map_err(|_| SignError::Key)?.as_ref().to_vec()),
    }
}

/// Text in lines of at most 78 octets, folded before words (RFC 5322 §2.2.3).
struct Folded {
    text: String,
    column: usize,
}

const WIDTH: usize = 78;
/// What a fold adds; a tab is counted as people see it.
const FOLD: &str = "\r\n\t";
const INDENT: usize = 8;

impl Folded {
    fn with_capacity(octets: usize) -> Folded {
        Folded { text: String::with_capacity(octets), column: 0 }
    }

    fn line_start(&mut self) {
        self.column = 0;
    }

    fn word(&mut self, word: &str) {
        if self.column + word.len() > WIDTH {
            self.text.push_str(FOLD);
            self.column = INDENT;
            self.put(word.trim_start());
        } else {
            self.put(word);
        }
    }

    fn base64(&mut self, octets: &[u8]) {
        let encoded = STANDARD.encode(octets);
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            if self.column >= WIDTH {
                self.text.push_str(FOLD);
                self.column = INDENT;
            }
            let (line, more) = rest.split_at(rest.len().min(WIDTH - self.column));
            self.put(line);
            rest = more;
        }
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dkim::Algorithm;

    /// RFC 8463 appendix A: its key, its field as it stands there, its signature.
    #[test]
    fn the_vector_of_rfc_8463_is_met() {
        let seed = STANDARD.decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").unwrap();
        let pkcs8 = [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20][..], &seed].concat();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(pkcs8));
        let key = SigningKey::from_pem("brisbane", &pem).unwrap();
        assert_eq!(key.algorithm(), Algorithm::Ed25519);
        assert_eq!(key.record(), "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");

        let mut context = Context::new(&SHA256);
        context.update(
            b"from:Joe SixPack <joe@football.example.com>\r\n\
              to:Suzie Q <suzie@shopping.example.net>\r\n\
              subject:Is dinner ready?\r\n\
              date:Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
              message-id:<20030712040037.46341.5F8J@football.example.com>\r\n",
        );
        let field = " v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;\r\n \
                     q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id : from : subject : date;\r\n \
                     bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=";
        let digest = data_hash(context, field.as_bytes());
        assert_eq!(
            STANDARD.encode(signature(&key, &digest).unwrap()),
            "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="
        );
    }

    #[test]
    fn what_cannot_be_signed_is_said() {
        let key = SigningKey::generate(Algorithm::Ed25519, "s1").unwrap();
        let domain = Domain::parse("a.example").unwrap();
        let content = Content::from(&b"Subject: x\r\n\r\nbody\r\n"[..]);
        assert_eq!(sign(&content, &[&key], &domain, Timestamp(0)), Err(SignError::NoFrom));
    }
}
