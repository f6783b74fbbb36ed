//! The configuration as written, defaults filled in: one field a key, each with its place in
//! the file where a later check may have to point at it. Read only after `shape` found
//! nothing; what each key means stands in `schema`.

use std::net::IpAddr;
use std::path::PathBuf;

use repute_types::{Address, Domain};
use serde::Deserialize;
use toml::Spanned;

use super::value::{Endpoint, Octets, Pace, Range, Span};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Typed {
    pub hostname: Spanned<Domain>,
    pub state: PathBuf,
    pub user: Option<Spanned<String>>,
    #[serde(default)]
    pub egress: Vec<Spanned<Egress>>,
    #[serde(default)]
    pub domain: Vec<SendingDomain>,
    #[serde(default)]
    pub account: Vec<Spanned<Account>>,
    #[serde(default)]
    pub listener: Vec<Listener>,
    pub tls: Tls,
    pub web: Web,
    #[serde(default)]
    pub token: Vec<Token>,
    pub bulk: Bulk,
    #[serde(default)]
    pub route: Vec<Spanned<Route>>,
    #[serde(default)]
    pub site: Vec<Spanned<Site>>,
    pub resolver: Resolver,
    pub check: Check,
    pub lists: Lists,
    pub limits: Limits,
    pub retry: Retry,
    pub suppression: Suppression,
    pub r#return: Return,
    pub circuit: Circuit,
    pub permit: Permit,
    pub watch: Watch,
    pub history: History,
    pub log: Log,
    pub sendmail: Sendmail,
    #[serde(default)]
    pub webhook: Vec<Spanned<Webhook>>,
    pub events: Events,
    pub delivery: Delivery,
    pub tls_reports: TlsReports,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Egress {
    pub address: Vec<Spanned<IpAddr>>,
    pub ehlo: Option<Domain>,
    #[serde(default)]
    pub pool: Vec<Spanned<String>>,
    pub warm_up: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendingDomain {
    pub name: Spanned<Domain>,
    pub selectors: Option<Vec<Spanned<String>>>,
    pub return_path: Option<Spanned<Domain>>,
    pub pool: Option<Spanned<String>>,
    pub danger_unsigned: Spanned<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub name: Spanned<String>,
    pub password: Option<Spanned<String>>,
    pub password_file: Option<Spanned<PathBuf>>,
    pub scram: Option<Spanned<String>>,
    pub domains: Vec<Spanned<Domain>>,
    pub stream: Stream,
    pub private: bool,
    #[serde(default)]
    pub addresses: Vec<Spanned<Range>>,
    pub rate: Option<Pace>,
    pub brake: Option<u64>,
    pub replies: Option<Spanned<Address>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    Transactional,
    Bulk,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    pub kind: ListenerKind,
    pub address: Vec<Spanned<Endpoint>>,
    #[serde(default)]
    pub proxy_from: Vec<IpAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListenerKind {
    Submission,
    Submissions,
    Return,
    /// Those of [web], which the schema does not let a [[listener]] be.
    Http,
    Https,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    pub certificate: Option<Spanned<PathBuf>>,
    pub key: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Web {
    #[serde(default)]
    pub listen: Vec<Spanned<Endpoint>>,
    pub tls: Option<Spanned<bool>>,
    #[serde(default)]
    pub proxy_from: Vec<Spanned<IpAddr>>,
    pub url: Option<Spanned<String>>,
    pub imprint: Option<Spanned<String>>,
    pub imprint_file: Option<Spanned<PathBuf>>,
    pub requests_per_minute: u32,
    pub metrics: Spanned<MetricsFor>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    pub name: Spanned<String>,
    pub hash: Spanned<String>,
    pub account: Option<Spanned<String>>,
    pub allow: Vec<Spanned<Action>>,
    pub requests_per_minute: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Send,
    Read,
    Queue,
    Suppress,
    Operate,
    Metrics,
}

/// Who reads the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricsFor {
    Token,
    Loopback,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    pub list_unsubscribe: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    #[serde(default)]
    pub domains: Vec<Spanned<Domain>>,
    pub host: Spanned<String>,
    pub port: Option<u16>,
    pub tls: Option<Spanned<RouteTls>>,
    pub user: Option<Spanned<String>>,
    pub password: Option<Spanned<String>>,
    pub password_file: Option<Spanned<PathBuf>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteTls {
    None,
    Opportunistic,
    Required,
    Verified,
    Implicit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolver {
    pub resolver: ResolverKind,
    #[serde(default)]
    pub servers: Vec<Endpoint>,
    pub dnssec: bool,
    pub timeout: Span,
    #[serde(default)]
    pub roots: Vec<IpAddr>,
    pub trust_anchor: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResolverKind {
    Servers,
    Own,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    pub hosts: Vec<Domain>,
    pub echo: Vec<Domain>,
    pub clocks: Vec<Domain>,
    pub rdap: Spanned<String>,
    pub rpki: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lists {
    pub spamhaus: Option<Spanned<String>>,
    pub abusix: Option<Spanned<String>>,
    pub spamrats: Option<Spanned<String>>,
    pub file: Option<Spanned<PathBuf>>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub size: Spanned<SizeOrOctets>,
    pub recipients: usize,
    pub connections: usize,
    pub connections_per_client: usize,
    pub errors: u32,
    pub auth_failures: u32,
    pub auth_failures_per_client: u32,
    pub auth_window: Span,
    pub incoming_memory: Option<SizeOrOctets>,
    pub idle: Span,
    pub drain: Span,
    pub sessions: u32,
    pub sessions_per_site: u32,
    pub messages_per_session: u32,
    pub session_idle: Span,
    pub memory: Option<SizeOrOctets>,
    pub outgoing_memory: Option<SizeOrOctets>,
    pub hops: usize,
}

/// A size is a text with a unit, or a bare number of octets.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
pub enum SizeOrOctets {
    Number(u64),
    Text(Octets),
}

impl SizeOrOctets {
    pub fn octets(self) -> u64 {
        match self {
            SizeOrOctets::Number(n) | SizeOrOctets::Text(Octets(n)) => n,
        }
    }

    /// As a bound of what is held in memory.
    pub fn in_memory(self) -> usize {
        usize::try_from(self.octets()).unwrap_or(usize::MAX)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    pub first: Spanned<Span>,
    pub max_interval: Spanned<Span>,
    pub expire: Spanned<Span>,
    pub delay_notice: Spanned<Span>,
    pub pause: Spanned<Span>,
    pub max_pause: Span,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    pub unknown: Option<Span>,
    pub closed: Span,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Return {
    pub bounces: Span,
    pub unsubscribes: Span,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Circuit {
    pub window: Span,
    pub least: u64,
    pub unknown: u64,
    pub complaints: u64,
    pub spam: u64,
    pub brake: u64,
    pub brake_least: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permit {
    pub enforce: Spanned<bool>,
    pub assume: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    pub enabled: Spanned<bool>,
    pub connect: bool,
    pub mail_to: Option<Address>,
    pub keep: Span,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    pub keep: Span,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sendmail {
    pub account: Option<Spanned<String>>,
    #[serde(default)]
    pub users: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    #[serde(default)]
    pub hosts: Vec<Spanned<String>>,
    pub rate: Pace,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    pub dane: bool,
    pub mta_sts: bool,
    pub mx_port: u16,
    pub danger_allow_loopback: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsReports {
    pub enabled: bool,
    pub organisation: Option<String>,
    pub contact: Option<Address>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    pub name: Spanned<String>,
    pub url: Spanned<String>,
    #[serde(default)]
    pub secret: Vec<Spanned<String>>,
    pub secret_file: Option<Spanned<PathBuf>>,
    pub events: Option<Vec<String>>,
    pub account: Option<Spanned<String>>,
    pub batch: usize,
    pub batch_wait: Span,
    pub timeout: Span,
    pub connections: usize,
    pub allow_private: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    pub keep: Option<Span>,
    pub size: SizeOrOctets,
    pub file: Option<PathBuf>,
}
