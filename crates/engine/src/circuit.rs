//! Circuit breakers: an account or a campaign whose mail costs our name too much is stopped before
//! receivers stop all of us.
//!
//! Every recipient's outcome and everything that comes back is counted for the account and, where the message has
//! one, for its campaign ([`count`]). Too many people who do not exist, complaints, or verdicts of spam open the
//! circuit: an incident with numbers and examples is told, once, and from then on every part of that account or
//! campaign is held when it is due, until a person goes on or cancels. Other accounts' mail is not touched.
//! What is open, and what was counted, survives a restart; a crash loses the counts of the last minute.
//! Beside them stands the brake ([`brake`]): an account that suddenly writes to many strangers is stopped in the same way.

pub(crate) mod brake;
pub(crate) mod count;
mod habit;
mod known;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use repute_ledger::{Counted, Habits, Opened};
use repute_spool::MessageMeta;
use repute_trust::replies::Class;
use repute_types::event::{IncidentState, Level};
use repute_types::{AccountName, Culprit, EventKind, Labels, Timestamp, Verdict};
use serde::Serialize;
use tokio::sync::{Notify, watch};

use self::brake::Brake;
pub use self::brake::HabitRow;
pub use self::count::CircuitSettings;
use self::count::{Slice, Told, Window};
use crate::settle::Finished;
use crate::works::{Works, lock};

/// Accounts and campaigns that are counted at a time; one more waits until others are quiet.
const SUBJECTS: usize = 10_000;
/// How often counts are written down.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// What the brake's incidents are called.
const STRANGERS: &str = "circuit.strangers";
/// For so long what a person lets go on is meant, after the brake held it.
const MEANT: Duration = Duration::from_secs(24 * 3600);

/// An account, or a campaign of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Subject {
    account: AccountName,
    campaign: Option<String>,
}

impl Subject {
    /// As a command names it: `shop` or `shop/spring sale`.
    pub fn parse(name: &str) -> Subject {
        match name.split_once('/') {
            Some((account, campaign)) => Subject { account: account.into(), campaign: Some(campaign.to_owned()) },
            None => Subject { account: name.into(), campaign: None },
        }
    }

    fn name(&self) -> String {
        match &self.campaign {
            Some(campaign) => format!("{}/{campaign}", self.account),
            None => self.account.to_string(),
        }
    }

    /// How the reason begins for which its mail is held; no other subject's begins like this.
    pub fn held_by(&self) -> String {
        format!("the circuit of {self} is open:")
    }

    pub fn covers(&self, meta: &MessageMeta) -> bool {
        let campaign = meta.labels.as_ref().and_then(|labels| labels.campaign.as_deref());
        meta.account.as_ref() == Some(&self.account)
            && (self.campaign.is_none() || self.campaign.as_deref() == campaign)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.campaign {
            Some(campaign) => write!(f, "campaign {campaign:?} of account {}", self.account),
            None => write!(f, "account {}", self.account),
        }
    }
}

/// An open circuit, as it is listed.
#[derive(Clone, Debug, Serialize)]
pub struct CircuitRow {
    /// What `continue` and `cancel` are given.
    pub name: String,
    pub account: String,
    pub campaign: Option<String>,
    /// `circuit.unknown`, `circuit.complaints`, `circuit.spam`, `circuit.strangers`.
    pub what: String,
    pub since: Timestamp,
    pub text: String,
}

#[derive(Default)]
pub(crate) struct Circuits {
    state: Mutex<State>,
    /// Nobody's mail is looked at while nothing is open.
    any_open: AtomicBool,
    /// Something opened or was closed, and is not written down.
    changed: AtomicBool,
    news: Notify,
    pub brake: Brake,
}

#[derive(Default)]
struct State {
    windows: HashMap<Subject, Window>,
    open: BTreeMap<Subject, Opened>,
}

impl Circuits {
    /// What was known at the last stop.
    pub fn restored(counted: Vec<Counted>, opened: Vec<Opened>, habits: Habits) -> Circuits {
        let mut state = State::default();
        let subject = |account: String, campaign: String| Subject {
            account: account.into(),
            campaign: Some(campaign).filter(|name| !name.is_empty()),
        };
        for c in counted {
            let slice = Slice {
                since: c.since,
                sent: c.sent,
                unknown: c.unknown,
                complaints: c.complaints,
                spam: c.spam,
                changed: false,
            };
            state.windows.entry(subject(c.account, c.campaign)).or_default().slices.push_back(slice);
        }
        for window in state.windows.values_mut() {
            window.slices.make_contiguous().sort_by_key(|slice| slice.since);
        }
        state.open = opened.into_iter().map(|o| (subject(o.account.clone(), o.campaign.clone()), o)).collect();
        let any_open = AtomicBool::new(!state.open.is_empty());
        let brake = Brake::restored(habits);
        Circuits { state: Mutex::new(state), any_open, changed: AtomicBool::default(), news: Notify::new(), brake }
    }

