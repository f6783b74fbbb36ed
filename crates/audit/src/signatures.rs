//! Whether signatures verify (RFC 6376 §6), by code that is not ours, with keys that were asked
//! for beforehand: nothing is looked up here. What a key record forbids (§3.6.1) is looked at here, since that code
//! does not.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use mail_auth::common::crypto::CryptoError;
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::hickory_resolver::config::{ResolverConfig, ResolverOpts};
use mail_auth::{
    AuthenticatedMessage, DkimResult, DnsError, Error, MessageAuthenticator, Parameters, ResolverCache, Txt,
};
use repute_trust::checks::arrival::{Signature, Verified};
use repute_trust::checks::dkim::KeyRecord;
use repute_trust::dkim::Written;
use repute_trust::lookup::Answer;

use crate::questions::{Questions, all};

/// Signatures of one message that are verified; the others are not looked at.
const SIGNATURES_MOST: usize = 8;

/// What stands in DNS under the names of keys; for any other name there is no answer.
pub(crate) struct Keys(HashMap<Box<str>, Txt>);

impl Keys {
    pub fn new(keys: impl IntoIterator<Item = (String, Txt)>) -> Keys {
        Keys(keys.into_iter().map(|(name, key)| (format!("{name}.").into(), key)).collect())
    }
}

impl ResolverCache<Box<str>, Txt> for Keys {
    fn get<Q: Hash + Eq + ?Sized>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        let not_asked = || Txt::Error(Error::Dns(DnsError::Resolver("it was not asked for".into())));
        Some(self.0.get(name).cloned().unwrap_or_else(not_asked))
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

/// It asks nobody, and is made once: with it the authorities that the machine trusts are read, 150 files.
static VERIFIER: LazyLock<Result<MessageAuthenticator, String>> = LazyLock::new(|| {
    MessageAuthenticator::new(ResolverConfig::default(), ResolverOpts::default()).map_err(|error| error.to_string())
});

/// What one field came to: its domain and selector, where it can be read, and how.
pub(crate) type Outcome = (Option<(String, String)>, Verified);

/// Every DKIM-Signature field of a message.
pub(crate) async fn verify(octets: &[u8], keys: &Keys) -> Result<Vec<Outcome>, String> {
    let message = AuthenticatedMessage::parse(octets).ok_or("the message cannot be read")?;
    let verifier = VERIFIER.as_ref().map_err(String::clone)?;
    let none = Parameters::new(&message);
    let parameters = Parameters {
        params: &message,
        cache_txt: Some(keys),
        cache_mx: none.cache_mx,
        cache_ptr: none.cache_ptr,
        cache_ipv4: none.cache_ipv4,
        cache_ipv6: none.cache_ipv6,
    };
    let outputs = verifier.verify_dkim(parameters).await;
    let one = |output: &mail_auth::DkimOutput<'_>| {
        let verdict = match output.result() {
            DkimResult::Pass => Verified::Pass,
            DkimResult::Fail(why) | DkimResult::Neutral(why) | DkimResult::PermError(why) => Verified::Fail(told(why)),
            DkimResult::TempError(why) => Verified::Unknown(why.to_string()),
            DkimResult::None => Verified::Fail("it was not looked at".into()),
        };
        (output.signature().map(|s| (s.d.to_ascii_lowercase(), s.s.to_ascii_lowercase())), verdict)
    };
    Ok(outputs.iter().map(one).collect())
}

/// What the verifier found, for people. Its library for Ed25519 has no words for a signature of another key.
fn told(why: &Error) -> String {
    match why {
        Error::Crypto(CryptoError::Library(_)) => CryptoError::FailedVerification.to_string(),
        why => why.to_string(),
    }
}

/// The signatures of a message, `values` being its DKIM-Signature fields.
pub(crate) async fn of_message(questions: &Questions, octets: &[u8], values: &[Vec<u8>]) -> Vec<Signature> {
    let written: Vec<Result<Written, String>> =
        values.iter().take(SIGNATURES_MOST).map(|value| Written::read(value)).collect();
    let names: Vec<String> = written.iter().flatten().map(Written::key_name).collect();
    let answers = all(names.into_iter().map(|name| {
        let questions = questions.clone();
        async move {
            let answer = questions.txt(&name).await;
            (name, answer)
        }
    }))
    .await;
    let records: Vec<(&String, Result<Txt, Verified>)> =
        answers.iter().map(|(name, answer)| (name, key(name, answer))).collect();
    let usable = records.iter().filter_map(|(name, key)| Some(((*name).clone(), key.clone().ok()?)));
    let outcomes = verify(octets, &Keys::new(usable)).await.unwrap_or_default();
    let of = |w: &Written| {
        if let Some((_, Err(verdict))) = records.iter().find(|(name, _)| **name == w.key_name()) {
            return verdict.clone();
        }
        let is_it = |(d, s): &(String, String)| *d == w.domain.as_str() && *s == w.selector;
        let found = outcomes.iter().find(|(who, _)| who.as_ref().is_some_and(is_it));
        found.map_or(Verified::Fail("it cannot be read".into()), |(_, verdict)| verdict.clone())
    };
    written
        .into_iter()
        .map(|written| match written {
            Ok(written) => Signature { verdict: of(&written), written: Some(written) },
            Err(why) => Signature { written: None, verdict: Verified::Fail(why) },
        })
        .collect()
}

/// The first record, as receivers take it. `Err` is what signatures with it come to, whatever they sign.
fn key(name: &str, answer: &Answer) -> Result<Txt, Verified> {
    if let Answer::Failure(why) = answer {
        return Err(Verified::Unknown(why.clone()));
    }
    let record = answer.texts().first().ok_or_else(|| Verified::NoKey(format!("there is no key at {name}")))?;
    published(record).map_err(Verified::Fail)
}

/// A key record for the verifier. `Err` says why no signature of our time verifies with it.
pub(crate) fn published(record: &[u8]) -> Result<Txt, String> {
    if let Some(why) = KeyRecord::parse(record).ok().and_then(|record| record.forbidden().first().copied()) {
        return Err(why.to_owned());
    }
    let key = DomainKey::parse(record).map_err(|error| format!("the record cannot be read: {error}"))?;
    Ok(Txt::DomainKey(Arc::new(key)))
}
