//! DMARC aggregate reports (RFC 9990, and RFC 7489 Appendix C before it): who sent mail in our name, and whether it passed.
//!
//! Bounds: [`RECORDS`] records, [`DEPTH`] elements deep, [`TEXT`] octets of text in an element. A document with a
//! DOCTYPE is refused, so there are no entities to expand. What is beyond a bound of number is left out, and said.

use std::net::IpAddr;

use quick_xml::Reader;
use quick_xml::events::Event;
use repute_types::Timestamp;
use serde::Serialize;

const RECORDS: usize = 20_000;
const DEPTH: usize = 12;
const TEXT: usize = 1024;
/// So many seconds are in the year 5138: it is milliseconds that are so many.
const MILLISECONDS: i64 = 100_000_000_000;
/// Signatures and reasons of one record.
const FEW: usize = 16;

/// One reporter's account of one domain's mail in a span of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Aggregate {
    /// org_name.
    pub reporter: String,
    pub email: String,
    pub id: String,
    /// Seconds since 1970, from and to.
    pub begin: i64,
    pub end: i64,
    /// The policy as the reporter saw it published.
    pub policy: Policy,
    pub records: Vec<Record>,
    /// Whether there was more of it than is read: what these records count is not all.
    pub is_cut: bool,
    pub errors: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Policy {
    pub domain: String,
    pub p: String,
    pub sp: String,
    pub np: String,
    pub adkim: String,
    pub aspf: String,
    pub pct: String,
    pub testing: String,
}

/// Messages from one address that were judged alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    pub source: IpAddr,
    pub count: u64,
    /// What was done: `none`, `quarantine`, `reject`.
    pub disposition: String,
    /// Whether an aligned DKIM signature passed.
    pub dkim: bool,
    /// Whether an aligned SPF check passed.
    pub spf: bool,
    /// Why the policy was not followed: `forwarded`, `mailing_list`, …
    pub reasons: Vec<String>,
    pub header_from: String,
    pub envelope_from: String,
    pub signatures: Vec<Signature>,
    pub spf_domain: String,
    pub spf_result: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Signature {
    pub domain: String,
    pub selector: String,
    pub result: String,
}

impl Aggregate {
    /// Who reports, for people; it need not say.
    pub fn told_by(&self) -> &str {
        crate::named([&self.reporter, &self.email])
    }

    /// Messages that passed, and messages that failed.
    pub fn counts(&self) -> (u64, u64) {
        self.records.iter().fold((0, 0), |(good, bad), r| match r.passes() {
            true => (good.saturating_add(r.count), bad),
            false => (good, bad.saturating_add(r.count)),
        })
    }
}

impl Record {
    /// DMARC passes where one of the two does (RFC 9989).
    pub fn passes(&self) -> bool {
        self.dkim || self.spf
    }
}

/// A record while it is read.
#[derive(Default)]
struct Draft {
    source: Option<IpAddr>,
    count: u64,
    disposition: String,
    dkim: bool,
    passes_spf: bool,
    reasons: Vec<String>,
    header_from: String,
    envelope_from: String,
    signatures: Vec<Signature>,
    /// The one that counts of those that are read, and the one that is being read.
    spf: Option<Checked>,
    check: Checked,
}

/// One SPF check of a record. Of several, RFC 7489 has one for each identity: DMARC goes by that of MAIL FROM, and of two like
/// ones by that which passed, the first of them.
#[derive(Default)]
struct Checked {
    domain: String,
    result: String,
    is_of_helo: bool,
}

impl Checked {
    fn weight(&self) -> (bool, bool) {
        (!self.is_of_helo, self.result == "pass")
    }
}

