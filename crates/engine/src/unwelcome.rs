//! Addresses of ours that a receiver takes no mail from, by its own word: mail to it goes around them for a while, where
//! its sender may leave by another way (docs/permit.md).
//!
//! An address is gone around for ten minutes, and twice as long each time that it is refused again, up to a day. When that is
//! over, mail tries it again; what is taken from it then makes it as good as new. Never are more than two gone around at one
//! receiver: who tries one address after the other to get around a list is what lists are made for.
//!
//! It is kept in memory alone: after a restart the first message finds it out again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use repute_trust::warm_up;
use repute_types::Timestamp;
use serde::Serialize;
use tokio::sync::{Notify, watch};

use crate::works::{Works, lock};

const FIRST: Duration = Duration::from_secs(10 * 60);
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Addresses of ours that are at fault, at one receiver at a time.
pub(crate) const AROUND: usize = 2;
/// Receivers that are known at a time; at others mail is refused as they say.
const KNOWN: usize = 10_000;
/// The queue is gone through once for all that is found out in this time.
const REVIEW_EVERY: Duration = Duration::from_secs(1);
/// How often what says nothing of the next time is thrown away.
const FORGET_EVERY: Duration = Duration::from_secs(3600);
/// When what was refused is tried by another way: the queue knows of it by then.
pub(crate) const SOON: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug)]
struct Mark {
    until: Timestamp,
    /// How long it was set for.
    span: Duration,
}

impl Mark {
    fn holds(&self, now: Timestamp) -> bool {
        // Where the clock was set back it would hold for too long.
        self.until > now && self.until.since(now) <= self.span
    }

    /// It says nothing of the next time any more.
    fn is_forgotten(&self, now: Timestamp) -> bool {
        !self.holds(now) && now.since(self.until) > LONGEST
    }
}

/// An address that mail to a receiver goes around, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnwelcomeRow {
    pub address: IpAddr,
    /// A large receiver, or a site by its hosts.
    pub receiver: String,
    /// When it is tried again.
    pub until: Timestamp,
}

#[derive(Default)]
pub(crate) struct Unwelcome {
    /// Nothing is looked up while nobody refuses us.
    any: AtomicBool,
    by_receiver: Mutex<HashMap<Arc<str>, HashMap<IpAddr, Mark>>>,
    news: Notify,
}

/// The receiver whose site this is: by its own name where it has many sites, else the site by its hosts.
fn receiver(site: &str) -> &str {
    let hosts = site.split('+').next().unwrap_or(site);
    warm_up::receiver(hosts.split([',', '>'])).unwrap_or(hosts)
}

impl Unwelcome {
    /// Whether any address is gone around anywhere.
    pub fn is_any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Whether mail to this site goes around this address.
    pub fn goes_around(&self, site: &str, address: IpAddr, now: Timestamp) -> bool {
        let all = lock(&self.by_receiver);
        all.get(receiver(site)).and_then(|marks| marks.get(&address)).is_some_and(|mark| mark.holds(now))
    }

    /// Whether an address is gone around at this site that was so already at that time.
    pub fn was_any(&self, site: &str, at: Timestamp, now: Timestamp) -> bool {
        let all = lock(&self.by_receiver);
        let mut marks = all.get(receiver(site)).into_iter().flat_map(HashMap::values);
        marks.any(|mark| mark.holds(now) && mark.until - mark.span < at)
    }

    /// When something may be tried again at this site; `None` where nothing is gone around.
    pub fn changes_at(&self, site: &str, now: Timestamp) -> Option<Timestamp> {
        if !self.is_any() {
            return None;
        }
        let all = lock(&self.by_receiver);
        let marks = all.get(receiver(site)).into_iter().flat_map(HashMap::values);
        marks.filter(|mark| mark.holds(now)).map(|mark| mark.until).min()
    }

    /// An address was refused at a site that mail may reach by another: from now on it is gone around. Says whether it is,
    /// since there are no more than `most`.
    pub fn refused(&self, site: &str, address: IpAddr, most: usize, now: Timestamp) -> bool {
        let mut all = lock(&self.by_receiver);
        let name = receiver(site);
        if !all.contains_key(name) && all.len() >= KNOWN {
            return false;
        }
        let marks = all.entry(name.into()).or_default();
        let before = marks.get(&address).copied().filter(|mark| !mark.is_forgotten(now));
        if before.is_some_and(|mark| mark.holds(now)) {
            return true;
        }
        if marks.values().filter(|mark| mark.holds(now)).count() >= most {
            return false;
        }
        let span = before.map_or(FIRST, |mark| (mark.span * 2).min(LONGEST));
        marks.insert(address, Mark { until: now + span, span });
        self.any.store(true, Ordering::Relaxed);
        drop(all);
        self.news.notify_one();
        true
    }

