//! The words of the control socket. Each request carries its version in its name; what it
//! says is the works' own question (`repute_engine::control`), the answer is JSON.

use repute_engine::bulk::CheckAddresses;
use repute_engine::bulk::words::{Add, Begin, Row};
use repute_engine::control::Selector;
use repute_engine::permit::operator::Say;
use repute_hooks::EventId;
use repute_ledger::suppression::{Entry, Query, Selection};
use repute_types::{Address, Domain, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    ListV1 {
        selector: Selector,
        limit: usize,
    },
    HoldV1 {
        selector: Selector,
        reason: String,
    },
    ReleaseV1 {
        selector: Selector,
    },
    RetryV1 {
        selector: Selector,
    },
    CancelV1 {
        selector: Selector,
        who: String,
    },
    WhyV1 {
        about: String,
        limit: usize,
    },
    StatusV1 {},
    FirstMessageV1 {
        domain: Domain,
        to: Address,
    },
    CircuitListV1 {},
    CircuitContinueV1 {
        name: String,
        who: String,
    },
    CircuitCancelV1 {
        name: String,
        who: String,
    },
    HabitsV1 {},
    TlsSessionsV1 {
        domain: Option<Domain>,
        yesterday: bool,
        limit: usize,
    },
    ExpectV1 {
        account: String,
        seconds: u64,
    },
    SuppressionListV1 {
        query: Box<Query>,
    },
    SuppressV1 {
        entries: Vec<Entry>,
    },
    ReleaseSuppressedV1 {
        selection: Box<Selection>,
        all: bool,
    },
    PermitsV1 {},
    SayV1(Say),
    /// All that permits need, where no check is named.
    RecheckV1 {
        checks: Vec<String>,
    },
    /// The open ones, and so many of the closed.
    IncidentsV1 {
        closed: usize,
    },
    TrustV1 {
        since: Timestamp,
        limit: usize,
    },
    BulkBeginV1(Begin),
    BulkAddV1(Add),
    BulkLaunchV1 {
        campaign: String,
    },
    BulkPauseV1 {
        campaign: String,
        reason: String,
    },
    BulkResumeV1 {
        campaign: String,
    },
    BulkCancelV1 {
        campaign: String,
    },
    BulkShowV1 {
        campaign: String,
    },
    BulkListV1 {},
    BulkMayBeginV1(Begin),
    BulkPreviewV1 {
        begin: Begin,
        rows: Vec<Row>,
    },
    BulkCheckAddressesV1(CheckAddresses),
    BulkCheckDomainsV1 {
        domains: Vec<Domain>,
    },
    EventsV1 {
        since: EventsSince,
        account: Option<String>,
        types: Vec<String>,
        wait: u64,
    },
    WebhookListV1 {},
    WebhookShowV1 {
        name: String,
    },
    WebhookTestV1 {
        name: String,
    },
    WebhookRedeliverV1 {
        name: String,
        selection: repute_hooks::Selection,
    },
    WebhookPauseV1 {
        name: String,
    },
    WebhookResumeV1 {
        name: String,
    },
}

/// Where a reader of events begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventsSince {
    Now,
    Start,
    After(EventId),
    Time(Timestamp),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Ok(serde_json::Value),
    /// A sentence with its cure.
    Error(String),
}

/// The longest line that a server reads: a letter with its attachments.
pub const LONGEST_REQUEST: usize = 16 << 20;
