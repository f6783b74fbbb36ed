//! Circuit breakers: an account or a campaign whose mail costs our name too much is stopped before
//! receivers stop all of us.
//!
//! Every recipient's outcome and everything that comes back is counted for the account and, where the message has
//! one, for its campaign ([`count`]). Too many people who do not exist, complaints, or verdicts of spam open the
//! circuit: an incident with numbers and examples is told, once, and from then on every part of that account or
//! campaign is held when it is due, until a person goes on or cancels. Other accounts' mail is not touched, and where
//! a campaign alone explains an account's figures, neither is the account's other mail. Bulk mail is held by the
//! campaign ([`campaigns`]), other mail by the part.
//! What is open, and what was counted, survives a restart; a crash loses the counts of the last minute.
//! Beside them stands the brake ([`brake`]): an account that suddenly writes to many strangers is stopped in the same way, and
//! so is a campaign that is launched to many ([`launch`]).

pub(crate) mod brake;
pub(crate) mod campaigns;
pub(crate) mod count;
mod habit;
mod known;
pub(crate) mod launch;
mod state;
mod words;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use repute_ledger::{Counted, Habits, Incident, Opened};
use repute_spool::{Hold, MessageMeta, PartRecord, PartState};
use repute_trust::replies::Class;
use repute_types::event::{IncidentState, Level};
use repute_types::{AccountName, Culprit, Labels, Timestamp, Verdict};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use self::brake::Brake;
pub use self::brake::HabitRow;
pub use self::count::CircuitSettings;
use self::count::{Told, Trouble};
use self::state::State;
pub(crate) use self::words::{Subject, long};
use crate::aside;
use crate::permit::incidents::event;
use crate::settle::{Finished, Suppression};
use crate::works::{Works, lock};

/// How often counts are written down.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// What the brake's incidents are called.
const STRANGERS: &str = "circuit.strangers";
/// For so long what a person lets go on is meant, after the brake held it.
const MEANT: Duration = Duration::from_secs(24 * 3600);

/// An open circuit, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CircuitRow {
    /// What `continue` and `cancel` are given.
    pub name: String,
    pub account: String,
    pub campaign: Option<String>,
    /// One of [`CircuitRow::WHATS`].
    pub what: String,
    pub since: Timestamp,
    /// The numbers, and examples.
    pub text: String,
    /// What to do about it, with the command.
    pub cure: String,
    /// The number of its incident.
    pub incident: u64,
}

impl CircuitRow {
    /// What a circuit may be open for.
    pub const WHATS: [&str; 4] = [Trouble::Unknown.what(), Trouble::Complaints.what(), Trouble::Spam.what(), STRANGERS];
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
    /// What was open before could not be read: what it held stays held.
    unread: bool,
}

impl Circuits {
    /// What was known at the last stop.
    pub fn restored(counted: Vec<Counted>, opened: Vec<Opened>, habits: Habits) -> Circuits {
        let state = State::restored(counted, opened);
        let any_open = AtomicBool::new(!state.open.is_empty());
        let brake = Brake::restored(habits);
        Circuits { state: Mutex::new(state), any_open, brake, ..Circuits::default() }
    }

    /// What was known at the last stop cannot be read.
    pub fn unread() -> Circuits {
        Circuits { unread: true, ..Circuits::default() }
    }

    /// Whether the account as a whole is stopped.
    pub fn is_open(&self, account: &AccountName) -> bool {
        self.any_open.load(Ordering::Relaxed)
            && lock(&self.state).open.contains_key(&Subject { account: account.clone(), campaign: None })
    }

    /// Why a message is not to be sent now, if it is not.
    pub fn stops(&self, meta: &MessageMeta) -> Option<Hold> {
        if !self.any_open.load(Ordering::Relaxed) {
            return None;
        }
        let state = lock(&self.state);
        let (subject, opened) = state.stopping(meta)?;
        Some(words::held(subject, opened))
    }

    /// Whether a part is held by a circuit that is not open any more.
    pub fn have_let_go(&self, meta: &MessageMeta, part: &PartRecord) -> bool {
        let was_held = matches!(&part.state, PartState::Held(hold) if words::is_a_circuit(hold.by));
        was_held && !self.unread && self.stops(meta).is_none()
    }

    /// The name of the circuit that stops a message, if one does.
    pub fn stopper(&self, meta: &MessageMeta) -> Option<String> {
        if !self.any_open.load(Ordering::Relaxed) {
            return None;
        }
        lock(&self.state).stopping(meta).map(|(subject, _)| subject.name())
    }

    /// What stops mail of a campaign, its own circuit before its account's.
    pub fn of_campaign(&self, account: &AccountName, campaign: &str) -> Option<CircuitRow> {
        if !self.any_open.load(Ordering::Relaxed) {
            return None;
        }
        let state = lock(&self.state);
        let of = |campaign: Option<&str>| {
            let subject = Subject { account: account.clone(), campaign: campaign.map(str::to_owned) };
            state.open.get(&subject).map(|opened| words::row(&subject, opened))
        };
        of(Some(campaign)).or_else(|| of(None))
    }

    pub fn list(&self) -> Vec<CircuitRow> {
        lock(&self.state).open.iter().map(|(subject, opened)| words::row(subject, opened)).collect()
    }

    /// What is open, as incidents are shown.
    pub fn incidents(&self) -> Vec<Incident> {
        lock(&self.state).open.iter().map(|(subject, opened)| words::incident(subject, opened)).collect()
    }
}

