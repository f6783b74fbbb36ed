//! What stands in DNS, and the keys and certificates beside it.

use std::net::{IpAddr, Ipv4Addr};

use repute_trust::certificate::Certificate;
use repute_trust::checks::dkim::KeyRecord;
use repute_trust::checks::origin::Origin;
use repute_trust::dkim::{SigningKey, Written};
use repute_trust::dmarc;
use repute_trust::dnsbl::Table;
use repute_trust::names;
use repute_trust::spf::{self, Answer, Kind as Ask, Network, Qualifier, Record, Request, Wanted};

use super::{Choices, domain};

/// An SPF record is parsed and evaluated, with DNS answers from the same octets; it ends
/// within the bounds of RFC 7208 §4.6.4.
pub fn spf_record(octets: &[u8]) {
    let mut choices = Choices(octets);
    let salt = choices.next();
    let records: Vec<Vec<u8>> = choices.0.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    for record in &records {
        let _ = Record::parse(record);
        let (_, faults) = Record::parse_leniently(record);
        assert_eq!(Record::parse(record).is_ok(), faults.is_empty(), "{:?}", String::from_utf8_lossy(record));
    }
    let mut asked = 0usize;
    let request = Request::mail_from(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), "helo.example", "u.v+w@example.com");
    let report = spf::evaluate(request, |query| {
        asked += 1;
        assert!(asked <= 200, "more questions than there may be");
        assert!(query.name.len() <= 253, "{query}");
        let pick = query.name.bytes().fold(salt, |sum, b| sum.wrapping_mul(31).wrapping_add(b));
        match (query.kind, pick % 7) {
            (_, 5) => Answer::NoName,
            (_, 6) => Answer::Failure("the test says so".into()),
            (Ask::Txt, _) => {
                Answer::Texts(records.get(usize::from(pick) % records.len()).cloned().into_iter().collect())
            }
            (Ask::A, n) => Answer::Addresses(vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, n))]),
            (Ask::Aaaa, _) => Answer::NoData,
            (Ask::Mx | Ask::Ptr, n) => Answer::Names((0..=n * 3).map(|i| format!("h{i}.example.com")).collect()),
        }
    });
    assert!(report.lookups <= 12, "{} look-ups", report.lookups);
}

/// The other records: read as far as they can be. A proposal for SPF keeps what stands there, can be published,
/// and is content with itself.
pub fn dns_record(octets: &[u8]) {
    let texts: Vec<Vec<u8>> = octets.split(|b| *b == b'\n').map(<[u8]>::to_vec).take(4).collect();
    for text in &texts {
        if let Ok(record) = KeyRecord::parse(text) {
            let _ = (record.key(), record.tag("p"));
        }
        if let Ok(written) = Written::read(text) {
            assert!(written.key_name().ends_with(written.domain.as_str()));
        }
        let text = String::from_utf8_lossy(text);
        let ip = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let _ = (names::helo::lint(&text, ip), names::generic::signs(&text, ip), names::reverse::address_of(&text));
    }
    let _ = Origin::read(&Answer::Texts(texts.clone()));
    let answers: Vec<_> = dmarc::walk(&domain())
        .into_iter()
        .zip(&texts)
        .map(|(name, text)| (name, Answer::Texts(vec![text.clone()])))
        .collect();
    if let Ok(policy) = dmarc::Policy::find(&domain(), &answers) {
        assert_eq!(policy.found.is_some(), policy.demand(&domain()).is_some());
    }
    let wanted = Wanted {
        networks: vec![Network::host(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)))],
        includes: vec!["_spf.example.net".to_owned()],
        all: Qualifier::Fail,
    };
    let proposal = spf::propose(&texts, &wanted);
    let again = spf::propose(&[proposal.text.clone().into_bytes()], &wanted);
    assert!(!again.changed, "{:?}, and then {:?}", proposal.text, again.text);
    let strings = spf::strings(&proposal.text);
    assert!(strings.iter().all(|string| string.len() <= 255) && strings.concat() == proposal.text);
}

/// Files of keys, certificates, and a user's own block lists.
pub fn key_file(octets: &[u8]) {
    if let Ok(certificate) = Certificate::parse(octets) {
        assert!(certificate.public_key.len() <= octets.len());
    }
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let _ = SigningKey::from_pem("s1", text);
    let _ = repute_publish::TsigKey::parse(None, text);
    if let Ok(table) = Table::parse(text) {
        let _ = Table::shipped().with(&table);
    }
}
