//! What is asked of campaigns and what is answered. All of it is JSON for the faces.

use std::time::Duration;

use repute_spool as spool;
use repute_types::labels::list_name;
use repute_types::{Address, MessageId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::circuit::CircuitRow;

/// A letter and what its list will bring.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    pub account: String,
    /// What the campaign is called, once an account: up to 64 letters, digits, `.`, `_` and `-`.
    /// Beginning one of that name again that is still loading, with the same letter and fields,
    /// goes on with it.
    pub campaign: String,
    /// The list that recipients leave with one click, within the account; without it the campaign's name. Blanks around it
    /// make no difference.
    #[serde(default)]
    pub list: Option<String>,
    /// A MIME message with merge fields in its header and its text parts.
    pub letter: String,
    /// The merge fields that each recipient brings, in the order of [`Row::values`]. `email`
    /// and `unsubscribe_url` are there by themselves.
    #[serde(default)]
    pub fields: Vec<String>,
    #[serde(default)]
    pub tags: Vec<String>,
}

/// Octets of the name of a campaign or a list.
const NAME: usize = 64;

/// Where a campaign or a list cannot be called so: the sentence that says why. The one rule for names.
pub(crate) fn name_fault(name: &str) -> Option<String> {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let fits = (1..=NAME).contains(&name.len()) && name.bytes().all(good);
    (!fits).then(|| format!("{name:?} cannot be a name: up to {NAME} letters, digits, `.`, `_` and `-`"))
}

/// The same of a list as it was written: blanks around its name make no difference, but for its length.
pub(crate) fn list_fault(list: &str) -> Option<String> {
    let bare = list.trim_matches(' ');
    name_fault(if list.len() > NAME { list } else { bare })
}

/// One recipient of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub email: String,
    /// In the order of [`Begin::fields`]; an empty text is a field that is not there.
    #[serde(default)]
    pub values: Vec<String>,
}

/// Octets of one row's fields at most.
pub const ROW_OCTETS: usize = 16 << 10;

impl Row {
    /// Where its fields are longer than can be kept for each recipient: the sentence that says so.
    pub fn too_long(&self) -> Option<String> {
        let octets: usize = self.values.iter().map(String::len).sum();
        (octets > ROW_OCTETS).then(|| format!("its fields are longer than {} KiB", ROW_OCTETS >> 10))
    }
}

/// A campaign that recipients can be added to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Begun {
    pub id: MessageId,
    pub campaign: String,
    /// The number of the row to go on with: how many came in before a break.
    pub next_row: u32,
}

/// What a campaign that is loading expects.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Loading {
    pub id: MessageId,
    /// The names of [`Row::values`], in their order.
    pub fields: Vec<String>,
    /// The number of the row to go on with.
    pub next_row: u32,
}

/// A batch of the list, in its order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Add {
    pub id: MessageId,
    /// The number of the first of these rows, from 0. Rows that came in before are passed over, so
    /// that a batch may be sent again.
    pub first_row: u32,
    /// At most [`MOST_ROWS`].
    pub rows: Vec<Row>,
}

/// Rows of one batch at most.
pub const MOST_ROWS: usize = 2_000;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Added {
    /// The number of the row to go on with.
    pub next_row: u32,
    /// Taken in by this call.
    pub taken: u32,
    /// Not taken in, and why.
    pub refused: Vec<Refused>,
}

/// A row of the list that is not written to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// From 0.
    pub row: u32,
    pub email: String,
    pub why: WhyNot,
    /// What exactly, for people.
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyNot {
    /// It is no address.
    Syntax,
    /// It was on the list before.
    Duplicate,
    /// Mail to it is suppressed.
    Suppressed,
    /// A mailbox of an office that nobody subscribes with: `postmaster@`, `noreply@`.
    Role,
    /// Its domain takes no mail: it does not exist, or says so (null MX, RFC 7505).
    Domain,
    /// A merge field that the letter needs is not there, or the letter cannot be merged with it.
    Field,
    /// Its fields are longer than can be kept for each recipient.
    Long,
}

impl WhyNot {
    pub const ALL: [WhyNot; 7] = [
        WhyNot::Syntax,
        WhyNot::Duplicate,
        WhyNot::Suppressed,
        WhyNot::Role,
        WhyNot::Domain,
        WhyNot::Field,
        WhyNot::Long,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            WhyNot::Syntax => "syntax",
            WhyNot::Duplicate => "duplicate",
            WhyNot::Suppressed => "suppressed",
            WhyNot::Role => "role",
            WhyNot::Domain => "domain",
            WhyNot::Field => "field",
            WhyNot::Long => "long",
        }
    }
}

