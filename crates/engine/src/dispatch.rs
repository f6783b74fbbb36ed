//! The one loop: asks the queue what is due, has routes found, starts sessions, raises alarms.
//! It waits for news or for the queue's next time, and never for the network.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use repute_queue::{Feedback, State, Step, Then};
use repute_spool::{Change, Settlement};
use repute_types::event::Level;
use repute_types::{PartId, Timestamp};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::fresh::Loaded;
use crate::load::{self, DISK_RETRY, Load};
use crate::notice::{self, Written};
use crate::works::Works;
use crate::{aside, courier, intake, routing, settle};

/// Routes and alarms that are worked on at the same time.
const CONCURRENT_CHORES: usize = 64;
/// The loop looks again after this time at the latest, so that a clock that jumped (a resumed
/// virtual machine, an NTP step) is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// While the disk takes no settlements, it is looked at again after this.
const DISK_LOOK: Duration = Duration::from_secs(1);

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
                works.awake.jumped_ahead(by, now);
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
                    Step::Route(flow) => routing::route(&works, flow).await,
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

/// Leases a part for something else than an attempt, and says what puts it back as it was.
fn lease_aside(works: &Works, part: PartId) -> Option<Then> {
    works.queue(|queue| {
        let held = queue.view(part)?.state == State::Held;
        queue.lease_part(part).map(|_| Then::Unchanged { held })
    })
}

/// A part's alarm: it has expired, or its sender is owed a word that it takes long.
async fn alarm(works: &Works, part: PartId) {
    let now = works.now();
    let Some(as_it_was) = lease_aside(works, part) else {
        // An attempt is under way, and settles expiry by itself; look again soon.
        works.queue(|queue| queue.set_alarm(part, now + Duration::from_secs(30)));
        return;
    };
    let Some(loaded) = load::or_put_back(works, part, Load::Aside, as_it_was).await else {
        works.queue(|queue| queue.set_alarm(part, now + DISK_RETRY));
        return;
    };
    if now >= works.expires(&loaded.meta) {
        return settle::expire(works, loaded);
    }
    let owed = !loaded.part.delay_noticed && now >= works.next_alarm(&loaded.meta, &loaded.part);
    let mut record = loaded.part.clone();
    if owed {
        let notices = Vec::from_iter(notice::delay(works, &loaded));
        notices.iter().for_each(|notice| notice.tell(works));
        let notices: Vec<_> = notices.into_iter().map(Written::into_new).collect();
        record.delay_noticed = true;
        let change = Change::Keep(record.clone());
        works.doors.spool.settle(Settlement { part, change, notices: notices.clone() });
        for notice in notices {
            intake::enter(works, notice);
        }
    }
    let next = works.next_alarm(&loaded.meta, &record);
    works.queue(|queue| queue.set_alarm(part, next));
    aside::put_back(works, Loaded { part: record, ..loaded }, as_it_was, Feedback::None);
}
