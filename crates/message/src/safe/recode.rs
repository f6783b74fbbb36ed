//! One part made safe: its body encoded anew, its header's fields rewritten.

use std::ops::Range;

use repute_types::Content;

use super::tree::{Encoding, Kind, Part};
use super::{Safe, field};
use crate::encode::base64::Rewrap;
use crate::encode::{Base64Lines, Encoder, Input, QuotedPrintable};
use crate::fault::Fault;
use crate::header::Header;
use crate::scan::{self, Found};
use crate::whole::Edits;

pub(super) fn part(content: &Content, part: &Part, edits: &mut Edits, safe: &mut Safe) -> Result<(), Fault> {
    if part.frozen {
        return match part.found().long_line {
            true => Err(Fault::SignedLongLine),
            false => Ok(()),
        };
    }
    // Text that nobody reads is left out where it is unsafe.
    for (range, found) in &part.between {
        if unsafe_now(*found, safe) {
            edits.remove(range.clone());
            safe.rewritten = true;
        }
    }
    if !part.top && unsafe_now(part.header_found, safe) {
        header(content, part, edits, safe)?;
    }
    if unsafe_now(part.body_found, safe) { body(content, part, edits, safe) } else { Ok(()) }
}

fn unsafe_now(found: Found, safe: &Safe) -> bool {
    found.long_line || (found.eight_bit && !safe.eight_bit)
}

/// Fields of a part inside. Where 8-bit octets in one cannot be helped it stays, and the message
/// needs 8BITMIME.
fn header(content: &Content, part: &Part, edits: &mut Edits, safe: &mut Safe) -> Result<(), Fault> {
    let octets = content.slice(part.header.start, part.header.end);
    let Ok(header) = Header::read(&octets) else {
        return kept(part.header_found, safe, Fault::LongLine);
    };
    for field in header.fields() {
        let found = scan::scan_octets(&header.octets()[field.range.clone()]);
        if !unsafe_now(found, safe) {
            continue;
        }
        match field::rewrite(&field) {
            Ok(written) => {
                let start = part.header.start;
                edits.replace(start + field.range.start..start + field.range.end, written);
                safe.rewritten = true;
            }
            Err(fault) => kept(found, safe, fault)?,
        }
    }
    Ok(())
}

/// What cannot be changed may stay if it is only 8-bit.
fn kept(found: Found, safe: &mut Safe, fault: Fault) -> Result<(), Fault> {
    safe.eight_bit |= found.eight_bit;
    if found.long_line { Err(fault) } else { Ok(()) }
}

fn body(content: &Content, part: &Part, edits: &mut Edits, safe: &mut Safe) -> Result<(), Fault> {
    let body = content.slice(part.body.start, part.body.end);
    let (encoder, name) = match (part.encoding, part.kind) {
        (Encoding::QuotedPrintable, _) => (quoted_printable(Input::Encoded), None),
        (Encoding::Base64, _) => (Encoder::Rewrap(Rewrap::default()), None),
        // A multipart without a boundary may not be encoded (RFC 2045 §6.4).
        (Encoding::Unknown, _) | (Encoding::Identity, Kind::Multipart | Kind::Message) => {
            return kept(part.body_found, safe, Fault::LongLine);
        }
        (Encoding::Identity, Kind::Text) if !is_dense(&body) => {
            (quoted_printable(Input::Plain), Some("quoted-printable"))
        }
        (Encoding::Identity, _) => (Encoder::Base64(Base64Lines::default()), Some("base64")),
    };
    if let Some(name) = name {
        declare(content, part, name, edits, safe);
    }
    safe.rewritten = true;
    // The line end before a boundary is the boundary's.
    edits.encode(part.body.clone(), encoder, part.body.end < content.len());
    Ok(())
}

/// Content-Transfer-Encoding, and Content-Type where nothing was said about 8-bit text.
fn declare(content: &Content, part: &Part, encoding: &str, edits: &mut Edits, safe: &mut Safe) {
    let mut fields = String::new();
    if !part.has_type {
        let charset = match part.body_found.eight_bit {
            false => "us-ascii",
            true if is_utf8(&content.slice(part.body.start, part.body.end)) => "utf-8",
            // What such text was before there was UTF-8, and what receivers would guess.
            true => "windows-1252",
        };
        fields = format!("Content-Type: text/plain; charset={charset}\r\n");
    }
    safe.mime_added |= part.top;
    fields.push_str(&format!("Content-Transfer-Encoding: {encoding}\r\n"));
    match &part.encoding_field {
        Some(range) => {
            forget_rewritten(content, range, edits);
            edits.replace(range.clone(), fields);
        }
        None => edits.replace(part.header.end..part.header.end, fields),
    }
}

/// A field that was unsafe itself has been written anew; what it is to say now comes in place of that.
fn forget_rewritten(content: &Content, field: &Range<usize>, edits: &mut Edits) {
    if !scan::scan(&content.slice(field.start, field.end)).is_safe() {
        edits.forget(field);
    }
}

/// A container or leaf that says 8bit or binary and is 7-bit now says so.
pub(super) fn label(content: &Content, part: &Part, edits: &mut Edits) {
    let container = matches!(part.kind, Kind::Multipart | Kind::Message);
    if container
        && part.says_eight_bit
        && !part.frozen
        && let Some(range) = &part.encoding_field
    {
        forget_rewritten(content, range, edits);
        if !edits.touches(range) {
            edits.replace(range.clone(), "Content-Transfer-Encoding: 7bit\r\n");
        }
    }
}

/// Whether so much must be escaped that base64 is shorter.
fn is_dense(body: &Content) -> bool {
    let escaped: usize =
        body.chunks().iter().map(|chunk| chunk.iter().filter(|b| !b.is_ascii() || **b == b'=').count()).sum();
    // One octet becomes three in quoted-printable; in base64 all become 78 for 57.
    escaped * 27 > body.len() * 5
}

fn quoted_printable(input: Input) -> Encoder {
    Encoder::QuotedPrintable(QuotedPrintable::new(input))
}

/// Without joining the chunks: a character that a cut parts is put together again.
fn is_utf8(body: &Content) -> bool {
    let mut open: Vec<u8> = Vec::with_capacity(4);
    for chunk in body.chunks() {
        let mut rest = &chunk[..];
        while !open.is_empty() && !rest.is_empty() {
            open.push(rest[0]);
            rest = &rest[1..];
            match std::str::from_utf8(&open) {
                Ok(_) => open.clear(),
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        if let Err(error) = std::str::from_utf8(rest) {
            if error.error_len().is_some() {
                return false;
            }
            open.extend_from_slice(&rest[error.valid_up_to()..]);
        }
    }
    open.is_empty()
}
