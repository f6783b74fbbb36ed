//! A small world for the works: names, receivers with a will of their own, and a clock that
//! runs as fast as nothing happens. Everything is in one process and in tokio's paused time.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use repute_delivery::{DeliverySettings, Egress, Routes, Tally};
use repute_engine::bulk::BulkSettings;
use repute_engine::config::{AccountSettings, SendingDomain};
use repute_engine::door::{Account, Origin, Submitted};
use repute_engine::permit::{PermitSettings, TrustDoors};
use repute_engine::{Begin, CircuitSettings, Control, Door, Doors, Engine, Settings, SiteRule};
use repute_ledger::{
    Circuits, History, HistoryOptions, Reports, ReportsOptions, Returned, ReturnedOptions, Suppressions, TlsSessions,
    WarmUps,
};
use repute_net::{MemoryNetwork, TlsClient};
use repute_spool::MemorySpool;
use repute_testkit::{State, TokioClock};
use repute_trust::dkim::{Algorithm, SigningKey};
use repute_types::event::EventSink;
use repute_types::{Address, Content, Domain, Envelope, Event, MessageId, Recipient, Reply, SeededRandom, Stream};

pub mod campaigns;
mod names;
mod receiver;
mod told;

pub use names::Names;
pub use receiver::Receiver;
pub use told::Events;

pub fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

pub fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

/// Events as the test sees them, and the history.
struct Both(Arc<Events>, Option<Arc<History>>);

impl EventSink for Both {
    fn emit(&self, event: Event) {
        if let Some(history) = &self.1 {
            history.emit(event.clone());
        }
        self.0.emit(event);
    }
}

pub struct World {
    pub spool: Arc<MemorySpool>,
    pub names: Arc<Names>,
    pub network: Arc<MemoryNetwork>,
    pub events: Arc<Events>,
    pub clock: TokioClock,
    pub engine: Option<Engine>,
    /// The ledger's files, where a test has some.
    pub state: Option<State>,
    pub suppressions: Option<Arc<Suppressions>>,
    pub returned: Option<Arc<Returned>>,
    pub reports: Option<Arc<Reports>>,
    /// Where letters to the return path of the account `shop` go.
    pub replies: Option<Address>,
    history: Option<Arc<History>>,
    pub circuits: Option<Arc<Circuits>>,
    pub circuit: CircuitSettings,
    pub tls_sessions: Option<Arc<TlsSessions>>,
    pub warm_ups: Option<Arc<WarmUps>>,
    /// The places of the egresses that warm up.
    pub warm_up: Vec<u16>,
    /// Of example.com.
    pub return_path: Option<Domain>,
    /// For permits; without it everything may leave.
    pub trust: Option<TrustDoors>,
    pub permit: PermitSettings,
    /// Other than five days.
    pub expire: Option<Duration>,
    /// Between two attempts at most, where not as usual.
    pub max_interval: Option<Duration>,
    pub egresses: Vec<Arc<Egress>>,
    /// With their keys, which outlive a restart.
    pub domains: Vec<SendingDomain>,
    pub routes: Arc<Routes>,
    pub sites: Vec<SiteRule>,
    /// What becomes of what waits at the next start.
    pub begin: Begin,
    hosts: u8,
}

impl World {
    pub async fn new() -> World {
        let mut world = World::unstarted();
        world.start().await;
        world
    }

    pub fn unstarted() -> World {
        World {
            spool: Arc::new(MemorySpool::new()),
            names: Arc::new(Names::default()),
            network: Arc::new(MemoryNetwork::new(TlsClient::without_roots())),
            events: Arc::new(Events::default()),
            clock: TokioClock::new(),
            engine: None,
            state: None,
            suppressions: None,
            returned: None,
            reports: None,
            replies: None,
            history: None,
            circuits: None,
            circuit: CircuitSettings::default(),
            tls_sessions: None,
            warm_ups: None,
            warm_up: Vec::new(),
            return_path: None,
            trust: None,
            permit: PermitSettings::default(),
            expire: None,
            max_interval: None,
            egresses: Vec::new(),
            domains: domains(),
            routes: Arc::new(Routes::default()),
            sites: Vec::new(),
            begin: Begin::GoesOn,
            hosts: 0,
        }
    }

    /// A world whose works keep a history, a suppression list and what comes back.
    pub async fn with_ledger() -> World {
        let mut world = World::new().await;
        world.stop().await;
        world.state = Some(State::new());
        world.start().await;
        world
    }

