//! A small world for the works: names, receivers with a will of their own, and a clock that
//! runs as fast as nothing happens. Everything is in one process and in tokio's paused time.

#![allow(dead_code, reason = "each test file uses its own part of the world")]
#![allow(clippy::unwrap_used, reason = "these are helpers of tests")]

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use repute_delivery::{DeliverySettings, Routes};
use repute_dns::{BoxFuture, Lookup, Mx, Records, Resolver};
use repute_engine::config::{AccountSettings, Limits, SendingDomain};
use repute_engine::door::{Account, Origin, Submitted};
use repute_engine::{Control, Door, Doors, Engine, Settings};
use repute_net::{MemoryNetwork, TlsClient};
use repute_queue::Retry;
use repute_spool::MemorySpool;
use repute_testkit::TokioClock;
use repute_trust::dkim::{Algorithm, SigningKey};
use repute_types::event::EventSink;
use repute_types::{
    Address, Cause, Content, Domain, Envelope, Event, EventKind, MessageId, Recipient, Reply, SeededRandom, Stream,
    Verdict,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

pub fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

pub fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

/// Names as a test says them: `a.test` has the MX `mx.a.test` at an address.
#[derive(Default)]
pub struct Names {
    hosts: Mutex<HashMap<Domain, Ipv4Addr>>,
    silent: Mutex<Vec<Domain>>,
    /// Domains whose MX is that of another.
    aliases: Mutex<HashMap<Domain, Domain>>,
}

impl Names {
    fn address_of(&self, name: &Domain) -> Option<Ipv4Addr> {
        self.hosts.lock().unwrap().get(name).copied()
    }
}

fn found<T>(item: T) -> Lookup<T> {
    Lookup::Found(Records { items: vec![item], authentic: false, ttl: Duration::from_secs(300) })
}

impl Resolver for Names {
    fn mx<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Mx>> {
        Box::pin(async move {
            if self.silent.lock().unwrap().contains(name) {
                return Lookup::NoAnswer("nobody answers in this test".into());
            }
            let of = self.aliases.lock().unwrap().get(name).unwrap_or(name).clone();
            let exchange = domain(&format!("mx.{of}"));
            match self.address_of(&exchange) {
                Some(_) => found(Mx { preference: 10, exchange: Some(exchange) }),
                None => Lookup::NoName { authentic: false },
            }
        })
    }

    fn a<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Ipv4Addr>> {
        Box::pin(async move { self.address_of(name).map_or(Lookup::NoName { authentic: false }, found) })
    }

    fn aaaa<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Lookup<Ipv6Addr>> {
        Box::pin(async { Lookup::NoData { authentic: false } })
    }

    fn txt<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Lookup<Vec<u8>>> {
        Box::pin(async { Lookup::NoData { authentic: false } })
    }

    fn ptr(&self, _: IpAddr) -> BoxFuture<'_, Lookup<Domain>> {
        Box::pin(async { Lookup::NoData { authentic: false } })
    }
}

/// A message as a receiver took it.
#[derive(Clone, Debug)]
pub struct Taken {
    pub from: String,
    pub to: Vec<String>,
    pub text: String,
}

/// What a receiver says to RCPT, given the address and how often it was asked about it.
pub type Judge = dyn Fn(&str, u32) -> &'static str + Send + Sync;

pub struct Receiver {
    pub taken: Mutex<Vec<Taken>>,
    pub sessions: Mutex<u32>,
    open: Mutex<u32>,
    most: Mutex<u32>,
    /// Before it answers the end of a message.
    ponders: Mutex<Duration>,
    judge: Box<Judge>,
    asked: Mutex<HashMap<String, u32>>,
}

impl Receiver {
    async fn serve(self: Arc<Self>, stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
        let mut wire = BufReader::new(stream);
        if *self.open.lock().unwrap() >= *self.most.lock().unwrap() {
            let _ = wire.write_all(b"421 4.7.0 too many sessions\r\n").await;
            return;
        }
        *self.sessions.lock().unwrap() += 1;
        *self.open.lock().unwrap() += 1;
        self.clone().converse(wire).await;
        *self.open.lock().unwrap() -= 1;
    }