/// Reads the XML, of which the end may be cut off: then it is the records that are whole. The error says what is wrong with it.
pub(crate) fn read(xml: &[u8], is_cut: bool) -> Result<Aggregate, String> {
    let xml = String::from_utf8_lossy(xml);
    let mut reader = Reader::from_str(&xml);
    reader.config_mut().allow_dangling_amp = true;
    let (mut path, mut text): (Vec<String>, String) = (Vec::new(), String::new());
    let (mut report, mut draft) = (Aggregate { is_cut, ..Aggregate::default() }, Draft::default());
    let mut is_report = false;
    loop {
        let event = match reader.read_event() {
            // In the middle of a tag.
            Err(quick_xml::Error::Syntax(_)) if is_cut => break,
            event => event.map_err(|error| format!("the XML is broken: {error}"))?,
        };
        match event {
            Event::Start(start) => {
                if path.len() == DEPTH {
                    return Err("the XML is nested deeper than any report".into());
                }
                let name = start.local_name().as_ref().to_owned();
                if path.is_empty() && name != "feedback" {
                    return Err("the XML is no DMARC report".into());
                }
                is_report = true;
                path.push(name);
                text.clear();
                open(&path, &mut draft);
            }
            Event::Text(part) => append(&mut text, &part),
            Event::CData(part) => append(&mut text, &part),
            Event::GeneralRef(entity) => {
                let named = match &*entity {
                    "amp" => Some('&'),
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "quot" => Some('"'),
                    "apos" => Some('\''),
                    _ => entity.resolve_char_ref().ok().flatten(),
                };
                append(&mut text, named.unwrap_or('?').encode_utf8(&mut [0; 4]));
            }
            Event::End(_) => {
                close(&path, text.trim(), &mut report, &mut draft)?;
                path.pop();
                text.clear();
            }
            Event::DocType(_) => return Err("the XML has a DOCTYPE, which no report needs".into()),
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    if !is_report || !(path.is_empty() || is_cut) || report.policy.domain.is_empty() {
        return Err("the XML is no whole DMARC report: it names no policy_published domain, or is cut off".into());
    }
    Ok(report)
}

fn append(text: &mut String, part: &str) {
    let room = TEXT.saturating_sub(text.len());
    text.push_str(&part[..part.floor_char_boundary(room)]);
}

fn open(path: &[String], draft: &mut Draft) {
    match inside(path)[..] {
        ["record"] => *draft = Draft::default(),
        ["record", "auth_results", "dkim"] if draft.signatures.len() < FEW => {
            draft.signatures.push(Signature::default())
        }
        ["record", "auth_results", "spf"] => draft.check = Checked::default(),
        _ => {}
    }
}

/// The path below the root, as it is matched.
fn inside(path: &[String]) -> Vec<&str> {
    path.iter().skip(1).map(String::as_str).collect()
}

fn close(path: &[String], text: &str, report: &mut Aggregate, draft: &mut Draft) -> Result<(), String> {
    let own = || text.to_owned();
    match inside(path)[..] {
        ["report_metadata", "org_name"] => report.reporter = own(),
        ["report_metadata", "email"] => report.email = own(),
        ["report_metadata", "report_id"] => report.id = own(),
        ["report_metadata", "error"] if report.errors.len() < FEW => report.errors.push(own()),
        ["report_metadata", "date_range", "begin"] => report.begin = seconds(text),
        ["report_metadata", "date_range", "end"] => report.end = seconds(text),
        ["policy_published", name] => publish(&mut report.policy, name, text),
        ["record"] => finish(draft, report),
        ["record", "row", "count"] => draft.count = count(text)?,
        ["record", ref rest @ ..] => fill(draft, rest, text),
        _ => {}
    }
    Ok(())
}

/// Seconds since 1970, also where they are written with a fraction, as milliseconds, or as a date.
fn seconds(text: &str) -> i64 {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    match whole.parse::<i64>() {
        Ok(number) if number >= MILLISECONDS => number / 1000,
        Ok(number) => number,
        // A date without a zone is one of UTC, as the days of reports are; one without a time is its beginning.
        Err(_) => ["", "Z", "T00:00:00Z"]
            .iter()
            .find_map(|rest| format!("{text}{rest}").parse::<Timestamp>().ok())
            .map_or(0, |at| at.0.div_euclid(1000)),
    }
}

/// Messages of one record. A report in which that is no number would be counted wrong, whatever was taken in its place.
fn count(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| format!("the XML counts `{text}` messages, which is no number"))
}

fn publish(policy: &mut Policy, name: &str, text: &str) {
    let field = match name {
        "domain" => &mut policy.domain,
        "p" => &mut policy.p,
        "sp" => &mut policy.sp,
        "np" => &mut policy.np,
        "adkim" => &mut policy.adkim,
        "aspf" => &mut policy.aspf,
        "pct" => &mut policy.pct,
        "testing" => &mut policy.testing,
        _ => return,
    };
    *field = text.to_ascii_lowercase();
}

fn fill(draft: &mut Draft, path: &[&str], text: &str) {
    let own = || text.to_ascii_lowercase();
    let passes = || text.eq_ignore_ascii_case("pass");
    match path {
        ["row", "source_ip"] => draft.source = text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical()),
        ["row", "policy_evaluated", "disposition"] => draft.disposition = own(),
        ["row", "policy_evaluated", "dkim"] => draft.dkim = passes(),
        ["row", "policy_evaluated", "spf"] => draft.passes_spf = passes(),
        ["row", "policy_evaluated", "reason", "type"] if draft.reasons.len() < FEW => draft.reasons.push(own()),
        ["identifiers", "header_from"] => draft.header_from = own(),
        ["identifiers", "envelope_from"] => draft.envelope_from = own(),
        ["auth_results", "dkim", name] => {
            if let Some(signature) = draft.signatures.last_mut() {
                match *name {
                    "domain" => signature.domain = own(),
                    "selector" => signature.selector = own(),
                    "result" => signature.result = own(),
                    _ => {}
                }
            }
        }
        ["auth_results", "spf", "domain"] => draft.check.domain = own(),
        ["auth_results", "spf", "result"] => draft.check.result = own(),
        ["auth_results", "spf", "scope"] => draft.check.is_of_helo = text.eq_ignore_ascii_case("helo"),
        ["auth_results", "spf"] => {
            let check = std::mem::take(&mut draft.check);
            if draft.spf.as_ref().is_none_or(|kept| check.weight() > kept.weight()) {
                draft.spf = Some(check);
            }
        }
        _ => {}
    }
}

