//! Lines over 998 octets and octets beyond ASCII made safe for every path, before signing
//! (RFC 6376 §5.3): a relay that had to do it later would break the signature.
//!
//! Steps: the MIME tree is walked once, line by line; each leaf that needs it is encoded anew
//! (quoted-printable, or base64 where that is shorter) with its Content-Transfer-Encoding set;
//! header fields are refolded, or their text written as encoded words (RFC 2047, RFC 2231).
//!
//! Promise: nothing inside a multipart/signed is touched, since that would break its author's
//! signature: its 8-bit octets make the message need 8BITMIME, its over-long lines are
//! refused. A part that is rewritten is written piece by piece while its old octets go.

mod field;
mod lines;
pub(crate) mod parameters;
mod recode;
pub(crate) mod tree;

use repute_types::Content;

use crate::fault::Fault;
use crate::header::Header;
use crate::scan::{self, Found};
use crate::whole::Edits;

/// What was found out beside the edits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Safe {
    /// 8-bit octets remain: the next servers must offer 8BITMIME.
    pub eight_bit: bool,
    /// The header is in UTF-8: the next servers must offer SMTPUTF8.
    pub utf8_header: bool,
    /// The message got its first MIME fields.
    pub mime_added: bool,
    /// Something was encoded or folded anew.
    pub rewritten: bool,
}

pub(crate) fn make_safe(content: &Content, header: &Header, smtputf8: bool, edits: &mut Edits) -> Result<Safe, Fault> {
    let mut safe = Safe::default();
    top_header(header, smtputf8, edits, &mut safe)?;
    let parts = tree::walk(content, header)?;
    // A path that carries UTF-8 headers carries 8-bit bodies too (RFC 6531 §3.1), and where a
    // signed part must stay 8-bit the others may.
    safe.eight_bit = safe.utf8_header || parts.iter().any(|part| part.frozen && part.found().eight_bit);
    for part in &parts {
        recode::part(content, part, edits, &mut safe)?;
    }
    if !safe.eight_bit {
        parts.iter().for_each(|part| recode::label(content, part, edits));
    }
    Ok(safe)
}

fn top_header(header: &Header, smtputf8: bool, edits: &mut Edits, safe: &mut Safe) -> Result<(), Fault> {
    for field in header.fields() {
        if edits.touches(&field.range) {
            continue;
        }
        // With its name, which is in the first line.
        let Found { eight_bit, long_line, .. } = scan::scan_octets(&header.octets()[field.range.clone()]);
        let kept = eight_bit && smtputf8;
        if kept {
            if std::str::from_utf8(field.value).is_err() {
                return Err(Fault::NotUtf8 { field: field.name.to_owned() });
            }
            safe.utf8_header = true;
        }
        if long_line || (eight_bit && !kept) {
            let rewritten = if kept { field::refold(&field)? } else { field::rewrite(&field)? };
            edits.replace(field.range, rewritten);
            safe.rewritten = true;
        }
    }
    Ok(())
}
