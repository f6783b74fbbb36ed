//! How octets and characters are written so that every path carries them: quoted-printable and
//! base64 for bodies (RFC 2045 §6), encoded words (RFC 2047) and folding (RFC 5322 §2.2.3) for
//! header fields.

pub mod base64;
pub mod fold;
pub mod quoted_printable;
pub mod words;

pub use self::base64::Base64Lines;
pub use fold::Folder;
pub use quoted_printable::{Input, QuotedPrintable};
