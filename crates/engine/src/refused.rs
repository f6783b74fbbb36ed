//! Receivers that refuse us: one says of message after message that our address or our domain is at fault. Its own list is in
//! no DNS, so no check may ever see it, and every sender gets a notice while nobody hears that they are many.
//!
//! Three messages in a row open an incident, with the reply, its meaning and its cure; three in a row that the receiver takes
//! close it, or a week without a refusal. It stops nothing: what the reply is about is checked at once
//! ([`crate::cause::checks`]), and the permit decides. What is open survives a restart, as the history of trust has it.
//!
//! Limits: a receiver that only puts mail off because of our reputation slows the lane, and is no incident, since that is how
//! a new address is met. So many receivers are counted at a time; beyond that the rest is not.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use repute_ledger::Incident;
use repute_trust::replies::{self, Class, Fault, Rules};
use repute_types::event::IncidentState;
use repute_types::{Domain, Outcome, PartId, Stage, Timestamp, Verdict};
use tokio::sync::{Notify, watch};

use crate::cause::Reading;
use crate::permit::{TrustDoors, board, incidents, way};
use crate::settle::Decided;
use crate::works::{Works, lock};

/// Messages in a row that open an incident, and that close it.
const IN_A_ROW: usize = 3;
/// Receivers that are counted at a time.
const COUNTED: usize = 10_000;
/// What was refused so long ago is no beginning of anything.
const TOGETHER: Duration = Duration::from_secs(24 * 3600);
/// So long after the last refusal an incident is over, though nothing went there since.
const FORGOTTEN: Duration = Duration::from_secs(7 * 24 * 3600);
/// So long after the first refusal what it is about may not have been looked into.
const NEWS: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_secs(3600);
/// Incidents that wait to be written; more are dropped, and the next refusal opens them again.
const WAITING: usize = 1_000;
/// Octets of a reply that an incident quotes.
const QUOTED: usize = 300;

/// Of the incidents: an address is refused, or a domain.
const ADDRESS: &str = "refused.address";
const DOMAIN: &str = "refused.domain";

/// What is refused, and by whom, as its incident has it.
type Subject = (&'static str, String);

#[derive(Default)]
struct Row {
    /// Refused since the last message that was taken.
    refused: Vec<PartId>,
    /// Taken since the last that was refused.
    taken: usize,
    /// The first of those that were refused.
    since: Timestamp,
    last: Timestamp,
    is_open: bool,
}

impl Row {
    /// Nothing was refused for so long that it says nothing of today.
    fn is_forgotten(&self, now: Timestamp) -> bool {
        now.since(self.last) > if self.is_open { FORGOTTEN } else { TOGETHER }
    }
}

enum Step {
    Open { at: Timestamp, subject: Subject, text: String, cure: String },
    Close { at: Timestamp, subject: Subject, text: String },
}

#[derive(Default)]
pub(crate) struct Refused {
    rows: Mutex<HashMap<Subject, Row>>,
    /// Nothing is looked up for mail that is taken, while nothing is refused.
    any: AtomicBool,
    steps: Mutex<Vec<Step>>,
    news: Notify,
}

/// Counts what a receiver said of a message.
pub(crate) fn count(works: &Works, decided: &Decided, readings: &[Reading]) {
    if works.doors.trust.is_none() {
        return;
    }
    let refused = decided.outcomes.iter().zip(readings).find(|(_, reading)| is_refusal(reading));
    if let Some((outcome, reading)) = refused {
        return add(works, decided, what(reading), outcome);
    }
    let taken = decided.outcomes.iter().find(|outcome| outcome.verdict == Verdict::Delivered);
    if let Some(outcome) = taken.filter(|_| works.refused.any.load(Ordering::Relaxed)) {
        take(works, decided, outcome);
    }
}

/// Whether the checks of what this receiver says of us may not have been made yet: it said so for the first time not long ago.
pub(crate) fn is_news(works: &Works, decided: &Decided, outcome: &Outcome, reading: &Reading) -> bool {
    let (Some(peer), true) = (&outcome.peer, works.doors.trust.is_some()) else { return false };
    let subject = subject(what(reading), &peer.name, decided.egress, decided.loaded.meta.author.as_ref());
    let rows = lock(&works.refused.rows);
    let is_old = |row: &Row| !row.refused.is_empty() && works.now().since(row.since) > NEWS;
    !rows.get(&subject).is_some_and(is_old)
}

fn what(reading: &Reading) -> &'static str {
    if reading.meant.is_some_and(|meant| meant.fault == Fault::Domain) { DOMAIN } else { ADDRESS }
}

