//! Points of trust, for every pair at a time.
//!
//! Promise: as `repute check` counts: 100 less the weights of what fails, and a third of those of what is to be warned of;
//! each check once, and none that follows from another. What is good is looked at once, however many pairs there are.

use std::collections::HashMap;
use std::net::IpAddr;

use repute_types::Domain;

use super::permits::Permits;
use crate::checks::entry;

/// What something is found about: an address, a domain, both, or the whole server.
type About<'a> = (Option<IpAddr>, Option<&'a Domain>);

pub struct Points<'a> {
    /// The check, and how much is lost by it.
    lost: HashMap<About<'a>, Vec<(&'a str, u32)>>,
}

impl Permits {
    pub fn points(&self) -> Points<'_> {
        let mut lost: HashMap<_, Vec<_>> = HashMap::new();
        for (subject, trail) in self.trails().filter(|(_, trail)| trail.follows.is_none()) {
            let Some(check) = entry(&subject.check).filter(|check| check.built) else { continue };
            let points = match (trail.is_bad(), trail.warns) {
                (true, _) => check.weight,
                (false, true) => check.weight.div_ceil(3),
                (false, false) => continue,
            };
            lost.entry((subject.address, subject.domain.as_ref())).or_default().push((subject.check.as_str(), points));
        }
        Points { lost }
    }
}

impl Points<'_> {
    /// Those that are left to mail of a domain from an address.
    pub fn of(&self, address: Option<IpAddr>, domain: Option<&Domain>) -> u32 {
        let mut about = vec![(address, domain), (address, None), (None, domain), (None, None)];
        // Where there is no address or no domain, some of them are one.
        about.sort_unstable();
        about.dedup();
        let mut lost: Vec<(&str, u32)> =
            about.iter().filter_map(|about| self.lost.get(about)).flatten().copied().collect();
        // Of each check the most.
        lost.sort_unstable_by(|a, b| b.cmp(a));
        lost.dedup_by_key(|(check, _)| *check);
        100u32.saturating_sub(lost.iter().map(|(_, points)| points).sum())
    }
}
