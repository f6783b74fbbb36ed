//! The strict fake: the spool's promises without a disk, for everybody's tests.
//!
//! It keeps everything in memory, can be told to fail or to be slow, and panics on what the
//! real one would let pass but no correct caller does: settling a part that was never
//! committed, a message whose parts are not numbered from 0, an id used twice.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use repute_types::{Content, MessageId, PartId, Timestamp};

use crate::{
    BoxFuture, Campaign, CampaignState, CampaignWrite, Change, Committed, Ended, Member, MessageMeta, NewMessage,
    PartRecord, Refusal, Settlement, Spool, SpoolError,
};

/// What the disk is said to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Disk {
    #[default]
    Good,
    /// Commits fail; settlements are kept and show at once, but `flush` fails.
    Full,
    ReadOnly,
    /// Each commit and flush takes so long.
    Slow(Duration),
}

type Page = Vec<(MessageMeta, PartRecord)>;

#[derive(Default)]
struct State {
    disk: Disk,
    messages: BTreeMap<MessageId, (MessageMeta, Content)>,
    parts: BTreeMap<PartId, PartRecord>,
    /// Everything ever committed, to tell a late settlement from one of an unknown part.
    known: HashSet<PartId>,
    campaigns: BTreeMap<MessageId, Campaign>,
    members: BTreeMap<PartId, Member>,
    damaged: HashSet<MessageId>,
    damaged_records: HashSet<MessageId>,
    unsettled: usize,
    scans_late: Option<Duration>,
}

#[derive(Default)]
pub struct MemorySpool {
    state: Mutex<State>,
}

impl MemorySpool {
    pub fn new() -> MemorySpool {
        MemorySpool::default()
    }

    /// From now on the disk is like this.
    pub fn set_disk(&self, disk: Disk) {
        let mut state = self.lock();
        state.disk = disk;
        if state.refusal().is_none() {
            state.unsettled = 0;
        }
    }

    /// From now on the answer to a scan comes so long after what it tells was read.
    pub fn scan_late(&self, by: Option<Duration>) {
        self.lock().scans_late = by;
    }

    /// From now on the stored content of this message does not match its checksum.
    pub fn damage(&self, id: MessageId) {
        self.lock().damaged.insert(id);
    }

    /// From now on the records of this message do not check.
    pub fn damage_record(&self, id: MessageId) {
        self.lock().damaged_records.insert(id);
    }

    /// Messages that are kept.
    pub fn len(&self) -> usize {
        self.lock().messages.len()
    }

