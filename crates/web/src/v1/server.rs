//! The server itself: what it does, what it sends as, and from where.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use repute_engine::{PaceRow, UnwelcomeRow, WarmUpRow};
use serde::Serialize;
use utoipa::ToSchema;

use super::circuits::{self, Circuit};
use super::permits::CheckResult;
use super::problems::Reading;
use crate::app::App;
use crate::problem::Problem;
use crate::rights::{By, Reads};

/// What the server is doing. A token of an account sees what of it is that account's: its circuits. What sites and rates
/// do, all accounts share.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct ServerStatus {
    /// Parts of messages that wait; null for a token of an account, as the next two.
    queued: Option<usize>,
    /// Of those: parts that wait for a permit.
    barred: Option<usize>,
    /// Connections to receivers.
    sessions: Option<u32>,
    /// None for a token of an account.
    sites: Vec<Site>,
    /// How far addresses have come that receivers do not know yet; none for a token of an account.
    warm_up: Vec<WarmUp>,
    /// Addresses that a receiver refused, and that mail to it goes around for a while; none for a token of an account.
    unwelcome: Vec<Unwelcome>,
    /// Accounts and campaigns whose mail is stopped, of the token's account where it has one.
    circuits: Vec<Circuit>,
}

/// A site (domains that share their MX hosts) as it is reached from one egress.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Site {
    site: String,
    egress: u16,
    /// The egress by its name; where mail leaves from one of its addresses alone, which family that is of.
    #[schema(example = "203.0.113.10")]
    from: String,
    /// Parts that could be sent now.
    ready: usize,
    sessions: u32,
    /// Sessions that there may be.
    window: u32,
    #[schema(format = DateTime)]
    paused_until: Option<String>,
    /// The rate that it keeps to, where it has one.
    pace: Option<Pace>,
}

/// An address that warms up, with one receiver.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WarmUp {
    #[schema(example = "203.0.113.10")]
    egress: String,
    /// A large receiver, or else a site.
    #[schema(example = "Google")]
    receiver: String,
    /// From 1; beyond `steps` it is warm.
    step: u16,
    steps: u16,
    /// Messages a day; null where it is warm.
    number: Option<u32>,
    /// Messages since midnight (UTC).
    sent: u64,
    /// Of those: put off or refused because of the address, or taken for spam.
    slowed: u64,
    /// Complaints since midnight (UTC), about messages of any day.
    complaints: u64,
}

impl From<WarmUpRow> for WarmUp {
    fn from(row: WarmUpRow) -> WarmUp {
        let WarmUpRow { egress, receiver, step, steps, number, sent, slowed, complaints } = row;
        WarmUp { egress, receiver, step, steps, number, sent, slowed, complaints }
    }
}

/// An address of ours that a receiver takes no mail from.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Unwelcome {
    #[schema(example = "203.0.113.10")]
    address: String,
    /// A large receiver, or else a site.
    #[schema(example = "Google")]
    receiver: String,
    /// When it is tried again.
    #[schema(format = DateTime)]
    until: String,
}

impl From<UnwelcomeRow> for Unwelcome {
    fn from(row: UnwelcomeRow) -> Unwelcome {
        Unwelcome { address: row.address.to_string(), receiver: row.receiver, until: row.until.to_string() }
    }
}

/// The rate that a site keeps to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Pace {
    /// The hosts that it is for, or the site.
    name: String,
    #[schema(example = "100/m")]
    rate: String,
    /// Parts that could be sent now, of all sites that share it.
    ready: usize,
    /// When the last of them will have gone.
    #[schema(format = DateTime)]
    all_by: String,
}

impl From<PaceRow> for Pace {
    fn from(row: PaceRow) -> Pace {
        Pace { name: row.name, rate: row.rate, ready: row.ready, all_by: row.all_by.to_string() }
    }
}

/// What the server is doing
#[utoipa::path(get, path = "/v1/status", operation_id = "showStatus", tag = "server",
    responses((status = 200, description = "Queue, sessions, sites, and what is stopped", body = ServerStatus), Reading))]
