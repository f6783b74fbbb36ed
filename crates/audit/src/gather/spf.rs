//! What receivers find when they evaluate SPF for us.

use std::net::IpAddr;

use repute_trust::checks::Finding;
use repute_trust::checks::spf::{Facts, helo, judge};
use repute_trust::spf::{Evaluation, Request, Survey};
use repute_types::Timestamp;

use crate::machine::drive;
use crate::questions::{Questions, all};
use crate::setup::{Egress, Sending};

pub(crate) async fn check(
    questions: Questions,
    sending: Sending,
    egresses: Vec<Egress>,
    now: Timestamp,
) -> Vec<Finding> {
    let from = egresses.into_iter().map(|egress| (egress.address, egress.ehlo.to_string())).collect();
    judge(&facts(&questions, sending, from, None, now).await)
}

/// `from` are addresses with the EHLO name that each says; `sender` is the whole MAIL FROM where
/// it is known.
pub(crate) async fn facts(
    questions: &Questions,
    sending: Sending,
    from: Vec<(IpAddr, String)>,
    sender: Option<&str>,
    now: Timestamp,
) -> Facts {
    let identity = sending.mail_from().clone();
    let sender = sender.map_or_else(|| format!("postmaster@{identity}"), str::to_owned);
    let reports = all(from.into_iter().map(|(address, ehlo)| {
        let (questions, sender) = (questions.clone(), sender.clone());
        async move { (address, evaluate(&questions, address, &ehlo, &sender, now).await) }
    }));
    let survey = drive(Survey::new(identity.as_str()), questions);
    let (reports, tree, texts) = tokio::join!(reports, survey, questions.txt(&identity));
    let texts = texts.texts().to_vec();
    Facts { sending: sending.name, identity, texts, tree, reports }
}

/// Bounces, which have an empty sender.
pub(crate) async fn check_helo(questions: Questions, egress: Egress, now: Timestamp) -> Vec<Finding> {
    let report = evaluate(&questions, egress.address, egress.ehlo.as_str(), "", now).await;
    vec![helo(egress.address, &egress.ehlo, &report)]
}

pub(crate) async fn evaluate(
    questions: &Questions,
    ip: IpAddr,
    ehlo: &str,
    sender: &str,
    now: Timestamp,
) -> repute_trust::spf::Report {
    let mut request = Request::mail_from(ip, ehlo, sender);
    request.at = now;
    drive(Evaluation::new(request), questions).await
}
