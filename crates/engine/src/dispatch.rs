//! The one loop: asks the queue what is due, finds routes, starts sessions, raises alarms.
//! It waits for news or for the queue's next time, and never for the network.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use repute_delivery::{Egress, Route};
use repute_queue::{Feedback, Flow, LaneKey, Lease, State, Step, Then};
use repute_spool::{CampaignState, Change, Hold, Holder, PartRecord, PartState, Settlement, SpoolError};
use repute_types::event::Level;
use repute_types::{EventKind, Outcome, PartId, Timestamp};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::circuit::campaigns;
use crate::config::Settings;
use crate::fresh::Loaded;
use crate::intake::{Load, LoadError};
use crate::permit::way::Way;
use crate::settle::{self, By, Decided};
use crate::works::Works;
use crate::{aside, courier, notice, pace};

/// Routes and alarms that are worked on at the same time.
const CONCURRENT_CHORES: usize = 64;
/// The loop looks again after this time at the latest, so that a clock that jumped (a resumed
/// virtual machine, an NTP step) is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// While the disk takes no settlements, it is looked at again after this.
const DISK_LOOK: Duration = Duration::from_secs(1);
/// A part that could not be loaded because the disk failed is looked at again after this.
const DISK_RETRY: Duration = Duration::from_secs(60);

/// A clock that is set by less does not matter.
const SET_LEAST: Duration = Duration::from_secs(5);

/// The wall's clock beside one that only goes on.
struct Watched {
    wall: Timestamp,
    since: Instant,
}

enum Set {
    Back(Duration),
    Ahead(Duration),
}

impl Watched {
    fn new(wall: Timestamp) -> Watched {
        Watched { wall, since: Instant::now() }
    }

    /// How the clock was set since it was looked at last.
    fn set(&mut self, now: Timestamp) -> Option<Set> {
        let expected = self.wall + self.since.elapsed();
        *self = Watched::new(now);
        match (expected.since(now), now.since(expected)) {
            (back, _) if back >= SET_LEAST => Some(Set::Back(back)),
            (_, ahead) if ahead >= SET_LEAST => Some(Set::Ahead(ahead)),
            _ => None,
        }
    }
}