/// Whether a receiver says that our address or our domain is at fault, and means more than "not so fast".
fn is_refusal(reading: &Reading) -> bool {
    let Some(meant) = reading.meant else { return false };
    let is_ours = matches!(meant.fault, Fault::Address | Fault::Domain) || meant.class == Class::Helo;
    let is_opinion = matches!(meant.class, Class::AddressReputation | Class::DomainReputation);
    is_ours && (reading.verdict == Verdict::Failed || !is_opinion)
}

fn subject(what: &'static str, host: &str, address: Option<IpAddr>, domain: Option<&Domain>) -> Subject {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let receiver = match Rules::shipped().receiver(&host) {
        Some(name) => name,
        // Of `mx1.example.net` what all hosts of that receiver have; never a name of one label.
        None => host.split_once('.').map(|(_, rest)| rest).filter(|rest| rest.contains('.')).unwrap_or(&host),
    };
    let ours = match (what, address, domain) {
        (DOMAIN, _, Some(domain)) => format!(", as {domain}"),
        (ADDRESS, Some(address), _) => format!(", from {address}"),
        _ => String::new(),
    };
    (what, format!("{receiver}{ours}"))
}

fn add(works: &Works, decided: &Decided, what: &'static str, outcome: &Outcome) {
    let (Some(peer), Some(reply)) = (&outcome.peer, &outcome.reply) else { return };
    let subject = subject(what, &peer.name, decided.egress, decided.loaded.meta.author.as_ref());
    let (now, part) = (works.now(), decided.loaded.part.id);
    let mut rows = lock(&works.refused.rows);
    if rows.len() >= COUNTED && !rows.contains_key(&subject) {
        rows.retain(|_, row| row.is_open || !row.is_forgotten(now));
        if rows.len() >= COUNTED {
            return;
        }
    }
    works.refused.any.store(true, Ordering::Relaxed);
    let row = rows.entry(subject.clone()).or_default();
    if now.since(row.last) > TOGETHER {
        row.refused.clear();
    }
    if row.refused.is_empty() {
        row.since = now;
    }
    (row.last, row.taken) = (now, 0);
    // What is put off comes again, and is the same message; but who refuses the connection refuses all that waits behind it.
    let is_for_all = outcome.stage < Stage::Mail;
    if (is_for_all || !row.refused.contains(&part)) && row.refused.len() < IN_A_ROW {
        row.refused.push(part);
    }
    if row.is_open || row.refused.len() < IN_A_ROW {
        return;
    }
    row.is_open = true;
    drop(rows);
    let found = replies::classify(reply, Some(&peer.name));
    let said: String = reply.to_string().chars().take(QUOTED).collect();
    let what = if is_for_all { "connections" } else { "messages" };
    let meanwhile = meanwhile(works, decided);
    let text =
        format!("{IN_A_ROW} {what} in a row were refused. {} {} said: {said}{meanwhile}", found.cause, peer.name);
    let links = [found.own_link.as_deref(), found.link].into_iter().flatten().next();
    let cure = match links {
        Some(link) => format!("{} See {link}", found.advice),
        None => found.advice.to_owned(),
    };
    later(works, Step::Open { at: now, subject, text, cure });
}

/// Where mail to that site leaves from while it goes around the address that was refused.
fn meanwhile(works: &Works, decided: &Decided) -> String {
    let (Some(site), Some(address)) = (&decided.site, decided.egress) else { return String::new() };
    let settings = works.settings();
    let flow = works.flow(&decided.loaded.meta, &decided.loaded.part);
    let other =
        works.way_to(&settings, &flow, site).filter(|_| works.unwelcome.goes_around(site, address, works.now()));
    let other = other.and_then(|(_, egress)| way::addresses(&settings, &egress).into_iter().next());
    other.map_or_else(String::new, |other| format!("; mail to it leaves from {other} meanwhile"))
}

