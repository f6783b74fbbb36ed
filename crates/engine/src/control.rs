//! What an operator may ask of the queue, the same for the command line and for every other
//! face. Typed questions in, typed answers out (they serialise to JSON); nothing above this
//! floor touches the spool or the history.

mod about;
mod change;
mod changes;
pub mod circuit;
mod error;
mod first;
mod launches;
mod reports;
mod select;
mod sent;
mod server;
pub mod suppression;
mod tls;

use std::time::Duration;

use repute_ledger::Step;
use repute_queue::{PaceView, State};
use repute_spool::{CampaignState, MessageMeta, PartRecord, PartState};
use repute_types::{Address, Domain, MessageId, Stream, Timestamp};
use serde::{Deserialize, Serialize};

use crate::disk;
use crate::pace::PaceRow;
use crate::permit::way::Way;
use crate::unwelcome::UnwelcomeRow;
use crate::warm_up::WarmUpRow;
use crate::works::{HISTORY_PATIENCE, Works};

pub use about::About;
use change::Word;
pub use changes::{Changes, StillHeld};
pub use error::ControlError;
pub use first::First;
pub use select::select;
use select::{find, is_written};
pub use server::{DomainRecord, DomainRow, EgressRow};
pub use tls::{TlsSessionList, TlsSessionRow};

/// Which parts of the queue are meant; everything that is set has to hold. An empty selector
/// means all: commands that change something ask for at least one condition or `all`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selector {
    pub ids: Vec<String>,
    /// The recipients' domain.
    pub domain: Option<Domain>,
    /// The envelope's sender, or its domain written `@example.com`.
    pub sender: Option<String>,
    pub recipient: Option<Address>,
    pub account: Option<String>,
    /// No condition: the last part of the page before, `ID.NUMBER`.
    pub after: Option<String>,
    /// In seconds, since acceptance.
    pub older_than: Option<u64>,
    /// Only those that are held; where something is changed, those alone that are by themselves and not with their campaign.
    pub held: bool,
    pub all: bool,
}

impl Selector {
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
            && self.domain.is_none()
            && self.sender.is_none()
            && self.recipient.is_none()
            && self.account.is_none()
            && self.older_than.is_none()
            && !self.held
            && !self.all
    }

    fn ids(&self) -> Result<Vec<MessageId>, ControlError> {
        let id = |text: &String| text.parse().map_err(|_| ControlError::NoSuchId(text.clone()));
        self.ids.iter().map(id).collect()
    }

    /// `ids` are sorted; `held` says whether a message is held as a whole, beside its parts.
    fn matches(
        &self,
        ids: &[MessageId],
        meta: &MessageMeta,
        part: &PartRecord,
        held: impl Fn(&MessageMeta) -> bool,
        now: Timestamp,
    ) -> bool {
        let sender = meta.from.as_ref().map(ToString::to_string).unwrap_or_default();
        let by_sender = |wanted: &String| match wanted.strip_prefix('@') {
            Some(domain) => sender.rsplit_once('@').is_some_and(|(_, d)| d.eq_ignore_ascii_case(domain)),
            None => sender.eq_ignore_ascii_case(wanted.trim_matches(['<', '>'])),
        };
        (ids.is_empty() || ids.binary_search(&meta.id).is_ok())
            && self.domain.as_ref().is_none_or(|d| *d == part.domain)
            && self.sender.as_ref().is_none_or(by_sender)
            && self.recipient.as_ref().is_none_or(|a| part.recipients.iter().any(|p| p.recipient.address == *a))
            && self.account.as_deref().is_none_or(|a| meta.account.as_deref() == Some(a))
            && self.older_than.is_none_or(|s| now.since(meta.received) >= Duration::from_secs(s))
            && (!self.held || part.state != PartState::Due || held(meta))
    }
}

/// A part as `repute queue list` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct QueueRow {
    pub id: MessageId,
    pub part: u32,
    pub sender: String,
    pub domain: Domain,
    pub recipients: Vec<QueueRecipient>,
    /// One of [`QueueRow::states`]; `barred`: it has no permit.
    pub state: &'static str,
    /// Why it is held or has no permit, or what keeps its site from being tried.
    pub reason: Option<String>,
    /// The reason is a rate that mail of other accounts shares.
    #[serde(skip)]
    pub is_paced: bool,
    /// When it is tried next, where it waits for a time.
    pub next: Option<Timestamp>,
    pub attempts: u32,
    pub received: Timestamp,
    pub expires: Timestamp,
    pub size: u64,
    pub account: Option<String>,
    pub stream: &'static str,
}