    /// A site took mail from an address. Sessions from before may go on while it is gone around, and say nothing of the next.
    pub fn taken(&self, site: &str, address: IpAddr, now: Timestamp) {
        if !self.is_any() {
            return;
        }
        let mut all = lock(&self.by_receiver);
        let name = receiver(site);
        let Some(marks) = all.get_mut(name) else { return };
        if marks.get(&address).is_some_and(|mark| !mark.holds(now)) {
            marks.remove(&address);
        }
        if marks.is_empty() {
            all.remove(name);
        }
        self.any.store(!all.is_empty(), Ordering::Relaxed);
    }

    /// Throws away what says nothing of the next time, so that nothing is looked up for it.
    fn forget(&self, now: Timestamp) {
        let mut all = lock(&self.by_receiver);
        all.retain(|_, marks| {
            marks.retain(|_, mark| !mark.is_forgotten(now));
            !marks.is_empty()
        });
        self.any.store(!all.is_empty(), Ordering::Relaxed);
    }

    /// What is gone around now.
    pub fn list(&self, now: Timestamp) -> Vec<UnwelcomeRow> {
        let all = lock(&self.by_receiver);
        let marks = all.iter().flat_map(|(name, marks)| marks.iter().map(move |(address, mark)| (name, address, mark)));
        let held = marks.filter(|(.., mark)| mark.holds(now));
        let row = |(receiver, address, mark): (&Arc<str>, &IpAddr, &Mark)| UnwelcomeRow {
            address: *address,
            receiver: receiver.to_string(),
            until: mark.until,
        };
        let mut rows: Vec<UnwelcomeRow> = held.map(row).collect();
        rows.sort_by(|a, b| (&a.receiver, a.address).cmp(&(&b.receiver, b.address)));
        rows
    }
}

/// Has the queue gone through for what was found out, until `stop` turns true.
pub(crate) async fn run(works: Arc<Works>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        works.unwelcome.forget(works.now());
        tokio::select! {
            () = works.unwelcome.news.notified() => {}
            () = tokio::time::sleep(FORGET_EVERY), if works.unwelcome.is_any() => continue,
            changed = stop.changed() => if changed.is_err() { return } else { continue },
        }
        let settings = works.settings();
        works.queue(|queue| queue.review(|flow, key| works.is_way_to(&settings, flow, key)));
        tokio::time::sleep(REVIEW_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_485_950_000);
    const MINUTE: Duration = Duration::from_secs(60);
    const SITE: &str = "mx1.b.test,mx2.b.test>mx3.b.test";

    fn address(last: u8) -> IpAddr {
        [203, 0, 113, last].into()
    }

    #[test]
    fn each_refusal_doubles_the_time_until_the_next_try_and_what_is_taken_ends_it() {
        let known = Unwelcome::default();
        let mut now = NOW;
        for minutes in [10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440] {
            assert!(known.refused(SITE, address(1), AROUND, now));
            let until = known.changes_at(SITE, now).unwrap();
            assert_eq!(until.since(now), MINUTE * minutes);
            // What comes from a session of before changes nothing.
            assert!(known.refused(SITE, address(1), AROUND, until - MINUTE));
            known.taken(SITE, address(1), until - MINUTE);
            assert!(known.goes_around(SITE, address(1), until - MINUTE));
            now = until;
            assert!(!known.goes_around(SITE, address(1), now));
        }
        known.taken(SITE, address(1), now);
        assert!(!known.is_any());
        known.refused(SITE, address(1), AROUND, now);
        assert_eq!(known.changes_at(SITE, now), Some(now + FIRST));
    }

    #[test]
    fn what_was_refused_long_ago_is_forgotten() {
        let known = Unwelcome::default();
        known.refused(SITE, address(1), AROUND, NOW);
        let later = NOW + FIRST + LONGEST + MINUTE;
        known.refused(SITE, address(1), AROUND, later);
        assert_eq!(known.changes_at(SITE, later), Some(later + FIRST));
        known.forget(later + FIRST + LONGEST);
        assert!(known.is_any());
        known.forget(later + FIRST + LONGEST + MINUTE);
        assert!(!known.is_any());
    }

    #[test]
    fn two_addresses_are_gone_around_at_a_receiver_and_no_third() {
        let known = Unwelcome::default();
        let refused = |n| known.refused(SITE, address(n), AROUND, NOW);
        assert_eq!([1, 2, 3].map(refused), [true, true, false]);
        assert_eq!(known.list(NOW).len(), 2);
        assert!(known.refused("mx.c.test", address(3), AROUND, NOW));
    }

    #[test]
    fn the_sites_of_a_large_receiver_are_one_and_so_are_those_that_differ_in_what_the_domain_asks_for() {
        assert_eq!(receiver("gmail-smtp-in.l.google.com>alt1.gmail-smtp-in.l.google.com"), "Google");
        assert_eq!(receiver("aspmx.l.google.com+sts"), "Google");
        assert_eq!(receiver("mx1.b.test,mx2.b.test+dnssec"), receiver("mx1.b.test,mx2.b.test"));
        assert_ne!(receiver("mx1.b.test"), receiver("mx1.c.test"));
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nobody_away_for_longer() {
        let known = Unwelcome::default();
        known.refused(SITE, address(1), AROUND, NOW);
        assert!(!known.goes_around(SITE, address(1), NOW - MINUTE * 600));
    }
}
