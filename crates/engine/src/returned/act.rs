//! One message that came back: what it says, whether that is to be believed, and what follows.
//!
//! Steps: read it; find the tokens it came by; turn it into [`News`] about recipients that the token's
//! part really has; leave out what was heard before; then suppress, tell the sender, tell the world,
//! and write down that it was heard. A crash between any two does the earlier ones again: an entry is
//! the same entry, a notice has the id of the mail it is about and is made once.

use std::collections::HashSet;

use repute_feedback::{Comeback, Token};
use repute_ledger::suppression::{Entry, Why, spelling};
use repute_ledger::{AfterReading, Heard, Returned, ReturnedMail};
use repute_types::event::{Back, Level};
use repute_types::{Address, Content, EventKind, MessageId, Outcome, PartId, Recipient};

use super::known::{self, Known};
use super::news::{self, BY_MAIL, News};
use super::{Addressed, ROLES, Waits, replies, reports, sentence};
use crate::circuit::count::Told;
use crate::works::Works;
use crate::{circuit, intake, notice, warm_up};

/// Return paths that one message is looked at for: a notice is about one.
pub(super) const TOKENS: usize = 4;
/// Recipients that one message can say something about.
const NEWS: usize = 1000;

pub(super) async fn read(works: &Works, store: &Returned, id: MessageId) -> Result<(), Waits> {
    let now = works.now();
    let (heard, then) = match store.get(id).await? {
        Some(mail) => act_on(works, store, &mail).await?,
        None => (Vec::new(), AfterReading::Delete),
    };
    Ok(store.done(id, heard, now, then).await?)
}

/// Does what a message asks for. Returns what was news of it, and what becomes of it.
async fn act_on(works: &Works, store: &Returned, mail: &ReturnedMail) -> Result<(Vec<Heard>, AfterReading), Waits> {
    let id = mail.id;
    let Some(said) = understand(&mail.content).await else {
        works.note(Level::Error, "returned", format!("{id} cannot be read: it is kept and passed over"));
        return Ok((Vec::new(), AfterReading::Keep));
    };
    if reports::keep_all(works, &said).await? {
        return Ok((Vec::new(), AfterReading::Delete));
    }
    let Some(said) = said.into_iter().next() else { return Ok((Vec::new(), AfterReading::Delete)) };
    let addressed = addressed_of(works, mail, &said);
    if addressed.is_empty()
        && let Some(role @ ("postmaster" | "abuse")) = role_of(mail)
    {
        let from = mail.from.as_ref().map_or_else(|| "<>".to_owned(), ToString::to_string);
        works.note(Level::Warning, "returned", format!("{from} wrote to {role}: kept as {id}"));
        return Ok((Vec::new(), AfterReading::Keep));
    }
    let mut heard = Vec::new();
    for to in addressed {
        match (to, &said) {
            (Addressed::Token(Token::Return(part)), Comeback::Reply(letter)) => {
                if let Some(handed_on) = replies::hand_on(works, store, part, mail, letter).await? {
                    // One letter is handed on once, whoever else it was for.
                    heard.push(handed_on);
                    break;
                }
            }
            _ => heard.extend(follow(works, store, to, mail, &said).await?),
        }
    }
    if heard.is_empty() {
        match said {
            Comeback::AutoReply(_) | Comeback::Challenge(_) => works.reader.ignore_one(),
            _ => works.reader.drop_one(),
        }
        return Ok((heard, AfterReading::Delete));
    }
    // What was handed on is kept by whom it went to, and a letter that is a wish says nothing else.
    let then = if matches!(said, Comeback::Reply(_)) { AfterReading::Delete } else { AfterReading::Keep };
    Ok((heard, then))
}

/// What a message says, in all the reports that it carries. It may be large, and is a stranger's: read beside the mail, not
/// in its way. `None` is a fault of ours.
pub(super) async fn understand(content: &Content) -> Option<Vec<Comeback>> {
    let octets = content.to_vec();
    tokio::task::spawn_blocking(move || repute_feedback::read_all(&octets)).await.ok()
}

fn role_of(mail: &ReturnedMail) -> Option<&'static str> {
    let is_role = |role: &&str| mail.recipients.iter().any(|to| to.local().eq_ignore_ascii_case(role));
    ROLES.into_iter().find(is_role)
}

/// What it was addressed to; a complaint that came to a mailbox names the return path that it is about, or quotes the
/// address that the message named for complaints (RFC 9477).
fn addressed_of(works: &Works, mail: &ReturnedMail, said: &Comeback) -> Vec<Addressed> {
    let stands_for = |to: &Address| super::stands_for(works, to.local());
    // Who leaves several lists at once leaves them all; how many may come in one message the listener says.
    let is_wish = |to: &Addressed| matches!(to, Addressed::Token(Token::Unsubscribe { .. }));
    let (mut addressed, mut others): (Vec<_>, Vec<_>) =
        mail.recipients.iter().filter_map(stands_for).partition(is_wish);
    others.truncate(TOKENS);
    addressed.append(&mut others);
    if let (Comeback::Complaint(complaint), true) = (said, addressed.is_empty()) {
        let original = &complaint.original;
        let named = original.field("CFBL-Address").and_then(|value| value.split(';').next());
        let paths = [complaint.return_path.as_deref(), original.return_path.as_deref(), named];
        let settings = works.settings();
        let of_path = |path: &str| {
            let address: Address = path.trim_matches(['<', '>', ' ']).parse().ok()?;
            match super::addressed(works, &settings, &address).ok()? {
                Addressed::Token(Token::Return(part)) | Addressed::Complaints(part) => {
                    Some(Addressed::Complaints(part))
                }
                _ => None,
            }
        };
        addressed.extend(paths.into_iter().flatten().find_map(of_path));
    }
    addressed
}

