//! A domain `b.test` with a mail host that takes everything, and a host for its policy.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use repute_delivery::sts::{Kept, Policies, PolicyHosts, PolicyStore};
use repute_delivery::{
    Connection, DeliverySettings, Egress, HostMemory, Route, Routes, Sent, SessionKind, Tally, Transaction, Wanted,
};
use repute_dns::{BoxFuture, ZoneFake};
use repute_net::MemoryNetwork;
use repute_testkit::TokioClock;
use repute_types::envelope::EnvelopeOptions;
use repute_types::{Address, Content, Domain, Outcome, Recipient, SeededRandom};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufStream, DuplexStream};
use tokio_rustls::TlsAcceptor;

use crate::authority::{Authority, Certificate, Server};

pub const PLAIN: &str = "b.test MX 10 mx.b.test\nmx.b.test A 192.0.2.1\n";
pub const SIGNED: &str = "b.test MX 10 mx.b.test\nb.test AUTHENTIC\nmx.b.test A 192.0.2.1\nmx.b.test AUTHENTIC\n_25._tcp.mx.b.test AUTHENTIC\n";
/// What [`World::send`] says of a message that went in clear.
pub const CLEAR: &str = "delivered clear";

/// A policy of MTA-STS.
pub fn policy(mode: &str, mx: &str) -> String {
    format!("version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 604800\r\n")
}

/// A TLSA record for the certificate at this place of the chain; for no chain one that fits nothing.
pub fn tlsa(host: &str, usage: u8, selector: u8, matching: u8, chain: &[Vec<u8>], place: usize) -> String {
    let data = match chain.get(place) {
        None => vec![0; 32],
        Some(der) if selector == 1 => repute_trust::certificate::Certificate::parse(der).unwrap().public_key,
        Some(der) => der.clone(),
    };
    let digest = match (chain.is_empty(), matching) {
        (true, _) => data,
        (false, 1) => ring(&aws_lc_rs::digest::SHA256, &data),
        (false, _) => ring(&aws_lc_rs::digest::SHA512, &data),
    };
    let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
    let at = format!("_25._tcp.{host}");
    format!("{at} TLSA {usage} {selector} {matching} {hex}\n{at} AUTHENTIC\n")
}

fn ring(with: &'static aws_lc_rs::digest::Algorithm, data: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(with, data).as_ref().to_vec()
}

pub struct World {
    authority: Authority,
    network: Arc<MemoryNetwork>,
    chain: Vec<Vec<u8>>,
    text: String,
    zone: ZoneFake,
    heard: Arc<Mutex<String>>,
    fetched: Arc<AtomicUsize>,
    answer: Arc<Mutex<String>>,
    policies: Arc<Policies>,
    store: Arc<Store>,
    clock: TokioClock,
    tally: Arc<Tally>,
    memory: HostMemory,
    require_tls: bool,
}

#[derive(Default)]
struct Store(Mutex<Vec<Kept>>);

impl PolicyStore for Store {
    fn keep(&self, kept: Kept) -> BoxFuture<'_, ()> {
        let mut all = self.0.lock().unwrap();
        all.retain(|other| other.domain != kept.domain);
        all.push(kept);
        Box::pin(async {})
    }
}

impl World {
    pub fn new(what: Certificate) -> World {
        let authority = Authority::new();
        let server = authority.server(what);
        World::with(authority, Some(server), false)
    }

    pub fn named(name: &str, what: Certificate) -> World {
        let authority = Authority::new();
        let server = authority.server_of(name, what);
        World::with(authority, Some(server), false)
    }

    /// Its mail host offers no STARTTLS.
    pub fn in_clear() -> World {
        World::with(Authority::new(), None, false)
    }

    /// Its mail host offers STARTTLS, and leaves when it is taken at its word.
    pub fn breaks_off() -> World {
        let authority = Authority::new();
        let server = authority.server(Certificate::Good);
        World::with(authority, Some(server), true)
    }

    fn with(authority: Authority, server: Option<Server>, breaks: bool) -> World {
        let network = Arc::new(MemoryNetwork::new(authority.client()));
        let heard = Arc::new(Mutex::new(String::new()));
        let chain = server.as_ref().map(|server| server.chain.clone()).unwrap_or_default();
        let tls = server.map(|server| TlsAcceptor::from(server.config));
        let mut listener = network.listen("192.0.2.1:25".parse().unwrap());
        let hearing = heard.clone();
        tokio::spawn(async move {
            while let Some(incoming) = listener.accept().await {
                tokio::spawn(serve(incoming.stream, tls.clone(), breaks, hearing.clone()));
            }
        });
        let (clock, store) = (TokioClock::new(), Arc::new(Store::default()));
        let policies = policies(&network, clock, &store);
        let world = World {
            authority,
            network,
            chain,
            text: String::new(),
            zone: ZoneFake::parse(""),
            heard,
            fetched: Arc::default(),
            answer: Arc::default(),
            policies,
            store,
            clock,
            tally: Arc::new(Tally::new(Arc::new(clock))),
            memory: HostMemory::default(),
            require_tls: false,
        };
        world.policy_certificate("mta-sts.b.test")
    }

