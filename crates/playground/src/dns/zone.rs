//! One zone: its records by name, and what it answers to a question.
//!
//! Text is a subset of the master file of RFC 1035 §5, one zone after `$ORIGIN`. A zone that
//! does not say its SOA, NS or TTL gets usual ones, so that a zone in a test is a few lines.

use std::collections::HashMap;

use hickory_proto::rr::rdata::{NS, SOA};
use hickory_proto::rr::{LowerName, Name, RData, Record, RecordType};
use hickory_proto::serialize::txt::Parser;

/// Short, because the playground's zones are changed while somebody watches.
const USUAL_TTL: u32 = 2;
/// More labels than any CNAME chain that is not a loop.
const CHAIN_MOST: usize = 8;

#[derive(Debug, thiserror::Error)]
pub enum ZoneError {
    #[error("the zone {origin} is not understood: {why}")]
    Text { origin: String, why: String },
    #[error("{0} is not a DNS name")]
    Name(String),
    #[error("the zone text does not begin with $ORIGIN")]
    NoOrigin,
}

/// A zone's records. A name that stands only above others has an empty list: it exists.
#[derive(Clone, Debug)]
pub struct Zone {
    origin: LowerName,
    records: HashMap<LowerName, Vec<Record>>,
}

/// What a zone says to a question.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Records(Vec<Record>),
    /// The name is another name of this one: ask again for it.
    Alias(Box<Record>, LowerName),
    NoData,
    NoName,
}

impl Zone {
    pub fn new(origin: &str) -> Result<Zone, ZoneError> {
        let origin = name(origin)?;
        let mut zone = Zone { origin: LowerName::new(&origin), records: HashMap::new() };
        let ns = Name::from_ascii("ns.").ok().and_then(|n| n.append_domain(&origin).ok()).unwrap_or(origin.clone());
        let soa = SOA::new(ns.clone(), ns.clone(), 1, 3600, 600, 86_400, USUAL_TTL);
        zone.insert(Record::from_rdata(origin.clone(), USUAL_TTL, RData::SOA(soa)));
        zone.insert(Record::from_rdata(origin, USUAL_TTL, RData::NS(NS(ns))));
        Ok(zone)
    }

    /// Reads all zones of a text; each begins with a line `$ORIGIN name.`.
    pub fn parse_all(text: &str) -> Result<Vec<Zone>, ZoneError> {
        let mut parts = text.split("$ORIGIN");
        let before = parts.next().unwrap_or("");
        let is_comment = |line: &str| line.trim().is_empty() || line.trim_start().starts_with(';');
        if !before.lines().all(is_comment) {
            return Err(ZoneError::NoOrigin);
        }
        parts.map(Zone::parse).collect()
    }

    /// `text` is what follows `$ORIGIN`.
    fn parse(text: &str) -> Result<Zone, ZoneError> {
        let (origin, text) = text.split_once('\n').unwrap_or((text, ""));
        let origin = origin.split(';').next().unwrap_or("").trim();
        let wrong = |why: String| ZoneError::Text { origin: origin.into(), why };
        let mut zone = Zone::new(origin)?;
        let text = format!("$TTL {USUAL_TTL}\n{text}\n");
        let (_, sets) =
            Parser::new(text, None, Some(Name::from(&zone.origin))).parse().map_err(|e| wrong(e.to_string()))?;
        for (key, set) in sets {
            if !zone.origin.zone_of(&key.name) {
                return Err(wrong(format!("{} is not in it", key.name)));
            }
            // What the text says of a type replaces the usual one.
            zone.remove(&key.name, key.record_type);
            for record in set.records_without_rrsigs() {
                zone.insert(record.clone());
            }
        }
        Ok(zone)
    }

    pub fn origin(&self) -> &LowerName {
        &self.origin
    }

    /// Adds a record; the names above it begin to exist.
    pub fn insert(&mut self, record: Record) {
        let owner = LowerName::new(&record.name);
        let mut above = owner.base_name();
        while self.origin.zone_of(&above) && !above.is_root() {
            self.records.entry(above.clone()).or_default();
            above = above.base_name();
        }
        self.records.entry(owner).or_default().push(record);
    }

    /// Takes away all records of a type at a name.
    pub fn remove(&mut self, owner: &LowerName, kind: RecordType) {
        if let Some(records) = self.records.get_mut(owner) {
            records.retain(|r| r.record_type() != kind);
        }
    }

    pub(crate) fn soa(&self) -> Option<&Record> {
        self.records.get(&self.origin)?.iter().find(|r| r.record_type() == RecordType::SOA)
    }

    /// RFC 1034 §4.3.2 step 3, without referrals; wildcards as RFC 4592.
    pub(crate) fn answer(&self, asked: &LowerName, kind: RecordType) -> Answer {
        if let Some(records) = self.records.get(asked) {
            return select(records, asked, kind);
        }
        // The closest name above that exists decides which wildcard applies.
        let mut above = asked.base_name();
        while self.origin.zone_of(&above) {
            if self.records.contains_key(&above) || above == self.origin {
                let star = Name::from_ascii("*").and_then(|s| s.append_domain(&above));
                let records = star.ok().and_then(|s| self.records.get(&LowerName::new(&s)));
                return records.map_or(Answer::NoName, |r| select(r, asked, kind));
            }
            if above.is_root() {
                break;
            }
            above = above.base_name();
        }
        Answer::NoName
    }
}

