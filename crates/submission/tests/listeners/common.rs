//! A listener on loopback before a scripted door.

pub mod scram;
pub mod talk;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use repute_engine::Allowance;
use repute_engine::door::{Account, AuthRefused, Crowd, Door, Returned, ScramSecret, Submitted};
use repute_spool::memory::MemorySpool;
use repute_spool::{BoxFuture, Committed, MessageMeta, NewMessage, PartRecord, Spool};
use repute_submission::{Limits, ListenerConfig, ListenerKind, SharedBounds, SharedLimits, TlsSource};
use repute_types::{
    Address, Content, Domain, EnhancedCode, Envelope, Labels, MessageId, PartId, Recipient, Reply, Stream, Timestamp,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Knows one account, `shop` with password `secret`, which sends as example.com; refuses
/// recipients called `refused`, and messages that say so.
pub struct FakeDoor {
    spool: MemorySpool,
    next: AtomicU64,
    pub shop: Arc<Account>,
    pub known: Option<IpAddr>,
    pub scram: ScramSecret,
    pub taken: Mutex<Vec<Taken>>,
    pub crowds: Mutex<Vec<Crowd>>,
    /// While held, no message is accepted.
    pub gate: tokio::sync::RwLock<()>,
}

/// A message that came through the door.
#[derive(Clone, Debug)]
pub struct Taken {
    pub envelope: Envelope,
    pub content: Content,
    pub protocol: &'static str,
    pub client: Option<IpAddr>,
}

impl FakeDoor {
    pub fn new(known: Option<IpAddr>) -> Arc<FakeDoor> {
        let domains = vec![domain("example.com")].into();
        let shop = Account { name: "shop".into(), domains, stream: Stream::Transactional, private: false };
        Arc::new(FakeDoor {
            spool: MemorySpool::new(),
            next: AtomicU64::new(1),
            shop: Arc::new(shop),
            known,
            // Of the password `pencil`, with the salt of RFC 7677 §3.
            scram: scram::secret_of("pencil"),
            taken: Mutex::default(),
            crowds: Mutex::default(),
            gate: tokio::sync::RwLock::default(),
        })
    }

    fn next_id(&self) -> MessageId {
        MessageId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    async fn commit(&self, submitted: Submitted) -> Result<Committed, Reply> {
        let _open = self.gate.read().await;
        let Submitted { account, envelope, content, origin, .. } = submitted;
        let text = content.to_vec();
        if let Some(at) = text.windows(7).position(|w| w == b"refuse-") {
            let code = String::from_utf8_lossy(&text[at + 7..at + 10]).parse().unwrap();
            let class = (code / 100) as u8;
            let lines = vec!["the door says no".to_owned(), "and\r\n250 more".to_owned()];
            return Err(Reply { code, enhanced: Some(EnhancedCode(class, 7, 1)), lines });
        }
        let id = self.next_id();
        let at = Timestamp(0);
        let (account, size) = (Some(account.name.clone()), content.len() as u64);
        let meta = MessageMeta { account, size, ..MessageMeta::new(id, at, Timestamp(1)) };
        let domain = envelope.recipients[0].address.domain().clone();
        let part = PartRecord::new(PartId { message: id, number: 0 }, domain, envelope.recipients.clone(), at);
        let new = NewMessage { meta, parts: vec![part], content: content.clone() };
        let committed = self.spool.commit(new).await.unwrap();
        let taken = Taken { envelope, content, protocol: origin.protocol, client: origin.client };
        self.taken.lock().unwrap().push(taken);
        Ok(committed)
    }
}

pub fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

fn no(code: u16, enhanced: EnhancedCode, text: &str) -> Result<(), Reply> {
    Err(Reply::new(code, enhanced, text))
}

impl Door for FakeDoor {
    fn refused(&self, _: IpAddr, _: Option<&str>, _: &Reply) {}

    fn hindered(&self, _: &std::io::Error) {}

    fn crowded(&self, crowd: Crowd) {
        self.crowds.lock().unwrap().push(crowd);
    }

    fn password<'a>(&'a self, name: &'a str, password: &'a str) -> BoxFuture<'a, Result<Arc<Account>, AuthRefused>> {
        let answer = match (name, password) {
            ("shop", "secret") => Ok(self.shop.clone()),
            ("busy", _) => Err(AuthRefused::Busy),
            _ => Err(AuthRefused::Wrong),
        };
        Box::pin(async { answer })
    }

    fn scram(&self, name: &str) -> (ScramSecret, Option<Arc<Account>>) {
        (self.scram.clone(), (name == "shop").then(|| self.shop.clone()))
    }

    fn known_address(&self, client: IpAddr) -> Option<Arc<Account>> {
        (Some(client) == self.known).then(|| self.shop.clone())
    }

    fn allowance(&self, _: &str) -> Option<Allowance> {
        None
    }

    fn may_send_from(&self, account: &Account, from: Option<&Address>) -> Result<(), Reply> {
        match from {
            Some(from) if !account.domains.has(from.domain()) => {
                no(553, EnhancedCode(5, 7, 1), "that domain is not yours")
            }
            _ => Ok(()),
        }
    }

    fn may_send_to(&self, _: &Account, recipient: &Recipient, _: Option<&Labels>) -> Result<(), Reply> {
        match recipient.address.local() {
            "refused" => no(550, EnhancedCode(5, 1, 1), "suppressed"),
            _ => Ok(()),
        }
    }

    fn accept(&self, submitted: Submitted) -> BoxFuture<'_, Result<Committed, Reply>> {
        Box::pin(self.commit(submitted))
    }

    fn may_return_to(&self, recipient: &Address) -> Result<(), Reply> {
        if *recipient.domain() == domain("return.example.com") || recipient.local() == "postmaster" {
            return Ok(());
        }
        no(550, EnhancedCode(5, 7, 1), "relaying denied")
    }

    fn accept_returned(&self, returned: Returned) -> BoxFuture<'_, Result<MessageId, Reply>> {
        let Returned { from, recipients, content, origin } = returned;
        let recipients = recipients.into_iter().map(Recipient::to).collect();
        let envelope = Envelope { from, recipients, options: Default::default() };
        let taken = Taken { envelope, content, protocol: origin.protocol, client: origin.client };
        self.taken.lock().unwrap().push(taken);
        let id = self.next_id();
        Box::pin(async move { Ok(id) })
    }
}