/// Counts what became of recipients of one message, and those that a server has put off for the first time: where many are
/// greylisted, the few who do not exist are a share of all who were asked about, not of those alone who are done.
pub(crate) fn count_settled(works: &Works, meta: &MessageMeta, finished: &[Finished], put_off: usize) {
    let Some(account) = &meta.account else { return };
    for _ in 0..put_off {
        count(works, account, meta.labels.as_deref(), Told::Sent, &String::new);
    }
    let reached = finished.iter().filter(|done| done.outcome.verdict == Verdict::Delivered);
    brake::know_delivered(works, meta, reached.map(|done| &done.recipient.address));
    for done in finished {
        // What was decided here says nothing about the list or the message.
        if done.outcome.verdict != Verdict::Delivered && done.outcome.culprit != Culprit::Receiver {
            continue;
        }
        let is_spam = || done.cause.is_some_and(|cause| cause.class == Class::Content.as_str());
        let told = match done.outcome.verdict {
            Verdict::Failed if done.suppression == Suppression::Learnt => [Told::SentToUnknown, Told::LaterUnknown],
            Verdict::Failed if is_spam() => [Told::SentAsSpam, Told::LaterSpam],
            _ if done.was_put_off => continue,
            _ => [Told::Sent; 2],
        };
        let example = || format!("{}: {}", done.recipient.address, brief(&done.outcome.reason()));
        count(works, account, meta.labels.as_deref(), told[usize::from(done.was_put_off)], &example);
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
    let settings = &works.settings().circuit;
    let now = works.now();
    let campaign = labels.and_then(|labels| labels.campaign.clone());
    let of = |campaign: Option<String>| Subject { account: account.clone(), campaign };
    let too_much = {
        let mut state = lock(&works.circuits.state);
        let mut trouble = None;
        let is_held = campaign.is_some() && state.open.contains_key(&of(campaign.clone()));
        for subject in campaign.iter().map(|campaign| of(Some(campaign.clone()))).chain([of(None)]) {
            if !state.windows.contains_key(&subject) && !state.has_room(now, settings.window) {
                continue;
            }
            // A campaign that is stopped is no example of what else its account sends.
            let exemplifies = subject.campaign.is_some() || !is_held;
            let window = state.windows.entry(subject).or_default();
            trouble = window.add(told, now, settings);
            if let Some(trouble) = trouble.filter(|_| exemplifies) {
                window.exemplify(trouble, example);
            }
        }
        trouble.and_then(|trouble| state.too_much(account, campaign, trouble, now - settings.window, settings))
    };
    if let Some((subject, trouble, text)) = too_much {
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
        state.set_apart(&subject);
        state.open.insert(subject.clone(), opened.clone());
        works.circuits.any_open.store(true, Ordering::Relaxed);
    }
    works.circuits.changed.store(true, Ordering::Relaxed);
    works.emit(event(&words::incident(&subject, &opened), IncidentState::Opened, opened.text.clone()));
    campaigns::tell_held(works, &subject, &opened);
    works.circuits.news.notify_one();
}

fn brief(text: &str) -> String {
    text.chars().take(120).collect()
}

/// What a person says of what was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Continue,
    Cancel,
}

/// Closes a circuit by a person's word, durably; `false` where none of that name is open. What went wrong until
/// then counts no more; what went well does.
pub(crate) async fn close(
    works: &Works,
    subject: &Subject,
    word: Word,
    who: &str,
) -> Result<bool, repute_ledger::LedgerError> {
    let opened = {
        let mut state = lock(&works.circuits.state);
        let opened = state.open.remove(subject);
        // Who says that strangers were meant says nothing of those who do not exist.
        if opened.as_ref().is_some_and(|opened| opened.what != STRANGERS || word == Word::Cancel) {
            state.forgive(subject);
        }
        works.circuits.any_open.store(!state.open.is_empty(), Ordering::Relaxed);
        opened
    };
    let Some(opened) = opened else { return Ok(false) };
    works.circuits.changed.store(true, Ordering::Relaxed);
    match word {
        _ if opened.what != STRANGERS => {}
        Word::Continue => works.circuits.brake.mean(&subject.account, MEANT, works.now()),
        // A campaign that was stopped at its launch is none of what the account sent.
        Word::Cancel if subject.campaign.is_some() => {}
        Word::Cancel => works.circuits.brake.disown(&subject.account),
    }
    save(works).await?;
    let now = works.now();
    let (incident, text) = (words::incident(subject, &opened), words::closed(&opened, word, who, now));
    if let Some(trust) = &works.doors.trust {
        let closed = Incident { closed: Some(now), text: text.clone(), ..incident.clone() };
        // It is closed, whether or not those who look back later can be told of it.
        if let Err(error) = trust.store.keep_incident(closed).await {
            works.note(Level::Warning, "circuit", format!("the closed circuit of {subject} is not kept: {error}"));
        }
    }
    works.emit(event(&incident, IncidentState::Closed, text));
    Ok(true)
}

/// A part of before that a circuit held which is not open any more goes on: a crash came between the person's word
/// and the parts.
pub(crate) fn let_go_at_start(works: &Works, meta: &MessageMeta, part: PartRecord) -> PartRecord {
    if !works.circuits.have_let_go(meta, &part) {
        return part;
    }
    let due = aside::due_when_released(&part, works.now());
    let part = PartRecord { state: PartState::Due, due, ..part };
    works.keep(part.clone());
    part
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
    let (changed, open) = lock(&works.circuits.state).take_changed();
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
