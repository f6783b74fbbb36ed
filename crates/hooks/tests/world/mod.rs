//! A server's webhooks without the server: a feed, one receiver in memory, a clock that follows
//! the simulated time, and the signature checked by hand.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses what it needs; what is wrong here ends it")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use repute_dns::ZoneFake;
use repute_hooks::{Bounds, Caller, Feed, FeedOptions, Hooks, Types, Webhook};
use repute_net::{Listener, MemoryNetwork, TlsClient};
use repute_testkit::{State, TokioClock};
use repute_types::event::{self, EventSink};
use repute_types::{
    Clock, Culprit, EnhancedCode, Event, EventKind, MessageId, Outcome, PartId, Reply as SmtpReply, SeededRandom,
    Stage, Timestamp, Verdict,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub const URL: &str = "http://shop.example/hooks";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ADDRESS: &str = "93.184.215.14:80";
const ZONE: &str = "
shop.example      A     93.184.215.14
rebound.example   A     93.184.215.14
rebound.example   A     10.0.0.5
metadata.example  A     169.254.169.254
wrapped.example   AAAA  ::ffff:127.0.0.1
";

pub enum Reply {
    Status(u16),
    RetryAfter(u64),
    Redirect(&'static str),
    /// Nothing, with the connection open.
    Hang,
    /// 200 at once, and a body that does not end.
    Endless,
}

/// A request as the receiver got it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its place among all, from 1.
    pub count: usize,
    /// How often the same `webhook-id` came before.
    pub seen: usize,
    pub taken: bool,
    head: HashMap<String, String>,
    octets: Vec<u8>,
    pub body: serde_json::Value,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.head.get(name).map_or("", String::as_str)
    }

    pub fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap_or_default()
    }

    /// The number of the message that it is about; 0 where there is none.
    pub fn message(&self) -> u64 {
        let id = self.body["data"]["message"].as_str().and_then(|text| text.parse::<MessageId>().ok());
        id.map_or(0, |id| id.0 - World::id(0).0)
    }

    pub fn is_about(&self, message: u64, kind: &str) -> bool {
        self.message() == message && self.kind() == kind
    }

    pub fn is_genuine(&self) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(&SECRET[6..]).unwrap());
        let mut signed = format!("{}.{}.", self.header("webhook-id"), self.header("webhook-timestamp")).into_bytes();
        signed.extend_from_slice(&self.octets);
        self.header("webhook-signature") == format!("v1,{}", STANDARD.encode(hmac::sign(&key, &signed)))
    }
}

/// What the server's other readers would have heard.
#[derive(Default)]
pub struct Heard {
    feed: Mutex<Option<Arc<Feed>>>,
    events: Mutex<Vec<Event>>,
}

impl EventSink for Heard {
    fn emit(&self, event: Event) {
        let feed = self.feed.lock().unwrap().clone();
        if let Some(feed) = feed {
            feed.record(&Arc::new(event.clone()));
        }
        self.events.lock().unwrap().push(event);
    }
}

type Script = dyn Fn(&Request, Duration) -> Reply + Send + Sync;

pub struct World {
    pub hooks: Hooks,
    clock: TokioClock,
    network: Arc<MemoryNetwork>,
    state: State,
    heard: Arc<Heard>,
    requests: Arc<Mutex<Vec<Request>>>,
    receiver: JoinHandle<()>,
}

pub fn webhook(name: &str, url: &str) -> Webhook {
    Webhook {
        name: name.into(),
        target: url.parse().unwrap(),
        secrets: vec![SECRET.parse().unwrap()],
        types: Types::ALL,
        account: None,
        batch: 1,
        batch_wait: Duration::ZERO,
        timeout: Duration::from_secs(15),
        connections: 4,
        allow_private: false,
    }
}

impl World {
    /// A webhook `shop`, and a receiver that answers as the script says (told the time since the
    /// start).
    pub async fn new(script: impl Fn(&Request, Duration) -> Reply + Send + Sync + 'static) -> World {
        let (clock, state, heard) = (TokioClock::new(), State::new(), Arc::new(Heard::default()));
        let network = Arc::new(MemoryNetwork::new(TlsClient::without_roots()));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let address: SocketAddr = ADDRESS.parse().unwrap();
        let receiver = tokio::spawn(receive(network.listen(address), Arc::new(script), requests.clone()));
        let hooks = open(&clock, &network, &state, &heard);
        hooks.configure(vec![webhook("shop", URL)]).await.unwrap();
        World { hooks, clock, network, state, heard, requests, receiver }
    }

    pub fn feed(&self) -> &Arc<Feed> {
        self.hooks.feed()
    }

    /// Stops everything in order and starts it on the same files.
    pub async fn restart(&mut self) {
        self.restart_after(Duration::ZERO).await;
    }

    /// The same, with the server off for a while.
    pub async fn restart_after(&mut self, off: Duration) {
        self.hooks.stop().await;
        self.feed().close();
        self.pass(off).await;
        self.hooks = open(&self.clock, &self.network, &self.state, &self.heard);
        self.hooks.configure(vec![webhook("shop", URL)]).await.unwrap();
    }

    pub fn id(message: u64) -> MessageId {
        MessageId(MessageId::first_at(Timestamp(1_795_478_400_000)).0 + message)
    }

