//! Handing in messages.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::batch::Results;
use super::letter::{Draft, Kind, Message};
use super::people::{Mailbox, Mailboxes};
use super::problems::Writing;
use super::submit::Accepted;
use crate::app::App;
use crate::body::{self, Raw, is_json, wrong_media};
use crate::http::Query;
use crate::once::{self, Asked, Said};
use crate::problem::Problem;
use crate::rights::{By, Sends};

/// For a whole message (`message/rfc822`), whose body has no place for them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Beside {
    /// A recipient, in place of those in the message's header: `name@domain` or `Name <name@domain>`.
    to: Option<String>,
    /// A word to find the message by.
    #[param(
        min_length = 1,
        max_length = 128,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    tag: Option<String>,
    #[param(
        min_length = 1,
        max_length = 128,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    campaign: Option<String>,
    stream: Option<Kind>,
    /// RFC 3339.
    #[param(format = DateTime)]
    send_at: Option<String>,
}

/// The key of a request that is carried out once.
#[allow(dead_code, reason = "only described: it is read where the answer is found")]
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct Key {
    /// The same key with the same request gets the same answer for two days, also after a restart; with
    /// another request 422. Use a new UUID for each message.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255, pattern = r#"^("[!-~]+"|[!#-~][!-~]*)$"#)]
    idempotency_key: Option<String>,
}

/// Hand in a message
///
/// The answer comes when the message is on disk.
#[utoipa::path(
    post,
    path = "/v1/messages",
    operation_id = "sendMessage",
    tag = "messages",
    params(Beside, Key),
    request_body(content((Message = "application/json"), (String = "message/rfc822"))),
    responses((status = 202, description = "The message is on disk", body = Accepted), Writing),
)]
pub(crate) async fn send(
    State(app): State<Arc<App>>,
    caller: By<Sends>,
    headers: HeaderMap,
    uri: Uri,
    Query(beside): Query<Beside>,
    body: Raw,
) -> Result<Response, Problem> {
    let draft = draft(&app, beside, &body)?;
    let query = uri.query().unwrap_or_default();
    let octets: &[&[u8]] = &[body.media.as_bytes(), query.as_bytes(), &body.octets];
    let asked = Asked { path: "/v1/messages", headers: &headers, octets, say };
    once::answer(&app, caller.0, asked, vec![Ok(draft)]).await
}

fn say(mut results: Results) -> Said {
    match results.pop().unwrap_or_else(|| Err(Problem::unavailable("nothing was answered"))) {
        // It is made of texts and numbers: it can be written.
        Ok(accepted) => Said {
            status: StatusCode::ACCEPTED,
            headers: HeaderMap::new(),
            body: serde_json::to_vec(&accepted).unwrap_or_default(),
            accepted: true,
        },
        Err(problem) => Said::refused(&problem),
    }
}

fn draft(app: &App, beside: Beside, body: &Raw) -> Result<Draft, Problem> {
    let most = app.limits.recipients;
    if is_json(&body.media) {
        let message: Message = body::parse(&body.octets)?;
        return message.draft(most).map_err(Problem::fields);
    }
    if body.media != "message/rfc822" {
        return Err(wrong_media(&body.media, "application/json or message/rfc822"));
    }
    let rest = Message {
        to: beside.to.map(|to| Mailboxes::One(Mailbox::Text(to))),
        tags: beside.tag.into_iter().collect(),
        campaign: beside.campaign,
        stream: beside.stream,
        send_at: beside.send_at,
        ..Message::default()
    };
    rest.draft_of(body.octets.clone(), most).map_err(Problem::fields)
}
