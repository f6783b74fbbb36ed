//! A message signed with a key of ours, and verified with the key that stands in DNS by code
//! that is not ours (RFC 6376 §6).

use repute_trust::checks::arrival::Verified;
use repute_trust::dkim::{SigningKey, sign};
use repute_types::{Content, Domain, Timestamp};

use crate::signatures::{self, Keys};

/// `Err` says why the signature does not verify.
pub(crate) async fn verify(key: &SigningKey, domain: &Domain, record: &[u8], now: Timestamp) -> Result<(), String> {
    let mut letter = letter(domain, now);
    let fields = sign(&letter, &[key], domain, now).map_err(|error| error.to_string())?;
    letter.prepend(fields);
    let published = signatures::published(record)?;
    let keys = Keys::new([(format!("{}._domainkey.{domain}", key.selector()), published)]);
    match signatures::verify(&letter.to_vec(), &keys).await?.first() {
        Some((_, Verified::Pass)) => Ok(()),
        Some((_, Verified::Fail(why) | Verified::NoKey(why) | Verified::Unknown(why))) => Err(why.clone()),
        None => Err("no signature was found".into()),
    }
}

/// The value of the signature that the key makes for a probe, and the names of the probe's header
/// fields. `None` where the key does not sign, which [`verify`] tells.
pub(crate) fn field(key: &SigningKey, domain: &Domain, now: Timestamp) -> Option<(String, Vec<String>)> {
    let letter = letter(domain, now);
    let made = sign(&letter, &[key], domain, now).ok()?;
    let made = String::from_utf8_lossy(&made).into_owned();
    let header = String::from_utf8_lossy(&letter.to_vec()).into_owned();
    let fields = header.split("\r\n\r\n").next()?.lines().filter(|line| !line.starts_with(char::is_whitespace));
    let names = fields.filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect();
    Some((made.split_once(':')?.1.trim().to_owned(), names))
}

fn letter(domain: &Domain, now: Timestamp) -> Content {
    let mut letter = Content::new();
    letter.push(format!(
        "From: Probe <probe@{domain}>\r\nTo: Probe <probe@{domain}>\r\nSubject: Does this verify?\r\n\
         Date: {}\r\nMessage-ID: <probe.{}@{domain}>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\nIt is made to be signed, and is never sent.\r\n",
        now.rfc5322(),
        now.millis(),
    ));
    letter
}

#[cfg(test)]
mod tests {
    use repute_trust::dkim::Algorithm;
    use repute_types::{Clock as _, SystemClock};

    use super::*;

    /// Such a record failed its check, and its domain kept the permit: the library verifies with it.
    #[tokio::test]
    async fn a_key_that_permits_no_sha256_verifies_nothing() {
        // The library compares with its own clock.
        let (domain, now) = (Domain::parse("sender.example").unwrap(), SystemClock.now());
        let key = SigningKey::generate(Algorithm::Ed25519, "s1").unwrap();
        let with = |tags: &str| format!("{}; {tags}", key.record());
        let verified = async |tags: &str| verify(&key, &domain, with(tags).as_bytes(), now).await;
        assert_eq!(verified("t=s").await, Ok(()));
        assert_eq!(verified("h=sha1:sha256; s=email").await, Ok(()));
        assert_eq!(verified("h=sha1").await, Err("h= does not permit sha256".into()));
        assert_eq!(verified("s=tlsrpt").await, Err("s= does not permit email".into()));
    }
}
