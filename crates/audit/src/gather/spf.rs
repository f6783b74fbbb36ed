//! What receivers find when they evaluate SPF for us.

use std::net::IpAddr;
use std::sync::Arc;

use repute_trust::checks::Finding;
use repute_trust::checks::spf::{Facts, bounces, drift, judge, permits};
use repute_trust::setup::{Sending, Setup, Source};
use repute_trust::spf::{Branch, Evaluation, Request, State, Survey, Tree};
use repute_types::{Domain, Timestamp};

use crate::doors::Kept;
use crate::machine::drive;
use crate::questions::{Questions, all};
use crate::run::{Gathered, Run};

pub(crate) async fn check(run: Run, sending: Sending) -> Gathered {
    let of_pool = run.setup.sources().filter(|source| sending.leaves_from(source.address));
    let from = of_pool.map(|source| (source.address, source.ehlo.to_string())).collect();
    let facts = facts(&run.questions, sending, from, None, run.now).await;
    let mut kept = Kept::default();
    let changes = changes(&run, &facts.sending, &facts.identity, &facts.tree, &mut kept);
    let mut findings = judge(&facts);
    findings.extend(changes);
    (findings, kept)
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

/// Compares the records of others with what the last run saw; `None` where there is nothing to.
fn changes(run: &Run, sending: &Domain, identity: &Domain, tree: &Tree, kept: &mut Kept) -> Option<Finding> {
    let own = run.own.as_ref()?;
    if !matches!(tree.root.state, State::Record(_)) {
        return None;
    }
    let complete = !tree.cut_short && tree.root.branches.iter().all(all_read);
    let now = permits(tree);
    let before = own.kept.permits.iter().find(|(of, _)| of == identity).map(|(_, permits)| permits);
    let finding = drift(sending, identity, &now, before, complete);
    if complete {
        kept.permits.push((identity.clone(), now));
    }
    Some(finding)
}

fn all_read(branch: &Branch) -> bool {
    let inner = branch.inner.as_ref();
    branch.unknown.is_empty()
        && inner.is_none_or(|node| !matches!(node.state, State::Unknown(_)) && node.branches.iter().all(all_read))
}

/// Bounces, which have an empty sender.
pub(crate) async fn check_helo(
    questions: Questions,
    setup: Arc<Setup>,
    source: Source,
    now: Timestamp,
) -> Vec<Finding> {
    let report = evaluate(&questions, source.address, source.ehlo.as_str(), "", now).await;
    let all = setup.sources().filter(|other| other.ehlo == source.ehlo);
    let all: Vec<IpAddr> = all.map(|other| other.address).collect();
    bounces(source.address, &all, &source.ehlo, &report).into()
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
