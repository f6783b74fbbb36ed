//! Reads the terms of an SPF record (RFC 7208 §12), and says of each wrong one what to write.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::macros::{DomainSpec, MacroString, Place};
use super::record::{Mechanism, Network, Prefixes, Qualifier, RecordError, Term, TermKind};

/// All terms that are well formed, and one error for each that is not.
pub(super) fn terms(record: &[u8]) -> (Vec<Term>, Vec<RecordError>) {
    let mut terms: Vec<Term> = Vec::new();
    let mut errors = Vec::new();
    let mut column = 1;
    for (nth, word) in record.split(|b| *b == b' ').enumerate() {
        // The first word is the version, which `select` has seen.
        if nth > 0 && !word.is_empty() {
            let shown = word.escape_ascii().to_string();
            let parsed = std::str::from_utf8(word)
                .ok()
                .filter(|text| text.bytes().all(|b| b.is_ascii_graphic()))
                .ok_or_else(|| {
                    "a record holds visible ASCII characters and blanks only: type the term again".to_owned()
                })
                .and_then(term)
                .and_then(|kind| only_once(kind, &terms));
            match parsed {
                Ok(kind) => terms.push(Term { text: shown, column, kind }),
                Err(why) => errors.push(RecordError { term: shown, column, why }),
            }
        }
        column += word.len() + 1;
    }
    (terms, errors)
}

/// §6: `redirect` and `exp` stand in a record once at most.
fn only_once(kind: TermKind, before: &[Term]) -> Result<TermKind, String> {
    let same = |other: &TermKind| match kind {
        TermKind::Redirect(_) => matches!(other, TermKind::Redirect(_)),
        TermKind::Explanation(_) => matches!(other, TermKind::Explanation(_)),
        _ => false,
    };
    if before.iter().any(|t| same(&t.kind)) {
        return Err("this modifier stands in the record already: keep one of them".into());
    }
    Ok(kind)
}

fn term(text: &str) -> Result<TermKind, String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name_end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    if text[name_end..].starts_with('=') {
        return modifier(&text[..name_end], &text[name_end + 1..]);
    }
    let (qualifier, rest) = match text.as_bytes()[0] {
        b'+' => (Qualifier::Pass, &text[1..]),
        b'-' => (Qualifier::Fail, &text[1..]),
        b'~' => (Qualifier::SoftFail, &text[1..]),
        b'?' => (Qualifier::Neutral, &text[1..]),
        _ => (Qualifier::Pass, text),
    };
    let end = rest.find([':', '/']).unwrap_or(rest.len());
    Ok(TermKind::Directive(qualifier, mechanism(&rest[..end], &rest[end..])?))
}

fn modifier(name: &str, value: &str) -> Result<TermKind, String> {
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err("the name of a modifier begins with a letter".into());
    }
    match name.to_ascii_lowercase().as_str() {
        "redirect" => Ok(TermKind::Redirect(DomainSpec::parse(value)?)),
        "exp" => Ok(TermKind::Explanation(DomainSpec::parse(value)?)),
        lower => {
            if matches!(lower, "include" | "a" | "mx" | "ip4" | "ip6" | "exists" | "ptr") {
                return Err(format!("{lower} takes a ':', not a '=': write {lower}:{value}"));
            }
            Ok(TermKind::Unknown { name: lower.to_owned(), value: MacroString::parse(value, Place::Record)? })
        }
    }
}

/// `tail` begins with ':' or '/' or is empty.
fn mechanism(name: &str, tail: &str) -> Result<Mechanism, String> {
    let lower = name.to_ascii_lowercase();
    match lower.as_str() {
        "all" if tail.is_empty() => Ok(Mechanism::All),
        "all" => Err("all takes no argument: write it alone, as -all or ~all".into()),
        "include" => Ok(Mechanism::Include(required_domain("include", tail)?)),
        "exists" => Ok(Mechanism::Exists(required_domain("exists", tail)?)),
        "ptr" if tail.is_empty() => Ok(Mechanism::Ptr(None)),
        "ptr" => Ok(Mechanism::Ptr(Some(required_domain("ptr", tail)?))),
        "a" => addresses(tail).map(|(domain, prefixes)| Mechanism::A(domain, prefixes)),
        "mx" => addresses(tail).map(|(domain, prefixes)| Mechanism::Mx(domain, prefixes)),
        "ip4" => network4(tail).map(Mechanism::Network),
        "ip6" => network6(tail).map(Mechanism::Network),
        "redirect" | "exp" => Err(format!("{lower} takes a '=', not a ':'")),
        _ => Err(format!(
            "there is no mechanism {name:?}{}; there are all, include, a, mx, ip4, ip6, exists, ptr",
            nearest(&lower)
        )),
    }
}

/// For the slips that are published most.
fn nearest(name: &str) -> String {
    let meant = match name {
        "ipv4" | "ip" | "ip4=" => "ip4",
        "ipv6" => "ip6",
        "includes" | "inlcude" | "incude" => "include",
        "mx4" | "mx6" => "mx",
        _ if name.parse::<Ipv4Addr>().is_ok() => return format!(" (an address is written ip4:{name})"),
        _ if name.parse::<IpAddr>().is_ok() => return format!(" (an address is written ip6:{name})"),
        _ => return String::new(),
    };
    format!(" (did you mean {meant}:?)")
}

