//! Our keys as they stand in DNS.

use std::sync::Arc;

use repute_trust::checks::dkim::{Facts, Probe, as_large_receivers_verify, judge, keys, verified};
use repute_trust::checks::servers::{Published, Said};
use repute_trust::checks::{Finding, signature};
use repute_trust::dkim::SigningKey;
use repute_trust::lookup::Answer;
use repute_trust::setup::Sending;
use repute_types::{Domain, Timestamp};

use super::names;
use crate::probe;
use crate::questions::{Questions, all};
use crate::run::Run;
use crate::zones;

pub(crate) async fn check(run: Run, sending: Sending) -> Vec<Finding> {
    let (questions, now) = (run.questions.clone(), run.now);
    let kinds: Vec<&str> = sending.keys.iter().map(|key| key.algorithm().key_type()).collect();
    let mut findings = keys(&sending.name, &kinds);
    let domain = &sending.name;
    let each = sending.keys.iter().map(|key| one(questions.clone(), domain.clone(), key.clone(), now));
    let mut probed = Vec::new();
    for (of_key, of_probe) in all(each.collect::<Vec<_>>()).await.into_iter().flatten() {
        findings.extend(of_key);
        probed.push(of_probe);
    }
    as_large_receivers_verify(&mut probed);
    findings.extend(probed.into_iter().map(|(_, finding)| finding));
    for key in &sending.keys {
        findings.extend(made(&run, domain, key));
    }
    findings
}

/// What stands in a signature of the key, and how old it is.
fn made(run: &Run, domain: &Domain, key: &SigningKey) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some((field, header)) = probe::field(key, domain, run.now) {
        let (from, selector) = (domain.clone(), key.selector().to_owned());
        findings.extend(signature::judge(&signature::Facts { from, selector, field, header, strict: true }));
    }
    if let Some(own) = &run.own {
        let since = own.keys.iter().find(|(of, selector, _)| of == domain && selector == key.selector());
        findings.push(signature::age(domain, key.selector(), since.map(|(.., at)| *at), run.now));
    }
    findings
}

/// What stands in DNS, and what a probe came to with it, for a key of this type.
type OfKey = (Vec<Finding>, (&'static str, Finding));

async fn one(questions: Questions, domain: Domain, key: Arc<SigningKey>, now: Timestamp) -> Option<OfKey> {
    let name = Domain::parse(&key.record_name(&domain)).ok()?;
    let record = zones::published(questions.clone(), name.clone(), repute_dns::Kind::Txt).await;
    let answers = match answers(record) {
        // Many networks let nothing but their resolver ask.
        answers if answers.iter().all(|(_, answer)| matches!(answer, Answer::Failure(_))) => {
            vec![("the resolver".to_owned(), questions.txt(&name).await)]
        }
        answers => answers,
    };
    let alias = match answers.iter().any(|(_, answer)| answer.is_void()) {
        true => names::alias(questions.clone(), name).await.1.ok().flatten(),
        false => None,
    };
    let facts = Facts {
        domain,
        selector: key.selector().to_owned(),
        kind: key.algorithm().key_type(),
        bits: key.bits(),
        public_key: key.public_key(),
        record: key.record(),
        answers,
        alias,
    };
    let mut probes = Vec::new();
    for (server, answer) in &facts.answers {
        probes.push((
            server.clone(),
            match answer {
                Answer::Failure(why) => Probe::Unknown(why.clone()),
                answer => match answer.texts().first() {
                    None => Probe::NoKey,
                    Some(record) => match probe::verify(&key, &facts.domain, record, now).await {
                        Ok(()) => Probe::Verified,
                        Err(why) => Probe::Failed(why),
                    },
                },
            },
        ));
    }
    Some((judge(&facts), (facts.kind, verified(&facts, &probes))))
}

/// What servers say that serve the zone; receivers pass over the others too, which
/// `dns.authoritative` tells of.
fn answers(record: Published) -> Vec<(String, Answer)> {
    let of = |(server, said)| match said {
        Said::Answered(answer, _) => Some((server, answer)),
        Said::Silent(why) => Some((server, Answer::Failure(why))),
        Said::Lame(_) => None,
    };
    record.said.into_iter().filter_map(of).collect()
}
