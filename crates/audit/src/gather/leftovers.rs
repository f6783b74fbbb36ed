//! Records of a domain beside the five rules: old ones, ones that could be, the signature of its zone.

use repute_dns::{Data, Kind, Lookup, Said};
use repute_trust::checks::Finding;
use repute_trust::checks::leftovers::{
    Signing, issuers, logo, old_policies, old_spf_type, resolver_validates, signed, silent_names,
};
use repute_trust::checks::registration::{Dates, age, ending};
use repute_trust::checks::web::{Policy, imprint, mta_sts};
use repute_trust::dmarc::{Demand, Policy as Dmarc, walk};
use repute_trust::lookup::{Answer, Query};
use repute_trust::setup::{Sending, Source};
use repute_types::{Domain, Timestamp};

use super::around::json;
use super::mailboxes::mx_hosts;
use crate::questions::{Questions, all};
use crate::run::Run;
use crate::web;
use crate::zones::{self, Ends};

pub(crate) async fn check(run: Run, sending: Sending) -> Vec<Finding> {
    let domain = &sending.name;
    let mut findings = vec![ending(domain)];
    let (old_spf, old, unused, bimi, zone, sts, age) = tokio::join!(
        old_type(&run.questions, sending.mail_from()),
        texts(&run.questions, [format!("_adsp._domainkey.{domain}"), format!("_domainkey.{domain}")].into()),
        unused(&run, domain),
        bimi(&run, domain),
        signing(&run.questions, domain),
        policy(&run, &sending),
        dates(&run, domain),
    );
    findings.push(old_spf_type(domain, sending.mail_from(), &old_spf));
    findings.push(old_policies(domain, &old));
    findings.extend(silent_names(domain, &unused));
    findings.push(bimi);
    if let Some((apex, found)) = zone {
        findings.push(signed(Some(domain), &apex, &found, run.now));
    }
    findings.push(sts);
    findings.extend(age);
    findings
}

async fn old_type(questions: &Questions, name: &Domain) -> Answer {
    match questions.records(name, Kind::Spf).await {
        Lookup::Found(_) => Answer::Texts(vec![b"v=spf1".to_vec()]),
        Lookup::NoData { .. } => Answer::NoData,
        Lookup::NoName { .. } => Answer::NoName,
        Lookup::Failure(why) | Lookup::NoAnswer(why) | Lookup::NotAsked(why) => Answer::Failure(why),
    }
}

async fn texts(questions: &Questions, names: Vec<String>) -> Vec<(String, Answer)> {
    all(names.into_iter().map(|name| {
        let questions = questions.clone();
        async move {
            let answer = questions.txt(&name).await;
            (name, answer)
        }
    }))
    .await
}

/// The names of the domain that everybody has and that never send: `www`, and its MX hosts that
/// are not ours.
async fn unused(run: &Run, domain: &Domain) -> Vec<(String, Answer)> {
    let mut names: Vec<Domain> = Domain::parse(&format!("www.{domain}")).into_iter().collect();
    names
        .extend(mx_hosts(&run.questions, domain).await.unwrap_or_default().into_iter().filter(|h| h.is_within(domain)));
    names.retain(|name| name != domain && *name != run.setup.hostname && run.setup.sources().all(|e| e.ehlo != *name));
    let mut there = Vec::new();
    for name in names {
        let found = run.questions.ask(&Query { name: name.to_string(), kind: repute_trust::lookup::Kind::A }).await;
        if !found.addresses().is_empty() {
            there.push(name.to_string());
        }
    }
    texts(&run.questions, there).await
}

async fn bimi(run: &Run, domain: &Domain) -> Finding {
    let record = run.questions.txt(format!("default._bimi.{domain}")).await;
    let answers = all(walk(domain).into_iter().map(|name| {
        let questions = run.questions.clone();
        async move {
            let answer = questions.txt(format!("_dmarc.{name}")).await;
            (name, answer)
        }
    }));
    let enforced = Dmarc::find(domain, &answers.await)
        .ok()
        .map(|policy| policy.demand(domain).is_some_and(|demand| demand != Demand::None));
    logo(domain, &record, enforced)
}

