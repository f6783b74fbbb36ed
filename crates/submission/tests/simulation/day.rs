//! A day: the works with their doors faked, receivers, submitters and accidents around them,
//! in tokio's paused time and on one thread, so that a seed replays.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use repute_delivery::Egress;
use repute_engine::bulk::BulkSettings;
use repute_engine::config::{AccountSettings, AddressRange, Limits, SendingDomain};
use repute_engine::control::Selector;
use repute_engine::door::{Account, Origin, ScramSecret, Submitted};
use repute_engine::{CircuitSettings, Door, Doors, Engine, Settings};
use repute_net::{Listener, MemoryNetwork, TlsClient};
use repute_queue::Retry;
use repute_spool::{MemorySpool, Spool};
use repute_submission::TlsSource;
use repute_testkit::TokioClock;
use repute_types::{Address, Clock, Content, Domain, Envelope, Recipient, SeededRandom, Stream, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::book::{Book, Promise, Sums, Witness};
use super::client::Client;
use super::disk::Disk;
use super::front::Front;
use super::names::Names;
use super::plan::{Fault, HOUR, Letter, MINUTE, Plan, SECOND, Size, domain_of, plan};
use super::scram;
use super::site::{EGRESSES, Habit, Site, Will};
use super::text::{Text, text};

/// Sessions to a site at most; few, so that the bound is met.
const SESSIONS_PER_SITE: u32 = 4;
/// Accidents do not last longer than it takes to see what they did.
const PATIENCE: Duration = Duration::from_secs(30);

/// The door as submitters find it: shut while the works are down.
type Doorway = Arc<Mutex<Option<Arc<dyn Door>>>>;

struct Day {
    size: Size,
    seed: u64,
    clock: TokioClock,
    book: Arc<Book>,
    names: Arc<Names>,
    network: Arc<MemoryNetwork>,
    platter: Arc<MemorySpool>,
    sites: Vec<Arc<Site>>,
    doorway: Doorway,
    sync: Duration,
    /// By how much expiry comes later, because the clock was set back.
    put_off: Duration,
    tls: TlsSource,
    life: Option<Life>,
    crash: (mpsc::UnboundedSender<Duration>, mpsc::UnboundedReceiver<Duration>),
}

/// The works from a start to an end.
struct Life {
    engine: Engine,
    disk: Arc<Disk>,
    front: Front,
}

/// Lives through a day with this seed. `Err` holds every rule that was broken.
pub fn live(seed: u64, size: Size) -> Result<Sums, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let clock = TokioClock::new();
        let plan = plan(seed, size, clock.now());
        let mut day = Day::begin(seed, size, clock, &plan);
        day.go_through(plan).await;
        let (sums, broken) = day.book.judge();
        if broken.is_empty() {
            return Ok(sums);
        }
        let more = broken.len().saturating_sub(20);
        let list = broken.into_iter().take(20).collect::<Vec<_>>().join("\n  ");
        Err(format!("REPUTE_SEED={seed} breaks ({more} more not shown):\n  {list}"))
    })
}

impl Day {
    fn begin(seed: u64, size: Size, clock: TokioClock, plan: &Plan) -> Day {
        let book = Arc::new(Book::new(clock));
        let network = Arc::new(MemoryNetwork::new(TlsClient::without_roots()));
        let mut names = Names::default();
        let mut sites = Vec::new();
        for (number, habit) in plan.habits.iter().enumerate() {
            let (here, elsewhere) = (address_of(number, 0), address_of(number, 1));
            let main = format!("mx1.d{number}.test");
            let other = format!("mx2.d{number}.test");
            // One in three has a better host that is never there; one in seven is the host of two.
            let hosts = match number {
                n if n % 3 == 1 => vec![(other.as_str(), elsewhere), (main.as_str(), here)],
                _ => vec![(main.as_str(), here)],
            };
            network.fail(SocketAddr::from((elsewhere, 25)), repute_net::ConnectKind::Refused);
            names.domain(&domain_of(number), &hosts);
            sites.push(open(&network, here, habit.clone(), &book, clock));
        }
        let home = address_of(65_000, 0);
        names.domain("example.com", &[("mx.example.com", home)]);
        let good = Habit {
            will: Will::Good,
            until: Timestamp(0),
            pipelining: true,
            chunking: false,
            dsn: false,
            latency: Duration::from_millis(5),
        };
        sites.push(open(&network, home, good, &book, clock));
        Day {
            size,
            seed,
            clock,
            book,
            names: Arc::new(names),
            network,
            platter: Arc::new(MemorySpool::new()),
            sites,
            doorway: Doorway::default(),
            sync: plan.sync,
            put_off: Duration::ZERO,
            tls: TlsSource::new(Some(repute_testkit::tls::server_config(&["mail.example.com"]))),
            life: None,
            crash: mpsc::unbounded_channel(),
        }
    }

