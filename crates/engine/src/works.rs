//! What the parts of the works share, and the one way to touch the queue.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use repute_delivery::{Egress, Route};
use repute_dns::Resolver;
use repute_feedback::Tokens;
use repute_ledger::Circuits as CircuitStore;
use repute_ledger::WarmUps as WarmUpStore;
use repute_ledger::requests::Requests;
use repute_ledger::{History, LedgerError, Reports, Returned, Suppressions, TlsSessions};
use repute_net::Network;
use repute_queue::{LaneId, LaneSettings, Queue};
use repute_spool::{Change, Hold, MessageMeta, PartRecord, PartState, Refusal, Settlement, Spool};
use repute_types::event::{EventSink, Level};
use repute_types::id::IdSource;
use repute_types::{Clock, Event, EventKind, Map, Random, Timestamp};
use tokio::sync::{Notify, watch};

use crate::accounts::Accounts;
use crate::age::Awake;
use crate::allowance::Allowances;
use crate::bulk::Bulk;
use crate::circuit::Circuits;
use crate::config::Settings;
use crate::disk::Disk;
use crate::fresh::Fresh;
use crate::once::Running;
use crate::outgoing::Outgoing;
use crate::pace;
use crate::permit::TrustDoors;
use crate::permit::board::Board;
use crate::permit::gate::Gate;
use crate::permit::way::Way;
use crate::refill::Loading;
use crate::refused::Refused;
use crate::returned::Reader;
use crate::suppress::Learnt;
use crate::unwelcome::Unwelcome;
use crate::warm_up::WarmUps;

/// How long a question waits for what was told last to be in the history.
pub(crate) const HISTORY_PATIENCE: Duration = Duration::from_secs(2);
/// Settlements that may wait for the disk before no more attempts are begun.
const UNSETTLED_MOST: usize = 10_000;
/// The same on a disk that fails: whoever mends it starts the machine anew, and what was not on it then goes twice.
const UNSETTLED_MOST_FAILING: usize = 100;

/// The doors to the world, handed in by whoever starts the works: real ones by the program,
/// fakes by a test.
pub struct Doors {
    pub spool: Arc<dyn Spool>,
    pub resolver: Arc<dyn Resolver>,
    pub network: Arc<dyn Network>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    /// Log and history and whatever else reads what happens.
    pub events: Arc<dyn EventSink>,
    /// For questions; `None` where a test keeps no history.
    pub history: Option<Arc<History>>,
    /// Where mail to our return paths is kept; `None` refuses it.
    pub returned: Option<Arc<Returned>>,
    /// Where DMARC and TLS reports are kept; `None` keeps them as they came.
    pub reports: Option<Arc<Reports>>,
    /// Who is not written to; `None` asks nobody.
    pub suppressions: Option<Arc<Suppressions>>,
    /// Requests that are carried out once; `None` refuses their keys.
    pub requests: Option<Arc<Requests>>,
    /// Where counts and open circuits survive a restart; `None` forgets them.
    pub circuits: Option<Arc<CircuitStore>>,
    /// Where sessions are counted for reports on TLS; `None` sends none.
    pub tls_sessions: Option<Arc<TlsSessions>>,
    /// Where it survives a restart how far addresses have come that warm up; `None` forgets it.
    pub warm_ups: Option<Arc<WarmUpStore>>,
    /// Makes and knows the addresses and links by which things come back.
    pub tokens: Arc<Tokens>,
    /// For permits and the watch; without it everything may leave.
    pub trust: Option<TrustDoors>,
}

/// One site from one egress, as the sessions to it see it.
pub(crate) struct LaneWork {
    route: Mutex<Arc<Route>>,
    pub egress: Arc<Egress>,
    pub way: Way,
    /// Wakes the idle session of the lane that had work last.
    pub work: Notify,
    /// Connections that are open or being opened.
    pub connected: AtomicUsize,
    /// Why no session could be had when one was last wanted in vain, for those who ask what waits behind it.
    trouble: Mutex<Option<String>>,
}

impl LaneWork {
    pub fn new(route: Arc<Route>, egress: Arc<Egress>, way: Way) -> LaneWork {
        LaneWork {
            route: Mutex::new(route),
            egress,
            way,
            work: Notify::new(),
            connected: AtomicUsize::new(0),
            trouble: Mutex::default(),
        }
    }

