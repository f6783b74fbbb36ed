//! The server put together: ports, doors, works, listeners, the control socket; and taken
//! apart again in an order that loses nothing.
//!
//! [`start`] is all of it but root, systemd and signals, which are `commands::serve`'s.
//! Starting steps: sockets are open before anything of the state folder is touched; the spool
//! is open before a client is answered. Stopping steps: listeners take nothing new and finish
//! what they have; the works end the attempts under way; spool, history and log are written
//! out, in that order, since each reads what the one before it says.

mod incidents;
mod machine;
mod missed;
pub mod outside;
pub mod ports;
pub mod reload;
pub mod renewal;
pub mod user;
mod web;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use repute_delivery::sts::PolicyHosts;
use repute_delivery::{HostMemory, Tally};
use repute_dns::{DnsSettings, HickoryResolver, Resolver};
use repute_engine::permit::TrustDoors;
use repute_engine::{Begin, Doors, Engine, policies};
use repute_feedback::Tokens;
use repute_ledger::requests::{RequestOptions, Requests};
use repute_ledger::{
    Circuits, History, HistoryOptions, KeptPolicies, Reports, ReportsOptions, Returned, ReturnedOptions, Suppressions,
    TlsSessions, Trust, WarmUps,
};
use repute_metrics::Counters;
use repute_net::{Network, TcpNetwork, TlsClient};
use repute_spool::sqlite::{self, Idle};
use repute_spool::{OpenError, Spool, SqliteSpool};
use repute_submission::{Limits, ListenerConfig, LocalListener, SharedBounds, SharedLimits, TlsSource};
use repute_types::event::{EventSink as _, Level};
use repute_types::{Clock as _, Event, EventKind, SystemClock, SystemRandom};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::meant::{Config, ListenerKind};
use crate::config::settings;
use crate::control;
use crate::log::{FanOut, Log};
use crate::resolver;
use crate::state;
use crate::tls::{self, Certificate, SelfSigned};

use self::machine::Machine;
use self::outside::Outside;
use self::ports::Port;
use self::renewal::Renewal;

/// What conversations on the local sockets may take beyond the drain to say their last words.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// A command that reads the queue while no server runs has it open for so long at most, but for enormous ones.
const SPOOL_PATIENCE: Duration = Duration::from_secs(20);
/// After so long it is told that this is waited for: it may be another server.
const SPOOL_SILENCE: Duration = Duration::from_millis(500);

pub struct Running {
    config: Config,
    engine: Engine,
    addresses: Vec<(ListenerKind, SocketAddr)>,
    /// Those of the network and the two local sockets.
    listeners: JoinSet<()>,
    stop_listeners: watch::Sender<bool>,
    sendmail: Arc<control::sendmail::Service>,
    web: repute_web::Face,
    certificate: Arc<Certificate>,
    renewal: Renewal,
    history: Arc<History>,
    outside: Outside,
    known: settings::Known,
    machine: Arc<Machine>,
    log: Arc<Log>,
}

/// Starts a server in this process, as the user it is.
pub async fn start(config: Config, log: Arc<Log>) -> anyhow::Result<Running> {
    user::prepare_state(&config, None)?;
    let ports = ports::open(&config.listeners)?;
    begin(config, ports, log, Begin::GoesOn, None).await
}