    async fn converse<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
        self: Arc<Self>,
        mut wire: BufReader<S>,
    ) {
        let (mut from, mut to) = (String::new(), Vec::new());
        let _ = wire.write_all(b"220 receiver.test\r\n").await;
        let mut line = String::new();
        while wire.read_line(&mut line).await.is_ok_and(|n| n > 0) {
            let command = line.trim_end().to_owned();
            line.clear();
            let upper = command.to_ascii_uppercase();
            let reply = if upper.starts_with("EHLO") {
                "250-receiver.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES".to_owned()
            } else if upper.starts_with("MAIL FROM:") {
                from = inside(&command);
                to.clear();
                "250 2.1.0 ok".to_owned()
            } else if upper.starts_with("RCPT TO:") {
                let who = inside(&command);
                let times = {
                    let mut asked = self.asked.lock().unwrap();
                    let times = asked.entry(who.clone()).or_default();
                    *times += 1;
                    *times
                };
                let reply = (self.judge)(&who, times);
                if reply.starts_with('2') {
                    to.push(who);
                }
                reply.to_owned()
            } else if upper == "DATA" && to.is_empty() {
                "554 5.5.1 no recipients".to_owned()
            } else if upper == "DATA" {
                let _ = wire.write_all(b"354 go\r\n").await;
                let mut text = String::new();
                loop {
                    line.clear();
                    if wire.read_line(&mut line).await.is_ok_and(|n| n == 0) {
                        return;
                    }
                    if line == ".\r\n" {
                        break;
                    }
                    text.push_str(line.strip_prefix('.').unwrap_or(&line));
                }
                line.clear();
                let ponders = *self.ponders.lock().unwrap();
                tokio::time::sleep(ponders).await;
                self.taken.lock().unwrap().push(Taken { from: from.clone(), to: std::mem::take(&mut to), text });
                "250 2.0.0 taken".to_owned()
            } else if upper == "QUIT" {
                let _ = wire.write_all(b"221 2.0.0 bye\r\n").await;
                return;
            } else {
                "250 2.0.0 ok".to_owned()
            };
            let _ = wire.write_all(format!("{reply}\r\n").as_bytes()).await;
        }
    }

    /// From now on one more session than this is refused.
    pub fn at_most(&self, sessions: u32) {
        *self.most.lock().unwrap() = sessions;
    }

    /// From now on it takes so long to answer the end of a message.
    pub fn ponders(&self, time: Duration) {
        *self.ponders.lock().unwrap() = time;
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }
}

