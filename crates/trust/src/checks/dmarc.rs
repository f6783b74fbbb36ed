//! DMARC of a sending domain (RFC 9989): a record that holds, that receivers can read, whose
//! reports arrive, and under which our own mail passes.

use repute_types::Domain;

use super::Finding;
use crate::dmarc::{Alignment, Demand, Policy, Record};
use crate::lookup::Answer;

#[derive(Clone, Debug)]
pub struct Facts {
    /// The domain in From, which also is the `d=` of our signatures.
    pub domain: Domain,
    /// The domain in MAIL FROM.
    pub return_path: Domain,
    pub signed: bool,
    pub policy: Result<Policy, (Domain, String)>,
    /// For each domain of somebody else that gets reports: TXT at
    /// `DOMAIN._report._dmarc.THEIRS` (RFC 9990 §4).
    pub consents: Vec<(Domain, Answer)>,
}

/// The domains that reports go to, but for those of the organisation itself.
pub fn foreign_reports(policy: &Policy) -> Vec<Domain> {
    let Some((_, record)) = &policy.found else { return Vec::new() };
    let mut domains: Vec<Domain> = record.reports_to.iter().filter_map(|uri| mailbox_domain(uri)).collect();
    domains.retain(|domain| !domain.is_within(&policy.organisation));
    domains.sort();
    domains.dedup();
    domains
}

fn mailbox_domain(uri: &str) -> Option<Domain> {
    let scheme = uri.get(..7).filter(|s| s.eq_ignore_ascii_case("mailto:"))?;
    let address = uri[scheme.len()..].split(['!', '?']).next()?;
    Domain::parse(address.rsplit_once('@')?.1).ok()
}

pub fn judge(facts: &Facts) -> Vec<Finding> {
    let domain = &facts.domain;
    let findings = match &facts.policy {
        Err((at, why)) => vec![
            Finding::unknown("dmarc.exists", domain, format!("the record of _dmarc.{at}"), why),
            Finding::unknown(
                "spf.align",
                domain,
                format!("whether the return path {} belongs to {domain}", facts.return_path),
                why,
            )
            .follows("dmarc.exists"),
        ],
        Ok(policy) => match &policy.found {
            None => vec![absent(facts, policy), path_aligned(facts, policy, Alignment::Relaxed)],
            Some((at, record)) => {
                let demand = policy.demand(domain).unwrap_or(Demand::None);
                let own = format!("_dmarc.{at} asks for p={}", demand.as_str());
                let mut all = vec![Finding::pass("dmarc.exists", domain, own)];
                all.push(tags(domain, at, record));
                all.push(level(facts, demand));
                all.push(aligned(facts, policy, record));
                all.push(path_aligned(facts, policy, record.spf));
                all.extend(reports(facts, at, record));
                all.push(below(domain, at, record));
                all
            }
        },
    };
    findings.into_iter().map(|f| f.for_domain(domain)).collect()
}

fn first_record(facts: &Facts) -> String {
    format!("_dmarc.{}. IN TXT \"v=DMARC1; p=none; {}\"", facts.domain, rua(facts))
}

/// Reports go where this server reads them, as `repute records` has it.
fn rua(facts: &Facts) -> String {
    let Facts { domain, return_path: path, .. } = facts;
    match path != domain && path.is_within(domain) {
        true => format!("rua=mailto:dmarc@{path}"),
        false => format!("rua=mailto:postmaster@{domain}"),
    }
}

fn absent(facts: &Facts, policy: &Policy) -> Finding {
    let (domain, line) = (&facts.domain, first_record(facts));
    match policy.several.first() {
        Some((at, n)) => Finding::fail(
            "dmarc.exists",
            domain,
            format!("_dmarc.{at} has {n} DMARC records, so receivers use none of them"),
        )
        .fix("keep one of them, and delete the others"),
        None if !policy.passed_over.is_empty() => {
            let text: String = policy.passed_over[0].chars().filter(|c| !c.is_control()).take(100).collect();
            let verdict = format!(
                "what stands at _dmarc.{domain} is no DMARC record to receivers, since it does not begin with \
                 \"v=DMARC1;\" in these letters: {text:?}"
            );
            Finding::fail("dmarc.exists", domain, verdict).fix("publish this record in place of it").record(line)
        }
        None => {
            Finding::fail("dmarc.exists", domain, format!("neither {domain} nor a domain above it has a DMARC record"))
                .fix("publish this record; the mailbox in it gets daily reports")
                .record(line)
        }
    }
}

fn tags(domain: &Domain, at: &Domain, record: &Record) -> Finding {
    match record.remarks.is_empty() {
        true => Finding::pass("dmarc.9989", domain, format!("the record at _dmarc.{at} is as RFC 9989 has it")),
        false => {
            let verdict = format!("the record at _dmarc.{at} is not as RFC 9989 has it: {}", record.remarks.join("; "));
            Finding::warn("dmarc.9989", domain, verdict).fix(format!("correct the record at _dmarc.{at}"))
        }
    }
}