    /// The events of one message: accepted, deferred, delivered.
    pub fn send(&self, message: u64) {
        self.emit(EventKind::Accepted(event::Accepted {
            message: World::id(message),
            account: Some("shop".into()),
            from: None,
            recipients: vec!["bob@example.net".parse().unwrap()],
            recipient_count: 1,
            size: 100,
            header_id: String::new(),
            client: None,
            tls: None,
            labels: None,
        }));
        for (attempt, verdict) in [(1, Verdict::Deferred), (2, Verdict::Delivered)] {
            let status = EnhancedCode(if attempt == 1 { 4 } else { 2 }, 0, 0);
            let mut outcome = Outcome::ours(verdict, Stage::Body, Culprit::Receiver, status, "");
            outcome.reply = Some(SmtpReply::new(if attempt == 1 { 451 } else { 250 }, status, "said"));
            self.emit(EventKind::Settled(event::Settled {
                part: PartId { message: World::id(message), number: 0 },
                account: Some("shop".into()),
                labels: None,
                recipient: "bob@example.net".parse().unwrap(),
                attempt,
                outcome: Arc::new(outcome),
                cause: None,
                next_attempt: None,
                age: Duration::ZERO,
                egress: None,
            }));
        }
    }

    fn emit(&self, kind: EventKind) {
        self.heard.emit(Event { at: self.clock.now(), kind });
    }

    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Those that were answered with 2xx, in the order of their answers.
    pub fn taken(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|r| r.taken).collect()
    }

    pub fn incidents(&self) -> Vec<&'static str> {
        let events = self.heard.events.lock().unwrap();
        let state = |event: &Event| match &event.kind {
            EventKind::Incident { state, .. } => Some(state.as_str()),
            _ => None,
        };
        events.iter().filter_map(state).collect()
    }

    pub fn notes(&self) -> Vec<String> {
        let events = self.heard.events.lock().unwrap();
        let text = |event: &Event| match &event.kind {
            EventKind::Note { text, .. } => Some(text.clone()),
            _ => None,
        };
        events.iter().filter_map(text).collect()
    }

    pub async fn end(self) {
        self.hooks.stop().await;
        self.feed().close();
        self.receiver.abort();
        self.heard.feed.lock().unwrap().take();
    }
}

fn open(clock: &TokioClock, network: &Arc<MemoryNetwork>, state: &State, heard: &Arc<Heard>) -> Hooks {
    let clock: Arc<dyn Clock> = Arc::new(*clock);
    let store = Some((state.join("events.sqlite"), Bounds::default()));
    let options = FeedOptions { store, clock: clock.clone(), inline: true, ..FeedOptions::default() };
    let feed = Feed::open(options).unwrap();
    *heard.feed.lock().unwrap() = Some(feed.clone());
    let caller = Caller { network: network.clone(), resolver: Arc::new(ZoneFake::parse(ZONE)), clock };
    let random = Arc::new(SeededRandom::new(1));
    Hooks::new(feed, Arc::new(caller), random, heard.clone(), Handle::current())
}

async fn receive(mut listener: Listener, script: Arc<Script>, requests: Arc<Mutex<Vec<Request>>>) {
    let start = Instant::now();
    while let Some(incoming) = listener.accept().await {
        tokio::spawn(converse(incoming.stream, script.clone(), requests.clone(), start));
    }
}

/// HTTP as far as a receiver needs it; ends with the connection.
async fn converse(mut stream: DuplexStream, script: Arc<Script>, requests: Arc<Mutex<Vec<Request>>>, start: Instant) {
    let mut input = Vec::new();
    loop {
        let Some((head, octets)) = read(&mut stream, &mut input).await else { return };
        let (place, reply) = {
            let mut all = requests.lock().unwrap();
            let id = head.get("webhook-id").cloned();
            let seen = all.iter().filter(|r| r.head.get("webhook-id") == id.as_ref()).count();
            let body = serde_json::from_slice(&octets).unwrap();
            let request = Request { count: all.len() + 1, seen, taken: false, head, octets, body };
            let reply = script(&request, start.elapsed());
            all.push(request);
            (all.len() - 1, reply)
        };
        let text = match reply {
            Reply::Hang => return std::future::pending().await,
            Reply::Status(code) => {
                requests.lock().unwrap()[place].taken = code < 300;
                format!("HTTP/1.1 {code} So\r\n{}\r\n", if code == 204 { "" } else { "content-length: 0\r\n" })
            }
            Reply::Endless => {
                requests.lock().unwrap()[place].taken = true;
                stream.write_all(b"HTTP/1.1 200 So\r\ncontent-length: 1000\r\n\r\nand").await.unwrap();
                return std::future::pending().await;
            }
            Reply::RetryAfter(s) => format!("HTTP/1.1 429 Slow\r\nretry-after: {s}\r\ncontent-length: 0\r\n\r\n"),
            Reply::Redirect(to) => format!("HTTP/1.1 302 There\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"),
        };
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut DuplexStream, input: &mut Vec<u8>) -> Option<(HashMap<String, String>, Vec<u8>)> {
    loop {
        if let Some(end) = input.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8(input[..end].to_vec()).unwrap();
            assert!(head.starts_with("POST /hooks HTTP/1.1\r\n"), "{head}");
            let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
            let head: HashMap<String, String> =
                fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
            let length: usize = head["content-length"].parse().unwrap();
            if input.len() >= end + 4 + length {
                let octets = input[end + 4..end + 4 + length].to_vec();
                input.drain(..end + 4 + length);
                return Some((head, octets));
            }
        }
        if stream.read_buf(input).await.ok()? == 0 {
            return None;
        }
    }
}
