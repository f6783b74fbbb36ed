//! What is told of a spool that takes no mail: its disk is full, or fails.
//!
//! One incident, however many messages are refused: the first opens it, or a look now and then where none comes. How many
//! were refused is told each minute, and when it closes, which it does by itself once the spool takes mail and has
//! for a moment refused none. What the disk refuses cannot be written of itself, so an open incident is in memory
//! first, and beside the others in the history of trust as soon as that can be written; a restart goes on with it.
//! On the good path a message costs nothing here.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use repute_ledger::Incident;
use repute_spool::Refusal;
use repute_types::event::{IncidentState, Level};
use repute_types::{EventKind, Timestamp};
use tokio::sync::{Notify, watch};

use crate::circuit::long;
use crate::permit::incidents::event;
use crate::works::{Works, lock};

/// The check that its incidents are of, and what they are about.
const WHAT: &str = "spool.disk";
const SUBJECT: &str = "the spool";

/// Between two looks at a spool of which nothing is wrong, for a server that nobody hands mail.
const LOOK: Duration = Duration::from_secs(60);
/// The same while it takes none.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// So long nothing was refused where mail is taken again: a large message may be refused while smaller ones are taken.
const CALM: Duration = Duration::from_secs(10);
/// Between two counts of what is refused.
const COUNT_EVERY: Duration = Duration::from_secs(60);
/// Closed incidents that wait to be written.
const UNWRITTEN: usize = 16;

#[derive(Default)]
pub(crate) struct Disk {
    state: Mutex<State>,
    /// Something was refused.
    news: Notify,
}

#[derive(Default)]
struct State {
    open: Option<Open>,
    /// Closed, and not written yet.
    closed: Vec<Incident>,
}

struct Open {
    incident: Incident,
    is_written: bool,
    /// Messages, in all and since they were counted.
    refused: u64,
    uncounted: u64,
    last: Timestamp,
    counted: Timestamp,
}

impl Open {
    fn new(incident: Incident, now: Timestamp) -> Open {
        Open { incident, is_written: false, refused: 0, uncounted: 0, last: now, counted: now }
    }
}

impl Disk {
    /// Puts what is open, or was a moment ago, in the place of what is written of it.
    pub fn lay_over(&self, found: &mut Vec<Incident>, with_closed: bool) {
        let state = lock(&self.state);
        let known = state.open.iter().map(|open| &open.incident).chain(&state.closed);
        for one in known {
            found.retain(|other| other.id != one.id || other.what != WHAT);
            if one.closed.is_none() || with_closed {
                found.push(one.clone());
            }
        }
    }

    fn is_open(&self) -> bool {
        lock(&self.state).open.is_some()
    }
}

/// Why no mail is taken, as a sentence.
pub(crate) fn text(refusal: &Refusal) -> String {
    let (is, why) = match refusal {
        Refusal::Full(why) => ("is full", why),
        Refusal::Failing(why) => ("fails", why),
    };
    format!("no mail is taken (452 over SMTP, 503 over HTTP), because the disk of the state folder {is}: {why}")
}

fn cure(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Full(_) => {
            "make room on that disk: mail is taken again by itself then; what was accepted before is kept and goes on being \
             delivered"
        }
        Refusal::Failing(_) => {
            "see what is wrong with that disk (the kernel's log says it); once it can be written, mail is taken again by itself"
        }
    }
}

/// Why the spool takes no mail now; whoever asks finds it among the incidents as well.
pub(crate) fn refusal(works: &Works) -> Option<Refusal> {
    let refusal = works.doors.spool.refusal()?;
    open(works, &refusal);
    Some(refusal)
}

/// The disk has refused messages: one, or as many as a list has rows.
pub(crate) fn refused(works: &Works, messages: u64, detail: &str) {
    refusal(works);
    let now = works.now();
    let counted = match &mut lock(&works.disk.state).open {
        Some(open) => {
            open.refused += messages;
            open.uncounted += messages;
            open.last = now;
            true
        }
        None => false,
    };
    if !counted {
        // These alone: others are taken.
        let what = if messages == 1 { "a message was".to_owned() } else { format!("{messages} messages were") };
        works.note(Level::Error, "spool", format!("{what} refused for now: {detail}"));
    }
}