    pub fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    pub fn set_trouble(&self, why: String) {
        *lock(&self.trouble) = Some(why);
    }

    pub fn route(&self) -> Arc<Route> {
        lock(&self.route).clone()
    }

    fn set_route(&self, route: Arc<Route>) {
        *lock(&self.route) = route;
    }
}

pub(crate) struct Works {
    pub doors: Doors,
    /// The start, where mail was there before: when some of it was sent last is not known.
    pub goes_on_since: Timestamp,
    settings: RwLock<Arc<Settings>>,
    pub accounts: Accounts,
    pub gate: Gate,
    pub board: Board,
    queue: Mutex<Queue>,
    lanes: Mutex<Map<LaneId, Arc<LaneWork>>>,
    fresh: Mutex<Fresh>,
    pub outgoing: Outgoing,
    pub ids: IdSource,
    pub running: Running,
    /// Who is to be suppressed, on the way to the list.
    pub learnt: Learnt,
    /// Who reads what came back.
    pub reader: Reader,
    pub circuits: Circuits,
    pub warm_ups: WarmUps,
    /// Receivers that refuse our addresses or domains.
    pub refused: Refused,
    /// What of ours they do not take mail from.
    pub unwelcome: Unwelcome,
    pub allowances: Allowances,
    pub bulk: Bulk,
    pub disk: Disk,
    /// How much of what was there before is in the queue.
    pub loading: watch::Sender<Loading>,
    /// Wakes the dispatch loop.
    pub news: Notify,
    /// When the dispatch loop wakes by itself, in milliseconds.
    pub wakes_at: AtomicI64,
    pub awake: Awake,
}

