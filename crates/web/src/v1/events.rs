//! What happens, as a stream of server-sent events (the HTML standard, §9.2) that can be taken up where it was
//! left.
//!
//! Promises: an event is made when the one before it has gone out, so that a slow reader costs one batch of
//! memory and no more; one that does not read for `Limits::write` is cut off, and goes on later with
//! `Last-Event-ID`. What is no longer kept is told as a `gap`, never passed over. A stream ends when the server
//! stops, and when its token is taken away. Whoever follows many streams at once leaves room for others.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use hyper::body::Frame;
use repute_hooks::{Batch, EventId, Filter, Since, Subscription, Type, Types};
use repute_types::Timestamp;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::timeout;
use utoipa::IntoParams;

use super::problems::Reading;
use crate::app::App;
use crate::caller::Caller;
use crate::http::{Query, Stopping};
use crate::problem::{self, Problem};
use crate::rights::{By, Reads};
use crate::settings::Action;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Where to begin: `now` (where nothing is said), `start` (as far back as is kept), a time, or the id of an
    /// event, after which it goes on. The field `Last-Event-ID` goes before it.
    #[param(
        pattern = r"^(now|start|evt_[0-9a-f][0-9a-hjkmnp-tv-z]{12}|20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)$"
    )]
    since: Option<String>,
    /// Only these types, with commas between them: `delivered,bounced`.
    types: Option<String>,
    /// Only of this account; for a token without one.
    account: Option<String>,
}

/// Follow what happens
///
/// Server-sent events: `id` for `Last-Event-ID`, `event` is the type, `data` the event as docs/events.md has it. Lines
/// without data keep the connection and say how far the reader has come. An event `gap` says that events between
/// are no longer kept. Of the token's account alone, where it has one.
#[utoipa::path(get, path = "/v1/events", operation_id = "followEvents", tag = "events",
    params(Wanted, ("Last-Event-ID" = Option<String>, Header, pattern = r"^(evt_[0-9a-f][0-9a-hjkmnp-tv-z]{12})?$",
        description = "The id of the last event that the reader had; what is none is refused with 400. Empty, it is not given")),
    responses((status = 200, description = "Events as they happen", body = String, content_type = "text/event-stream"), Reading))]
pub(crate) async fn follow(
    State(app): State<Arc<App>>,
    caller: By<Reads>,
    Query(wanted): Query<Wanted>,
    parts: Parts,
) -> Result<Response, Problem> {
    let since = begin(&parts, wanted.since.as_deref())?;
    let filter = filter(&caller, wanted)?;
    let place = app.followers.enter(&caller.token.name, &app)?;
    let Some(Stopping(stop)) = parts.extensions.get::<Stopping>().cloned() else {
        return Err(Problem::unavailable("the server is stopping: ask again in a moment"));
    };
    let events = app.hooks.feed().subscribe(since, filter);
    let follower = Follower { events, app, caller: caller.0, stop, begun: false, _place: place };
    let fields = [
        (CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        // nginx: what comes is passed on as it comes.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((fields, Body::new(Stream(Some(Box::pin(follower.next()))))).into_response())
}

fn begin(parts: &Parts, since: Option<&str>) -> Result<Since, Problem> {
    let wrong = |name: &str, cure: &str| Problem::new(problem::MALFORMED, format!("{name}: {cure}"));
    let last = parts.headers.get("last-event-id").map(|v| v.to_str().unwrap_or("?").trim()).filter(|v| !v.is_empty());
    if let Some(last) = last {
        let id = last.parse::<EventId>().map_err(|error| wrong("Last-Event-ID", &error.to_string()))?;
        return Ok(Since::After(id));
    }
    match since {
        None | Some("now") => Ok(Since::Now),
        Some("start") => Ok(Since::Start),
        Some(text) => {
            let time = || text.parse::<Timestamp>().map(Since::Time);
            let cure = "write `now`, `start`, the id of an event, or a time: 2026-11-24T08:00:00Z";
            text.parse::<EventId>().map(Since::After).or_else(|_| time()).map_err(|_| wrong("since", cure))
        }
    }
}

fn filter(caller: &Caller, wanted: Wanted) -> Result<Filter, Problem> {
    let wrong = |text: String| Problem::new(problem::MALFORMED, text);
    let types: Types = match &wanted.types {
        None => Types::ALL,
        Some(names) => {
            let types = names.split(',').map(|name| name.trim().parse::<Type>()).collect::<Result<_, _>>();
            types.map_err(|error| wrong(format!("types: {error}")))?
        }
    };
    let account = match (caller.account(), wanted.account) {
        (Some(mine), Some(other)) if mine != other => {
            let detail = format!("the token sees the account {mine} alone: leave `account` out");
            return Err(Problem::new(problem::NOT_ALLOWED, detail));
        }
        (Some(mine), _) => Some(mine.to_owned()),
        (None, wanted) => wanted,
    };
    Ok(Filter { types, account })
}

/// Who follows now: bounded for each token and in all.
#[derive(Default)]
pub(crate) struct Followers(Arc<Mutex<HashMap<String, usize>>>);

impl Followers {
    fn enter(&self, token: &str, app: &App) -> Result<Place, Problem> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = places.values().sum();
        let mine = places.get(token).copied().unwrap_or_default();
        if mine >= app.limits.streams_per_token {
            let detail = format!("this token follows {mine} streams already: close one of them");
            return Err(Problem::new(problem::TOO_MANY, detail).retry_after(10));
        }
        if all >= app.limits.streams {
            return Err(Problem::unavailable("too many streams are followed at once: ask again in a moment"));
        }
        places.insert(token.to_owned(), mine + 1);
        Ok(Place { places: self.0.clone(), token: token.to_owned() })
    }
}

/// Given back when the stream ends, however it ends.
struct Place {
    places: Arc<Mutex<HashMap<String, usize>>>,
    token: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        match places.get_mut(&self.token) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(places.remove(&self.token)),
        }
    }
}

