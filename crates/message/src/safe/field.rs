//! Header fields in lines of at most 998 octets and in ASCII: encoded words where text may
//! stand (RFC 2047 §5), RFC 2231 in parameters, and nothing where only a name or an identifier may.

use crate::encode::{Folder, fold, words};
use crate::fault::Fault;
use crate::header::{self, Field, Kind, Token, tokens};
use crate::scan;

use super::parameters;

const ADDRESSES: [&str; 11] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Resent-From",
    "Resent-Sender",
    "Resent-To",
    "Resent-Cc",
    "Resent-Reply-To",
    "Disposition-Notification-To",
];

/// Where neither encoded words nor parameters may stand.
const RIGID: [&str; 16] = [
    "Message-ID",
    "In-Reply-To",
    "References",
    "Resent-Message-ID",
    "Content-ID",
    "Date",
    "Resent-Date",
    "Received",
    "Return-Path",
    "MIME-Version",
    "Content-Transfer-Encoding",
    "DKIM-Signature",
    "Authentication-Results",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Auto-Submitted",
];

/// In ASCII and folded.
pub(super) fn rewrite(field: &Field<'_>) -> Result<String, Fault> {
    let is_one_of = |names: &[&str]| names.iter().any(|name| field.is(name));
    let text = field.text();
    let not_utf8 = || Fault::NotUtf8 { field: field.name.to_owned() };
    let written = if is_one_of(&ADDRESSES) {
        addresses(field, std::str::from_utf8(&text).map_err(|_| not_utf8())?)?
    } else if field.is("Content-Type") || field.is("Content-Disposition") {
        parameters::rewrite(field.name, &text).ok_or_else(not_utf8)?
    } else if is_one_of(&RIGID) || field.name.len() >= 4 && field.name[..4].eq_ignore_ascii_case("ARC-") {
        if !text.is_ascii() {
            return Err(Fault::EightBitField { field: field.name.to_owned() });
        }
        return refold(field);
    } else {
        let mut folder = Folder::field(field.name);
        words::unstructured(&mut folder, std::str::from_utf8(&text).map_err(|_| not_utf8())?, words::Marks::Kept);
        folder.finish()
    };
    checked(field, written)
}

/// Folded, and otherwise as it is.
pub(super) fn refold(field: &Field<'_>) -> Result<String, Fault> {
    let text = field.text();
    let text = std::str::from_utf8(&text).map_err(|_| Fault::NotUtf8 { field: field.name.to_owned() })?;
    let mut folder = Folder::field(field.name);
    fold::unstructured(&mut folder, text);
    checked(field, folder.finish())
}

fn checked(field: &Field<'_>, written: String) -> Result<String, Fault> {
    match scan::scan_octets(written.as_bytes()).long_line {
        true => Err(Fault::LongWord { field: field.name.to_owned() }),
        false => Ok(written),
    }
}

/// Names and comments become encoded words; an address that needs UTF-8 cannot be helped.
fn addresses(field: &Field<'_>, text: &str) -> Result<String, Fault> {
    let needs_smtputf8 = || Fault::EightBitAddress { field: field.name.to_owned() };
    // What is no list is no business of ours: where its blanks are enough it stays to the letter.
    if text.is_ascii()
        && header::addresses(text.as_bytes()).is_err()
        && let Ok(folded) = refold(field)
    {
        return Ok(folded);
    }
    let Ok(tokens) = tokens(text.as_bytes()) else {
        let field = field.name.to_owned();
        return Err(if text.is_ascii() { Fault::LongWord { field } } else { Fault::EightBitField { field } });
    };
    let mut folder = Folder::field(field.name);
    let mut at = 0;
    while at < tokens.len() {
        let raw = |token: &Token| &text[token.range.clone()];
        match tokens[at].kind {
            Kind::Comment => {
                comment(&mut folder, raw(&tokens[at]));
                at += 1;
            }
            Kind::Special(b',' | b';' | b':') => {
                folder.glue(raw(&tokens[at]));
                at += 1;
            }
            _ => {
                let is_word = |t: &Token| matches!(t.kind, Kind::Atom | Kind::Quoted | Kind::Special(b'.'));
                let end = at + tokens[at..].iter().take_while(|t| is_word(t)).count();
                let after = tokens[end..].iter().find(|t| t.kind != Kind::Comment).map(|t| t.kind);
                if end > at && matches!(after, Some(Kind::Special(b'<' | b':'))) {
                    name(&mut folder, text, &tokens[at..end]);
                    at = end;
                    continue;
                }
                // An address, up to what may follow one.
                let stop = |t: &&Token| !matches!(t.kind, Kind::Special(b',' | b';') | Kind::Comment);
                let end = at + tokens[at..].iter().take_while(stop).count();
                let address: String = tokens[at..end].iter().map(raw).collect();
                if !address.is_ascii() {
                    return Err(needs_smtputf8());
                }
                folder.word(" ", &address);
                at = end;
            }
        }
    }
    Ok(folder.finish())
}

fn name(folder: &mut Folder, text: &str, tokens: &[Token]) {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return };
    let raw = &text[first.range.start..last.range.end];
    if raw.is_ascii() {
        return fold::unstructured(folder, raw);
    }
    let mut plain = String::new();
    let mut end = first.range.start;
    for token in tokens {
        if token.range.start > end {
            plain.push(' ');
        }
        end = token.range.end;
        plain.push_str(&unquoted(&text[token.range.clone()]));
    }
    words::phrase(folder, &plain);
}

fn unquoted(token: &str) -> String {
    let Some(inside) = token.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else { return token.to_owned() };
    let mut out = String::new();
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

fn comment(folder: &mut Folder, raw: &str) {
    if raw.is_ascii() {
        return folder.word(" ", raw);
    }
    let inside = &raw[1..raw.len() - 1];
    let mut encoded = Folder::field("");
    words::phrase(&mut encoded, inside);
    let encoded = encoded.finish().replace("\r\n", "");
    let words: Vec<&str> = encoded.trim_start_matches(':').split_whitespace().collect();
    for (i, word) in words.iter().enumerate() {
        let open = if i == 0 { "(" } else { "" };
        let close = if i + 1 == words.len() { ")" } else { "" };
        folder.word(" ", &format!("{open}{word}{close}"));
    }
}