fn take(works: &Works, decided: &Decided, outcome: &Outcome) {
    let Some(peer) = &outcome.peer else { return };
    let now = works.now();
    for what in [ADDRESS, DOMAIN] {
        let subject = subject(what, &peer.name, decided.egress, decided.loaded.meta.author.as_ref());
        let mut rows = lock(&works.refused.rows);
        let Some(row) = rows.get_mut(&subject) else { continue };
        row.refused.clear();
        row.taken += 1;
        if row.is_open && row.taken < IN_A_ROW {
            continue;
        }
        let was_open = row.is_open;
        rows.remove(&subject);
        works.refused.any.store(!rows.is_empty(), Ordering::Relaxed);
        drop(rows);
        if was_open {
            let text = format!("{} takes our mail again", peer.name);
            later(works, Step::Close { at: now, subject, text });
        }
    }
}

fn later(works: &Works, step: Step) {
    let mut steps = lock(&works.refused.steps);
    if steps.len() < WAITING {
        steps.push(step);
        works.refused.news.notify_one();
    }
}

/// Goes on with what was open before a restart.
pub(crate) async fn restore(works: &Works) {
    let Some(doors) = &works.doors.trust else { return };
    // What cannot be read now stays open until it can.
    let open = doors.store.incidents(0).await.unwrap_or_default();
    let mut rows = lock(&works.refused.rows);
    for one in open.into_iter().take(COUNTED) {
        let Some(what) = [ADDRESS, DOMAIN].into_iter().find(|what| *what == one.what) else { continue };
        rows.insert((what, one.subject), Row { is_open: true, last: works.now(), ..Row::default() });
    }
    works.refused.any.store(!rows.is_empty(), Ordering::Relaxed);
}

/// Opens and closes incidents, until `stop` turns true.
pub(crate) async fn run(works: std::sync::Arc<Works>, mut stop: watch::Receiver<bool>) {
    let Some(doors) = works.doors.trust.clone() else { return };
    while !*stop.borrow() {
        forget(&works);
        let steps = std::mem::take(&mut *lock(&works.refused.steps));
        for step in steps {
            write(&works, &doors, step).await;
        }
        tokio::select! {
            () = works.refused.news.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

fn forget(works: &Works) {
    let now = works.now();
    let mut rows = lock(&works.refused.rows);
    let over: Vec<Subject> =
        rows.iter().filter(|(_, row)| row.is_forgotten(now)).map(|(subject, _)| subject.clone()).collect();
    for subject in over {
        let was_open = rows.remove(&subject).is_some_and(|row| row.is_open);
        if was_open {
            later(works, Step::Close { at: now, subject, text: "nothing was refused there for a week".into() });
        }
    }
    works.refused.any.store(!rows.is_empty(), Ordering::Relaxed);
}

async fn write(works: &Works, doors: &TrustDoors, step: Step) {
    let told = match step {
        Step::Open { at, subject: (what, subject), text, cure } => {
            let opened = doors.store.open_incident(at, what.into(), subject, text.clone(), cure).await;
            opened.map(|incident: Option<Incident>| Some((incident?, IncidentState::Opened, text)))
        }
        Step::Close { at, subject: (what, subject), text } => {
            let closed = doors.store.close_incident(at, what.into(), subject).await;
            closed.map(|incident| Some((incident?, IncidentState::Closed, text)))
        }
    };
    match told {
        Ok(Some((incident, state, text))) => works.emit(incidents::event(&incident, state, text)),
        Ok(None) => {}
        Err(error) => board::noted(works, Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_is_over_a_week_after_the_last_refusal_and_fewer_are_forgotten_after_a_day() {
        let day = |n: u64| Timestamp(1_795_485_950_000) + TOGETHER * u32::try_from(n).unwrap();
        let row = |is_open| Row { last: day(0), is_open, ..Row::default() };
        assert_eq!([1, 2].map(|n| row(false).is_forgotten(day(n))), [false, true]);
        assert_eq!([7, 8].map(|n| row(true).is_forgotten(day(n))), [false, true]);
    }

    #[test]
    fn a_subject_names_the_receiver_and_what_of_ours_it_refuses() {
        let domain = Domain::parse("example.com").unwrap();
        let of = |what, host: &str| subject(what, host, "203.0.113.10".parse().ok(), Some(&domain)).1;
        assert_eq!(of(ADDRESS, "gmail-smtp-in.l.google.com."), "google, from 203.0.113.10");
        assert_eq!(of(DOMAIN, "Alt1.gmail-smtp-in.l.google.com"), "google, as example.com");
        assert_eq!(of(ADDRESS, "mx1.example.net"), "example.net, from 203.0.113.10");
        assert_eq!(of(ADDRESS, "example.net"), "example.net, from 203.0.113.10");
        assert_eq!(subject(ADDRESS, "localhost", None, None).1, "localhost");
    }
}
