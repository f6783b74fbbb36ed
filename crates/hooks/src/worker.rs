//! One webhook at work: reads events, sends them, and remembers what was not taken.
//!
//! One loop, one owner of the state. A turn: write down how requests ended; read more where there
//! is room; begin what may be begun; then wait for a request to end, a new event, a time, or an
//! order. Where the store cannot be written, nothing is begun until it can.

mod call;
mod settle;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use repute_types::event::EventSink;
use repute_types::{Random, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::caller::{Answer, Caller, Pool};
use crate::feed::Feed;
use crate::health::{Health, Moment};
use crate::outbox::{Outbox, Parcel};
use crate::store::{Kept, State, StoreError, Update, Wanted};
use crate::webhook::Webhook;
use crate::wire::EventId;

pub(crate) use self::call::call;

/// Events in memory that wait to be sent.
const WINDOW: usize = 1000;
/// Events looked at in one read of the store.
const PAGE: usize = 500;
/// Events that may wait in the store; beyond it no new ones are read until some are done.
pub(crate) const WAITING: usize = 100_000;
/// Between two tries where the store refuses.
const RETRY: Duration = Duration::from_secs(1);
/// For requests under way when the server stops; what did not end is sent again after the start.
const LAST: Duration = Duration::from_secs(2);
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

pub(crate) enum Order {
    Pause,
    /// Also from being disabled.
    Resume,
    Configure(Arc<Webhook>),
    Redeliver(Wanted, oneshot::Sender<Result<usize, StoreError>>),
}

/// A request that has ended.
struct Landed {
    parcel: Parcel,
    began: Moment,
    answer: Answer,
}

/// What is shown of a webhook at work.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    pub rest_until: Option<Timestamp>,
    pub next_due: Option<Timestamp>,
    pub under_way: usize,
    pub waiting: usize,
}

pub(crate) struct Worker {
    pub feed: Arc<Feed>,
    pub caller: Arc<Caller>,
    pub random: Arc<dyn Random>,
    pub tell: Arc<dyn EventSink>,
    pub webhook: Arc<Webhook>,
    kept: Kept,
    health: Health,
    outbox: Outbox,
    flight: JoinSet<Landed>,
    landed: Vec<Landed>,
    /// What is not written down yet.
    update: Option<Update>,
    pool: Arc<Pool>,
    next_due: Option<Timestamp>,
    losses: u64,
    shown: Arc<Mutex<(Kept, View)>>,
}

/// What every webhook is given.
#[derive(Clone)]
pub(crate) struct Tools {
    pub feed: Arc<Feed>,
    pub caller: Arc<Caller>,
    pub random: Arc<dyn Random>,
    pub tell: Arc<dyn EventSink>,
}

impl Worker {
    /// Takes up where the last start ended.
    pub async fn open(tools: Tools, webhook: Arc<Webhook>) -> Result<Worker, StoreError> {
        let Tools { feed, caller, random, tell } = tools;
        let (name, url, filter) = (webhook.name.clone(), webhook.target.to_string(), webhook.filter());
        let (kept, chains, updated) = feed
            .ask(move |store| {
                let kept = store.webhook(&name, &url, filter)?;
                let chains = store.waiting_chains(kept.key)?;
                let updated = store.updated(kept.key)?;
                Ok((kept, chains, updated))
            })
            .await?;
        Ok(Worker {
            health: Health::kept(kept.failures, kept.since, kept.failing, caller.clock.now()),
            outbox: Outbox::new(kept.done_to, chains),
            flight: JoinSet::new(),
            landed: Vec::new(),
            update: None,
            pool: Arc::default(),
            next_due: updated.next_due,
            losses: updated.losses,
            shown: Arc::new(Mutex::new((kept.clone(), View::default()))),
            kept,
            feed,
            caller,
            random,
            tell,
            webhook,
        })
    }

    pub fn shown(&self) -> Arc<Mutex<(Kept, View)>> {
        self.shown.clone()
    }

