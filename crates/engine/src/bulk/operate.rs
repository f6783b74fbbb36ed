//! Launching, pausing, resuming, cancelling and looking at campaigns. How one begins: [`super::begin`]; what is left of a
//! cancelled one: [`super::take_out`].
//!
//! Promise: a change is on disk before it counts and before it is answered, and the changes of one campaign wait their turn.
//! How it fails: with a [`BulkError`], whose sentence says what to do; then nothing was changed.

use std::sync::Arc;
use std::time::Duration;

use repute_spool::{
    Campaign as Stored, CampaignState, CampaignWrite, MessageMeta, PartRecord, PartState, Stretch, Walk,
};
use repute_types::event::Level;
use repute_types::{EventKind, MessageId};
use tokio::sync::watch;

use super::Known;
use super::leave::GOOD_FOR;
use super::words::{BulkError, Campaign, State};
use crate::circuit::{campaigns, launch};
use crate::control::Control;
use crate::works::Works;

const PAGE: usize = 2_000;
/// Between two steps of forgetting: some million recipients a day.
const SWEEP: Duration = Duration::from_secs(600);

impl Control {
    /// Launches, by the operator of this machine: the list is whole, and from now on its recipients are written to.
    pub async fn launch(&self, campaign: &str) -> Result<Campaign, BulkError> {
        self.launch_as(campaign, None).await
    }

    /// Launches, by a client, who may have stolen what it shows: where too many of the list are strangers to the account, a
    /// circuit stops it before its first message.
    pub async fn launch_by(&self, campaign: &str, who: &str) -> Result<Campaign, BulkError> {
        self.launch_as(campaign, Some(who)).await
    }

    async fn launch_as(&self, campaign: &str, client: Option<&str>) -> Result<Campaign, BulkError> {
        let works = &self.works;
        let known = find(works, campaign)?;
        let turn = known.turn.lock().await;
        if known.state() != CampaignState::Loading {
            return Err(BulkError::Conflict(format!("the campaign {} was launched or cancelled before", known.name)));
        }
        if known.is_coming_in() {
            return Err(BulkError::ComingIn(known.name.clone()));
        }
        let taken = self.stored(known.id).await?.tally.taken;
        if taken == 0 {
            return Err(BulkError::Conflict(format!("the campaign {} has no recipients: add some first", known.name)));
        }
        let now = works.now();
        let meta = works.doors.spool.meta(known.id).await.map_err(BulkError::Spool)?;
        let meta = MessageMeta { received: now, expires: now + works.settings().retry.expire, ..meta };
        if let Some(who) = client {
            let _alone = works.bulk.beginning.lock().await;
            launch::brake(works, &known, &meta, who).await?;
        }
        let write = CampaignWrite::Launch { meta: meta.clone(), at: now };
        works.doors.spool.change_campaign(write).await.map_err(BulkError::Spool)?;
        works.bulk.forget_letter(known.id);
        known.set(CampaignState::Running);
        // Each is named when there is something to say of them.
        works.emit(EventKind::Accepted(meta.accepted(Vec::new(), taken)));
        if let Some(hold) = works.circuits.stops(&meta) {
            campaigns::tell(works, &known, &hold.reason);
        }
        drop(turn);
        tokio::spawn(enter(works.clone(), known.clone()));
        self.told(known.id).await
    }

    /// Nothing more is sent until it is resumed; attempts under way end.
    pub async fn pause(&self, campaign: &str, reason: &str) -> Result<Campaign, BulkError> {
        let known = find(&self.works, campaign)?;
        let _turn = known.turn.lock().await;
        match self.told(known.id).await?.state {
            State::Running | State::Paused => {}
            State::Done => return Err(done(&known)),
            _ => return Err(BulkError::Conflict(format!("the campaign {} does not run", known.name))),
        }
        change(&self.works, &known, CampaignState::Paused(reason.to_owned())).await?;
        self.told(known.id).await
    }

    pub async fn resume(&self, campaign: &str) -> Result<Campaign, BulkError> {
        let works = &self.works;
        let known = find(works, campaign)?;
        let turn = known.turn.lock().await;
        match self.told(known.id).await?.state {
            State::Paused => {}
            State::Done => return Err(done(&known)),
            _ => return Err(BulkError::Conflict(format!("the campaign {} is not paused", known.name))),
        }
        change(works, &known, CampaignState::Running).await?;
        drop(turn);
        tokio::spawn(enter(works.clone(), known.clone()));
        self.told(known.id).await
    }

    /// Nothing more is sent from the answer on; what is under way at that moment ends. Whoever was not written to yet is
    /// taken out afterwards, also over a restart; what is done stays done. What went to everybody is not cancelled, and not
    /// told as that.
    pub async fn cancel_campaign(&self, campaign: &str) -> Result<Campaign, BulkError> {
        let known = find(&self.works, campaign)?;
        match self.call_off(&known).await? {
            Some(_) => self.told(known.id).await,
            None => Err(done(&known)),
        }
    }

    /// How many were waiting for what is cancelled; `None` where it went to everybody.
    pub(crate) async fn call_off(&self, known: &Known) -> Result<Option<u64>, BulkError> {
        let _turn = known.turn.lock().await;
        let told = self.told(known.id).await?;
        match told.state {
            State::Done => return Ok(None),
            State::Cancelling | State::Cancelled => {}
            State::Loading | State::Running | State::Paused => {
                change(&self.works, known, CampaignState::Cancelling).await?;
                self.works.bulk.cancelled.notify_one();
            }
        }
        Ok(Some(told.waiting))
    }

