//! AWS Signature Version 4, as far as a server checks it: the canonical request, and the
//! signature over it with a key made from the secret, the day, the region and the service.
//!
//! Promises: the host, the date and the body are covered by the signature; a date more than 15
//! minutes from now is refused; signatures are compared in constant time. What can be told without the body is told without
//! it: the date first, and the signature where the request says in `x-amz-content-sha256` what the body's hash is.

use aws_lc_rs::{constant_time, digest, hmac};
use axum::http::request::Parts;
use repute_types::Timestamp;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const APART: u64 = 15 * 60;

/// What the Authorization field says.
pub(crate) struct Claim<'a> {
    pub key_id: &'a str,
    /// `20261125/us-east-1/ses/aws4_request`.
    scope: String,
    day: &'a str,
    region: &'a str,
    service: &'a str,
    signed: Vec<&'a str>,
    signature: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// There is no signature of this kind, or it leaves out what it has to cover.
    Incomplete,
    /// The signer's clock is not ours.
    Date,
    Signature,
}

impl<'a> Claim<'a> {
    pub fn read(parts: &'a Parts) -> Option<Claim<'a>> {
        let field = parts.headers.get("authorization")?.to_str().ok()?;
        let rest = field.strip_prefix(ALGORITHM)?;
        let member = |name: &str| {
            rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('=').map(str::trim))
        };
        // A blank stands between the algorithm and the first member.
        let credential = member("Credential")?;
        let (key_id, scope) = credential.split_once('/')?;
        let mut scopes = scope.split('/');
        let (day, region, service) = (scopes.next()?, scopes.next()?, scopes.next()?);
        if scopes.next() != Some("aws4_request") || scopes.next().is_some() {
            return None;
        }
        let signed = member("SignedHeaders")?.split(';').collect();
        Some(Claim { key_id, scope: scope.to_owned(), day, region, service, signed, signature: member("Signature")? })
    }

    /// Whether it covers what it has to, at this time. That it was signed is not known by it.
    pub fn is_timely(&self, parts: &Parts, now: Timestamp) -> Result<(), Wrong> {
        let date = date(parts)?;
        if !self.signed.contains(&"host") || !self.signed.contains(&"x-amz-date") || !date.starts_with(self.day) {
            return Err(Wrong::Incomplete);
        }
        let at = time_of(date).ok_or(Wrong::Date)?;
        if at.since(now).max(now.since(at)).as_secs() > APART {
            return Err(Wrong::Date);
        }
        Ok(())
    }

    /// Whether whoever has `secret` signed this request, and a body with this hash.
    pub fn verify(&self, parts: &Parts, body: &BodyHash, secret: &str) -> Result<(), Wrong> {
        let date = date(parts)?;
        let canonical = self.canonical(parts, body).ok_or(Wrong::Incomplete)?;
        let to_sign = format!("{ALGORITHM}\n{date}\n{}\n{}", self.scope, hex(sha256(canonical.as_bytes()).as_ref()));
        let mut key = format!("AWS4{secret}").into_bytes();
        for piece in [self.day, self.region, self.service, "aws4_request", &to_sign] {
            key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), piece.as_bytes()).as_ref().to_vec();
        }
        constant_time::verify_slices_are_equal(hex(&key).as_bytes(), self.signature.as_bytes())
            .map_err(|_| Wrong::Signature)
    }

    fn canonical(&self, parts: &Parts, BodyHash(body): &BodyHash) -> Option<String> {
        let mut query: Vec<&str> = parts.uri.query().unwrap_or_default().split('&').filter(|p| !p.is_empty()).collect();
        query.sort_unstable();
        let mut out = format!("{}\n{}\n{}\n", parts.method, encoded(parts.uri.path()), query.join("&"));
        for name in &self.signed {
            let values: Vec<String> = parts
                .headers
                .get_all(*name)
                .iter()
                .map(|v| v.to_str().ok().map(|v| v.split_ascii_whitespace().collect::<Vec<_>>().join(" ")))
                .collect::<Option<_>>()?;
            if values.is_empty() {
                return None;
            }
            out.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        out.push_str(&format!("\n{}\n{}", self.signed.join(";"), body));
        Some(out)
    }
}

fn date(parts: &Parts) -> Result<&str, Wrong> {
    parts.headers.get("x-amz-date").and_then(|v| v.to_str().ok()).ok_or(Wrong::Incomplete)
}

/// The SHA-256 of a body, as a signature has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BodyHash(String);

impl BodyHash {
    pub fn of(body: &[u8]) -> BodyHash {
        BodyHash(hex(sha256(body).as_ref()))
    }

    /// As the request says before its body comes; many clients do not.
    pub fn announced(parts: &Parts) -> Option<BodyHash> {
        let text = parts.headers.get("x-amz-content-sha256")?.to_str().ok()?;
        let is_hash = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_hash.then(|| BodyHash(text.to_owned()))
    }
}

/// The path as it was sent, each octet of it encoded once more, as all services but S3 want it.
fn encoded(path: &str) -> String {
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~/".contains(&octet);
    path.bytes().fold(String::with_capacity(path.len()), |mut out, octet| {
        match is_plain(octet) {
            true => out.push(char::from(octet)),
            false => out.push_str(&format!("%{octet:02X}")),
        }
        out
    })
}

fn sha256(octets: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, octets)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// `20261125T194000Z`.
fn time_of(date: &str) -> Option<Timestamp> {
    let digits = |range: std::ops::Range<usize>| date.get(range).filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
    let (year, month, day) = (digits(0..4)?, digits(4..6)?, digits(6..8)?);
    let (hour, minute, second) = (digits(9..11)?, digits(11..13)?, digits(13..15)?);
    if date.len() != 16 || date.get(8..9) != Some("T") || !date.ends_with('Z') {
        return None;
    }
    format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    /// The request `get-vanilla` of the signature's published test suite.
    fn vanilla(signature: &str) -> Parts {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={signature}"
        );
        let request =
            Request::get("/").header("host", "example.amazonaws.com").header("x-amz-date", "20150830T123600Z");
        request.header("authorization", authorization).body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_published_example_verifies_and_nothing_else() {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let right = vanilla("5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
        let now: Timestamp = "2015-08-30T12:40:00Z".parse().unwrap();
        let check = |parts: &Parts, body: &[u8], secret: &str, now, expect| {
            let claim = Claim::read(parts).unwrap();
            let judged = claim.is_timely(parts, now).and_then(|()| claim.verify(parts, &BodyHash::of(body), secret));
            assert_eq!(judged, expect);
        };
        check(&right, b"", secret, now, Ok(()));
        check(&right, b"x", secret, now, Err(Wrong::Signature));
        check(&right, b"", "wrong", now, Err(Wrong::Signature));
        check(&right, b"", secret, "2015-08-30T12:52:00Z".parse().unwrap(), Err(Wrong::Date));
        check(&right, b"", secret, "2015-08-30T12:20:00Z".parse().unwrap(), Err(Wrong::Date));
        check(&vanilla("00"), b"", secret, now, Err(Wrong::Signature));
        let mut moved = right;
        moved.uri = "/other".parse().unwrap();
        check(&moved, b"", secret, now, Err(Wrong::Signature));
    }
}
