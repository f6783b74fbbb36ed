//! Campaigns of bulk mail under a circuit: each is held as a whole, as one that is paused is.
//!
//! The open circuit is the one record of it: nothing is written for the campaign's parts, which stay due on disk and
//! are held in the queue's memory alone, also after a restart. One event tells that a campaign is held, one that it goes
//! on. A crash between any two of these leaves a circuit that is open or one that is not, and mail that does as it says.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use repute_ledger::Opened;
use repute_spool::{CampaignState, Hold};
use repute_types::{EventKind, MessageId};

use super::{Subject, words};
use crate::bulk::{self, Known};
use crate::works::Works;

/// The account's campaigns, or the one, whose list is whole and that are not cancelled.
pub(crate) fn under(works: &Works, subject: &Subject) -> Vec<Arc<Known>> {
    let mut all = works.bulk.all();
    all.retain(|known| {
        subject.covers_campaign(&known.account, &known.name)
            && matches!(known.state(), CampaignState::Running | CampaignState::Paused(_))
    });
    all
}

/// Whether a circuit stops the campaign that a message is, if it is one. Asked of every message that comes in, and
/// mostly nothing is open.
pub(crate) fn is_stopped(works: &Works, message: MessageId) -> bool {
    works.circuits.any_open.load(Ordering::Relaxed)
        && works.bulk.known(message).is_some_and(|known| stops(works, &known))
}

pub(crate) fn stops(works: &Works, known: &Known) -> bool {
    works.circuits.of_campaign(&known.account, &known.name).is_some()
}

/// A circuit opened: tells it of each campaign that still has somebody to write to and was not stopped before.
pub(super) fn tell_held(works: &Works, subject: &Subject, opened: &Opened) {
    let Hold { reason, .. } = words::held(subject, opened);
    for known in under(works, subject) {
        let by_its_own = subject.campaign.is_none() && stops_alone(works, &known);
        if !by_its_own && works.queue(|queue| queue.has_parts(known.id)) {
            tell(works, &known, &reason);
        }
    }
}

/// Tells that a campaign is held as a whole.
pub(crate) fn tell(works: &Works, known: &Known, reason: &str) {
    works.emit(EventKind::Held {
        message: known.id,
        part: None,
        account: Some(known.account.clone()),
        labels: known.labels(),
        recipients: Vec::new(),
        reason: reason.to_owned(),
    });
}

/// Whether its own circuit is open.
fn stops_alone(works: &Works, known: &Known) -> bool {
    works.circuits.of_campaign(&known.account, &known.name).is_some_and(|row| row.campaign.is_some())
}

/// A circuit was closed: its campaigns go on where nothing else stops them. How many recipients that are.
pub(crate) async fn let_go(works: &Arc<Works>, subject: &Subject) -> Result<usize, repute_spool::SpoolError> {
    let stored = works.doors.spool.campaigns().await?;
    let mut count = 0;
    for known in under(works, subject) {
        let waiting = stored.iter().find(|one| one.id == known.id).map_or(0, |one| one.tally.waiting());
        if waiting == 0 || known.state() != CampaignState::Running || stops(works, &known) {
            continue;
        }
        works.emit(EventKind::Released {
            message: known.id,
            part: None,
            account: Some(known.account.clone()),
            labels: known.labels(),
            recipients: Vec::new(),
        });
        count += usize::try_from(waiting).unwrap_or(usize::MAX);
        tokio::spawn(bulk::enter(works.clone(), known));
    }
    Ok(count)
}
