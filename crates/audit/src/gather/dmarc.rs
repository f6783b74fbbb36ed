//! The DMARC record that holds for a domain, found by the tree walk (RFC 9989 §4.10).

use repute_trust::checks::Finding;
use repute_trust::checks::dmarc::{Facts, foreign_reports, judge};
use repute_trust::dmarc::{Policy, walk};
use repute_trust::setup::Sending;
use repute_types::Domain;

use crate::questions::{Questions, all};

pub(crate) async fn check(questions: Questions, sending: Sending) -> Vec<Finding> {
    let domain = sending.name.clone();
    let policy = policy(&questions, &domain).await;
    let (at, foreign) = match &policy {
        Ok(policy) => (policy.found.as_ref().map(|(at, _)| at.clone()), foreign_reports(policy)),
        Err(_) => (None, Vec::new()),
    };
    let at = at.unwrap_or_else(|| domain.clone());
    let consents = all(foreign.into_iter().map(|theirs| {
        let (questions, name) = (questions.clone(), format!("{at}._report._dmarc.{theirs}"));
        async move {
            let answer = questions.txt(name).await;
            (theirs, answer)
        }
    }));
    let consents = consents.await;
    let (signed, return_path) = (!sending.keys.is_empty(), sending.mail_from().clone());
    judge(&Facts { domain, return_path, signed, policy, consents })
}

/// The record that holds for a domain, or what was not answered and why.
pub(crate) async fn policy(questions: &Questions, domain: &Domain) -> Result<Policy, (Domain, String)> {
    let answers = all(walk(domain).into_iter().map(|name| {
        let questions = questions.clone();
        async move {
            let answer = questions.txt(format!("_dmarc.{name}")).await;
            (name, answer)
        }
    }));
    Policy::find(domain, &answers.await)
}

/// What a stranger can say of the record: that it is there, and how it is written.
pub(crate) fn published(domain: &Domain, policy: &Result<Policy, (Domain, String)>) -> Vec<Finding> {
    let (of, path) = (domain.clone(), domain.clone());
    let facts = Facts { domain: of, return_path: path, signed: true, policy: policy.clone(), consents: Vec::new() };
    judge(&facts).into_iter().filter(|f| matches!(f.id, "dmarc.exists" | "dmarc.9989")).collect()
}
