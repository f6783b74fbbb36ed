//! The permit at work: mail leaves directly only where it may.
//!
//! What is known of each check is kept by `repute_trust::permit` and judged there; here it is
//! gathered while the server runs ([`watch`]), kept in the ledger ([`board`]), and turned into a
//! table that the dispatch loop and each session ask ([`gate`]): which ways out mail of a sender
//! may take ([`way`]). When the table changes, the queue looks again at what waits; no part is
//! touched or written for it.

pub(crate) mod board;
pub(crate) mod gate;
pub(crate) mod incidents;
pub mod operator;
pub(crate) mod schedule;
pub(crate) mod watch;
pub(crate) mod way;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use repute_dns::Inspect;
use repute_ledger::Trust;
use repute_net::Network;
use repute_trust::checks::Finding;
use repute_trust::dnsbl::{Keys, Table};
use repute_types::{Address, Domain, Timestamp};

/// What permits and the watch need of the world.
#[derive(Clone)]
pub struct TrustDoors {
    /// Without a cache of its own: an answer that was kept is no second answer.
    pub dns: Arc<dyn Inspect>,
    /// For the checks that connect to mail servers; `None` makes none of them.
    pub network: Option<Arc<dyn Network>>,
    pub store: Arc<Trust>,
    /// Checks of what only the program knows, such as its certificate; each is told when it is due.
    pub own: Option<OwnChecks>,
}

/// What is found at a time, without asking anybody.
pub type OwnChecks = Arc<dyn Fn(Timestamp) -> Vec<Finding> + Send + Sync>;

#[derive(Clone, Debug)]
pub struct PermitSettings {
    /// Mail without a permit waits. Otherwise it is only told of.
    pub enforce: bool,
    /// Checks, or groups of them, that are taken as passed.
    pub assume: Vec<String>,
    /// Checks are repeated while the server runs.
    pub watch: bool,
    /// Checks that connect to mail servers are repeated too.
    pub connect: bool,
    /// Mail hosts that everybody knows, by which it is seen whether and from which address mail can leave.
    pub hosts: Vec<Domain>,
    /// Where mail hosts listen.
    pub mx_port: u16,
    /// Who is written to when something breaks.
    pub mail_to: Option<Address>,
    /// The addresses that the operating system chooses, where no egress is named.
    pub chosen: Vec<IpAddr>,
    /// The black lists that are asked, and keys to those that want one.
    pub table: Arc<Table>,
    pub keys: Arc<Keys>,
    /// How long the history of trust is kept.
    pub keep: Duration,
}

impl Default for PermitSettings {
    fn default() -> PermitSettings {
        PermitSettings {
            enforce: true,
            assume: Vec::new(),
            watch: true,
            connect: true,
            hosts: Vec::new(),
            mx_port: 25,
            mail_to: None,
            chosen: Vec::new(),
            table: Arc::new(Table::shipped().clone()),
            keys: Arc::default(),
            keep: Duration::from_secs(400 * 24 * 3600),
        }
    }
}
