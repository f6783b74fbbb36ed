//! `repute demo`: the whole thing, on this machine alone. A playground on loopback, the real
//! server with its spool in a temporary folder, and real messages over real SMTP; then every
//! recipient is accounted for, at the receivers and in the server's own books.
//!
//! Promise: needs neither root nor a network, and leaves nothing behind (unless `--keep`).
//! Ends with exit code 0 only if all is as it should be.

mod books;
mod letters;
mod show;
mod story;
mod submit;
mod tally;
mod world;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::ProgressBar;
use repute_types::{Clock as _, Domain, SystemClock, Timestamp};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use self::books::Books;
use self::letters::{HILL, Letter, SHOP};
use self::submit::Submission;
use self::tally::Tally;
use self::world::{DOWN, Loopback, Places, World};
use crate::cli::{Context, Exit};
use crate::config::meant::LogFormat;
use crate::config::{self, Files};
use crate::control::{client, wire::Request};
use crate::keys::{self, Algorithm};
use crate::log::Log;
use crate::serve::{self, Running};
use crate::{accounts, out, private, tls};

/// Greylists, retries and a receiver that comes up late take ten seconds; a slow machine more.
const PATIENCE: Duration = Duration::from_secs(90);
const ACCOUNT: &str = "shop";
const KEYS: &str = "r1 (RSA) and e1 (Ed25519)";

#[derive(clap::Args)]
pub struct Args {
    /// How many messages are sent
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(40..=50_000))]
    messages: u32,
    /// Leave out the story, and send the messages at once
    #[arg(long)]
    no_story: bool,
    /// Keep the server running and its folder until Ctrl-C, to look around
    #[arg(long)]
    keep: bool,
    /// Tell receivers apart by port on 127.0.0.1, as is done where loopback has no other address
    #[arg(long, hide = true)]
    one_address: bool,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Runtime::new().context("the runtime cannot be started")?;
    runtime.block_on(demo(&args, context))
}

/// What the run of many messages is made of.
struct Stage {
    door: Door,
    world: World,
}

/// A server's folder and the way in; the folder goes with it.
struct Door {
    folder: tempfile::TempDir,
    config: PathBuf,
    password: String,
    /// The name in its certificate.
    name: String,
}

async fn demo(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let story = tokio::select! {
        story = tell_story(args, context) => story?,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted; nothing is left behind"),
    };
    let stage = Stage::build(args).await?;
    let since = SystemClock.now();
    let server = serve::start(config::load(&stage.door.config, Files::Check)?, stage.door.log()?).await?;
    let mut tally = tokio::select! {
        played = play(args, &stage, &server, since, context) => played?,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted; nothing is left behind"),
    };
    if let Some(story) = story {
        let mut checks = story::checks(&story);
        checks.append(&mut tally.checks);
        tally.checks = checks;
        tally.story = Some(story);
    }
    match context.json {
        true => out::json(&serde_json::to_value(&tally)?),
        false => show::tally(&tally),
    }
    look_further(args, &stage, context).await?;
    server.stop().await;
    Ok(if tally.is_good() { Exit::Done } else { Exit::Problem })
}

/// The newsletter through its chapters; `None` where it is not wanted, or cannot be told here.
async fn tell_story(args: &Args, context: &Context) -> anyhow::Result<Option<Vec<story::Told>>> {
    if args.no_story || args.one_address {
        return Ok(None);
    }
    if !context.json {
        out::print(&story::head());
    }
    let told = story::play(|told| {
        if !context.json {
            out::print(&story::tell(told));
        }
    })
    .await?;
    if !context.json {
        match told {
            Some(_) => out::print(&story::moral()),
            None => out::line("  This machine has 127.0.0.1 alone, so the story cannot be told here.\n"),
        }
    }
    Ok(told)
}