    async fn go_through(&mut self, plan: Plan) {
        self.start().await;
        let begin = Instant::now();
        let mut clients = JoinSet::new();
        for letter in plan.letters {
            let (door, client) = (self.doorway.clone(), self.client(letter.tag, letter.bulk));
            clients.spawn(async move {
                tokio::time::sleep_until(begin + letter.at).await;
                match letter.manner {
                    Some(manner) => client.submit(letter, manner).await,
                    None => submit(letter, door, client).await,
                }
            });
        }
        for (at, fault) in plan.faults {
            self.wait_until(begin + at).await;
            self.suffer(fault).await;
        }
        self.wait_until(begin + self.size.day).await;
        // Who says an octet every few seconds, to a hundred recipients, is at it for longer than a day.
        while !clients.is_empty() {
            self.wait_until(Instant::now() + HOUR).await;
            while let Some(ended) = clients.try_join_next() {
                ended.unwrap();
            }
        }
        // A message that came last may be tried until it expires, and its notice after that.
        self.wait_until(Instant::now() + self.size.expire + self.put_off + 5 * HOUR).await;
        self.check_end().await;
    }

    async fn start(&mut self) {
        let disk = Arc::new(Disk::new(self.platter.clone(), self.book.clone(), self.sync));
        let longest = settings(self.size).retry.longest();
        for (_, part) in self.platter.scan(None, usize::MAX).await.unwrap() {
            for pending in &part.recipients {
                self.book.is_due(&pending.recipient.address.to_string(), part.due, part.attempts, longest);
            }
        }
        let life = self.book.life();
        let doors = Doors {
            spool: disk.clone(),
            resolver: self.names.clone(),
            network: self.network.clone(),
            clock: Arc::new(self.clock),
            random: Arc::new(SeededRandom::new(self.seed ^ u64::from(life))),
            events: Arc::new(Witness { book: self.book.clone(), life }),
            history: None,
            returned: None,
            reports: None,
            suppressions: None,
            requests: None,
            circuits: None,
            tls_sessions: None,
            warm_ups: None,
            tokens: Arc::new(repute_feedback::Tokens::new(&[1; 32])),
            trust: None,
        };
        let engine = Engine::start(doors, settings(self.size)).await.unwrap();
        let door = engine.door();
        let front = Front::open(&self.network, &door, &self.tls, self.size.sessions as usize);
        *self.doorway.lock().unwrap() = Some(door);
        self.life = Some(Life { engine, disk, front });
    }

    /// Each of its own kind has some addresses, so that the bound of one is met.
    fn client(&self, tag: usize, bulk: bool) -> Client {
        let number = (tag % (1 + self.size.messages / 15)) as u8;
        Client {
            network: self.network.clone(),
            book: self.book.clone(),
            clock: self.clock,
            expire: self.size.expire,
            known: Ipv4Addr::new(198, 18, 1 + u8::from(bulk), number).into(),
            unknown: Ipv4Addr::new(198, 18, 3, number).into(),
        }
    }

    /// Lets time pass, looks at the bounds now and then, and crashes where that was aimed at.
    async fn wait_until(&mut self, until: Instant) {
        loop {
            self.check_bounds();
            let next = until.min(Instant::now() + 10 * MINUTE);
            tokio::select! {
                biased;
                Some(delay) = self.crash.1.recv() => {
                    tokio::time::sleep(delay).await;
                    self.crash(Duration::ZERO).await;
                }
                () = tokio::time::sleep_until(next) => {}
            }
            if Instant::now() >= until {
                return;
            }
        }
    }

    async fn suffer(&mut self, fault: Fault) {
        match fault {
            Fault::Restart(down) => {
                self.shut();
                let Some(life) = self.life.take() else { return };
                life.front.close(&self.book).await;
                let in_time = life.engine.stop(PATIENCE).await.unwrap();
                life.disk.pull_the_plug();
                // What was cut off is as after a crash; see `Engine::stop`.
                self.book.new_life(!in_time);
                tokio::time::sleep(down).await;
                self.start().await;
            }
            Fault::Crash(down) => self.crash(down).await,
            Fault::CrashAt(moment, nth, delay) => self.book.aim(moment, nth, delay, self.crash.0.clone()),
            Fault::DiskFull(time) => self.for_a_while(time, |life, on| life.disk.set_full(on)).await,
            Fault::DiskUnreadable(time) => self.for_a_while(time, |life, on| life.disk.set_unreadable(on)).await,
            Fault::DnsSilence(time) => {
                self.names.set_silent(true);
                self.wait_until(Instant::now() + time).await;
                self.names.set_silent(false);
            }
            Fault::ClockSet(millis) => {
                self.put_off += Duration::from_millis(u64::try_from(-millis).unwrap_or(0));
                self.book.clock_set(millis);
            }
            Fault::Hold(site, time) => self.hold(site, time).await,
        }
    }

