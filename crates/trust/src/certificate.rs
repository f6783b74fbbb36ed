//! The little of a certificate (RFC 5280) that checks and DANE look at: until when it is good, its
//! public key, and the name that old ones bear in their subject alone.
//!
//! It is read, not verified. Whatever octets it is given, it ends with what was found or a sentence.

/// DER tags.
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT: u8 = 0x06;
const OCTETS: u8 = 0x04;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// In a SubjectAltName (RFC 5280 §4.2.1.6).
const DNS_NAME: u8 = 0x82;
/// 2.5.4.3 and 2.5.29.17.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 29, 17];
const UTC_TIME: u8 = 0x17;
const GENERAL_TIME: u8 = 0x18;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Seconds since 1970.
    pub not_before: i64,
    pub not_after: i64,
    /// SubjectPublicKeyInfo, with its own tag and length.
    pub public_key: Vec<u8>,
    /// The last common name of the subject, where the certificate has no DNS name beside it.
    name_in_subject: Option<String>,
}

impl Certificate {
    pub fn parse(der: &[u8]) -> Result<Certificate, &'static str> {
        let certificate = Reader(der).take(SEQUENCE)?;
        let mut fields = Reader(Reader(certificate).take(SEQUENCE)?);
        if fields.0.first() == Some(&VERSION) {
            fields.next()?;
        }
        // Serial number, algorithm, issuer.
        for _ in 0..3 {
            fields.next()?;
        }
        let mut validity = Reader(fields.take(SEQUENCE)?);
        let (not_before, not_after) = (time(validity.next()?)?, time(validity.next()?)?);
        let subject = fields.take(SEQUENCE)?;
        let before = fields.0;
        fields.take(SEQUENCE)?;
        let public_key = before[..before.len() - fields.0.len()].to_vec();
        // What cannot be read is no name.
        let has_dns_names = has_dns_names(fields).unwrap_or(false);
        let name_in_subject = common_name(subject).unwrap_or_default().filter(|_| !has_dns_names);
        Ok(Certificate { not_before, not_after, public_key, name_in_subject })
    }

    /// Whether the common name of its subject is the host's, in a certificate that bears no DNS name: then that counts
    /// (RFC 7672 §3.2.3).
    pub fn names_in_subject(&self, host: &str) -> bool {
        self.name_in_subject.as_deref().is_some_and(|name| covers(name, host))
    }
}

/// Whether a name, or a pattern, is for a host. A star stands for one label, the first.
pub fn covers(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(rest) => host.split_once('.').is_some_and(|(_, parent)| parent.eq_ignore_ascii_case(rest)),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

/// Of a subject: a SEQUENCE of SETs of attributes, each a type with a string.
fn common_name(subject: &[u8]) -> Result<Option<String>, &'static str> {
    let (mut subject, mut found) = (Reader(subject), None);
    while !subject.0.is_empty() {
        let mut set = Reader(subject.take(SET)?);
        while !set.0.is_empty() {
            let mut attribute = Reader(set.take(SEQUENCE)?);
            let (what, (_, value)) = (attribute.take(OBJECT)?, attribute.next()?);
            if what == COMMON_NAME {
                found = std::str::from_utf8(value).ok().map(str::to_owned);
            }
        }
    }
    Ok(found)
}