/// Sends everything, waits for everything, and holds what came against what was sent.
async fn play(
    args: &Args,
    stage: &Stage,
    server: &Running,
    since: Timestamp,
    context: &Context,
) -> anyhow::Result<Tally> {
    let (world, state) = (&stage.world, stage.door.folder.path());
    let submission = stage.door.submission(server)?;
    if !context.json {
        show::world(world, submission.server, KEYS);
    }
    let letters: Vec<Arc<Letter>> = letters::letters(args.messages, since).into_iter().map(Arc::new).collect();
    let mail = async {
        let accepted = send(&submission, &letters, context).await?;
        wait_for_all(world, &letters, context).await;
        anyhow::Ok(accepted)
    };
    let (accepted, ()) = tokio::join!(mail, bring_up(world));
    let accepted = accepted?;
    let in_queue = wait_for_empty_queue(state).await?;
    let books = read_books(state, since).await?;
    Ok(tally::tally(world, &letters, &accepted, &books, in_queue))
}

impl Stage {
    async fn build(args: &Args) -> anyhow::Result<Stage> {
        let folder = tempfile::Builder::new().prefix("repute-demo-").tempdir();
        let folder = folder.context("a temporary folder cannot be made")?;
        let world = World::start(if args.one_address { Loopback::OneAddress } else { Loopback::AsItIs }).await?;
        make_keys(folder.path(), &world)?;
        let password = accounts::generate()?;
        let config = folder.path().join("repute.toml");
        private::write(&config, configuration(folder.path(), &world, &password)?.as_bytes())?;
        let name = world.hostname();
        Ok(Stage { door: Door { folder, config, password, name }, world })
    }
}

impl Door {
    /// The server's log, in its folder and not on the terminal.
    fn log(&self) -> anyhow::Result<Arc<Log>> {
        let file = std::fs::File::create(self.folder.path().join("log")).context("the log cannot be written")?;
        Ok(Arc::new(Log::to(LogFormat::Text, file).context("the log's thread cannot be started")?))
    }

    fn submission(&self, server: &Running) -> anyhow::Result<Submission> {
        let files = tls::SelfSigned::of(self.folder.path());
        let certificate =
            CertificateDer::from_pem_file(&files.certificate).context("reading the server's certificate")?;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (_, address) = *server.addresses().first().context("the server listens nowhere")?;
        Ok(Submission {
            server: address,
            name: self.name.clone(),
            tls: Arc::new(tls),
            user: ACCOUNT.to_owned(),
            password: self.password.clone(),
        })
    }
}

/// Both keys of the shop, as `repute domain add` makes them, and their records.
fn make_keys(state: &Path, world: &World) -> anyhow::Result<()> {
    for (name, record) in keys_of_shop(state)? {
        world.publish(&name, &record)?;
    }
    Ok(())
}

/// Makes them; where each record stands, and what it says.
fn keys_of_shop(state: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let shop = shop()?;
    let folder = keys::folder(state, &shop);
    keys::make(&folder, Algorithm::Rsa, "r1")?;
    keys::make(&folder, Algorithm::Ed25519, "e1")?;
    Ok(keys::read_all(&folder)?.iter().map(|key| (key.record_name(&shop), key.record())).collect())
}

fn shop() -> anyhow::Result<Domain> {
    Ok(Domain::parse(SHOP)?)
}

/// What an operator would write, with the few lines that make it a private internet.
fn configuration(state: &Path, world: &World, password: &str) -> anyhow::Result<String> {
    let hash = accounts::hash(password, &accounts::salt()?)?;
    let dns = world.dns.address();
    let mut text = format!(
        "hostname = \"{}\"\nstate = {:?}\n\n[[domain]]\nname = \"{SHOP}\"\n\n\
         [[account]]\nname = \"{ACCOUNT}\"\npassword = \"{hash}\"\ndomains = [\"{SHOP}\"]\n\n\
         [[listener]]\nkind = \"submission\"\naddress = \"127.0.0.1:0\"\n\n\
         # From here on: what makes it a private little internet, and quick.\n\
         [resolver]\nservers = [\"{dns}\"]\ndnssec = false\n\n\
         [retry]\nfirst = \"2s\"\nmax_interval = \"5s\"\npause = \"2s\"\nmax_pause = \"5s\"\n\n\
         # One letter in twenty goes to somebody who does not exist.\n[circuit]\nunknown = 0\n\n\
         # Every other check has to pass, by the records of this little internet.\n\
         [permit]\nassume = [\"ip.public\"]\n\n\
         [delivery]\ndanger_allow_loopback = true\n",
        world.hostname(),
        state.display().to_string(),
    );
    match world.places {
        Places::Addresses { port, egress } => {
            text += &format!("mx_port = {port}\n\n[[egress]]\naddress = \"{egress}\"\n");
        }
        Places::Ports => {
            for home in world.all() {
                let address = home.receiver.address();
                let (host, port) = (address.ip(), address.port());
                text += &format!("\n[[route]]\ndomains = [\"{}\"]\nhost = \"{host}\"\nport = {port}\n", home.domain);
            }
        }
    }
    Ok(text)
}

