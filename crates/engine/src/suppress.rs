//! Who is not written to: asked when a recipient is named, when a message is accepted and before
//! each attempt; and added to when a receiver says that a mailbox is not there.
//!
//! Promise: only the recipient's own permanent fault suppresses, as the rules for replies have it
//! (`trust::replies`), and only where the reply was about that recipient. What is learnt is written in
//! the background and never waited for: an entry that a crash loses is learnt again from the next refusal.
//! A list that cannot be read defers the mail; it neither sends nor fails it.

use std::sync::Mutex;
use std::time::Duration;

use repute_ledger::LedgerError;
use repute_ledger::suppression::{Entry, Scope, Why};
use repute_trust::replies::Class;
use repute_types::event::Level;
use repute_types::{
    AccountName, Address, Culprit, EnhancedCode, EventKind, Labels, MessageId, Outcome, Recipient, Reply, Stage,
    Timestamp, Verdict, shell,
};
use tokio::sync::{Notify, watch};

use crate::fresh::Loaded;
use crate::settle::{Finished, Suppression};
use crate::works::{Works, lock};

/// Entries that may wait to be written; one more is dropped, counted, and learnt again later.
const WAITING_MOST: usize = 50_000;
/// How long the first of a batch waits for others.
const LINGER: Duration = Duration::from_millis(200);
/// Between two looks for entries that are over.
const FORGET_EVERY: Duration = Duration::from_secs(3600);
/// The longest text that is kept as evidence, in characters.
const EVIDENCE: usize = 500;

/// How long what was learnt counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuppressionSettings {
    /// An address that does not exist; `None` is for good.
    pub unknown: Option<Duration>,
    /// A mailbox that is closed: it may be opened again.
    pub closed: Option<Duration>,
}

impl Default for SuppressionSettings {
    fn default() -> SuppressionSettings {
        SuppressionSettings { unknown: None, closed: Some(Duration::from_secs(90 * 24 * 3600)) }
    }
}

/// What was learnt and is not written yet.
#[derive(Default)]
pub(crate) struct Learnt {
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Default)]
struct Waiting {
    entries: Vec<Entry>,
    lost: u64,
}

/// What suppresses mail of an account to an address, if anything does.
fn find(
    works: &Works,
    account: &str,
    labels: Option<&Labels>,
    address: &Address,
) -> Result<Option<Entry>, LedgerError> {
    let Some(list) = &works.doors.suppressions else { return Ok(None) };
    list.find(Some(account), labels.and_then(|labels| labels.list.as_deref()), address, works.now())
}

/// The answer to a recipient that is named for a message of this account.
pub(crate) fn may_send_to(
    works: &Works,
    account: &str,
    labels: Option<&Labels>,
    address: &Address,
) -> Result<(), Reply> {
    match find(works, account, labels, address) {
        Ok(None) => Ok(()),
        Ok(Some(entry)) => Err(refusal(&entry)),
        Err(error) => Err(unreadable(works, &error)),
    }
}

/// Cause, and how to go on: for the sender of one message.
fn refusal(entry: &Entry) -> Reply {
    let text = format!(
        "mail to {} is suppressed: {}; to send again: repute suppression release {}",
        entry.address,
        entry.told(),
        shell::Word(&entry.address.to_string())
    );
    Reply::new(550, status(entry.why), text)
}

fn status(why: Why) -> EnhancedCode {
    match why {
        Why::Unknown => EnhancedCode(5, 1, 1),
        Why::Manual | Why::Unsubscribed | Why::Complaint => EnhancedCode(5, 7, 1),
    }
}

fn unreadable(works: &Works, error: &LedgerError) -> Reply {
    works.note(Level::Error, "suppression", format!("the suppression list cannot be read: {error}"));
    Reply::new(451, EnhancedCode(4, 3, 0), "the suppression list cannot be read now; try again later")
}

/// Recipients of a submitted message without those that are suppressed, and these with their entries.
/// A message of which nobody is left is refused.
pub(crate) fn at_acceptance(
    works: &Works,
    account: &str,
    labels: Option<&Labels>,
    recipients: Vec<Recipient>,
) -> Result<(Vec<Recipient>, Vec<Entry>), Reply> {
    if works.doors.suppressions.as_ref().is_none_or(|list| list.is_empty()) {
        return Ok((recipients, Vec::new()));
    }
    let (mut left, mut out) = (Vec::with_capacity(recipients.len()), Vec::new());
    for recipient in recipients {
        match find(works, account, labels, &recipient.address) {
            Ok(None) => left.push(recipient),
            // The event names the address as it was given.
            Ok(Some(entry)) => out.push(Entry { address: recipient.address, ..entry }),
            Err(error) => return Err(unreadable(works, &error)),
        }
    }
    match out.first() {
        Some(first) if left.is_empty() => Err(refusal(first)),
        _ => Ok((left, out)),
    }
}

/// Tells that a recipient was left out.
pub(crate) fn tell(
    works: &Works,
    message: MessageId,
    account: Option<&AccountName>,
    labels: Option<&std::sync::Arc<Labels>>,
    entry: &Entry,
) {
    works.emit(EventKind::Suppressed {
        message,
        account: account.cloned(),
        labels: labels.cloned(),
        recipient: entry.address.clone(),
        why: entry.why.as_str(),
        text: entry.told(),
    });
}

/// Recipients of a part that are not attempted.
#[derive(Default)]
pub(crate) struct LeftOut {
    /// One place a recipient, in their order: `None` for who may be written to, else the outcome
    /// without an attempt. Empty where all may, which is nearly always.
    outcomes: Vec<Option<Outcome>>,
    /// Of those that are suppressed, each with its place.
    entries: Vec<(usize, Entry)>,
}

