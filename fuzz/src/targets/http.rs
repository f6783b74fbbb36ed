//! The HTTP face over real works in memory, and the lists that come through it.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use repute_delivery::{DeliverySettings, Routes};
use repute_dns::{BoxFuture, Lookup, Mx, Resolver};
use repute_engine::bulk::BulkSettings;
use repute_engine::config::{AccountSettings, Limits as EngineLimits, SendingDomain};
use repute_engine::door::Account;
use repute_engine::{Doors, Engine, Settings as EngineSettings};
use repute_hooks::{Caller, Feed, FeedOptions, Hooks};
use repute_message::Header;
use repute_net::{MemoryNetwork, TlsClient};
use repute_queue::Retry;
use repute_spool::{MemorySpool, Spool};
use repute_types::event::NoEvents;
use repute_types::{Domain, MessageId, SeededRandom, Stream, SystemClock};
use repute_web::dry::{Asked, Dry};
use repute_web::{Action, Face, Limits, Services, Settings, Token, TokenHash};

use super::{Choices, domain, has_bare, pieces};

/// Requests that the same works answer; then new ones begin, with empty memory.
const REQUESTS: u32 = 500;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// Each has a parser of its own behind it.
const PATHS: &[(&str, &str, &str)] = &[
    ("POST", "/v1/messages", JSON),
    ("POST", "/v1/messages/batch", JSON),
    ("POST", "/v1/campaigns", JSON),
    ("POST", "/v1/campaigns/check", JSON),
    ("POST", "/v1/campaigns/preview", JSON),
    ("POST", "/v1/campaigns/x/recipients", "text/csv"),
    ("POST", "/v1/suppressions", JSON),
    ("POST", "/v1/queue/hold", JSON),
    ("POST", "/v1/queue/cancel", JSON),
    ("POST", "/v1/permits/say", JSON),
    ("POST", "/v1/circuits/continue", JSON),
    ("POST", "/email", JSON),
    ("POST", "/email/batch", JSON),
    ("POST", "/v2/email/outbound-emails", JSON),
    ("POST", "/", FORM),
    ("POST", "/u/x", FORM),
    ("POST", "/u/x", "multipart/form-data; boundary=x"),
    ("GET", "", ""),
];

struct World {
    runtime: tokio::runtime::Runtime,
    engine: Engine,
    spool: Arc<MemorySpool>,
    dry: Dry,
    requests: u32,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// A request with any body, or any path: it is answered, never by a fault of ours, and what is refused is told as a
/// problem. A message that was taken is well formed.
pub fn http(octets: &[u8]) {
    let mut choices = Choices(octets);
    let (which, whose) = (choices.next(), choices.next());
    let (method, path, media) = PATHS[usize::from(which) % PATHS.len()];
    let (path, body) = match path {
        "" => (String::from_utf8_lossy(choices.0).into_owned(), &[][..]),
        path => (path.to_owned(), choices.0),
    };
    let token = ["repute_shop", "repute_news", "repute_ops"][usize::from(whose) % 3];
    let mut named = [media.to_owned(), format!("Bearer {token}"), "20261126T080000Z".to_owned()];
    let mut body = body;
    if whose & 128 > 0 {
        // The first lines are what the client says of itself and of the body, AWS's signature among it.
        let said: [String; 4] = pieces(body);
        let length: usize = body.split_inclusive(|b| *b == b'\n').take(3).map(<[u8]>::len).sum();
        let [kind, authorization, date, _] = said;
        (named, body) = ([kind, authorization, date], &body[length..]);
    }
    let fields = [
        ("content-type", &*named[0]),
        ("authorization", &named[1]),
        ("x-amz-date", &named[2]),
        ("x-postmark-server-token", token),
        ("idempotency-key", &named[2]),
    ];
    WORLD.with_borrow_mut(|world| {
        if world.as_ref().is_none_or(|world| world.requests >= REQUESTS)
            && let Some(old) = world.replace(World::new())
        {
            old.end();
        }
        let world = world.as_mut().unwrap();
        world.requests += 1;
        let asked = Asked { method, path: &path, fields: &fields, body };
        let Some((status, answer)) = world.runtime.block_on(world.dry.ask(asked)) else { return };
        assert!((200..500).contains(&status) || status == 503, "{status}: {}", String::from_utf8_lossy(&answer));
        let json = serde_json::from_slice::<serde_json::Value>(&answer);
        if path.starts_with("/v1/") {
            let json = json.unwrap_or_else(|e| panic!("{status} {e}: {}", String::from_utf8_lossy(&answer)));
            assert!(status < 400 || json["status"] == status, "{json}");
            if status == 202 && path == "/v1/messages" {
                world.check(json["id"].as_str().unwrap());
            }
        }
    });
}

impl World {
    fn new() -> World {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (engine, spool, dry) = runtime.block_on(begin());
        World { runtime, engine, spool, dry, requests: 0 }
    }

    fn end(self) {
        self.runtime.block_on(self.engine.stop(Duration::ZERO)).unwrap();
    }

