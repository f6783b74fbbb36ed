//! A webhook that is disabled is an incident until it is active again.

use repute_ledger::Incident;
use repute_types::MessageId;

use crate::store::{Kept, State};
use crate::webhook::Webhook;

/// The rule of these incidents.
pub const WHAT: &str = "webhook";

/// What is open of a webhook.
pub(crate) fn open(webhook: &Webhook, kept: &Kept) -> Option<Incident> {
    let id = kept.incident.filter(|_| kept.state == State::Disabled)?;
    let name = &webhook.name;
    Some(Incident {
        id,
        // It has the form of every id here, and tells when it was made.
        opened: MessageId(id).time(),
        closed: None,
        what: WHAT.to_owned(),
        subject: name.clone(),
        text: format!("webhook {name} ({}) is disabled: {}", webhook.target, kept.reason),
        cure: format!(
            "see that the receiver answers with 2xx (`repute webhook test {name}`), then `repute webhook resume {name}`: it \
             gets what is kept"
        ),
    })
}