    /// Further lines of the zone.
    pub fn zone(mut self, more: &str) -> World {
        self.text.push_str(more);
        self.zone = ZoneFake::parse(&self.text);
        self
    }

    /// Further lines, made from the certificates of the mail host.
    pub fn also(self, more: impl Fn(&[Vec<u8>]) -> String) -> World {
        let more = more(&self.chain);
        self.zone(&more)
    }

    /// The zone is this now.
    pub fn replace(&self, text: &str) {
        self.zone.replace(text);
    }

    /// A policy with this id.
    pub fn policy(self, id: &str, text: &str) -> World {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n";
        self.answer(id, &format!("{head}Content-Length: {}\r\n\r\n{text}", text.len()))
    }

    /// What the host of the policy answers; nothing, and it says nothing.
    pub fn answer(mut self, id: &str, answer: &str) -> World {
        *self.answer.lock().unwrap() = answer.to_owned();
        self.text = self.text.lines().filter(|l| !l.contains("mta-sts")).map(|l| format!("{l}\n")).collect();
        self.zone(&format!("_mta-sts.b.test TXT v=STSv1; id={id};\nmta-sts.b.test A 192.0.2.80\n"))
    }

    /// The host of the policy shows a certificate for this name.
    pub fn policy_certificate(self, name: &str) -> World {
        let tls = TlsAcceptor::from(self.authority.server_of(name, Certificate::Good).config);
        let mut listener = self.network.listen("192.0.2.80:443".parse().unwrap());
        let (answer, fetched) = (self.answer.clone(), self.fetched.clone());
        tokio::spawn(async move {
            while let Some(incoming) = listener.accept().await {
                fetched.fetch_add(1, Ordering::Relaxed);
                let answer = answer.lock().unwrap().clone();
                tokio::spawn(give(incoming.stream, tls.clone(), answer));
            }
        });
        self
    }

    pub fn require_tls(mut self) -> World {
        self.require_tls = true;
        self
    }

    /// With what was kept on disk, and nothing else.
    pub fn restarted(mut self) -> World {
        self.policies = policies(&self.network, self.clock, &self.store);
        self
    }

    pub async fn refresh(&self) -> usize {
        self.policies.refresh(&self.zone).await
    }

    /// How often somebody came for the policy.
    pub fn fetched(&self) -> usize {
        self.fetched.load(Ordering::Relaxed)
    }

    /// What the mail host heard.
    pub fn heard(&self) -> String {
        self.heard.lock().unwrap().clone()
    }

    /// Questions to DNS.
    pub fn asked(&self) -> String {
        self.zone.asked().join("\n")
    }

    pub async fn site(&self, domain: &str) -> String {
        self.route(&Domain::parse(domain).unwrap()).await.unwrap().site.to_string()
    }

    fn settings(&self) -> DeliverySettings {
        DeliverySettings {
            policies: Some(self.policies.clone()),
            tally: Some(self.tally.clone()),
            memory: self.memory.clone(),
            ..DeliverySettings::default()
        }
    }

    async fn route(&self, domain: &Domain) -> Result<Route, Outcome> {
        let random = SeededRandom::new(1);
        Routes::default().resolve(domain, &egress(), &self.settings(), &self.zone, &random).await
    }

    /// One message to `x@b.test`, and what became of it.
    pub async fn send(&self) -> String {
        let outcome = self.attempt().await.unwrap_or_else(|outcome| outcome);
        let tls = outcome
            .tls
            .as_ref()
            .map_or("clear".to_owned(), |t| format!("{} {} verified={}", t.version, t.asked.as_str(), t.verified));
        match outcome.verdict.as_str() {
            "delivered" => format!("delivered {tls}"),
            other => format!("{other} {} {} {tls}: {}", outcome.status, outcome.stage.as_str(), outcome.text),
        }
    }

