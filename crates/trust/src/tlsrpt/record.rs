//! The TXT record at `_smtp._tls.DOMAIN` (RFC 8460 §3): where a domain wants its reports.

use std::fmt;

use repute_types::Address;

/// Places of one domain that are written to.
const DESTINATIONS_MOST: usize = 5;
const URI_MOST: usize = 1024;

/// One place that a report goes to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    Mail(Address),
    /// An `https://` URL.
    Https(String),
}

impl Destination {
    /// A URI of `rua=`; `None` for what nobody can write to.
    pub fn parse(uri: &str) -> Option<Destination> {
        let uri = uri.trim();
        let has = |scheme: &str| uri.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        if uri.len() > URI_MOST || uri.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return None;
        }
        if has("mailto:") {
            // What follows ? are fields that we do not take from strangers.
            let address = uri["mailto:".len()..].split('?').next()?;
            return Address::parse(&unescaped(address)?).ok().map(Destination::Mail);
        }
        (has("https://") && uri.len() > "https://".len()).then(|| Destination::Https(uri.to_owned()))
    }
}

/// As a URI that [`Destination::parse`] reads again.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Mail(address) => write!(f, "mailto:{}", escaped(&address.to_string())),
            Destination::Https(url) => f.write_str(url),
        }
    }
}

/// Where reports are wanted, from all TXT records of the name: nowhere without exactly one of this kind (§3).
pub fn destinations<T: AsRef<[u8]>>(texts: &[T]) -> Vec<Destination> {
    let ours: Vec<&[u8]> = texts.iter().map(AsRef::as_ref).filter(|text| is_ours(text)).collect();
    let [one] = ours.as_slice() else { return Vec::new() };
    let Ok(text) = std::str::from_utf8(one) else { return Vec::new() };
    let mut fields = text.split(';').filter_map(|field| field.split_once('='));
    let rua = fields.find(|(name, _)| name.trim() == "rua").map(|(_, value)| value).unwrap_or_default();
    let mut found: Vec<Destination> = Vec::new();
    for destination in rua.split(',').filter_map(Destination::parse) {
        if !found.contains(&destination) && found.len() < DESTINATIONS_MOST {
            found.push(destination);
        }
    }
    found
}

fn is_ours(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"v=TLSRPTv1") else { return false };
    rest.trim_ascii_start().first() == Some(&b';')
}

/// What would end an address in a list of URIs is written as `%2C` (RFC 3986 §2.1).
fn escaped(address: &str) -> String {
    let plain = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "@.-_+=".contains(c);
    address.chars().fold(String::new(), |mut out, c| {
        match plain(c) {
            true => out.push(c),
            false => out.push_str(&format!("%{:02X}", u32::from(c))),
        }
        out
    })
}

/// Without its `%40` (RFC 3986 §2.1).
fn unescaped(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            octets.push(*first);
            continue;
        }
        let hex = std::str::from_utf8(after.get(..2)?).ok()?;
        octets.push(u8::from_str_radix(hex, 16).ok()?);
        rest = &after[2..];
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(texts: &[&str], expected: &[&str]) {
        let found: Vec<String> = destinations(texts).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{texts:?}");
    }

    #[test]
    fn one_record_says_where() {
        check(&["v=TLSRPTv1; rua=mailto:tls@b.test"], &["mailto:tls@b.test"]);
        check(&["v=TLSRPTv1;rua=https://b.test/v1/tlsrpt"], &["https://b.test/v1/tlsrpt"]);
        check(
            &["v=spf1 -all", "v=TLSRPTv1 ; rua = mailto:a@b.test , HTTPS://c.test:8443/x?y=1; x=y;"],
            &["mailto:a@b.test", "HTTPS://c.test:8443/x?y=1"],
        );
        check(&["v=TLSRPTv1; rua=mailto:tls%2Bx@b.test?subject=hello"], &["mailto:tls+x@b.test"]);
        check(&["v=TLSRPTv1; rua=mailto:a@b.test,mailto:a@b.test,ftp://b.test,mailto:"], &["mailto:a@b.test"]);
    }

    #[test]
    fn what_asks_for_nothing() {
        check(&[], &[]);
        check(&["v=TLSRPTv1"], &[]);
        check(&["v=TLSRPTv1; "], &[]);
        check(&["v=TLSRPTv12; rua=mailto:a@b.test"], &[]);
        check(&["V=TLSRPTv1; rua=mailto:a@b.test"], &[]);
        check(&["rua=mailto:a@b.test; v=TLSRPTv1"], &[]);
        check(&["v=TLSRPTv1; rua=http://b.test/"], &[]);
        check(&["v=TLSRPTv1; rua=https://"], &[]);
        check(&["v=TLSRPTv1; rua=mailto:a%4@b.test"], &[]);
        check(&["v=TLSRPTv1; rua=mailto:a@b.test", "v=TLSRPTv1; rua=mailto:c@b.test"], &[]);
    }

    proptest! {
        #[test]
        fn no_octets_end_it_badly(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let record = [b"v=TLSRPTv1; rua=mailto:", text.as_slice()].concat();
            for destination in destinations(&[record]) {
                prop_assert_eq!(Destination::parse(&destination.to_string()), Some(destination));
            }
        }
    }
}
