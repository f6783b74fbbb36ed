//! Rule 5: the keys that sign are the keys that stand in DNS, at every server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use repute_types::Domain;

use super::{Finding, Outcome};
use crate::lookup::Answer;
use crate::spf::zone_file_text;

/// One key of ours, and what DNS has of it.
#[derive(Clone, Debug)]
pub struct Facts {
    pub domain: Domain,
    pub selector: String,
    /// `rsa` or `ed25519`.
    pub kind: &'static str,
    pub bits: usize,
    /// The `p=` that belongs into DNS.
    pub public_key: String,
    /// The record to publish.
    pub record: String,
    /// TXT at the selector: what each authoritative server says, by its name. Where none could
    /// be asked, what the resolver says.
    pub answers: Vec<(String, Answer)>,
    /// Where the name is an alias and no key is found by it: of what.
    pub alias: Option<String>,
}

impl Facts {
    fn name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    fn line(&self) -> String {
        format!("{}. IN TXT {}", self.name(), zone_file_text(&self.record))
    }
}

pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![exists(facts)];
    findings.extend(single(facts));
    findings.extend(tags(facts));
    findings.extend(matches(facts));
    findings.push(strength(facts));
    findings.into_iter().map(|f| f.for_domain(&facts.domain)).collect()
}

/// The servers, for a sentence: `ns1.example.com and ns2.example.com`.
fn list(servers: &[&str]) -> String {
    match servers {
        [] => "no server".into(),
        [one] => (*one).into(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn at(facts: &Facts, wanted: impl Fn(&Answer) -> bool) -> Vec<&str> {
    facts.answers.iter().filter(|(_, answer)| wanted(answer)).map(|(server, _)| server.as_str()).collect()
}

fn unknown_at(facts: &Facts) -> Option<(&str, &str)> {
    facts
        .answers
        .iter()
        .find_map(|(s, a)| if let Answer::Failure(why) = a { Some((s.as_str(), why.as_str())) } else { None })
}

fn exists(facts: &Facts) -> Finding {
    let (name, id) = (facts.name(), "dkim.exists");
    let absent = at(facts, Answer::is_void);
    if !absent.is_empty() {
        let where_not =
            if absent.len() == facts.answers.len() { String::new() } else { format!(" at {}", list(&absent)) };
        let verdict = format!("there is no key at {name}{where_not}, and this server signs with it");
        // No record may stand beside an alias.
        let finding = match &facts.alias {
            Some(of) => Finding::fail(id, &name, format!("{verdict}: the name is an alias of {of}, which has none"))
                .fix(format!(
                    "take the CNAME record of {name} out and publish this one in its place, or publish the key at {of}"
                )),
            None => Finding::fail(id, &name, verdict).fix("publish this record"),
        };
        return finding.record(facts.line());
    }
    match unknown_at(facts) {
        Some((server, why)) => Finding::unknown(id, &name, format!("what {server} has at {name}"), why),
        None => Finding::pass(id, &name, format!("{name} is at all {} name servers", facts.answers.len())),
    }
}

fn single(facts: &Facts) -> Option<Finding> {
    let name = facts.name();
    let several = facts.answers.iter().map(|(_, a)| a.texts().len()).max().filter(|n| *n > 0)?;
    Some(match several {
        1 => Finding::pass("dkim.single", &name, format!("{name} has one TXT record")),
        n => Finding::fail(
            "dkim.single",
            &name,
            format!("{name} has {n} TXT records, and receivers take any one of them"),
        )
        .fix("delete all but this one")
        .record(facts.line()),
    })
}

/// How a key of this kind cannot look, cut off when it was pasted, say.
fn wrong_form(kind: &str, key: &[u8]) -> Option<String> {
    match kind {
        // RFC 8463 §4.2: the octets of the key, nothing around them.
        "ed25519" if key.len() != 32 => Some(format!("p= has {} octets, and a key has 32", key.len())),
        // A SEQUENCE whose length stands in the two octets behind 30 82 (RFC 6376 §3.6.1).
        "rsa" => match key {
            [0x30, 0x82, high, low, rest @ ..] if rest.len() < usize::from(u16::from_be_bytes([*high, *low])) => {
                Some("p= was cut off: its end is missing".to_owned())
            }
            _ => None,
        },
        _ => None,
    }
}

/// A key record (RFC 6376 §3.6.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRecord {
    tags: Vec<(String, String)>,
}

impl KeyRecord {
    /// Tags in their order, names as written. `Err` names the part that is no tag.
    pub fn parse(text: &[u8]) -> Result<KeyRecord, String> {
        let text = String::from_utf8_lossy(text);
        let mut tags = Vec::new();
        for part in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| format!("{part:?} is no tag=value"))?;
            tags.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        Ok(KeyRecord { tags })
    }

    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The key, blanks taken out; `None` where there is none or it is no base64.
    pub fn key(&self) -> Option<Vec<u8>> {
        let text: String = self.tag("p")?.chars().filter(|c| !c.is_whitespace()).collect();
        STANDARD.decode(text).ok()
    }

    /// Why no verifier may use the key for a signature of ours, whatever is signed (RFC 6376 §3.6.1, `h=` and `s=`); empty
    /// where it may.
    pub fn forbidden(&self) -> Vec<&'static str> {
        let holds = |tag: &str, word: &str| {
            self.tag(tag).is_none_or(|v| v.split(':').any(|w| w.trim() == word || w.trim() == "*"))
        };
        let wanted = [("h", "sha256", "h= does not permit sha256"), ("s", "email", "s= does not permit email")];
        wanted.into_iter().filter(|(tag, word, _)| !holds(tag, word)).map(|(_, _, why)| why).collect()
    }

    /// What makes receivers pass over the record, or read it otherwise than meant.
    fn faults(&self, kind: &str) -> Vec<String> {
        if self.tags.iter().any(|(_, value)| value.ends_with('\\')) {
            let what =
                "its semicolons stand behind backslashes, which belong to zone files alone: enter it without them";
            return vec![what.to_owned()];
        }
        let mut faults = Vec::new();
        if self.tag("v").is_some_and(|v| v != "DKIM1") || self.tags.iter().skip(1).any(|(n, _)| n == "v") {
            faults.push("v=DKIM1 has to stand first".to_owned());
        }
        if self.tag("k").unwrap_or("rsa") != kind {
            faults.push(format!("k= says {}, and the key is {kind}", self.tag("k").unwrap_or("rsa (none given)")));
        }
        match self.tag("p") {
            None => faults.push("there is no p=".to_owned()),
            Some("") => faults.push("p= is empty: the key is revoked".to_owned()),
            Some(_) if self.key().is_none() => faults.push("p= is no base64".to_owned()),
            Some(_) => faults.extend(self.key().and_then(|key| wrong_form(kind, &key))),
        }
        faults.extend(self.forbidden().into_iter().map(str::to_owned));
        faults
    }
}

