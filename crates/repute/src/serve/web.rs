//! The HTTP face, from the configuration.

use std::collections::HashMap;
use std::sync::Arc;

use repute_engine::Engine;
use repute_hooks::Hooks;
use repute_metrics::Counters;
use repute_submission::TlsSource;
use repute_trust::records;
use repute_types::Domain;
use repute_web::{Action, Face, Limits, Services, Settings, Token, Transport};

use super::machine::Machine;
use super::ports::Port;
use crate::config::meant::{self, ListenerKind};
use crate::config::{Config, settings};
use crate::tokens;

pub fn face(
    config: &Config,
    engine: &Engine,
    hooks: Arc<Hooks>,
    counters: Arc<Counters>,
    machine: Arc<Machine>,
) -> anyhow::Result<Face> {
    let services = Services { door: engine.door(), control: engine.control(), hooks, counters, machine };
    Ok(Face::new(services, of(config)?, limits(config)))
}

/// How a port of HTTP is reached.
pub fn transport(port: &Port, tls: &TlsSource) -> Transport {
    let secure = port.kind == ListenerKind::Https;
    Transport { tls: tls.current().filter(|_| secure), proxies: port.proxy_from.iter().copied().collect() }
}

/// What a reload may change.
pub fn of(config: &Config) -> anyhow::Result<Settings> {
    let key = tokens::key(&config.state)?;
    let accounts: Accounts = config.accounts.iter().map(|account| (account.name.as_str(), account)).collect();
    Ok(Settings {
        tokens: config.tokens.iter().map(|token| self::token(token, &accounts, &key)).collect(),
        imprint: config.web.imprint.clone(),
        policies: policies(config),
        requests_per_minute: config.web.requests_per_minute,
        local_metrics: config.web.metrics == meant::MetricsFor::Loopback,
    })
}

/// By name: there may be thousands of them, and as many tokens.
type Accounts<'a> = HashMap<&'a str, &'a meant::Account>;

fn token(token: &meant::Token, accounts: &Accounts, key: &[u8; 32]) -> Token {
    let action = |action: &meant::Action| match action {
        meant::Action::Send => Action::Send,
        meant::Action::Read => Action::Read,
        meant::Action::Queue => Action::Queue,
        meant::Action::Suppress => Action::Suppress,
        meant::Action::Operate => Action::Operate,
        meant::Action::Metrics => Action::Metrics,
    };
    let account = token.account.as_ref().and_then(|name| accounts.get(name.as_str()));
    Token {
        name: token.name.clone(),
        hash: token.hash,
        signing_secret: tokens::signing_secret(key, &token.hash),
        account: account.map(|account| settings::who(account)),
        actions: token.allow.iter().map(action).collect(),
        requests_per_minute: token.requests_per_minute,
    }
}

/// Mail to a return path comes to this server, so that its policy is ours to say; that of any
/// other domain is not.
fn policies(config: &Config) -> Vec<(Domain, String)> {
    let paths = config.domains.iter().filter_map(|domain| domain.return_path.as_ref());
    let hosts = paths.filter_map(|path| Domain::parse(&format!("mta-sts.{path}")).ok());
    hosts.map(|host| (host, records::mta_sts_policy(&config.hostname))).collect()
}

fn limits(config: &Config) -> Limits {
    let size = config.limits.message();
    Limits {
        // A message in base64, and what stands around it.
        body: size.saturating_add(size / 5 * 2).saturating_add(1 << 20),
        message: size,
        bodies: config.limits.incoming(),
        recipients: config.limits.recipients,
        connections: config.limits.connections,
        connections_per_client: config.limits.connections_per_client,
        drain: config.limits.drain.0,
        ..Limits::default()
    }
}
