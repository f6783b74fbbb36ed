//! What an answer of a list means.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::list::{List, Meaning};
use crate::lookup::Answer;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// At least one known code that means ill.
    Listed(Vec<Hit>),
    /// The list has nothing, or only what is no reproach: that is noted.
    Clean { noted: Vec<Hit> },
    /// The list does not answer us: wrong resolver, no key, too much asked. Says what and why.
    Refused(String),
    /// It could not be found out, or the answer is none that the list gives. Says why.
    Unknown(String),
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub code: Ipv4Addr,
    /// `SBL`, `PBL`.
    pub name: String,
    pub meaning: Meaning,
    pub cause: String,
}

impl List {
    /// Judges the answer to [`List::query`].
    pub fn judge(&self, answer: &Answer) -> Verdict {
        let codes = match answer {
            Answer::Failure(why) => return Verdict::Unknown(format!("{} did not answer ({why})", self.name)),
            other => other.addresses(),
        };
        let mut hits = Vec::new();
        let mut strange = None;
        for code in codes {
            let IpAddr::V4(code) = *code else {
                return Verdict::Unknown(format!("{} answered with {code}, which no list does", self.name));
            };
            if code.octets()[0] != 127 {
                let why = "outside 127/8: somebody else answers for the list";
                return Verdict::Unknown(format!("{} answered {code}, {why}", self.name));
            }
            match self.read(code) {
                Ok(found) => hits.extend(found),
                Err(Some(refusal)) => return Verdict::Refused(refusal),
                Err(None) => strange = Some(code),
            }
        }
        let (bad, noted): (Vec<Hit>, Vec<Hit>) = hits.into_iter().partition(|hit| hit.meaning == Meaning::Bad);
        match strange {
            _ if !bad.is_empty() => Verdict::Listed(bad),
            Some(code) => Verdict::Unknown(format!("{} answered {code}, a code that is not known of it", self.name)),
            None => Verdict::Clean { noted },
        }
    }

    /// The entries that one code stands for; as an error the refusal that it is, or nothing
    /// where the code is not known.
    fn read(&self, code: Ipv4Addr) -> Result<Vec<Hit>, Option<String>> {
        let last = code.octets()[3];
        let by_code = self.codes.iter().filter(|c| c.code.matches(code)).map(|c| (&c.name, c.meaning, &c.cause));
        // Sums of bits stand in the last octet of 127.0.0.0/24 alone.
        let has_bits = code.octets()[..3] == [127, 0, 0];
        let by_bit = self.bits.iter().filter(|b| has_bits && b.bit & last != 0).map(|b| (&b.name, b.meaning, &b.cause));
        let found: Vec<(&String, Meaning, &String)> = by_code.chain(by_bit).collect();
        if let Some((name, _, cause)) = found.iter().find(|(_, meaning, _)| *meaning == Meaning::Error) {
            return Err(Some(format!("{} refuses to answer ({code}, {name}): {cause}", self.name)));
        }
        if !found.is_empty() {
            let hit = |(name, meaning, cause): (&String, Meaning, &String)| Hit {
                code,
                name: name.clone(),
                meaning,
                cause: cause.clone(),
            };
            return Ok(found.into_iter().map(hit).collect());
        }
        // A range that lists have agreed to use for errors alone.
        if code.octets()[..3] == [127, 255, 255] {
            let why = match last {
                252 => "the name of the list is misspelt",
                254 => "the question came through a public or unattributable resolver",
                255 => "too many questions, or the asking address is not registered",
                _ => "an error of the list",
            };
            return Err(Some(format!("{} refuses to answer ({code}): {why}", self.name)));
        }
        Err(None)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            |hits: &[Hit]| hits.iter().map(|h| format!("{} ({})", h.name, h.code)).collect::<Vec<_>>().join(", ");
        match self {
            Verdict::Listed(hits) => write!(f, "listed: {}", names(hits)),
            Verdict::Clean { noted } if noted.is_empty() => f.write_str("clean"),
            Verdict::Clean { noted } => write!(f, "clean; known as {}", names(noted)),
            Verdict::Refused(why) | Verdict::Unknown(why) => f.write_str(why),
        }
    }
}
