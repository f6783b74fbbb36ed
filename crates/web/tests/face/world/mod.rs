//! The HTTP face of real works on loopback: a spool in memory, no names, no network, so that
//! what is accepted stays where it is.

mod described;
mod schema;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use repute_dns::{BoxFuture, Lookup, Mx, Resolver, ServersFake};
use repute_engine::bulk::BulkSettings;
use repute_engine::config::{AccountSettings, SendingDomain};
use repute_engine::door::Account;
use repute_engine::permit::TrustDoors;
use repute_engine::{Doors, Engine, Settings as EngineSettings};
use repute_hooks::{Bounds, Caller, Feed, FeedOptions, Hooks, Types, Webhook};
use repute_ledger::requests::{RequestOptions, Requests};
use repute_ledger::suppression::Suppressions;
use repute_ledger::{Circuits, History, HistoryOptions, Opened, Reports, ReportsOptions, TlsSessions, Trust};
use repute_metrics::{Counters, Page, Source};
use repute_net::{MemoryNetwork, TlsClient};
use repute_queue::Rate;
use repute_spool::{MemorySpool, Spool};
use repute_types::event::{EventSink, NoEvents};
use repute_types::{Domain, Event, EventKind, MessageId, SeededRandom, Stream, SystemClock, Timestamp};
use repute_web::{Action, Face, Limits, Services, Settings, Token, TokenHash, Transport};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub struct World {
    pub address: SocketAddr,
    pub spool: Arc<MemorySpool>,
    pub engine: Engine,
    hooks: Arc<Hooks>,
    notes: Arc<Mutex<Vec<String>>>,
    face: Face,
    stop: watch::Sender<bool>,
    serving: JoinHandle<std::io::Result<()>>,
    state: tempfile::TempDir,
}

/// An answer as a client sees it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The value of a header field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|l| l.split_once(": ")).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|f| f.1)
    }

    /// `pointer detail` of each error of a problem.
    pub fn errors(&self) -> Vec<String> {
        assert_eq!(self.field("content-type"), Some("application/problem+json"), "{self:?}");
        let json = self.json();
        assert_eq!(json["status"], self.status, "{self:?}");
        let list = json["errors"].as_array().cloned().unwrap_or_default();
        list.iter().map(|e| format!("{} {}", e["pointer"].as_str().unwrap(), e["detail"].as_str().unwrap())).collect()
    }
}

impl World {
    pub async fn new() -> World {
        World::with(Limits { drain: Duration::from_secs(1), ..Limits::default() }, Transport::default()).await
    }

    pub async fn with(limits: Limits, transport: Transport) -> World {
        World::start(limits, transport, false, None).await
    }

    /// With circuits that were open when it stopped.
    pub async fn with_circuits(open: Vec<Opened>) -> World {
        World::start(Limits::default(), Transport::default(), false, Some(open)).await
    }

    /// With permits, and a watch that finds no names.
    pub async fn with_trust() -> World {
        World::start(Limits::default(), Transport::default(), true, None).await
    }

