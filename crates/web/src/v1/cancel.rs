//! Taking a message back while it waits.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use repute_engine::control::{Changes, Selector};
use serde::Serialize;
use utoipa::ToSchema;

use super::problems::Changing;
use super::view;
use crate::app::App;
use crate::caller::Caller;
use crate::http::Path;
use crate::problem::{self, Problem};
use crate::rights::{By, TakesBack};

/// Steps that are read to know whether there was such a message.
const STEPS: usize = 100;

/// How many parts (the recipients of one message at one domain) were changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Changed {
    now: usize,
    /// Those that are being sent: it is done when their attempt ends, if that does not deliver them.
    after_attempt: usize,
    /// The disk refuses to be written: all of it is so now, and is lost if the server is killed before the disk takes it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unwritten: bool,
    /// The disk refuses to be written and no more can be kept in memory: the rest was left as it was.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unfinished: bool,
}

impl From<Changes> for Changed {
    fn from(changes: Changes) -> Changed {
        let Changes { now, after_attempt, unwritten, unfinished, .. } = changes;
        Changed { now, after_attempt, unwritten, unfinished }
    }
}

/// Cancel a message
///
/// What of it still waits is not sent. What was delivered stays delivered. Where nothing of it waits any more, the answer is 409.
#[utoipa::path(
    delete,
    path = "/v1/messages/{id}",
    operation_id = "cancelMessage",
    tag = "messages",
    params(("id" = String, Path, description = "As it was answered when the message was handed in")),
    responses((status = 200, description = "What waited is cancelled", body = Changed), Changing),
)]
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    caller: By<TakesBack>,
    Path(id): Path<String>,
) -> Result<Answer<Changed>, Problem> {
    let account = caller.account().map(str::to_owned);
    let selector = Selector { ids: vec![id.clone()], account, ..Selector::default() };
    let changes = app.control.cancel(&selector, &caller.said_by()).await?;
    if changes.is_none() {
        return Err(not_waiting(&app, &caller, &id).await?);
    }
    Ok(Answer(changes.into()))
}

/// A message that is known is past being cancelled; another one is not there.
async fn not_waiting(app: &App, caller: &Caller, id: &str) -> Result<Problem, Problem> {
    let known = app.control.why_for(caller.account(), id, STEPS).await?;
    if view::messages(&known).is_empty() {
        let id: String = id.chars().take(40).collect();
        return Ok(Problem::new(problem::NOT_FOUND, format!("nothing is known of a message {id}")));
    }
    let detail = format!("nothing of message {id} waits any more: GET /v1/messages/{id} says what became of it");
    Ok(Problem::new(problem::CONFLICT, detail))
}