fn open(works: &Works, refusal: &Refusal) {
    let now = works.now();
    let incident = {
        let mut state = lock(&works.disk.state);
        if state.open.is_some() {
            return;
        }
        let incident = Incident {
            id: works.ids.next(now).0,
            opened: now,
            closed: None,
            what: WHAT.into(),
            subject: SUBJECT.into(),
            text: text(refusal),
            cure: cure(refusal).into(),
        };
        state.open = Some(Open::new(incident.clone(), now));
        incident
    };
    works.emit(event(&incident, IncidentState::Opened, incident.text.clone()));
    works.disk.news.notify_one();
}

/// Goes on with an incident that was open before a restart.
pub(crate) async fn restore(works: &Works) {
    let Some(doors) = &works.doors.trust else { return };
    // What cannot be read now is read at the next start.
    let written = doors.store.incidents(0).await.unwrap_or_default();
    let mut ours = written.into_iter().filter(|one| one.what == WHAT && one.subject == SUBJECT);
    let (mut state, now) = (lock(&works.disk.state), works.now());
    // The newest comes first. Since the start nothing was refused.
    state.open = ours.next().map(|one| Open { is_written: true, last: Timestamp(0), ..Open::new(one, now) });
    state.closed.extend(ours.take(UNWRITTEN).map(|one| Incident { closed: Some(now), ..one }));
}

/// Looks at the spool until `stop` turns true.
pub(crate) async fn run(works: Arc<Works>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        look(&works);
        write(&works).await;
        let wait = if works.disk.is_open() { LOOK_AGAIN } else { LOOK };
        tokio::select! {
            () = works.disk.news.notified() => {}
            () = tokio::time::sleep(wait) => {}
            // Works that were dropped are not looked at any more.
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

fn look(works: &Works) {
    let refusal = refusal(works);
    let now = works.now();
    let told = {
        let mut state = lock(&works.disk.state);
        let Some(open) = &mut state.open else { return };
        if refusal.is_some() || now.since(open.last) < CALM {
            open.count(now)
        } else {
            let told = open.over(now);
            let closed = state.open.take().map(|open| Incident { closed: Some(now), ..open.incident });
            state.closed.extend(closed);
            let over = state.closed.len().saturating_sub(UNWRITTEN);
            state.closed.drain(..over);
            Some(told)
        }
    };
    if let Some(told) = told {
        works.emit(told);
    }
}

impl Open {
    /// What was refused since the last count, each minute.
    fn count(&mut self, now: Timestamp) -> Option<EventKind> {
        let passed = now.since(self.counted);
        if passed < COUNT_EVERY {
            return None;
        }
        self.counted = now;
        let refused = std::mem::take(&mut self.uncounted);
        let text =
            format!("{refused} messages were refused for now in the last {}: the spool takes none", long(passed));
        (refused > 0).then_some(EventKind::Note { level: Level::Error, what: "spool", text })
    }

    fn over(&self, now: Timestamp) -> EventKind {
        let time = long(now.since(self.incident.opened));
        let text =
            format!("mail is taken again, after {time}; {} messages were refused for now meanwhile", self.refused);
        event(&self.incident, IncidentState::Closed, text)
    }
}

/// Writes down what is not, as far as the disk takes it; the next look tries again.
async fn write(works: &Works) {
    let Some(doors) = &works.doors.trust else {
        lock(&works.disk.state).closed.clear();
        return;
    };
    let closed = lock(&works.disk.state).closed.clone();
    for one in closed {
        if doors.store.keep_incident(one.clone()).await.is_ok() {
            lock(&works.disk.state).closed.retain(|other| other.id != one.id);
        }
    }
    let unwritten = {
        let state = lock(&works.disk.state);
        state.open.as_ref().filter(|open| !open.is_written).map(|open| open.incident.clone())
    };
    let Some(incident) = unwritten else { return };
    let id = incident.id;
    if doors.store.keep_incident(incident).await.is_ok()
        && let Some(open) = &mut lock(&works.disk.state).open
        && open.incident.id == id
    {
        open.is_written = true;
    }
}
