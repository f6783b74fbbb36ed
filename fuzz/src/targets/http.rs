//! The HTTP face over real works in memory, and the lists that come through it.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use repute_dns::{BoxFuture, Lookup, Mx, Resolver};
use repute_engine::bulk::BulkSettings;
use repute_engine::config::{AccountSettings, SendingDomain};
use repute_engine::door::Account;
use repute_engine::{Doors, Engine, Settings as EngineSettings};
use repute_hooks::{Caller, Feed, FeedOptions, Hooks};
use repute_ledger::requests::{RequestOptions, Requests};
use repute_ledger::suppression::Suppressions;
use repute_message::{Header, header};
use repute_metrics::NoSource;
use repute_net::{MemoryNetwork, TlsClient};
use repute_spool::{MemorySpool, Spool};
use repute_types::event::NoEvents;
use repute_types::{Domain, PartId, SeededRandom, Stream, SystemClock};
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
    ("POST", "/v1/campaigns/autumn/recipients", "text/csv"),
    ("POST", "/v1/suppressions", JSON),
    ("POST", "/v1/queue/hold", JSON),
    ("POST", "/v1/queue/cancel", JSON),
    ("POST", "/v1/permits/suspend", JSON),
    ("POST", "/v1/circuits/continue", JSON),
    ("POST", "/email", JSON),
    ("POST", "/email/batch", JSON),
    ("POST", "/v2/email/outbound-emails", JSON),
    ("POST", "/", FORM),
    ("POST", "/u/x", FORM),
    ("POST", "/u/x", "multipart/form-data; boundary=x"),
    ("GET", "", ""),
    ("DELETE", "", ""),
    ("POST", "", JSON),
    ("POST", "/v1/campaigns/autumn/recipients", "application/x-ndjson"),
];

/// So many requests of one input, each behind this mark.
const MOST: usize = 4;
const MARK: &[u8] = b"\n%%%\n";

/// What is carried out once where it has a key.
const ONCE: [&str; 2] = ["/v1/messages", "/v1/messages/batch"];

/// Bits of the choice whose request it is: it has a key of its own; its first lines are fields.
const WITH_KEY: u8 = 64;
const WITH_FIELDS: u8 = 128;

struct World {
    runtime: tokio::runtime::Runtime,
    engine: Engine,
    spool: Arc<MemorySpool>,
    dry: Dry,
    requests: u32,
    /// Seen so far of the spool.
    last: Option<PartId>,
    state: tempfile::TempDir,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Requests with any body, or any path: each is answered, never by a fault of ours, and what is refused is told as a
/// problem. A message that was taken is well formed, and from a domain of its account. A request with a key is carried out
/// once, and has one answer.
pub fn http(octets: &[u8]) {
    WORLD.with_borrow_mut(|world| {
        let mut rest = octets;
        for _ in 0..MOST {
            let end = rest.windows(MARK.len()).position(|here| here == MARK);
            one(world, &rest[..end.unwrap_or(rest.len())]);
            let Some(end) = end else { return };
            rest = &rest[end + MARK.len()..];
        }
    });
}

fn one(world: &mut Option<World>, octets: &[u8]) {
    let mut choices = Choices(octets);
    let (which, whose) = (choices.next(), choices.next());
    let (method, path, media) = PATHS[usize::from(which) % PATHS.len()];
    let (path, mut body) = match (method, path) {
        ("POST", "") => {
            let end = choices.0.iter().position(|b| *b == b'\n').unwrap_or(choices.0.len());
            let (path, body) = choices.0.split_at(end);
            (String::from_utf8_lossy(path).into_owned(), body.get(1..).unwrap_or_default())
        }
        (_, "") => (String::from_utf8_lossy(choices.0).into_owned(), &[][..]),
        (_, path) => (path.to_owned(), choices.0),
    };
    let names = ["shop", "news", "ops"];
    let name = names[usize::from(whose & 63) % names.len()];
    let token = format!("repute_{name}");
    let mut named = [media.to_owned(), format!("Bearer {token}"), "20261126T080000Z".to_owned(), of_its_own(octets)];
    if whose & WITH_FIELDS > 0 {
        // The first lines are what the client says of itself and of the body, AWS's signature among it.
        let said: [String; 4] = pieces(body);
        let length: usize = body.split_inclusive(|b| *b == b'\n').take(3).map(<[u8]>::len).sum();
        let [kind, authorization, date, _] = said;
        (named, body) = ([kind, authorization, date.clone(), date], &body[length..]);
    }
    let mut fields = vec![
        ("content-type", &*named[0]),
        ("authorization", &named[1]),
        ("x-amz-date", &named[2]),
        ("x-postmark-server-token", &token),
    ];
    if whose & WITH_KEY > 0 {
        fields.push(("idempotency-key", &named[3]));
    }
    let asked = Asked { method, path: &path, fields: &fields, body };
    let world = World::ready(world);
    let before = world.spool.len();
    let Some((status, answer)) = world.ask(asked) else { return };
    world.check((whose & WITH_FIELDS == 0).then_some(name));
    if whose & WITH_KEY > 0 && status < 300 && ONCE.contains(&&*path) {
        let taken = world.spool.len();
        assert_eq!(world.ask(asked), Some((status, answer)), "another answer to the same request");
        assert_eq!(world.spool.len(), taken, "it was carried out twice");
        if taken == before {
            // Nothing was accepted: the key is free.
            return;
        }
        let other = [body, b" "].concat();
        let (status, _) = world.ask(Asked { body: &other, ..asked }).unwrap();
        assert!((400..500).contains(&status), "{status} to another request with the same key");
    }
}

/// A key that another request does not have.
fn of_its_own(octets: &[u8]) -> String {
    format!("{:016x}", octets.iter().fold(7u64, |sum, octet| (sum ^ u64::from(*octet)).wrapping_mul(0x100_0000_01b3)))
}

impl World {
    /// The world that is there, or a new one where it is old.
    fn ready(world: &mut Option<World>) -> &mut World {
        if world.as_ref().is_none_or(|world| world.requests >= REQUESTS)
            && let Some(old) = world.replace(World::new())
        {
            old.end();
        }
        world.as_mut().unwrap()
    }