/// A listener that runs.
pub struct Listener {
    pub address: SocketAddr,
    pub door: Arc<FakeDoor>,
    pub shared: Arc<SharedLimits>,
    pub shutdown: watch::Sender<bool>,
    pub tls: TlsSource,
    pub served: JoinHandle<std::io::Result<()>>,
}

/// What a test changes of the usual.
pub struct Setup {
    pub kind: ListenerKind,
    /// Clients on loopback are known by their address.
    pub trusted: bool,
    pub proxies: Vec<IpAddr>,
    pub limits: Limits,
    pub bounds: SharedBounds,
}

impl Setup {
    pub fn new(kind: ListenerKind) -> Setup {
        let limits = Limits { message_size: 100_000, recipients: 5, chatter: 30, ..Limits::default() };
        Setup { kind, trusted: false, proxies: Vec::new(), limits, bounds: SharedBounds::default() }
    }

    pub fn trusted() -> Setup {
        Setup { trusted: true, ..Setup::new(ListenerKind::Submission) }
    }

    pub fn start(self) -> Listener {
        let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let door = FakeDoor::new(self.trusted.then_some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        let shared = SharedLimits::new(self.bounds);
        let (shutdown, stopping) = watch::channel(false);
        let tls = TlsSource::new(Some(repute_testkit::tls::server_config(&["mail.example.com"])));
        let config = ListenerConfig {
            kind: self.kind,
            hostname: domain("mail.example.com"),
            tls: tls.clone(),
            proxies: self.proxies.into_iter().collect(),
            limits: self.limits,
        };
        let serve = repute_submission::serve(socket, config, door.clone(), shared.clone(), stopping);
        Listener { address, door, shared, shutdown, tls, served: tokio::spawn(serve) }
    }
}

impl Listener {
    /// Stops it, and sees that nothing is left.
    pub async fn stop(self) -> Vec<Taken> {
        self.shutdown.send_replace(true);
        tokio::time::timeout(std::time::Duration::from_secs(5), self.served).await.unwrap().unwrap().unwrap();
        assert_eq!(self.shared.connections(), 0, "a connection is still counted");
        assert_eq!(self.shared.content_octets(), 0, "memory is still held");
        std::mem::take(&mut *self.door.taken.lock().unwrap())
    }
}
