//! A campaign: one letter to a list, as one message whose parts are the recipients.
//!
//! The letter is stored once, each recipient is a part with its merge fields, and the campaign
//! says whether they may be sent at all: while it is loading nobody is owed anything, and
//! responsibility passes to us with [`CampaignWrite::Launch`]. How each part ended is counted in
//! the transaction that ends it, so that the counts are exact also after a crash.

use repute_types::{AccountName, Address, Content, MessageId, Timestamp};

use crate::{MessageMeta, PartRecord};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Of the message that holds the letter.
    pub id: MessageId,
    /// As its sender calls it; one of that name an account.
    pub name: String,
    pub account: AccountName,
    /// The list that a recipient leaves with one click.
    pub list: String,
    pub state: CampaignState,
    pub begun: Timestamp,
    pub launched: Option<Timestamp>,
    /// Rows of the list taken in so far, whatever became of them: the number of the next one.
    pub rows: u32,
    pub tally: Tally,
}

/// What a campaign may do. A campaign whose parts are all done is `Running` without any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CampaignState {
    /// The list is coming in; nothing is sent.
    Loading,
    Running,
    /// With the reason, as a person reads it.
    Paused(String),
    /// Nothing more is sent, and what is left is being taken out.
    Cancelling,
    /// What was left is taken out.
    Cancelled,
}

impl CampaignState {
    /// Nothing is sent any more, and nothing will be.
    pub fn is_over(&self) -> bool {
        matches!(self, CampaignState::Cancelling | CampaignState::Cancelled)
    }
}

/// How many of the list's rows came to what. `taken`, `refused` and `left_out` are the rows so far;
/// of those taken, what is in none of the others still waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub taken: u64,
    /// Not taken in: no address, or one that was there before.
    pub refused: u64,
    /// Not taken in, because mail to them is suppressed.
    pub left_out: u64,
    pub delivered: u64,
    pub failed: u64,
    /// Suppressed after they were taken in.
    pub suppressed: u64,
    pub cancelled: u64,
}

impl Tally {
    pub fn waiting(&self) -> u64 {
        self.taken.saturating_sub(self.delivered + self.failed + self.suppressed + self.cancelled)
    }

    pub(crate) fn count(&mut self, ended: Ended) {
        match ended {
            Ended::Delivered => self.delivered += 1,
            Ended::Failed => self.failed += 1,
            Ended::Suppressed => self.suppressed += 1,
            Ended::Cancelled => self.cancelled += 1,
        }
    }
}

/// How a campaign's recipient ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    Delivered,
    Failed,
    Suppressed,
    Cancelled,
}

/// A change of a campaign, durable before it is answered. Of a campaign that is gone: an error.
#[derive(Clone, Debug)]
pub enum CampaignWrite {
    /// Keeps the letter, with no recipient yet.
    Begin { campaign: Box<Campaign>, meta: MessageMeta, letter: Content },
    /// Rows of the list, whose numbers are those of the parts. The next row is `rows` then.
    Append { id: MessageId, rows: u32, parts: Vec<PartRecord>, refused: u32, left_out: u32 },
    /// The list is whole: from this instant its recipients are ours to deliver to. The metadata
    /// takes the place of that from the beginning, so that time counts from here.
    Launch { meta: MessageMeta, at: Timestamp },
    /// Any other state. Of a campaign that is over, a letter without recipients goes.
    State { id: MessageId, state: CampaignState },
    /// Takes these parts out, counted as cancelled, after all settlements handed in before: a part that is gone by then
    /// stays as it ended. Where `never_sent`, nothing went to any of them, and nobody has a link of them to leave by:
    /// to whom they were is forgotten as well.
    TakeOut { id: MessageId, parts: Vec<u32>, never_sent: bool },
}

impl CampaignWrite {
    pub fn id(&self) -> MessageId {
        match self {
            CampaignWrite::Begin { meta, .. } | CampaignWrite::Launch { meta, .. } => meta.id,
            CampaignWrite::Append { id, .. } | CampaignWrite::State { id, .. } | CampaignWrite::TakeOut { id, .. } => {
                *id
            }
        }
    }

    /// Octets that a transaction gets longer by, more or less.
    pub(crate) fn size(&self) -> usize {
        match self {
            CampaignWrite::Begin { letter, .. } => letter.len(),
            CampaignWrite::Append { parts, .. } => parts.len() * 200,
            CampaignWrite::TakeOut { parts, .. } => parts.len() * 120,
            CampaignWrite::Launch { .. } | CampaignWrite::State { .. } => 0,
        }
    }

    /// Whether it takes room on the disk; what only says how to go on is written also on a full one.
    pub(crate) fn wants_room(&self) -> bool {
        matches!(self, CampaignWrite::Begin { .. } | CampaignWrite::Append { .. })
    }
}

/// To whom a part of bulk mail went, kept for longer than the message: for links by which they leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub recipients: Vec<Address>,
    pub account: Option<AccountName>,
    pub list: Option<String>,
    /// The name of the campaign, where it is one's.
    pub campaign: Option<String>,
}
