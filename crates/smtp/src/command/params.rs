//! The parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (6152), SMTPUTF8 (6531), AUTH (4954),
//! RET, ENVID, NOTIFY, ORCPT (3461), REQUIRETLS (8689). A parameter twice, with a value it
//! cannot have, or unknown is an error that names it.

use repute_types::{Body, Notify, Ret};

use super::xtext;
use super::{CommandError, MailParams, RcptParams};

pub(super) fn mail(text: &str) -> Result<MailParams, CommandError> {
    let mut seen = Seen::default();
    let mut p = MailParams::default();
    for (key, value) in split(text)? {
        let name = seen.note(key, &["SIZE", "BODY", "SMTPUTF8", "AUTH", "RET", "ENVID", "REQUIRETLS"])?;
        let bad = || CommandError::ParameterValue(name);
        match (name, value) {
            ("SIZE", Some(v)) => p.size = Some(size(v).ok_or_else(bad)?),
            ("BODY", Some(v)) => p.body = body(v).ok_or_else(bad)?,
            ("SMTPUTF8", None) => p.smtputf8 = true,
            ("REQUIRETLS", None) => p.require_tls = true,
            // Whoever submitted it elsewhere is not who answers for it here: read, not kept.
            ("AUTH", Some(v)) => drop(xtext::decode(v).ok_or_else(bad)?),
            ("RET", Some(v)) => p.ret = Some(ret(v).ok_or_else(bad)?),
            ("ENVID", Some(v)) => p.envid = Some(envid(v).ok_or_else(bad)?),
            _ => return Err(bad()),
        }
    }
    Ok(p)
}

pub(super) fn rcpt(text: &str) -> Result<RcptParams, CommandError> {
    let mut seen = Seen::default();
    let mut p = RcptParams::default();
    for (key, value) in split(text)? {
        let name = seen.note(key, &["NOTIFY", "ORCPT"])?;
        let bad = || CommandError::ParameterValue(name);
        match (name, value) {
            ("NOTIFY", Some(v)) => p.notify = notify(v).ok_or_else(bad)?,
            ("ORCPT", Some(v)) => p.orcpt = Some(orcpt(v).ok_or_else(bad)?),
            _ => return Err(bad()),
        }
    }
    Ok(p)
}

type Pair<'a> = (&'a str, Option<&'a str>);

fn split(text: &str) -> Result<impl Iterator<Item = Pair<'_>>, CommandError> {
    if !text.is_empty() && !text.starts_with(' ') {
        return Err(CommandError::Arguments("a blank stands between the address and its parameters"));
    }
    Ok(text.split(' ').filter(|word| !word.is_empty()).map(|word| match word.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (word, None),
    }))
}

/// Which parameters were given already; bit n is the n-th known name.
#[derive(Default)]
struct Seen(u16);

impl Seen {
    fn note(&mut self, key: &str, known: &[&'static str]) -> Result<&'static str, CommandError> {
        let Some(i) = known.iter().position(|name| name.eq_ignore_ascii_case(key)) else {
            return Err(CommandError::ParameterUnknown(printable(key)));
        };
        if self.0 >> i & 1 == 1 {
            return Err(CommandError::ParameterTwice(known[i]));
        }
        self.0 |= 1 << i;
        Ok(known[i])
    }
}

/// A stranger's word, shortened, for our reply.
fn printable(word: &str) -> String {
    word.chars().filter(char::is_ascii_graphic).take(32).collect()
}

fn size(v: &str) -> Option<u64> {
    // At most 20 digits (RFC 1870 §5), of which a u64 holds what is real.
    let digits = !v.is_empty() && v.len() <= 20 && v.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| v.parse().unwrap_or(u64::MAX))
}

fn body(v: &str) -> Option<Body> {
    // BINARYMIME is not offered, so it is no value of BODY here.
    match v {
        v if v.eq_ignore_ascii_case("7BIT") => Some(Body::SevenBit),
        v if v.eq_ignore_ascii_case("8BITMIME") => Some(Body::EightBitMime),
        _ => None,
    }
}

fn ret(v: &str) -> Option<Ret> {
    match v {
        v if v.eq_ignore_ascii_case("FULL") => Some(Ret::Full),
        v if v.eq_ignore_ascii_case("HDRS") => Some(Ret::Headers),
        _ => None,
    }
}

/// At most 100 characters as sent (RFC 3461 §4.4).
fn envid(v: &str) -> Option<String> {
    if v.is_empty() || v.len() > 100 { None } else { xtext::decode(v) }
}

/// The value of NOTIFY (RFC 3461 §4.1).
pub fn notify(v: &str) -> Option<Notify> {
    if v.eq_ignore_ascii_case("NEVER") {
        return Some(Notify::Never);
    }
    let (mut success, mut failure, mut delay) = (false, false, false);
    for word in v.split(',') {
        let flag = match word {
            w if w.eq_ignore_ascii_case("SUCCESS") => &mut success,
            w if w.eq_ignore_ascii_case("FAILURE") => &mut failure,
            w if w.eq_ignore_ascii_case("DELAY") => &mut delay,
            // Also NEVER, which stands alone.
            _ => return None,
        };
        *flag = true;
    }
    Some(Notify::On { success, failure, delay })
}

/// `addr-type;xtext`, at most 500 characters (RFC 3461 §4.2).
fn orcpt(v: &str) -> Option<String> {
    let (kind, address) = v.split_once(';')?;
    let atom = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !atom || v.len() > 500 || address.is_empty() {
        return None;
    }
    // RFC 6533 §3: an utf-8 address may stand there as it is, or as `\x{HEX}`, which is kept.
    let address = if kind.eq_ignore_ascii_case("utf-8") && !address.is_ascii() {
        (!address.chars().any(char::is_control)).then(|| address.to_owned())
    } else {
        xtext::decode(address)
    };
    Some(format!("{kind};{}", address?))
}
