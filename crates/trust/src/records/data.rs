//! One DNS record's data, of the types that mail needs, and its form in zone files
//! (RFC 1035 §5.1).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use repute_types::Domain;

/// The type of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    A,
    Aaaa,
    Cname,
    Mx,
    Ptr,
    Txt,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Data {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Cname(Domain),
    /// `None` is the null MX (RFC 7505).
    Mx(u16, Option<Domain>),
    Ptr(Domain),
    /// The strings as they stand: to take a record away, they have to be told apart.
    Txt(Vec<Vec<u8>>),
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::A => "A",
            Kind::Aaaa => "AAAA",
            Kind::Cname => "CNAME",
            Kind::Mx => "MX",
            Kind::Ptr => "PTR",
            Kind::Txt => "TXT",
        }
    }

    /// A for IPv4, AAAA for IPv6.
    pub fn of(address: IpAddr) -> Kind {
        if address.is_ipv4() { Kind::A } else { Kind::Aaaa }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Data {
    pub fn address(address: IpAddr) -> Data {
        match address {
            IpAddr::V4(v4) => Data::A(v4),
            IpAddr::V6(v6) => Data::Aaaa(v6),
        }
    }

    /// A TXT record of a text, split into strings of at most 255 octets (RFC 1035 §3.3).
    pub fn text(text: &str) -> Data {
        Data::Txt(text.as_bytes().chunks(255).map(<[u8]>::to_vec).collect())
    }

    pub fn kind(&self) -> Kind {
        match self {
            Data::A(_) => Kind::A,
            Data::Aaaa(_) => Kind::Aaaa,
            Data::Cname(_) => Kind::Cname,
            Data::Mx(..) => Kind::Mx,
            Data::Ptr(_) => Kind::Ptr,
            Data::Txt(_) => Kind::Txt,
        }
    }

    /// The whole text of a TXT record: its strings are joined with nothing between (RFC 7208 §3.3).
    pub fn joined(&self) -> Option<Vec<u8>> {
        if let Data::Txt(strings) = self { Some(strings.concat()) } else { None }
    }
}

/// As a zone file has it, names with their last dot.
impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Data::A(address) => write!(f, "{address}"),
            Data::Aaaa(address) => write!(f, "{address}"),
            Data::Cname(name) | Data::Ptr(name) => write!(f, "{name}."),
            Data::Mx(preference, Some(host)) => write!(f, "{preference} {host}."),
            Data::Mx(preference, None) => write!(f, "{preference} ."),
            Data::Txt(strings) => {
                for (index, string) in strings.iter().enumerate() {
                    let gap = if index == 0 { "" } else { " " };
                    write!(f, "{gap}\"{}\"", escaped(string))?;
                }
                Ok(())
            }
        }
    }
}

/// Quotes, backslashes and what is not printable as zone files write them: `\"`, `\\`, `\013`.
fn escaped(string: &[u8]) -> String {
    let mut text = String::with_capacity(string.len());
    for octet in string {
        match octet {
            b'"' | b'\\' => text.extend(['\\', char::from(*octet)]),
            0x20..0x7f => text.push(char::from(*octet)),
            _ => text += &format!("\\{octet:03}"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_255_octets_and_escaped() {
        let Data::Txt(strings) = Data::text(&"k".repeat(600)) else { panic!() };
        assert_eq!(strings.iter().map(Vec::len).collect::<Vec<_>>(), [255, 255, 90]);
        let odd = Data::Txt(vec![b"a \"b\" \\".to_vec(), vec![9, 0xe4]]);
        assert_eq!(odd.to_string(), r#""a \"b\" \\" "\009\228""#);
    }
}
