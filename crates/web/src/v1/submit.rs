//! From a draft to the door, the same for every operation that takes messages.

use std::collections::HashSet;
use std::sync::Arc;

use repute_engine::door::{Account, Submitted};
use repute_engine::once::Place;
use repute_ledger::suppression::spelling;
use repute_types::envelope::EnvelopeOptions;
use repute_types::{Envelope, MessageId, Recipient, Reply, Stream};
use serde::Serialize;
use utoipa::ToSchema;

use super::letter::Draft;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::{self, FieldFault, Problem};

/// A message that is on disk and will be delivered or answered for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// What to ask about it by.
    #[schema(value_type = String, example = "1m7qw3g0w000h")]
    pub id: MessageId,
    pub status: AcceptedAs,
    /// How many recipients it goes to.
    pub recipients: usize,
    /// Recipients that are left out, and why. The others get it.
    pub refused: Vec<RefusedRecipient>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AcceptedAs {
    Queued,
    /// It waits for its `send_at`.
    Scheduled,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RefusedRecipient {
    #[schema(example = "bob@example.net")]
    pub address: String,
    /// The SMTP enhanced status code.
    #[schema(example = "5.7.1")]
    pub enhanced: Option<String>,
    pub detail: String,
}

/// Hands a message in, under the id of its place where it has one. Answers when it is on disk.
pub(crate) async fn submit(
    app: &App,
    caller: &Caller,
    draft: Draft,
    place: Option<Place>,
) -> Result<Accepted, Problem> {
    let account = account_for(caller.sends()?, draft.stream)?;
    small_enough(draft.content.len(), app.limits.message)?;
    // A refusal is told to the log as that of a client by SMTP is; what is refused at acceptance tells itself.
    let tell = |reply: &Reply| app.door.refused(caller.client, Some(&account.name), reply);
    let may = app.door.may_send_from(&account, Some(&draft.from)).inspect_err(tell);
    may.map_err(|reply| over_or_wrong(app, &account, &reply))?;
    let (recipients, refused, errors) = wanted(app, &account, &draft, tell);
    if recipients.is_empty() {
        return Err(nobody(refused, errors));
    }
    let count = recipients.len();
    let options = EnvelopeOptions { smtputf8: draft.smtputf8, ..EnvelopeOptions::default() };
    let status = status_of(app, &draft);
    let id = place.map(|(Place::Free(id) | Place::Taken(id))| id);
    let submitted = Submitted {
        account: account.clone(),
        envelope: Envelope { from: Some(draft.from), recipients, options },
        content: draft.content,
        origin: caller.origin(),
        labels: draft.labels.kept(),
        send_at: draft.send_at,
        id,
    };
    let committed = app.door.accept(submitted).await.map_err(|reply| over_or_wrong(app, &account, &reply))?;
    Ok(Accepted { id: committed.id(), status, recipients: count, refused })
}

/// Where the account has handed in too much, with the time at which it may go on.
fn over_or_wrong(app: &App, account: &Account, reply: &Reply) -> Problem {
    let problem = Problem::of_reply(reply);
    match app.door.allowance(&account.name).filter(|_| problem.status() == problem::TOO_MANY.status) {
        Some(allowance) => problem.retry_after(allowance.wait.as_secs() + 1),
        None => problem,
    }
}

/// A message that SMTP would not take is not taken here either, however its body was packed.
fn small_enough(octets: usize, most: usize) -> Result<(), Problem> {
    if octets <= most {
        return Ok(());
    }
    let detail = format!(
        "the message has {octets} octets, attachments encoded, and one of at most {most} is taken: make it smaller"
    );
    Err(Problem::new(problem::TOO_LARGE, detail))
}

/// The answer for a message that was accepted when it was handed in before.
pub(crate) fn taken_before(app: &App, id: MessageId, draft: &Draft) -> Accepted {
    let recipients = draft.recipients.iter().map(|(address, _)| spelling(address)).collect::<HashSet<_>>().len();
    Accepted { id, status: status_of(app, draft), recipients, refused: Vec::new() }
}

fn status_of(app: &App, draft: &Draft) -> AcceptedAs {
    let is_later = draft.send_at.is_some_and(|at| at > app.control.now());
    if is_later { AcceptedAs::Scheduled } else { AcceptedAs::Queued }
}

/// The account, sending as the stream that was asked for. An account for bulk mail does not
/// overtake others by saying that its mail is something else.
fn account_for(account: &Arc<Account>, stream: Option<Stream>) -> Result<Arc<Account>, Problem> {
    match (account.stream, stream) {
        (Stream::Bulk, Some(Stream::Transactional)) => {
            let detail = format!("the account {} sends bulk mail: leave `stream` out", account.name);
            Err(Problem::new(problem::NOT_ALLOWED, detail))
        }
        (_, Some(stream)) if stream != account.stream => Ok(Arc::new(Account { stream, ..(**account).clone() })),
        _ => Ok(account.clone()),
    }
}

/// Each recipient once, in whatever spelling, by the rule that lists go by: those that are taken, and those that are not.
fn wanted(
    app: &App,
    account: &Account,
    draft: &Draft,
    tell: impl Fn(&Reply),
) -> (Vec<Recipient>, Vec<RefusedRecipient>, Vec<FieldFault>) {
    let (mut recipients, mut refused, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for (address, place) in draft.recipients.iter().filter(|(address, _)| seen.insert(spelling(address))) {
        let recipient = Recipient::to(address.clone());
        match app.door.may_send_to(account, &recipient, Some(&draft.labels)) {
            Ok(()) => recipients.push(recipient),
            Err(reply) => {
                tell(&reply);
                let enhanced = reply.enhanced.map(|e| e.to_string());
                errors.push(FieldFault::new(place.clone(), reply.text()));
                refused.push(RefusedRecipient { address: address.to_string(), enhanced, detail: reply.text() });
            }
        }
    }
    (recipients, refused, errors)
}

/// No recipient is left.
fn nobody(refused: Vec<RefusedRecipient>, errors: Vec<FieldFault>) -> Problem {
    let detail = match refused.as_slice() {
        [one] => one.detail.clone(),
        _ => "none of the recipients may be sent to: `errors` says why".to_owned(),
    };
    // One code for all says what they have in common.
    let enhanced = refused.first().and_then(|first| first.enhanced.clone()).filter(|code| code.starts_with('5'));
    let enhanced = enhanced.filter(|code| refused.iter().all(|one| one.enhanced.as_ref() == Some(code)));
    Problem::new(problem::REFUSED, detail).with_errors(errors).with_enhanced(enhanced)
}