struct Follower {
    events: Subscription,
    app: Arc<App>,
    caller: Caller,
    stop: watch::Receiver<bool>,
    begun: bool,
    _place: Place,
}

/// How long a reader waits before it connects again; in milliseconds.
const RETRY: Duration = Duration::from_secs(3);

impl Follower {
    /// What goes out next; `None` ends the stream, and the reader comes back.
    async fn next(mut self) -> Option<(Bytes, Follower)> {
        if !std::mem::replace(&mut self.begun, true) {
            let text = format!("retry: {}\nid: {}\n\n", RETRY.as_millis(), self.events.position());
            return Some((text.into(), self));
        }
        if !self.may_go_on() {
            return None;
        }
        let batch = tokio::select! {
            biased;
            _ = self.stop.wait_for(|stop| *stop) => return None,
            batch = timeout(self.app.limits.heartbeat, self.events.next()) => batch,
        };
        let text = match batch {
            Ok(Ok(Some(batch))) => written(&batch),
            // Up to here the reader has everything that it wants, whatever else has happened.
            Err(_) => format!(": still here\nid: {}\n\n", self.events.position()),
            Ok(Ok(None) | Err(_)) => return None,
        };
        Some((text.into(), self))
    }

    /// Whether the token is still one that may read.
    fn may_go_on(&self) -> bool {
        let is_it = |token: &Arc<crate::settings::Token>| {
            token.actions.contains(&Action::Read)
                && token.account.as_ref().map(|a| &a.name) == self.caller.token.account.as_ref().map(|a| &a.name)
        };
        self.app.settings().tokens.hashed(&self.caller.token.hash).is_some_and(is_it)
    }
}

fn written(batch: &Batch) -> String {
    let mut text = String::new();
    if batch.gap {
        text += "event: gap\ndata: {\"detail\":\"events between the last one and these are no longer kept\"}\n\n";
    }
    for event in &batch.events {
        // The form is JSON without line ends: one line of data.
        text += &format!("id: {}\nevent: {}\ndata: {}\n\n", event.id, event.kind.as_str(), event.json);
    }
    text
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Follower)>> + Send>>;

/// A body that is made piece by piece, each when the one before it has gone out.
struct Stream(Option<Next>);

impl hyper::body::Body for Stream {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(next) = self.0.as_mut() else { return Poll::Ready(None) };
        let made = ready!(next.as_mut().poll(cx));
        let (piece, rest) = match made {
            Some((piece, follower)) => (Some(Ok(Frame::data(piece))), Some(Box::pin(follower.next()) as Next)),
            None => (None, None),
        };
        self.0 = rest;
        Poll::Ready(piece)
    }
}
