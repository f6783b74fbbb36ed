//! Records that have no say any more, records that could say more, and whether the answers about
//! our names are signed.

use repute_types::{Domain, Timestamp};

use super::Finding;
use crate::lookup::Answer;
use crate::spf;

/// Records of DNS type SPF, number 99 (RFC 7208 §3.1: they must not be published).
pub fn old_spf_type(sending: &Domain, identity: &Domain, found: &Answer) -> Finding {
    let id = "spf.typ99";
    let finding = match found {
        Answer::Failure(why) => {
            Finding::unknown(id, identity, format!("whether {identity} has a record of the old type SPF"), why)
        }
        answer if answer.is_void() => {
            Finding::pass(id, identity, format!("{identity} has no record of the old type SPF"))
        }
        _ => Finding::warn(
            id,
            identity,
            format!(
                "{identity} still has a record of the old type SPF (99), which nobody reads and which may contradict"
            ),
        )
        .fix(format!("delete the SPF record (type 99) of {identity}; the TXT record stays")),
    };
    finding.for_domain(sending)
}

/// What stands where ADSP (RFC 5617, historic) and the policy of the first DomainKeys stood: each
/// name with its answer.
pub fn old_policies(domain: &Domain, found: &[(String, Answer)]) -> Finding {
    let id = "dkim.adsp";
    let old = |text: &&Vec<u8>| text.starts_with(b"dkim=") || text.starts_with(b"o=") || text.starts_with(b"t=y");
    let left = found.iter().find_map(|(name, answer)| Some((name, answer.texts().iter().find(old)?)));
    let unknown =
        found.iter().find_map(|(name, a)| if let Answer::Failure(why) = a { Some((name, why)) } else { None });
    let finding = match (left, unknown) {
        (Some((name, text)), _) => Finding::warn(
            id,
            domain,
            format!("{name} still has an old policy (\"{}\"), which DMARC replaces", text.escape_ascii()),
        )
        .fix(format!("delete the TXT record of {name}")),
        (None, Some((name, why))) => Finding::unknown(id, domain, format!("whether {name} has an old policy"), why),
        (None, None) => Finding::pass(id, domain, format!("no old policy (ADSP, DomainKeys) is left at {domain}")),
    };
    finding.for_domain(domain)
}

/// Names that have an address and never send: what TXT says at each.
pub fn silent_names(domain: &Domain, names: &[(String, Answer)]) -> Vec<Finding> {
    let id = "spf.unused";
    let one = |(name, answer): &(String, Answer)| match answer {
        Answer::Failure(why) => Finding::unknown(id, name, format!("whether {name} says that it never sends"), why),
        answer => match spf::select(answer.texts()).is_empty() {
            false => Finding::pass(id, name, format!("{name} says who may send as it")),
            true => Finding::pass(id, name, format!("{name} never sends, and does not say so"))
                .fix("publish this record, so that nobody else sends as it")
                .record(format!("{name}. IN TXT \"v=spf1 -all\"")),
        },
    };
    names.iter().map(|named| one(named).for_domain(domain)).collect()
}

/// `default._bimi`: a logo beside our mail, for domains whose DMARC is enforced. Never a reproach
/// to have none; one that cannot be shown is.
pub fn logo(domain: &Domain, found: &Answer, enforced: Option<bool>) -> Finding {
    let (id, name) = ("bimi", format!("default._bimi.{domain}"));
    let records: Vec<String> = found.texts().iter().map(|t| String::from_utf8_lossy(t).into_owned()).collect();
    let ours: Vec<&String> = records.iter().filter(|t| t.trim_start().starts_with("v=BIMI1")).collect();
    let finding = match (found, ours.as_slice()) {
        (Answer::Failure(why), _) => Finding::unknown(id, domain, format!("the record at {name}"), why),
        (_, []) => {
            let finding = Finding::pass(id, domain, format!("{domain} shows no logo"));
            match enforced {
                Some(true) => finding.fix("DMARC is enforced, so a logo may be shown: an SVG Tiny PS picture, and a certificate for Gmail and Apple")
                    .record(format!("{name}. IN TXT \"v=BIMI1; l=https://{domain}/logo.svg; a=\"")),
                _ => finding,
            }
        }
        (_, [one]) => {
            let tag = |wanted: &str| {
                one.split(';')
                    .filter_map(|t| t.trim().split_once('='))
                    .find(|(n, _)| n.trim() == wanted)
                    .map(|(_, v)| v.trim().to_owned())
            };
            let picture = tag("l").unwrap_or_default();
            match (picture.is_empty() || picture.starts_with("https://"), enforced) {
                (false, _) => {
                    Finding::warn(id, domain, format!("the logo at {name} is not at an https address ({picture})"))
                        .fix("write l=https://...")
                }
                (true, Some(false)) => Finding::warn(
                    id,
                    domain,
                    format!("{name} names a logo, and no receiver shows it while DMARC is not enforced"),
                )
                .fix("ask for p=quarantine or p=reject first")
                .follows("dmarc.policy"),
                (true, _) if picture.is_empty() => {
                    Finding::pass(id, domain, format!("{domain} says that it has no logo"))
                }
                (true, _) => Finding::pass(id, domain, format!("{domain} shows {picture}")),
            }
        }
        (_, several) => {
            Finding::warn(id, domain, format!("{name} has {} records, so none of them counts", several.len()))
                .fix("keep one of them")
        }
    };
    finding.for_domain(domain)
}