    /// What was counted since the last time: domain, policy and where it stands, host, how many, and what was wrong.
    pub fn counted(&self) -> String {
        let taken = self.tally.take();
        assert_eq!(taken.left_out, 0);
        let line = |(kind, count): (&SessionKind, &u64)| {
            let SessionKind { domain, policy, host, failure, .. } = kind;
            let failed = failure.as_ref().map_or("good".to_owned(), |f| {
                let at = f.receiving.map_or("unspoken".to_owned(), |ip| ip.to_string());
                format!("{} {at} {}", f.result, f.reason)
            });
            format!("{domain}: {} of {} {host} {count} {}", policy.kind, policy.domain, failed.trim())
        };
        let mut lines: Vec<String> = taken.kinds.iter().map(line).collect();
        lines.sort();
        lines.join("\n")
    }

    /// A session for mail to a domain, by its route.
    pub async fn open(&self, domain: &str) -> Result<Connection, Outcome> {
        let domain = Domain::parse(domain).unwrap();
        let wanted = Wanted { domain: &domain, require_tls: self.require_tls };
        let route = self.route(&domain).await?;
        Connection::open(&route, wanted, &egress(), &self.settings(), &*self.network, &self.zone).await
    }

    async fn attempt(&self) -> Result<Outcome, Outcome> {
        let to = Recipient::to(Address::parse("x@b.test").unwrap());
        let from = Address::parse("a@a.test").unwrap();
        let options = EnvelopeOptions { require_tls: self.require_tls, ..EnvelopeOptions::default() };
        let content = Content::from("Subject: hello\r\n\r\nhello\r\n");
        let mut connection = self.open("b.test").await?;
        let transaction =
            Transaction { from: Some(&from), options: &options, recipients: &[&to], content: &content, chunks: true };
        assert!(connection.claim(Wanted { domain: to.address.domain(), require_tls: self.require_tls }));
        match connection.send(&transaction).await {
            Sent::Done(mut outcomes) => Ok(outcomes.remove(0).unwrap()),
            Sent::Stale(outcome) => Err(outcome),
            Sent::Again => panic!("all that is offered here is known"),
        }
    }
}

fn policies(network: &Arc<MemoryNetwork>, clock: TokioClock, store: &Arc<Store>) -> Arc<Policies> {
    let kept = store.0.lock().unwrap().clone();
    let hosts = PolicyHosts::default();
    Arc::new(Policies::new(network.clone(), Arc::new(clock), store.clone(), hosts, kept))
}

fn egress() -> Egress {
    Egress::unbound(Domain::parse("mail.a.test").unwrap())
}

/// A mail host that says yes to everything.
async fn serve(stream: DuplexStream, tls: Option<TlsAcceptor>, breaks: bool, heard: Arc<Mutex<String>>) {
    let mut stream = BufStream::new(stream);
    let offer = if tls.is_some() { "250-mx\r\n250 STARTTLS\r\n" } else { "250 mx\r\n" };
    if !converse(&mut stream, "220 mx\r\n", offer, &heard).await {
        return;
    }
    let Some(tls) = tls.filter(|_| !breaks) else { return };
    // The client may leave inside the handshake.
    if let Ok(session) = tls.accept(stream.into_inner()).await {
        converse(&mut BufStream::new(session), "", "250-mx\r\n250 REQUIRETLS\r\n", &heard).await;
    }
}

/// Until the end, or until STARTTLS was granted.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufStream<S>,
    greeting: &str,
    offer: &str,
    heard: &Mutex<String>,
) -> bool {
    let mut answer = greeting.to_owned();
    loop {
        if stream.write_all(answer.as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return false;
        }
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return false;
        }
        heard.lock().unwrap().push_str(&line);
        answer = match line.split_whitespace().next().unwrap_or_default() {
            "EHLO" => offer.to_owned(),
            "STARTTLS" => {
                stream.write_all(b"220 go\r\n").await.unwrap();
                stream.flush().await.unwrap();
                return true;
            }
            "DATA" => {
                stream.write_all(b"354 go\r\n").await.unwrap();
                stream.flush().await.unwrap();
                let mut content = String::new();
                while !content.ends_with("\r\n.\r\n") {
                    if stream.read_line(&mut content).await.unwrap_or(0) == 0 {
                        return false;
                    }
                }
                "250 2.0.0 taken\r\n".to_owned()
            }
            _ => "250 2.0.0 yes\r\n".to_owned(),
        };
    }
}

/// One answer of the host of the policy.
async fn give(stream: DuplexStream, tls: TlsAcceptor, answer: String) {
    let Ok(session) = tls.accept(stream).await else { return };
    let mut session = BufStream::new(session);
    let mut line = String::new();
    while session.read_line(&mut line).await.unwrap_or(0) > 2 {
        line.clear();
    }
    if answer.is_empty() {
        return std::future::pending().await;
    }
    let _ = session.write_all(answer.as_bytes()).await;
    let _ = session.flush().await;
    let _ = session.shutdown().await;
}
