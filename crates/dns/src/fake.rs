//! DNS from a small text, for tests and simulation.
//!
//! ```text
//! # A comment.
//! example.net      MX     10 mx1.example.net
//! example.net      MX     20 mx2.example.net
//! mx1.example.net  A      192.0.2.1
//! mx2.example.net  AAAA   2001:db8::2
//! null.example     MX     0 .
//! alias.example    CNAME  example.net
//! example.net      TXT    v=spf1 -all
//! 192.0.2.1        PTR    mx1.example.net
//! example.net      NS     ns1.example.net
//! example.net      SOA    2026112401            the serial alone
//! example.net      DS     12345                 the key tag alone
//! example.net      RRSIG  1796000000            the end of the SOA's signature alone
//! example.net      CAA    issue ca.example      tag and value
//! _25._tcp.mx1.example.net TLSA 3 1 1 0a0b      the data in hexadecimal
//! example.net      SPF    v=spf1 -all           the old type 99
//! broken.example   SERVFAIL             all questions about the name fail;
//! slow.example     TIMEOUT  MX          or only those for one type
//! away.example     UNASKED  A           we can open no socket to ask for it
//! example.net      AUTHENTIC            the name's answers are validated
//! example.net      TTL    60            else 300 s
//! ```
//!
//! Promise: strict. A name that no line speaks of does not exist; a line that is not understood
//! is a panic, because the test is wrong. Silence takes five seconds of tokio's time.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use repute_types::{Domain, Tlsa};

use crate::{BoxFuture, Data, Exchange, Lookup, Mx, Records, Resolver};

/// How long nobody answers before that is known.
const SILENCE: Duration = Duration::from_secs(5);
/// Aliases that are followed, as real resolvers do.
const ALIASES_MOST: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Mx,
    A,
    Aaaa,
    Txt,
    Ptr,
    Ns,
    Soa,
    Tlsa,
    Ds,
    Caa,
    Spf,
    Rrsig,
}