/// Who may issue certificates for a name (RFC 8659): the `issue` values nearest above it, and the
/// issuer of ours, where that is known.
pub fn issuers(host: &Domain, found: &Result<Vec<String>, String>, ours: Option<&str>) -> Finding {
    let id = "caa.own";
    match found {
        Err(why) => Finding::unknown(id, host, format!("who may issue certificates for {host}"), why),
        Ok(values) if values.is_empty() => {
            Finding::pass(id, host, format!("any authority may issue certificates for {host}"))
        }
        Ok(values) => {
            let names: Vec<&str> = values
                .iter()
                .map(|v| v.split(';').next().unwrap_or_default().trim())
                .filter(|v| !v.is_empty())
                .collect();
            let said = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
            match ours {
                Some(ours) if !names.contains(&ours) => {
                    Finding::warn(id, host, format!("only {said} may issue certificates for {host}, and ours come from {ours}: the next will be refused"))
                        .fix("publish this record beside the others").record(format!("{host}. IN CAA 0 issue \"{ours}\""))
                }
                _ => Finding::pass(id, host, format!("certificates for {host} may be issued by {said}")),
            }
        }
    }
}

/// What is known about the signature of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signing {
    /// Its parent has no DS record for it.
    Unsigned,
    /// There is a DS record. `valid`: the resolver validated an answer; `None` where it does not
    /// validate at all. `until`: the earliest end of a signature of its SOA at its servers.
    Signed {
        valid: Option<bool>,
        until: Option<Timestamp>,
    },
    /// The answer is forged or its signatures are broken. `until`: as above.
    Bogus {
        why: String,
        until: Option<Timestamp>,
    },
    Unknown(String),
}

/// Two days: signers renew a week before the end.
const SOON: i64 = 2 * 86_400_000;

pub fn signed(sending: Option<&Domain>, zone: &Domain, found: &Signing, now: Timestamp) -> Finding {
    let id = "dnssec.own";
    let finding = match found {
        Signing::Unknown(why) => Finding::unknown(id, zone, format!("whether {zone} is signed"), why),
        Signing::Bogus { why, until } => {
            let gone = "for every resolver that validates, the domain is gone";
            let verdict = match until.filter(|until| *until <= now) {
                Some(until) => format!("the signatures of {zone} ended at {until}: {gone}"),
                None => format!("the signatures of {zone} are broken ({why}): {gone}"),
            };
            Finding::fail(id, zone, verdict)
                .fix(format!("sign {zone} anew, or have its registrar take the DS record out"))
        }
        // Nobody counts it against mail; DANE and MTA-STS are safer with it.
        Signing::Unsigned => Finding::pass(id, zone, format!("{zone} is not signed (DNSSEC)"))
            .fix(format!("have {zone} signed where its DNS is hosted, and the DS record put in by its registrar")),
        Signing::Signed { until: Some(until), .. } if *until <= now => {
            Finding::fail(id, zone, format!("the signatures of {zone} ended at {until}"))
                .fix(format!("sign {zone} anew"))
        }
        Signing::Signed { until: Some(until), .. } if until.millis() - now.millis() < SOON => {
            Finding::warn(id, zone, format!("the signatures of {zone} end at {until}, and were not renewed"))
                .fix(format!("see why {zone} is not signed anew"))
        }
        Signing::Signed { valid: Some(true), .. } => {
            Finding::pass(id, zone, format!("{zone} is signed, and its signatures are valid"))
        }
        Signing::Signed { valid: Some(false), .. } => Finding::unknown(
            id,
            zone,
            format!("whether the signatures of {zone} are valid"),
            "it has a DS record, and our resolver vouches for no answer",
        ),
        Signing::Signed { valid: None, .. } => Finding::unknown(
            id,
            zone,
            format!("whether the signatures of {zone} are valid"),
            "our resolver does not validate",
        )
        .follows("dns.dnssec"),
    };
    match sending {
        Some(domain) => finding.for_domain(domain),
        None => finding,
    }
}

