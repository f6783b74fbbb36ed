//! Handing in many messages by one request; each has its own answer.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use repute_engine::once::Place;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::task::JoinSet;
use utoipa::ToSchema;

use super::letter::{Draft, Message};
use super::messages::Key;
use super::problems::Writing;
use super::submit::{Accepted, submit, taken_before};
use crate::app::App;
use crate::body::{self, Json};
use crate::caller::{self, Caller};
use crate::once::{self, Asked, Said};
use crate::problem::{FieldFault, Problem};
use crate::rights::{By, Sends};

/// Messages that are accepted at the same time: enough to share a sync of the disk.
const AT_ONCE: usize = 32;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    /// Each is accepted or refused by itself.
    #[schema(min_items = 1, max_items = 500, value_type = Vec<Message>)]
    messages: Vec<Box<RawValue>>,
}

/// An answer for each message, in the order of the messages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchAnswer {
    results: Vec<BatchResult>,
}

/// What `POST /v1/messages` would have answered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchResult {
    /// 202 where the message is on disk.
    #[schema(minimum = 200, maximum = 599)]
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    accepted: Option<Accepted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
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
    params(Key),
    request_body = Batch,
    responses((status = 200, description = "A result for each message", body = BatchAnswer), Writing),
)]
pub(crate) async fn send(
    State(app): State<Arc<App>>,
    caller: By<Sends>,
    headers: HeaderMap,
    batch: Json<Batch>,
) -> Result<Response, Problem> {
    let Json { value, octets, .. } = &batch;
    let (count, most) = (value.messages.len(), app.limits.batch);
    if count == 0 || count > most {
        let what = format!("a batch has 1 to {most} messages, this one has {count}");
        return Err(Problem::fields(vec![FieldFault::new("/messages", what)]));
    }
    count_rest(&app, &caller, count)?;
    let octets = octets.clone();
    let draft = |message: &RawValue| -> Result<Draft, Problem> {
        let message: Message = body::parse(message.get().as_bytes())?;
        message.draft(app.limits.recipients).map_err(Problem::fields)
    };
    let drafts = value.messages.iter().map(|message| draft(message)).collect();
    let asked = Asked { path: "/v1/messages/batch", headers: &headers, octets: &[&octets], say };
    once::answer(&app, caller.0, asked, drafts).await
}

/// A batch counts as its messages; the request itself has been counted as one.
pub(crate) fn count_rest(app: &App, caller: &Caller, count: usize) -> Result<(), Problem> {
    let rest = u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX);
    match app.paces.take_rest(&caller.token.name, app.settings().pace_of(&caller.token), rest).wait {
        Some(wait) => Err(caller::too_many(wait)),
        None => Ok(()),
    }
}

fn say(results: Results) -> Said {
    let accepted = results.iter().any(Result::is_ok);
    let result = |(i, result): (usize, Result<Accepted, Problem>)| match result {
        Ok(accepted) => BatchResult { status: 202, accepted: Some(accepted), problem: None },
        Err(problem) => {
            let problem = problem.under(&format!("/messages/{i}"));
            BatchResult { status: problem.status(), accepted: None, problem: Some(problem) }
        }
    };
    let answer = BatchAnswer { results: results.into_iter().enumerate().map(result).collect() };
    // It is made of texts and numbers: it can be written.
    Said {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: serde_json::to_vec(&answer).unwrap_or_default(),
        accepted,
    }
}

pub(crate) type Drafts = Vec<Result<Draft, Problem>>;
pub(crate) type Results = Vec<Result<Accepted, Problem>>;

/// Some at a time, answered in their order. With `places`, one for each, messages that were
/// accepted before are not accepted again.
pub(crate) async fn hand_in(app: Arc<App>, caller: Caller, drafts: Drafts, places: Option<Vec<Place>>) -> Results {
    let mut results: Results = drafts.iter().map(|_| Err(Problem::unavailable("it was not come to"))).collect();
    let mut under_way = JoinSet::new();
    for (i, draft) in drafts.into_iter().enumerate() {
        if under_way.len() == AT_ONCE
            && let Some(Ok((done, result))) = under_way.join_next().await
        {
            results[done] = result;
        }
        match (draft, places.as_ref().and_then(|places| places.get(i)).copied()) {
            (Ok(draft), Some(Place::Taken(id))) => results[i] = Ok(taken_before(&app, id, &draft)),
            (Ok(draft), place) => {
                let (app, caller) = (app.clone(), caller.clone());
                under_way.spawn(async move { (i, submit(&app, &caller, draft, place).await) });
            }
            (Err(problem), _) => results[i] = Err(problem),
        }
    }
    while let Some(done) = under_way.join_next().await {
        if let Ok((i, result)) = done {
            results[i] = result;
        }
    }
    results
}
