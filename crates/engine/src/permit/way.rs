//! Ways out: an egress, whole or with one of its two addresses alone.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use repute_delivery::Egress;
use repute_queue::{Flow, LaneKey};
use repute_types::Domain;

use crate::config::Settings;
use crate::works::Works;

/// Which addresses of an egress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Families {
    Both,
    V4,
    V6,
}

impl Families {
    /// Whether whoever may use these may use those.
    pub fn cover(self, wanted: Families) -> bool {
        self == wanted || self == Families::Both
    }
}

/// An egress by its place in the configuration, and which of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub egress: u16,
    pub families: Families,
}

impl Way {
    /// As the queue knows it.
    pub fn number(self) -> u16 {
        self.egress.saturating_mul(3).saturating_add(self.families as u16)
    }

    /// The way that has this number.
    pub fn of_number(number: u16) -> Way {
        let families = match number % 3 {
            0 => Families::Both,
            1 => Families::V4,
            _ => Families::V6,
        };
        Way { egress: number / 3, families }
    }

    /// Where it leaves from, for people.
    pub fn name(self, settings: &Settings) -> String {
        let egress = egress_at(settings, self.egress);
        match self.families {
            Families::Both => egress.name.clone(),
            Families::V4 => format!("{} (IPv4)", egress.name),
            Families::V6 => format!("{} (IPv6)", egress.name),
        }
    }
}

/// The egress of that place; where none is named, the one whose address the system chooses.
fn egress_at(settings: &Settings, index: u16) -> Arc<Egress> {
    match settings.egresses.get(usize::from(index)) {
        Some(egress) => egress.clone(),
        None => Arc::new(Egress::unbound(settings.hostname.clone())),
    }
}

/// Every address of an egress.
pub(crate) fn addresses(settings: &Settings, egress: &Egress) -> Vec<IpAddr> {
    match egress.is_unbound() {
        true => settings.permit.chosen.clone(),
        false => egress.addresses().collect(),
    }
}

/// All of them; at least one.
pub(crate) fn egresses(settings: &Settings) -> Vec<Arc<Egress>> {
    let count = u16::try_from(settings.egresses.len().max(1)).unwrap_or(u16::MAX);
    (0..count).map(|index| egress_at(settings, index)).collect()
}

/// What the places of egresses are ordered by, as mail to a domain prefers them: always the
/// same, so that a greylist sees the same address again, and another for each domain, so that the
/// mail of an egress that fails is shared among all others.
fn preference(domain: &Domain) -> impl Fn(u16) -> u64 {
    let mut of_domain = DefaultHasher::new();
    domain.hash(&mut of_domain);
    move |place| {
        let mut hasher = of_domain.clone();
        place.hash(&mut hasher);
        hasher.finish()
    }
}

impl Works {
    /// The way that mail of a flow takes now; `None` where its sender may take none.
    pub(crate) fn way(&self, settings: &Settings, flow: &Flow) -> Option<(Way, Arc<Egress>)> {
        let preference = preference(&flow.domain);
        // Not in order: there may be thousands of addresses, and this is asked where everybody waits for the queue.
        let preferred = self.allowed(settings, flow).min_by_key(|way| preference(way.egress));
        preferred.map(|way| leaving(settings, way))
    }

    /// All that it may take now, the preferred one first.
    pub(crate) fn ways(&self, settings: &Settings, flow: &Flow) -> impl Iterator<Item = (Way, Arc<Egress>)> {
        let mut ways: Vec<Way> = self.allowed(settings, flow).collect();
        let preference = preference(&flow.domain);
        ways.sort_by_cached_key(|way| preference(way.egress));
        ways.into_iter().map(|way| leaving(settings, way))
    }

    /// The way that it takes to a site now.
    pub(crate) fn way_to(&self, settings: &Settings, flow: &Flow, site: &str) -> Option<(Way, Arc<Egress>)> {
        match self.unwelcome.is_any() {
            true => self.ways_to(settings, flow, site).into_iter().next(),
            false => self.way(settings, flow),
        }
    }

    /// Whether a lane leads by the way that mail of a flow takes now.
    pub(crate) fn is_way_to(&self, settings: &Settings, flow: &Flow, lane: &LaneKey) -> bool {
        self.way_to(settings, flow, &lane.site).is_some_and(|(way, _)| way.number() == lane.way)
    }

