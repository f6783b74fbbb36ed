//! What a run asks through, and what it knows of this machine and of runs before.

use std::net::IpAddr;
use std::sync::Arc;

use repute_dns::Inspect;
use repute_net::Network;
use repute_trust::checks::asked::Asked;
use repute_trust::checks::left::Ignored;
use repute_trust::checks::machine::Interface;
use repute_trust::checks::reported::Reported;
use repute_trust::checks::sent::{Day, OwnCertificate};
use repute_trust::checks::spf::Permits;
use repute_trust::checks::watched::Watched;
use repute_trust::setup::Setup;
use repute_types::{Domain, Timestamp};

use crate::Remembered;

/// Whoever only asks DNS hands in that alone: checks that need more are left out then.
#[derive(Clone)]
pub struct Doors {
    pub dns: Arc<dyn Inspect>,
    /// `None`: nobody is connected to.
    pub network: Option<Arc<dyn Network>>,
    /// `None`: nothing is said about this machine, the history and earlier runs.
    pub own: Option<Arc<Own>>,
    /// What black lists said in earlier runs of this process; `None`: every list is asked.
    pub remembered: Option<Arc<Remembered>>,
}

impl From<Arc<dyn Inspect>> for Doors {
    fn from(dns: Arc<dyn Inspect>) -> Doors {
        Doors { dns, network: None, own: None, remembered: None }
    }
}

impl<T: Inspect> From<Arc<T>> for Doors {
    fn from(dns: Arc<T>) -> Doors {
        Doors { dns, network: None, own: None, remembered: None }
    }
}

/// This machine, its history, and what earlier runs kept.
#[derive(Clone, Debug)]
pub struct Own {
    /// IPv6 addresses of the interfaces; `Err` says why they are not known.
    pub interfaces: Result<Vec<Interface>, String>,
    /// Lines of /etc/hosts.
    pub hosts: Vec<(IpAddr, Vec<String>)>,
    /// When each key was made: domain, selector, time.
    pub keys: Vec<(Domain, String, Timestamp)>,
    /// An address of ours at each return path, to which a bounce may come.
    pub bounce: Vec<(Domain, String)>,
    /// The certificate of the listeners; `None` for one that the server made itself.
    pub certificate: Option<Result<OwnCertificate, String>>,
    /// The mail of the last day; `None`: nothing was ever sent, for there is no history.
    pub day: Option<Result<Day, String>>,
    /// What was reported of mail in our name in the last week; `None`: no report ever came.
    pub reported: Option<Result<Vec<Reported>, String>>,
    /// Who left and was written to; `None`: nobody ever left.
    pub left: Option<Result<(usize, Vec<Ignored>), String>>,
    /// What of that which other domains ask of mail to them is kept; `None`: it is not known.
    pub asked: Option<Asked>,
    /// Whether the running server watches, and whom it tells; `None`: it is not known.
    pub watched: Option<Watched>,
    pub kept: Kept,
}

impl Default for Own {
    fn default() -> Own {
        Own {
            interfaces: Err("not looked at".into()),
            hosts: Vec::new(),
            keys: Vec::new(),
            bounce: Vec::new(),
            certificate: None,
            day: None,
            reported: None,
            left: None,
            asked: None,
            watched: None,
            kept: Kept::default(),
        }
    }
}

/// What one run keeps for the next, beside its findings.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Kept {
    /// Since when mail leaves from each address, and when it last did.
    pub addresses: Vec<(IpAddr, Timestamp, Timestamp)>,
    /// EHLO names that were said, and when last.
    pub said: Vec<(IpAddr, Domain, Timestamp)>,
    /// What the includes of each identity permit.
    pub permits: Vec<(Domain, Permits)>,
    /// Listed addresses around each of ours, of how many asked, and when.
    pub neighbours: Vec<(IpAddr, usize, usize, Timestamp)>,
}

/// What is older is forgotten: 30 days for what is compared, so the lists stay short.
const KEEP: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);

impl Kept {
    /// What is kept after a run that started from `self`: addresses and names as of now, what the
    /// run found out (`found`) in place of what was known.
    pub fn after(&self, setup: &Setup, found: Kept, now: Timestamp) -> Kept {
        let mut kept = self.clone();
        for source in setup.sources() {
            match kept.addresses.iter_mut().find(|(ip, ..)| *ip == source.address) {
                Some((_, _, last)) => *last = now,
                None => kept.addresses.push((source.address, now, now)),
            }
            match kept.said.iter_mut().find(|(ip, name, _)| *ip == source.address && *name == source.ehlo) {
                Some((.., last)) => *last = now,
                None => kept.said.push((source.address, source.ehlo, now)),
            }
        }
        for (identity, permits) in found.permits {
            kept.permits.retain(|(of, _)| *of != identity);
            kept.permits.push((identity, permits));
        }
        for counted in found.neighbours {
            kept.neighbours.retain(|(ip, ..)| *ip != counted.0);
            kept.neighbours.push(counted);
        }
        kept.addresses.retain(|(.., last)| now.since(*last) < KEEP);
        kept.said.retain(|(.., last)| now.since(*last) < KEEP);
        kept.neighbours.retain(|(.., at)| now.since(*at) < KEEP);
        kept
    }
}