/// A lock whose holder panicked is still a lock: what it guards is kept consistent by calls
/// that do not panic halfway, and a mail server that stops for it would lose more.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Works {
    /// `goes_on`: there was mail before.
    pub fn new(doors: Doors, settings: Settings, ids: IdSource, goes_on: bool) -> Works {
        let accounts = Accounts::of(&settings.accounts);
        let queue = Queue::new(lane_settings(&settings));
        let circuits = match doors.circuits.as_ref().map(|store| Ok((store.load()?, store.load_habits()?))) {
            Some(Ok(((counted, opened), habits))) => Circuits::restored(counted, opened, habits),
            Some(Err::<_, LedgerError>(error)) => {
                let text = format!("what the circuits counted cannot be read: {error}; they count from nothing");
                let kind = EventKind::Note { level: Level::Error, what: "circuit", text };
                doors.events.emit(Event { at: doors.clock.now(), kind });
                Circuits::unread()
            }
            None => Circuits::default(),
        };
        let warm_ups = match doors.warm_ups.as_ref().map(|store| store.load()) {
            Some(Ok(kept)) => WarmUps::restored(kept),
            Some(Err(error)) => {
                let text = format!("how far addresses have warmed up cannot be read: {error}; they begin again");
                let kind = EventKind::Note { level: Level::Error, what: "warm-up", text };
                doors.events.emit(Event { at: doors.clock.now(), kind });
                WarmUps::default()
            }
            None => WarmUps::default(),
        };
        let awake = Awake::new(doors.clock.now());
        let gate = Gate::new(doors.trust.is_none());
        let fresh = Fresh::new(settings.limits.fresh_content);
        let outgoing = Outgoing::new(settings.limits.outgoing_content);
        let goes_on_since = if goes_on { doors.clock.now() } else { Timestamp(0) };
        Works {
            doors,
            goes_on_since,
            settings: RwLock::new(Arc::new(settings)),
            accounts,
            gate,
            board: Board::new(),
            queue: Mutex::new(queue),
            lanes: Mutex::new(Map::default()),
            fresh: Mutex::new(fresh),
            outgoing,
            ids,
            running: Running::default(),
            learnt: Learnt::default(),
            reader: Reader::default(),
            circuits,
            warm_ups,
            refused: Refused::default(),
            unwelcome: Unwelcome::default(),
            allowances: Allowances::default(),
            bulk: Bulk::default(),
            disk: Disk::default(),
            loading: watch::Sender::new(Loading::UnderWay),
            news: Notify::new(),
            wakes_at: AtomicI64::new(0),
            awake,
        }
    }

    pub fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn replace_settings(&self, settings: Settings) {
        self.accounts.replace(&settings.accounts);
        let lanes = lane_settings(&settings);
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        self.queue(|queue| queue.configure(lanes));
        pace::tell(self);
    }

    pub fn now(&self) -> Timestamp {
        self.doors.clock.now()
    }

    /// Touches the queue, then wakes whoever has something to do because of it.
    pub fn queue<T>(&self, touch: impl FnOnce(&mut Queue) -> T) -> T {
        let (out, wakes, news) = {
            let mut queue = lock(&self.queue);
            let out = touch(&mut queue);
            let earlier = queue.next_wake().is_some_and(|at| at.millis() < self.wakes_at.load(Ordering::Relaxed));
            (out, queue.take_wakes(), queue.has_news() || earlier)
        };
        if !wakes.is_empty() {
            let lanes = lock(&self.lanes);
            for lane in wakes.iter().filter_map(|id| lanes.get(id)) {
                // The session that had work last: so those that are too many end, and the rest stay warm.
                lane.work.notify_last();
            }
        }
        if news {
            self.news.notify_one();
        }
        out
    }

    /// Whether attempts may be begun: not while so many settlements wait for a disk that refuses
    /// them that memory would grow without a bound, and a crash would send so much twice.
    pub fn may_start_attempts(&self) -> bool {
        let most = match self.doors.spool.refusal() {
            Some(Refusal::Failing(_)) => UNSETTLED_MOST_FAILING,
            Some(Refusal::Full(_)) | None => UNSETTLED_MOST,
        };
        self.doors.spool.unsettled() < most
    }

    pub fn lane(&self, id: LaneId) -> Option<Arc<LaneWork>> {
        lock(&self.lanes).get(&id).cloned()
    }

    /// All that were given a route.
    pub fn lanes(&self) -> Vec<(LaneId, Arc<LaneWork>)> {
        lock(&self.lanes).iter().map(|(id, lane)| (*id, lane.clone())).collect()
    }

    /// Says by which route and from which egress a lane goes; a lane that is known keeps its
    /// sessions and takes the newer route for the next one.
    pub fn set_lane(&self, id: LaneId, route: Arc<Route>, egress: Arc<Egress>, way: Way) {
        let mut lanes = lock(&self.lanes);
        match lanes.get(&id) {
            Some(lane) if lane.route().site == route.site && lane.egress == egress && lane.way == way => {
                lane.set_route(route)
            }
            _ => drop(lanes.insert(id, Arc::new(LaneWork::new(route, egress, way)))),
        }
    }

    pub fn fresh(&self) -> MutexGuard<'_, Fresh> {
        lock(&self.fresh)
    }

    pub fn emit(&self, kind: EventKind) {
        self.doors.events.emit(Event { at: self.now(), kind });
    }

    /// Tells that a part is held, with what its sender knows it by.
    pub fn emit_held(&self, meta: &MessageMeta, part: &PartRecord, reason: &str) {
        self.emit(EventKind::Held {
            message: part.id.message,
            part: Some(part.id.number),
            account: meta.account.clone(),
            labels: meta.labels.clone(),
            recipients: part.addresses(),
            reason: reason.to_owned(),
        });
    }

    /// Keeps a part as held, and tells of it. In the queue it is whoever calls this that holds it.
    pub fn write_held(&self, meta: &MessageMeta, part: PartRecord, hold: Hold) -> PartRecord {
        // What is known of it from its acceptance says that it is not held.
        self.fresh().take(part.id);
        self.emit_held(meta, &part, &hold.reason);
        let record = PartRecord { state: PartState::Held(hold), ..part };
        self.keep(record.clone());
        record
    }

    /// Keeps a part as it now is.
    pub fn keep(&self, record: PartRecord) {
        let part = record.id;
        self.doors.spool.settle(Settlement { part, change: Change::Keep(record), notices: Vec::new() });
    }

    pub fn note(&self, level: Level, what: &'static str, text: impl Into<String>) {
        self.emit(EventKind::Note { level, what, text: text.into() });
    }
}

fn lane_settings(settings: &Settings) -> LaneSettings {
    LaneSettings {
        max_window: settings.limits.sessions_per_site.max(1),
        max_sessions: settings.limits.sessions.max(1),
        // Where retries are meant to come sooner, so is the next look at an unreachable site.
        first_pause: settings.limits.first_pause.min(settings.retry.first),
        max_pause: settings.limits.max_pause,
    }
}
