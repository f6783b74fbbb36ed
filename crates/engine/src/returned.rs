//! What comes back on port 25: who may write to us there, and what is done about what they say.
//!
//! Promise: a stranger is never believed without a token that we made, for a message that we sent, not
//! older than [`ReturnSettings::bounces`]; and what is said counts once, however often it is said. What
//! cannot be tied to a message is refused at RCPT, or dropped and counted; it is never bounced. A message
//! that was taken is on disk before the answer and is read after it, by one task, also after a crash:
//! then the same is done again, and each step of it does nothing the second time.
//!
//! How it fails: where the ledger cannot be read or written, mail waits unread and is looked at again.

mod act;
pub(crate) mod cfbl;
mod known;
mod news;
mod replies;
mod reports;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use repute_feedback::Token;
use repute_ledger::{LedgerError, ReturnedMail};
use repute_spool::SpoolError;
use repute_types::event::Level;
use repute_types::{Address, EnhancedCode, EventKind, MessageId, PartId, Recipient, Reply};
use tokio::sync::{Notify, watch};

use crate::bulk::MAILTO;
use crate::config::Settings;
use crate::disk;
use crate::door::Returned;
use crate::fresh::Loaded;
use crate::works::Works;

/// Read at a time.
const PAGE: usize = 50;
/// Between two looks where something could not be read.
const RETRY: Duration = Duration::from_secs(60);
/// How often it is told what was dropped.
const TELL_EVERY: Duration = Duration::from_secs(3600);

/// Mailboxes that every return path has, because others expect them (RFC 2142) or because our own records name
/// them for reports.
pub const ROLES: [&str; 5] = ["postmaster", "abuse", "dmarc", "tls", "fbl"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnSettings {
    /// How long after a message was accepted a notice or a complaint about it is listened to.
    pub bounces: Duration,
    /// How long after it a recipient may leave by mail.
    pub unsubscribes: Duration,
}

impl Default for ReturnSettings {
    fn default() -> ReturnSettings {
        ReturnSettings {
            bounces: Duration::from_secs(30 * 24 * 3600),
            unsubscribes: Duration::from_secs(180 * 24 * 3600),
        }
    }
}

/// The address of a message for complaints (RFC 9477) is this, `+`, and the token of its return path.
const COMPLAINTS: &str = "fbl";

/// What an address on port 25 stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Addressed {
    Token(Token),
    /// Complaints about a part, and nothing else.
    Complaints(PartId),
    /// One of [`ROLES`].
    Role,
}

impl Addressed {
    /// The part that it was made for.
    fn part(self) -> Option<PartId> {
        match self {
            Addressed::Token(Token::Return(part) | Token::Unsubscribe { part, .. }) | Addressed::Complaints(part) => {
                Some(part)
            }
            Addressed::Role => None,
        }
    }
}

/// A token by itself, before the name of the one recipient (`TOKEN-bob=b.example`), or behind the word that says what
/// it is for: `unsubscribe+`, `fbl+`.
fn stands_for(works: &Works, local: &str) -> Option<Addressed> {
    let read = |word: &str| works.doors.tokens.read(word.split('-').next()?);
    if let Some(token) = read(local) {
        return Some(Addressed::Token(token));
    }
    let (word, token) = local.split_once('+')?;
    match (word.to_ascii_lowercase().as_str(), read(token)?) {
        (MAILTO, token @ Token::Unsubscribe { .. }) => Some(Addressed::Token(token)),
        (COMPLAINTS, Token::Return(part)) => Some(Addressed::Complaints(part)),
        _ => None,
    }
}