/// RFC 9989 §7.4: who asks for rejection has to sign.
fn level(facts: &Facts, demand: Demand) -> Finding {
    let (domain, id) = (&facts.domain, "dmarc.policy");
    match demand {
        Demand::None => Finding::pass(id, domain, "p=none asks nothing of receivers yet".to_owned()).fix(
            "when the reports show no failing source of yours for some weeks, ask for p=quarantine, then p=reject",
        ),
        _ if !facts.signed => {
            let verdict = format!("{domain} asks for p={} and does not sign: forwarded mail is lost", demand.as_str());
            Finding::fail(id, domain, verdict).fix(format!("sign: repute domain add {domain}"))
        }
        _ => Finding::pass(id, domain, format!("forged mail is to be treated with p={}", demand.as_str())),
    }
}

/// Our own mail, judged as a receiver will: the signature is the From domain's own; SPF counts
/// where the return path belongs to the same organisation (§4.4).
fn aligned(facts: &Facts, policy: &Policy, record: &Record) -> Finding {
    let (domain, path, id) = (&facts.domain, &facts.return_path, "dmarc.align");
    let spf = belongs(facts, policy, record.spf);
    match (facts.signed, spf) {
        (true, true) => {
            Finding::pass(id, domain, format!("the signature and the return path {path} both belong to {domain}"))
        }
        (true, false) => {
            Finding::pass(id, domain, format!("the signature belongs to {domain}; the return path {path} does not"))
        }
        (false, true) => {
            Finding::warn(id, domain, format!("only the return path {path} belongs to {domain}: forwarded mail fails"))
                .fix(format!("sign: repute domain add {domain}"))
        }
        (false, false) => {
            Finding::fail(id, domain, format!("neither a signature nor the return path {path} belongs to {domain}"))
                .fix(format!("sign: repute domain add {domain}"))
        }
    }
}

fn belongs(facts: &Facts, policy: &Policy, how: Alignment) -> bool {
    match how {
        Alignment::Strict => facts.return_path == facts.domain,
        Alignment::Relaxed => facts.return_path.is_within(&policy.organisation),
    }
}

/// SPF speaks of the return path; it counts for DMARC where that belongs to the domain in From.
fn path_aligned(facts: &Facts, policy: &Policy, how: Alignment) -> Finding {
    let (id, domain, path) = ("spf.align", &facts.domain, &facts.return_path);
    match belongs(facts, policy, how) {
        true => Finding::pass(id, domain, format!("the return path {path} belongs to {domain}")),
        false => Finding::warn(
            id,
            domain,
            format!("the return path {path} does not belong to {domain}, so SPF counts nothing for DMARC"),
        )
        .fix(match how {
            // Not even a name under the domain is the very same domain.
            Alignment::Strict => format!(
                "take aspf=s out of the DMARC record of {domain}: it asks for a return path in {domain} itself, and bounces \
                 come back to a name under it"
            ),
            Alignment::Relaxed => format!("set return_path = \"bounce.{domain}\" in [[domain]]"),
        }),
    }
}

fn reports(facts: &Facts, at: &Domain, record: &Record) -> Vec<Finding> {
    let (domain, id) = (&facts.domain, "dmarc.rua");
    if record.reports_to.is_empty() {
        let verdict = format!("_dmarc.{at} names no mailbox for reports (rua=), so nobody sees who sends as {domain}");
        let finding = Finding::warn(id, domain, verdict);
        // The record of a public suffix is its registry's.
        return vec![match record.psd == Some(true) && at != domain {
            true => finding.fix("publish a record of your own").record(first_record(facts)),
            false => finding.fix(format!("add {} to the record at _dmarc.{at}", rua(facts))),
        }];
    }
    let mut findings: Vec<Finding> =
        facts.consents.iter().map(|(theirs, answer)| consent(at, domain, theirs, answer)).collect();
    let unread: Vec<&str> =
        record.reports_to.iter().filter(|uri| mailbox_domain(uri).is_none()).map(String::as_str).collect();
    if !unread.is_empty() {
        let verdict = format!("reports cannot go to {}: only mailto: is known", unread.join(", "));
        findings.push(Finding::warn(id, domain, verdict).fix(format!("write {}", rua(facts))));
    }
    if findings.is_empty() {
        findings.push(Finding::pass(id, domain, format!("reports go to {}", record.reports_to.join(", "))));
    }
    findings
}

fn consent(at: &Domain, domain: &Domain, theirs: &Domain, answer: &Answer) -> Finding {
    let (id, about) = ("dmarc.rua", format!("{domain} {theirs}"));
    let name = format!("{at}._report._dmarc.{theirs}");
    match answer {
        Answer::Failure(why) => Finding::unknown(id, about, format!("whether {theirs} takes reports about {at}"), why),
        answer if answer.texts().iter().any(|text| Record::parse(text).is_some()) => {
            Finding::pass(id, about, format!("{theirs} agreed to take reports about {at}"))
        }
        _ => Finding::fail(id, about, format!("reports go to {theirs}, which did not agree to take them"))
            .fix(format!("ask {theirs} to publish this record, or have reports sent to a mailbox of {domain}"))
            .record(format!("{name}. IN TXT \"v=DMARC1\"")),
    }
}

/// Names that nobody sends from.
fn below(domain: &Domain, at: &Domain, record: &Record) -> Finding {
    let demand = record.absent.or(record.subdomains).or(record.demand).unwrap_or(Demand::None);
    let finding = Finding::pass(
        "dmarc.subdomain",
        domain,
        format!("names under {at} that do not exist are treated with p={}", demand.as_str()),
    );
    match demand {
        Demand::Reject => finding,
        _ => finding
            .fix(format!("add np=reject to the record at _dmarc.{at}: nobody sends from names that do not exist")),
    }
}
