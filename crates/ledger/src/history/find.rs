//! By what a message can be found, as 64-bit hashes: a few octets in the index instead of the
//! text. Two texts of one hash do no harm: the answer is compared with what was asked.

use repute_types::{Address, Domain};

pub(super) fn of_recipient(address: &Address) -> i64 {
    hash("r", &[address.local(), address.domain().as_str()])
}

pub(super) fn of_recipient_domain(domain: &Domain) -> i64 {
    hash("d", &[domain.as_str()])
}

pub(super) fn of_sender(address: &Address) -> i64 {
    hash("s", &[address.local(), address.domain().as_str()])
}

pub(super) fn of_header_id(header_id: &str) -> i64 {
    hash("h", &[header_id])
}

/// FNV-1a with a last mixing; it is stored, so it never changes.
fn hash(kind: &str, texts: &[&str]) -> i64 {
    let mut h = 0xcbf2_9ce4_8422_2325_u64;
    for text in std::iter::once(&kind).chain(texts) {
        for octet in text.bytes().chain([0]) {
            // Addresses are found in whatever case they are asked for.
            h = (h ^ u64::from(octet.to_ascii_lowercase())).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    (h ^ (h >> 32)) as i64
}