/// Runs until `stop` turns true, then waits for the sessions under way.
pub(crate) async fn run(works: Arc<Works>, mut stop: watch::Receiver<bool>) {
    let chores = Arc::new(Semaphore::new(CONCURRENT_CHORES));
    let mut tasks = JoinSet::new();
    let mut clock = Watched::new(works.now());
    while !*stop.borrow() {
        let now = works.now();
        match clock.set(now) {
            Some(Set::Back(by)) => {
                let text = format!("the clock was set back by {} s: retries go on when they would have", by.as_secs());
                works.note(Level::Warning, "clock", text);
                works.queue(|queue| queue.set_back(by, now));
                works.awake.set_back(now);
            }
            Some(Set::Ahead(by)) => {
                let text =
                    format!("the clock jumped ahead by {} s: what waits is tried before it is too old", by.as_secs());
                works.note(Level::Warning, "clock", text);
                works.awake.jumped_ahead(now);
            }
            None => {}
        }
        let may_start = works.may_start_attempts();
        let (steps, sessions, wake) = works.queue(|queue| {
            let steps = queue.advance(now);
            let sessions: Vec<_> = std::iter::from_fn(|| may_start.then(|| queue.next_session(now))?).collect();
            (steps, sessions, queue.next_wake())
        });
        for step in steps {
            let (works, chores) = (works.clone(), chores.clone());
            tasks.spawn(async move {
                let _permit = chores.acquire_owned().await;
                match step {
                    Step::Route(flow) => route(&works, flow).await,
                    Step::Alarm(part) => alarm(&works, part).await,
                }
            });
        }
        for (lane, first) in sessions {
            tasks.spawn(courier::run(works.clone(), lane, first, stop.clone()));
        }
        let longest = if may_start { LONGEST_SLEEP } else { DISK_LOOK };
        let sleep = wake.map_or(longest, |at| at.since(now).min(longest));
        works.wakes_at.store((now + sleep).millis(), Ordering::Relaxed);
        tokio::select! {
            // That a lane wants a session is no news while none may begin: else the loop would turn without a pause.
            () = works.news.notified(), if may_start => {}
            // A millisecond more, because the queue's times are whole milliseconds.
            () = tokio::time::sleep(sleep + Duration::from_millis(1)) => {}
            // Whoever could have stopped the works is gone: nobody will.
            changed = stop.changed() => if changed.is_err() { break },
        }
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
}

/// Finds the lane of a flow, or that it may take no way now. What it may do can change while names
/// are looked up, so it is looked at again under the queue's lock, where the answer takes effect.
async fn route(works: &Works, flow: Flow) {
    loop {
        let settings = works.settings();
        let Some((way, egress)) = works.way(&settings, &flow) else {
            let barred = works.queue(|queue| {
                let barred = works.way(&works.settings(), &flow).is_none();
                if barred {
                    queue.bar(&flow);
                }
                barred
            });
            if barred {
                return;
            }
            continue;
        };
        let route = match resolve(works, &settings, &flow, &egress).await {
            Ok(route) => route,
            Err(outcome) => {
                for lease in works.queue(|queue| queue.unroutable(&flow)) {
                    settle_alike(works, lease, &outcome).await;
                }
                return;
            }
        };
        let beside = beside(works, &settings, &flow, (&route, way)).await;
        let now = works.now();
        let expires_in = beside.as_ref().map_or(route.expires_in, |other| other.0.expires_in.min(route.expires_in));
        let until = now + expires_in.clamp(Duration::from_secs(5), Duration::from_secs(3600));
        let key = LaneKey { site: route.site.clone(), way: way.number() };
        // In one touch of the queue: a session must not start before its lane is known here.
        let stands = works.queue(|queue| {
            // By another configuration it may be another route.
            let latest = works.settings();
            let stands =
                Arc::ptr_eq(&latest, &settings) && works.way(&latest, &flow).is_some_and(|(now, _)| now == way);
            if stands {
                let lane = queue.routed(&flow, key, until, now);
                queue.set_pace(lane, pace::terms(works, &works.settings(), &route, way).as_ref(), now);
                works.set_lane(lane, route, egress, way);
                if let Some((route, way, egress)) = beside
                    && works.ways(&latest, &flow).any(|(now, _)| now == way)
                {
                    let key = LaneKey { site: route.site.clone(), way: way.number() };
                    if let Some(lane) = queue.beside(&flow, key, now) {
                        queue.set_pace(lane, pace::terms(works, &latest, &route, way).as_ref(), now);
                        works.set_lane(lane, route, egress, way);
                    }
                }
            }
            stands
        });
        if stands {
            return;
        }
    }
}

async fn resolve(works: &Works, settings: &Settings, flow: &Flow, egress: &Arc<Egress>) -> Result<Arc<Route>, Outcome> {
    let (doors, delivery) = (&works.doors, &settings.delivery);
    let (routes, domain) = (&settings.routes, &flow.domain);
    let found = match flow.tls_optional {
        false => routes.resolve(domain, egress, delivery, &*doors.resolver, &*doors.random).await,
        true => routes.resolve_unsecured(domain, egress, delivery, &*doors.resolver, &*doors.random).await,
    };
    found.map(Arc::new)
}

/// Where the address of a way warms up with this receiver: the next way of the flow whose address does not, for what the day's number
/// leaves over.
async fn beside(
    works: &Works,
    settings: &Settings,
    flow: &Flow,
    (route, way): (&Route, Way),
) -> Option<(Arc<Route>, Way, Arc<Egress>)> {
    let is_limited = |way| works.warm_ups.is_limited(settings, route, way);
    if !is_limited(way) {
        return None;
    }
    let (other, egress) = works.ways(settings, flow).find(|(other, _)| !is_limited(*other))?;
    // Where it has no route, everything goes by the first.
    let route = resolve(works, settings, flow, &egress).await.ok()?;
    Some((route, other, egress))
}

/// Settles a leased part with the same outcome for every recipient.
async fn settle_alike(works: &Works, lease: Lease, outcome: &Outcome) {
    let Some(loaded) = load_for_attempt(works, lease.part, Load::Aside).await else { return };
    let outcomes = vec![outcome.clone(); loaded.part.recipients.len()];
    settle::settle(works, Decided::apart(loaded, By::Attempt(lease.attempt), outcomes));
}

/// What is needed for an attempt.
pub(crate) async fn load_for_attempt(works: &Works, part: PartId, load: Load) -> Option<Loaded> {
    match works.bulk.state(part.message) {
        None => {}
        Some(CampaignState::Running) if !campaigns::is_stopped(works, part.message) => {}
        Some(CampaignState::Cancelling | CampaignState::Cancelled) => {
            take_out(works, part).await;
            return None;
        }
        Some(CampaignState::Running | CampaignState::Loading | CampaignState::Paused(_)) => {
            aside::put_back_unread(works, part, Then::Unchanged { held: true }).await;
            return None;
        }
    }
    load_or_put_back(works, part, load, Then::Again(works.now() + DISK_RETRY)).await
}

/// Ends a leased part of a cancelled campaign: whoever takes the campaign out has passed it over.
async fn take_out(works: &Works, part: PartId) {
    match works.unread(part).await {
        Ok(loaded) => settle::cancel(works, loaded, settle::CAMPAIGN_CANCELLED.to_owned()),
        // It is gone already, or cannot be read now and is taken out after the next start.
        Err(_) => works.queue(|queue| queue.settle(part, Then::Done, Feedback::None, works.now())),
    }
}

/// Leases a part for something else than an attempt, and says what puts it back as it was.
fn lease_aside(works: &Works, part: PartId) -> Option<Then> {
    works.queue(|queue| {
        let held = queue.view(part)?.state == State::Held;
        queue.lease_part(part).map(|_| Then::Unchanged { held })
    })
}

/// A leased part with all that belongs to it; where it cannot be had, the part is put where it
/// belongs: `unread` is what becomes of it where the disk cannot be read now.
async fn load_or_put_back(works: &Works, part: PartId, load: Load, unread: Then) -> Option<Loaded> {
    let now = works.now();
    let error = match works.load(part, load).await {
        Ok(loaded) => return Some(loaded),
        // Its time is over: no content is needed to say so.
        Err(LoadError::Merge(loaded, _)) if now >= works.expires(&loaded.meta) => return Some(*loaded),
        // By the configuration as it is now its letter cannot be merged or signed: the rest goes on.
        Err(LoadError::Merge(loaded, why)) => {
            works.note(Level::Error, "bulk", format!("message {} is held: {why}", part.message));
            hold(works, *loaded, Hold::new(Holder::Letter, why));
            return None;
        }
        Err(LoadError::Spool(error)) => error,
    };
    match error {
        SpoolError::Damaged(_) => hold_damaged(works, part).await,
        error => aside::unread(works, part, unread, &error),
    }
    None
}

const DAMAGED: &str = "its content is damaged on disk (the checksum does not match)";

/// What is damaged is held, named, and the rest goes on.
async fn hold_damaged(works: &Works, part: PartId) {
    works.note(Level::Error, "spool", format!("message {} is held: {DAMAGED}", part.message));
    let hold = Hold::new(Holder::Damage, DAMAGED);
    let spool = &works.doors.spool;
    match (spool.part(part).await, spool.meta(part.message).await) {
        (Ok(record), Ok(meta)) => drop(works.write_held(&meta, record, hold)),
        (Ok(record), Err(_)) => {
            works.emit(nobodys(part, &hold.reason));
            works.keep(PartRecord { state: PartState::Held(hold), ..record });
        }
        (Err(_), _) => works.emit(nobodys(part, &hold.reason)),
    }
    let now = works.now();
    works.queue(|queue| queue.settle(part, Then::Held, Feedback::None, now));
}

/// A part of which nothing can be read any more is held.
fn nobodys(part: PartId, reason: &str) -> EventKind {
    EventKind::Held {
        message: part.message,
        part: Some(part.number),
        account: None,
        labels: None,
        recipients: Vec::new(),
        reason: reason.to_owned(),
    }
}

/// A part's alarm: it has expired, or its sender is owed a word that it takes long.
async fn alarm(works: &Works, part: PartId) {
    let now = works.now();
    let Some(as_it_was) = lease_aside(works, part) else {
        // An attempt is under way, and settles expiry by itself; look again soon.
        works.queue(|queue| queue.set_alarm(part, now + Duration::from_secs(30)));
        return;
    };
    let Some(loaded) = load_or_put_back(works, part, Load::Aside, as_it_was).await else {
        works.queue(|queue| queue.set_alarm(part, now + DISK_RETRY));
        return;
    };
    if now >= works.expires(&loaded.meta) {
        return settle::expire(works, loaded);
    }
    let owed = !loaded.part.delay_noticed && now >= works.next_alarm(&loaded.meta, &loaded.part);
    let mut record = loaded.part.clone();
    if owed {
        let notices = notice::delay(works, &loaded);
        record.delay_noticed = true;
        let change = Change::Keep(record.clone());
        works.doors.spool.settle(Settlement { part, change, notices: notices.clone() });
        for notice in notices {
            crate::intake::enter(works, notice);
        }
    }
    let next = works.next_alarm(&loaded.meta, &record);
    works.queue(|queue| queue.set_alarm(part, next));
    aside::put_back(works, Loaded { part: record, ..loaded }, as_it_was, Feedback::None);
}

/// Holds a leased part in place of an attempt, because a circuit is open: with its campaign where it is of one.
pub(crate) fn stop(works: &Works, loaded: Loaded, hold: Hold) {
    match loaded.meta.letter {
        Some(_) => aside::put_back(works, loaded, Then::Unchanged { held: true }, Feedback::None),
        None => aside::put_back_stopped(works, written_held(works, loaded, hold), Then::Held),
    }
}

/// Holds a leased part in place of an attempt.
pub(crate) fn hold(works: &Works, loaded: Loaded, hold: Hold) {
    aside::put_back(works, written_held(works, loaded, hold), Then::Held, Feedback::None);
}

fn written_held(works: &Works, loaded: Loaded, hold: Hold) -> Loaded {
    let part = works.write_held(&loaded.meta, loaded.part, hold);
    Loaded { part, ..loaded }
}
