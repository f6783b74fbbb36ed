//! Who unsubscribed, and whether the history knows of mail to them afterwards.

use std::path::Path;
use std::time::Duration;

use repute_ledger::suppression::{Query, Scope, Selection, Why};
use repute_ledger::{LedgerError, Questions, StepKind, Suppressions};
use repute_trust::checks::left::Ignored;
use repute_types::Timestamp;

/// What Gmail and Yahoo give.
const TWO_DAYS: Duration = Duration::from_secs(2 * 86_400);
/// Of those who left.
const MOST: usize = 1000;
/// The last messages to one of them.
const MESSAGES: usize = 20;

/// `None` where nobody ever left, or nothing was ever sent.
pub fn look(list: &Path, history: &Path, now: Timestamp) -> Option<Result<(usize, Vec<Ignored>), String>> {
    if !list.exists() || !history.exists() {
        return None;
    }
    Some(find(list, history, now).map_err(|error| error.to_string()))
}

fn find(list: &Path, history: &Path, now: Timestamp) -> Result<(usize, Vec<Ignored>), LedgerError> {
    let selection = Selection { why: Some(Why::Unsubscribed), ..Selection::default() };
    let query = Query { selection, limit: MOST, ..Query::default() };
    let entries = Suppressions::peek(list, &query, now)?;
    let history = Questions::open(history)?;
    let (mut all, mut ignored) = (0, Vec::new());
    for entry in entries {
        if matches!(entry.scope, Scope::List { .. }) || now.since(entry.at) < TWO_DAYS {
            continue;
        }
        all += 1;
        let recipient = entry.address.to_string();
        let mut messages = 0;
        for id in history.by_recipient(&entry.address, MESSAGES)? {
            let steps = history.steps_to(id, &entry.address)?;
            let of_account = steps.iter().any(|step| match &step.kind {
                StepKind::Accepted { account, .. } => {
                    account.is_some() && (entry.scope == Scope::All || account.as_deref() == entry.scope.account())
                }
                _ => false,
            });
            let late = |at: Timestamp| at > entry.at && at.since(entry.at) > TWO_DAYS;
            let delivered = steps.iter().any(|step| match &step.kind {
                StepKind::Settled(s) => s.verdict == "delivered" && s.recipient == recipient && late(step.at),
                _ => false,
            });
            messages += usize::from(of_account && delivered);
        }
        if messages > 0 {
            ignored.push(Ignored { recipient, left: entry.at, messages });
        }
    }
    Ok((all, ignored))
}
