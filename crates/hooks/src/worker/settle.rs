//! How requests ended, written down: what was taken is done, what was not waits, and a receiver
//! that is gone or has failed for days is disabled, with an incident.

use std::sync::Arc;
use std::time::Duration;

use repute_ledger::Incident;
use repute_types::event::{IncidentState, Level};
use repute_types::{Event, EventKind, Timestamp};

use super::{Landed, Worker};
use crate::caller::Answer;
use crate::health::Verdict;
use crate::incident;
use crate::outbox::Parcel;
use crate::schedule;
use crate::store::{Again, State, StoreError, Update, Waiting};
use crate::wire::Told;

/// From this attempt on a batch that is refused is sent as single events.
const APART: u32 = 2;
/// The wait of what would be given up if the receiver took anything else.
const AFTER_ALL: Duration = Duration::from_secs(3600);

impl Worker {
    pub(super) fn settle(&mut self) {
        for Landed { parcel, began, answer } in std::mem::take(&mut self.landed) {
            let now = self.now();
            match answer {
                Answer::Taken(_) => self.taken(&parcel, now),
                Answer::Gone => {
                    self.not_taken(&parcel, "it answered 410 Gone", now);
                    self.disable("it answered 410 Gone: it wants no more".to_owned(), now);
                }
                Answer::Failed { text, wait, .. } => {
                    let verdict = self.health.failed(began, now, wait, &*self.random);
                    self.not_taken(&parcel, &text, now);
                    if verdict == Verdict::GiveUp {
                        self.disable(
                            format!("nothing was taken in three days of attempts; the last time: {text}"),
                            now,
                        );
                    }
                }
            }
            self.kept.failures = self.health.failures;
            self.kept.since = self.health.since;
            self.kept.failing = self.health.failing;
        }
    }

    fn taken(&mut self, parcel: &Parcel, now: Timestamp) {
        let was_ill = self.health.succeeded();
        self.kept.counts.taken += parcel.events.len() as u64;
        self.kept.last_taken = Some(now);
        self.outbox.end(parcel, true);
        let update = self.update();
        update.all_due |= was_ill;
        if parcel.waits {
            update.done.push(parcel.number);
        }
    }

    fn not_taken(&mut self, parcel: &Parcel, text: &str, now: Timestamp) {
        self.kept.last_failed = Some(now);
        text.clone_into(&mut self.kept.last_failure);
        let attempts = parcel.attempts + 1;
        let wait = match schedule::wait(attempts, &*self.random) {
            Some(wait) => wait,
            // The receiver as a whole is to blame; it is disabled before this goes on for long.
            None if self.health.is_ill() => AFTER_ALL,
            None => return self.give_up(parcel, text),
        };
        let apart = parcel.waits && parcel.events.len() > 1 && attempts >= APART;
        // None of them was refused by itself: those that nothing is wrong with must not wait for the one that is.
        let wait = if apart { schedule::wait(1, &*self.random).unwrap_or(wait) } else { wait };
        let due = now + wait;
        let behind = self.outbox.end(parcel, false);
        let update = self.update();
        if parcel.waits {
            update.again.push(Again { parcel: parcel.number, attempts, due, apart });
        } else {
            update.add.extend(parcel.events.iter().map(|event| Waiting {
                event: event.id,
                chain: event.chain,
                parcel: parcel.number,
                attempts,
                due: Some(due),
            }));
        }
        self.put_behind(behind);
    }

    /// Only this was refused, ten times in three days: what is behind it goes on.
    fn give_up(&mut self, parcel: &Parcel, text: &str) {
        self.outbox.end(parcel, true);
        self.kept.counts.given_up += parcel.events.len() as u64;
        self.update().done.push(parcel.number);
        let ids: Vec<String> = parcel.events.iter().map(|event| event.id.to_string()).collect();
        let name = &self.webhook.name;
        let text = format!(
            "webhook {name} was offered {} ten times and did not take it ({text}): `repute webhook redeliver {name}` offers \
             it again",
            ids.join(", ")
        );
        self.emit(EventKind::Note { level: Level::Warning, what: "webhook", text });
    }

    /// Events that wait behind others of their chain.
    pub(super) fn put_behind(&mut self, behind: Vec<Arc<Told>>) {
        if behind.is_empty() {
            return;
        }
        let rows = behind.iter().map(|event| Waiting {
            event: event.id,
            chain: event.chain,
            parcel: event.id.key(),
            attempts: 0,
            due: None,
        });
        self.update().add.extend(rows);
    }

    fn disable(&mut self, reason: String, now: Timestamp) {
        if self.kept.state == State::Disabled {
            return;
        }
        self.kept.state = State::Disabled;
        self.kept.reason = reason;
        self.kept.incident = Some(self.feed.new_id().0);
        self.changed();
        if let Some(Incident { id, what, subject, text, cure, .. }) = incident::open(&self.webhook, &self.kept) {
            let state = IncidentState::Opened;
            self.tell.emit(Event { at: now, kind: EventKind::Incident { id, state, what, subject, text, cure } });
        }
    }

    pub(super) fn resume(&mut self) {
        let now = self.now();
        if let Some(incident) = self.kept.incident.take() {
            self.tell_closed(incident, now);
        }
        self.kept.state = State::Active;
        self.kept.reason = String::new();
        self.health.renew();
        self.kept.failures = 0;
        self.kept.since = None;
        self.kept.failing = Duration::ZERO;
        self.changed();
        self.update().all_due = true;
    }

    fn tell_closed(&self, id: u64, at: Timestamp) {
        let (what, subject) = (incident::WHAT.to_owned(), self.webhook.name.clone());
        let text = format!("webhook {subject} is active again");
        let (state, cure) = (IncidentState::Closed, String::new());
        self.tell.emit(Event { at, kind: EventKind::Incident { id, state, what, subject, text, cure } });
    }

    fn emit(&self, kind: EventKind) {
        self.tell.emit(Event { at: self.now(), kind });
    }

    /// Something of what is kept has changed.
    pub(super) fn changed(&mut self) {
        self.update();
    }

    fn update(&mut self) -> &mut Update {
        let kept = &self.kept;
        self.update.get_or_insert_with(|| Update {
            kept: kept.clone(),
            add: Vec::new(),
            done: Vec::new(),
            again: Vec::new(),
            all_due: false,
        })
    }

    /// Writes down what changed; what cannot be written stays to be written.
    pub(super) async fn write_down(&mut self) -> Result<(), StoreError> {
        let done_to = self.outbox.done_to();
        if self.update.is_none() && done_to == self.kept.done_to {
            return Ok(());
        }
        self.kept.done_to = done_to;
        let kept = self.kept.clone();
        let mut update = self.update().clone();
        update.kept = kept;
        let now = self.now();
        let updated = self.feed.ask(move |store| store.update(&update, now)).await?;
        self.update = None;
        self.next_due = updated.next_due;
        if updated.losses != self.losses {
            self.look_again().await?;
        }
        Ok(())
    }
}