    fn new() -> World {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let state = state();
        let (engine, spool, dry) = runtime.block_on(begin(state.path()));
        World { runtime, engine, spool, dry, requests: 0, last: None, state }
    }

    fn end(self) {
        self.runtime.block_on(self.engine.stop(Duration::ZERO)).unwrap();
        self.state.close().unwrap();
    }

    fn ask(&mut self, asked: Asked<'_>) -> Option<(u16, Vec<u8>)> {
        self.requests += 1;
        let (status, answer) = self.runtime.block_on(self.dry.ask(asked))?;
        assert!((200..500).contains(&status) || status == 503, "{status}: {}", String::from_utf8_lossy(&answer));
        if asked.path.starts_with("/v1/") {
            let json = serde_json::from_slice::<serde_json::Value>(&answer);
            let json = json.unwrap_or_else(|e| panic!("{status} {e}: {}", String::from_utf8_lossy(&answer)));
            assert!(status < 400 || json["status"] == status, "{json}");
        }
        Some((status, answer))
    }

    /// What was accepted since is a message as others may make one, and of the account that the token is for, where that
    /// is known.
    fn check(&mut self, account: Option<&str>) {
        for (meta, part) in self.runtime.block_on(self.spool.scan(self.last, 1000)).expect("in memory") {
            self.last = Some(PartId { message: meta.id, number: u32::MAX });
            let content = self.runtime.block_on(self.spool.content(part.id.message)).expect("accepted, so it is there");
            let octets = content.to_vec();
            assert!(!has_bare(&octets), "a bare CR or LF: {:?}", String::from_utf8_lossy(&octets));
            let header = Header::read(&content).expect("a header");
            assert!(header.find("Bcc").is_none());
            // A letter to a list is whole when it is merged, and a notice is ours.
            let (None, Some(name)) = (&meta.letter, &meta.account) else { continue };
            assert!(account.is_none_or(|account| account == &**name), "{meta:?}");
            assert_eq!(meta.author, Some(domain()));
            for name in ["From", "Date", "Message-ID"] {
                assert_eq!(header.all(name).count(), 1, "{name}: {:?}", String::from_utf8_lossy(&octets));
            }
            let from = header.find("From").and_then(|field| header::addresses(field.value).ok()).unwrap_or_default();
            assert!(!from.is_empty() && from.iter().all(|address| *address.domain() == domain()), "{from:?}");
        }
    }
}

/// A folder in memory where there is one: each request with a key is synced.
fn state() -> tempfile::TempDir {
    let named = |folder: &std::path::Path| tempfile::Builder::new().prefix("repute-fuzz-").tempdir_in(folder);
    named("/dev/shm".as_ref()).or_else(|_| named(&std::env::temp_dir())).unwrap()
}

async fn begin(state: &std::path::Path) -> (Engine, Arc<MemorySpool>, Dry) {
    let requests = Requests::open(&state.join("requests.sqlite"), RequestOptions::default()).unwrap();
    let suppressions = Suppressions::open(&state.join("suppressions.sqlite")).unwrap();
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
        suppressions: Some(Arc::new(suppressions)),
        requests: Some(Arc::new(requests)),
        circuits: None,
        tls_sessions: None,
        warm_ups: None,
        tokens: Arc::new(repute_feedback::Tokens::new(&[1; 32])),
    };
    let caller = Caller { network, resolver: Arc::new(NoNames), clock: Arc::new(SystemClock) };
    let (random, handle) = (Arc::new(SeededRandom::new(2)), tokio::runtime::Handle::current());
    let hooks = Arc::new(Hooks::new(feed, Arc::new(caller), random, Arc::new(NoEvents), handle));
    let engine = Engine::start(doors, works()).await.unwrap();
    let (counters, machine) = (Arc::default(), Arc::new(NoSource));
    let services = Services { door: engine.door(), control: engine.control(), hooks, counters, machine };
    let dry = Dry::new(&Face::new(services, settings(), Limits::default()));
    (engine, spool, dry)
}

fn account(name: &str) -> Account {
    let stream = if name == "news" { Stream::Bulk } else { Stream::Transactional };
    Account { name: name.into(), domains: vec![domain()].into(), stream, private: false }
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
    let tokens = [shop, token("news", Some(account("news"))), token("ops", None)].into_iter().collect();
    Settings { tokens, imprint: None, policies: Vec::new(), requests_per_minute: u32::MAX, local_metrics: false }
}

fn works() -> EngineSettings {
    let settings_of = |name: &str| AccountSettings::new(Arc::new(account(name)));
    EngineSettings {
        bulk: BulkSettings { url: Some("https://mail.example.com".into()), list_unsubscribe: true },
        accounts: vec![settings_of("shop"), settings_of("news")].into(),
        domains: vec![SendingDomain { danger_unsigned: true, ..SendingDomain::new(domain(), Vec::new()) }].into(),
        ..EngineSettings::new(Domain::parse("mail.example.com").unwrap())
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