    /// All that it may take to a site now, the preferred one first: around the addresses that its receiver refuses, as long as
    /// that leaves any.
    pub(crate) fn ways_to(&self, settings: &Settings, flow: &Flow, site: &str) -> Vec<(Way, Arc<Egress>)> {
        let now = self.now();
        let around = self.ways_around(settings, flow, |ip| self.unwelcome.goes_around(site, ip, now));
        if around.is_empty() { self.ways(settings, flow).collect() } else { around }
    }

    /// All that it may take now without some addresses, the preferred one first.
    pub(crate) fn ways_around(
        &self,
        settings: &Settings,
        flow: &Flow,
        avoided: impl Fn(IpAddr) -> bool,
    ) -> Vec<(Way, Arc<Egress>)> {
        let around = |(way, egress)| without(settings, way, egress, &avoided);
        self.ways(settings, flow).filter_map(around).collect()
    }

    /// All that it may take now, in the order of the configuration.
    fn allowed(&self, settings: &Settings, flow: &Flow) -> impl Iterator<Item = Way> {
        let (table, sender) = (self.gate.table(), flow.sender);
        let count = u16::try_from(settings.egresses.len().max(1)).unwrap_or(u16::MAX);
        let relayed = settings.routes.is_relayed(&flow.domain);
        (0..count).filter_map(move |egress| {
            let families = match relayed {
                true => table.may_relay(sender, egress).then_some(Families::Both),
                false => table.families(sender, egress),
            };
            Some(Way { egress, families: families? })
        })
    }
}

fn leaving(settings: &Settings, way: Way) -> (Way, Arc<Egress>) {
    (way, narrowed(settings, egress_at(settings, way.egress), way.families))
}

fn narrowed(settings: &Settings, egress: Arc<Egress>, families: Families) -> Arc<Egress> {
    let wanted = |ip: &IpAddr| match families {
        Families::Both => false,
        Families::V4 => ip.is_ipv4(),
        Families::V6 => ip.is_ipv6(),
    };
    match addresses(settings, &egress).into_iter().find(wanted) {
        Some(address) => Arc::new(egress.narrowed_to(address)),
        None => egress,
    }
}

/// What is left of a way without some addresses.
fn without(
    settings: &Settings,
    way: Way,
    egress: Arc<Egress>,
    avoided: impl Fn(IpAddr) -> bool,
) -> Option<(Way, Arc<Egress>)> {
    let (gone, left): (Vec<IpAddr>, Vec<IpAddr>) =
        addresses(settings, &egress).into_iter().partition(|ip| avoided(*ip));
    match left.first() {
        _ if gone.is_empty() => Some((way, egress)),
        None => None,
        Some(IpAddr::V4(_)) => Some(leaving(settings, Way { families: Families::V4, ..way })),
        Some(IpAddr::V6(_)) => Some(leaving(settings, Way { families: Families::V6, ..way })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(count: u16, domain: &Domain) -> Vec<u16> {
        let mut order: Vec<u16> = (0..count).collect();
        let preference = preference(domain);
        order.sort_by_cached_key(|place| preference(*place));
        order
    }

    #[test]
    fn the_mail_of_an_egress_that_fails_is_shared_among_the_others() {
        let domains: Vec<Domain> = (0..600).map(|n| Domain::parse(&format!("d{n}.test")).unwrap()).collect();
        let second = |first: u16| {
            let of_first = domains.iter().map(|d| order(4, d)).filter(|order| order[0] == first);
            let mut counts = [0; 4];
            of_first.for_each(|order| counts[usize::from(order[1])] += 1);
            counts
        };
        for first in 0..4 {
            let counts = second(first);
            let others = counts.iter().enumerate().filter(|(n, _)| *n != usize::from(first));
            assert!(others.clone().all(|(_, count)| *count > 20), "{counts:?}");
        }
    }

    #[test]
    fn two_egresses_share_the_domains() {
        let of_first = (0..600).map(|n| Domain::parse(&format!("d{n}.test")).unwrap());
        let of_first = of_first.filter(|domain| order(2, domain)[0] == 0).count();
        assert!((250..350).contains(&of_first), "{of_first}");
    }

    #[test]
    fn ways_have_numbers_of_their_own() {
        for egress in 0..100 {
            for families in [Families::Both, Families::V4, Families::V6] {
                let way = Way { egress, families };
                assert_eq!(Way::of_number(way.number()), way);
            }
        }
    }
}
