//! The page by which a recipient leaves, and the one click of a mail program (RFC 8058): every message to a
//! list links to it.
//!
//! Promises: looking changes nothing, so a scanner that follows links takes nobody off a list; what leaves is
//! a POST, with the form of RFC 8058 §3.2 or the page's own button; doing it again changes nothing and says
//! so. No login, no cookie, no redirect, no script, nothing from elsewhere. A link that is not ours, is too
//! old or is of nobody is answered with one and the same page. Requests have a pace of their own, by the
//! address that they come from, so that nobody can ask for all links there might be.

mod page;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use repute_engine::bulk::PAGE;
use repute_engine::bulk::words::{BulkError, LeaveScope};
use tokio::sync::SemaphorePermit;

use self::page::Page;
use crate::app::App;
use crate::http::{Path, Peer};
use crate::{body, form};

/// Octets of a form: two short fields, in multipart too.
const FORM: usize = 16 * 1024;
/// For all of it: anybody may send one, and a program does in one go.
const FORM_WHOLE: Duration = Duration::from_secs(10);

pub(crate) fn router() -> Router<Arc<App>> {
    let page = || get(show).post(leave);
    Router::new().route(&format!("{PAGE}{{token}}"), page()).route(&format!("{PAGE}{{token}}/"), page())
}

/// Mail programs that make links of text take what stands behind one for a part of it: `TOKEN.`, `TOKEN)`.
fn token_of(named: &str) -> &str {
    named.trim_end_matches(|c: char| !c.is_ascii_alphanumeric())
}

/// The page, with a button.
async fn show(State(app): State<Arc<App>>, Path(token): Path<String>, parts: Parts) -> Response {
    let _turn = match paced(&app, &parts).and_then(|()| turn(&app)) {
        Ok(turn) => turn,
        Err(busy) => return busy,
    };
    match app.control.leave(token_of(&token)).await {
        Ok(leave) => answer(StatusCode::OK, &Page::Asks(&leave)),
        Err(error) => failed(&error),
    }
}

/// Leaves: by one click, or by the page's button.
async fn leave(State(app): State<Arc<App>>, Path(token): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(later) = paced(&app, &parts) {
        return later;
    }
    let scope = match asked(&app, &parts, body).await {
        Ok(scope) => scope,
        Err(problem) => return problem,
    };
    // Not before the form is there: whoever sends it slowly would have the turn of others.
    let _turn = match turn(&app) {
        Ok(turn) => turn,
        Err(busy) => return busy,
    };
    let Some(scope) = scope else {
        return match app.control.leave(token_of(&token)).await {
            Ok(leave) => answer(StatusCode::BAD_REQUEST, &Page::Asks(&leave)),
            Err(error) => failed(&error),
        };
    };
    match app.control.unsubscribe(token_of(&token), scope).await {
        Ok(leave) => answer(StatusCode::OK, &Page::Left(&leave, scope)),
        Err(error) => failed(&error),
    }
}

/// At the pace of the client.
fn paced(app: &App, parts: &Parts) -> Result<(), Response> {
    let client = parts.extensions.get::<Peer>().map(|peer| peer.client(&parts.headers));
    let pace = app.leaving.take(&client.map(network).unwrap_or_default(), app.limits.leaving_per_minute);
    if let Some(wait) = pace.wait {
        return Err(later(StatusCode::TOO_MANY_REQUESTS, wait));
    }
    Ok(())
}

/// A place among those that leave at once.
fn turn(app: &App) -> Result<SemaphorePermit<'_>, Response> {
    app.leaving_turns.try_acquire().map_err(|_| later(StatusCode::SERVICE_UNAVAILABLE, 5))
}

/// A client has all of its network's addresses where it is of version 6.
fn network(client: IpAddr) -> String {
    match client {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => v6.segments()[..4].iter().map(|s| format!("{s:x}:")).collect(),
    }
}

/// What the form wants to leave; `None` where it is no form of these.
async fn asked(app: &App, parts: &Parts, body: Body) -> Result<Option<LeaveScope>, Response> {
    let reading = body::read(app, parts, body, FORM);
    let read = tokio::time::timeout(FORM_WHOLE, reading).await.map_err(|_| later(StatusCode::REQUEST_TIMEOUT, 1))?;
    let (octets, _held) = read.map_err(|problem| problem.into_response())?;
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let fields = match body::media(&parts.headers) == "multipart/form-data" {
        true => form::parts(&octets, kind),
        false => form::pairs(&octets),
    };
    let fields = fields.unwrap_or_default();
    let has = |name: &str, value: &str| {
        fields.iter().any(|(n, v)| n.eq_ignore_ascii_case(name) && v.trim().eq_ignore_ascii_case(value))
    };
    // A click with one finger takes the list, whatever else the form has.
    Ok(match (has("List-Unsubscribe", "One-Click") || has("scope", "list"), has("scope", "everything")) {
        (true, _) => Some(LeaveScope::List),
        (false, true) => Some(LeaveScope::Everything),
        (false, false) => None,
    })
}

/// What is not known is one page, whatever the reason.
fn failed(error: &BulkError) -> Response {
    match error {
        BulkError::NoSuchToken | BulkError::NoSuchCampaign(_) => answer(StatusCode::NOT_FOUND, &Page::Unknown),
        BulkError::Refused(_)
        | BulkError::Conflict(_)
        | BulkError::ComingIn(_)
        | BulkError::Gap { .. }
        | BulkError::Spool(_)
        | BulkError::Rate { .. }
        | BulkError::Suppressions(_)
        | BulkError::Circuit(_) => later(StatusCode::SERVICE_UNAVAILABLE, 60),
    }
}

fn later(status: StatusCode, seconds: u64) -> Response {
    let mut response = answer(status, &Page::Later);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn answer(status: StatusCode, page: &Page<'_>) -> Response {
    let mut fields = HeaderMap::new();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    fields.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex"));
    if let Ok(policy) = HeaderValue::from_str(&page::policy()) {
        fields.insert(CONTENT_SECURITY_POLICY, policy);
    }
    (status, fields, page.html()).into_response()
}
