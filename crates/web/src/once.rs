//! Requests with an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): carried out once,
//! answered as often as they are asked.
//!
//! The work goes on where the client goes away, so that there is an answer when it comes back. A
//! request of which nothing was accepted leaves its key free.

use std::sync::Arc;

use aws_lc_rs::digest;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use repute_engine::Request;
use repute_engine::once::{Begun, Place, Turn};

use crate::app::App;
use crate::caller::Caller;
use crate::problem::{self, Problem};
use crate::v1::batch::{Drafts, Results, hand_in};

const LONGEST: usize = 255;
/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// An answer of one of the operations that take messages, and whether anything was accepted.
pub(crate) struct Said {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub accepted: bool,
}

impl Said {
    pub fn refused(problem: &Problem) -> Said {
        let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Said { status, headers: problem.headers().clone(), body: problem.body(), accepted: false }
    }
}

/// How results become an answer.
pub(crate) type Say = fn(Results) -> Said;

/// What is asked, and how it is answered.
pub(crate) struct Asked<'a> {
    /// The path: the same key may be used at another.
    pub path: &'static str,
    pub headers: &'a HeaderMap,
    /// All that the request asks, beside its path.
    pub octets: &'a [&'a [u8]],
    pub say: Say,
}

/// Hands the drafts in, once where the request has a key.
pub(crate) async fn answer(
    app: &Arc<App>,
    caller: Caller,
    asked: Asked<'_>,
    drafts: Drafts,
) -> Result<Response, Problem> {
    let Some(key) = key(asked.headers)? else {
        return Ok(response((asked.say)(hand_in(app.clone(), caller, drafts, None).await)));
    };
    let account = caller.account().unwrap_or_default().to_owned();
    let request = Request { account, key: format!("{} {key}", asked.path), digest: digest_of(&asked) };
    let turn = match app.control.once(request).await? {
        Begun::Turn(turn) => turn,
        Begun::Answered { status, body } => {
            let mut response = json(StatusCode::from_u16(status).unwrap_or(StatusCode::OK), body);
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            return Ok(response);
        }
        Begun::Running => {
            let detail = "a request with this Idempotency-Key is being answered: ask again in a second";
            return Err(Problem::new(problem::RUNNING, detail).retry_after(1));
        }
        Begun::Another => {
            let detail = "this Idempotency-Key was used for another request: make a new key for a new request";
            return Err(Problem::new(problem::KEY_REUSED, detail));
        }
    };
    let (app, say) = (app.clone(), asked.say);
    // A task of its own: the client may go away, and comes back with the same key.
    let working = tokio::spawn(carry_out(app, caller, turn, drafts, say));
    working.await.unwrap_or_else(|_| Err(Problem::new(problem::INTERNAL, "the server made a mistake: see its log")))
}

async fn carry_out(app: Arc<App>, caller: Caller, turn: Turn, drafts: Drafts, say: Say) -> Result<Response, Problem> {
    let places: Vec<Place> = turn.places(drafts.len()).await?;
    let said = say(hand_in(app, caller, drafts, Some(places)).await);
    // Where the store cannot be written, the answer is found again from the messages.
    let _ = match said.accepted {
        true => turn.answer(said.status.as_u16(), said.body.clone()).await,
        false => turn.release().await,
    };
    Ok(response(said))
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let wrong = || {
        let detail = format!("the Idempotency-Key has to be 1 to {LONGEST} visible ASCII characters, such as a UUID");
        Problem::new(problem::MALFORMED, detail)
    };
    let key = value.to_str().map_err(|_| wrong())?.trim().trim_matches('"');
    match (1..=LONGEST).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) {
        true => Ok(Some(key.to_owned())),
        false => Err(wrong()),
    }
}

/// Each piece with its length, so that no two requests look the same.
fn digest_of(asked: &Asked<'_>) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for piece in asked.octets {
        context.update(&(piece.len() as u64).to_be_bytes());
        context.update(piece);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

fn response(said: Said) -> Response {
    let mut response = json(said.status, said.body);
    response.headers_mut().extend(said.headers);
    if said.status.is_client_error() || said.status.is_server_error() {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(problem::MEDIA));
    }
    response
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