async fn send(to: &Submission, letters: &[Arc<Letter>], context: &Context) -> anyhow::Result<Vec<u32>> {
    let bar = if context.json { ProgressBar::hidden() } else { show::bar("submitted", letters.len() as u64) };
    let started = Instant::now();
    let accepted = submit::submit(to, letters, &bar).await?;
    if !context.json {
        show::done(&bar, "submitted", "messages", started.elapsed());
    }
    Ok(accepted)
}

/// The receiver that is down comes up after a while.
async fn bring_up(world: &World) {
    tokio::time::sleep(DOWN).await;
    for home in world.homes.iter().filter(|home| home.domain == HILL) {
        home.receiver.come_up();
    }
}

/// Until everything has arrived, or the time is up: what is missing then shows in the tally.
async fn wait_for_all(world: &World, letters: &[Arc<Letter>], context: &Context) {
    let expected: u64 = letters.iter().map(|l| l.to.len() as u64).sum();
    let notices = letters.iter().filter(|l| l.unknown.is_some()).count() as u64;
    let bar = if context.json { ProgressBar::hidden() } else { show::bar("delivered", expected) };
    let started = Instant::now();
    loop {
        let (arrived, told) = tally::arrived(world);
        bar.set_position(arrived);
        let more = format!("recipients, and {told} of {notices} failure notices");
        bar.set_message(more.clone());
        if (arrived >= expected && told >= notices) || started.elapsed() > PATIENCE {
            if !context.json {
                show::done(&bar, "delivered", &more, started.elapsed());
            }
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How many parts the server still has, once it has had a moment to settle the last.
async fn wait_for_empty_queue(state: &Path) -> anyhow::Result<usize> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let folder = state.to_owned();
        let status = tokio::task::spawn_blocking(move || client::ask(&folder, &Request::StatusV1 {})).await??;
        let queued = status["queued"].as_u64().context("the server's status has no `queued`")? as usize;
        if queued == 0 || Instant::now() > deadline {
            return Ok(queued);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The history is written a moment after things happen.
async fn read_books(state: &Path, since: Timestamp) -> anyhow::Result<Books> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let history = crate::state::history(state);
        let now = SystemClock.now() + Duration::from_secs(1);
        let books = tokio::task::spawn_blocking(move || books::read(&history, since, now)).await??;
        if books.open.is_empty() || Instant::now() > deadline {
            return Ok(books);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn look_further(args: &Args, stage: &Stage, context: &Context) -> anyhow::Result<()> {
    let program = std::env::args().next().unwrap_or_else(|| "repute".to_owned());
    if !args.keep {
        if !context.json {
            out::line(&format!("To look around, keep it running: {program} demo --keep"));
        }
        return Ok(());
    }
    let config = stage.door.config.display();
    let lines = format!(
        "The server goes on until Ctrl-C. In another terminal:\n\n\
         \x20 {program} -c {config} why ann@river.test      what became of mail to somebody\n\
         \x20 {program} -c {config} why nobody@meadow.test  a bounce, step by step\n\
         \x20 {program} -c {config} queue list\n\
         \x20 {program} -c {config} status\n\n\
         The server's log is {}.\n",
        stage.door.folder.path().join("log").display()
    );
    match context.json {
        true => out::error(&lines),
        false => out::line(&lines),
    }
    tokio::signal::ctrl_c().await.context("waiting for Ctrl-C")
}
