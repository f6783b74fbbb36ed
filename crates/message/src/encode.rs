//! How octets and characters are written so that every path carries them: quoted-printable and
//! base64 for bodies (RFC 2045 §6), encoded words (RFC 2047) and folding (RFC 5322 §2.2.3) for
//! header fields.

pub mod base64;
pub mod fold;
pub mod quoted_printable;
pub mod words;

use bytes::Bytes;

pub use self::base64::Base64Lines;
use self::base64::Rewrap;
pub use fold::Folder;
pub use quoted_printable::{Input, QuotedPrintable};

/// One way to write a body, fed piece by piece; what is written can be taken away meanwhile.
pub enum Encoder {
    QuotedPrintable(QuotedPrintable),
    Base64(Base64Lines),
    /// Base64 that is there already, in lines of the right length.
    Rewrap(Rewrap),
}

/// Octets that stay with the encoder: whether a line end stands there is still asked.
const KEPT: usize = 2;

impl Encoder {
    pub fn feed(&mut self, octets: &[u8]) {
        match self {
            Encoder::QuotedPrintable(encoder) => encoder.feed(octets),
            Encoder::Base64(encoder) => encoder.feed(octets),
            Encoder::Rewrap(encoder) => encoder.feed(octets),
        }
    }

    /// Octets that wait to be taken.
    pub fn written(&self) -> usize {
        match self {
            Encoder::QuotedPrintable(encoder) => encoder.out.len(),
            Encoder::Base64(encoder) => encoder.out.len(),
            Encoder::Rewrap(encoder) => encoder.out.len(),
        }
    }

    /// What is written so far, less its last two octets.
    pub fn take(&mut self) -> Bytes {
        let out = match self {
            Encoder::QuotedPrintable(encoder) => &mut encoder.out,
            Encoder::Base64(encoder) => &mut encoder.out,
            Encoder::Rewrap(encoder) => &mut encoder.out,
        };
        let ready = out.len().saturating_sub(KEPT);
        // A copy of just its size: the buffer has room that nobody would use.
        let taken = Bytes::copy_from_slice(&out[..ready]);
        out.drain(..ready);
        taken
    }

    /// What was not taken, with its end.
    pub fn finish(self) -> Vec<u8> {
        match self {
            Encoder::QuotedPrintable(encoder) => encoder.finish(),
            Encoder::Base64(encoder) => encoder.finish(),
            Encoder::Rewrap(encoder) => encoder.finish(),
        }
    }
}