    /// What was accepted is a message as others may make one.
    fn check(&self, id: &str) {
        let id: MessageId = id.parse().expect("an id");
        let content = self.runtime.block_on(self.spool.content(id)).expect("accepted, so it is there");
        let octets = content.to_vec();
        assert!(!has_bare(&octets), "a bare CR or LF: {:?}", String::from_utf8_lossy(&octets));
        let header = Header::read(&content).expect("a header");
        for name in ["From", "Date", "Message-ID"] {
            assert_eq!(header.all(name).count(), 1, "{name}: {:?}", String::from_utf8_lossy(&octets));
        }
        assert!(header.find("Bcc").is_none());
    }
}

async fn begin() -> (Engine, Arc<MemorySpool>, Dry) {
    let spool = Arc::new(MemorySpool::new());
    let feed = Feed::open(FeedOptions::default()).unwrap();
    let network = Arc::new(MemoryNetwork::new(TlsClient::without_roots()));
    let doors = Doors {
        trust: None,
        spool: spool.clone(),
        resolver: Arc::new(NoNames),
        network: network.clone(),
        clock: Arc::new(SystemClock),
        random: Arc::new(SeededRandom::new(1)),
        events: Arc::new(NoEvents),
        history: None,
        returned: None,
        reports: None,
        suppressions: None,
        requests: None,
        circuits: None,
        tls_sessions: None,
        tokens: Arc::new(repute_feedback::Tokens::new(&[1; 32])),
    };
    let caller = Caller { network, resolver: Arc::new(NoNames), clock: Arc::new(SystemClock) };
    let (random, handle) = (Arc::new(SeededRandom::new(2)), tokio::runtime::Handle::current());
    let hooks = Arc::new(Hooks::new(feed, Arc::new(caller), random, Arc::new(NoEvents), handle));
    let engine = Engine::start(doors, works()).await.unwrap();
    let services = Services { door: engine.door(), control: engine.control(), hooks };
    let dry = Dry::new(&Face::new(services, settings(), Limits::default()));
    (engine, spool, dry)
}

fn account(name: &str) -> Account {
    let stream = if name == "news" { Stream::Bulk } else { Stream::Transactional };
    Account { name: name.into(), domains: vec![domain()], stream, private: false }
}

fn settings() -> Settings {
    let token = |name: &str, account: Option<Account>| {
        Arc::new(Token {
            name: name.into(),
            signing_secret: format!("secret of {name}"),
            hash: TokenHash::of(&format!("repute_{name}")),
            account: account.map(Arc::new),
            actions: Action::ALL.to_vec(),
            requests_per_minute: Some(u32::MAX),
        })
    };
    let shop = token("shop", Some(account("shop")));
    let tokens = vec![shop, token("news", Some(account("news"))), token("ops", None)];
    Settings { tokens, imprint: None, policies: Vec::new(), requests_per_minute: u32::MAX }
}

fn works() -> EngineSettings {
    let settings_of = |name: &str| AccountSettings {
        account: Arc::new(account(name)),
        password: None,
        scram: None,
        addresses: Vec::new(),
        replies: None,
    };
    let sending =
        SendingDomain { name: domain(), keys: Vec::new(), danger_unsigned: true, return_path: None, pool: None };
    EngineSettings {
        permit: Default::default(),
        tls_reports: Default::default(),
        bulk: BulkSettings { url: Some("https://mail.example.com".into()), list_unsubscribe: true },
        hostname: Domain::parse("mail.example.com").unwrap(),
        accounts: vec![settings_of("shop"), settings_of("news")],
        domains: vec![sending],
        egresses: Vec::new(),
        routes: Arc::new(Routes::default()),
        delivery: Arc::new(DeliverySettings::default()),
        retry: Retry::default(),
        limits: EngineLimits::default(),
        suppression: Default::default(),
        returned: Default::default(),
        circuit: Default::default(),
    }
}

/// A list in whatever pieces it comes is the same rows, each with a value for every field.
pub fn list(octets: &[u8]) {
    let mut choices = Choices(octets);
    let (csv, cut) = (choices.flag(), usize::from(choices.next()).max(1));
    let fields = || vec!["name".to_owned(), "plan".to_owned()];
    let read = |cut: usize| {
        let pieces = choices.0.chunks(cut);
        if csv { repute_web::dry::csv(fields(), pieces) } else { repute_web::dry::lines(fields(), pieces) }
    };
    let whole = read(choices.0.len().max(1));
    assert_eq!(whole, read(cut), "the rows depend on how the list is cut");
    let rows = whole.iter().flatten().flatten();
    rows.for_each(|row| assert_eq!(row.values.len(), 2));
}

/// A name server that does not answer: everything waits.
struct NoNames;

fn silence<'a, T: Send + 'a>() -> BoxFuture<'a, Lookup<T>> {
    Box::pin(async { Lookup::NoAnswer("nobody answers here".into()) })
}

impl Resolver for NoNames {
    fn mx<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Lookup<Mx>> {
        silence()
    }

    fn a<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Lookup<std::net::Ipv4Addr>> {
        silence()
    }

    fn aaaa<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Lookup<std::net::Ipv6Addr>> {
        silence()
    }

    fn txt<'a>(&'a self, _: &'a Domain) -> BoxFuture<'a, Lookup<Vec<u8>>> {
        silence()
    }

    fn ptr(&self, _: IpAddr) -> BoxFuture<'_, Lookup<Domain>> {
        silence()
    }
}
