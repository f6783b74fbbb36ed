//! TLSA records and the certificates that they promise (RFC 6698 §2.1, RFC 7671, RFC 7672 §3).
//!
//! For mail only usages 2 (an authority's certificate) and 3 (the server's own) count; a record of
//! another usage, selector or kind of match cannot be used, and neither can a hash of the wrong length.
//!
//! Known limit: an authority's bare key (`2 1 0`) is found only where the server sends its certificate.

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use repute_types::Tlsa;

use crate::certificate::Certificate;

const AUTHORITY: u8 = 2;
const SERVER: u8 = 3;

/// Whether a mail client can act on it (RFC 7672 §3.1.3).
fn is_usable(record: &Tlsa) -> bool {
    let length = match record.matching {
        0 => !record.data.is_empty(),
        1 => record.data.len() == 32,
        2 => record.data.len() == 64,
        _ => false,
    };
    matches!(record.usage, AUTHORITY | SERVER) && matches!(record.selector, 0 | 1) && length
}

/// Those of the records that count: usable, and not hashed more weakly than another of the same
/// usage and selector (RFC 7671 §9: else a broken hash could be fallen back on).
pub fn usable(records: &[Tlsa]) -> Vec<Tlsa> {
    let usable: Vec<&Tlsa> = records.iter().filter(|record| is_usable(record)).collect();
    let stronger =
        |weak: &Tlsa| usable.iter().any(|r| (r.usage, r.selector, r.matching) == (weak.usage, weak.selector, 2));
    usable.iter().filter(|r| r.matching != 1 || !stronger(r)).map(|r| (*r).clone()).collect()
}

/// Whether a record speaks of an authority, so that names count.
pub fn is_of_authority(record: &Tlsa) -> bool {
    record.usage == AUTHORITY
}

/// Whether one of the records fits the chain, the server's own certificate first. Usage 3 speaks
/// of the first, usage 2 of any above it.
pub fn matches(records: &[Tlsa], chain: &[Vec<u8>]) -> bool {
    let records = usable(records);
    promises_server(&records, chain) || !anchors(&records, chain).is_empty()
}

/// Whether a record promises the server's own certificate or key: then nothing else about it matters,
/// neither its names nor its dates (RFC 7672 §3.1.1).
pub fn promises_server(usable: &[Tlsa], chain: &[Vec<u8>]) -> bool {
    let Some(own) = chain.first() else { return false };
    usable.iter().any(|record| record.usage == SERVER && fits(record, own))
}

/// The authorities that records promise: certificates of the chain above the server's own, and whole
/// certificates that a record holds. Whether the server's own certificate comes from one of them,
/// and has the right name, is to be seen yet (RFC 7672 §3.1.2).
pub fn anchors(usable: &[Tlsa], chain: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let of_authorities = || usable.iter().filter(|record| record.usage == AUTHORITY);
    let above = chain.iter().skip(1).filter(|der| of_authorities().any(|record| fits(record, der))).cloned();
    let held = of_authorities().filter(|r| (r.selector, r.matching) == (0, 0)).map(|r| r.data.clone());
    let mut found: Vec<Vec<u8>> = Vec::new();
    for der in above.chain(held.filter(|der| chain.len() > 1 || !chain.contains(der))) {
        if !found.contains(&der) {
            found.push(der);
        }
    }
    found
}

fn fits(record: &Tlsa, der: &[u8]) -> bool {
    let selected = match record.selector {
        0 => der.to_vec(),
        1 => match Certificate::parse(der) {
            Ok(certificate) => certificate.public_key,
            Err(_) => return false,
        },
        _ => return false,
    };
    match record.matching {
        0 => selected == record.data,
        1 => digest(&SHA256, &selected).as_ref() == record.data,
        2 => digest(&SHA512, &selected).as_ref() == record.data,
        _ => false,
    }
}

/// The record that is best published for a certificate: `3 1 1` and the hash of its key (RFC
/// 7671 §5.1), which a renewal with the same key leaves as it is.
pub fn record(der: &[u8]) -> Option<String> {
    let certificate = Certificate::parse(der).ok()?;
    let hash: String = digest(&SHA256, &certificate.public_key).as_ref().iter().map(|b| format!("{b:02x}")).collect();
    Some(format!("3 1 1 {hash}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlsa(usage: u8, selector: u8, matching: u8, data: &[u8]) -> Tlsa {
        Tlsa { usage, selector, matching, data: data.to_vec() }
    }

    fn hash(matching: u8, of: &[u8]) -> Vec<u8> {
        digest(if matching == 1 { &SHA256 } else { &SHA512 }, of).as_ref().to_vec()
    }

    #[test]
    fn usages_selectors_and_lengths_decide_what_can_be_used() {
        for (record, expected) in [
            (tlsa(3, 1, 1, &[0; 32]), true),
            (tlsa(3, 0, 2, &[0; 64]), true),
            (tlsa(2, 0, 0, &[1]), true),
            (tlsa(0, 1, 1, &[0; 32]), false),
            (tlsa(1, 0, 1, &[0; 32]), false),
            (tlsa(4, 0, 1, &[0; 32]), false),
            (tlsa(255, 0, 1, &[0; 32]), false),
            (tlsa(3, 2, 1, &[0; 32]), false),
            (tlsa(3, 1, 3, &[0; 32]), false),
            (tlsa(3, 1, 1, &[0; 31]), false),
            (tlsa(3, 1, 2, &[0; 32]), false),
            (tlsa(2, 0, 0, &[]), false),
        ] {
            assert_eq!(is_usable(&record), expected, "{record:?}");
        }
    }

    #[test]
    fn own_certificate_and_authority_fit_in_their_places_alone() {
        let (own, above) = (b"own".to_vec(), b"above".to_vec());
        let chain = [own.clone(), above.clone()];
        let good = |record: Tlsa| matches(&[record], &chain);
        for matching in [1, 2] {
            assert!(good(tlsa(3, 0, matching, &hash(matching, &own))));
            assert!(!good(tlsa(3, 0, matching, &hash(matching, &above))));
            assert!(good(tlsa(2, 0, matching, &hash(matching, &above))));
            assert!(!good(tlsa(2, 0, matching, &hash(matching, &own))));
            assert!(!good(tlsa(1, 0, matching, &hash(matching, &own))), "usage 1 is not for mail");
        }
        assert!(good(tlsa(3, 0, 0, &own)) && !good(tlsa(3, 0, 0, &above)));
        // The chain need not hold an authority that the record holds whole.
        assert_eq!(anchors(&[tlsa(2, 0, 0, b"elsewhere")], &chain[..1]), [b"elsewhere".to_vec()]);
        assert!(!matches(&[tlsa(3, 0, 0, &own)], &[]));
    }

    #[test]
    fn the_stronger_hash_is_not_fallen_back_from() {
        let own = b"own".to_vec();
        let weak = tlsa(3, 0, 1, &hash(1, &own));
        let other = tlsa(3, 0, 2, &hash(2, b"other"));
        assert!(matches(std::slice::from_ref(&weak), std::slice::from_ref(&own)));
        assert!(!matches(&[weak.clone(), other.clone()], std::slice::from_ref(&own)));
        // Another selector is another promise.
        assert!(matches(&[weak, Tlsa { selector: 1, ..other }], &[own]));
    }
}
