//! What waits, and what an operator may do about it.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use repute_engine::control::{QueueRow, Selector};
use repute_types::{Address, Domain};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::cancel::Changed;
use super::circuits::Continued;
use super::letter::Kind;
use super::problems::{Reading, Writing};
use super::show::within;
use super::{LINE_CURE, is_line};
use crate::app::App;
use crate::body::Json;
use crate::caller::Caller;
use crate::http::Query;
use crate::problem::{self, FieldFault, Problem};
use crate::rights::{By, Queues, Reads};

/// What waits of one message for one domain.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Waiting {
    #[schema(example = "1m7qw3g0w000h")]
    id: String,
    part: u32,
    account: Option<String>,
    from: String,
    domain: String,
    recipients: Vec<WaitingRecipient>,
    state: String,
    /// Why it is held, or what keeps its site from being tried.
    reason: Option<String>,
    #[schema(format = DateTime)]
    next: Option<String>,
    attempts: u32,
    #[schema(format = DateTime)]
    accepted: String,
    /// When it is given up.
    #[schema(format = DateTime)]
    expires: String,
    /// Octets.
    size: u64,
    #[schema(value_type = Kind)]
    stream: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WaitingRecipient {
    address: String,
    /// What the last attempt said.
    last: Option<String>,
}

impl From<QueueRow> for Waiting {
    fn from(row: QueueRow) -> Waiting {
        let recipient = |r: repute_engine::control::QueueRecipient| WaitingRecipient {
            address: r.address.to_string(),
            last: r.last,
        };
        Waiting {
            id: row.id.to_string(),
            part: row.part,
            account: row.account,
            from: row.sender,
            domain: row.domain.to_string(),
            recipients: row.recipients.into_iter().map(recipient).collect(),
            state: row.state.to_owned(),
            reason: row.reason,
            next: row.next.map(|at| at.to_string()),
            attempts: row.attempts,
            accepted: row.received.to_string(),
            expires: row.expires.to_string(),
            size: row.size,
            stream: row.stream.to_owned(),
        }
    }
}

/// A page of the queue, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueuePage {
    rows: Vec<Waiting>,
    /// For `after` of the next page; null on the last.
    next: Option<String>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// The recipients' domain.
    #[param(format = "hostname")]
    domain: Option<String>,
    /// The envelope's sender, or all of a domain: `@example.com`.
    sender: Option<String>,
    #[param(format = "email")]
    recipient: Option<String>,
    /// Only what is held.
    held: Option<bool>,
    /// `next` of the page before.
    #[param(pattern = r"^[0-9a-f][0-9a-hjkmnp-tv-z]{12}\.[0-9]{1,9}$")]
    after: Option<String>,
    /// At most so many rows; 50.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
}

/// List what waits
#[utoipa::path(
    get,
    path = "/v1/queue",
    operation_id = "listQueue",
    tag = "queue",
    params(Which),
    responses((status = 200, description = "A page of the queue", body = QueuePage), Reading),
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: By<Reads>,
    Query(which): Query<Which>,
) -> Result<Answer<QueuePage>, Problem> {
    let limit = within(which.limit)?;
    let wrong = |what: &str, why: String| Problem::new(problem::MALFORMED, format!("{what}: {why}"));
    let selector = Selector {
        domain: which.domain.map(|d| Domain::parse(&d)).transpose().map_err(|e| wrong("domain", e.to_string()))?,
        sender: which.sender,
        recipient: which
            .recipient
            .map(|a| a.parse::<Address>())
            .transpose()
            .map_err(|e| wrong("recipient", e.to_string()))?,
        held: which.held.unwrap_or_default(),
        after: which.after,
        ..Selector::default()
    };
    let page = app.control.list_for(caller.account(), selector, limit).await?;
    let last = page.rows.last().filter(|_| page.more).map(|row| format!("{}.{}", row.id, row.part));
    Ok(Answer(QueuePage { rows: page.rows.into_iter().map(Waiting::from).collect(), next: last }))
}

/// Which messages are meant; everything that is set has to hold. A selection that says nothing selects nothing and is refused
/// (422): so `{}`, `{"ids": []}`, and members that are null or false. All that the token may see is `{"all": true}`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Selection {
    #[serde(default, deserialize_with = "crate::object::or_default")]
    #[schema(nullable, max_items = 10_000, value_type = Vec<MessageIdText>)]
    ids: Vec<String>,
    #[schema(format = "hostname")]
    domain: Option<String>,
    sender: Option<String>,
    #[schema(format = "email")]
    recipient: Option<String>,
    /// Seconds since acceptance, up to ten years.
    #[schema(maximum = 315_360_000)]
    #[serde(default, deserialize_with = "crate::object::whole")]
    older_than: Option<u64>,
    #[serde(default, deserialize_with = "crate::object::or_default")]
    #[schema(nullable)]
    held: bool,
    /// Everything that the token may see.
    #[serde(default, deserialize_with = "crate::object::or_default")]
    #[schema(nullable)]
    all: bool,
    /// For `hold`: why, for those who find it held; else `held by` and the name of the token.
    #[schema(max_length = 500, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    reason: Option<String>,
}