    /// How many are remembered of a message to whom bulk mail went.
    pub fn members(&self, id: MessageId) -> usize {
        self.lock().members.keys().filter(|part| part.message == id).count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    async fn disk(&self) -> Result<(), SpoolError> {
        let disk = self.lock().disk;
        if let Disk::Slow(delay) = disk {
            tokio::time::sleep(delay).await;
        }
        self.lock().refusal().map_or(Ok(()), Err)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock is a failed test; the others need not fail with it.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl State {
    fn refusal(&self) -> Option<SpoolError> {
        match self.disk {
            Disk::Good | Disk::Slow(_) => None,
            Disk::Full => Some(SpoolError::Storage("the disk is full".into())),
            Disk::ReadOnly => Some(SpoolError::Storage("the disk is read-only".into())),
        }
    }

    /// What is found, and how late it is told.
    fn scan(&self, after: Option<PartId>, limit: usize) -> (Result<Page, SpoolError>, Option<Duration>) {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        let mut rows = self.parts.range((from, Unbounded)).take(limit).peekable();
        let is_damaged = |id: &PartId| self.damaged_records.contains(&id.message);
        if let Some((id, _)) = rows.peek().filter(|(id, _)| is_damaged(id)) {
            return (Err(SpoolError::Damaged(id.message)), self.scans_late);
        }
        let rows = rows.take_while(|(id, _)| !is_damaged(id));
        let row = |(id, part): (&PartId, &PartRecord)| Some((self.messages.get(&id.message)?.0.clone(), part.clone()));
        (Ok(rows.filter_map(row).collect()), self.scans_late)
    }

    fn insert(&mut self, message: NewMessage) {
        let id = message.meta.id;
        assert!(!message.parts.is_empty(), "{id} has no part");
        assert_eq!(message.meta.size, message.content.len() as u64, "{id} says another size than it has");
        for (number, part) in message.parts.into_iter().enumerate() {
            let expected = PartId { message: id, number: number as u32 };
            assert_eq!(part.id, expected, "parts are numbered from 0 without gaps");
            assert!(!part.recipients.is_empty(), "{expected} has no recipient");
            assert!(self.known.insert(expected), "{id} is committed a second time");
            if message.meta.members {
                let list = message.meta.labels.as_ref().and_then(|labels| labels.list.clone());
                let account = message.meta.account.clone();
                self.members.insert(expected, Member { recipients: addresses(&part), account, list, campaign: None });
            }
            self.parts.insert(expected, part);
        }
        self.messages.insert(id, (message.meta, message.content));
    }

    fn settle(&mut self, settlement: Settlement) {
        let id = settlement.part;
        assert!(self.known.contains(&id), "{id} was never committed");
        if !self.parts.contains_key(&id) {
            return;
        }
        match settlement.change {
            Change::Keep(record) => {
                assert_eq!(record.id, id, "a record replaces its own part");
                assert!(!record.recipients.is_empty(), "{id} is kept without a recipient");
                self.parts.insert(id, record);
            }
            Change::Done | Change::Ended(_) => {
                if let (Change::Ended(ended), Some(campaign)) =
                    (&settlement.change, self.campaigns.get_mut(&id.message))
                {
                    campaign.tally.count(*ended);
                }
                self.parts.remove(&id);
                self.drop_if_done(id.message);
            }
        }
        for notice in settlement.notices {
            self.insert(notice);
        }
    }

    fn drop_if_done(&mut self, message: MessageId) {
        let (first, last) = (PartId { message, number: 0 }, PartId { message, number: u32::MAX });
        if self.parts.range(first..=last).next().is_none() {
            self.messages.remove(&message);
        }
    }

    fn change_campaign(&mut self, write: CampaignWrite) {
        let id = write.id();
        if let CampaignWrite::Begin { campaign, meta, letter } = write {
            assert!(self.campaigns.insert(id, *campaign).is_none(), "{id} is begun a second time");
            self.messages.insert(id, (meta, letter));
            return;
        }
        let campaign = self.campaigns.get_mut(&id).unwrap_or_else(|| panic!("{id} is no campaign"));
        match write {
            CampaignWrite::Begin { .. } => {}
            CampaignWrite::Append { rows, parts, refused, left_out, .. } => {
                assert_eq!(campaign.state, CampaignState::Loading, "{id} is whole already");
                campaign.tally.taken += parts.len() as u64;
                campaign.tally.refused += u64::from(refused);
                campaign.tally.left_out += u64::from(left_out);
                let member = |part: &PartRecord| Member {
                    recipients: addresses(part),
                    account: Some(campaign.account.clone()),
                    list: Some(campaign.list.clone()),
                    campaign: Some(campaign.name.clone()),
                };
                for part in parts {
                    assert!(
                        part.id.number >= campaign.rows && part.id.number < rows,
                        "row {} is out of order",
                        part.id
                    );
                    assert_eq!(part.recipients.len(), 1, "a letter's part is one recipient");
                    assert!(self.known.insert(part.id), "{} is appended a second time", part.id);
                    self.members.insert(part.id, member(&part));
                    self.parts.insert(part.id, part);
                }
                campaign.rows = rows;
            }
            CampaignWrite::Launch { meta, at } => {
                (campaign.state, campaign.launched) = (CampaignState::Running, Some(at));
                if let Some(message) = self.messages.get_mut(&id) {
                    message.0 = meta;
                }
            }
            CampaignWrite::State { state, .. } => {
                campaign.state = state;
                if campaign.state.is_over() {
                    self.drop_if_done(id);
                }
            }
            CampaignWrite::TakeOut { parts, never_sent, .. } => {
                for number in parts {
                    let part = PartId { message: id, number };
                    assert!(self.known.contains(&part), "{part} was never appended");
                    if self.parts.remove(&part).is_some() {
                        campaign.tally.count(Ended::Cancelled);
                        if never_sent {
                            self.members.remove(&part);
                        }
                    }
                }
                self.drop_if_done(id);
            }
        }
    }
}

fn addresses(part: &PartRecord) -> Vec<repute_types::Address> {
    part.recipients.iter().map(|p| p.recipient.address.clone()).collect()
}

impl Spool for MemorySpool {
    fn commit(&self, message: NewMessage) -> BoxFuture<'_, Result<Committed, SpoolError>> {
        Box::pin(async move {
            self.disk().await?;
            let id = message.meta.id;
            self.lock().insert(message);
            Ok(Committed::proof(id))
        })
    }

    fn settle(&self, settlement: Settlement) {
        let mut state = self.lock();
        state.settle(settlement);
        if state.refusal().is_some() {
            state.unsettled += 1;
        }
    }

    fn unsettled(&self) -> usize {
        self.lock().unsettled
    }

    fn refusal(&self) -> Option<Refusal> {
        let state = self.lock();
        let text = state.refusal()?.to_string();
        Some(if state.disk == Disk::Full { Refusal::Full(text) } else { Refusal::Failing(text) })
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), SpoolError>> {
        Box::pin(async move { if self.unsettled() > 0 { self.disk().await } else { Ok(()) } })
    }

    fn meta(&self, id: MessageId) -> BoxFuture<'_, Result<MessageMeta, SpoolError>> {
        Box::pin(async move {
            let state = self.lock();
            state.messages.get(&id).map(|(meta, _)| meta.clone()).ok_or(SpoolError::Missing(id))
        })
    }

    fn content(&self, id: MessageId) -> BoxFuture<'_, Result<Content, SpoolError>> {
        Box::pin(async move {
            let state = self.lock();
            if state.damaged.contains(&id) {
                return Err(SpoolError::Damaged(id));
            }
            state.messages.get(&id).map(|(_, content)| content.clone()).ok_or(SpoolError::Missing(id))
        })
    }

