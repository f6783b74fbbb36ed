//! What we sign, others verify: every case in `tests/dkim` and any message at all is judged by
//! `mail-auth`, which shares no code with our signer.
//!
//! A case is a folder: `message` (with LF line ends), `readme`, and `expect`, the fields that
//! must come out octet for octet. `UPDATE_EXPECT=1` rewrites `expect`.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::DomainKey;
use mail_auth::hickory_resolver::config::{ResolverConfig, ResolverOpts};
use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt};
use proptest::prelude::*;
use repute_trust::dkim::{SigningKey, sign};
use repute_types::clock::{Clock, SystemClock};
use repute_types::{Content, Domain, Timestamp};

/// The records that stand in DNS, and no other.
struct Zone(HashMap<Box<str>, Txt>);

impl Zone {
    fn of(keys: &[SigningKey], domain: &Domain) -> Zone {
        let record = |key: &SigningKey| {
            let parsed = DomainKey::parse(key.record().as_bytes()).unwrap();
            (format!("{}.", key.record_name(domain)).into(), Txt::DomainKey(Arc::new(parsed)))
        };
        Zone(keys.iter().map(record).collect())
    }
}

impl ResolverCache<Box<str>, Txt> for Zone {
    fn get<Q: Hash + Eq + ?Sized>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        self.0.get(name).cloned()
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

struct Receiver {
    runtime: tokio::runtime::Runtime,
    authenticator: MessageAuthenticator,
    zone: Zone,
}

impl Receiver {
    fn new(zone: Zone) -> Receiver {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // No name servers: what the zone does not hold is not found.
        let authenticator = MessageAuthenticator::new(ResolverConfig::default(), ResolverOpts::default()).unwrap();
        Receiver { runtime, authenticator, zone }
    }

    /// One letter a signature: `P`ass or `F`ail.
    fn judge(&self, octets: &[u8]) -> String {
        let message = AuthenticatedMessage::parse(octets).unwrap();
        let none = Parameters::new(&message);
        let parameters = Parameters {
            params: &message,
            cache_txt: Some(&self.zone),
            cache_mx: none.cache_mx,
            cache_ptr: none.cache_ptr,
            cache_ipv4: none.cache_ipv4,
            cache_ipv6: none.cache_ipv6,
        };
        let outputs = self.runtime.block_on(self.authenticator.verify_dkim(parameters));
        outputs.iter().map(|output| if *output.result() == DkimResult::Pass { 'P' } else { 'F' }).collect()
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dkim")
}

fn keys() -> Vec<SigningKey> {
    let read = |selector: &str| {
        let pem = std::fs::read_to_string(folder().join("keys").join(format!("{selector}.pem"))).unwrap();
        SigningKey::from_pem(selector, &pem).unwrap()
    };
    vec![read("s1"), read("s2")]
}

fn signed(content: &Content, keys: &[SigningKey], domain: &Domain, now: Timestamp) -> (String, Vec<u8>) {
    let keys: Vec<&SigningKey> = keys.iter().collect();
    let fields = sign(content, &keys, domain, now).unwrap();
    let mut whole = content.clone();
    whole.prepend(fields.clone());
    (String::from_utf8(fields.to_vec()).unwrap(), whole.to_vec())
}

#[test]
fn the_cases_come_out_as_written_and_verify() {
    let (keys, domain) = (keys(), Domain::parse("example.com").unwrap());
    let receiver = Receiver::new(Zone::of(&keys, &domain));
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| !path.ends_with("keys"));
    cases.sort();
    assert!(cases.len() >= 7);
    for case in cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        assert!(case.join("readme").exists(), "{name}");
        let message = std::fs::read_to_string(case.join("message")).unwrap().replace('\n', "\r\n");
        let content = Content::from(message.into_bytes());
        let (fields, _) = signed(&content, &keys, &domain, Timestamp(1_795_485_950_120));
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(case.join("expect"), fields.replace("\r\n", "\n")).unwrap();
        }
        let expect = std::fs::read_to_string(case.join("expect")).unwrap().replace('\n', "\r\n");
        assert_eq!(fields, expect, "{name}");
        assert!(fields.lines().all(|line| line.len() <= 78), "{name}");
        // The verifier looks at the machine's clock for `x=`.
        let (_, octets) = signed(&content, &keys, &domain, SystemClock.now());
        assert_eq!(receiver.judge(&octets), "PP", "{name}");
    }
}

#[test]
fn what_is_added_to_a_signed_message_breaks_it() {
    let (keys, domain) = (keys(), Domain::parse("example.com").unwrap());
    let receiver = Receiver::new(Zone::of(&keys, &domain));
    let message = b"From: joe@example.com\r\nSubject: x\r\n\r\nbody\r\n";
    let (fields, octets) = signed(&Content::from(&message[..]), &keys, &domain, SystemClock.now());
    assert_eq!(receiver.judge(&octets), "PP");
    for added in ["From: evil@example.net", "Subject: y", "Reply-To: evil@example.net", "Content-Type: text/html"] {
        let octets = [added.as_bytes(), b"\r\n", &octets].concat();
        assert_eq!(receiver.judge(&octets), "FF", "{added}");
    }
    let relayed = [b"Received: by b.example\r\nX-Spam: no\r\n", &octets[..]].concat();
    assert_eq!(receiver.judge(&relayed), "PP", "what relays add does no harm");
    assert_eq!(receiver.judge(&[&octets[..], b"more\r\n"].concat()), "FF");
    assert_eq!(receiver.judge(&[&octets[..], b"\r\n\r\n"].concat()), "PP", "empty lines at the end do no harm");
    let elsewhere = fields.replace("d=example.com", "d=example.net") + &String::from_utf8_lossy(message);
    assert_eq!(receiver.judge(elsewhere.as_bytes()), "FF", "there is no key of that domain");
}

fn header_value() -> impl Strategy<Value = String> {
    proptest::collection::vec("[ -~é☺]{0,30}", 1..5).prop_map(|lines| lines.join("\r\n \t"))
}

/// Ends without blanks: verifiers disagree on lines of blanks at the end (see case 04).
fn body() -> impl Strategy<Value = String> {
    let lines = proptest::collection::vec("([ -~é☺]|[ \t]{1,3}){0,60}", 0..40);
    lines.prop_map(|lines| lines.join("\r\n").trim_end().to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_signed_verifies_however_it_is_cut(
        subject in header_value(),
        other in header_value(),
        body in body(),
        size in 1usize..200,
        place in 0usize..10_000,
    ) {
        let (keys, domain) = (keys(), Domain::parse("example.com").unwrap());
        let receiver = Receiver::new(Zone::of(&keys, &domain));
        let text = format!("From: joe@example.com\r\nsubject: {subject}\r\nReferences:{other}\r\n\r\n{body}\r\n");
        let mut content = Content::new();
        text.as_bytes().chunks(size).for_each(|chunk| content.push(chunk.to_vec()));
        let (fields, octets) = signed(&content, &keys, &domain, SystemClock.now());
        prop_assert_eq!(receiver.judge(&octets), "PP");

        // One octet of what is signed becomes another that no canonicalisation forgives.
        let visible: Vec<usize> = (0..octets.len())
            .filter(|i| *i >= fields.len() + "From:".len() && octets[*i].is_ascii_graphic())
            .filter(|i| !text[..].as_bytes()[*i - fields.len()].eq(&b':'))
            .collect();
        let at = visible[place % visible.len()];
        let mut tampered = octets.clone();
        tampered[at] = if octets[at] == b'q' { b'z' } else { b'q' };
        prop_assert_ne!(receiver.judge(&tampered), "PP");
    }
}
