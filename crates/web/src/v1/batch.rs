//! Handing in many messages by one request; each has its own answer.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use utoipa::ToSchema;

use super::letter::{Draft, Message};
use super::problems::Writing;
use super::submit::{Accepted, submit};
use crate::app::App;
use crate::body::Json;
use crate::caller::{self, Caller};
use crate::object;
use crate::problem::{FieldFault, Problem};

/// Messages that are accepted at the same time: enough to share a sync of the disk.
const AT_ONCE: usize = 32;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    /// Each is accepted or refused by itself.
    #[schema(min_items = 1, max_items = 500)]
    #[serde(deserialize_with = "object::list")]
    messages: Vec<Message>,
}

/// An answer for each message, in the order of the messages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchAnswer {
    results: Vec<Result>,
}

/// What `POST /v1/messages` would have answered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Result {
    /// 202 where the message is on disk.
    #[schema(minimum = 200, maximum = 599)]
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<Accepted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

/// Hand in up to 500 messages
///
/// Each message has its own result. The answer comes when all that were accepted are on disk.
#[utoipa::path(
    post,
    path = "/v1/messages/batch",
    operation_id = "sendMessages",
    tag = "messages",
    request_body = Batch,
    responses((status = 200, description = "A result for each message", body = BatchAnswer), Writing),
)]
pub(crate) async fn send(
    State(app): State<Arc<App>>,
    caller: Caller,
    batch: Json<Batch>,
) -> std::result::Result<Answer<BatchAnswer>, Problem> {
    caller.sends()?;
    let messages = batch.value.messages;
    let (count, most) = (messages.len(), app.limits.batch);
    if count == 0 || count > most {
        let what = format!("a batch has 1 to {most} messages, this one has {count}");
        return Err(Problem::fields(vec![FieldFault::new("/messages", what)]));
    }
    // The request itself has been counted as one.
    let rest = u32::try_from(count - 1).unwrap_or(u32::MAX);
    if let Some(wait) = caller::take(&app, &app.settings(), &caller.token, rest).wait {
        return Err(caller::too_many(wait));
    }
    let drafts = messages.into_iter().map(|message| message.draft(app.limits.recipients).map_err(Problem::fields));
    let results = hand_in(app.clone(), caller, drafts.collect()).await;
    let result = |(i, result): (usize, std::result::Result<Accepted, Problem>)| match result {
        Ok(accepted) => Result { status: 202, accepted: Some(accepted), problem: None },
        Err(problem) => {
            let problem = problem.under(&format!("/messages/{i}"));
            Result { status: problem.status(), accepted: None, problem: Some(problem) }
        }
    };
    Ok(Answer(BatchAnswer { results: results.into_iter().enumerate().map(result).collect() }))
}

type Drafts = Vec<std::result::Result<Draft, Problem>>;

/// Some at a time, answered in their order.
pub(crate) async fn hand_in(
    app: Arc<App>,
    caller: Caller,
    drafts: Drafts,
) -> Vec<std::result::Result<Accepted, Problem>> {
    let mut results: Vec<_> = drafts.iter().map(|_| Err(Problem::unavailable("it was not come to"))).collect();
    let mut under_way = JoinSet::new();
    for (i, draft) in drafts.into_iter().enumerate() {
        if under_way.len() == AT_ONCE
            && let Some(Ok((done, result))) = under_way.join_next().await
        {
            results[done] = result;
        }
        match draft {
            Ok(draft) => {
                let (app, caller) = (app.clone(), caller.clone());
                under_way.spawn(async move { (i, submit(&app, &caller, draft).await) });
            }
            Err(problem) => results[i] = Err(problem),
        }
    }
    while let Some(done) = under_way.join_next().await {
        if let Ok((i, result)) = done {
            results[i] = result;
        }
    }
    results
}