    /// By its name or its id; of several accounts' campaigns of one name, say `account/name`.
    pub async fn campaign(&self, campaign: &str) -> Result<Campaign, BulkError> {
        self.told(find(&self.works, campaign)?.id).await
    }

    /// All that are known, newest first.
    pub async fn campaigns(&self) -> Result<Vec<Campaign>, BulkError> {
        let stored = self.works.doors.spool.campaigns().await.map_err(BulkError::Spool)?;
        Ok(stored.iter().rev().map(|stored| self.row_of(stored)).collect())
    }

    async fn stored(&self, id: MessageId) -> Result<Stored, BulkError> {
        let all = self.works.doors.spool.campaigns().await.map_err(BulkError::Spool)?;
        all.into_iter().find(|campaign| campaign.id == id).ok_or_else(|| BulkError::NoSuchCampaign(id.to_string()))
    }

    async fn told(&self, id: MessageId) -> Result<Campaign, BulkError> {
        Ok(self.row_of(&self.stored(id).await?))
    }

    fn row_of(&self, stored: &Stored) -> Campaign {
        let deferred = match stored.tally.waiting() {
            0 => 0,
            _ => self.works.queue(|queue| queue.tried(stored.id)),
        };
        let circuit = self.works.circuits.of_campaign(&stored.account, &stored.name);
        let mut row = Campaign::of(stored, deferred as u64);
        // Where nobody waits, nothing is stopped.
        row.circuit = circuit.filter(|_| matches!(row.state, State::Running | State::Paused | State::Loading));
        row
    }
}

fn done(known: &Known) -> BulkError {
    BulkError::Conflict(format!("the campaign {} is done: nobody waits for it any more", known.name))
}

fn find(works: &Works, campaign: &str) -> Result<Arc<Known>, BulkError> {
    if let Some(known) = campaign.parse().ok().and_then(|id| works.bulk.known(id)) {
        return Ok(known);
    }
    let (account, name) = match campaign.rsplit_once('/') {
        Some((account, name)) => (Some(account), name),
        None => (None, campaign),
    };
    let is_it = |known: &Arc<Known>| known.name == name && account.is_none_or(|account| account == &*known.account);
    let found: Vec<_> = works.bulk.all().into_iter().filter(is_it).collect();
    match found.as_slice() {
        [] => Err(BulkError::NoSuchCampaign(campaign.to_owned())),
        [one] => Ok(one.clone()),
        _ => Err(BulkError::Conflict(format!("several accounts have a campaign {name}: say ACCOUNT/{name}"))),
    }
}

/// On disk first; then it counts.
pub(super) async fn change(works: &Works, known: &Known, state: CampaignState) -> Result<(), BulkError> {
    let write = CampaignWrite::State { id: known.id, state: state.clone() };
    works.doors.spool.change_campaign(write).await.map_err(BulkError::Spool)?;
    known.set(state);
    Ok(())
}

/// Pauses a campaign that runs, as one who says `pause` does.
pub(crate) async fn hold(works: &Works, known: &Known, reason: &str) -> Result<(), BulkError> {
    let _turn = known.turn.lock().await;
    if known.state() == CampaignState::Running {
        change(works, known, CampaignState::Paused(reason.to_owned())).await?;
    }
    Ok(())
}

/// The campaign's next parts; none at its end. What is damaged is passed over, and was told at start.
pub(crate) async fn page(
    works: &Works,
    id: MessageId,
    walk: &mut Walk,
    most: usize,
) -> Result<Vec<(MessageMeta, PartRecord)>, BulkError> {
    while let Some(stretch) = walk.next(&*works.doors.spool, most).await.map_err(BulkError::Spool)? {
        if let Stretch::Parts(mut page) = stretch {
            page.retain(|(meta, _)| meta.id == id);
            return Ok(page);
        }
    }
    Ok(Vec::new())
}

/// Hands a campaign's parts to the queue, and lets go those that it holds for the campaign alone.
pub(crate) async fn enter(works: Arc<Works>, known: Arc<Known>) {
    let mut walk = Walk::starting_at(known.id);
    loop {
        let parts = match page(&works, known.id, &mut walk, PAGE).await {
            Ok(parts) => parts,
            Err(error) => {
                let text = format!(
                    "the campaign {} could not be read: {error}; the rest of it goes on at the next start",
                    known.name
                );
                return works.note(Level::Error, "bulk", text);
            }
        };
        if parts.is_empty() {
            return;
        }
        let now = works.now();
        let entries: Vec<_> =
            parts.iter().map(|(meta, part)| (works.entry(meta, part), part.state == PartState::Due)).collect();
        works.queue(|queue| {
            // Looked at where it takes effect: who takes a campaign out finds all of it in the queue, or none.
            if known.state().is_over() {
                return;
            }
            for (entry, is_due) in entries {
                let part = entry.part;
                let held = entry.held;
                queue.enter(entry, now);
                if is_due && !held {
                    queue.let_go(part, now);
                }
            }
        });
        if known.state() != CampaignState::Running || campaigns::stops(&works, &known) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Forgets whom bulk mail went to so long ago that no link to leave works any more, some at a time.
pub(crate) async fn sweep(works: Arc<Works>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(SWEEP) => {}
            _ = stop.changed() => return,
        }
        let before = works.now() - GOOD_FOR;
        if let Err(error) = works.doors.spool.forget_members(before).await {
            works.note(Level::Warning, "bulk", format!("old recipients could not be forgotten: {error}"));
        }
        works.bulk.forget(MessageId::first_at(before));
    }
}