/// Starts a server on sockets that are open already; who of its threads is idle is known where it has a runtime of its own.
pub async fn begin(
    config: Config,
    ports: Vec<Port>,
    log: Arc<Log>,
    how: Begin,
    idle: Option<Arc<Idle>>,
) -> anyhow::Result<Running> {
    let control_socket = control::server::bind(&config.state)?;
    let sendmail_socket = control::sendmail::bind(&config.state)?;
    let certificate = certificate(&config)?;
    let tls = TlsSource::new(Some(certificate.server_config()?));
    let history = open_history(&config)?;
    let feed = outside::open_feed(&config)?;
    let trust = Arc::new(Trust::open(&state::trust(&config.state))?);
    let counters = Arc::new(Counters::default());
    let readers = FanOut { counters: counters.clone(), log: log.clone(), feed: feed.clone(), history: history.clone() };
    let mut doors = doors(&config, &log, Arc::new(readers), &trust, idle)?;
    if let Some(trust) = &mut doors.trust {
        trust.own = Some(renewal::checks(certificate.clone(), config.hostname.clone()));
    }
    let missed = missed::tell(&feed, &history, &*doors.spool).await?;
    let spool = doors.spool.clone();
    let outside = Outside::start(&config, feed, doors.events.clone(), trust).await?;
    let known = known(&config, &doors)?;
    let engine = Engine::begin(doors, settings::of(&config, &known), how).await.context("the works cannot start")?;
    let (stop_listeners, stopping) = watch::channel(false);
    let shared = SharedLimits::new(SharedBounds {
        connections: config.limits.connections,
        connections_per_client: config.limits.connections_per_client,
        content_octets: config.limits.incoming(),
        auth_failures: config.limits.auth_failures_per_client,
        auth_window: config.limits.auth_window.0,
    });
    let machine = Arc::new(Machine::new(config.state.clone(), certificate.clone()));
    let web = web::face(&config, &engine, outside.hooks.clone(), counters, machine.clone())?;
    let mut listeners = JoinSet::new();
    if let Some(rest) = missed {
        let (scheduled, history, mut stopping) = (engine.scheduled(), history.clone(), stopping.clone());
        listeners.spawn(async move {
            tokio::select! {
                () = rest.tell(scheduled, history, spool) => {}
                _ = stopping.changed() => {}
            }
        });
    }
    let addresses = ports.iter().map(|p| (p.kind, p.address)).collect();
    for port in ports {
        let Some(listener) = listener(&config, &port, &tls) else {
            let transport = web::transport(&port, &tls);
            let (face, stopping) = (web.clone(), stopping.clone());
            listeners.spawn(async move {
                let _ = repute_web::serve(port.socket, face, transport, stopping).await;
            });
            continue;
        };
        let (door, shared, stopping) = (engine.door(), shared.clone(), stopping.clone());
        listeners.spawn(async move {
            // It fails only where the socket cannot be used at all, which binding has shown.
            let _ = repute_submission::serve(port.socket, listener, door, shared, stopping).await;
        });
    }
    let (name, bounds) = (config.hostname.clone(), limits(&config));
    let local = LocalListener::new(name, bounds, engine.door(), shared, stopping.clone());
    let sendmail = control::sendmail::Service::new(local, &config);
    let within = config.limits.drain.0 + LAST_WORDS;
    let (door, stop) = (engine.door(), stopping.clone());
    listeners.spawn(control::sendmail::serve(sendmail_socket, sendmail.clone(), door.clone(), stop, within));
    let services = control::server::Services {
        control: engine.control(),
        door,
        hooks: outside.hooks.clone(),
        followers: Arc::new(control::events::places()),
    };
    listeners.spawn(control::server::serve(control_socket, services, stopping, within));
    Ok(Running {
        config,
        engine,
        addresses,
        listeners,
        stop_listeners,
        sendmail,
        web,
        certificate,
        renewal: Renewal::default(),
        history,
        outside,
        known,
        machine,
        log,
    })
}

impl Running {
    /// Where it listens, ports no longer 0, in the order of the configuration.
    pub fn addresses(&self) -> &[(ListenerKind, SocketAddr)] {
        &self.addresses
    }

    /// Serves a certificate that was renewed on disk since the last look.
    pub fn renew(&mut self) {
        if let Some(files) = &self.config.tls
            && let Some(kind) = self.renewal.look(files, &self.certificate, &self.config.hostname)
        {
            self.log.record(&Event { at: SystemClock.now(), kind });
        }
    }