/// Why what came back waits: it is looked at again.
#[derive(Debug, thiserror::Error)]
enum Waits {
    #[error("it could not be read: {0}")]
    Ledger(#[from] LedgerError),
    #[error("what it is about could not be looked up: {0}")]
    Spool(SpoolError),
    #[error("what it is about may not stand in the history yet")]
    History,
    #[error("a notice about it could not be stored: {0}")]
    Notice(SpoolError),
    #[error("it could not be handed on: {0}")]
    Letter(Reply),
}

/// What wakes the reader, and what was dropped since it was last told.
#[derive(Default)]
pub(crate) struct Reader {
    news: Notify,
    /// Not tied to a message, or said before.
    dropped: AtomicU64,
    /// Answers of machines.
    automatic: AtomicU64,
}

impl Reader {
    pub fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub fn ignore_one(&self) {
        self.automatic.fetch_add(1, Ordering::Relaxed);
    }
}

/// What an address is to us, or why it is refused.
pub(crate) fn addressed(works: &Works, settings: &Settings, to: &Address) -> Result<Addressed, Reply> {
    let refuse = |code, text: String| Err(Reply::new(550, code, text));
    if works.doors.returned.is_none() || !settings.is_return_path(to) {
        let text = format!("relaying denied: {} is not a return path of this server", to.domain());
        return refuse(EnhancedCode(5, 7, 1), text);
    }
    if ROLES.iter().any(|role| to.local().eq_ignore_ascii_case(role)) {
        return Ok(Addressed::Role);
    }
    let Some(addressed) = stands_for(works, to.local()) else {
        let text = "no mail is read at this address: it takes notices about messages that were sent from here, and \
                    nobody can make up its name; write to the address in From instead";
        return refuse(EnhancedCode(5, 1, 1), text.to_owned());
    };
    let (part, lasts) = match addressed {
        Addressed::Role => return Ok(addressed),
        Addressed::Token(Token::Unsubscribe { part, .. }) => (part, settings.returned.unsubscribes),
        Addressed::Token(Token::Return(part)) | Addressed::Complaints(part) => (part, settings.returned.bounces),
    };
    let age = works.now().since(part.message.time());
    if age > lasts {
        let text = format!("this address has expired: it was for a message of {}", part.message.time());
        return refuse(EnhancedCode(5, 1, 6), text);
    }
    Ok(addressed)
}

/// Mail to a return path is kept whole before it is taken; what it says is read afterwards. Only a person's
/// letter that nobody would read is refused.
pub(crate) async fn keep(works: &Works, returned: Returned) -> Result<MessageId, Reply> {
    let later = || Reply::new(452, EnhancedCode(4, 3, 1), "the message cannot be stored now; try again later");
    let store = works.doors.returned.as_ref().ok_or_else(later)?;
    if let Err(reply) = replies::may_come(works, &returned).await {
        works.emit(EventKind::Refused { account: None, client: returned.origin.client, reply: reply.clone() });
        return Err(reply);
    }
    let now = works.now();
    let id = works.ids.next(now);
    let Returned { from, recipients, content, origin } = returned;
    let mail = ReturnedMail { id, at: now, from, recipients: recipients.clone(), content };
    if let Err(error) = store.keep(mail).await {
        disk::refused(works, 1, &format!("mail to a return path could not be kept: {error}"));
        return Err(later());
    }
    for recipient in recipients {
        works.emit(EventKind::Returned { message: id, recipient, client: origin.client });
    }
    works.reader.news.notify_one();
    Ok(id)
}

/// Reads what came back, oldest first, until `stop` turns true.
pub(crate) async fn run(works: Arc<Works>, mut stop: watch::Receiver<bool>) {
    if works.doors.returned.is_none() {
        return;
    }
    let mut tell_at = works.now() + TELL_EVERY;
    let mut unreadable = read_all(&works, &stop).await;
    while !*stop.borrow() {
        let wait = if unreadable { RETRY } else { tell_at.since(works.now()) };
        tokio::select! {
            () = works.reader.news.notified() => {}
            () = tokio::time::sleep(wait + Duration::from_millis(1)) => {}
            _ = stop.changed() => continue,
        }
        unreadable = read_all(&works, &stop).await;
        if works.now() >= tell_at {
            tell(&works);
            tell_at = works.now() + TELL_EVERY;
        }
    }
}

/// Says once an hour what was not worth an event each.
fn tell(works: &Works) {
    let reader = &works.reader;
    let (dropped, automatic) = (reader.dropped.swap(0, Ordering::Relaxed), reader.automatic.swap(0, Ordering::Relaxed));
    if dropped + automatic > 0 {
        let text = format!(
            "of what came back in the last hour, {dropped} could not be tied to a message or had been said before, and \
             {automatic} were answers of machines: all dropped"
        );
        works.note(Level::Info, "returned", text);
    }
}

/// Returns whether something could not be read and has to be looked at again.
async fn read_all(works: &Works, stop: &watch::Receiver<bool>) -> bool {
    let Some(store) = works.doors.returned.as_ref() else { return false };
    loop {
        let unread = match store.unread(PAGE).await {
            Ok(unread) => unread,
            Err(error) => return waits(works, &error.into()),
        };
        if unread.is_empty() {
            return false;
        }
        for id in unread {
            if *stop.borrow() {
                return false;
            }
            if let Err(error) = act::read(works, store, id).await {
                return waits(works, &error);
            }
        }
    }
}

fn waits(works: &Works, why: &Waits) -> bool {
    works.note(Level::Error, "returned", format!("what came back waits: {why}; tried again in a minute"));
    true
}

/// A stranger's words in one line of printable text, 500 characters at most.
fn sentence(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect::<String>().trim().to_owned()
}

/// The return path of an attempt: where the sender's domain has one of ours, an address that only
/// we can make, the same for all recipients of the part. `None` leaves the sender's own: of notices, of the
/// null sender, and where none is configured.
///
/// A recipient that is alone is named in it as well (`TOKEN-bob=b.example`): rspamd takes a return path that
/// is not From's and does not name the recipient for a forged sender, 0.3 points. (What stands behind a `+` it
/// does not look at.)
pub(crate) fn path_of(
    works: &Works,
    settings: &Settings,
    loaded: &Loaded,
    recipients: &[&Recipient],
) -> Option<Address> {
    loaded.meta.account.as_ref()?;
    let from = loaded.meta.from.as_ref()?;
    works.doors.returned.as_ref()?;
    let domain = settings.domains.of(from.domain()).next()?;
    let at = domain.return_path.as_ref()?;
    let token = works.doors.tokens.write(&Token::Return(loaded.part.id));
    let named = match recipients {
        [one] => named(&token, &one.address),
        _ => None,
    };
    Address::parse(&format!("{}@{at}", named.unwrap_or(token))).ok()
}

/// RFC 5321 §4.5.3.1.1.
const LOCAL_PART_MOST: usize = 64;

/// The local part that names the recipient too; `None` where it would be too long, or needs quotes.
fn named(token: &str, recipient: &Address) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+=".contains(c);
    let name = format!("{token}-{}={}", recipient.local(), recipient.domain());
    (name.len() <= LOCAL_PART_MOST && recipient.local().chars().all(plain)).then_some(name)
}