    async fn start(limits: Limits, transport: Transport, has_trust: bool, open: Option<Vec<Opened>>) -> World {
        let state = tempfile::tempdir().unwrap();
        let spool = Arc::new(MemorySpool::new());
        let feed = Feed::open(FeedOptions {
            store: Some((state.path().join("events.sqlite"), Bounds::default())),
            ..FeedOptions::default()
        })
        .unwrap();
        let counters = Arc::new(Counters::default());
        let notes = Arc::default();
        let history = History::open(&state.path().join("history.sqlite"), HistoryOptions::default());
        let history = Arc::new(history.unwrap());
        let readers = Readers {
            feed: feed.clone(),
            counters: counters.clone(),
            notes: Arc::clone(&notes),
            history: history.clone(),
        };
        let mut doors = Doors { history: Some(history), ..doors(spool.clone(), state.path(), Arc::new(readers)) };
        if has_trust {
            let store = Arc::new(Trust::open(&state.path().join("trust.sqlite")).unwrap());
            doors.trust = Some(TrustDoors { dns: Arc::new(ServersFake::parse("")), network: None, store, own: None });
        }
        if let Some(open) = open {
            let store = Circuits::open(&state.path().join("circuit.sqlite")).unwrap();
            store.save(Vec::new(), open, Timestamp(0)).await.unwrap();
            doors.circuits = Some(Arc::new(store));
        }
        let hooks = hooks(&feed);
        let engine = Engine::start(doors, engine_settings()).await.unwrap();
        let services = Services {
            door: engine.door(),
            control: engine.control(),
            hooks: hooks.clone(),
            counters,
            machine: Arc::new(NoMachine),
        };
        let face = Face::new(services, settings(), limits);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = watch::channel(false);
        let serving = tokio::spawn(repute_web::serve(listener, face.clone(), transport, stopping));
        World { address, spool, engine, face, hooks, notes, stop, serving, state }
    }

    /// Where its state is.
    pub fn folder(&self) -> &Path {
        self.state.path()
    }

