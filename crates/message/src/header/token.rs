//! The words of a structured field (RFC 5322 §3.2): atoms, quoted strings, domain literals,
//! comments and specials, as ranges into the value. UTF-8 may stand in all of them (RFC 6532).
//!
//! Fails where a quoted string, a literal or a comment is not closed.

use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Atom,
    Quoted,
    /// `[...]`
    Literal,
    Comment,
    Special(u8),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    /// With the quotes, brackets or parentheses.
    pub range: Range<usize>,
}

/// What was opened and not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not closed")]
pub struct Unclosed(pub char);

pub fn tokens(value: &[u8]) -> Result<Vec<Token>, Unclosed> {
    let mut out = Vec::with_capacity(16);
    let mut at = 0;
    while at < value.len() {
        let start = at;
        let kind = match value[at] {
            blank if blank.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'"' => {
                at = closed(value, at, b'"').ok_or(Unclosed('"'))?;
                Kind::Quoted
            }
            b'[' => {
                at = closed(value, at, b']').ok_or(Unclosed('['))?;
                Kind::Literal
            }
            b'(' => {
                at = comment(value, at).ok_or(Unclosed('('))?;
                Kind::Comment
            }
            special if is_special(special) => {
                at += 1;
                Kind::Special(special)
            }
            _ => {
                at += value[at..]
                    .iter()
                    .position(|b| is_special(*b) || b.is_ascii_whitespace())
                    .unwrap_or(value.len() - at);
                Kind::Atom
            }
        };
        out.push(Token { kind, range: start..at });
    }
    Ok(out)
}

/// RFC 5322 §3.2.3 `specials`.
fn is_special(b: u8) -> bool {
    matches!(b, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b':' | b';' | b'@' | b'\\' | b',' | b'.' | b'"')
}

/// The place after the closing octet; a backslash takes the next octet's meaning away.
fn closed(value: &[u8], start: usize, close: u8) -> Option<usize> {
    let mut at = start + 1;
    while at < value.len() {
        match value[at] {
            b'\\' => at += 1,
            b if b == close => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Comments nest.
fn comment(value: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = start;
    while at < value.len() {
        match value[at] {
            b'\\' => at += 1,
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}
