//! Which header fields a signature covers, and their canonical octets.
//!
//! Promise: every field of [`OVERSIGNED`] is named once more than it stands in the message, so
//! that adding one breaks the signature (RFC 6376 §5.4, §8.15); those of [`SIGNED`] are named as
//! often as they stand.

use std::borrow::Cow;
use std::ops::Range;

use repute_types::Content;

use super::relaxed;

/// What a person or a program acts on: must neither be changed nor added. RFC 8058 §4 asks for
/// the two List-Unsubscribe fields.
const OVERSIGNED: [&str; 14] = [
    "From",
    "Sender",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "To",
    "Cc",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Feedback-ID",
];

/// Signed where they stand. A relay or a list may add one where there was none.
const SIGNED: [&str; 21] = [
    "In-Reply-To",
    "References",
    "Content-ID",
    "Content-Description",
    "Resent-Date",
    "Resent-From",
    "Resent-Sender",
    "Resent-To",
    "Resent-Cc",
    "Resent-Message-ID",
    "List-Id",
    "List-Help",
    "List-Subscribe",
    "List-Post",
    "List-Owner",
    "List-Archive",
    // RFC 9477 §3.1: a report goes only where a signature covers the address for it.
    "CFBL-Address",
    "CFBL-Feedback-ID",
    // RFC 8460 §5.3: which report this is; RFC 8689 §5.
    "TLS-Report-Domain",
    "TLS-Report-Submitter",
    "TLS-Required",
];

/// The header of a content, in one piece, and where its body starts.
pub(super) struct Header<'a> {
    octets: Cow<'a, [u8]>,
    pub body: usize,
}

/// A header beyond this is none of ours (the message floor refuses far smaller ones).
const MAX: usize = 1024 * 1024;

impl<'a> Header<'a> {
    /// `None` where no header ends within the bound.
    pub fn of(content: &'a Content) -> Option<Header<'a>> {
        let mut octets: Cow<'a, [u8]> = Cow::Borrowed(&[]);
        for chunk in content.chunks() {
            // The empty line may lie across the border of two chunks.
            let from = octets.len().saturating_sub(3);
            if octets.is_empty() {
                octets = Cow::Borrowed(chunk);
            } else {
                octets.to_mut().extend_from_slice(&chunk[..chunk.len().min(MAX)]);
            }
            let end = match octets.starts_with(b"\r\n") {
                true => Some(0),
                false => memchr::memmem::find(&octets[from..], b"\r\n\r\n").map(|i| from + i + 2),
            };
            match end {
                Some(end) => {
                    let octets = match octets {
                        Cow::Borrowed(all) => Cow::Borrowed(&all[..end]),
                        Cow::Owned(mut all) => {
                            all.truncate(end);
                            Cow::Owned(all)
                        }
                    };
                    return Some(Header { octets, body: end + 2 });
                }
                None if octets.len() > MAX => return None,
                None => {}
            }
        }
        // No empty line: all is header, and there is no body.
        Some(Header { octets, body: content.len() })
    }

    /// Names for `h=`, and the canonical fields in that order with their line ends.
    pub fn signed(&self) -> Signed {
        let fields = self.split();
        let mut signed = Signed { names: Vec::with_capacity(32), canonical: Vec::with_capacity(self.octets.len()) };
        for (names, over) in [(&OVERSIGNED[..], true), (&SIGNED[..], false)] {
            for &name in names {
                // From the bottom up (RFC 6376 §5.4.2).
                for (found, value) in fields.iter().rev() {
                    if self.octets[found.clone()].eq_ignore_ascii_case(name.as_bytes()) {
                        signed.names.push(name);
                        relaxed::field(name.as_bytes(), &self.octets[value.clone()], &mut signed.canonical);
                        signed.canonical.extend_from_slice(b"\r\n");
                    }
                }
                if over {
                    signed.names.push(name);
                }
            }
        }
        signed
    }

    /// Names without blanks before the colon, and values with their line ends.
    fn split(&self) -> Vec<(Range<usize>, Range<usize>)> {
        let mut fields: Vec<(Range<usize>, Range<usize>)> = Vec::with_capacity(24);
        let mut start = 0;
        while start < self.octets.len() {
            let end = memchr::memchr(b'\n', &self.octets[start..]).map_or(self.octets.len(), |i| start + i + 1);
            let line = &self.octets[start..end];
            match (line[0], fields.last_mut()) {
                (b' ' | b'\t', Some((_, value))) => value.end = end,
                _ => {
                    if let Some(colon) = memchr::memchr(b':', line) {
                        let name = line[..colon].trim_ascii_end().len();
                        fields.push((start..start + name, start + colon + 1..end));
                    }
                }
            }
            start = end;
        }
        fields
    }
}

pub(super) struct Signed {
    pub names: Vec<&'static str>,
    pub canonical: Vec<u8>,
}

impl Signed {
    pub fn has_from(&self) -> bool {
        // Oversigned once without standing there is one mention; with it, two.
        self.names.iter().filter(|name| **name == "From").count() > 1
    }
}
