//! How fast mail goes to a site: which rule of the configuration is the site's, and what a lane is told by it.
//!
//! Looked up when a lane gets its route, at a reload, and when a day of a warm-up is over; never for a message
//! (docs/pace.md).

use std::sync::Arc;
use std::time::Duration;

use repute_delivery::{HostName, Route};
use repute_queue::{Rate, Terms};
use repute_types::Timestamp;
use serde::Serialize;

use crate::config::Settings;
use crate::permit::way::Way;
use crate::works::Works;

/// After a restart a site with a rate waits for as long as that says, and no longer than this: a slow rate may then be passed by one
/// message, which is better than a password reset that waits for an hour.
const UNKNOWN_MOST: Duration = Duration::from_secs(60);

/// A rate, and the sites that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteRule {
    /// Names that all hosts of a site are under, or their addresses; empty: every site, each by itself.
    pub hosts: Vec<HostName>,
    pub rate: Rate,
}

/// The rate that a site keeps to, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PaceRow {
    /// The hosts of the rule, or the site.
    pub name: String,
    /// `100/m`
    pub rate: String,
    /// Parts that are ready, of all sites that share it.
    pub ready: usize,
    /// When the last of them will have gone.
    pub all_by: Timestamp,
}

impl From<repute_queue::PaceView> for PaceRow {
    fn from(view: repute_queue::PaceView) -> PaceRow {
        let all_by = view.all_by();
        PaceRow { name: view.name.to_string(), rate: view.rate.to_string(), ready: view.ready, all_by }
    }
}

impl PaceRow {
    /// Why something that is ready is not sent yet.
    pub(crate) fn sentence(&self) -> String {
        let PaceRow { name, rate, ready, all_by } = self;
        match ready {
            1 => format!("its site's rate is {rate} ({name}); it goes at {all_by}"),
            _ => format!("its site's rate is {rate} ({name}): {ready} parts share it, and the last goes at {all_by}"),
        }
    }
}

impl SiteRule {
    fn is_for(&self, route: &Route) -> bool {
        let is_named = |host: &HostName| self.hosts.iter().any(|named| is_under(host, named));
        self.hosts.is_empty() || route.hosts.iter().all(|host| is_named(&host.name))
    }

    fn name(&self, route: &Route) -> Arc<str> {
        match self.hosts.as_slice() {
            [] => route.site.clone(),
            hosts => hosts.iter().map(HostName::to_string).collect::<Vec<_>>().join(", ").into(),
        }
    }
}

fn is_under(host: &HostName, named: &HostName) -> bool {
    match (host, named) {
        (HostName::Name(host), HostName::Name(named)) => {
            let rest = host.as_str().strip_suffix(named.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        }
        _ => host == named,
    }
}

/// What a lane of this route keeps to: the first rule that is for it, what its address may while it warms up, or where
/// there are both, the slower rate, shared by all that the rule names, and by all of the receiver where it names nobody.
pub(crate) fn terms(works: &Works, settings: &Settings, route: &Route, way: Way) -> Option<Terms> {
    let rule = settings.sites.iter().find(|rule| rule.is_for(route));
    let warm = works.warm_ups.terms(settings, route, way, works.now());
    let Some(rule) = rule else { return warm };
    let (name, egress) = (rule.name(route), way.egress);
    // When the last message went before the start is not known.
    let earliest = works.goes_on_since + rule.rate.takes(1).min(UNKNOWN_MOST);
    let ruled = Terms { name, egress, rate: rule.rate, ahead: Duration::ZERO, earliest };
    let Some(warm) = warm else { return Some(ruled) };
    let rate = if warm.rate.takes(1) > rule.rate.takes(1) { warm.rate } else { rule.rate };
    let name = if rule.hosts.is_empty() { warm.name } else { ruled.name };
    Some(Terms { name, rate, earliest: warm.earliest.max(ruled.earliest), ..ruled })
}

/// Tells every lane anew.
pub(crate) fn tell(works: &Works) {
    let (settings, now) = (works.settings(), works.now());
    let lanes = works.lanes();
    works.queue(|queue| {
        for (id, lane) in lanes {
            queue.set_pace(id, terms(works, &settings, &lane.route(), lane.way).as_ref(), now);
        }
    });
}