/// A campaign and how far it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Campaign {
    pub id: MessageId,
    pub campaign: String,
    pub account: String,
    pub list: String,
    pub state: State,
    /// Why it is paused.
    #[serde(default)]
    pub reason: Option<String>,
    pub begun: Timestamp,
    #[serde(default)]
    pub launched: Option<Timestamp>,
    /// Rows of the list so far: `taken`, `refused` and `left_out` together.
    pub rows: u64,
    pub taken: u64,
    /// Rows that were no address, or one that was there before.
    pub refused: u64,
    /// Rows whose addresses are suppressed.
    pub left_out: u64,
    pub delivered: u64,
    /// Refused for good, or given up.
    pub failed: u64,
    /// Suppressed after they were taken in.
    pub suppressed: u64,
    pub cancelled: u64,
    /// Of those taken in: not done yet.
    pub waiting: u64,
    /// Of those waiting: tried before, and to be tried again.
    pub deferred: u64,
    /// What stops it, or its account, until a person goes on.
    #[serde(default)]
    pub circuit: Option<CircuitRow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The list is coming in; nothing is sent.
    Loading,
    Running,
    Paused,
    /// Nothing more is sent, and what is left is being taken out.
    Cancelling,
    Cancelled,
    /// Nobody waits any more.
    Done,
}

impl State {
    pub const ALL: [State; 6] =
        [State::Loading, State::Running, State::Paused, State::Cancelling, State::Cancelled, State::Done];

    pub fn as_str(self) -> &'static str {
        match self {
            State::Loading => "loading",
            State::Running => "running",
            State::Paused => "paused",
            State::Cancelling => "cancelling",
            State::Cancelled => "cancelled",
            State::Done => "done",
        }
    }
}

impl Campaign {
    /// `deferred` is known to the queue alone, and what stops it to the circuits.
    pub fn of(known: &spool::Campaign, deferred: u64) -> Campaign {
        let tally = known.tally;
        let (state, reason) = match &known.state {
            spool::CampaignState::Loading => (State::Loading, None),
            spool::CampaignState::Cancelling => (State::Cancelling, None),
            spool::CampaignState::Cancelled => (State::Cancelled, None),
            _ if tally.waiting() == 0 => (State::Done, None),
            spool::CampaignState::Running => (State::Running, None),
            spool::CampaignState::Paused(reason) => (State::Paused, Some(reason.clone())),
        };
        Campaign {
            id: known.id,
            campaign: known.name.clone(),
            account: known.account.to_string(),
            list: list_name(&known.list),
            state,
            reason,
            begun: known.begun,
            launched: known.launched,
            rows: tally.taken + tally.refused + tally.left_out,
            taken: tally.taken,
            refused: tally.refused,
            left_out: tally.left_out,
            delivered: tally.delivered,
            failed: tally.failed,
            suppressed: tally.suppressed,
            cancelled: tally.cancelled,
            waiting: tally.waiting(),
            deferred,
            circuit: None,
        }
    }
}

/// A letter merged and signed for one recipient, as it would go out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Preview {
    pub email: String,
    pub message: String,
}

/// What a wish to leave is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveScope {
    /// The list that the message was sent by.
    List,
    /// Everything that the account sends.
    Everything,
}

/// What a page about leaving shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    pub address: Address,
    /// Whose mail it is; `None` where that is not known any more.
    pub account: Option<String>,
    /// `None` where the message was by no list: leaving is then about all that the account sends.
    pub list: Option<String>,
    pub campaign: Option<String>,
    /// What the recipient had left before.
    pub left: Option<LeaveScope>,
}

impl Leave {
    /// Whether leaving would change nothing.
    pub fn has_left(&self, scope: LeaveScope) -> bool {
        match self.left {
            Some(LeaveScope::Everything) => true,
            Some(LeaveScope::List) => scope == LeaveScope::List,
            None => false,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// Something in the question is wrong; the sentence has the cure.
    #[error("{0}")]
    Refused(String),
    /// Nothing is wrong with the question: what is there already does not allow it. The sentence has the cure.
    #[error("{0}")]
    Conflict(String),
    #[error("there is no campaign {0:?}: `repute bulk list` shows those that are known")]
    NoSuchCampaign(String),
    #[error("row {row} comes before row {next} that is awaited: go on from there")]
    Gap { row: u32, next: u32 },
    #[error("recipients of the campaign {0} are still coming in: launch it when all of them are in")]
    ComingIn(String),
    /// The account has handed in as much as its rate lets it; the sentence has the cure.
    #[error("{text}. The rows so far are kept: the same list goes on behind them")]
    Rate { text: String, wait: Duration },
    #[error("this link is not one of ours, or it is too old")]
    NoSuchToken,
    #[error("the spool cannot be read or written now")]
    Spool(#[source] spool::SpoolError),
    #[error("the suppression list cannot be read or written now")]
    Suppressions(#[source] repute_ledger::LedgerError),
    #[error("what is stopped cannot be written now")]
    Circuit(#[source] repute_ledger::LedgerError),
}