/// Of the fields behind the key.
fn has_dns_names(mut fields: Reader<'_>) -> Result<bool, &'static str> {
    while !fields.0.is_empty() {
        let (tag, content) = fields.next()?;
        if tag != EXTENSIONS {
            continue;
        }
        let mut extensions = Reader(Reader(content).take(SEQUENCE)?);
        while !extensions.0.is_empty() {
            let mut extension = Reader(extensions.take(SEQUENCE)?);
            if extension.take(OBJECT)? != SUBJECT_ALT_NAME {
                continue;
            }
            // Whether it is critical may stand between.
            let mut value = extension.next()?;
            if value.0 != OCTETS {
                value = extension.next()?;
            }
            let mut names = Reader(Reader(value.1).take(SEQUENCE)?);
            while !names.0.is_empty() {
                if names.next()?.0 == DNS_NAME {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

const CUT: &str = "it is no certificate in DER form";

/// What is left of a piece of DER.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next value: its tag and its content.
    fn next(&mut self) -> Result<(u8, &'a [u8]), &'static str> {
        let [tag, first, rest @ ..] = self.0 else { return Err(CUT) };
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x84 => {
                let (octets, rest) = rest.split_at_checked(usize::from(first - 0x80)).ok_or(CUT)?;
                (octets.iter().fold(0usize, |n, b| n << 8 | usize::from(*b)), rest)
            }
            _ => return Err(CUT),
        };
        let (content, rest) = rest.split_at_checked(length).ok_or(CUT)?;
        self.0 = rest;
        Ok((*tag, content))
    }

    fn take(&mut self, tag: u8) -> Result<&'a [u8], &'static str> {
        match self.next()? {
            (found, content) if found == tag => Ok(content),
            _ => Err(CUT),
        }
    }
}

/// `YYMMDDHHMMSSZ` until 2049, `YYYYMMDDHHMMSSZ` after (RFC 5280 §4.1.2.5).
fn time((tag, content): (u8, &[u8])) -> Result<i64, &'static str> {
    const NO_TIME: &str = "a time in the certificate cannot be read";
    let text = std::str::from_utf8(content).map_err(|_| NO_TIME)?;
    let text = match tag {
        UTC_TIME if text.len() == 13 => format!("{}{text}", if &text[..1] < "5" { "20" } else { "19" }),
        GENERAL_TIME if text.len() == 15 => text.to_owned(),
        _ => return Err(NO_TIME),
    };
    if !text.is_ascii() || !text.ends_with('Z') {
        return Err(NO_TIME);
    }
    let number = |at: std::ops::Range<usize>| text[at].parse::<i64>().map_err(|_| NO_TIME);
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let (hour, minute, second) = (number(8..10)?, number(10..12)?, number(12..14)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return Err(NO_TIME);
    }
    Ok(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days since 1970-01-01 of a date in the Gregorian calendar: years begin in March, so that the
/// day that leaps is their last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut der = vec![tag];
        match u8::try_from(content.len()) {
            Ok(short @ ..128) => der.push(short),
            _ => der.extend([0x82, (content.len() >> 8) as u8, content.len() as u8]),
        }
        der.extend_from_slice(content);
        der
    }

    fn made(after: &[u8]) -> Vec<u8> {
        let validity = [value(UTC_TIME, b"261125000000Z"), after.to_vec()].concat();
        let key = value(SEQUENCE, &[7; 200]);
        let fields = [
            value(VERSION, &[2]),
            value(2, &[1]),
            value(SEQUENCE, &[]),
            value(SEQUENCE, &[]),
            value(SEQUENCE, &validity),
            value(SEQUENCE, &[]),
            key,
        ];
        value(SEQUENCE, &value(SEQUENCE, &fields.concat()))
    }

    #[test]
    fn times_and_key_are_read() {
        let found = Certificate::parse(&made(&value(UTC_TIME, b"270228235959Z"))).unwrap();
        assert_eq!((found.not_before, found.not_after), (1_795_564_800, 1_803_859_199));
        assert_eq!(found.public_key, value(SEQUENCE, &[7; 200]));
        let later = Certificate::parse(&made(&value(GENERAL_TIME, b"20520229000000Z".get(..15).unwrap()))).unwrap();
        assert_eq!(later.not_after, 2_592_777_600);
        assert!(Certificate::parse(&made(&value(UTC_TIME, b"271328235959Z"))).is_err());
    }

    proptest! {
        #[test]
        fn no_octets_end_it_badly(mut der in Just(made(&value(UTC_TIME, b"270228235959Z"))), at in 0usize..260, octet: u8, cut in 0usize..300) {
            let length = der.len();
            der[at % length] = octet;
            der.truncate(cut);
            let _ = Certificate::parse(&der);
        }

        #[test]
        fn nor_do_any_others(der in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Certificate::parse(&der);
        }
    }
}