impl Kind {
    fn parse(word: &str) -> Option<Kind> {
        match word {
            "MX" => Some(Kind::Mx),
            "A" => Some(Kind::A),
            "AAAA" => Some(Kind::Aaaa),
            "TXT" => Some(Kind::Txt),
            "PTR" => Some(Kind::Ptr),
            "NS" => Some(Kind::Ns),
            "SOA" => Some(Kind::Soa),
            "TLSA" => Some(Kind::Tlsa),
            "DS" => Some(Kind::Ds),
            "CAA" => Some(Kind::Caa),
            "SPF" => Some(Kind::Spf),
            "RRSIG" => Some(Kind::Rrsig),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Failure,
    Silence,
    Unasked,
}

#[derive(Clone, Default)]
struct Entry {
    records: Vec<(Kind, String)>,
    alias: Option<String>,
    /// For one type, or for all.
    troubles: Vec<(Option<Kind>, Trouble)>,
    authentic: bool,
    ttl: Option<Duration>,
}

pub struct ZoneFake {
    names: Mutex<HashMap<String, Entry>>,
    asked: Mutex<Vec<String>>,
}

impl ZoneFake {
    /// # Panics
    /// Where a line is not understood.
    pub fn parse(text: &str) -> ZoneFake {
        ZoneFake { names: Mutex::new(parse(text)), asked: Mutex::default() }
    }

    /// From now on the zone says this instead.
    ///
    /// # Panics
    /// Where a line is not understood.
    pub fn replace(&self, text: &str) {
        *lock(&self.names) = parse(text);
    }

    /// Questions so far, each as `example.net MX`, in order; asking forgets them.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.asked))
    }

    /// The alias that stands at a name, not followed.
    pub(crate) fn alias(&self, name: &str) -> Option<String> {
        lock(&self.names).get(name)?.alias.clone()
    }

    pub(crate) async fn look_up<T>(&self, name: String, kind: Kind, take: fn(&str) -> Option<T>) -> Lookup<T> {
        lock(&self.asked).push(format!("{name} {}", format!("{kind:?}").to_ascii_uppercase()));
        let answer = self.answer(&name, kind, take);
        if matches!(answer, Lookup::NoAnswer(_)) {
            tokio::time::sleep(SILENCE).await;
        }
        answer
    }

    fn answer<T>(&self, name: &str, kind: Kind, take: fn(&str) -> Option<T>) -> Lookup<T> {
        let names = lock(&self.names);
        let (mut name, mut authentic, mut ttl) = (name.to_owned(), true, Duration::from_secs(300));
        for _ in 0..ALIASES_MOST {
            let Some(entry) = names.get(&name) else {
                // A name under which others are exists (RFC 8020 §2).
                let under = format!(".{name}");
                return match names.keys().any(|other| other.ends_with(&under)) {
                    true => Lookup::NoData { authentic: false },
                    false => Lookup::NoName { authentic: false },
                };
            };
            authentic &= entry.authentic;
            ttl = ttl.min(entry.ttl.unwrap_or(ttl));
            match entry.troubles.iter().find(|(of, _)| of.is_none_or(|of| of == kind)) {
                Some((_, Trouble::Failure)) => return Lookup::Failure("SERVFAIL".into()),
                Some((_, Trouble::Silence)) => return Lookup::NoAnswer("no answer in time".into()),
                Some((_, Trouble::Unasked)) => return Lookup::NotAsked("no sockets".into()),
                None => {}
            }
            if let Some(alias) = &entry.alias {
                name.clone_from(alias);
                continue;
            }
            let of_kind = entry.records.iter().filter(|(k, _)| *k == kind);
            let items: Vec<T> = of_kind.filter_map(|(_, value)| take(value)).collect();
            if items.is_empty() {
                return Lookup::NoData { authentic };
            }
            let ttl = entry.ttl.unwrap_or(ttl).min(ttl);
            return Lookup::Found(Records { items, authentic, ttl });
        }
        Lookup::Failure("too many aliases".into())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn parse(text: &str) -> HashMap<String, Entry> {
    let mut names: HashMap<String, Entry> = HashMap::new();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        // Columns may be parted by many blanks.
        let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim_start();
        let (what, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let entry = names.entry(name.trim_end_matches('.').to_ascii_lowercase()).or_default();
        if !take_line(entry, what, value.trim()) {
            panic!("not understood in a zone: {line}");
        }
    }
    names
}

fn take_line(entry: &mut Entry, what: &str, value: &str) -> bool {
    let of = Kind::parse(value);
    match what {
        "SERVFAIL" => entry.troubles.push((of, Trouble::Failure)),
        "TIMEOUT" => entry.troubles.push((of, Trouble::Silence)),
        "UNASKED" => entry.troubles.push((of, Trouble::Unasked)),
        "AUTHENTIC" => entry.authentic = true,
        "CNAME" => entry.alias = Some(value.trim_end_matches('.').to_ascii_lowercase()),
        "TTL" => match value.parse() {
            Ok(seconds) => entry.ttl = Some(Duration::from_secs(seconds)),
            Err(_) => return false,
        },
        _ => {
            let Some(kind) = Kind::parse(what) else { return false };
            let good = match kind {
                Kind::Mx => take_mx(value).is_some(),
                Kind::A => take_a(value).is_some(),
                Kind::Aaaa => take_aaaa(value).is_some(),
                Kind::Ptr | Kind::Ns => take_ptr(value).is_some(),
                Kind::Soa | Kind::Rrsig => value.parse::<u32>().is_ok(),
                Kind::Ds => value.parse::<u16>().is_ok(),
                Kind::Tlsa => crate::fake_servers::take_tlsa(value).is_some(),
                Kind::Caa => crate::fake_servers::take_caa(value).is_some(),
                Kind::Txt | Kind::Spf => true,
            };
            entry.records.push((kind, value.to_owned()));
            return good;
        }
    }
    // A trouble is for all types or for one; the other words stand alone or were read.
    value.is_empty() || of.is_some() || matches!(what, "CNAME" | "TTL")
}

pub(crate) fn take_mx(value: &str) -> Option<Mx> {
    let (preference, host) = value.split_once(char::is_whitespace)?;
    Some(Mx { preference: preference.parse().ok()?, exchange: Exchange::named(host.trim()) })
}

pub(crate) fn take_a(value: &str) -> Option<Ipv4Addr> {
    value.parse().ok()
}

pub(crate) fn take_aaaa(value: &str) -> Option<Ipv6Addr> {
    value.parse().ok()
}

pub(crate) fn take_txt(value: &str) -> Option<Vec<u8>> {
    Some(value.as_bytes().to_vec())
}

pub(crate) fn take_ptr(value: &str) -> Option<Domain> {
    Domain::parse(value).ok()
}

impl Resolver for ZoneFake {
    fn mx<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Mx>> {
        Box::pin(self.look_up(name.to_string(), Kind::Mx, take_mx))
    }

    fn a<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Ipv4Addr>> {
        Box::pin(self.look_up(name.to_string(), Kind::A, take_a))
    }

    fn aaaa<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Ipv6Addr>> {
        Box::pin(self.look_up(name.to_string(), Kind::Aaaa, take_aaaa))
    }

    fn txt<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Vec<u8>>> {
        Box::pin(self.look_up(name.to_string(), Kind::Txt, take_txt))
    }

    fn ptr(&self, address: IpAddr) -> BoxFuture<'_, Lookup<Domain>> {
        Box::pin(self.look_up(address.to_string(), Kind::Ptr, take_ptr))
    }

    fn tlsa<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Tlsa>> {
        let take = |value: &str| match crate::fake_servers::take_tlsa(value) {
            Some(Data::Tlsa { usage, selector, matching, data }) => Some(Tlsa { usage, selector, matching, data }),
            _ => None,
        };
        Box::pin(self.look_up(name.to_string(), Kind::Tlsa, take))
    }

    fn cname<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Domain>> {
        let entry = lock(&self.names).get(name.as_str()).cloned().unwrap_or_default();
        let authentic = entry.authentic;
        let answer = match entry.alias.and_then(|to| Domain::parse(&to).ok()) {
            Some(to) => Lookup::Found(Records { items: vec![to], authentic, ttl: Duration::from_secs(300) }),
            None => Lookup::NoData { authentic },
        };
        Box::pin(async { answer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: &str = "
        example.net    MX    10 mx1.example.net
        example.net    AUTHENTIC
        null.example   MX    0 .
        mx1.example.net A    192.0.2.1
        alias.example  CNAME mx1.example.net
        alias.example  TTL   60
        half.example   MX    10 mx1.example.net
        half.example   TIMEOUT A
        broken.example SERVFAIL
        192.0.2.1      PTR   mx1.example.net
        loop.example   CNAME loop.example
    ";

    fn d(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    fn found<T>(items: Vec<T>, authentic: bool, seconds: u64) -> Lookup<T> {
        Lookup::Found(Records { items, authentic, ttl: Duration::from_secs(seconds) })
    }

    #[tokio::test(start_paused = true)]
    async fn a_zone_answers_as_it_is_written() {
        let zone = ZoneFake::parse(ZONE);
        let mx = |exchange: Option<&str>, preference| Mx {
            preference,
            exchange: exchange.map_or(Exchange::Null, |host| Exchange::Host(d(host))),
        };
        assert_eq!(zone.mx(&d("example.net")).await, found(vec![mx(Some("mx1.example.net"), 10)], true, 300));
        assert_eq!(zone.mx(&d("null.example")).await, found(vec![mx(None, 0)], false, 300));
        assert_eq!(zone.a(&d("alias.example")).await, found(vec![[192, 0, 2, 1].into()], false, 60));
        assert_eq!(zone.ptr([192, 0, 2, 1].into()).await, found(vec![d("mx1.example.net")], false, 300));
        assert_eq!(zone.aaaa(&d("example.net")).await, Lookup::NoData { authentic: true });
        assert_eq!(zone.a(&d("net")).await, Lookup::NoData { authentic: false });
        assert_eq!(zone.a(&d("other.net")).await, Lookup::NoName { authentic: false });
        assert_eq!(zone.a(&d("broken.example")).await, Lookup::Failure("SERVFAIL".into()));
        assert!(matches!(zone.a(&d("half.example")).await, Lookup::NoAnswer(_)));
        assert!(matches!(zone.mx(&d("half.example")).await, Lookup::Found(_)));
        assert!(matches!(zone.a(&d("loop.example")).await, Lookup::Failure(_)));
    }

    #[tokio::test]
    async fn questions_are_counted_and_the_zone_can_change() {
        let zone = ZoneFake::parse(ZONE);
        zone.mx(&d("example.net")).await;
        zone.aaaa(&d("x.example")).await;
        assert_eq!(zone.asked(), ["example.net MX", "x.example AAAA"]);
        zone.replace("x.example AAAA ::2");
        assert_eq!(zone.aaaa(&d("x.example")).await, found(vec!["::2".parse().unwrap()], false, 300));
    }

    #[test]
    #[should_panic(expected = "not understood")]
    fn a_line_that_is_not_understood_fails_the_test() {
        ZoneFake::parse("example.net MXX 10 mx");
    }
}
