//! What became of a message, of mail to a recipient, and of the last messages.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use repute_types::{Address, MessageId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problems::Reading;
use super::view::{self, MessageView};
use crate::app::App;
use crate::http::{Path, Query};
use crate::problem::{self, Problem};
use crate::rights::{By, Reads};

/// Steps of one message at most.
const STEPS: usize = 10_000;

/// What became of a message
#[utoipa::path(
    get,
    path = "/v1/messages/{id}",
    operation_id = "showMessage",
    tag = "messages",
    params(("id" = String, Path, description = "As it was answered when the message was handed in")),
    responses((status = 200, description = "Where each recipient stands, and every step", body = MessageView), Reading),
)]
pub(crate) async fn message(
    State(app): State<Arc<App>>,
    caller: By<Reads>,
    Path(id): Path<String>,
) -> Result<Answer<MessageView>, Problem> {
    let unknown = || {
        let id: String = id.chars().take(40).collect();
        Problem::new(problem::NOT_FOUND, format!("nothing is known of a message {id}"))
    };
    let parsed: MessageId = id.parse().map_err(|_| unknown())?;
    let why = app.control.why_for(caller.account(), &parsed.to_string(), STEPS).await?;
    view::messages(&why).into_iter().next().map(Answer).ok_or_else(unknown)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Last {
    /// At most so many messages; 50.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecipientHistory {
    #[schema(example = "bob@example.net")]
    address: String,
    /// Newest first.
    messages: Vec<MessageView>,
    /// The history cannot be written now: the last messages and steps may be missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    behind: bool,
}

/// What became of mail to an address
#[utoipa::path(
    get,
    path = "/v1/recipients/{address}",
    operation_id = "showRecipient",
    tag = "messages",
    params(("address" = String, Path, description = "name@domain"), Last),
    responses((status = 200, description = "The last messages to it", body = RecipientHistory), Reading),
)]
pub(crate) async fn recipient(
    State(app): State<Arc<App>>,
    caller: By<Reads>,
    Path(address): Path<String>,
    Query(last): Query<Last>,
) -> Result<Answer<RecipientHistory>, Problem> {
    let limit = within(last.limit)?;
    let address: Address = address
        .parse()
        .map_err(|why| Problem::new(problem::NOT_FOUND, format!("{why}: write name@domain in the path")))?;
    let why = app.control.why_for(caller.account(), &address.to_string(), limit).await?;
    let messages = view::messages(&why);
    Ok(Answer(RecipientHistory { address: address.to_string(), messages, behind: why.behind }))
}

/// 1 to 500; 50 where nothing is said.
pub(crate) fn within(limit: Option<u16>) -> Result<usize, Problem> {
    match limit.unwrap_or(50) {
        limit @ 1..=500 => Ok(usize::from(limit)),
        limit => Err(Problem::new(problem::MALFORMED, format!("limit is {limit}: it has to be 1 to 500"))),
    }
}