    /// Starts the works on what the spool has.
    pub async fn start(&mut self) {
        if let Some(state) = &self.state {
            self.suppressions = Some(Arc::new(Suppressions::open(&state.join("suppression.sqlite")).unwrap()));
            let returned = Returned::open(&state.join("returned.sqlite"), ReturnedOptions::default());
            self.returned = Some(Arc::new(returned.unwrap()));
            let reports = Reports::open(&state.join("reports.sqlite"), ReportsOptions::default());
            self.reports = Some(Arc::new(reports.unwrap()));
            self.tls_sessions = Some(Arc::new(TlsSessions::open(&state.join("tls.sqlite")).unwrap()));
            self.circuits = Some(Arc::new(Circuits::open(&state.join("circuit.sqlite")).unwrap()));
            self.warm_ups = Some(Arc::new(WarmUps::open(&state.join("warm_up.sqlite")).unwrap()));
            let options = HistoryOptions { clock: Arc::new(self.clock), ..HistoryOptions::default() };
            self.history = Some(Arc::new(History::open(&state.join("history.sqlite"), options).unwrap()));
        }
        let doors = Doors {
            spool: self.spool.clone(),
            resolver: self.names.clone(),
            network: self.network.clone(),
            clock: Arc::new(self.clock),
            random: Arc::new(SeededRandom::new(1)),
            requests: None,
            events: Arc::new(Both(self.events.clone(), self.history.clone())),
            history: self.history.clone(),
            returned: self.returned.clone(),
            reports: self.reports.clone(),
            suppressions: self.suppressions.clone(),
            circuits: self.circuits.clone(),
            tls_sessions: self.tls_sessions.clone(),
            warm_ups: self.warm_ups.clone(),
            tokens: Arc::new(repute_feedback::Tokens::new(&[1; 32])),
            trust: self.trust.clone(),
        };
        self.engine = Some(Engine::begin(doors, self.settings(), self.begin).await.unwrap());
    }

    /// Takes on what was changed since the start, but for its doors.
    pub fn reload(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.settings();
        change(&mut settings);
        self.engine().reload(settings);
    }

    fn settings(&self) -> Settings {
        let mut settings = settings();
        settings.egresses.clone_from(&self.egresses);
        settings.domains.change(|all| {
            all.clone_from(&self.domains);
            if let Some(first) = all.first_mut() {
                first.return_path.clone_from(&self.return_path);
            }
        });
        settings.accounts.change(|all| all[0].replies.clone_from(&self.replies));
        settings.routes = self.routes.clone();
        settings.sites.clone_from(&self.sites);
        settings.warm_up.clone_from(&self.warm_up);
        settings.permit = self.permit.clone();
        settings.circuit = self.circuit.clone();
        if self.tls_sessions.is_some() {
            let tally = Some(Arc::new(Tally::new(Arc::new(self.clock))));
            settings.delivery = Arc::new(DeliverySettings { tally, ..DeliverySettings::default() });
        }
        settings.retry.expire = self.expire.unwrap_or(settings.retry.expire);
        settings.retry.max_interval = self.max_interval.unwrap_or(settings.retry.max_interval);
        settings
    }

    pub async fn stop(&mut self) {
        if let Some(engine) = self.engine.take() {
            assert!(engine.stop(Duration::from_secs(30)).await.unwrap());
        }
    }

    /// Ends the works in the middle of whatever they do.
    pub async fn kill(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.stop(Duration::ZERO).await.unwrap();
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
        self.serve(at, judge)
    }

    /// A receiver on a domain's second host.
    pub fn second_receiver(
        &mut self,
        name: &str,
        judge: impl Fn(&str, u32) -> &'static str + Send + Sync + 'static,
    ) -> Arc<Receiver> {
        self.hosts += 1;
        let ip = Ipv4Addr::new(192, 0, 2, self.hosts);
        self.names.hosts.lock().unwrap().insert(domain(&format!("mx2.{name}")), ip);
        self.serve(SocketAddr::from((ip, 25)), judge)
    }

