//! What we know of a part that something came back about: the spool knows it of bulk mail and of what
//! still waits, the history of the rest.

use std::sync::Arc;

use repute_ledger::StepKind;
use repute_spool::SpoolError;
use repute_types::{AccountName, Address, Labels, PartId};

use super::Waits;
use crate::works::{HISTORY_PATIENCE, Works};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub part: PartId,
    pub account: Option<AccountName>,
    pub labels: Option<Arc<Labels>>,
    /// The sender's own address, where it is still known.
    pub from: Option<Address>,
    /// Whom the part went to.
    pub recipients: Vec<Address>,
}

/// `None` where nothing is known of such a message any more.
///
/// # Errors
/// Where it cannot be found out now.
pub(super) async fn of(works: &Works, part: PartId) -> Result<Option<Known>, Waits> {
    let mut known = of_history(works, part).await?;
    // What the spool does not have it may have forgotten; the history's answer then stands.
    if let Ok(meta) = works.doors.spool.meta(part.message).await {
        let known = known.get_or_insert_with(|| Known::new(part));
        known.account = meta.account.clone();
        known.from = meta.from.clone();
        known.labels = meta.labels.clone();
        if known.recipients.is_empty()
            && let Ok(record) = works.doors.spool.part(part).await
        {
            known.recipients = record.addresses();
        }
    }
    match works.doors.spool.member(part).await {
        Ok(Some(member)) => {
            let known = known.get_or_insert_with(|| Known::new(part));
            known.recipients = member.recipients;
            known.account = member.account.or(known.account.take());
            if known.labels.is_none() {
                known.labels = Labels { campaign: member.campaign, list: member.list, ..Labels::default() }.kept();
            }
        }
        Ok(None) | Err(SpoolError::Missing(_) | SpoolError::Damaged(_)) => {}
        Err(error @ (SpoolError::Storage(_) | SpoolError::Closed | SpoolError::Gap { .. })) => {
            return Err(Waits::Spool(error));
        }
    }
    // A notice of ours has no account, and nothing that comes back about it is anybody's.
    Ok(known.filter(|known| known.account.is_some() && !known.recipients.is_empty()))
}

impl Known {
    fn new(part: PartId) -> Known {
        Known { part, account: None, labels: None, from: None, recipients: Vec::new() }
    }
}

async fn of_history(works: &Works, part: PartId) -> Result<Option<Known>, Waits> {
    let Some(history) = works.doors.history.clone() else { return Ok(None) };
    let asked = history.clone();
    // A bounce may overtake the history's writer.
    let (is_written, accepted) = history
        .ask(move |questions| Ok((asked.flush_within(HISTORY_PATIENCE), questions.acceptance(part.message)?)))
        .await?;
    if accepted.is_none() && !is_written {
        // What the disk refuses now may be what is asked for.
        return Err(Waits::History);
    }
    Ok(accepted.and_then(|step| match step.kind {
        StepKind::Accepted { account, from, recipients, .. } => Some(Known {
            account: account.map(Into::into),
            from: from.and_then(|text| text.parse().ok()),
            recipients: of_part(part, recipients),
            ..Known::new(part)
        }),
        _ => None,
    }))
}

/// The recipients of a part among those of the message: parts are numbered by domain, in the order in
/// which the domains were first named.
fn of_part(part: PartId, recipients: Vec<String>) -> Vec<Address> {
    let all: Vec<Address> = recipients.iter().filter_map(|text| text.parse().ok()).collect();
    let mut domains = Vec::new();
    for address in &all {
        if !domains.contains(address.domain()) {
            domains.push(address.domain().clone());
        }
    }
    let Some(domain) = domains.get(part.number as usize).cloned() else { return Vec::new() };
    all.into_iter().filter(|address| *address.domain() == domain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use repute_types::MessageId;

    #[test]
    fn a_part_has_the_recipients_of_its_domain() {
        let all = ["a@x.test", "b@y.test", "c@x.test", "not an address"].map(str::to_owned).to_vec();
        let of = |number| {
            let part = PartId { message: MessageId(1), number };
            of_part(part, all.clone()).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of(0), ["a@x.test", "c@x.test"]);
        assert_eq!(of(1), ["b@y.test"]);
        assert_eq!(of(2), [""; 0]);
    }
}