fn tags(facts: &Facts) -> Option<Finding> {
    let (name, id) = (facts.name(), "dkim.tags");
    let texts: Vec<&[u8]> = facts.answers.iter().flat_map(|(_, a)| a.texts()).map(Vec::as_slice).collect();
    let (mut wrong, mut testing) = (Vec::new(), false);
    for text in &texts {
        match KeyRecord::parse(text) {
            Ok(record) => {
                wrong.extend(record.faults(facts.kind));
                testing |= record.tag("t").is_some_and(|t| t.split(':').any(|f| f.trim() == "y"));
            }
            Err(why) => wrong.push(why),
        }
    }
    wrong.sort();
    wrong.dedup();
    let first = texts.first()?;
    Some(if !wrong.is_empty() {
        Finding::fail(id, &name, format!("receivers cannot use the key at {name}: {}", wrong.join("; ")))
            .fix("publish this record in place of it")
            .record(facts.line())
    } else if testing {
        Finding::warn(
            id,
            &name,
            format!("the key at {name} is in test mode (t=y): receivers may take mail for unsigned"),
        )
        .fix("take t=y out")
        .record(facts.line())
    } else {
        Finding::pass(id, &name, format!("the record of {} octets at {name} is well formed", first.len()))
    })
}

/// Whether the key in DNS is ours. RSA keys may stand there in their older, shorter form
/// (RFC 6376 §3.6.1 and its erratum 3017): the end of ours.
fn is_ours(ours: &[u8], theirs: &[u8]) -> bool {
    ours == theirs || (theirs.len() > 128 && ours.ends_with(theirs))
}