/// A record without an address says nothing.
fn finish(draft: &mut Draft, report: &mut Aggregate) {
    let draft = std::mem::take(draft);
    let Some(source) = draft.source else { return };
    if report.records.len() == RECORDS {
        report.is_cut = true;
        return;
    }
    let checked = draft.spf.unwrap_or_default();
    report.records.push(Record {
        source,
        count: draft.count,
        disposition: draft.disposition,
        dkim: draft.dkim,
        spf: draft.passes_spf,
        reasons: draft.reasons,
        header_from: draft.header_from,
        envelope_from: draft.envelope_from,
        signatures: draft.signatures,
        spf_domain: checked.domain,
        spf_result: checked.result,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What we sent by IPv4 was another's by its address, and a report with a fraction of a second was one of 1970.
    #[test]
    fn an_address_within_ipv6_is_itself_and_a_fraction_of_a_second_is_dropped() {
        let xml = "<feedback><report_metadata><date_range><begin>1795737600.0</begin><end>1795823999.5</end></date_range>\
                   </report_metadata><policy_published><domain>example.com</domain></policy_published><record><row>\
                   <source_ip>::ffff:192.0.2.1</source_ip><count>1</count></row></record></feedback>";
        let report = read(xml.as_bytes(), false).unwrap();
        assert_eq!((report.begin, report.end), (1_795_737_600, 1_795_823_999));
        assert_eq!(report.told_by(), "an unnamed receiver");
        assert_eq!(report.records[0].source, IpAddr::from([192, 0, 2, 1]));
    }

    /// It was one of the year 58,000, or of 1970.
    #[test]
    fn a_date_is_read_in_milliseconds_and_as_a_date() {
        let check = |text: &str, expected: i64| assert_eq!(seconds(text), expected, "{text}");
        for same in [
            "1795737600",
            "1795737600000",
            "2026-11-27T00:00:00Z",
            "2026-11-27 00:00:00",
            "2026-11-27",
            "2026-11-27T01:00:00+01:00",
        ] {
            check(same, 1_795_737_600);
        }
        check("2026-11-27T00:00:00.25Z", 1_795_737_600);
        check("soon", 0);
        check("", 0);
    }

    /// The last one counted, which is that of HELO where a receiver checks both.
    #[test]
    fn of_two_spf_checks_that_of_mail_from_counts() {
        let check = |checks: &[(&str, &str, &str)], expected: (&str, &str)| {
            let one = |(domain, scope, result): &(&str, &str, &str)| {
                format!("<spf><domain>{domain}</domain>{scope}<result>{result}</result></spf>")
            };
            let checks: String = checks.iter().map(one).collect();
            let xml = format!(
                "<feedback><policy_published><domain>a.test</domain></policy_published><record><row><source_ip>192.0.2.1\
                 </source_ip><count>1</count><policy_evaluated><spf>pass</spf></policy_evaluated></row><auth_results>{checks}\
                 </auth_results></record></feedback>"
            );
            let record = read(xml.as_bytes(), false).unwrap().records.remove(0);
            assert!(record.spf);
            assert_eq!((record.spf_domain.as_str(), record.spf_result.as_str()), expected, "{checks}");
        };
        let (of_from, of_helo) = ("<scope>mfrom</scope>", "<scope>helo</scope>");
        check(&[("a.test", of_from, "fail"), ("mx.test", of_helo, "pass")], ("a.test", "fail"));
        check(&[("mx.test", of_helo, "pass"), ("a.test", "", "fail")], ("a.test", "fail"));
        check(&[("a.test", "", "pass"), ("mx.test", "", "none")], ("a.test", "pass"));
        check(&[("b.test", "", "softfail"), ("a.test", "", "pass")], ("a.test", "pass"));
        check(&[("a.test", "", "none"), ("b.test", "", "none")], ("a.test", "none"));
        check(&[("mx.test", of_helo, "pass")], ("mx.test", "pass"));
        check(&[], ("", ""));
    }

    /// A report whose end was cut off was no report.
    #[test]
    fn wherever_the_end_is_cut_off_the_whole_records_are_kept() {
        let head = "<?xml version=\"1.0\"?><feedback><report_metadata><org_name>R&amp;S</org_name></report_metadata>\
                    <policy_published><domain>example.com</domain></policy_published>";
        let record = "<record><row><source_ip>192.0.2.1</source_ip><count>12</count></row><!-- ü --><identifiers a='1'>\
                      <header_from>ex&#97;mple.com</header_from></identifiers></record>";
        let xml = format!("{head}{record}{record}");
        for end in head.len()..=xml.len() {
            let cut = &xml.as_bytes()[..end];
            let report = read(cut, true).unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(cut)));
            let whole = String::from_utf8_lossy(cut).matches("</record>").count();
            assert_eq!((report.records.len(), report.is_cut), (whole, true), "{}", String::from_utf8_lossy(cut));
            assert!(report.records.iter().all(|record| record.count == 12 && record.header_from == "example.com"));
            assert!(read(cut, false).is_err());
        }
        assert!(
            read(&xml.as_bytes()[..head.len() - 60], true).unwrap_err().contains("names no policy_published domain")
        );
        assert!(read(format!("{head}<record></row>{record}").as_bytes(), true).unwrap_err().contains("broken"));
    }
}
