//! What the rules ask DNS, and what they are told. They never ask themselves: whoever drives
//! them does, and hands the answers back. A time-out and a SERVFAIL both are a
//! [`Answer::Failure`]; a name that the resolver cannot carry is [`Answer::NoName`].

use std::fmt;
use std::net::IpAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Txt,
    A,
    Aaaa,
    Mx,
    Ptr,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Txt => "TXT",
            Kind::A => "A",
            Kind::Aaaa => "AAAA",
            Kind::Mx => "MX",
            Kind::Ptr => "PTR",
        })
    }
}

/// One question. Names are lower case, without a trailing dot, and made of labels that a
/// query can carry; they may still hold characters that no host name has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    pub name: String,
    pub kind: Kind,
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// What DNS said, after any CNAMEs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// TXT records, each with its strings joined without a separator (RFC 7208 §3.3).
    Texts(Vec<Vec<u8>>),
    /// A or AAAA records.
    Addresses(Vec<IpAddr>),
    /// PTR targets, or MX hosts (the null MX is an empty name).
    Names(Vec<String>),
    /// The name exists and has no record of this kind.
    NoData,
    /// NXDOMAIN.
    NoName,
    /// It could not be found out: SERVFAIL, REFUSED, a bogus signature, a time-out. The text says why.
    Failure(String),
}

impl Answer {
    /// A void look-up (RFC 7208 §4.6.4): an answer, and nothing in it.
    pub fn is_void(&self) -> bool {
        match self {
            Answer::NoData | Answer::NoName => true,
            Answer::Texts(t) => t.is_empty(),
            Answer::Addresses(a) => a.is_empty(),
            Answer::Names(n) => n.is_empty(),
            Answer::Failure(_) => false,
        }
    }

    /// As answers of several servers are compared: the order of records says nothing.
    pub fn sorted(mut self) -> Answer {
        match &mut self {
            Answer::Texts(texts) => texts.sort(),
            Answer::Addresses(addresses) => addresses.sort(),
            Answer::Names(names) => names.sort(),
            Answer::NoData | Answer::NoName | Answer::Failure(_) => {}
        }
        self
    }

    pub fn addresses(&self) -> &[IpAddr] {
        if let Answer::Addresses(list) = self { list } else { &[] }
    }

    pub fn names(&self) -> &[String] {
        if let Answer::Names(list) = self { list } else { &[] }
    }

    pub fn texts(&self) -> &[Vec<u8>] {
        if let Answer::Texts(list) = self { list } else { &[] }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, items: Vec<String>| f.write_str(&items.join(", "));
        match self {
            _ if matches!(self, Answer::NoName) => f.write_str("no such name"),
            _ if self.is_void() => f.write_str("no such record"),
            Answer::Texts(texts) => list(f, texts.iter().map(|t| format!("\"{}\"", t.escape_ascii())).collect()),
            Answer::Addresses(addresses) => list(f, addresses.iter().map(IpAddr::to_string).collect()),
            Answer::Names(names) => list(f, names.iter().map(|n| format!("{n}.")).collect()),
            Answer::Failure(why) => write!(f, "could not be found out ({why})"),
            Answer::NoData | Answer::NoName => Ok(()),
        }
    }
}

/// Whether a DNS query can carry the name: labels of 1 to 63 octets, 253 in all.
pub fn can_be_asked(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len()))
}
