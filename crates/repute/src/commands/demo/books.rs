//! What the server says it did: read from its history, as `repute why` reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use repute_ledger::{Questions, StepKind};
use repute_types::Timestamp;

/// More than any demo sends.
const MESSAGES_MOST: usize = 100_000;

#[derive(Debug, Default)]
pub struct Books {
    pub accepted: u64,
    /// Failure notices that were queued because of them.
    pub notices: u64,
    /// By the recipients' domain.
    pub domains: BTreeMap<String, Line>,
    /// Recipients that are neither delivered nor failed, or both: message and recipient.
    pub open: Vec<String>,
}

/// Recipients, each counted once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line {
    pub delivered: u64,
    pub failed: u64,
    /// Those whose first attempt was put off.
    pub retried: u64,
}

/// Reads all messages accepted since an instant.
pub fn read(history: &Path, since: Timestamp, now: Timestamp) -> anyhow::Result<Books> {
    let questions = Questions::open(history)?;
    let mut books = Books::default();
    for id in questions.by_time(since, now, MESSAGES_MOST)? {
        let mut recipients = Vec::new();
        let (mut delivered, mut failed, mut retried) = (Vec::new(), Vec::new(), BTreeSet::new());
        for step in questions.steps_of(id)? {
            match step.kind {
                StepKind::Accepted { account, recipients: to, .. } => {
                    books.accepted += u64::from(account.is_some());
                    recipients = to;
                }
                StepKind::Noticed { kind, .. } if kind == "failure" => books.notices += 1,
                StepKind::Settled(settled) => match settled.verdict.as_str() {
                    "delivered" => delivered.push(settled.recipient),
                    "failed" => failed.push(settled.recipient),
                    _ => drop(retried.insert(settled.recipient)),
                },
                StepKind::CameBack { what, recipient, .. } if what == "suppressed" => failed.push(recipient),
                _ => {}
            }
        }
        let times = |list: &[String], one: &String| list.iter().filter(|l| *l == one).count();
        for recipient in &recipients {
            let domain = recipient.rsplit_once('@').map_or("", |(_, domain)| domain);
            let line = books.domains.entry(domain.to_owned()).or_default();
            let (good, bad) = (times(&delivered, recipient), times(&failed, recipient));
            line.delivered += u64::from(good > 0);
            line.failed += u64::from(bad > 0);
            line.retried += u64::from(retried.contains(recipient));
            if good + bad != 1 {
                books.open.push(format!("{id} {recipient}"));
            }
        }
    }
    Ok(books)
}
