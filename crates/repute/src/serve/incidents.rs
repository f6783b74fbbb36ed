//! Incidents of webhooks, written down beside those of the watch: whoever asks what is open is told of all.
//!
//! Each is written when it is told. What is open is known by the webhooks themselves: at the start and after a
//! reload that is compared with what is written, so that neither a kill between the two nor a webhook that was
//! taken out of the configuration leaves a word that is wrong.

use std::sync::Arc;

use repute_hooks::{Hooks, INCIDENT};
use repute_ledger::{Incident, LedgerError, Trust};
use repute_types::event::{EventSink, IncidentState};
use repute_types::{Clock as _, Event, EventKind, MessageId, SystemClock};
use tokio::sync::mpsc;

/// Incidents that wait to be written; what is beyond them is written at the next start.
const WAITING: usize = 1000;

/// Passes events on, and has incidents written down.
pub struct Kept {
    events: Arc<dyn EventSink>,
    write: mpsc::Sender<Incident>,
}

impl Kept {
    /// Writes on this runtime, until the last event was told.
    pub fn new(events: Arc<dyn EventSink>, store: Arc<Trust>) -> Kept {
        let (write, mut told) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            while let Some(incident) = told.recv().await {
                // What cannot be written now is written at the next start.
                let _ = store.keep_incident(incident).await;
            }
        });
        Kept { events, write }
    }
}

impl EventSink for Kept {
    fn emit(&self, event: Event) {
        if let EventKind::Incident { id, state, what, subject, text, cure } = &event.kind {
            let incident = Incident {
                id: *id,
                opened: MessageId(*id).time(),
                closed: (*state == IncidentState::Closed).then_some(event.at),
                what: what.clone(),
                subject: subject.clone(),
                text: text.clone(),
                cure: cure.clone(),
            };
            let _ = self.write.try_send(incident);
        }
        self.events.emit(event);
    }
}

/// Makes what is written of webhooks what is so.
pub async fn compare(hooks: &Hooks, store: &Trust) -> Result<(), LedgerError> {
    let open = hooks.incidents();
    let written = store.incidents(0).await?;
    let written: Vec<Incident> = written.into_iter().filter(|one| one.what == INCIDENT).collect();
    let has = |list: &[Incident], id: u64| list.iter().any(|one| one.id == id);
    for over in written.iter().filter(|one| !has(&open, one.id)) {
        store.keep_incident(Incident { closed: Some(SystemClock.now()), ..over.clone() }).await?;
    }
    for one in open.iter().filter(|one| !has(&written, one.id)) {
        store.keep_incident(one.clone()).await?;
    }
    Ok(())
}