fn required_domain(name: &str, tail: &str) -> Result<DomainSpec, String> {
    let Some(text) = tail.strip_prefix(':') else {
        return Err(format!("{name} needs a domain after a ':', and nothing else: write {name}:example.com"));
    };
    DomainSpec::parse(text)
}

/// The argument of `a` and `mx`: `[":" domain-spec] ["/" v4] ["//" v6]`.
fn addresses(tail: &str) -> Result<(Option<DomainSpec>, Prefixes), String> {
    let mut prefixes = Prefixes::WHOLE;
    let mut rest = tail;
    if let Some((before, digits)) = rest.rsplit_once("//").filter(|(_, d)| is_number(d)) {
        prefixes.v6 = prefix(digits, 128)?;
        rest = before;
    }
    if let Some((before, digits)) = rest.rsplit_once('/').filter(|(b, d)| is_number(d) && !b.ends_with('/')) {
        prefixes.v4 = prefix(digits, 32).map_err(|why| format!("{why}; an IPv6 length is written //{digits}"))?;
        rest = before;
    }
    match rest.strip_prefix(':') {
        Some(domain) => Ok((Some(DomainSpec::parse(domain)?), prefixes)),
        None if rest.is_empty() => Ok((None, prefixes)),
        None => Err(format!("{rest:?} is no prefix length: write /24 for IPv4, //64 for IPv6, /24//64 for both")),
    }
}

fn network4(tail: &str) -> Result<Network, String> {
    let (text, prefix) = network("ip4", "192.0.2.1 or 192.0.2.0/24", tail, 32)?;
    let wrong = || {
        let hint = if text.parse::<Ipv6Addr>().is_ok() { ": write ip6: before it" } else { "" };
        format!("{text:?} is no whole IPv4 address{hint}; it has four numbers of 0 to 255 and no port")
    };
    let address: Ipv4Addr = text.parse().map_err(|_| wrong())?;
    Ok(Network { address: address.into(), prefix })
}

fn network6(tail: &str) -> Result<Network, String> {
    let (text, prefix) = network("ip6", "2001:db8::1 or 2001:db8::/32", tail, 128)?;
    let wrong = || {
        let hint = if text.parse::<Ipv4Addr>().is_ok() { ": write ip4: before it" } else { "" };
        format!("{text:?} is no IPv6 address{hint}")
    };
    let address: Ipv6Addr = text.parse().map_err(|_| wrong())?;
    Ok(Network { address: address.into(), prefix })
}

fn network<'t>(name: &str, example: &str, tail: &'t str, widest: u8) -> Result<(&'t str, u8), String> {
    let text = tail.strip_prefix(':').ok_or_else(|| format!("{name} needs an address: write {name}:{example}"))?;
    match text.split_once('/') {
        Some((address, digits)) => Ok((address, prefix(digits, widest)?)),
        None => Ok((text, widest)),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A leading zero is refused: it is in addresses (§5.6), and could be meant as octal.
fn prefix(digits: &str, widest: u8) -> Result<u8, String> {
    let plain = is_number(digits) && (digits == "0" || !digits.starts_with('0'));
    let value = if plain { digits.parse::<u8>().ok().filter(|n| *n <= widest) } else { None };
    value.ok_or_else(|| format!("the prefix length {digits:?} is not a number from 0 to {widest}"))
}

#[cfg(test)]
mod tests {
    use super::super::record::Record;

    fn fault(record: &str) -> String {
        Record::parse(record.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn an_error_names_the_term_and_the_cure() {
        for (record, expected) in [
            ("v=spf1 ip4:1.2.3 -all", "term \"ip4:1.2.3\" at column 8: \"1.2.3\" is no whole IPv4 address"),
            ("v=spf1 ipv4:1.2.3.4 -all", "did you mean ip4:?"),
            ("v=spf1 1.2.3.4 -all", "an address is written ip4:1.2.3.4"),
            ("v=spf1 ip4:2001:db8::1 -all", "write ip6: before it"),
            ("v=spf1 include=_spf.example.com -all", "write include:_spf.example.com"),
            ("v=spf1 redirect:_spf.example.com", "takes a '='"),
            ("v=spf1 a:192.0.2.1 -all", "for an address write ip4:"),
            ("v=spf1 include -all", "needs a domain"),
            ("v=spf1 a/33 -all", "0 to 32"),
            ("v=spf1 a/24/64 -all", "written //64"),
            ("v=spf1 a/24/32 -all", "/24//64 for both"),
            ("v=spf1 -all:x", "takes no argument"),
            ("v=spf1 exp=a.example exp=b.example -all", "at column 22: this modifier stands in the record already"),
            ("v=spf1 a\tmx -all", "visible ASCII"),
        ] {
            let text = fault(record);
            assert!(text.contains(expected), "{record}: {text}");
        }
    }

    #[test]
    fn a_lenient_reading_keeps_what_is_well_formed() {
        let (record, errors) = Record::parse_leniently(b"v=spf1 ip4:192.0.2.1 ipv4:192.0.2.2 mx ~all");
        let texts: Vec<&str> = record.terms.iter().map(|t| t.text.as_str()).collect();
        assert_eq!(texts, ["ip4:192.0.2.1", "mx", "~all"]);
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].column, 22);
    }
}