/// Our resolver vouches for what is signed (`com`), and gives no answer for what is forged
/// (`dnssec-failed.org`): an address that came is one that must not have come.
pub fn resolver_validates(signed: &Result<bool, String>, forged: &Answer) -> Finding {
    let (id, about) = ("dns.dnssec", "resolver");
    let cure = "validate: `resolver = \"own\"` in [resolver], or a resolver on this machine that does (unbound)";
    match (signed, forged) {
        (Err(why), _) => Finding::unknown(id, about, "whether our resolver validates DNSSEC", why),
        (_, answer) if !answer.addresses().is_empty() => Finding::warn(
            id,
            about,
            "our resolver takes answers with broken DNSSEC signatures, so DANE cannot protect outgoing mail",
        )
        .fix(cure),
        (Ok(false), _) => {
            Finding::warn(id, about, "our resolver does not validate DNSSEC, so DANE cannot protect outgoing mail")
                .fix(cure)
        }
        (Ok(true), _) => Finding::pass(id, about, "our resolver validates DNSSEC"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Outcome::{self, Fail, Pass, Unknown, Warn};

    fn d(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    fn texts(list: &[&str]) -> Answer {
        Answer::Texts(list.iter().map(|t| t.as_bytes().to_vec()).collect())
    }

    fn failure() -> Answer {
        Answer::Failure("SERVFAIL".into())
    }

    #[test]
    fn what_is_left_over_is_told() {
        let typ99 = |answer: Answer| old_spf_type(&d("example.com"), &d("example.com"), &answer).outcome;
        assert_eq!([typ99(texts(&["v=spf1 -all"])), typ99(Answer::NoData), typ99(failure())], [Warn, Pass, Unknown]);
        let adsp = |answer: Answer| {
            old_policies(&d("example.com"), &[("_adsp._domainkey.example.com".into(), answer)]).outcome
        };
        assert_eq!(
            [adsp(texts(&["dkim=all"])), adsp(texts(&["something else"])), adsp(failure())],
            [Warn, Pass, Unknown]
        );
        let unused = |answer: Answer| silent_names(&d("example.com"), &[("www.example.com".into(), answer)]).remove(0);
        assert!(unused(Answer::NoData).fix.is_some() && unused(texts(&["v=spf1 -all"])).fix.is_none());
        assert_eq!(unused(failure()).outcome, Unknown);
    }

    #[test]
    fn logos_and_issuers() {
        let outcome = |answer: Answer, enforced| logo(&d("example.com"), &answer, enforced).outcome;
        assert_eq!(outcome(Answer::NoName, Some(true)), Pass);
        assert_eq!(outcome(texts(&["v=BIMI1; l=https://example.com/l.svg; a="]), Some(true)), Pass);
        assert_eq!(outcome(texts(&["v=BIMI1; l=http://example.com/l.svg"]), Some(true)), Warn);
        assert_eq!(outcome(texts(&["v=BIMI1; l=https://example.com/l.svg"]), Some(false)), Warn);
        assert_eq!(outcome(texts(&["v=BIMI1; l=", "v=BIMI1; l="]), None), Warn);
        assert_eq!(outcome(failure(), None), Unknown);
        let issue = |values: &[&str], ours| {
            issuers(&d("mail.example.com"), &Ok(values.iter().map(|v| (*v).to_owned()).collect()), ours).outcome
        };
        assert_eq!(issue(&[], Some("letsencrypt.org")), Pass);
        assert_eq!(issue(&["letsencrypt.org; validationmethods=dns-01"], Some("letsencrypt.org")), Pass);
        assert_eq!(issue(&["ca.example"], Some("letsencrypt.org")), Warn);
        assert_eq!(issue(&[";"], None), Pass);
        assert_eq!(issuers(&d("mail.example.com"), &Err("SERVFAIL".into()), None).outcome, Unknown);
    }

    #[test]
    fn zones_are_signed_unsigned_broken_or_not_known() {
        let now = Timestamp(1_000_000_000_000);
        let until = |days: i64| Some(Timestamp(now.millis() + days * 86_400_000));
        let outcome = |found: Signing| signed(None, &d("example.com"), &found, now).outcome;
        let signing = |valid, until| Signing::Signed { valid, until };
        assert_eq!(outcome(Signing::Unsigned), Pass);
        assert_eq!(outcome(signing(Some(true), until(9))), Pass);
        assert_eq!(outcome(signing(Some(true), None)), Pass);
        assert_eq!(outcome(signing(Some(true), until(1))), Warn);
        assert_eq!(outcome(signing(None, until(-1))), Fail);
        assert_eq!(outcome(signing(None, until(9))), Unknown);
        assert_eq!(outcome(signing(Some(false), None)), Unknown);
        assert_eq!(outcome(Signing::Bogus { why: "x".into(), until: None }), Fail);
        assert_eq!(outcome(Signing::Unknown("x".into())), Unknown);
    }

    #[test]
    fn a_resolver_validates_or_does_not() {
        let address = Answer::Addresses(vec!["192.0.2.1".parse().unwrap()]);
        let outcome = |signed: Result<bool, &str>, forged: &Answer| -> Outcome {
            resolver_validates(&signed.map_err(str::to_owned), forged).outcome
        };
        assert_eq!(outcome(Ok(true), &failure()), Pass);
        assert_eq!(outcome(Ok(true), &address), Warn);
        assert_eq!(outcome(Ok(false), &failure()), Warn);
        assert_eq!(outcome(Err("no answer"), &failure()), Unknown);
    }
}