fn matches(facts: &Facts) -> Option<Finding> {
    let (name, id) = (facts.name(), "dkim.matches");
    let ours = STANDARD.decode(&facts.public_key).unwrap_or_default();
    let key = |text: &Vec<u8>| KeyRecord::parse(text).ok().and_then(|r| r.key()).filter(|k| !k.is_empty());
    let matched = |answer: &Answer| answer.texts().iter().all(|t| key(t).is_some_and(|k| is_ours(&ours, &k)));
    let there = at(facts, |a| !a.texts().is_empty());
    let different = at(facts, |a| !a.texts().is_empty() && !matched(a));
    if !different.is_empty() {
        let place = if different.len() == facts.answers.len() { "DNS".to_owned() } else { list(&different) };
        return Some(
            Finding::fail(id, &name, format!("{place} has another key at {name} than the one this server signs with"))
                .fix("publish this record in place of it")
                .record(facts.line()),
        );
    }
    if there.is_empty() || at(facts, Answer::is_void).len() + there.len() < facts.answers.len() {
        let (server, why) = unknown_at(facts)?;
        return Some(
            Finding::unknown(id, &name, format!("whether {server} has our key at {name}"), why).follows("dkim.exists"),
        );
    }
    let servers =
        if there.len() == 1 { "1 name server".to_owned() } else { format!("all {} name servers", there.len()) };
    if there.len() < facts.answers.len() {
        return None;
    }
    let bits = if facts.kind == "rsa" { format!(" {}", facts.bits) } else { String::new() };
    Some(Finding::pass(id, &name, format!("{} ({}{bits}) is the key at {servers}", facts.selector, facts.kind)))
}

/// What became of a probe signed with the key, verified with what one server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    Verified,
    /// The verifier's reason.
    Failed(String),
    /// There is nothing to verify with.
    NoKey,
    Unknown(String),
}

/// Judges the probes, by the servers' names.
pub fn verified(facts: &Facts, probes: &[(String, Probe)]) -> Finding {
    let (name, id, selector) = (facts.name(), "dkim.sign.verify", &facts.selector);
    let first = |wanted: fn(&Probe) -> bool| probes.iter().find(|(_, probe)| wanted(probe));
    let finding = if let Some((server, Probe::Failed(why))) = first(|p| matches!(p, Probe::Failed(_))) {
        let verdict = format!("a probe signed with {selector} does not verify with the key at {server}: {why}");
        Finding::fail(id, &name, verdict).fix("publish this record").record(facts.line()).follows("dkim.matches")
    } else if let Some((server, _)) = first(|p| matches!(p, Probe::NoKey)) {
        let verdict = format!("a probe signed with {selector} cannot be verified: {server} has no key");
        Finding::fail(id, &name, verdict).fix("publish this record").record(facts.line()).follows("dkim.exists")
    } else if let Some((server, Probe::Unknown(why))) = first(|p| matches!(p, Probe::Unknown(_))) {
        let what = format!("whether a probe signed with {selector} verifies with the key at {server}");
        Finding::unknown(id, &name, what, why).follows("dkim.exists")
    } else {
        Finding::pass(id, &name, format!("a probe signed with {selector} verifies with the key of every server"))
    };
    finding.for_domain(&facts.domain)
}

