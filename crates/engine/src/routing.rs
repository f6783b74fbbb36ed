//! The route of a flow: by which way its mail leaves, to which hosts, and so in which lane of the queue.
//!
//! Promise: what a flow may do can change while names are looked up, so it is looked at again under the queue's lock,
//! where the answer takes effect; an answer that does not hold any more is thrown away and asked for again.
//! How it fails: where a domain has no route, what waits for it is settled with that outcome; where its sender may take no
//! way, the flow is barred.

use std::sync::Arc;
use std::time::Duration;

use repute_delivery::{Egress, Route};
use repute_queue::{Flow, LaneId, LaneKey, Lease, Queue};
use repute_types::{Outcome, Timestamp};

use crate::config::Settings;
use crate::load::{self, Load};
use crate::pace;
use crate::permit::way::Way;
use crate::settle::{self, By, Decided};
use crate::works::Works;

/// However short or long DNS says, a route stands for so long.
const STANDS_LEAST: Duration = Duration::from_secs(5);
const STANDS_MOST: Duration = Duration::from_secs(3600);

/// Where a lane leads: to the hosts of a route, by a way.
struct Course {
    route: Arc<Route>,
    way: Way,
    egress: Arc<Egress>,
    /// The first way that the flow may take: the way of this course too, unless the receiver refuses its address.
    preferred: Way,
}

impl Course {
    fn key(&self) -> LaneKey {
        LaneKey { site: self.route.site.clone(), way: self.way.number() }
    }

    /// Makes a lane of the queue lead there.
    fn take(self, works: &Works, settings: &Settings, queue: &mut Queue, lane: LaneId, now: Timestamp) {
        queue.set_pace(lane, pace::terms(works, settings, &self.route, self.way).as_ref(), now);
        works.set_lane(lane, self.route, self.egress, self.way);
    }
}

/// Finds the lane of a flow, or that it may take no way now.
pub(crate) async fn route(works: &Works, flow: Flow) {
    while !is_answered(works, &flow).await {}
}

/// Looks once; whether what was found still held.
async fn is_answered(works: &Works, flow: &Flow) -> bool {
    let settings = works.settings();
    let Some((way, egress)) = works.way(&settings, flow) else {
        return works.queue(|queue| {
            let barred = works.way(&works.settings(), flow).is_none();
            if barred {
                queue.bar(flow);
            }
            barred
        });
    };
    let route = match resolve(works, &settings, flow, &egress).await {
        Ok(route) => route,
        Err(outcome) => {
            for lease in works.queue(|queue| queue.unroutable(flow)) {
                settle_alike(works, lease, &outcome).await;
            }
            return true;
        }
    };
    let course = around(works, &settings, flow, Course { route, way, egress, preferred: way }).await;
    let beside = beside(works, &settings, flow, &course).await;
    takes_effect(works, &settings, flow, course, beside)
}

/// Where the receiver refuses the address of the preferred way: the next way whose address it does not, if that has a route.
async fn around(works: &Works, settings: &Settings, flow: &Flow, course: Course) -> Course {
    match works.way_to(settings, flow, &course.route.site) {
        Some((way, egress)) if way != course.way => match resolve(works, settings, flow, &egress).await {
            Ok(route) => Course { route, way, egress, ..course },
            Err(_) => course,
        },
        _ => course,
    }
}

/// In one touch of the queue: a session must not start before its lane is known here.
fn takes_effect(works: &Works, by: &Arc<Settings>, flow: &Flow, course: Course, beside: Option<Course>) -> bool {
    let now = works.now();
    let both = std::iter::once(&course).chain(&beside);
    let stands = both.map(|course| course.route.expires_in).min().unwrap_or_default();
    let until = now + stands.clamp(STANDS_LEAST, STANDS_MOST);
    // What is gone around is tried again.
    let until = works.unwelcome.changes_at(&course.route.site, now).map_or(until, |at| until.min(at));
    works.queue(|queue| {
        // By another configuration it may be another route.
        let settings = works.settings();
        if !Arc::ptr_eq(&settings, by)
            || works.way(&settings, flow).is_none_or(|(way, _)| way != course.preferred)
            || !works.gate.table().allows(flow.sender, course.way, course.route.is_relay)
        {
            return false;
        }
        let lane = queue.routed(flow, course.key(), until, now);
        course.take(works, &settings, queue, lane, now);
        if let Some(other) = beside
            && works.gate.table().allows(flow.sender, other.way, other.route.is_relay)
            && let Some(lane) = queue.beside(flow, other.key(), now)
        {
            other.take(works, &settings, queue, lane, now);
        }
        true
    })
}

async fn resolve(works: &Works, settings: &Settings, flow: &Flow, egress: &Egress) -> Result<Arc<Route>, Outcome> {
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
async fn beside(works: &Works, settings: &Settings, flow: &Flow, course: &Course) -> Option<Course> {
    let is_limited = |way| works.warm_ups.is_limited(settings, &course.route, way);
    if !is_limited(course.way) {
        return None;
    }
    let ways = works.ways_to(settings, flow, &course.route.site);
    let (way, egress) = ways.into_iter().find(|(other, _)| !is_limited(*other))?;
    // Where it has no route, everything goes by the first.
    let route = resolve(works, settings, flow, &egress).await.ok()?;
    Some(Course { route, way, egress, preferred: course.preferred })
}

/// Settles a leased part with the same outcome for every recipient.
async fn settle_alike(works: &Works, lease: Lease, outcome: &Outcome) {
    let Some(loaded) = load::for_attempt(works, lease.part, Load::Aside).await else { return };
    let outcomes = vec![outcome.clone(); loaded.part.recipients.len()];
    settle::settle(works, Decided::apart(loaded, By::Attempt(lease.attempt), outcomes));
}