    /// Whether the account as a whole is stopped.
    pub fn is_open(&self, account: &AccountName) -> bool {
        self.any_open.load(Ordering::Relaxed)
            && lock(&self.state).open.contains_key(&Subject { account: account.clone(), campaign: None })
    }

    /// Why a message is not to be sent now, if it is not.
    pub fn stops(&self, meta: &MessageMeta) -> Option<String> {
        if !self.any_open.load(Ordering::Relaxed) {
            return None;
        }
        let state = lock(&self.state);
        let (subject, opened) = state.open.iter().find(|(subject, _)| subject.covers(meta))?;
        let name = subject.name();
        Some(format!(
            "{} {}; go on with `repute circuit continue {name:?}`, or cancel it",
            subject.held_by(),
            opened.text
        ))
    }

    pub fn list(&self) -> Vec<CircuitRow> {
        let state = lock(&self.state);
        let row = |(subject, opened): (&Subject, &Opened)| CircuitRow {
            name: subject.name(),
            account: opened.account.clone(),
            campaign: subject.campaign.clone(),
            what: opened.what.clone(),
            since: opened.at,
            text: opened.text.clone(),
        };
        state.open.iter().map(row).collect()
    }

    fn snapshot(&self) -> (Vec<Counted>, Vec<Opened>) {
        let mut state = lock(&self.state);
        let mut changed = Vec::new();
        for (subject, window) in &mut state.windows {
            for slice in &mut window.slices {
                if !std::mem::take(&mut slice.changed) {
                    continue;
                }
                changed.push(Counted {
                    account: subject.account.to_string(),
                    campaign: subject.campaign.clone().unwrap_or_default(),
                    since: slice.since,
                    sent: slice.sent,
                    unknown: slice.unknown,
                    complaints: slice.complaints,
                    spam: slice.spam,
                });
            }
        }
        (changed, state.open.values().cloned().collect())
    }
}

/// Counts what became of recipients of one message.
pub(crate) fn count_settled(works: &Works, meta: &MessageMeta, finished: &[Finished]) {
    let Some(account) = &meta.account else { return };
    let reached = finished.iter().filter(|done| done.outcome.verdict == Verdict::Delivered);
    brake::know_delivered(works, meta, reached.map(|done| &done.recipient.address));
    for done in finished {
        // What was decided here says nothing about the list or the message.
        if done.outcome.verdict != Verdict::Delivered && done.outcome.culprit != Culprit::Receiver {
            continue;
        }
        let is_spam = || done.cause.is_some_and(|cause| cause.class == Class::Content.as_str());
        let told = match done.outcome.verdict {
            Verdict::Failed if done.suppresses => Told::SentToUnknown,
            Verdict::Failed if is_spam() => Told::SentAsSpam,
            _ => Told::Sent,
        };
        let example = || format!("{}: {}", done.recipient.address, brief(&done.outcome.reason()));
        count(works, account, meta.labels.as_deref(), told, &example);
    }
}

/// Counts one recipient for the account and for the campaign, if there is one.
pub(crate) fn count(
    works: &Works,
    account: &AccountName,
    labels: Option<&Labels>,
    told: Told,
    example: &dyn Fn() -> String,
) {
    let settings = works.settings();
    let now = works.now();
    let campaign = labels.and_then(|labels| labels.campaign.clone());
    let subjects = [Some(None), campaign.map(Some)];
    let mut too_much = Vec::new();
    {
        let mut state = lock(&works.circuits.state);
        for campaign in subjects.into_iter().flatten() {
            let subject = Subject { account: account.clone(), campaign };
            if !state.windows.contains_key(&subject) && !has_room(&mut state, now, settings.circuit.window) {
                continue;
            }
            let window = state.windows.entry(subject.clone()).or_default();
            if let Some((trouble, text)) = window.count(told, example, now, &settings.circuit) {
                too_much.push((subject, trouble, text));
            }
        }
    }
    for (subject, trouble, text) in too_much {
        open(works, subject, trouble.what(), text);
    }
}