/// Acts on what is said of one part; returns what was news.
async fn follow(
    works: &Works,
    store: &Returned,
    to: Addressed,
    mail: &ReturnedMail,
    said: &Comeback,
) -> Result<Vec<Heard>, Waits> {
    let Some(part) = to.part() else { return Ok(Vec::new()) };
    let Some(known) = known::of(works, part).await? else { return Ok(Vec::new()) };
    let mut told = match (to, said) {
        (Addressed::Token(Token::Unsubscribe { recipient, .. }), _) => {
            news::by_unsubscribe_address(works, &known, recipient, mail, said)
        }
        (Addressed::Token(Token::Return(_)) | Addressed::Complaints(_), Comeback::Complaint(complaint)) => {
            news::complaints(works, &known, complaint)
        }
        (Addressed::Token(Token::Return(_)), Comeback::Report(report)) => news::bounces(works, &known, report),
        (Addressed::Token(Token::Return(_)), Comeback::Unsubscribe(letter)) => {
            news::by_letter(works, &known, letter.from.as_deref())
        }
        _ => Vec::new(),
    };
    let mut seen = HashSet::new();
    told.retain(|n| seen.insert(spelling(&n.recipient)));
    told.truncate(NEWS);
    let heard: Vec<Heard> = told.iter().map(|n| heard(part, n)).collect();
    let before = store.was_heard(heard.clone()).await?;
    let mut fresh = before.into_iter().map(|known| !known);
    told.retain(|_| fresh.next().unwrap_or(false));
    if told.is_empty() {
        return Ok(Vec::new());
    }
    leave_out_who_left(works, &known, &mut told)?;
    let entries: Vec<Entry> = told.iter_mut().filter_map(|n| n.entry.take()).collect();
    if let (Some(list), false) = (&works.doors.suppressions, entries.is_empty()) {
        list.import(entries).await?;
    }
    tell_sender(works, mail.id, &known, &told, said).await?;
    for n in &told {
        count(works, &known, n);
        if n.what == Back::Complained {
            warm_up::complained(works, part.message, &n.recipient).await;
        }
        works.emit(EventKind::CameBack {
            what: n.what,
            account: known.account.clone(),
            labels: known.labels.clone(),
            message: Some(part.message),
            recipient: n.recipient.clone(),
            status: n.status,
            cause: n.cause,
            text: n.text.clone(),
        });
    }
    Ok(heard)
}

/// Who left by another way before has left: no news. An entry that this very news made, before a crash, is told.
fn leave_out_who_left(works: &Works, known: &Known, news: &mut Vec<News>) -> Result<(), Waits> {
    let Some(suppressions) = &works.doors.suppressions else { return Ok(()) };
    let list = known.labels.as_ref().and_then(|labels| labels.list.as_deref());
    let mut left = Vec::new();
    for n in news.iter().filter(|n| n.what == Back::Unsubscribed) {
        let found = suppressions.find(known.account.as_deref(), list, &n.recipient, works.now())?;
        let is_ours = |entry: &Entry| entry.message == Some(known.part.message) && entry.reason == BY_MAIL;
        if found.is_some_and(|entry| entry.why == Why::Unsubscribed && !is_ours(&entry)) {
            left.push(n.recipient.clone());
        }
    }
    news.retain(|n| n.what != Back::Unsubscribed || !left.contains(&n.recipient));
    Ok(())
}

/// What the circuit of the account and the campaign hears of it.
fn count(works: &Works, known: &Known, news: &News) {
    let told = match news.what {
        Back::Bounced if news.suppresses => Told::LaterUnknown,
        Back::Complained => Told::Complaint,
        Back::Bounced | Back::Unsubscribed => return,
    };
    if let Some(account) = &known.account {
        let example = || format!("{}: {}", news.recipient, news.text);
        circuit::count(works, account, known.labels.as_deref(), told, &example);
    }
}

fn heard(part: PartId, news: &News) -> Heard {
    Heard { part, recipient: spelling(&news.recipient), what: news.what.as_str() }
}

/// The sender is told of a bounce as of any failure, in one notice, once.
async fn tell_sender(works: &Works, id: MessageId, known: &Known, news: &[News], said: &Comeback) -> Result<(), Waits> {
    let recipients: Vec<(Recipient, &Outcome)> =
        news.iter().filter_map(|n| Some((Recipient::to(n.recipient.clone()), n.outcome.as_ref()?))).collect();
    if recipients.is_empty() || works.doors.spool.meta(id).await.is_ok() {
        return Ok(());
    }
    if works.bulk.known(known.part.message).is_some() {
        // Its counts and the events tell, as of what fails at once.
        return Ok(());
    }
    let original = match said {
        Comeback::Report(report) => header_of(&report.original),
        _ => Content::new(),
    };
    let about = notice::CameBack {
        id,
        message: known.part.message,
        account: known.account.clone(),
        to: known.from.clone(),
        labels: known.labels.clone(),
        original,
    };
    let Some(notice) = notice::came_back(works, about, &recipients) else { return Ok(()) };
    notice.tell(works);
    let notice = notice.into_new();
    works.doors.spool.commit(notice.clone()).await.map_err(Waits::Notice)?;
    intake::enter(works, notice);
    Ok(())
}

/// Those fields of our message that came back and help its sender to know it again.
fn header_of(original: &repute_feedback::Original) -> Content {
    let mut text = String::new();
    for name in ["Date", "From", "To", "Subject", "Message-ID"] {
        if let Some(value) = original.field(name) {
            text += &format!("{name}: {}\r\n", sentence(value));
        }
    }
    text += "\r\n";
    Content::from(text.into_bytes())
}