    /// A receiver whose host has an IPv6 address too.
    pub fn receiver_by_both(
        &mut self,
        name: &str,
        judge: impl Fn(&str, u32) -> &'static str + Send + Sync + 'static,
    ) -> Arc<Receiver> {
        let v6 = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, u16::from(self.hosts));
        self.names.hosts_by_v6.lock().unwrap().insert(domain(&format!("mx.{name}")), v6);
        let receiver = self.receiver(name, judge);
        self.listen(SocketAddr::from((v6, 25)), &receiver);
        receiver
    }

    fn serve(
        &self,
        at: SocketAddr,
        judge: impl Fn(&str, u32) -> &'static str + Send + Sync + 'static,
    ) -> Arc<Receiver> {
        let receiver = Arc::new(Receiver::new(judge));
        self.listen(at, &receiver);
        receiver
    }

    fn listen(&self, at: SocketAddr, receiver: &Arc<Receiver>) {
        let mut listener = self.network.listen(at);
        let shared = receiver.clone();
        tokio::spawn(async move {
            while let Some(incoming) = listener.accept().await {
                tokio::spawn(shared.clone().serve(incoming.stream, incoming.from));
            }
        });
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

    /// A TXT record.
    pub fn text(&self, name: &str, text: &str) {
        self.names.texts.lock().unwrap().insert(domain(name), text.to_owned());
    }

    /// Its name servers answer again.
    pub fn unsilence(&self, name: &str) {
        self.names.silent.lock().unwrap().retain(|silent| *silent != domain(name));
    }

    pub fn silence(&self, name: &str) {
        self.names.silent.lock().unwrap().push(domain(name));
    }

    /// Whether we have a socket to ask for the address of the MX of a domain.
    pub fn can_ask_for_host(&self, of: &str, can: bool) {
        let host = domain(&format!("mx.{of}"));
        let mut unasked = self.names.unasked.lock().unwrap();
        if can { unasked.retain(|one| *one != host) } else { unasked.push(host) }
    }

    pub async fn submit(&self, from: &str, to: &[&str]) -> Result<MessageId, Reply> {
        self.submit_text(from, to, &format!("From: {from}\r\nTo: x@y.test\r\nSubject: hello\r\n\r\nHello.\r\n")).await
    }

    pub async fn submit_text(&self, from: &str, to: &[&str], text: &str) -> Result<MessageId, Reply> {
        self.submit_as(shop(), from, to, text).await
    }

    /// To be sent at a time to come.
    pub async fn submit_at(&self, from: &str, to: &[&str], at: repute_types::Timestamp) -> Result<MessageId, Reply> {
        let text = format!("From: {from}\r\nTo: x@y.test\r\nSubject: later\r\n\r\nHello.\r\n");
        self.hand_in(shop(), from, to, &text, Some(at)).await
    }

    pub async fn submit_as(
        &self,
        account: Arc<Account>,
        from: &str,
        to: &[&str],
        text: &str,
    ) -> Result<MessageId, Reply> {
        self.hand_in(account, from, to, text, None).await
    }

    async fn hand_in(
        &self,
        account: Arc<Account>,
        from: &str,
        to: &[&str],
        text: &str,
        send_at: Option<repute_types::Timestamp>,
    ) -> Result<MessageId, Reply> {
        let submitted = Submitted {
            account,
            envelope: Envelope {
                from: (!from.is_empty()).then(|| address(from)),
                recipients: to.iter().map(|a| Recipient::to(address(a))).collect(),
                options: Default::default(),
            },
            content: Content::from(text.as_bytes().to_vec()),
            origin: Origin { client: None, helo: "app".into(), tls: None, protocol: "ESMTPSA" },
            labels: None,
            send_at,
            id: None,
        };
        self.door().accept(submitted).await.map(|committed| committed.id())
    }
}

pub fn shop() -> Arc<Account> {
    Arc::new(Account {
        name: "shop".into(),
        domains: vec![domain("example.com"), domain("keyless.test")].into(),
        stream: Stream::Transactional,
        private: false,
    })
}

/// An account for bulk mail, whose domain has a return path here.
pub fn news() -> Arc<Account> {
    Arc::new(Account {
        name: "news".into(),
        domains: vec![domain("news.example")].into(),
        stream: Stream::Bulk,
        private: false,
    })
}

fn domains() -> Vec<SendingDomain> {
    let key = |algorithm, selector| Arc::new(SigningKey::generate(algorithm, selector).unwrap());
    let sending = |name: &str, keys| SendingDomain::new(domain(name), keys);
    let newsletter = sending("news.example", vec![key(Algorithm::Ed25519, "e")]);
    vec![
        sending("example.com", vec![key(Algorithm::Rsa, "r"), key(Algorithm::Ed25519, "e")]),
        SendingDomain { return_path: Some(domain("back.news.example")), ..newsletter },
        sending("keyless.test", Vec::new()),
        sending("other.test", vec![key(Algorithm::Ed25519, "e")]),
    ]
}

fn settings() -> Settings {
    Settings {
        accounts: [shop(), news()].map(AccountSettings::new).into_iter().collect(),
        bulk: BulkSettings { url: Some("https://mail.example.com".into()), list_unsubscribe: true },
        ..Settings::new(domain("mail.example.com"))
    }
}

pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(24 * 3600);
