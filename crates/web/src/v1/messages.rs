//! Handing in messages.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::letter::{Draft, Kind, Message};
use super::people::{Mailbox, Mailboxes};
use super::problems::Writing;
use super::submit::{Accepted, submit};
use crate::app::App;
use crate::body::{self, Raw, is_json, wrong_media};
use crate::caller::Caller;
use crate::http::Query;
use crate::problem::Problem;

/// For a whole message (`message/rfc822`), whose body has no place for them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Beside {
    /// A recipient, in place of those in the message's header.
    to: Option<String>,
    /// A word to find the message by.
    tag: Option<String>,
    campaign: Option<String>,
    stream: Option<Kind>,
    /// RFC 3339.
    #[param(format = DateTime)]
    send_at: Option<String>,
}

/// Hand in a message
///
/// The answer comes when the message is on disk.
#[utoipa::path(
    post,
    path = "/v1/messages",
    operation_id = "sendMessage",
    tag = "messages",
    params(Beside),
    request_body(content((Message = "application/json"), (String = "message/rfc822"))),
    responses((status = 202, description = "The message is on disk", body = Accepted), Writing),
)]
pub(crate) async fn send(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(beside): Query<Beside>,
    body: Raw,
) -> Result<(StatusCode, Answer<Accepted>), Problem> {
    caller.sends()?;
    let draft = draft(&app, beside, &body)?;
    let accepted = submit(&app, &caller, draft).await?;
    Ok((StatusCode::ACCEPTED, Answer(accepted)))
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
