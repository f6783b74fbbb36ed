//! Incidents: a check that fails opens one, told once; when it passes again, or is not made any
//! more, it closes. The operator is written to by a way that is permitted, or later.

use repute_ledger::Incident;
use repute_trust::permit::{Changed, Turn};
use repute_types::event::{IncidentState, Level};
use repute_types::{Address, EventKind, Timestamp};

use super::{TrustDoors, board, way};
use crate::config::SendingDomain;
use crate::own::{self, OwnLetter};
use crate::works::Works;

/// What an incident's letter is worth when it is late: then its closing is news too.
const LETTER_EXPIRES: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

pub(crate) async fn follow(works: &Works, doors: &TrustDoors, changes: &[Changed], at: Timestamp) {
    for change in changes {
        let (what, subject) = (change.subject.check.clone(), change.subject.about.clone());
        let changed = match change.turn {
            // What follows from another failure is told with that one.
            Some(Turn::Failed) if change.trail.follows.is_some() => continue,
            Some(Turn::Failed) => {
                let (text, cure) = (change.trail.verdict.clone(), change.trail.cure.clone());
                doors.store.open_incident(at, what, subject, text, cure).await
            }
            _ => doors.store.close_incident(at, what, subject).await,
        };
        match changed {
            Ok(Some(incident)) => {
                let state = if incident.closed.is_some() { IncidentState::Closed } else { IncidentState::Opened };
                works.emit(event(&incident, state, incident.text.clone()));
            }
            Ok(None) => {}
            Err(error) => board::noted(works, Err(error)),
        }
    }
}

/// What is told of an incident. What is over needs no cure.
pub(crate) fn event(incident: &Incident, state: IncidentState, text: String) -> EventKind {
    let Incident { id, what, subject, cure, .. } = incident.clone();
    let cure = if state == IncidentState::Opened { cure } else { String::new() };
    EventKind::Incident { id, state, what, subject, text, cure }
}

/// Writes to the operator of what has not been told yet, all in one letter.
pub(crate) async fn tell(works: &Works, doors: &TrustDoors) {
    let settings = works.settings();
    let Some(to) = &settings.permit.mail_to else { return };
    let untold = match doors.store.untold().await {
        Ok(untold) => untold,
        Err(error) => return board::noted(works, Err(error)),
    };
    if untold.is_empty() {
        return;
    }
    // Without a way that is permitted it is told when there is one.
    let Some(author) = author(works, to) else { return };
    match write(works, author, to, &untold).await {
        Ok(()) => board::noted(works, doors.store.told(untold).await),
        Err(why) => works.note(Level::Error, "watch", format!("{to} could not be written to: {why}")),
    }
}

/// A domain of ours whose mail to the operator may leave now.
fn author(works: &Works, to: &Address) -> Option<SendingDomain> {
    let settings = works.settings();
    let may = |domain: &&SendingDomain| {
        let sender = works.gate.sender(Some(&domain.name));
        let flow = repute_queue::Flow { domain: to.domain().clone(), sender, tls_optional: false };
        domain.is_usable() && works.way(&settings, &flow).is_some()
    };
    settings.domains.iter().find(may).cloned()
}

async fn write(works: &Works, author: SendingDomain, to: &Address, incidents: &[Incident]) -> Result<(), String> {
    let letter = OwnLetter {
        author: &author,
        to,
        subject: subject(works.settings().hostname.as_str(), incidents),
        text: text(works, incidents),
        returns: false,
        expires: LETTER_EXPIRES,
        report: None,
    };
    own::send(works, letter).await.map(drop)
}

fn subject(hostname: &str, incidents: &[Incident]) -> String {
    let of = |closed: bool| incidents.iter().filter(move |i| i.closed.is_some() == closed);
    match (of(false).count(), of(true).count()) {
        (1, 0) | (0, 1) => {
            let (state, one) = match of(false).next() {
                Some(one) => ("failed", Some(one)),
                None => ("passes again", of(true).next()),
            };
            let about = one.map_or(String::new(), |i| format!("{} {state} ({})", i.what, i.subject));
            format!("{hostname}: {about}")
        }
        (opened, 0) => format!("{hostname}: {opened} checks failed"),
        (0, closed) => format!("{hostname}: {closed} checks pass again"),
        (opened, closed) => {
            let opened = if opened == 1 { "a check".into() } else { format!("{opened} checks") };
            format!("{hostname}: {opened} failed, {closed} pass{} again", if closed == 1 { "es" } else { "" })
        }
    }
}

fn text(works: &Works, incidents: &[Incident]) -> String {
    let mut text = String::new();
    for one in incidents {
        match one.closed {
            None => {
                text += &format!("FAILED  {} ({}), since {}\n  {}\n", one.what, one.subject, one.opened, one.text);
                if !one.cure.is_empty() {
                    text += &format!("  fix: {}\n", one.cure);
                }
            }
            Some(at) => text += &format!("PASSES  {} ({}), since {at}\n", one.what, one.subject),
        }
        text.push('\n');
    }
    let settings = works.settings();
    let table = works.gate.table();
    let mut waits = Vec::new();
    for domain in &settings.domains {
        let sender = works.gate.sender(Some(&domain.name));
        let held = (0..way::egresses(&settings).len()).all(|n| table.families(sender, n as u16).is_none());
        if held {
            waits.push(format!("  {}: {}\n", domain.name, table.why(sender)));
        }
    }
    if !waits.is_empty() {
        text += &format!("Mail waits, and goes by itself when this is put right:\n{}\n", waits.concat());
    }
    text + "repute incidents  says what is open, repute permit  what may leave.\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject_counts_what_there_is() {
        let one = |n: usize, closed| Incident {
            id: n as u64,
            opened: Timestamp(0),
            closed,
            what: "bl.ip".into(),
            subject: "203.0.113.10".into(),
            text: String::new(),
            cure: String::new(),
        };
        let of = |opened: usize, closed: usize| {
            let closed = (0..closed).map(|n| one(n, Some(Timestamp(1))));
            subject("mail.example.com", &(0..opened).map(|n| one(n, None)).chain(closed).collect::<Vec<_>>())
        };
        assert_eq!(of(1, 0), "mail.example.com: bl.ip failed (203.0.113.10)");
        assert_eq!(of(4, 0), "mail.example.com: 4 checks failed");
        assert_eq!(of(0, 2), "mail.example.com: 2 checks pass again");
        assert_eq!(of(1, 1), "mail.example.com: a check failed, 1 passes again");
        assert_eq!(of(3, 2), "mail.example.com: 3 checks failed, 2 pass again");
    }
}
