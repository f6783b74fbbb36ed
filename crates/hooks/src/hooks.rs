//! The webhooks together: started, changed, asked and told by an operator. The same operations for
//! the command line and for every other face; answers serialise to JSON.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use repute_ledger::Incident;
use repute_types::event::EventSink;
use repute_types::{MessageId, Random, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::caller::{Answer, Call, Caller, Pool};
use crate::feed::Feed;
use crate::incident;
use crate::store::{Kept, State, StoreError, Wanted};
use crate::webhook::Webhook;
use crate::wire::{self, EventId, Type};
use crate::worker::{Order, Tools, View, Worker};

/// Orders that may wait for one webhook.
const ORDERS: usize = 16;
/// Events that a webhook has not come to yet are counted up to here.
const COUNTED: usize = 100_000;

#[derive(Debug, thiserror::Error)]
pub enum HooksError {
    #[error("there is no webhook {0:?}: `repute webhook list` names them")]
    NoSuch(String),
    #[error("say which events: their ids, --message, or --since")]
    NothingSelected,
    #[error("say which events in one way: ids, or --message, or --since with --until")]
    Contradictory,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which events are to be sent again; one of the three ways.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    pub events: Vec<EventId>,
    pub message: Option<MessageId>,
    pub since: Option<Timestamp>,
    /// With `since`; without it, until now.
    pub until: Option<Timestamp>,
}

impl Selection {
    fn wanted(self) -> Result<Wanted, HooksError> {
        let Selection { events, message, since, until } = self;
        let ways = usize::from(!events.is_empty()) + usize::from(message.is_some()) + usize::from(since.is_some());
        match (ways, since) {
            (0, _) => Err(HooksError::NothingSelected),
            (2.., _) => Err(HooksError::Contradictory),
            (_, Some(since)) => Ok(Wanted::Span(since, until.unwrap_or(Timestamp(i64::MAX)))),
            _ if until.is_some() => Err(HooksError::NothingSelected),
            _ => Ok(message.map_or(Wanted::Events(events), |message| Wanted::Chain(wire::chain_of(message)))),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Redelivered {
    /// Events that are sent again now, in the order in which they happened.
    pub events: usize,
}

/// What a test request came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tried {
    pub taken: bool,
    pub status: Option<u16>,
    pub text: String,
    pub milliseconds: u64,
}

/// A webhook as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    pub name: String,
    pub url: String,
    /// `active`, `paused`, `disabled`.
    pub state: &'static str,
    /// Why it is not active.
    pub reason: String,
    /// The types of events that it gets.
    pub events: Vec<&'static str>,
    pub account: Option<String>,
    pub batch: usize,
    /// Events that happened and that it has not come to yet, counted up to 100,000.
    pub behind: usize,
    /// Events that were refused, or stand behind such a one.
    pub waiting: usize,
    /// Requests.
    pub under_way: usize,
    pub next_attempt: Option<Timestamp>,
    /// The receiver fails, and is left alone until then.
    pub rest_until: Option<Timestamp>,
    pub failures_in_a_row: u32,
    pub failing_since: Option<Timestamp>,
    pub taken: u64,
    pub given_up: u64,
    pub lost: u64,
    pub last_taken: Option<Timestamp>,
    pub last_failed: Option<Timestamp>,
    pub last_failure: String,
}

struct Running {
    webhook: Arc<Webhook>,
    orders: mpsc::Sender<Order>,
    shown: Arc<Mutex<(Kept, View)>>,
    task: JoinHandle<()>,
}

/// All webhooks of a server. Requests are made on `runtime`, so that they share no thread with mail
/// where that is one of its own.
pub struct Hooks {
    tools: Tools,
    runtime: Handle,
    running: Mutex<HashMap<String, Running>>,
}

impl Hooks {
    pub fn new(
        feed: Arc<Feed>,
        caller: Arc<Caller>,
        random: Arc<dyn Random>,
        tell: Arc<dyn EventSink>,
        runtime: Handle,
    ) -> Hooks {
        Hooks { tools: Tools { feed, caller, random, tell }, runtime, running: Mutex::default() }
    }

    /// The stream that the webhooks read.
    pub fn feed(&self) -> &Arc<Feed> {
        &self.tools.feed
    }

    /// From now on these are the webhooks. A new one begins with the next event; one that goes and
    /// comes back goes on where it was.
    pub async fn configure(&self, webhooks: Vec<Webhook>) -> Result<(), StoreError> {
        self.end_others(&webhooks).await?;
        for webhook in webhooks.into_iter().map(Arc::new) {
            let known = self.running().get(&webhook.name).map(|r| (r.orders.clone(), r.webhook.clone()));
            match known {
                Some((_, as_it_is)) if as_it_is == webhook => {}
                Some((orders, _)) => {
                    // A worker that ended takes no orders: the server is stopping.
                    let _ = orders.send(Order::Configure(webhook.clone())).await;
                    if let Some(running) = self.running().get_mut(&webhook.name) {
                        running.webhook = webhook;
                    }
                }
                None => self.start(webhook).await?,
            }
        }
        Ok(())
    }

    async fn start(&self, webhook: Arc<Webhook>) -> Result<(), StoreError> {
        let worker = Worker::open(self.tools.clone(), webhook.clone()).await?;
        let (orders, taken) = mpsc::channel(ORDERS);
        let shown = worker.shown();
        let task = self.runtime.spawn(worker.run(taken));
        self.running().insert(webhook.name.clone(), Running { webhook, orders, shown, task });
        Ok(())
    }

    async fn end_others(&self, webhooks: &[Webhook]) -> Result<(), StoreError> {
        let gone: Vec<Running> = {
            let mut running = self.running();
            let names: Vec<String> =
                running.keys().filter(|name| webhooks.iter().all(|w| w.name != **name)).cloned().collect();
            names.iter().filter_map(|name| running.remove(name)).collect()
        };
        for Running { orders, shown, task, .. } in gone {
            drop(orders);
            let _ = task.await;
            let key = shown.lock().unwrap_or_else(PoisonError::into_inner).0.key;
            let forget = move |store: &mut crate::store::Store| {
                store.forget_reader(key);
                Ok(())
            };
            self.tools.feed.ask(forget).await?;
        }
        Ok(())
    }

    /// Ends in order: requests under way get two seconds, how far each webhook came is written
    /// down. The feed is closed after this.
    pub async fn stop(&self) {
        let all: Vec<Running> = std::mem::take(&mut *self.running()).into_values().collect();
        let tasks: Vec<JoinHandle<()>> = all.into_iter().map(|running| running.task).collect();
        for task in tasks {
            let _ = task.await;
        }
    }

    /// In the order of their names.
    pub async fn list(&self) -> Result<Vec<Shown>, HooksError> {
        let mut names: Vec<String> = self.running().keys().cloned().collect();
        names.sort();
        let mut list = Vec::new();
        for name in names {
            list.push(self.show(&name).await?);
        }
        Ok(list)
    }

    /// What is open: webhooks that were disabled.
    pub fn incidents(&self) -> Vec<Incident> {
        let running = self.running();
        let open = |one: &Running| {
            let shown = one.shown.lock().unwrap_or_else(PoisonError::into_inner);
            incident::open(&one.webhook, &shown.0)
        };
        running.values().filter_map(open).collect()
    }

    pub async fn show(&self, name: &str) -> Result<Shown, HooksError> {
        let (webhook, (kept, view)) = {
            let running = self.running();
            let running = running.get(name).ok_or_else(|| HooksError::NoSuch(name.to_owned()))?;
            (running.webhook.clone(), running.shown.lock().unwrap_or_else(PoisonError::into_inner).clone())
        };
        let (key, done_to, filter) = (kept.key, kept.done_to, webhook.filter());
        let (behind, lost) =
            self.tools.feed.ask(move |store| Ok((store.count(done_to, &filter, COUNTED)?, store.lost(key)?))).await?;
        Ok(shown(&webhook, kept, &view, behind, lost))
    }

    /// One request with an event of its own, now, whatever the state is. Nothing is kept of it.
    pub async fn test(&self, name: &str) -> Result<Tried, HooksError> {
        let webhook = self.webhook(name)?;
        let (caller, id) = (self.tools.caller.clone(), self.tools.feed.new_id());
        let body = wire::test_event(id, caller.clock.now(), name);
        let call = Call { id: id.to_string(), body: bytes::Bytes::copy_from_slice(body.as_bytes()) };
        let began = Instant::now();
        let answer = self.runtime.spawn(async move { caller.call(&webhook, &Pool::default(), &call).await });
        let answer = answer.await.map_err(|_| StoreError::Closed)?;
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (taken, status, text) = match answer {
            Answer::Taken(status) => (true, Some(status), format!("it answered {status}")),
            Answer::Gone => {
                (false, Some(410), "it answered 410 Gone: at the next event the webhook is disabled".to_owned())
            }
            Answer::Failed { status, text, .. } => (false, status, text),
        };
        Ok(Tried { taken, status, text, milliseconds })
    }

    /// Nothing is sent until it is resumed; events are kept within the bounds of the store.
    pub async fn pause(&self, name: &str) -> Result<(), HooksError> {
        self.order(name, Order::Pause).await
    }

    /// Goes on where it was, also after it was disabled.
    pub async fn resume(&self, name: &str) -> Result<(), HooksError> {
        self.order(name, Order::Resume).await
    }

    /// Sends events again that were done before, under the ids that they had.
    pub async fn redeliver(&self, name: &str, selection: Selection) -> Result<Redelivered, HooksError> {
        let wanted = selection.wanted()?;
        let (reply, replied) = oneshot::channel();
        self.order(name, Order::Redeliver(wanted, reply)).await?;
        let events = replied.await.unwrap_or(Err(StoreError::Closed))?;
        Ok(Redelivered { events })
    }

    async fn order(&self, name: &str, order: Order) -> Result<(), HooksError> {
        let orders = self.running().get(name).map(|running| running.orders.clone());
        let orders = orders.ok_or_else(|| HooksError::NoSuch(name.to_owned()))?;
        orders.send(order).await.map_err(|_| StoreError::Closed.into())
    }

    fn webhook(&self, name: &str) -> Result<Arc<Webhook>, HooksError> {
        let running = self.running();
        running.get(name).map(|running| running.webhook.clone()).ok_or_else(|| HooksError::NoSuch(name.to_owned()))
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shown(webhook: &Webhook, kept: Kept, view: &View, behind: usize, lost: u64) -> Shown {
    let active = kept.state == State::Active;
    Shown {
        name: webhook.name.clone(),
        url: webhook.target.to_string(),
        state: kept.state.as_str(),
        reason: kept.reason,
        events: Type::ALL.into_iter().filter(|kind| webhook.types.has(*kind)).map(Type::as_str).collect(),
        account: webhook.account.clone(),
        batch: webhook.batch,
        behind,
        waiting: view.waiting,
        under_way: view.under_way,
        next_attempt: view.next_due.filter(|_| active),
        rest_until: view.rest_until.filter(|_| active),
        failures_in_a_row: kept.failures,
        failing_since: kept.since,
        taken: kept.counts.taken,
        given_up: kept.counts.given_up,
        lost,
        last_taken: kept.last_taken,
        last_failed: kept.last_failed,
        last_failure: kept.last_failure,
    }
}
