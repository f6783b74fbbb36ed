//! What an attempt is bound by: times, ports, and who we are.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use repute_types::{Domain, Stage};

use crate::sts::Policies;
use crate::{HostMemory, Tally};

#[derive(Clone, Debug)]
pub struct DeliverySettings {
    pub timeouts: Timeouts,
    /// Mail may go to loopback and "this network" addresses; for tests and the playground.
    pub danger_allow_loopback: bool,
    /// The port of MX hosts: 25, except in tests.
    pub mx_port: u16,
    /// Names of this server: an MX that bears one is ourselves (RFC 5321 §5.1).
    pub own_names: Vec<Domain>,
    /// Addresses that this server listens on for mail from others; each egress's own is
    /// known without being here.
    pub own_addresses: Vec<IpAddr>,
    /// What was learnt about hosts. A clone shares it, so that it outlives a reload.
    pub memory: HostMemory,
    /// Hosts that DNSSEC vouches for are asked for TLSA records (RFC 7672).
    pub dane: bool,
    /// The MTA-STS policies of domains (RFC 8461); `None`: nobody's is asked for.
    pub policies: Option<Arc<Policies>>,
    /// Where sessions are counted for reports (RFC 8460); `None`: nowhere.
    pub tally: Option<Arc<Tally>>,
}

impl Default for DeliverySettings {
    fn default() -> DeliverySettings {
        DeliverySettings {
            timeouts: Timeouts::default(),
            danger_allow_loopback: false,
            mx_port: 25,
            own_names: Vec::new(),
            own_addresses: Vec::new(),
            memory: HostMemory::default(),
            dane: true,
            policies: None,
            tally: None,
        }
    }
}

/// How long each step may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// No RFC number: a host that does not answer five SYNs in 30 s will not, and a session's
    /// place is worth more than the last percent.
    pub connect: Duration,
    /// No RFC number: after this no further address of a site is begun, so that hosts which
    /// answer slowly, one after the other, do not keep a session's place for an hour.
    pub opening: Duration,
    /// RFC 5321 §4.5.3.2.1.
    pub greeting: Duration,
    /// EHLO, STARTTLS, RSET: what RFC 5321 gives MAIL.
    pub command: Duration,
    /// No RFC number: two round trips and some arithmetic; a server that takes longer is broken.
    pub handshake: Duration,
    /// RFC 4954 §4: as any command, and directories are slow.
    pub auth: Duration,
    /// RFC 5321 §4.5.3.2.2.
    pub mail: Duration,
    /// RFC 5321 §4.5.3.2.3.
    pub rcpt: Duration,
    /// RFC 5321 §4.5.3.2.4.
    pub data: Duration,
    /// RFC 5321 §4.5.3.2.5: for each piece that is written, not for the whole content.
    pub block: Duration,
    /// RFC 5321 §4.5.3.2.6.
    pub end_of_data: Duration,
    /// No RFC number: nothing depends on the reply to QUIT.
    pub quit: Duration,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(30),
            opening: 10 * MINUTE,
            greeting: 5 * MINUTE,
            command: 5 * MINUTE,
            handshake: MINUTE,
            auth: 5 * MINUTE,
            mail: 5 * MINUTE,
            rcpt: 5 * MINUTE,
            data: 2 * MINUTE,
            block: 3 * MINUTE,
            end_of_data: 10 * MINUTE,
            quit: Duration::from_secs(5),
        }
    }
}

impl Timeouts {
    /// How long the reply that decides a stage is waited for.
    pub(crate) fn reply(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Queue | Stage::Route | Stage::Connect => self.connect,
            Stage::Greeting => self.greeting,
            Stage::Ehlo | Stage::StartTls => self.command,
            Stage::Auth => self.auth,
            Stage::Mail => self.mail,
            Stage::Rcpt => self.rcpt,
            Stage::Data => self.data,
            Stage::Body => self.end_of_data,
        }
    }
}