/// The zone that a domain is in, and whether it is signed. `None` where no zone is found, which
/// `name.from.soa` tells.
async fn signing(questions: &Questions, domain: &Domain) -> Option<(Domain, Signing)> {
    let mut at = domain.clone();
    let (apex, soa) = loop {
        match questions.records(&at, Kind::Soa).await {
            Lookup::Found(found) => break (at, Ok(found.authentic)),
            Lookup::Failure(why) | Lookup::NoAnswer(why) | Lookup::NotAsked(why) => break (at, Err(why)),
            Lookup::NoData { .. } | Lookup::NoName { .. } => at = at.parent().filter(|up| up.as_str().contains('.'))?,
        }
    };
    let (apex, soa, ds) = match (is_delegated_signed(questions, &apex).await, soa) {
        (Ok(ds), Ok(authentic)) => (apex, Ok(authentic), ds),
        (Err(why), Ok(_)) => return Some((apex, Signing::Unknown(why))),
        // It may be the zone above whose signatures are broken.
        (ds, Err(why)) if ds != Ok(true) => match broken_above(questions, &apex).await {
            Some(zone) => (zone, Err(why), true),
            None => return Some((apex, Signing::Unknown(why))),
        },
        (_, Err(why)) => (apex, Err(why), true),
    };
    let found = match (ds, soa) {
        (false, _) => Signing::Unsigned,
        // Its own servers answer, and our resolver does not take their answer.
        (true, Err(why)) => match zones::signature_ends(questions, &apex).await {
            Ends { answered: false, .. } => Signing::Unknown(why),
            Ends { until, .. } => Signing::Bogus { why, until: until.map(|seconds| Timestamp(seconds * 1000)) },
        },
        (true, Ok(authentic)) => {
            let valid =
                if authentic { Some(true) } else { validates(questions).await.ok().and_then(|v| v.then_some(false)) };
            let until = zones::signature_ends(questions, &apex).await.until;
            Signing::Signed { valid, until: until.map(|seconds| Timestamp(seconds * 1000)) }
        }
    };
    Some((apex, found))
}

/// Whether the zone above says that this one is signed.
async fn is_delegated_signed(questions: &Questions, zone: &Domain) -> Result<bool, String> {
    match questions.records(zone, Kind::Ds).await {
        Lookup::Found(found) => Ok(!found.items.is_empty()),
        Lookup::NoData { .. } | Lookup::NoName { .. } => Ok(false),
        Lookup::Failure(why) | Lookup::NoAnswer(why) | Lookup::NotAsked(why) => Err(why),
    }
}

/// The nearest signed zone above a name, where our resolver does not take its answers either.
async fn broken_above(questions: &Questions, name: &Domain) -> Option<Domain> {
    let mut at = name.parent();
    while let Some(zone) = at.filter(|zone| zone.as_str().contains('.')) {
        if is_delegated_signed(questions, &zone).await == Ok(true) {
            let soa = questions.records(&zone, Kind::Soa).await;
            return matches!(soa, Lookup::Failure(_) | Lookup::NoAnswer(_)).then_some(zone);
        }
        at = zone.parent();
    }
    None
}

/// A zone that is signed for long, and looked up by everybody.
async fn validates(questions: &Questions) -> Result<bool, String> {
    let Ok(com) = Domain::parse("com") else { return Ok(false) };
    match questions.records(&com, Kind::Ns).await {
        Lookup::Found(found) => Ok(found.authentic),
        // In a net of its own there is no such zone, and its root proves that.
        Lookup::NoName { authentic } | Lookup::NoData { authentic } => Ok(authentic),
        Lookup::Failure(why) | Lookup::NoAnswer(why) | Lookup::NotAsked(why) => Err(why),
    }
}