/// Opens a circuit that is not open yet, and tells of it.
fn open(works: &Works, subject: Subject, what: &str, text: String) {
    let now = works.now();
    let opened = Opened {
        account: subject.account.to_string(),
        campaign: subject.campaign.clone().unwrap_or_default(),
        what: what.to_owned(),
        at: now,
        text,
        incident: works.ids.next(now).0,
    };
    {
        let mut state = lock(&works.circuits.state);
        if state.open.contains_key(&subject) {
            return;
        }
        state.open.insert(subject.clone(), opened.clone());
        works.circuits.any_open.store(true, Ordering::Relaxed);
    }
    works.circuits.changed.store(true, Ordering::Relaxed);
    tell(works, &subject, &opened, IncidentState::Opened);
    works.circuits.news.notify_one();
}

/// Whether one more may be counted: who was silent for a window makes room.
fn has_room(state: &mut State, now: Timestamp, window: Duration) -> bool {
    if state.windows.len() >= SUBJECTS {
        let oldest = now - window;
        state.windows.retain(|_, w| w.slices.back().is_some_and(|slice| slice.since >= oldest));
    }
    state.windows.len() < SUBJECTS
}

fn brief(text: &str) -> String {
    text.chars().take(120).collect()
}

fn tell(works: &Works, subject: &Subject, open: &Opened, state: IncidentState) {
    let name = subject.name();
    let cure = match state {
        IncidentState::Opened if open.what == STRANGERS => format!(
            "its mail is held; if it was not meant, its password is stolen: change that first, then `repute circuit cancel \
             {name:?}`; if it was, `repute circuit continue {name:?}`"
        ),
        IncidentState::Opened => format!(
            "its mail is held; find out where the addresses are from, then `repute circuit continue {name:?}` or `cancel`"
        ),
        IncidentState::Closed => String::new(),
    };
    works.emit(EventKind::Incident {
        id: open.incident,
        state,
        what: open.what.clone(),
        subject: subject.to_string(),
        text: open.text.clone(),
        cure,
    });
}

/// What a person says of what was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Continue,
    Cancel,
}

/// Closes a circuit and counts from nothing, durably; `false` where none of that name is open.
pub(crate) async fn close(works: &Works, subject: &Subject, word: Word) -> Result<bool, repute_ledger::LedgerError> {
    let opened = {
        let mut state = lock(&works.circuits.state);
        let opened = state.open.remove(subject);
        if let (Some(_), Some(window)) = (&opened, state.windows.get_mut(subject)) {
            window.forget();
        }
        works.circuits.any_open.store(!state.open.is_empty(), Ordering::Relaxed);
        opened
    };
    let Some(opened) = opened else { return Ok(false) };
    works.circuits.changed.store(true, Ordering::Relaxed);
    match word {
        _ if opened.what != STRANGERS => {}
        Word::Continue => works.circuits.brake.mean(&subject.account, MEANT, works.now()),
        Word::Cancel => works.circuits.brake.disown(&subject.account),
    }
    save(works).await?;
    tell(works, subject, &opened, IncidentState::Closed);
    Ok(true)
}

/// Writes down what changed, now and then and when something opens, until `stop` turns true.
pub(crate) async fn run(works: Arc<Works>, mut stop: watch::Receiver<bool>) {
    if works.doors.circuits.is_none() {
        return;
    }
    while !*stop.borrow() {
        tokio::select! {
            () = works.circuits.news.notified() => {}
            () = tokio::time::sleep(SAVE_EVERY) => {}
            _ = stop.changed() => {}
        }
        save_or_tell(&works).await;
    }
}

pub(crate) async fn save_or_tell(works: &Works) {
    if let Err(error) = save(works).await {
        works.note(Level::Error, "circuit", format!("what was counted cannot be written: {error}"));
    }
}

pub(crate) async fn save(works: &Works) -> Result<(), repute_ledger::LedgerError> {
    let Some(store) = &works.doors.circuits else { return Ok(()) };
    let opened_or_closed = works.circuits.changed.swap(false, Ordering::Relaxed);
    let (changed, open) = works.circuits.snapshot();
    let now = works.now();
    if !changed.is_empty() || opened_or_closed {
        let saved = store.save(changed, open, now - 2 * works.settings().circuit.window).await;
        saved.inspect_err(|_| works.circuits.changed.store(true, Ordering::Relaxed))?;
    }
    let habits = works.circuits.brake.take_changed();
    if habits.is_empty() {
        return Ok(());
    }
    let saved = store.save_habits(habits.clone(), habit::oldest(now)).await;
    saved.inspect_err(|_| works.circuits.brake.mark(&habits))
}