impl LeftOut {
    pub fn has(&self, n: usize) -> bool {
        self.outcomes.get(n).is_some_and(Option::is_some)
    }

    /// With what the attempt did to the others, in the order of the recipients; and who is suppressed.
    pub fn with(self, attempted: Vec<Outcome>) -> (Vec<Outcome>, Vec<(usize, Entry)>) {
        if self.outcomes.is_empty() {
            return (attempted, self.entries);
        }
        let mut attempted = attempted.into_iter();
        let all = self.outcomes.into_iter().filter_map(|known| known.or_else(|| attempted.next())).collect();
        (all, self.entries)
    }
}

/// Who of a part is not written to.
pub(crate) fn before_attempt(works: &Works, loaded: &Loaded) -> LeftOut {
    let mut left_out = LeftOut::default();
    let Some(account) = &loaded.meta.account else { return left_out };
    if works.doors.suppressions.as_ref().is_none_or(|list| list.is_empty()) {
        return left_out;
    }
    let count = loaded.part.recipients.len();
    for (n, pending) in loaded.part.recipients.iter().enumerate() {
        let address = &pending.recipient.address;
        let outcome = match find(works, account, loaded.meta.labels.as_deref(), address) {
            Ok(None) => continue,
            Ok(Some(entry)) => {
                let entry = Entry { address: address.clone(), ..entry };
                let text = format!("not sent, because mail to this address is suppressed: {}", entry.told());
                left_out.entries.push((n, entry));
                Outcome::ours(Verdict::Failed, Stage::Queue, Culprit::Us, EnhancedCode(5, 7, 1), text)
            }
            Err(error) => {
                let reply = unreadable(works, &error);
                Outcome::ours(Verdict::Deferred, Stage::Queue, Culprit::Us, EnhancedCode(4, 3, 0), reply.text())
            }
        };
        left_out.outcomes.resize(count, None);
        left_out.outcomes[n] = Some(outcome);
    }
    left_out
}

/// Puts down whose mailbox a receiver said is not there.
pub(crate) fn learn(works: &Works, loaded: &Loaded, finished: &[Finished]) {
    if works.doors.suppressions.is_none() || loaded.meta.account.is_none() {
        return;
    }
    let alone = loaded.part.recipients.len() == 1;
    for done in finished.iter().filter(|f| f.suppression == Suppression::Learnt && is_about(&f.outcome, alone)) {
        let reply = done.outcome.reason();
        let class = done.cause.map_or(Class::UnknownUser.as_str(), |cause| cause.class);
        let entry = unknown(works, &done.recipient.address, class, &reply, loaded.meta.id);
        remember(works, entry);
    }
}

/// Whether a refusal is about one recipient: it answers its RCPT, or what came after it had no other.
fn is_about(outcome: &Outcome, alone: bool) -> bool {
    outcome.verdict == Verdict::Failed && (outcome.stage == Stage::Rcpt || (outcome.stage > Stage::Rcpt && alone))
}

/// The entry that follows from a permanent fault of the recipient's own.
pub(crate) fn unknown(works: &Works, address: &Address, class: &str, evidence: &str, message: MessageId) -> Entry {
    let settings = works.settings().suppression;
    let closed = class == Class::DisabledMailbox.as_str();
    let now = works.now();
    let lasts = if closed { settings.closed } else { settings.unknown };
    Entry {
        reason: if closed { "the mailbox is closed" } else { "" }.to_owned(),
        reply: Some(evidence.chars().take(EVIDENCE).collect()),
        message: Some(message),
        expires: lasts.map(|time| now + time),
        ..Entry::new(address.clone(), Scope::All, Why::Unknown, now)
    }
}

/// Has an entry written soon.
fn remember(works: &Works, entry: Entry) {
    let mut waiting = lock(&works.learnt.waiting);
    if waiting.entries.len() >= WAITING_MOST {
        waiting.lost += 1;
        return;
    }
    waiting.entries.push(entry);
    drop(waiting);
    works.learnt.news.notify_one();
}

/// Writes what is learnt and forgets what is over, until `stop` turns true.
pub(crate) async fn run(works: std::sync::Arc<Works>, mut stop: watch::Receiver<bool>) {
    if works.doors.suppressions.is_none() {
        return;
    }
    let mut forget_at = works.now();
    while !*stop.borrow() {
        tokio::select! {
            () = works.learnt.news.notified() => {
                tokio::time::sleep(LINGER).await;
                write_learnt(&works).await;
            }
            () = tokio::time::sleep(forget_at.since(works.now())) => {
                forget_over(&works).await;
                forget_at = works.now() + FORGET_EVERY;
            }
            _ = stop.changed() => {}
        }
    }
}

/// Writes all that was learnt so far.
pub(crate) async fn write_learnt(works: &Works) {
    let Some(list) = &works.doors.suppressions else { return };
    let Waiting { entries, mut lost } = std::mem::take(&mut *lock(&works.learnt.waiting));
    let count = entries.len() as u64;
    if count > 0
        && let Err(error) = list.import(entries).await
    {
        works.note(Level::Error, "suppression", format!("what was learnt could not be written: {error}"));
        lost += count;
    }
    if lost > 0 {
        let text = format!("{lost} addresses that receivers do not know were not put on the suppression list");
        works.note(Level::Warning, "suppression", text);
    }
}

async fn forget_over(works: &Works) {
    let Some(list) = &works.doors.suppressions else { return };
    let now: Timestamp = works.now();
    while let Ok(true) = list.forget_over(now).await {}
}
