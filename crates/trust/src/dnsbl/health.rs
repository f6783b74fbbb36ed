//! Whether a list is alive and tells the truth: its test points (RFC 5782 §5).
//!
//! A list that died may have become empty, so that it finds nobody any more, or a wildcard,
//! so that it finds everybody. The pair tells both.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::list::{Holds, List, Subject};
use super::verdict::Verdict;
use crate::lookup::{Answer, Query};

/// Two questions whose answers are known beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestPoints {
    /// Has to be listed.
    pub listed: Query,
    /// Must not be.
    pub clean: Query,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Both answers are right: the list's verdicts count.
    Sound,
    /// It finds nothing, not even its test entry: emptied, or out of service.
    Empty,
    /// It finds what never is listed: it lists the world.
    Wildcard,
    /// It refuses us.
    Refused(String),
    /// It could not be found out.
    Unknown(String),
}

impl Health {
    /// What to say of the list; `None` if it is sound.
    pub fn complaint(&self) -> Option<String> {
        match self {
            Health::Sound => None,
            Health::Empty => Some("it does not find its own test entry, so it is empty or out of service".into()),
            Health::Wildcard => Some("it lists what must never be listed, so it lists everything".into()),
            Health::Refused(why) | Health::Unknown(why) => Some(why.clone()),
        }
    }
}

impl List {
    /// The test points of each kind of thing that the list holds: for IPv4, for IPv6, or for
    /// domains. `zone` is what [`super::Table::zone`] gave.
    pub fn test_points(&self, zone: &str) -> Vec<TestPoints> {
        let pair = |listed: Subject<'_>, clean: Subject<'_>| {
            Some(TestPoints { listed: self.query(zone, listed)?, clean: self.query(zone, clean)? })
        };
        if self.holds == Holds::Domains {
            let listed = self.test_listed.as_deref().unwrap_or("test");
            let clean = self.test_clean.as_deref().unwrap_or("invalid");
            return pair(Subject::Domain(listed), Subject::Domain(clean)).into_iter().collect();
        }
        let v4 = |last| Subject::Address(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)));
        let v4_pair = pair(v4(2), v4(1));
        // ::FFFF:7F00:2 is the mapped form of 127.0.0.2, asked as 32 nibbles all the same.
        let v6 = |last| {
            let name = crate::names::reverse::reversed(IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x7f00, last)));
            Query { name: format!("{name}.{zone}"), kind: crate::lookup::Kind::A }
        };
        let v6_pair = self.v6.then(|| TestPoints { listed: v6(2), clean: v6(1) });
        v4_pair.into_iter().chain(v6_pair).collect()
    }

    /// Judges the answers to one pair.
    pub fn health(&self, listed: &Answer, clean: &Answer) -> Health {
        match self.judge(clean) {
            Verdict::Refused(why) => return Health::Refused(why),
            Verdict::Unknown(why) if clean.addresses().is_empty() => return Health::Unknown(why),
            // A code that is not known, or an answer from outside 127/8, where there must be none.
            Verdict::Listed(_) | Verdict::Unknown(_) => return Health::Wildcard,
            Verdict::Clean { noted } if !noted.is_empty() => return Health::Wildcard,
            Verdict::Clean { .. } => {}
        }
        let is_loopback = |ip: &IpAddr| matches!(ip, IpAddr::V4(v4) if v4.is_loopback());
        match self.judge(listed) {
            Verdict::Refused(why) => Health::Refused(why),
            Verdict::Clean { noted } if noted.is_empty() => Health::Empty,
            Verdict::Listed(_) | Verdict::Clean { .. } => Health::Sound,
            // The test entry may have a code of its own.
            Verdict::Unknown(_) if !listed.addresses().is_empty() && listed.addresses().iter().all(is_loopback) => {
                Health::Sound
            }
            Verdict::Unknown(why) => Health::Unknown(why),
        }
    }
}
