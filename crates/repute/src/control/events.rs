//! Questions about events and webhooks. Who follows events asks again and again; the server waits a
//! little for something to happen before it answers, for at most [`FOLLOWERS`] at once, so that
//! they never take all connections of the socket.

use std::time::Duration;

use repute_hooks::{Batch, Filter, Since, StoreError, Subscription, Type, Types};
use serde::Serialize;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::accept;
use super::server::Services;
use super::wire::EventsSince;

const FOLLOWERS: usize = 8;
/// Longer is never waited.
const LONGEST: Duration = Duration::from_secs(30);

/// Places for those that wait; one for all connections.
pub fn places() -> Semaphore {
    Semaphore::new(FOLLOWERS)
}

/// What a follower asks.
pub struct Question {
    pub since: EventsSince,
    pub account: Option<String>,
    pub types: Vec<String>,
    /// Seconds to wait for the first event.
    pub wait: u64,
}

#[derive(Default, Serialize)]
pub struct Events {
    events: Vec<serde_json::Value>,
    /// Events between what the reader had and these are no longer kept.
    gap: bool,
    /// There is more at once.
    more: bool,
    /// Where to go on: after this.
    position: String,
    /// Whether it could be waited.
    waited: bool,
}

pub async fn answer(
    services: &Services,
    question: Question,
    stop: &mut watch::Receiver<bool>,
) -> Result<Events, String> {
    let types: Result<Types, _> = match question.types.is_empty() {
        true => Ok(Types::ALL),
        false => question.types.iter().map(|name| name.parse::<Type>()).collect(),
    };
    let filter = Filter { types: types.map_err(|error| error.to_string())?, account: question.account };
    let since = match question.since {
        EventsSince::Now => Since::Now,
        EventsSince::Start => Since::Start,
        EventsSince::After(id) => Since::After(id),
        EventsSince::Time(at) => Since::Time(at),
    };
    let mut events = services.hooks.feed().subscribe(since, filter);
    let place = (question.wait > 0).then(|| services.followers.try_acquire().ok()).flatten();
    let mut answer = Events { waited: place.is_some(), ..Events::default() };
    let batch = match place {
        Some(_) => wait(&mut events, Duration::from_secs(question.wait).min(LONGEST), stop).await,
        None => events.ready().await,
    };
    if let Some(Batch { events, gap }) = batch.map_err(|error| error.to_string())? {
        answer.gap = gap;
        answer.more = true;
        answer.events = events.iter().filter_map(|event| serde_json::from_str(&event.json).ok()).collect();
    }
    answer.position = events.position().to_string();
    Ok(answer)
}

/// Until something happens, the time is over, or the server stops.
async fn wait(
    events: &mut Subscription,
    within: Duration,
    stop: &mut watch::Receiver<bool>,
) -> Result<Option<Batch>, StoreError> {
    tokio::select! {
        batch = timeout(within, events.next()) => batch.unwrap_or(Ok(None)),
        () = accept::stopped(stop) => Ok(None),
    }
}
