//! What the works told: questions to the events of a world.

use std::net::IpAddr;
use std::sync::Mutex;

use repute_types::event::{self, EventSink};
use repute_types::{Cause, Event, EventKind, Outcome, Verdict};

use super::World;

/// The events of the works, kept.
#[derive(Default)]
pub struct Events(Mutex<Vec<Event>>, Mutex<Option<OnHeld>>);

type OnHeld = Box<dyn FnOnce() + Send>;

impl Events {
    /// Does this in the middle of what the works do when they hold the next part.
    pub fn when_held(&self, what: impl FnOnce() + Send + 'static) {
        *self.1.lock().unwrap() = Some(Box::new(what));
    }
}

impl EventSink for Events {
    fn emit(&self, event: Event) {
        let is_held = matches!(event.kind, EventKind::Held { .. });
        self.0.lock().unwrap().push(event);
        let what = self.1.lock().unwrap().take_if(|_| is_held);
        if let Some(what) = what {
            what();
        }
    }
}

impl World {
    /// The verdicts about a recipient so far, with the stage and the attempt.
    pub fn verdicts(&self, to: &str) -> Vec<(u32, Verdict)> {
        let events = self.events.0.lock().unwrap();
        events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::Settled(event::Settled { recipient, attempt, outcome, .. })
                    if recipient.to_string() == to =>
                {
                    Some((*attempt, outcome.verdict))
                }
                _ => None,
            })
            .collect()
    }

    /// The addresses that mail to a recipient was delivered from.
    pub fn left_from(&self, to: &str) -> Vec<IpAddr> {
        let events = self.events.0.lock().unwrap();
        let left = events.iter().filter_map(|event| match &event.kind {
            EventKind::Settled(event::Settled { recipient, outcome, egress, .. })
                if recipient.to_string() == to && outcome.verdict == Verdict::Delivered =>
            {
                *egress
            }
            _ => None,
        });
        left.collect()
    }

    /// The addresses that a recipient's attempts came from, so far.
    pub fn tried_from(&self, to: &str) -> Vec<IpAddr> {
        let events = self.events.0.lock().unwrap();
        let tried = events.iter().filter_map(|event| match &event.kind {
            EventKind::Settled(event::Settled { recipient, egress, .. }) if recipient.to_string() == to => *egress,
            _ => None,
        });
        tried.collect()
    }

    /// What was said of a recipient last.
    pub fn last(&self, to: &str) -> Outcome {
        let events = self.events.0.lock().unwrap();
        let said = events.iter().rev().find_map(|event| match &event.kind {
            EventKind::Settled(event::Settled { recipient, outcome, .. }) if recipient.to_string() == to => {
                Some((**outcome).clone())
            }
            _ => None,
        });
        said.unwrap()
    }

    /// Incidents so far: `opened name.fcrdns 203.0.113.10`.
    pub fn incident_lines(&self) -> Vec<String> {
        let events = self.events.0.lock().unwrap();
        let told = events.iter().filter_map(|event| match &event.kind {
            EventKind::Incident { state, what, subject, .. } => Some(format!("{} {what} {subject}", state.as_str())),
            _ => None,
        });
        told.collect()
    }

    /// Messages that an event says were refused.
    pub fn refusals(&self) -> usize {
        let events = self.events.0.lock().unwrap();
        events.iter().filter(|event| matches!(event.kind, EventKind::Refused { .. })).count()
    }

    /// The causes of a recipient's outcomes so far: rule, class, fault.
    pub fn causes(&self, to: &str) -> Vec<Option<Cause>> {
        let events = self.events.0.lock().unwrap();
        events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::Settled(event::Settled { recipient, cause, .. }) if recipient.to_string() == to => {
                    Some(*cause)
                }
                _ => None,
            })
            .collect()
    }

    /// Whom messages were not sent to, and why, in the order of the events.
    pub fn suppressed(&self) -> Vec<(String, &'static str)> {
        let events = self.events.0.lock().unwrap();
        events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::Suppressed { recipient, why, .. } => Some((recipient.to_string(), *why)),
                _ => None,
            })
            .collect()
    }

    /// Incidents: whether opened or closed, what, about whom, and the text.
    pub fn incidents(&self) -> Vec<(&'static str, String, String, String)> {
        let events = self.events.0.lock().unwrap();
        events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::Incident { state, what, subject, text, .. } => {
                    Some((state.as_str(), what.clone(), subject.clone(), text.clone()))
                }
                _ => None,
            })
            .collect()
    }

    /// What came back: what, about whom, with which status.
    pub fn came_back(&self) -> Vec<(&'static str, String, Option<String>)> {
        let events = self.events.0.lock().unwrap();
        events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::CameBack { what, recipient, status, .. } => {
                    Some((what.as_str(), recipient.to_string(), status.map(|s| s.to_string())))
                }
                _ => None,
            })
            .collect()
    }

    /// What campaigns said when they were cancelled: how many get nothing.
    pub fn cancelled(&self) -> Vec<u64> {
        let events = self.events.0.lock().unwrap();
        let told = events.iter().filter_map(|event| match &event.kind {
            EventKind::Cancelled { recipient_count, .. } => Some(*recipient_count),
            _ => None,
        });
        told.collect()
    }

    /// How many events are of a kind.
    pub fn count(&self, is_it: impl Fn(&EventKind) -> bool) -> usize {
        self.events.0.lock().unwrap().iter().filter(|event| is_it(&event.kind)).count()
    }

    pub fn notes(&self) -> Vec<String> {
        let events = self.events.0.lock().unwrap();
        events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::Note { text, .. } => Some(text.clone()),
                _ => None,
            })
            .collect()
    }
}