fn inside(command: &str) -> String {
    command.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

/// The events of the works, kept.
#[derive(Default)]
pub struct Events(Mutex<Vec<Event>>);

impl EventSink for Events {
    fn emit(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

pub struct World {
    pub spool: Arc<MemorySpool>,
    pub names: Arc<Names>,
    pub network: Arc<MemoryNetwork>,
    pub events: Arc<Events>,
    pub clock: TokioClock,
    pub engine: Option<Engine>,
    hosts: u8,
}

impl World {
    pub async fn new() -> World {
        let mut world = World {
            spool: Arc::new(MemorySpool::new()),
            names: Arc::new(Names::default()),
            network: Arc::new(MemoryNetwork::new(TlsClient::without_roots())),
            events: Arc::new(Events::default()),
            clock: TokioClock::new(),
            engine: None,
            hosts: 0,
        };
        world.start().await;
        world
    }

    /// Starts the works on what the spool has.
    pub async fn start(&mut self) {
        let doors = Doors {
            spool: self.spool.clone(),
            resolver: self.names.clone(),
            network: self.network.clone(),
            clock: Arc::new(self.clock),
            random: Arc::new(SeededRandom::new(1)),
            events: self.events.clone(),
            history: None,
            returned: None,
            suppressions: None,
            requests: None,
            tokens: Arc::new(repute_feedback::Tokens::new(&[1; 32])),
        };
        self.engine = Some(Engine::start(doors, settings()).await.unwrap());
    }

    pub async fn stop(&mut self) {
        if let Some(engine) = self.engine.take() {
            assert!(engine.stop(Duration::from_secs(30)).await.unwrap());
        }
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().unwrap()
    }

    pub fn door(&self) -> Arc<dyn Door> {
        self.engine().door()
    }

    pub fn control(&self) -> Control {
        self.engine().control()
    }

    /// A receiver for a domain, on a host of its own.
    pub fn receiver(
        &mut self,
        name: &str,
        judge: impl Fn(&str, u32) -> &'static str + Send + Sync + 'static,
    ) -> Arc<Receiver> {
        let at = self.host(name);
        let receiver = Arc::new(Receiver {
            taken: Mutex::default(),
            sessions: Mutex::default(),
            open: Mutex::default(),
            most: Mutex::new(u32::MAX),
            ponders: Mutex::default(),
            judge: Box::new(judge),
            asked: Mutex::default(),
        });
        let mut listener = self.network.listen(at);
        let shared = receiver.clone();
        tokio::spawn(async move {
            while let Some(incoming) = listener.accept().await {
                tokio::spawn(shared.clone().serve(incoming.stream));
            }
        });
        receiver
    }

    /// The address of a domain's MX, where nothing listens yet.
    pub fn host(&mut self, name: &str) -> SocketAddr {
        self.hosts += 1;
        let ip = Ipv4Addr::new(192, 0, 2, self.hosts);
        self.names.hosts.lock().unwrap().insert(domain(&format!("mx.{name}")), ip);
        SocketAddr::from((ip, 25))
    }

    /// The next receivers get the addresses from the n-th on again.
    pub fn hosts_again(&mut self, n: u8) {
        self.hosts = n - 1;
    }

    /// Mail for `name` goes to the MX of `other`.
    pub fn alias(&self, name: &str, other: &str) {
        self.names.aliases.lock().unwrap().insert(domain(name), domain(other));
    }

    pub fn silence(&self, name: &str) {
        self.names.silent.lock().unwrap().push(domain(name));
    }

    pub async fn submit(&self, from: &str, to: &[&str]) -> Result<MessageId, Reply> {
        self.submit_text(from, to, &format!("From: {from}\r\nTo: x@y.test\r\nSubject: hello\r\n\r\nHello.\r\n")).await
    }

    pub async fn submit_text(&self, from: &str, to: &[&str], text: &str) -> Result<MessageId, Reply> {
        let submitted = Submitted {
            account: shop(),
            envelope: Envelope {
                from: (!from.is_empty()).then(|| address(from)),
                recipients: to.iter().map(|a| Recipient::to(address(a))).collect(),
                options: Default::default(),
            },
            content: Content::from(text.as_bytes().to_vec()),
            origin: Origin { client: None, helo: "app".into(), tls: None, protocol: "ESMTPSA" },
            labels: None,
            send_at: None,
            id: None,
        };
        self.door().accept(submitted).await.map(|committed| committed.id())
    }

    /// The verdicts about a recipient so far, with the stage and the attempt.
    pub fn verdicts(&self, to: &str) -> Vec<(u32, Verdict)> {
        let events = self.events.0.lock().unwrap();
        events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::Settled { recipient, attempt, outcome, .. } if recipient.to_string() == to => {
                    Some((*attempt, outcome.verdict))
                }
                _ => None,
            })
            .collect()
    }

    pub fn reasons(&self, to: &str) -> Vec<String> {
        let events = self.events.0.lock().unwrap();
        events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::Settled { recipient, outcome, .. } if recipient.to_string() == to => {
                    Some(format!("{} {}", outcome.status, outcome.reason()))
                }
                _ => None,
            })
            .collect()
    }

    /// The causes of a recipient's outcomes so far: rule, class, fault.
    pub fn causes(&self, to: &str) -> Vec<Option<Cause>> {
        let events = self.events.0.lock().unwrap();
        events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::Settled { recipient, cause, .. } if recipient.to_string() == to => Some(*cause),
                _ => None,
            })
            .collect()
    }

    pub fn notes(&self) -> Vec<String> {
        let events = self.events.0.lock().unwrap();
        events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::Note { text, .. } => Some(text.clone()),
                _ => None,
            })
            .collect()
    }
}

pub fn shop() -> Arc<Account> {
    Arc::new(Account {
        name: "shop".into(),
        domains: vec![domain("example.com"), domain("keyless.test")],
        stream: Stream::Transactional,
        private: false,
    })
}

fn settings() -> Settings {
    let key = |algorithm, selector| Arc::new(SigningKey::generate(algorithm, selector).unwrap());
    let sending =
        |name: &str, keys| SendingDomain { name: domain(name), keys, danger_unsigned: false, return_path: None };
    Settings {
        hostname: domain("mail.example.com"),
        accounts: vec![AccountSettings { account: shop(), password: None, scram: None, addresses: Vec::new() }],
        domains: vec![
            sending("example.com", vec![key(Algorithm::Rsa, "r"), key(Algorithm::Ed25519, "e")]),
            sending("keyless.test", Vec::new()),
            sending("other.test", vec![key(Algorithm::Ed25519, "e")]),
        ],
        egresses: Vec::new(),
        routes: Arc::new(Routes::default()),
        delivery: Arc::new(DeliverySettings::default()),
        retry: Retry::default(),
        limits: Limits::default(),
    }
}

pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(24 * 3600);
