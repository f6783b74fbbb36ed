//! An event as the outside sees it: the one conversion from [`EventKind`], described with an
//! example of each in `docs/events.md`, which a test holds to this.
//!
//! The form carries its version. Within a version, members may be added; none changes its meaning
//! or goes. A member without a value is left out.

mod data;
mod id;
mod kind;

use std::sync::Arc;

use repute_types::event::{self, Back, IncidentState};
use repute_types::{AccountName, Event, EventKind, MessageId, Timestamp, Verdict};
use serde::Serialize;

use self::data::Data;
pub use self::id::EventId;
pub use self::kind::{Filter, Type, Types};

/// Of the form.
pub const VERSION: u32 = 1;

/// An event with its id, written once and read by everybody.
#[derive(Clone, Debug)]
pub struct Told {
    pub id: EventId,
    pub at: Timestamp,
    pub kind: Type,
    /// Whose it is; `None` for what concerns the whole server.
    pub account: Option<AccountName>,
    /// Events of the same chain are told in their order: those of one message, of one incident.
    pub chain: i64,
    /// The whole JSON object.
    pub json: Arc<str>,
}

#[derive(Serialize)]
struct Envelope<T> {
    id: EventId,
    r#type: &'static str,
    version: u32,
    timestamp: Timestamp,
    data: T,
}

/// Whether an event is told outside at all. What concerns our own notices, refused submissions
/// and the operator's log are not.
pub fn kind_of(kind: &EventKind) -> Option<Type> {
    Some(match kind {
        EventKind::Accepted(event::Accepted { account: Some(_), .. }) => Type::Accepted,
        EventKind::Held { account: Some(_), .. } => Type::Held,
        EventKind::Released { account: Some(_), .. } => Type::Released,
        EventKind::Settled(event::Settled { account: Some(_), outcome, .. }) => match outcome.verdict {
            Verdict::Delivered => Type::Delivered,
            Verdict::Deferred => Type::Deferred,
            Verdict::Failed => Type::Bounced,
        },
        EventKind::CameBack { what, .. } => match what {
            Back::Bounced => Type::Bounced,
            Back::Complained => Type::Complained,
            Back::Unsubscribed => Type::Unsubscribed,
        },
        EventKind::Suppressed { .. } => Type::Suppressed,
        EventKind::Cancelled { .. } => Type::Cancelled,
        EventKind::Incident { state: IncidentState::Opened, .. } => Type::IncidentOpened,
        EventKind::Incident { state: IncidentState::Closed, .. } => Type::IncidentClosed,
        _ => return None,
    })
}

/// The event in its outer form; `None` where it is not told.
pub fn told(id: EventId, event: &Event) -> Option<Told> {
    let kind = kind_of(&event.kind)?;
    let (account, chain) = whose(id, &event.kind);
    let json = write(id, kind.as_str(), event.at, Data::of(&event.kind));
    Some(Told { id, at: event.at, kind, account, chain, json })
}

/// The event that `repute webhook test` sends.
pub fn test_event(id: EventId, at: Timestamp, webhook: &str) -> Arc<str> {
    #[derive(Serialize)]
    struct Test<'a> {
        webhook: &'a str,
    }
    write(id, "webhook.test", at, Test { webhook })
}

fn write(id: EventId, kind: &'static str, timestamp: Timestamp, data: impl Serialize) -> Arc<str> {
    let envelope = Envelope { id, r#type: kind, version: VERSION, timestamp, data };
    // Plain values always have a text.
    serde_json::to_string(&envelope).unwrap_or_default().into()
}

/// The chain of a message's events.
pub fn chain_of(message: MessageId) -> i64 {
    i64::try_from(message.0).unwrap_or(i64::MAX)
}

fn whose(id: EventId, kind: &EventKind) -> (Option<AccountName>, i64) {
    let of_message = |account: &Option<AccountName>, message: MessageId| (account.clone(), chain_of(message));
    match kind {
        EventKind::Accepted(event::Accepted { account, message, .. })
        | EventKind::Suppressed { account, message, .. }
        | EventKind::Cancelled { account, message, .. }
        | EventKind::Held { account, message, .. }
        | EventKind::Released { account, message, .. } => of_message(account, *message),
        EventKind::Settled(event::Settled { account, part, .. }) => of_message(account, part.message),
        EventKind::CameBack { account, message: Some(message), .. } => of_message(account, *message),
        EventKind::CameBack { account, .. } => (account.clone(), id.key()),
        // Below zero, where no message is.
        EventKind::Incident { id, .. } => (None, -1 - i64::try_from(*id).unwrap_or(i64::MAX - 1)),
        _ => (None, id.key()),
    }
}

#[cfg(test)]
mod tests;
