//! Webhooks: how each stands, and what an operator does with one. They are made and changed in the configuration.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use repute_hooks::{EventId, Selection, Shown, Tried};
use repute_types::{MessageId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problems::{Reading, Writing};
use super::queue::MessageIdText;
use crate::app::App;
use crate::body::Json;
use crate::caller::Caller;
use crate::http::Path;
use crate::problem::{self, FieldFault, Problem};
use crate::rights::{By, Operates, Reads};

/// A webhook and how it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Webhook {
    name: String,
    url: String,
    #[schema(example = "active")]
    state: String,
    /// Why it is not active.
    reason: Option<String>,
    /// The types of events that it gets.
    events: Vec<String>,
    account: Option<String>,
    /// Events of one request at most.
    batch: usize,
    /// Events that it has not come to yet, counted up to 100,000.
    behind: usize,
    /// Events that were refused, or stand behind such a one.
    waiting: usize,
    /// Requests.
    under_way: usize,
    #[schema(format = DateTime)]
    next_attempt: Option<String>,
    /// The receiver fails, and is left alone until then.
    #[schema(format = DateTime)]
    rest_until: Option<String>,
    failures_in_a_row: u32,
    #[schema(format = DateTime)]
    failing_since: Option<String>,
    taken: u64,
    given_up: u64,
    lost: u64,
    #[schema(format = DateTime)]
    last_taken: Option<String>,
    #[schema(format = DateTime)]
    last_failed: Option<String>,
    last_failure: Option<String>,
}

impl From<Shown> for Webhook {
    fn from(shown: Shown) -> Webhook {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Webhook {
            name: shown.name,
            url: shown.url,
            state: shown.state.to_owned(),
            reason: Some(shown.reason).filter(|reason| !reason.is_empty()),
            events: shown.events.into_iter().map(str::to_owned).collect(),
            account: shown.account,
            batch: shown.batch,
            behind: shown.behind,
            waiting: shown.waiting,
            under_way: shown.under_way,
            next_attempt: time(shown.next_attempt),
            rest_until: time(shown.rest_until),
            failures_in_a_row: shown.failures_in_a_row,
            failing_since: time(shown.failing_since),
            taken: shown.taken,
            given_up: shown.given_up,
            lost: shown.lost,
            last_taken: time(shown.last_taken),
            last_failed: time(shown.last_failed),
            last_failure: Some(shown.last_failure).filter(|text| !text.is_empty()),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Webhooks {
    webhooks: Vec<Webhook>,
}

/// List the webhooks
///
/// Those of the token's account; all without one.
#[utoipa::path(get, path = "/v1/webhooks", operation_id = "listWebhooks", tag = "webhooks",
    responses((status = 200, description = "Each, and how it stands", body = Webhooks), Reading))]
pub(crate) async fn list(State(app): State<Arc<App>>, caller: By<Reads>) -> Result<Answer<Webhooks>, Problem> {
    let mut found = app.hooks.list().await?;
    found.retain(|webhook| is_mine(&caller, webhook));
    Ok(Answer(Webhooks { webhooks: found.into_iter().map(Webhook::from).collect() }))
}

fn is_mine(caller: &Caller, webhook: &Shown) -> bool {
    caller.account().is_none() || caller.account() == webhook.account.as_deref()
}

async fn find(app: &App, caller: &Caller, name: &str) -> Result<Shown, Problem> {
    let shown = app.hooks.show(name).await?;
    match is_mine(caller, &shown) {
        true => Ok(shown),
        false => Err(repute_hooks::HooksError::NoSuch(name.to_owned()).into()),
    }
}

/// Show a webhook
#[utoipa::path(get, path = "/v1/webhooks/{name}", operation_id = "showWebhook", tag = "webhooks",
    params(("name" = String, Path, description = "As the configuration has it")),
    responses((status = 200, description = "How it stands", body = Webhook), Reading))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    caller: By<Reads>,
    Path(name): Path<String>,
) -> Result<Answer<Webhook>, Problem> {
    Ok(Answer(find(&app, &caller, &name).await?.into()))
}

/// What a test came to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Test {
    taken: bool,
    /// That the receiver answered.
    status: Option<u16>,
    text: String,
    milliseconds: u64,
}

impl From<Tried> for Test {
    fn from(tried: Tried) -> Test {
        let Tried { taken, status, text, milliseconds } = tried;
        Test { taken, status, text, milliseconds }
    }
}

/// Send a test event now
///
/// Of the type `webhook.test`, whatever the webhook's state is; nothing is kept of it.
#[utoipa::path(post, path = "/v1/webhooks/{name}/test", operation_id = "testWebhook", tag = "webhooks",
    params(("name" = String, Path, description = "As the configuration has it")),
    responses((status = 200, description = "What the receiver answered", body = Test), Writing))]
pub(crate) async fn test(
    State(app): State<Arc<App>>,
    _: By<Operates>,
    Path(name): Path<String>,
) -> Result<Answer<Test>, Problem> {
    Ok(Answer(app.hooks.test(&name).await?.into()))
}

