//! Records as hosts write them: the form of zone files (RFC 1035 §5.1), with or without last dots and quotes.

use repute_trust::records::Data;
use repute_types::Domain;

/// `None` for a type that mail has no use for, and for what cannot be read.
pub(super) fn parse(kind: &str, text: &str) -> Option<Data> {
    let name = |text: &str| Domain::parse(text.trim_end_matches('.')).ok();
    match kind {
        "A" => text.parse().ok().map(Data::A),
        "AAAA" => text.parse().ok().map(Data::Aaaa),
        "CNAME" => name(text).map(Data::Cname),
        "PTR" => name(text).map(Data::Ptr),
        "MX" => {
            let (preference, host) = text.trim().split_once(char::is_whitespace)?;
            exchange(preference.parse().ok()?, host.trim())
        }
        "TXT" => Some(strings(text)),
        _ => None,
    }
}

/// For fuzzing: what a host's text is read as.
pub fn try_record(kind: &str, octets: &[u8]) -> Option<Data> {
    parse(kind, std::str::from_utf8(octets).ok()?)
}

/// An MX record whose preference stands by itself.
pub(super) fn exchange(preference: u16, host: &str) -> Option<Data> {
    match host.trim_end_matches('.') {
        "" => Some(Data::Mx(preference, None)),
        host => Domain::parse(host).ok().map(|host| Data::Mx(preference, Some(host))),
    }
}

/// Quoted strings, each for itself; without quotes the whole text is one, cut as it has to be.
fn strings(text: &str) -> Data {
    let text = text.trim();
    if !text.starts_with('"') {
        return Data::text(text);
    }
    let mut strings = Vec::new();
    let mut octets = text.bytes();
    while octets.by_ref().any(|octet| octet == b'"') {
        let mut string = Vec::new();
        while let Some(octet) = octets.next() {
            match octet {
                b'"' => break,
                b'\\' => string.extend(escaped(&mut octets)),
                octet => string.push(octet),
            }
        }
        strings.push(string);
    }
    Data::Txt(strings)
}

/// What follows a backslash: three digits, or the octet itself.
fn escaped(octets: &mut std::str::Bytes<'_>) -> Option<u8> {
    let first = octets.next()?;
    let digits = octets.clone().take(2).collect::<Vec<_>>();
    match (first, &digits[..]) {
        (b'0'..=b'2', [b'0'..=b'9', b'0'..=b'9']) => {
            octets.nth(1);
            let number = [first, digits[0], digits[1]].iter().fold(0_u16, |n, digit| n * 10 + u16::from(digit - b'0'));
            u8::try_from(number).ok()
        }
        _ => Some(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_hosts_write_them() {
        let domain = |name: &str| Domain::parse(name).unwrap();
        let check = |kind: &str, text: &str, expected: Data| assert_eq!(parse(kind, text), Some(expected), "{text}");
        check("A", "192.0.2.1", Data::A([192, 0, 2, 1].into()));
        check("MX", "10 mail.example.com.", Data::Mx(10, Some(domain("mail.example.com"))));
        check("MX", "0 .", Data::Mx(0, None));
        check("CNAME", "a.example.com", Data::Cname(domain("a.example.com")));
        check("TXT", "v=spf1 -all", Data::text("v=spf1 -all"));
        check("TXT", "\"v=spf1 -all\"", Data::text("v=spf1 -all"));
        let odd = Data::Txt(vec![b"a \"b\" \\".to_vec(), vec![9, 0xe4], b"1".to_vec()]);
        check("TXT", &odd.to_string(), odd);
        assert_eq!(parse("SOA", "x"), None);
        assert_eq!(parse("A", "x"), None);
    }
}
