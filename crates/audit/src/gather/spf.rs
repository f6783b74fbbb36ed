//! What receivers find when they evaluate SPF for us.

use std::net::IpAddr;

use repute_trust::checks::Finding;
use repute_trust::checks::spf::{Facts, helo, judge};
use repute_trust::spf::{Evaluation, Request, Survey};
use repute_types::{Domain, Timestamp};

use crate::machine::drive;
use crate::questions::{Questions, all};
use crate::setup::{Egress, Sending};

pub(crate) async fn check(
    questions: Questions,
    sending: Sending,
    egresses: Vec<Egress>,
    now: Timestamp,
) -> Vec<Finding> {
    let identity = sending.mail_from().clone();
    let reports = all(egresses.into_iter().map(|egress| {
        let (questions, identity) = (questions.clone(), identity.clone());
        async move {
            let sender = format!("postmaster@{identity}");
            (egress.address, evaluate(&questions, egress.address, &egress.ehlo, &sender, now).await)
        }
    }));
    let survey = drive(Survey::new(identity.as_str()), &questions);
    let (reports, tree, texts) = tokio::join!(reports, survey, questions.txt(&identity));
    let texts = texts.texts().to_vec();
    judge(&Facts { sending: sending.name, identity, texts, tree, reports })
}

/// Bounces, which have an empty sender.
pub(crate) async fn check_helo(questions: Questions, egress: Egress, now: Timestamp) -> Vec<Finding> {
    let report = evaluate(&questions, egress.address, &egress.ehlo, "", now).await;
    vec![helo(egress.address, &egress.ehlo, &report)]
}

async fn evaluate(
    questions: &Questions,
    ip: IpAddr,
    ehlo: &Domain,
    sender: &str,
    now: Timestamp,
) -> repute_trust::spf::Report {
    let mut request = Request::mail_from(ip, ehlo.as_str(), sender);
    request.at = now;
    drive(Evaluation::new(request), questions).await
}
