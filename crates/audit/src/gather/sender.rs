//! The domains in From and in the envelope.

use repute_trust::checks::sender::{Facts, judge};
use repute_trust::checks::{Finding, tls};
use repute_trust::lookup::{Answer, Kind, Query};
use repute_trust::setup::Sending;
use repute_types::Domain;

use crate::questions::{Questions, all};
use crate::zones;

pub(crate) async fn check(questions: Questions, sending: Sending) -> Vec<Finding> {
    let mut findings: Vec<Finding> = facts(&questions, &sending).await.iter().flat_map(judge).collect();
    let name = format!("_smtp._tls.{}", sending.name);
    findings.push(tls::reports(&sending.name, &questions.txt(name).await));
    findings
}

/// Of the domain itself, and of its return path.
pub(crate) async fn facts(questions: &Questions, sending: &Sending) -> Vec<Facts> {
    let mut facts = vec![one(questions, sending, &sending.name).await];
    if let Some(path) = &sending.return_path {
        facts.push(one(questions, sending, path).await);
    }
    facts
}

async fn one(questions: &Questions, sending: &Sending, domain: &Domain) -> Facts {
    let query = |kind| Query { name: domain.to_string(), kind };
    let (mx, v4, v6) = (query(Kind::Mx), query(Kind::A), query(Kind::Aaaa));
    let (soa, mx, v4, v6) = tokio::join!(
        zones::zone_answers(questions, domain),
        questions.ask(&mx),
        questions.ask(&v4),
        questions.ask(&v6),
    );
    let addresses = if v4.addresses().is_empty() && !v6.is_void() { v6 } else { v4 };
    let nowhere = nowhere(questions, &mx).await;
    Facts { sending: sending.name.clone(), domain: domain.clone(), soa, mx, nowhere, addresses }
}

/// MX hosts that are looked at; of more the others count as good.
const HOSTS: usize = 10;

/// The MX hosts that are known to have no address.
async fn nowhere(questions: &Questions, mx: &Answer) -> Vec<String> {
    let hosts: Vec<String> = mx.names().iter().filter(|host| !host.is_empty()).take(HOSTS).cloned().collect();
    let looked = all(hosts.into_iter().map(|name| {
        let questions = questions.clone();
        async move {
            let (v4, v6) =
                (Query { name: name.clone(), kind: Kind::A }, Query { name: name.clone(), kind: Kind::Aaaa });
            let (v4, v6) = tokio::join!(questions.ask(&v4), questions.ask(&v6));
            (v4.is_void() && v6.is_void()).then_some(name)
        }
    }));
    looked.await.into_iter().flatten().collect()
}