/// Send nothing to a webhook until it is resumed
///
/// Events are kept for it within the bounds of `[events]`.
#[utoipa::path(post, path = "/v1/webhooks/{name}/pause", operation_id = "pauseWebhook", tag = "webhooks",
    params(("name" = String, Path, description = "As the configuration has it")),
    responses((status = 200, description = "It pauses", body = Webhook), Writing))]
pub(crate) async fn pause(
    State(app): State<Arc<App>>,
    _: By<Operates>,
    Path(name): Path<String>,
) -> Result<Answer<Webhook>, Problem> {
    app.hooks.pause(&name).await?;
    Ok(Answer(app.hooks.show(&name).await?.into()))
}

/// Go on with a webhook where it was
#[utoipa::path(post, path = "/v1/webhooks/{name}/resume", operation_id = "resumeWebhook", tag = "webhooks",
    params(("name" = String, Path, description = "As the configuration has it")),
    responses((status = 200, description = "It goes on", body = Webhook), Writing))]
pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    _: By<Operates>,
    Path(name): Path<String>,
) -> Result<Answer<Webhook>, Problem> {
    app.hooks.resume(&name).await?;
    Ok(Answer(app.hooks.show(&name).await?.into()))
}

/// Which events are to be sent again, in one of three ways: `events`, or `message`, or `since`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Again {
    /// By their ids.
    #[serde(default, deserialize_with = "crate::object::or_default")]
    #[schema(nullable, max_items = 10_000, value_type = Vec<EventIdText>)]
    events: Vec<String>,
    /// All of a message.
    #[schema(value_type = Option<MessageIdText>)]
    message: Option<String>,
    /// All from this time on.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// With `since`: up to this time.
    #[schema(format = DateTime)]
    until: Option<String>,
}

/// The id of an event.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = r"^evt_[0-9a-f][0-9a-hjkmnp-tv-z]{12}$", example = "evt_6h0pkb0n00004")]
#[allow(dead_code, reason = "it describes what ids look like")]
pub(crate) struct EventIdText(String);

/// Events that are named one by one.
const EVENTS: usize = 10_000;

impl Again {
    fn selection(self) -> Result<Selection, Problem> {
        let mut faults = Vec::new();
        if self.events.len() > EVENTS {
            faults.push(FieldFault::new("/events", format!("name at most {EVENTS} events, or a span of time")));
        }
        let mut events = Vec::new();
        for (n, id) in self.events.iter().take(EVENTS).enumerate() {
            match id.parse::<EventId>() {
                Ok(id) => events.push(id),
                Err(why) => faults.push(FieldFault::new(format!("/events/{n}"), why.to_string())),
            }
        }
        let message = self.message.map(|id| id.parse::<MessageId>()).transpose().map_err(|_| {
            faults.push(FieldFault::new("/message", "this is not a message id: 13 letters and digits"));
        });
        let mut time = |place: &str, text: Option<String>| {
            let cure = "write a time as RFC 3339 has it: 2026-11-24T08:00:00Z";
            let parsed = text.map(|text| text.parse::<Timestamp>()).transpose();
            parsed.unwrap_or_else(|_| {
                faults.push(FieldFault::new(place, cure));
                None
            })
        };
        let (since, until) = (time("/since", self.since), time("/until", self.until));
        match faults.is_empty() {
            true => Ok(Selection { events, message: message.ok().flatten(), since, until }),
            false => Err(Problem::fields(faults)),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SentAgain {
    /// Events that are sent again, in the order in which they happened.
    events: usize,
}

/// Send events to a webhook again
///
/// Those that were done before, under the ids that they had.
#[utoipa::path(post, path = "/v1/webhooks/{name}/redeliver", operation_id = "redeliverWebhook", tag = "webhooks",
    params(("name" = String, Path, description = "As the configuration has it")), request_body = Again,
    responses((status = 200, description = "How many are sent again", body = SentAgain), Writing))]
pub(crate) async fn redeliver(
    State(app): State<Arc<App>>,
    _: By<Operates>,
    Path(name): Path<String>,
    again: Json<Again>,
) -> Result<Answer<SentAgain>, Problem> {
    let done = app.hooks.redeliver(&name, again.value.selection()?).await?;
    Ok(Answer(SentAgain { events: done.events }))
}

impl From<repute_hooks::HooksError> for Problem {
    fn from(error: repute_hooks::HooksError) -> Problem {
        use repute_hooks::HooksError;
        let text = error.to_string();
        match error {
            HooksError::NoSuch(_) => Problem::new(problem::NOT_FOUND, text),
            HooksError::NothingSelected => {
                Problem::fields(vec![FieldFault::new("", "say which events: `events`, `message`, or `since`")])
            }
            HooksError::Contradictory => {
                let cure = "say which events in one way: `events`, or `message`, or `since` with `until`";
                Problem::fields(vec![FieldFault::new("", cure)])
            }
            HooksError::Store(_) => Problem::unavailable(text),
        }
    }
}