pub(crate) async fn status(State(app): State<Arc<App>>, caller: By<Reads>) -> Result<Answer<ServerStatus>, Problem> {
    let circuits = circuits::seen(&app, &caller);
    if caller.account().is_some() {
        return Ok(Answer(ServerStatus { circuits, ..ServerStatus::default() }));
    }
    let status = app.control.status();
    let site = |lane: repute_engine::control::LaneRow| Site {
        site: lane.site,
        egress: lane.egress,
        from: lane.from,
        ready: lane.ready,
        sessions: lane.sessions,
        window: lane.window,
        paused_until: lane.paused_until.map(|at| at.to_string()),
        pace: lane.pace.map(Pace::from),
    };
    Ok(Answer(ServerStatus {
        queued: Some(status.queued),
        barred: Some(status.barred),
        sessions: Some(status.sessions),
        sites: status.lanes.into_iter().map(site).collect(),
        warm_up: status.warm_up.into_iter().map(WarmUp::from).collect(),
        unwelcome: status.unwelcome.into_iter().map(Unwelcome::from).collect(),
        circuits,
    }))
}

/// A domain that mail is sent as.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SendingDomain {
    #[schema(example = "example.com")]
    name: String,
    /// Whether mail can be sent as it: it has a key.
    usable: bool,
    return_path: Option<String>,
    /// The DNS records that it needs.
    records: Vec<Record>,
    /// What the watch has found about it so far.
    checks: Vec<CheckResult>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Record {
    #[schema(example = "s1._domainkey.example.com")]
    name: String,
    #[schema(example = "TXT")]
    kind: String,
    value: String,
    /// What it is for.
    purpose: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Domains {
    domains: Vec<SendingDomain>,
}

/// List the domains that mail is sent as, with their records and check results
///
/// Those of the token's account; all without one.
#[utoipa::path(get, path = "/v1/domains", operation_id = "listDomains", tag = "server",
    responses((status = 200, description = "Domains, the records that they need, and what was found", body = Domains), Reading))]
pub(crate) async fn domains(State(app): State<Arc<App>>, caller: By<Reads>) -> Result<Answer<Domains>, Problem> {
    let found = app.control.domains().into_iter().filter(|domain| caller.sees(&domain.name));
    let checks = app.control.checks();
    let about = |name: &repute_types::Domain| {
        let rows = checks.iter().filter(|row| row.domain.as_ref() == Some(name));
        rows.cloned().map(CheckResult::from).collect()
    };
    let record = |record: repute_engine::control::DomainRecord| Record {
        name: record.name.to_string(),
        kind: record.kind,
        value: record.value,
        purpose: record.purpose.to_owned(),
    };
    let domains = found.map(|domain| SendingDomain {
        checks: about(&domain.name),
        name: domain.name.to_string(),
        usable: domain.usable,
        return_path: domain.return_path.map(|path| path.to_string()),
        records: domain.records.into_iter().map(record).collect(),
    });
    Ok(Answer(Domains { domains: domains.collect() }))
}

/// An address that mail leaves from.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EgressView {
    /// Said in EHLO.
    ehlo: String,
    ipv4: Option<String>,
    ipv6: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Egresses {
    egresses: Vec<EgressView>,
}

/// List the addresses that mail leaves from
///
/// Those that mail of the token's account may leave from; all without one.
#[utoipa::path(get, path = "/v1/egress", operation_id = "listEgress", tag = "server",
    responses((status = 200, description = "Addresses and their EHLO names", body = Egresses), Reading))]
pub(crate) async fn egress(State(app): State<Arc<App>>, caller: By<Reads>) -> Result<Answer<Egresses>, Problem> {
    let view = |egress: repute_engine::control::EgressRow| EgressView {
        ehlo: egress.ehlo.to_string(),
        ipv4: egress.v4.map(|ip| ip.to_string()),
        ipv6: egress.v6.map(|ip| ip.to_string()),
    };
    let found = match &caller.token.account {
        Some(account) => app.control.egresses_of(&account.domains),
        None => app.control.egresses(),
    };
    Ok(Answer(Egresses { egresses: found.into_iter().map(view).collect() }))
}
