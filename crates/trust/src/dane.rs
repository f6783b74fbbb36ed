//! TLSA records and the certificates that they promise (RFC 6698 §2.1, RFC 7672 §3.1).
//!
//! For mail only usages 2 and 3 count; a record of another usage fits nothing.

use aws_lc_rs::digest::{SHA256, SHA512, digest};

use crate::certificate::Certificate;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    pub usage: u8,
    pub selector: u8,
    pub matching: u8,
    pub data: Vec<u8>,
}

/// Whether one of the records fits the chain, the server's own certificate first. Usage 3 speaks
/// of the first, usage 2 of any above it.
pub fn matches(records: &[Tlsa], chain: &[Vec<u8>]) -> bool {
    records.iter().any(|record| match record.usage {
        3 => chain.first().is_some_and(|der| fits(record, der)),
        2 => chain.iter().skip(1).any(|der| fits(record, der)),
        _ => false,
    })
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
