//! By what a message can be found, as 64-bit hashes: a few octets in the index instead of the
//! text. Two texts of one hash do no harm: the answer is compared with what was asked.
//!
//! A recipient and a Message-ID lead to each of their messages. A sender and a recipient's domain, which many messages
//! share, lead to spans of some seconds in which there was one: a row a span instead of a row a message.

use repute_types::{Address, Domain, MessageId};

/// Four seconds, in the bits of a message id: a busy sender needs few rows, and a row leads to few messages.
const SPAN_BITS: u32 = 34;

/// The lowest and the highest id of the span that a message falls into.
pub(super) fn span_of(message: MessageId) -> (MessageId, MessageId) {
    let within = (1 << SPAN_BITS) - 1;
    (MessageId(message.0 & !within), MessageId(message.0 | within))
}

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
