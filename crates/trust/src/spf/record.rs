//! An SPF record (RFC 7208 §4.5, §4.6.1): which TXT record it is, and its terms.
//!
//! Promise: a [`Record`] that exists is without a syntax error anywhere; an error names the
//! term, its place in the record and the cure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::macros::{DomainSpec, MacroString};
use super::parse;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// As published, its strings joined.
    pub text: String,
    pub terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// As written.
    pub text: String,
    /// Where it begins in the record, in octets from 1.
    pub column: usize,
    pub kind: TermKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TermKind {
    Directive(Qualifier, Mechanism),
    Redirect(DomainSpec),
    Explanation(DomainSpec),
    /// A modifier that RFC 7208 does not know: it is syntax-checked and has no effect (§6).
    Unknown {
        name: String,
        value: MacroString,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qualifier {
    Pass,
    Fail,
    SoftFail,
    Neutral,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    All,
    Include(DomainSpec),
    /// Without a domain it means the domain of the record.
    A(Option<DomainSpec>, Prefixes),
    Mx(Option<DomainSpec>, Prefixes),
    Ptr(Option<DomainSpec>),
    Network(Network),
    Exists(DomainSpec),
}

/// How much of an address must agree, for each family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefixes {
    pub v4: u8,
    pub v6: u8,
}

/// `ip4:` or `ip6:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    pub address: IpAddr,
    /// 0 to 32, or to 128.
    pub prefix: u8,
}

/// Why a record is none that a receiver would evaluate (permerror).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("term {term:?} at column {column}: {why}")]
pub struct RecordError {
    pub term: String,
    /// In octets from 1.
    pub column: usize,
    /// What is wrong and what to write.
    pub why: String,
}

/// The SPF records among a name's TXT records (§4.5): `v=spf1`, then a blank or the end.
pub fn select(texts: &[Vec<u8>]) -> Vec<&[u8]> {
    let is_spf = |text: &&[u8]| {
        text.len() >= 6 && text[..6].eq_ignore_ascii_case(b"v=spf1") && matches!(text.get(6), None | Some(b' '))
    };
    texts.iter().map(Vec::as_slice).filter(is_spf).collect()
}

impl Record {
    /// Parses one record that [`select`] picked. The whole of it is checked, also what comes
    /// after `all` (§4.6).
    pub fn parse(text: &[u8]) -> Result<Record, RecordError> {
        let (terms, errors) = parse::terms(text);
        match errors.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(Record { text: text.escape_ascii().to_string(), terms }),
        }
    }

    /// The terms that are well formed, and what is wrong with the others.
    pub fn parse_leniently(text: &[u8]) -> (Record, Vec<RecordError>) {
        let (terms, errors) = parse::terms(text);
        (Record { text: text.escape_ascii().to_string(), terms }, errors)
    }

    pub fn directives(&self) -> impl Iterator<Item = (&Term, Qualifier, &Mechanism)> {
        self.terms.iter().filter_map(|term| match &term.kind {
            TermKind::Directive(qualifier, mechanism) => Some((term, *qualifier, mechanism)),
            _ => None,
        })
    }

    pub fn redirect(&self) -> Option<(&Term, &DomainSpec)> {
        self.terms.iter().find_map(|t| if let TermKind::Redirect(spec) = &t.kind { Some((t, spec)) } else { None })
    }

    pub fn explanation(&self) -> Option<&DomainSpec> {
        self.terms.iter().find_map(|t| if let TermKind::Explanation(spec) = &t.kind { Some(spec) } else { None })
    }

    /// What the first `all` says; `None` where there is none.
    pub fn all(&self) -> Option<Qualifier> {
        self.directives().find(|(_, _, m)| matches!(m, Mechanism::All)).map(|(_, q, _)| q)
    }
}

impl Mechanism {
    /// Whether it counts against the ten (§4.6.4).
    pub fn costs_a_lookup(&self) -> bool {
        !matches!(self, Mechanism::All | Mechanism::Network(_))
    }
}

impl Qualifier {
    pub fn sign(self) -> char {
        match self {
            Qualifier::Pass => '+',
            Qualifier::Fail => '-',
            Qualifier::SoftFail => '~',
            Qualifier::Neutral => '?',
        }
    }
}

impl Prefixes {
    pub const WHOLE: Prefixes = Prefixes { v4: 32, v6: 128 };

    /// The network of an address that `a` or `mx` led to.
    pub fn network(self, address: IpAddr) -> Network {
        Network { address, prefix: if address.is_ipv4() { self.v4 } else { self.v6 } }
    }
}

impl Network {
    pub fn host(address: IpAddr) -> Network {
        Prefixes::WHOLE.network(address)
    }

    /// Families never match each other, and a mapped address is not given back its family here:
    /// [`super::Request`] did that already.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.address, ip) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                let (first, last) = self.range();
                (first..=last).contains(&bits(ip))
            }
            _ => false,
        }
    }

    /// First and last address as numbers.
    pub(super) fn range(&self) -> (u128, u128) {
        let width: u32 = if self.address.is_ipv4() { 32 } else { 128 };
        let free = width - u32::from(self.prefix);
        let hosts = if free == 128 { u128::MAX } else { (1 << free) - 1 };
        let first = bits(self.address) & !hosts;
        (first, first | hosts)
    }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// As a term of a record: `ip4:203.0.113.10`, `ip6:2001:db8::/32`.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, whole) = if self.address.is_ipv4() { ("ip4", 32) } else { ("ip6", 128) };
        write!(f, "{name}:{}", self.address)?;
        if self.prefix < whole { write!(f, "/{}", self.prefix) } else { Ok(()) }
    }
}

impl From<Ipv4Addr> for Network {
    fn from(address: Ipv4Addr) -> Network {
        Network::host(address.into())
    }
}

impl From<Ipv6Addr> for Network {
    fn from(address: Ipv6Addr) -> Network {
        Network::host(address.into())
    }
}