/// The id of a message.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = r"^[0-9a-f][0-9a-hjkmnp-tv-z]{12}$", example = "1m7qw3g0w000h")]
#[allow(dead_code, reason = "it describes what ids look like")]
pub(crate) struct MessageIdText(String);

/// Messages that are named one by one.
const IDS: usize = 10_000;
const OLDEST: u64 = 315_360_000;

impl Selection {
    fn selector(self, caller: &Caller) -> Result<(Selector, String), Problem> {
        let mut faults = Vec::new();
        if self.ids.len() > IDS {
            faults.push(FieldFault::new("/ids", format!("name at most {IDS} messages at once")));
        }
        for (i, id) in self.ids.iter().enumerate() {
            if id.parse::<repute_types::MessageId>().is_err() {
                faults.push(FieldFault::new(format!("/ids/{i}"), "this is not a message id: 13 letters and digits"));
            }
        }
        let mut selector =
            Selector { ids: self.ids, sender: self.sender, older_than: self.older_than, ..Selector::default() };
        match self.domain.map(|d| Domain::parse(&d)).transpose() {
            Ok(domain) => selector.domain = domain,
            Err(why) => faults.push(FieldFault::new("/domain", why.to_string())),
        }
        match self.recipient.map(|a| a.parse::<Address>()).transpose() {
            Ok(recipient) => selector.recipient = recipient,
            Err(why) => faults.push(FieldFault::new("/recipient", why.to_string())),
        }
        if self.older_than.is_some_and(|seconds| seconds > OLDEST) {
            faults.push(FieldFault::new("/older_than", format!("at most {OLDEST} seconds")));
        }
        (selector.held, selector.all) = (self.held, self.all);
        // Before the account is set, which is no condition of the client's.
        if selector.is_empty() {
            let cure =
                "say which messages are meant: ids, domain, sender, recipient, older_than, held, or `\"all\": true`";
            faults.push(FieldFault::new("", cure));
        }
        if self.reason.as_deref().is_some_and(|reason| !is_line(reason)) {
            faults.push(FieldFault::new("/reason", LINE_CURE));
        }
        if !faults.is_empty() {
            return Err(Problem::fields(faults));
        }
        selector.account = caller.account().map(str::to_owned);
        Ok((selector, self.reason.unwrap_or_else(|| format!("held by {}", caller.said_by()))))
    }
}

/// Hold what waits
#[utoipa::path(post, path = "/v1/queue/hold", operation_id = "holdQueue", tag = "queue", request_body = Selection,
    responses((status = 200, description = "It waits until it is released", body = Changed), Writing))]
pub(crate) async fn hold(
    State(app): State<Arc<App>>,
    caller: By<Queues>,
    selection: Json<Selection>,
) -> Result<Answer<Changed>, Problem> {
    let (selector, reason) = selection.value.selector(&caller)?;
    Ok(Answer(app.control.hold(&selector, &reason).await?.into()))
}

/// Let what is held go
///
/// It is tried now, but what was to be sent later (`send_at`) keeps its time where that is still ahead. What a campaign, a
/// circuit or a missing permit holds beside, waits for that: `still` says for what.
#[utoipa::path(post, path = "/v1/queue/release", operation_id = "releaseQueue", tag = "queue", request_body = Selection,
    responses((status = 200, description = "What goes on, and what is still held", body = Continued), Writing))]
pub(crate) async fn release(
    State(app): State<Arc<App>>,
    caller: By<Queues>,
    selection: Json<Selection>,
) -> Result<Answer<Continued>, Problem> {
    let (selector, _) = selection.value.selector(&caller)?;
    Ok(Answer(app.control.release(&selector).await?.into()))
}

/// Try what waits now
///
/// What is held stays held, and what is to be sent later (`send_at`) keeps its time unless it is named in `ids`: `still`
/// says how much that is.
#[utoipa::path(post, path = "/v1/queue/retry", operation_id = "retryQueue", tag = "queue", request_body = Selection,
    responses((status = 200, description = "What is tried now, and what is not", body = Continued), Writing))]
pub(crate) async fn retry(
    State(app): State<Arc<App>>,
    caller: By<Queues>,
    selection: Json<Selection>,
) -> Result<Answer<Continued>, Problem> {
    let (selector, _) = selection.value.selector(&caller)?;
    Ok(Answer(app.control.retry(&selector).await?.into()))
}

/// Take what waits out of the queue; its senders are not told
#[utoipa::path(post, path = "/v1/queue/cancel", operation_id = "cancelQueue", tag = "queue", request_body = Selection,
    responses((status = 200, description = "It is not sent any more", body = Changed), Writing))]
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    caller: By<Queues>,
    selection: Json<Selection>,
) -> Result<Answer<Changed>, Problem> {
    let (selector, _) = selection.value.selector(&caller)?;
    Ok(Answer(app.control.cancel(&selector, &caller.said_by()).await?.into()))
}
