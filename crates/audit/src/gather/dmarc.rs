//! The DMARC record that holds for a domain, found by the tree walk (RFC 9989 §4.10).

use repute_trust::checks::Finding;
use repute_trust::checks::dmarc::{Facts, foreign_reports, judge};
use repute_trust::dmarc::{Policy, walk};

use crate::questions::{Questions, all};
use crate::setup::Sending;

pub(crate) async fn check(questions: Questions, sending: Sending) -> Vec<Finding> {
    let domain = sending.name.clone();
    let answers = all(walk(&domain).into_iter().map(|name| {
        let questions = questions.clone();
        async move {
            let answer = questions.txt(format!("_dmarc.{name}")).await;
            (name, answer)
        }
    }));
    let policy = Policy::find(&domain, &answers.await);
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