    async fn for_a_while(&mut self, time: Duration, set: impl Fn(&Life, bool)) {
        self.life.iter().for_each(|life| set(life, true));
        self.wait_until(Instant::now() + time).await;
        // After a crash meanwhile it is another disk, which is good already.
        self.life.iter().for_each(|life| set(life, false));
    }

    async fn hold(&mut self, site: usize, time: Duration) {
        let Some(life) = &self.life else { return };
        let domain = Domain::parse(&domain_of(site)).unwrap();
        let selector = Selector { domain: Some(domain), ..Selector::default() };
        let control = life.engine.control();
        if control.hold(&selector, "the simulation says so").await.is_err() {
            return;
        }
        let held: Vec<String> = {
            let rows = control.list(&Selector { held: true, ..selector.clone() }, usize::MAX).await;
            let rows = rows.map(|list| list.rows).unwrap_or_default();
            rows.iter().flat_map(|row| &row.recipients).map(|r| r.address.to_string()).collect()
        };
        self.book.held(&held, true);
        self.wait_until(Instant::now() + time).await;
        self.book.held(&held, false);
        let Some(life) = &self.life else { return };
        // Where a crash came between, the works of now may know of nothing held.
        let _ = life.engine.control().release(&selector).await;
    }

    fn shut(&self) {
        *self.doorway.lock().unwrap() = None;
    }

    async fn crash(&mut self, down: Duration) {
        self.shut();
        let Some(life) = self.life.take() else { return };
        life.disk.pull_the_plug();
        self.book.new_life(true);
        life.front.crash().await;
        // Without any patience every task is dropped where it stands; the disk is dead to them.
        let _ = life.engine.stop(Duration::ZERO).await;
        tokio::time::sleep(down + Duration::from_millis(5)).await;
        self.start().await;
    }

    fn check_bounds(&self) {
        let Some(life) = &self.life else { return };
        life.front.check_bounds(&self.book);
        let status = life.engine.control().status();
        let in_lanes: u32 = status.lanes.iter().map(|lane| lane.sessions).sum();
        if status.sessions > self.size.sessions || in_lanes != status.sessions {
            self.book.breach(format!("{} sessions, {in_lanes} of them in lanes", status.sessions));
        }
        for lane in &status.lanes {
            if lane.sessions > SESSIONS_PER_SITE || lane.window > SESSIONS_PER_SITE || lane.window == 0 {
                self.book.breach(format!("a lane with {} sessions and the window {}", lane.sessions, lane.window));
            }
        }
    }

    async fn check_end(&mut self) {
        let Some(life) = self.life.take() else { return };
        life.front.check_end(&self.book);
        life.front.close(&self.book).await;
        let status = life.engine.control().status();
        if status.queued + status.sessions as usize > 0 {
            let lanes = status.lanes.iter().filter(|lane| lane.sessions > 0).map(|lane| &lane.site).collect::<Vec<_>>();
            self.book.breach(format!("{} parts queued, {} sessions to {lanes:?}", status.queued, status.sessions));
        }
        life.disk.flush().await.unwrap();
        if !self.platter.is_empty() {
            self.book.breach(format!("{} messages are left on the disk", self.platter.len()));
        }
        if !life.engine.stop(SECOND).await.unwrap() {
            self.book.breach("works without work did not stop within a second".into());
        }
        for site in &self.sites {
            // One more than the window may say goodbye at a time, for each that was given back.
            let most = site.most_sessions.load(std::sync::atomic::Ordering::Relaxed);
            // Who turns an address away is reached by two ways.
            let ways = if matches!(site.habit.will, Will::TurnsAway(_)) { 2 } else { 1 };
            if most > 2 * ways * SESSIONS_PER_SITE as usize {
                self.book.breach(format!("{most} sessions at once at a site, {:?}", site.habit.will));
            }
        }
        assert_eq!(self.network.unexpected(), [], "nobody else is connected to");
    }
}