    /// Takes nothing new, finishes what is under way within a deadline, writes everything out.
    pub async fn stop(mut self) {
        let _ = self.stop_listeners.send(true);
        while self.listeners.join_next().await.is_some() {}
        let drain = self.config.limits.drain.0;
        match self.engine.stop(drain).await {
            Ok(true) => {}
            Ok(false) => warn(&self.log, over_deadline(drain)),
            Err(error) => {
                self.log.say(&format!("repute: the spool could not be written out: {error}; mail may go twice\n"));
            }
        }
        for socket in [state::control_socket(&self.config.state), state::sendmail_socket(&self.config.state)] {
            let _ = std::fs::remove_file(socket);
        }
        self.outside.stop().await;
        let history = self.history.clone();
        // The flush blocks until the history's thread has written. What the disk refuses is tried once more at the end.
        let _ = tokio::task::spawn_blocking(move || history.flush_within(LAST_WORDS)).await;
    }
}

/// What did not end in time is tried again at the next start.
fn over_deadline(drain: Duration) -> String {
    let seconds = drain.as_secs();
    format!(
        "attempts under way did not end within {seconds} s (`drain` in [limits]) and were broken off: they are made \
         again at the next start, and a receiver that had the message already gets it twice"
    )
}

fn warn(log: &Log, text: String) {
    log.record(&Event { at: SystemClock.now(), kind: EventKind::Note { level: Level::Warning, what: "stop", text } });
}

/// The certificate of the configuration, else the self-signed one of the state folder.
fn certificate(config: &Config) -> anyhow::Result<Arc<Certificate>> {
    Ok(Certificate::new(load_certificate(config)?))
}

fn load_certificate(config: &Config) -> anyhow::Result<Arc<rustls::sign::CertifiedKey>> {
    if let Some(loaded) = config.tls.as_ref().and_then(|files| files.loaded.clone()) {
        return Ok(loaded);
    }
    let files = SelfSigned::of(&config.state);
    files.make(&config.hostname)?;
    let read = |path: &std::path::Path| {
        std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
    };
    let (chain, key) = (read(&files.certificate)?, read(&files.key)?);
    tls::certified_key(&chain, &key).map_err(|wrong| {
        anyhow::anyhow!("{}: {}; delete it and a new one is made", files.certificate.display(), wrong.what)
    })
}

fn open_history(config: &Config) -> anyhow::Result<Arc<History>> {
    let options = HistoryOptions { retention: config.history_keep, ..HistoryOptions::default() };
    Ok(Arc::new(History::open(&state::history(&config.state), options)?))
}

fn spool(config: &Config, log: &Log, events: &FanOut, idle: Option<Arc<Idle>>) -> Result<SqliteSpool, OpenError> {
    let folder = state::spool(&config.state);
    let open = |patience| {
        let (told, idle) = (outside::told(&events.feed), idle.clone());
        SqliteSpool::open(&folder, sqlite::Options { told, idle, patience, ..sqlite::Options::default() })
    };
    match open(SPOOL_SILENCE) {
        Err(OpenError::InUse { path }) => {
            let (path, seconds) = (path.display(), SPOOL_PATIENCE.as_secs());
            log.say(&format!(
                "repute: another process uses the spool {path}: waiting for up to {seconds} s, in case it is a command that ends\n"
            ));
            open(SPOOL_PATIENCE)
        }
        opened => opened,
    }
}

fn doors(
    config: &Config,
    log: &Arc<Log>,
    events: Arc<FanOut>,
    trust: &Arc<Trust>,
    idle: Option<Arc<Idle>>,
) -> anyhow::Result<Doors> {
    let history = events.history.clone();
    let spool = spool(config, log, &events, idle)?;
    if spool.damaged_blocks() > 0 {
        events.emit(Event { at: SystemClock.now(), kind: damaged_journal(spool.damaged_blocks()) });
    }
    let returned = Returned::open(&state::returned(&config.state), ReturnedOptions::default())?;
    let reports = Reports::open(&state::reports(&config.state), ReportsOptions::default())?;
    let requests = Requests::open(&state::requests(&config.state), RequestOptions::default())?;
    let suppressions = Suppressions::open(&state::suppression(&config.state))?;
    let circuits = Circuits::open(&state::circuits(&config.state))?;
    let network: Arc<dyn Network> = Arc::new(TcpNetwork::new(TlsClient::with_native_roots()));
    let tls_sessions = TlsSessions::open(&state::tls_sessions(&config.state))?;
    Ok(Doors {
        spool: Arc::new(spool) as Arc<dyn Spool>,
        resolver: resolver(config, log)?,
        network: network.clone(),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom::new()),
        events,
        history: Some(history),
        returned: Some(Arc::new(returned)),
        reports: Some(Arc::new(reports)),
        suppressions: Some(Arc::new(suppressions)),
        requests: Some(Arc::new(requests)),
        tokens: Arc::new(Tokens::new(&crate::tokens::key(&config.state)?)),
        circuits: Some(Arc::new(circuits)),
        tls_sessions: Some(Arc::new(tls_sessions)),
        warm_ups: Some(Arc::new(WarmUps::open(&state::warm_up(&config.state))?)),
        trust: Some(trust_doors(config, network, trust)?),
    })
}

