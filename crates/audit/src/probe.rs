//! A message signed with a key of ours, and verified with the key that stands in DNS by code
//! that is not ours (RFC 6376 §6).

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Instant;

use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::hickory_resolver::config::{ResolverConfig, ResolverOpts};
use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt};
use repute_trust::dkim::{SigningKey, sign};
use repute_types::{Content, Domain, Timestamp};

/// The one record that is known; nothing is looked up.
struct Published(Txt);

impl ResolverCache<Box<str>, Txt> for Published {
    fn get<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        Some(self.0.clone())
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

/// `Err` says why the signature does not verify.
pub(crate) async fn verify(key: &SigningKey, domain: &Domain, record: &[u8], now: Timestamp) -> Result<(), String> {
    let mut letter = letter(domain, now);
    let fields = sign(&letter, &[key], domain, now).map_err(|error| error.to_string())?;
    letter.prepend(fields);
    let published = DomainKey::parse(record).map_err(|error| format!("the record cannot be read: {error}"))?;
    let published = Published(Txt::DomainKey(Arc::new(published)));
    let octets = letter.to_vec();
    let message = AuthenticatedMessage::parse(&octets).ok_or("the probe cannot be read")?;
    let verifier = MessageAuthenticator::new(ResolverConfig::default(), ResolverOpts::default())
        .map_err(|error| error.to_string())?;
    let none = Parameters::new(&message);
    let parameters = Parameters {
        params: &message,
        cache_txt: Some(&published),
        cache_mx: none.cache_mx,
        cache_ptr: none.cache_ptr,
        cache_ipv4: none.cache_ipv4,
        cache_ipv6: none.cache_ipv6,
    };
    let outputs = verifier.verify_dkim(parameters).await;
    match outputs.first().map(|output| output.result()) {
        Some(DkimResult::Pass) => Ok(()),
        Some(
            DkimResult::Fail(why) | DkimResult::Neutral(why) | DkimResult::PermError(why) | DkimResult::TempError(why),
        ) => Err(why.to_string()),
        Some(DkimResult::None) | None => Err("no signature was found".into()),
    }
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