/// Puts a receiver on the network, at once or when it comes up.
fn open(network: &Arc<MemoryNetwork>, at: Ipv4Addr, habit: Habit, book: &Arc<Book>, clock: TokioClock) -> Arc<Site> {
    let address = SocketAddr::from((at, 25));
    let site = Arc::new(Site::new(habit, book.clone(), clock));
    let serve = |mut listener: Listener, site: Arc<Site>| async move {
        while let Some(incoming) = listener.accept().await {
            tokio::spawn(site.clone().serve(incoming.stream, incoming.from));
        }
    };
    match site.habit.will {
        Will::Down(kind) => {
            network.fail(address, kind);
            let (network, site) = (network.clone(), site.clone());
            tokio::spawn(async move {
                tokio::time::sleep(site.habit.until.since(clock.steady())).await;
                serve(network.listen(address), site).await;
            });
        }
        _ => drop(tokio::spawn(serve(network.listen(address), site.clone()))),
    }
    site
}

fn address_of(number: usize, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, host, (number >> 8) as u8, number as u8)
}

/// A program with one letter and without SMTP: waits for an open door, and asks once.
async fn submit(letter: Letter, door: Doorway, client: Client) {
    let open = loop {
        if let Some(open) = door.lock().unwrap().clone() {
            break open;
        }
        tokio::time::sleep(MINUTE).await;
    };
    let Client { book, clock, expire, .. } = client;
    let addresses = letter.addresses(0);
    let recipient = |address: &String| {
        let recipient = Recipient::to(Address::parse(address).unwrap());
        Recipient { notify: letter.notify, ..recipient }
    };
    let recipients = addresses.iter().map(recipient).collect();
    for address in &addresses {
        book.offer(address, letter.notify, !letter.null_sender, clock.now() + expire);
    }
    let life = book.life();
    let from = Address::parse("shop@example.com").unwrap();
    let submitted = Submitted {
        account: account(if letter.bulk { "list" } else { "shop" }),
        envelope: Envelope { from: (!letter.null_sender).then_some(from), recipients, options: Default::default() },
        content: Content::from(text(&letter, 0, Text::Good)),
        origin: Origin { client: None, helo: "app".into(), tls: None, protocol: "ESMTPSA" },
        labels: None,
        send_at: None,
        id: None,
    };
    let answer = open.accept(submitted).await;
    let promise = match answer {
        Ok(_) => Promise::Accepted,
        Err(_) if book.life() != life => Promise::Unknown,
        Err(_) => Promise::Refused,
    };
    addresses.iter().for_each(|address| book.promised(address, promise));
}

/// What a server keeps of a password; made once, since that is what takes time.
fn secret_of(password: &str) -> ScramSecret {
    static SECRET: OnceLock<ScramSecret> = OnceLock::new();
    SECRET.get_or_init(|| scram::secret_of(password)).clone()
}

fn account(name: &str) -> Arc<Account> {
    Arc::new(Account {
        name: name.into(),
        domains: vec![Domain::parse("example.com").unwrap()].into(),
        stream: if name == "list" { Stream::Bulk } else { Stream::Transactional },
        private: false,
    })
}

fn egress(address: IpAddr) -> Arc<Egress> {
    let host = Egress::unbound(Domain::parse("mail.example.com").unwrap());
    Arc::new(Egress { name: address.to_string(), ..host.narrowed_to(address) })
}

fn settings(size: Size) -> Settings {
    let settings_of = |name, third| AccountSettings {
        scram: (name == "shop").then(|| secret_of("pencil")),
        addresses: vec![AddressRange { address: IpAddr::V4(Ipv4Addr::new(198, 18, third, 0)), prefix: 24 }],
        ..AccountSettings::new(account(name))
    };
    let sending = SendingDomain::new(Domain::parse("example.com").unwrap(), Vec::new());
    Settings {
        accounts: vec![settings_of("shop", 1), settings_of("list", 2)].into(),
        // Signatures are others' tests; here they would only cost time.
        domains: vec![SendingDomain { danger_unsigned: true, ..sending }].into(),
        retry: Retry { expire: size.expire, ..Retry::default() },
        egresses: EGRESSES.into_iter().map(egress).collect(),
        // Its receivers refuse so many that nothing would go.
        circuit: CircuitSettings { unknown: 0, complaints: 0, spam: 0, ..CircuitSettings::default() },
        bulk: BulkSettings { url: Some("https://mail.example.com".into()), list_unsubscribe: true },
        limits: Limits {
            sessions_per_site: SESSIONS_PER_SITE,
            sessions: size.sessions,
            // So little that much is read back.
            fresh_content: 20_000,
            ..Limits::default()
        },
        ..Settings::new(Domain::parse("mail.example.com").unwrap())
    }
}
