//! The domains in From and in the envelope.

use repute_trust::checks::sender::{Facts, judge};
use repute_trust::checks::{Finding, tls};
use repute_trust::lookup::{Kind, Query};
use repute_trust::setup::Sending;
use repute_types::Domain;

use crate::questions::Questions;
use crate::zones;

pub(crate) async fn check(questions: Questions, sending: Sending) -> Vec<Finding> {
    let mut findings = one(&questions, &sending, &sending.name).await;
    if let Some(path) = &sending.return_path {
        findings.extend(one(&questions, &sending, path).await);
    }
    let name = format!("_smtp._tls.{}", sending.name);
    findings.push(tls::reports(&sending.name, &questions.txt(name).await));
    findings
}

async fn one(questions: &Questions, sending: &Sending, domain: &Domain) -> Vec<Finding> {
    let query = |kind| Query { name: domain.to_string(), kind };
    let (mx, v4, v6) = (query(Kind::Mx), query(Kind::A), query(Kind::Aaaa));
    let (soa, mx, v4, v6) = tokio::join!(
        zones::zone_answers(questions, domain),
        questions.ask(&mx),
        questions.ask(&v4),
        questions.ask(&v6),
    );
    let addresses = if v4.addresses().is_empty() && !v6.is_void() { v6 } else { v4 };
    let facts = Facts { sending: sending.name.clone(), domain: domain.clone(), soa, mx, addresses };
    judge(&facts)
}