/// The records of a type, in the name that was asked (a wildcard's are written for it).
fn select(records: &[Record], asked: &LowerName, kind: RecordType) -> Answer {
    let owned = |r: &Record| {
        let mut record = r.clone();
        record.name = Name::from(asked);
        record
    };
    let found: Vec<Record> =
        records.iter().filter(|r| kind == RecordType::ANY || r.record_type() == kind).map(owned).collect();
    if !found.is_empty() {
        return Answer::Records(found);
    }
    for record in records {
        if let RData::CNAME(target) = &record.data {
            return Answer::Alias(Box::new(owned(record)), LowerName::new(&target.0));
        }
    }
    Answer::NoData
}

pub(crate) fn name(text: &str) -> Result<Name, ZoneError> {
    let mut name = Name::from_ascii(text).map_err(|_| ZoneError::Name(text.into()))?;
    name.set_fqdn(true);
    Ok(name)
}

/// Answers from all zones, CNAMEs followed: the records, and the last word.
pub(crate) fn resolve<'a>(
    find: impl Fn(&LowerName) -> Option<&'a Zone>,
    asked: &LowerName,
    kind: RecordType,
) -> Option<(Vec<Record>, Answer, &'a Zone)> {
    let mut zone = find(asked)?;
    let mut asked = asked.clone();
    let mut chain = Vec::new();
    for _ in 0..CHAIN_MOST {
        match zone.answer(&asked, kind) {
            Answer::Alias(record, target) => {
                chain.push(*record);
                asked = target;
                match find(&asked) {
                    Some(next) => zone = next,
                    // The asker goes on by itself elsewhere.
                    None => return Some((chain, Answer::Records(Vec::new()), zone)),
                }
            }
            last => return Some((chain, last, zone)),
        }
    }
    Some((chain, Answer::Records(Vec::new()), zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
; two zones
$ORIGIN shop.test.
@      MX  10 mx
@      TXT \"v=spf1 ip4:127.0.0.1 -all\"
mx     A   127.0.1.1
www    CNAME mx
a.b    A   127.0.1.2
*.wild TXT \"any\"
$ORIGIN other.test. ; with a comment
@ 300 IN A 127.0.1.3
";

    fn ask(asked: &str, kind: RecordType) -> String {
        let zones = Zone::parse_all(TEXT).unwrap();
        let find = |n: &LowerName| zones.iter().find(|z| z.origin().zone_of(n));
        let Some((chain, answer, _)) = resolve(find, &LowerName::new(&name(asked).unwrap()), kind) else {
            return "refused".into();
        };
        let mut said: Vec<String> = chain.iter().map(|r| format!("{} {}", r.record_type(), r.data)).collect();
        match answer {
            Answer::Records(found) => said.extend(found.iter().map(|r| format!("{} {}", r.record_type(), r.data))),
            Answer::NoData => said.push("no data".into()),
            Answer::NoName => said.push("no name".into()),
            Answer::Alias(..) => unreachable!("resolve follows them"),
        }
        said.join(", ")
    }

    #[test]
    fn each_kind_of_answer_is_its_own() {
        let check = |asked, kind, expected: &str| assert_eq!(ask(asked, kind), expected, "{asked} {kind}");
        check("shop.test", RecordType::MX, "MX 10 mx.shop.test.");
        check("SHOP.Test", RecordType::MX, "MX 10 mx.shop.test.");
        check("shop.test", RecordType::A, "no data");
        check("none.shop.test", RecordType::A, "no name");
        check("b.shop.test", RecordType::A, "no data");
        check("a.b.shop.test", RecordType::A, "A 127.0.1.2");
        check("www.shop.test", RecordType::A, "CNAME mx.shop.test., A 127.0.1.1");
        check("www.shop.test", RecordType::AAAA, "CNAME mx.shop.test., no data");
        check("x.wild.shop.test", RecordType::TXT, "TXT any");
        check("x.wild.shop.test", RecordType::A, "no data");
        check("other.test", RecordType::A, "A 127.0.1.3");
        check("shop.test", RecordType::NS, "NS ns.shop.test.");
        check("example.org", RecordType::A, "refused");
    }

    #[test]
    fn a_wrong_text_names_its_zone() {
        let wrong = |text| Zone::parse_all(text).unwrap_err().to_string();
        assert!(wrong("$ORIGIN a.invalid.\n@ QQ 1").starts_with("the zone a.invalid. is not understood"));
        assert!(wrong("$ORIGIN a.invalid.\nb.invalid. A 127.0.0.1").ends_with("b.invalid. is not in it"));
        assert_eq!(wrong("@ A 1.2.3.4"), "the zone text does not begin with $ORIGIN");
    }
}
