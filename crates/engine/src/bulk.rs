//! Bulk mail: one letter to a list, as a campaign.
//!
//! The same operations for the command line and the HTTP interface ([`crate::Control`]): begin with
//! a letter, add recipients in batches, launch, and from then on show, pause, resume and cancel.
//! What stands on disk at which instant: docs/bulk.md.
//!
//! Promise: a campaign's recipients are ours from the instant that its launch is on disk, and
//! what a paused or cancelled campaign may do is asked before each attempt. A letter is merged and
//! signed for an attempt and kept nowhere.

pub mod array;
mod begin;
mod check;
mod fields;
mod leave;
mod list;
mod operate;
mod render;
pub mod rows;
mod take_out;
pub mod words;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use repute_message::merge::FormLetter;
use repute_spool::{Campaign, CampaignState, MessageMeta, SpoolError};
use repute_types::labels::list_name;
use repute_types::{AccountName, Labels, MessageId};
use tokio::sync::Notify;

pub use self::check::{CheckAddresses, DomainTakes, Takes};
pub(crate) use self::fields::add_to_single;
pub use self::leave::{MAILTO, PAGE, unsubscribe_url};
pub(crate) use self::operate::{enter, hold, page, sweep};
pub(crate) use self::render::{letter_size, merged};
pub(crate) use self::take_out::run as take_out;
use self::words::BulkError;
use crate::disk;
use crate::works::{Works, lock};

/// Letters that are kept ready to be merged; a campaign's is read again where there are more at once.
const READY: usize = 8;

/// What configuration says of bulk mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BulkSettings {
    /// Where recipients reach our pages, without a `/` at the end; `None`: no letters are sent.
    pub url: Option<String>,
    /// Whether mail of bulk accounts that has no List-Unsubscribe field gets one.
    pub list_unsubscribe: bool,
}

/// The campaigns as the works see them.
#[derive(Default)]
pub(crate) struct Bulk {
    campaigns: RwLock<HashMap<MessageId, Arc<Known>>>,
    letters: Mutex<Vec<(MessageId, Arc<Ready>)>>,
    /// One campaign is begun at a time, so that a name is taken once, or launched by a client, so that none is launched beside
    /// what it is measured by.
    beginning: tokio::sync::Mutex<()>,
    /// A campaign was cancelled.
    cancelled: Notify,
}

/// A campaign whose letter may be in the spool.
pub(crate) struct Known {
    pub id: MessageId,
    pub name: String,
    pub account: AccountName,
    pub list: String,
    state: Mutex<CampaignState>,
    /// Who brings recipients in now.
    coming: AtomicUsize,
    /// Not launched before the start: then nothing was ever sent to those who were never tried. Else an attempt of before a
    /// crash may not be known.
    launched_here: bool,
    /// What changes it waits its turn here.
    turn: tokio::sync::Mutex<Loading>,
}

/// While this stands, recipients of a campaign are coming in, and it is not launched.
pub struct ComingIn(Arc<Known>);

impl ComingIn {
    fn of(known: Arc<Known>) -> ComingIn {
        known.coming.fetch_add(1, Ordering::SeqCst);
        ComingIn(known)
    }
}

impl Drop for ComingIn {
    fn drop(&mut self) {
        self.0.coming.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What is known of a list while it comes in.
#[derive(Default)]
struct Loading {
    next_row: u32,
    /// Hashes of the addresses so far; `None` until they were read from the spool.
    seen: Option<HashSet<u64>>,
}

/// A campaign, or rows of its list, that the spool did not keep: counted with the messages that it refused.
fn refused_by_spool(works: &Works, messages: u64, error: SpoolError) -> BulkError {
    if let SpoolError::Storage(detail) = &error {
        disk::refused(works, messages, detail);
    }
    BulkError::Spool(error)
}

/// A letter ready to be merged.
pub(crate) struct Ready {
    pub form: FormLetter,
    pub meta: Arc<MessageMeta>,
}

impl Known {
    fn of(campaign: &Campaign) -> Known {
        // Earlier versions wrote down that it is cancelled before all of it was taken out.
        let state = match &campaign.state {
            CampaignState::Cancelled if campaign.tally.waiting() > 0 => CampaignState::Cancelling,
            state => state.clone(),
        };
        Known {
            id: campaign.id,
            name: campaign.name.clone(),
            account: campaign.account.clone(),
            list: list_name(&campaign.list),
            state: Mutex::new(state),
            coming: AtomicUsize::new(0),
            launched_here: campaign.launched.is_none(),
            turn: tokio::sync::Mutex::new(Loading { next_row: campaign.rows, seen: None }),
        }
    }

    /// What its events are labelled with.
    pub fn labels(&self) -> Option<Arc<Labels>> {
        Labels { campaign: Some(self.name.clone()), list: Some(self.list.clone()), ..Labels::default() }.kept()
    }

    fn is_coming_in(&self) -> bool {
        self.coming.load(Ordering::SeqCst) > 0
    }

    pub fn state(&self) -> CampaignState {
        lock(&self.state).clone()
    }

    fn set(&self, state: CampaignState) {
        *lock(&self.state) = state;
    }
}

impl Bulk {
    /// Takes in what the spool has, at start.
    pub fn restore(&self, campaigns: &[Campaign]) {
        let mut known = self.campaigns.write().unwrap_or_else(PoisonError::into_inner);
        known.extend(campaigns.iter().map(|campaign| (campaign.id, Arc::new(Known::of(campaign)))));
    }

    pub fn known(&self, id: MessageId) -> Option<Arc<Known>> {
        self.campaigns.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// What its campaign says about a message; `None` where it has none.
    pub fn state(&self, id: MessageId) -> Option<CampaignState> {
        self.known(id).map(|known| known.state())
    }

    /// Whether it belongs to a campaign of which nothing more is sent.
    pub fn is_over(&self, id: MessageId) -> bool {
        self.state(id).is_some_and(|state| state.is_over())
    }

    fn insert(&self, known: Known) {
        self.campaigns.write().unwrap_or_else(PoisonError::into_inner).insert(known.id, Arc::new(known));
    }

    /// Campaigns from before this one of which nothing is asked any more.
    fn forget(&self, before: MessageId) {
        let mut campaigns = self.campaigns.write().unwrap_or_else(PoisonError::into_inner);
        campaigns.retain(|id, known| *id >= before || known.state() != CampaignState::Cancelled);
    }

    pub fn all(&self) -> Vec<Arc<Known>> {
        self.campaigns.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn ready(&self, id: MessageId) -> Option<Arc<Ready>> {
        lock(&self.letters).iter().find(|(of, _)| *of == id).map(|(_, ready)| ready.clone())
    }

    fn keep_ready(&self, id: MessageId, ready: &Arc<Ready>) {
        let mut letters = lock(&self.letters);
        letters.retain(|(of, _)| *of != id);
        if letters.len() == READY {
            letters.remove(0);
        }
        letters.push((id, ready.clone()));
    }

    fn forget_letter(&self, id: MessageId) {
        lock(&self.letters).retain(|(of, _)| *of != id);
    }
}