    /// Works until the orders end.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut newest = self.feed.newest();
        loop {
            let ready = self.turn(&mut newest).await;
            self.show();
            let wakes_in = match ready {
                Ok(()) => self.wakes_in(),
                Err(StoreError::Closed) => return,
                Err(_) => RETRY,
            };
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => return self.leave().await,
                },
                Some(ended) = self.flight.join_next() => self.landed.extend(ended.ok()),
                Ok(()) = newest.changed(), if self.reads() => {}
                () = sleep(wakes_in) => {}
            }
            while let Some(ended) = self.flight.try_join_next() {
                self.landed.extend(ended.ok());
            }
        }
    }

    async fn turn(&mut self, newest: &mut watch::Receiver<EventId>) -> Result<(), StoreError> {
        self.settle();
        self.write_down().await?;
        self.read(newest).await?;
        if self.kept.state == State::Active {
            self.begin().await?;
        }
        Ok(())
    }

    fn reads(&self) -> bool {
        self.kept.state == State::Active && self.outbox.ready() < WINDOW / 2 && self.outbox.waiting() < WAITING
    }

    /// Reads what is new into the outbox, as far as there is room.
    async fn read(&mut self, newest: &mut watch::Receiver<EventId>) -> Result<(), StoreError> {
        let up_to = *newest.borrow_and_update();
        while self.reads() && self.outbox.read_to() < up_to {
            let (after, filter) = (self.outbox.read_to(), self.webhook.filter());
            let (page, to) = self.feed.ask(move |store| store.page(after, &filter, PAGE)).await?;
            if to == after {
                break;
            }
            let behind = self.outbox.read(page, to);
            self.put_behind(behind);
            self.write_down().await?;
        }
        Ok(())
    }

    /// Begins as many requests as the receiver's health allows: first what waits and is due.
    async fn begin(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        let most = self.health.allows(now, self.webhook.connections);
        if self.flight.len() < most && self.next_due.is_some_and(|due| due <= now) {
            let (key, limit) = (self.kept.key, most + self.flight.len());
            for parcel in self.feed.ask(move |store| store.due(key, now, limit)).await? {
                // One that is under way is still due in the store; its chains are busy.
                if self.flight.len() < most && self.outbox.begin(&parcel) {
                    self.send(parcel);
                }
            }
        }
        while self.flight.len() < most {
            let Some(parcel) = self.outbox.next(self.webhook.batch, self.webhook.batch_wait, now) else { break };
            self.send(parcel);
        }
        Ok(())
    }

    fn send(&mut self, parcel: Parcel) {
        let (caller, webhook, pool) = (self.caller.clone(), self.webhook.clone(), self.pool.clone());
        let began = self.health.moment();
        self.flight.spawn(async move {
            let answer = caller.call(&webhook, &pool, &call(&webhook, &parcel)).await;
            Landed { parcel, began, answer }
        });
    }

    /// Until something may be begun that may not now; what waits for a request to end is woken by that.
    fn wakes_in(&self) -> Duration {
        let now = self.now();
        let times = [self.health.rests_until(), self.next_due, self.outbox.next_at(self.webhook.batch_wait)];
        let active = self.kept.state == State::Active;
        let next = times.into_iter().flatten().filter(|at| active && *at > now).min();
        next.map_or(LONGEST_SLEEP, |at| at.since(now).min(LONGEST_SLEEP))
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Pause if self.kept.state == State::Active => {
                self.kept.state = State::Paused;
                self.kept.reason = "paused by an operator".to_owned();
                self.changed();
            }
            Order::Pause => {}
            Order::Resume => self.resume(),
            Order::Configure(webhook) => self.configure(webhook).await,
            Order::Redeliver(wanted, reply) => {
                // Who asked may have gone.
                let _ = reply.send(self.redeliver(wanted).await);
            }
        }
    }

    async fn configure(&mut self, webhook: Arc<Webhook>) {
        self.pool.clear();
        self.webhook = webhook;
        let (name, url, filter) = (self.webhook.name.clone(), self.webhook.target.to_string(), self.webhook.filter());
        // Where the URL is another now, it begins healthy.
        if let Ok(kept) = self.feed.ask(move |store| store.webhook(&name, &url, filter)).await
            && kept.state != self.kept.state
        {
            self.resume();
        }
    }

    /// Puts events in wait again that were done; those under way end first, so that none is
    /// overtaken.
    async fn redeliver(&mut self, wanted: Wanted) -> Result<usize, StoreError> {
        while let Some(ended) = self.flight.join_next().await {
            self.landed.extend(ended.ok());
        }
        self.settle();
        self.write_down().await?;
        let (kept, now) = (self.kept.clone(), self.now());
        let room = WAITING.saturating_sub(self.outbox.waiting());
        let count = self.feed.ask(move |store| store.redeliver(&kept, &wanted, room, now)).await?;
        self.look_again().await?;
        Ok(count)
    }

    /// The store's word on what waits, where it may have changed by another hand.
    async fn look_again(&mut self) -> Result<(), StoreError> {
        let key = self.kept.key;
        let (chains, updated, lost) =
            self.feed.ask(move |store| Ok((store.waiting_chains(key)?, store.updated(key)?, store.lost(key)?))).await?;
        self.kept.counts.lost = lost;
        self.losses = updated.losses;
        self.next_due = updated.next_due;
        let behind = self.outbox.know(chains);
        self.put_behind(behind);
        Ok(())
    }

    /// The end: what is under way gets a moment.
    async fn leave(mut self) {
        let _ = timeout(LAST, async {
            while let Some(ended) = self.flight.join_next().await {
                self.landed.extend(ended.ok());
            }
        })
        .await;
        self.settle();
        // What cannot be written now is sent again after the start.
        let _ = self.write_down().await;
    }

    fn now(&self) -> Timestamp {
        self.caller.clock.now()
    }

    fn show(&self) {
        let view = View {
            rest_until: self.health.rests_until().filter(|until| *until > self.now()),
            next_due: self.next_due,
            under_way: self.flight.len(),
            waiting: self.outbox.waiting(),
        };
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = (self.kept.clone(), view);
    }
}