/// Large receivers verify RSA alone (RFC 8463 §3 leaves it to them): where RSA signs and none of its signatures verifies,
/// mail is as good as unsigned to them, however well the others do. Takes each key's type and what its probe came to.
pub fn as_large_receivers_verify(verified: &mut [(&'static str, Finding)]) {
    let is_rsa = |kind: &str| kind == "rsa";
    let of_rsa = || verified.iter().filter(|(kind, _)| is_rsa(kind)).map(|(_, finding)| finding);
    if !of_rsa().all(|finding| finding.outcome == Outcome::Fail) {
        return;
    }
    let Some(broken) = of_rsa().next().cloned() else { return };
    for (kind, finding) in verified.iter_mut().filter(|(kind, f)| !is_rsa(kind) && f.outcome == Outcome::Pass) {
        finding.outcome = Outcome::Fail;
        finding.verdict =
            format!("{}, but it is {kind}, and large receivers verify RSA alone: {}", finding.verdict, broken.verdict);
        finding.fix = broken.fix.clone();
        finding.follows = broken.follows.or(Some(broken.id));
    }
}

/// RFC 8301 §3.2.
fn strength(facts: &Facts) -> Finding {
    let (name, id, bits) = (facts.name(), "dkim.strength", facts.bits);
    let weak = |f: Finding| f.fix(format!("make a new key under another selector: repute domain add {}", facts.domain));
    match (facts.kind, bits) {
        ("rsa", ..1024) => weak(Finding::fail(
            id,
            &name,
            format!("{} has {bits} bits, and receivers refuse less than 1024", facts.selector),
        )),
        ("rsa", 1024..2048) => {
            weak(Finding::warn(id, &name, format!("{} has {bits} bits, and 2048 are expected", facts.selector)))
        }
        ("rsa", _) => Finding::pass(id, &name, format!("{} has {bits} bits", facts.selector)),
        _ => Finding::pass(id, &name, format!("{} is an {} key", facts.selector, facts.kind)),
    }
}

/// That the domain signs at all, and with both algorithms (RFC 8463 §3).
pub fn keys(domain: &Domain, kinds: &[&str]) -> Vec<Finding> {
    let fix = format!("repute domain add {domain}");
    let mut findings = Vec::new();
    if kinds.is_empty() {
        let verdict = format!("mail of {domain} is not signed, and large receivers refuse it");
        findings.push(Finding::fail("dkim.exists", domain, verdict).fix(&fix));
    } else if kinds.contains(&"rsa") && kinds.contains(&"ed25519") {
        findings.push(Finding::pass("dkim.dual", domain, format!("{domain} signs with RSA and with Ed25519")));
    } else if kinds.contains(&"rsa") {
        findings.push(Finding::pass(
            "dkim.dual",
            domain,
            format!("{domain} signs with RSA alone, which every receiver verifies"),
        ));
    } else {
        let verdict = format!("{domain} signs with Ed25519 alone, which many receivers pass over");
        findings.push(Finding::fail("dkim.dual", domain, verdict).fix(fix));
    }
    findings.into_iter().map(|f| f.for_domain(domain)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ed25519_alone_is_no_signature_where_the_published_rsa_key_is_broken() {
        let finding = |outcome, verdict: &str| Finding::new("dkim.sign.verify", outcome, verdict, verdict);
        let outcomes = |of: &[(&'static str, Outcome)]| {
            let mut verified: Vec<_> =
                of.iter().map(|(kind, outcome)| (*kind, finding(*outcome, kind).fix("publish it"))).collect();
            as_large_receivers_verify(&mut verified);
            verified.into_iter().map(|(_, finding)| finding.outcome).collect::<Vec<_>>()
        };
        use Outcome::{Fail, Pass, Unknown};
        assert_eq!(outcomes(&[("ed25519", Pass), ("rsa", Fail)]), [Fail, Fail]);
        assert_eq!(outcomes(&[("ed25519", Pass), ("rsa", Fail), ("rsa", Pass)]), [Pass, Fail, Pass]);
        assert_eq!(outcomes(&[("ed25519", Pass), ("rsa", Unknown)]), [Pass, Unknown]);
        assert_eq!(outcomes(&[("ed25519", Fail), ("rsa", Pass)]), [Fail, Pass]);
        assert_eq!(outcomes(&[("ed25519", Pass)]), [Pass], "dkim.dual tells of it");
    }

    #[test]
    fn a_key_for_other_hashes_or_services_is_of_no_use() {
        let forbidden = |text: &str| KeyRecord::parse(text.as_bytes()).unwrap().forbidden();
        for usable in ["p=AAAA", "h=sha1 : sha256; s=email; p=AAAA", "h=*; s=*; p=AAAA"] {
            assert_eq!(forbidden(usable), [""; 0], "{usable}");
        }
        assert_eq!(forbidden("h=sha1; p=AAAA"), ["h= does not permit sha256"]);
        assert_eq!(forbidden("h=sha1; s=tlsrpt; p=AAAA"), ["h= does not permit sha256", "s= does not permit email"]);
    }

    #[test]
    fn a_key_that_was_cut_off_or_pasted_from_a_zone_file_was_called_well_formed() {
        let faults = |kind, text: &str| KeyRecord::parse(text.as_bytes()).unwrap().faults(kind).join("; ");
        let whole = STANDARD.encode([7; 32]);
        assert_eq!(faults("ed25519", &format!("v=DKIM1; k=ed25519; p={whole}")), "");
        assert_eq!(faults("ed25519", "v=DKIM1; k=ed25519; p=BwcH"), "p= has 3 octets, and a key has 32");
        assert!(faults("ed25519", &format!("v=DKIM1\\; k=ed25519\\; p={whole}")).contains("backslashes"));
        let cut = STANDARD.encode([&[0x30, 0x82, 1, 0x22][..], &[1; 200]].concat());
        assert_eq!(faults("rsa", &format!("v=DKIM1; p={cut}")), "p= was cut off: its end is missing");
    }
}