    /// Webhooks of a name and perhaps an account, whose receivers nobody finds.
    pub async fn webhooks(&self, webhooks: &[(&str, Option<&str>)]) {
        let webhook = |(name, account): &(&str, Option<&str>)| Webhook {
            name: (*name).into(),
            target: "https://hooks.test/".parse().unwrap(),
            secrets: vec!["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap()],
            types: Types::ALL,
            account: account.map(str::to_owned),
            batch: 1,
            batch_wait: Duration::ZERO,
            timeout: Duration::from_secs(15),
            connections: 4,
            allow_private: false,
        };
        self.hooks.configure(webhooks.iter().map(webhook).collect()).await.unwrap();
    }

    /// Takes a token out of the configuration.
    pub fn revoke(&self, name: &str) {
        let mut settings = settings();
        settings.tokens = settings.tokens.iter().filter(|token| token.name != name).cloned().collect();
        self.face.reload(settings);
    }

    /// From now on tokens may ask as often as they like.
    pub fn unhurried(&self) {
        self.face.reload(Settings { requests_per_minute: 10_000_000, ..settings() });
    }

    /// From now on programs of this machine read the metrics without a token.
    pub fn open_metrics(&self) {
        self.face.reload(Settings { local_metrics: true, ..settings() });
    }

    /// Serves from another socket, until something is noted for the operator, and says what.
    pub async fn note_of(&self, listener: std::net::TcpListener) -> String {
        let (_stop, stopping) = watch::channel(false);
        let serving = repute_web::serve(listener, self.face.clone(), Transport::default(), stopping);
        let noted = async {
            loop {
                let note = self.notes.lock().unwrap().pop();
                match note {
                    Some(note) => return note,
                    None => tokio::task::yield_now().await,
                }
            }
        };
        tokio::select! {
            ended = serving => panic!("it ended by itself: {ended:?}"),
            note = tokio::time::timeout(Duration::from_secs(20), noted) => note.unwrap(),
        }
    }

    /// What was noted for the operator since it was last asked.
    pub fn notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().unwrap())
    }

    /// The file of the requests that are carried out once.
    pub fn requests(&self) -> PathBuf {
        self.state.path().join("requests.sqlite")
    }

    /// Sends octets as they are, and reads until the other side closes.
    pub async fn raw(&self, octets: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(octets).await.unwrap();
        let mut out = Vec::new();
        let _ = stream.read_to_end(&mut out).await;
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Asks; what the description of the API says otherwise is a fault.
    pub async fn ask(&self, request: &str, fields: &[&str], body: &[u8]) -> Answer {
        let (answer, judged) = self.ask_judged(request, fields, body).await;
        judged.unwrap();
        answer
    }

    /// Asks, and says whether question and answer are as the description of the API has them.
    pub async fn ask_judged(&self, request: &str, fields: &[&str], body: &[u8]) -> (Answer, Result<(), String>) {
        let sent = body;
        let mut head = format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        for field in fields {
            head += &format!("{field}\r\n");
        }
        if !body.is_empty() {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        head += "\r\n";
        let text = self.raw(&[head.as_bytes(), body].concat()).await;
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {request}: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let answer = Answer { status, head: head.to_owned(), body: body.to_owned() };
        let judged = described::judge(described::Asked { request, fields, body: sent }, &answer);
        (answer, judged)
    }

    /// As the token `shop`, with a JSON body.
    pub async fn post(&self, path: &str, body: &str) -> Answer {
        self.ask(&format!("POST {path}"), &[SHOP, JSON], body.as_bytes()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[SHOP], b"").await
    }

    /// The content of a message as it is stored.
    pub async fn content(&self, id: &Value) -> String {
        let id: MessageId = id.as_str().unwrap().parse().unwrap();
        String::from_utf8(self.spool.content(id).await.unwrap().to_vec()).unwrap()
    }

    pub async fn end(self) {
        self.stop.send(true).unwrap();
        self.serving.await.unwrap().unwrap();
        self.engine.stop(Duration::from_secs(5)).await.unwrap();
    }
}

/// May do everything for the account `shop`.
pub const SHOP: &str = "Authorization: Bearer repute_shop";
/// May only read, for the account `other`.
pub const READER: &str = "Authorization: Bearer repute_reader";
/// May do everything for the account `news`, which sends bulk mail.
pub const NEWS: &str = "Authorization: Bearer repute_news";
/// May do everything for the account `rated`, which may hand in mail for three recipients an hour.
pub const RATED: &str = "Authorization: Bearer repute_rated";
/// Operates the server.
pub const OPERATOR: &str = "Authorization: Bearer repute_ops";
/// May read the metrics.
pub const METRICS: &str = "Authorization: Bearer repute_metrics";
/// May send two requests a minute.
pub const SLOW: &str = "Authorization: Bearer repute_slow";
pub const JSON: &str = "Content-Type: application/json";

fn settings() -> Settings {
    let token = |name: &str, account: &str, actions: &[Action], rate| {
        Arc::new(Token {
            name: name.into(),
            signing_secret: format!("secret of {name}"),
            hash: TokenHash::of(&format!("repute_{name}")),
            account: Some(Arc::new(account_of(account))),
            actions: actions.to_vec(),
            requests_per_minute: rate,
        })
    };
    Settings {
        tokens: [
            token("shop", "shop", &Action::ALL, None),
            token("reader", "other", &[Action::Read], None),
            token("slow", "shop", &Action::ALL, Some(2)),
            token("news", "news", &Action::ALL, None),
            token("rated", "rated", &Action::ALL, None),
            Arc::new(Token {
                name: "ops".into(),
                signing_secret: "secret of ops".into(),
                hash: TokenHash::of("repute_ops"),
                account: None,
                actions: vec![Action::Read, Action::Operate],
                requests_per_minute: None,
            }),
            Arc::new(Token {
                name: "metrics".into(),
                signing_secret: "secret of metrics".into(),
                hash: TokenHash::of("repute_metrics"),
                account: None,
                actions: vec![Action::Metrics],
                requests_per_minute: None,
            }),
        ]
        .into_iter()
        .collect(),
        imprint: Some("Example Ltd.".into()),
        policies: vec![(domain("mta-sts.bounces.example.com"), "version: STSv1\r\n".into())],
        requests_per_minute: 6000,
        local_metrics: false,
    }
}

fn account_of(name: &str) -> Account {
    let domains = vec![domain("example.com"), domain("other.example")];
    let stream = if name == "news" { Stream::Bulk } else { Stream::Transactional };
    Account { name: name.into(), domains: domains.into(), stream, private: false }
}

pub fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

fn engine_settings() -> EngineSettings {
    let account = |name: &str| AccountSettings {
        rate: (name == "rated").then_some(Rate { count: 3, per: Duration::from_secs(3600) }),
        ..AccountSettings::new(Arc::new(account_of(name)))
    };
    EngineSettings {
        bulk: BulkSettings { url: Some("https://mail.example.com".into()), list_unsubscribe: true },
        accounts: vec![account("shop"), account("other"), account("news"), account("rated")].into(),
        domains: vec![SendingDomain { danger_unsigned: true, ..SendingDomain::new(domain("example.com"), Vec::new()) }]
            .into(),
        ..EngineSettings::new(domain("mail.example.com"))
    }
}

/// Webhooks are none, and their stream is real.
fn hooks(feed: &Arc<Feed>) -> Arc<Hooks> {
    let caller = Caller {
        network: Arc::new(MemoryNetwork::new(TlsClient::without_roots())),
        resolver: Arc::new(NoNames),
        clock: Arc::new(SystemClock),
    };
    let (random, runtime) = (Arc::new(SeededRandom::new(2)), tokio::runtime::Handle::current());
    Arc::new(Hooks::new(feed.clone(), Arc::new(caller), random, Arc::new(NoEvents), runtime))
}

/// The stream's readers of this test.
struct Readers {
    feed: Arc<Feed>,
    counters: Arc<Counters>,
    /// Told to the operator.
    notes: Arc<Mutex<Vec<String>>>,
    history: Arc<History>,
}

impl EventSink for Readers {
    fn emit(&self, event: Event) {
        if let EventKind::Note { text, .. } = &event.kind {
            self.notes.lock().unwrap().push(text.clone());
        }
        self.counters.record(&event);
        self.history.emit(event.clone());
        self.feed.emit(event);
    }
}

/// A machine of which nothing is measured but what it is.
struct NoMachine;

impl Source for NoMachine {
    fn read(&self, page: &mut Page) {
        page.add(&repute_metrics::BUILD_INFO, &["test"], 1.0);
    }
}

fn doors(spool: Arc<MemorySpool>, state: &Path, events: Arc<dyn EventSink>) -> Doors {
    let requests = Requests::open(&state.join("requests.sqlite"), RequestOptions::default()).unwrap();
    let suppressions = Suppressions::open(&state.join("suppressions.sqlite")).unwrap();
    Doors {
        trust: None,
        spool,
        resolver: Arc::new(NoNames),
        network: Arc::new(MemoryNetwork::new(TlsClient::without_roots())),
        clock: Arc::new(SystemClock),
        random: Arc::new(SeededRandom::new(1)),
        events,
        history: None,
        returned: None,
        reports: Some(Arc::new(Reports::open(&state.join("reports.sqlite"), ReportsOptions::default()).unwrap())),
        suppressions: Some(Arc::new(suppressions)),
        requests: Some(Arc::new(requests)),
        circuits: None,
        warm_ups: None,
        tls_sessions: Some(Arc::new(TlsSessions::open(&state.join("tls.sqlite")).unwrap())),
        tokens: Arc::new(repute_feedback::Tokens::new(&[1; 32])),
    }
}

/// A name server that knows that there is no `gone.test`, and else does not answer: everything waits.
struct NoNames;

fn silence<'a, T: Send + 'a>() -> BoxFuture<'a, Lookup<T>> {
    Box::pin(async { Lookup::NoAnswer("nobody answers in this test".into()) })
}

impl Resolver for NoNames {
    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Lookup<Mx>> {
        match domain.as_str() {
            "gone.test" => Box::pin(async { Lookup::NoName { authentic: false } }),
            _ => silence(),
        }
    }

    fn a<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Lookup<Ipv4Addr>> {
        silence()
    }

    fn aaaa<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Lookup<Ipv6Addr>> {
        silence()
    }

    fn txt<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Lookup<Vec<u8>>> {
        silence()
    }

    fn ptr(&self, _: IpAddr) -> BoxFuture<'_, Lookup<Domain>> {
        silence()
    }
}