    fn part(&self, id: PartId) -> BoxFuture<'_, Result<PartRecord, SpoolError>> {
        Box::pin(async move { self.lock().parts.get(&id).cloned().ok_or(SpoolError::Missing(id.message)) })
    }

    fn scan(
        &self,
        after: Option<PartId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(MessageMeta, PartRecord)>, SpoolError>> {
        Box::pin(async move {
            let (found, late) = self.lock().scan(after, limit);
            if let Some(late) = late {
                tokio::time::sleep(late).await;
            }
            found
        })
    }

    fn last_id(&self) -> BoxFuture<'_, Result<Option<MessageId>, SpoolError>> {
        Box::pin(async move {
            let state = self.lock();
            let last = [state.messages.keys().next_back(), state.campaigns.keys().next_back()];
            Ok(last.into_iter().flatten().max().copied())
        })
    }

    fn change_campaign(&self, write: CampaignWrite) -> BoxFuture<'_, Result<(), SpoolError>> {
        Box::pin(async move {
            self.disk().await?;
            self.lock().change_campaign(write);
            Ok(())
        })
    }

    fn campaigns(&self) -> BoxFuture<'_, Result<Vec<Campaign>, SpoolError>> {
        Box::pin(async move { Ok(self.lock().campaigns.values().cloned().collect()) })
    }

    fn member(&self, part: PartId) -> BoxFuture<'_, Result<Option<Member>, SpoolError>> {
        Box::pin(async move { Ok(self.lock().members.get(&part).cloned()) })
    }

    fn forget_members(&self, before: Timestamp) -> BoxFuture<'_, Result<(), SpoolError>> {
        Box::pin(async move {
            let mut state = self.lock();
            let oldest = MessageId::first_at(before);
            let State { campaigns, members, messages, .. } = &mut *state;
            members.retain(|part, _| part.message >= oldest);
            campaigns.retain(|id, _| *id >= oldest || messages.contains_key(id));
            Ok(())
        })
    }
}