/// What is known of the hosts of others.
fn known(config: &Config, doors: &Doors) -> anyhow::Result<settings::Known> {
    let store = KeptPolicies::open(&state::policies(&config.state))?;
    let hosts = PolicyHosts { danger_allow_loopback: config.danger_allow_loopback, ..PolicyHosts::default() };
    let tally = Arc::new(Tally::new(doors.clock.clone()));
    Ok(settings::Known { memory: HostMemory::default(), policies: policies::open(doors, store, hosts)?, tally })
}

/// The watch asks with a resolver of its own, which keeps no answers.
fn trust_doors(config: &Config, network: Arc<dyn Network>, store: &Arc<Trust>) -> anyhow::Result<TrustDoors> {
    let dns = Arc::new(HickoryResolver::new(&DnsSettings { cache: 0, ..resolver::settings(config) })?);
    Ok(TrustDoors { dns, network: Some(network), store: store.clone(), own: None })
}

fn resolver(config: &Config, log: &Arc<Log>) -> anyhow::Result<Arc<dyn Resolver>> {
    let settings = resolver::settings(config);
    let resolver = Arc::new(HickoryResolver::new(&settings)?);
    if settings.dnssec && !settings.own {
        let (asked, log) = (resolver.clone(), log.clone());
        tokio::spawn(async move {
            if !asked.validates().await {
                log.record(&Event { at: SystemClock.now(), kind: no_validation() });
            }
        });
    }
    Ok(resolver)
}

fn damaged_journal(blocks: u64) -> EventKind {
    let text = format!(
        "{blocks} blocks of the spool's journal are damaged or refused by the disk: mail that was accepted in the last moments \
         before the stop may be lost. The history says what was accepted then (`repute why`); look at the disk"
    );
    EventKind::Note { level: Level::Error, what: "spool", text }
}

fn no_validation() -> EventKind {
    let text = "the name servers do not pass on what DNSSEC needs, so no answer is validated; mail goes all the same. \
                Run a validating resolver such as unbound on this machine, or say `dnssec = false` in [resolver]";
    EventKind::Note { level: Level::Warning, what: "dns", text: text.into() }
}

/// One of SMTP; `None` where the port is for HTTP.
fn listener(config: &Config, port: &Port, tls: &TlsSource) -> Option<ListenerConfig> {
    let kind = match port.kind {
        ListenerKind::Submission => repute_submission::ListenerKind::Submission,
        ListenerKind::Submissions => repute_submission::ListenerKind::SubmissionTls,
        ListenerKind::Return => repute_submission::ListenerKind::Return,
        ListenerKind::Http | ListenerKind::Https => return None,
    };
    Some(ListenerConfig {
        kind,
        hostname: config.hostname.clone(),
        tls: tls.clone(),
        proxies: port.proxy_from.iter().copied().collect(),
        limits: limits(config),
    })
}

/// The bounds of a session, from the network or from this machine.
fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    Limits {
        message_size: limits.message(),
        recipients: limits.recipients,
        errors: limits.errors,
        auth_failures: limits.auth_failures,
        idle: limits.idle.0,
        drain: limits.drain.0,
        ..Limits::default()
    }
}
