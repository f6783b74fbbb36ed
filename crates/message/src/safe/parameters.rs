//! Parameters of Content-Type and Content-Disposition (RFC 2045 §5.1), and how values beyond
//! ASCII or too long for a line are written (RFC 2231).

use crate::encode::Folder;

pub(crate) struct Parameter {
    pub name: Vec<u8>,
    /// Without quotes and backslashes.
    pub value: Vec<u8>,
    quoted: bool,
}

/// What stands before the first semicolon, and the parameters after it; what is no parameter
/// is passed over, as receivers do.
pub(crate) fn parse(text: &[u8]) -> (Vec<u8>, Vec<Parameter>) {
    let mut pieces = pieces(text).into_iter();
    let media = pieces.next().unwrap_or_default().trim_ascii().to_vec();
    (media, pieces.filter_map(parameter).collect())
}

/// Cuts at semicolons outside quotes.
fn pieces(text: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (i, &b) in text.iter().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => {
                out.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    out.push(&text[start..]);
    out
}

fn parameter(piece: &[u8]) -> Option<Parameter> {
    let equals = memchr::memchr(b'=', piece)?;
    let name = piece[..equals].trim_ascii().to_vec();
    let value = piece[equals + 1..].trim_ascii();
    let Some(inside) = value.strip_prefix(b"\"") else {
        let end = value.iter().position(|b| matches!(b, b' ' | b'\t' | b'(')).unwrap_or(value.len());
        return Some(Parameter { name, value: value[..end].to_vec(), quoted: false });
    };
    let mut out = Vec::with_capacity(inside.len());
    let mut octets = inside.iter();
    while let Some(&b) = octets.next() {
        match b {
            b'\\' => out.extend(octets.next()),
            b'"' => break,
            _ => out.push(b),
        }
    }
    Some(Parameter { name, value: out, quoted: true })
}

/// Longer values go in pieces; with its name and marks a piece fits a line.
const PIECE: usize = 50;
const LONGEST: usize = 700;

/// The field written anew; `None` where a value is neither ASCII nor UTF-8, or a name is not ASCII.
pub(crate) fn rewrite(name: &str, text: &[u8]) -> Option<String> {
    let (media, parameters) = parse(text);
    let mut folder = Folder::field(name);
    folder.word(" ", std::str::from_utf8(&media).ok().filter(|m| m.is_ascii())?);
    for parameter in &parameters {
        let name = std::str::from_utf8(&parameter.name).ok().filter(|n| n.is_ascii())?;
        let value = std::str::from_utf8(&parameter.value).ok()?;
        put(&mut folder, name, value, parameter.quoted);
    }
    Some(folder.finish())
}

/// One parameter more, in as many pieces as lines and characters ask for.
pub(crate) fn put(folder: &mut Folder, name: &str, value: &str, quoted: bool) {
    folder.glue(";");
    if value.is_ascii() && value.len() <= LONGEST {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
        let value = if quoted { format!("\"{escaped}\"") } else { value.to_owned() };
        folder.word(" ", &format!("{name}={value}"));
        return;
    }
    match &percent_encoded(value)[..] {
        [one] => folder.word(" ", &format!("{name}*=utf-8''{one}")),
        many => {
            for (i, piece) in many.iter().enumerate() {
                let charset = if i == 0 { "utf-8''" } else { "" };
                let end = if i + 1 < many.len() { ";" } else { "" };
                folder.word(" ", &format!("{name}*{i}*={charset}{piece}{end}"));
            }
        }
    }
}

/// RFC 2231 §4, in pieces that part no character.
fn percent_encoded(value: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for c in value.chars() {
        let mut octets = [0; 4];
        let mut encoded = String::new();
        for &b in c.encode_utf8(&mut octets).as_bytes() {
            match b {
                b if b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_') => encoded.push(char::from(b)),
                b => encoded.push_str(&format!("%{b:02X}")),
            }
        }
        if pieces.last().is_some_and(|piece| piece.len() + encoded.len() > PIECE) {
            pieces.push(String::new());
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push_str(&encoded);
        }
    }
    pieces
}