impl QueueRow {
    pub fn states() -> [&'static str; 6] {
        State::ALL.map(State::as_str)
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct QueueRecipient {
    pub address: Address,
    /// What the last attempt said.
    pub last: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct QueueList {
    pub rows: Vec<QueueRow>,
    /// Whether there are more than were asked for.
    pub more: bool,
}

/// What became of a message or of mail to an address.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    pub steps: Vec<Step>,
    /// What is still in the queue of it.
    pub queued: Vec<QueueRow>,
    /// The history cannot be written now: the last steps may be missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub behind: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct Status {
    pub queued: usize,
    /// Parts that wait for a permit.
    pub barred: usize,
    pub sessions: u32,
    pub lanes: Vec<LaneRow>,
    /// How far addresses have come that warm up.
    pub warm_up: Vec<WarmUpRow>,
    /// Addresses that receivers take no mail from.
    pub unwelcome: Vec<UnwelcomeRow>,
}

/// A site as it is reached from one egress, with what its sessions do.
#[derive(Clone, Debug, Serialize)]
pub struct LaneRow {
    pub site: String,
    pub egress: u16,
    /// The egress by its name, and which of its addresses where that is one of them alone.
    pub from: String,
    pub ready: usize,
    pub sessions: u32,
    pub window: u32,
    pub paused_until: Option<Timestamp>,
    /// The rate that it keeps to.
    pub pace: Option<PaceRow>,
}

/// The control operations of running works.
#[derive(Clone)]
pub struct Control {
    pub(crate) works: std::sync::Arc<Works>,
}

impl Control {
    pub async fn list(&self, selector: &Selector, limit: usize) -> Result<QueueList, ControlError> {
        let now = self.works.now();
        let found = self.select(selector, |meta| self.holds(meta).is_some(), limit.saturating_add(1)).await?;
        let more = found.len() > limit;
        let rows = found.into_iter().take(limit).map(|(meta, part)| self.row(&meta, part, now)).collect();
        Ok(QueueList { rows, more })
    }

    pub async fn hold(&self, selector: &Selector, reason: &str) -> Result<Changes, ControlError> {
        self.change(selector, Word::Hold(reason.to_owned())).await
    }

    /// Held parts become due now, or at the time that their sender set where it is still ahead.
    pub async fn release(&self, selector: &Selector) -> Result<Changes, ControlError> {
        self.change(selector, Word::Release).await
    }

    /// Waiting parts become due now; what is held stays held, and what is to be sent later keeps its time unless it was named
    /// by its id.
    pub async fn retry(&self, selector: &Selector) -> Result<Changes, ControlError> {
        self.change(selector, Word::Retry { named: !selector.ids.is_empty() }).await
    }

    /// Takes messages out of the queue without a notice to their senders. The history keeps it, and who said so.
    pub async fn cancel(&self, selector: &Selector, who: &str) -> Result<Changes, ControlError> {
        self.change(selector, Word::Cancel(format!("cancelled by {who}"), None)).await
    }

    /// `about` is a message id, the Message-ID of a header in brackets, or a recipient.
    pub async fn why(&self, about: &str, limit: usize) -> Result<Why, ControlError> {
        let about = About::parse(about)?;
        let (mut steps, behind) = match &self.works.doors.history {
            Some(history) => {
                let history = history.clone();
                let about = about.clone();
                // The flush waits for the history's thread, so it stands with the question.
                history
                    .clone()
                    .ask(move |questions| {
                        let behind = !history.flush_within(HISTORY_PATIENCE);
                        Ok((about.steps(questions, limit)?, behind))
                    })
                    .await
                    .map_err(ControlError::History)?
            }
            None => (Vec::new(), false),
        };
        self.remember_launches(&mut steps).await?;
        let selector = about.selector();
        let queued = match selector {
            Some(selector) => self.list(&selector, limit).await?.rows,
            None => Vec::new(),
        };
        Ok(Why { steps, queued, behind })
    }

    /// The works' own time.
    pub fn now(&self) -> Timestamp {
        self.works.now()
    }

    /// Parts in the queue, by the word of each state.
    pub fn parts(&self) -> Vec<(&'static str, usize)> {
        let counts = self.works.queue(|queue| queue.counts());
        counts.into_iter().map(|(state, count)| (state.as_str(), count)).collect()
    }

    /// Outcomes that are not on disk yet.
    pub fn unsettled(&self) -> usize {
        self.works.doors.spool.unsettled()
    }

    /// Whether messages can be taken: the spool answers, and its disk has room for them.
    pub async fn ready(&self) -> Result<(), ControlError> {
        if let Some(refusal) = disk::refusal(&self.works) {
            return Err(ControlError::NoMailTaken(disk::text(&refusal)));
        }
        self.works.doors.spool.last_id().await.map(drop).map_err(ControlError::Spool)
    }

    pub fn status(&self) -> Status {
        let settings = self.works.settings();
        let warm_up = self.works.warm_ups.list(&settings);
        let unwelcome = self.works.unwelcome.list(self.works.now());
        self.works.queue(|queue| Status {
            warm_up,
            unwelcome,
            queued: queue.len(),
            barred: queue.barred(),
            sessions: queue.sessions(),
            lanes: queue
                .lanes()
                .map(|lane| {
                    let way = Way::of_number(lane.key.way);
                    LaneRow {
                        site: lane.key.site.to_string(),
                        egress: way.egress,
                        from: way.name(&settings),
                        ready: lane.ready,
                        sessions: lane.sessions,
                        window: lane.window,
                        paused_until: lane.paused_until,
                        pace: lane.pace.map(PaceRow::from),
                    }
                })
                .collect(),
        })
    }

    async fn select(
        &self,
        selector: &Selector,
        held: impl Fn(&MessageMeta) -> bool,
        limit: usize,
    ) -> Result<Vec<(MessageMeta, PartRecord)>, ControlError> {
        let spool = &*self.works.doors.spool;
        // A disk that takes nothing more can still be asked what waits: of what was settled and could not
        // be written the queue knows nothing any more.
        let written = is_written(spool).await?;
        let mut found = find(spool, selector, held, limit, self.works.now()).await?;
        if !written {
            found.retain(|(_, part)| self.works.queue(|queue| queue.view(part.id)).is_some());
        }
        Ok(found)
    }

    /// Why a campaign's mail is held as a whole, of which nothing is written at its parts.
    fn holds(&self, meta: &MessageMeta) -> Option<String> {
        match self.works.bulk.state(meta.id)? {
            CampaignState::Loading => Some("its campaign is not launched yet".to_owned()),
            CampaignState::Paused(reason) => Some(format!("its campaign is paused: {reason}")),
            CampaignState::Running => self.works.circuits.stops(meta).map(|hold| hold.reason),
            _ => None,
        }
    }

    fn row(&self, meta: &MessageMeta, part: PartRecord, now: Timestamp) -> QueueRow {
        let view = self.works.queue(|queue| queue.view(part.id));
        let barred = view.as_ref().is_some_and(|view| view.state == State::Barred);
        let lane = view.as_ref().and_then(|view| self.works.lane(view.lane.as_ref()?.id));
        let mut row = row(meta, part, view, lane.and_then(|lane| lane.trouble()).as_deref(), now);
        row.expires = self.works.expires(meta);
        if let Some(word) = self.holds(meta).filter(|_| row.state != "sending") {
            (row.state, row.next) = ("held", None);
            row.reason.get_or_insert(word);
        } else if barred {
            let sender = self.works.gate.sender(meta.author.as_ref());
            row.reason = Some(self.works.gate.table().why(sender).to_string());
        }
        row
    }
}

/// A row from what is stored, and from what the running queue knows beside it. `trouble` is why no session with its
/// site could be had.
pub fn row(
    meta: &MessageMeta,
    part: PartRecord,
    view: Option<repute_queue::View>,
    trouble: Option<&str>,
    now: Timestamp,
) -> QueueRow {
    let stored = if part.state == PartState::Due { "waiting" } else { "held" };
    let state = view.as_ref().map_or(stored, |view| view.state.as_str());
    let lane = view.as_ref().and_then(|v| v.lane.as_ref());
    let paused = lane.and_then(|lane| lane.paused_until).filter(|t| *t > now);
    let turn = |pace: &PaceView| if meta.stream == Stream::Bulk { pace.next } else { pace.next_transactional };
    let pace = lane.and_then(|lane| lane.pace.clone()).filter(|pace| state == "ready" && turn(pace) > now);
    let reason = match (&part.state, paused) {
        (PartState::Held(hold), _) => Some(hold.reason.clone()),
        (PartState::Due, Some(until)) if lane.is_some_and(|lane| lane.told_to_wait) => {
            Some(format!("its site wants us to wait; tried again at {until}"))
        }
        (PartState::Due, Some(until)) => {
            let why = trouble.map(|why| format!(" ({why})")).unwrap_or_default();
            Some(format!("no session with its site could be had{why}; tried again at {until}"))
        }
        (PartState::Due, None) => pace.clone().map(|pace| PaceRow::from(pace).sentence()),
    };
    let is_paced = part.state == PartState::Due && paused.is_none() && pace.is_some();
    let next = match state {
        "waiting" => Some(view.as_ref().map_or(part.due, |view| view.due)),
        "ready" => paused.or(pace.map(|pace| turn(&pace))),
        _ => None,
    };
    QueueRow {
        id: meta.id,
        part: part.id.number,
        sender: meta.from.as_ref().map_or_else(|| "<>".to_owned(), ToString::to_string),
        domain: part.domain,
        recipients: part
            .recipients
            .into_iter()
            .map(|p| QueueRecipient { last: p.last.map(|o| o.reason()), address: p.recipient.address })
            .collect(),
        state,
        reason,
        is_paced,
        next,
        attempts: part.attempts,
        received: meta.received,
        expires: meta.expires,
        size: meta.size,
        account: meta.account.as_ref().map(ToString::to_string),
        stream: meta.stream.as_str(),
    }
}