/// A zone whose signatures are broken on purpose.
const FORGED: &str = "dnssec-failed.org";

pub(crate) async fn check_resolver(run: Run) -> Vec<Finding> {
    let forged = Query { name: FORGED.into(), kind: repute_trust::lookup::Kind::A };
    let (signed, forged) = tokio::join!(validates(&run.questions), run.questions.ask(&forged));
    vec![resolver_validates(&signed, &forged)]
}

/// MTA-STS speaks of the domain that takes our bounces and answers.
async fn policy(run: &Run, sending: &Sending) -> Finding {
    let domain = sending.name.clone();
    let (record, mx) = tokio::join!(run.questions.txt(format!("_mta-sts.{domain}")), mx_hosts(&run.questions, &domain));
    let there = record.texts().iter().any(|t| t.starts_with(b"v=STSv1"));
    let policy = match there && run.questions.network().is_some() {
        true => {
            let url = format!("https://mta-sts.{domain}/.well-known/mta-sts.txt");
            Some(web::get(&run.questions, &url, None, false).await.map(|got| got.page))
        }
        false => None,
    };
    let mx = mx.unwrap_or_default().iter().map(Domain::to_string).collect();
    mta_sts(&Policy { domain, record, policy, mx })
}

/// The registry knows the domain, or one above it.
async fn dates(run: &Run, domain: &Domain) -> Option<Finding> {
    let service = run.options.rdap.as_ref().filter(|_| run.questions.network().is_some())?;
    let mut last = String::new();
    let mut at = Some(domain.clone());
    while let Some(name) = at.filter(|name| name.as_str().contains('.')) {
        match json(run, &format!("{service}/domain/{name}")).await {
            Ok(rdap) => return Some(age(domain, &name, &Ok(Dates::read(&rdap)), run.now)),
            Err(why) => last = why,
        }
        at = name.parent();
    }
    Some(age(domain, domain, &Err(last), run.now))
}

/// What stands at the EHLO name beside its address.
pub(crate) async fn check_host(run: Run, source: Source) -> Vec<Finding> {
    let host = source.ehlo;
    let mut findings = Vec::new();
    if run.wants(&["caa.own"]) {
        findings.push(issuers(&host, &issue(&run.questions, &host).await, None));
    }
    if run.wants(&["name.imprint"]) && run.questions.network().is_some() {
        let (https, http) = (format!("https://{host}/"), format!("http://{host}/"));
        let (https, http) =
            tokio::join!(web::get(&run.questions, &https, None, false), web::get(&run.questions, &http, None, true));
        findings.push(imprint(&host, &[("https", https.map(|g| g.page)), ("http", http.map(|g| g.page))]));
    }
    findings.into_iter().map(|f| f.for_address(source.address)).collect()
}

/// The records nearest above the name (RFC 8659 §3).
async fn issue(questions: &Questions, host: &Domain) -> Result<Vec<String>, String> {
    let mut at = Some(host.clone());
    while let Some(name) = at {
        match questions.records(&name, Kind::Caa).await {
            Lookup::Found(found) => {
                let value = |data: Data| match data {
                    Data::Caa { tag, value } if tag.eq_ignore_ascii_case("issue") => Some(value),
                    _ => None,
                };
                return Ok(found.items.into_iter().filter_map(value).collect());
            }
            Lookup::NoData { .. } | Lookup::NoName { .. } => at = name.parent(),
            Lookup::Failure(why) | Lookup::NoAnswer(why) | Lookup::NotAsked(why) => return Err(why),
        }
    }
    Ok(Vec::new())
}

/// Reads the ends of signatures out of what a server said.
pub(crate) fn ends(said: &Said) -> Option<i64> {
    let Said::Answered(Lookup::Found(found)) = said else { return None };
    let end = |data: &Data| if let Data::Signature { expires } = data { Some(i64::from(*expires)) } else { None };
    found.items.iter().filter_map(end).min()
}
