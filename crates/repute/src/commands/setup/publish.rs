//! Publishing by DNS UPDATE: the difference at the primary server, shown, agreed to, made.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use repute_publish::{Change, Directory, Guard, Primary, Server, TsigKey, UpdateError, update};
use repute_trust::records::{Found, Kind, TTL, Wanted};
use repute_types::{Domain, SystemClock};

use super::answers;
use super::survey::{self, Row};
use crate::cli::Ended;
use crate::config::Config;
use crate::config::value::{self, Socket};
use crate::out;

/// How DNS is asked and changed; the same flags for every command that does.
#[derive(clap::Args)]
// Flattened into commands whose own group is called Args.
#[group(id = "dns")]
pub struct Args {
    /// Take what is proposed and ask nothing, also before DNS is changed
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Publish the records, and how
    #[arg(long, value_enum, value_name = "HOW", requires_all = ["server", "key_file"])]
    publish: Option<How>,
    /// The DNS server that takes changes: the zone's primary, with or without a port
    #[arg(long)]
    server: Option<String>,
    /// The name of the key, if it is not in the file
    #[arg(long, requires = "publish", value_name = "NAME")]
    key_name: Option<String>,
    /// The key that the server knows, as `tsig-keygen` writes it, or the secret in base64
    #[arg(long, requires = "publish", value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// A zone that may be changed; may be given several times [default: those of the names]
    #[arg(long = "zone", requires = "publish", value_name = "ZONE")]
    zones: Vec<Domain>,
    /// Ask these resolvers; a new configuration names them
    #[arg(long, value_name = "IP[:PORT]", value_parser = Socket::parse)]
    pub resolver: Vec<Socket>,
    /// How long DNS is waited for [default: 10m where it publishes or a terminal looks on, else 0s]
    #[arg(long, value_name = "TIME")]
    wait: Option<String>,
    /// Set by --json: the end alone is printed
    #[arg(skip)]
    pub quiet: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum How {
    /// DNS UPDATE with a TSIG key
    Rfc2136,
}

impl Args {
    pub fn patience(&self) -> anyhow::Result<Duration> {
        match &self.wait {
            Some(text) => value::duration(text).map_err(|why| Ended::usage(format!("--wait {text}: {why}"))),
            None if self.publish.is_some() || std::io::stdout().is_terminal() => Ok(Duration::from_secs(600)),
            None => Ok(Duration::ZERO),
        }
    }

    /// Who is asked for records.
    pub async fn directory(&self, config: &Config) -> anyhow::Result<Directory> {
        let directory = survey::directory(config, &self.resolver)?;
        match &self.server {
            Some(server) => Ok(directory.with_server(address(server).await?)),
            None => Ok(directory),
        }
    }
}

/// Where changes go, and what the key may change.
pub struct Target {
    pub primary: Primary,
    /// Empty: the zones that the configured domains are in.
    zones: Vec<Domain>,
}

/// What was changed.
#[derive(Default)]
pub struct Done {
    pub changed: usize,
    /// Until then others may remember what stood there before.
    pub remembered: Duration,
    /// Names that are in none of the zones.
    pub elsewhere: Vec<Domain>,
}

/// The server and the key of the flags; `None` where nothing is to be published.
pub async fn target(args: &Args) -> anyhow::Result<Option<Target>> {
    if args.publish.is_none() {
        return Ok(None);
    }
    let server = args.server.as_deref().ok_or_else(|| Ended::usage("say which server takes the changes: --server"))?;
    let file = args.key_file.as_deref().ok_or_else(|| Ended::usage("say which key it knows: --key-file"))?;
    let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    let key = TsigKey::parse(args.key_name.as_deref(), &text).with_context(|| format!("{}", file.display()))?;
    Ok(Some(Target { primary: Primary { address: address(server).await?, key }, zones: args.zones.clone() }))
}

/// `192.0.2.1`, `192.0.2.1:5353`, `[2001:db8::1]:53`, `ns1.example.com`, `ns1.example.com:53`.
pub async fn address(text: &str) -> anyhow::Result<SocketAddr> {
    if let Ok(ip) = text.parse() {
        return Ok(SocketAddr::new(ip, 53));
    }
    let name = if text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        text.to_owned()
    } else {
        format!("{text}:53")
    };
    let mut found = tokio::net::lookup_host(&name).await.with_context(|| format!("--server {text} has no address"))?;
    found.next().with_context(|| format!("--server {text} has no address"))
}

/// What has to change in one zone.
struct Plan {
    zone: Domain,
    changes: Vec<Change>,
}

pub async fn publish(target: &Target, directory: &Directory, list: &[Wanted], args: &Args) -> anyhow::Result<Done> {
    let zones = zones(target, directory, list).await?;
    let mut done = Done::default();
    let looked = look(target, directory, list, &zones, &mut done).await?;
    if looked.plans.is_empty() {
        return Ok(done);
    }
    if !args.quiet {
        out::line(&format!("\nTo change at {}:\n", target.primary.address));
        survey::show(&looked.rows);
        out::line("");
    }
    if !answers::agreed("Publish this?", args.yes)? {
        return Ok(Done { elsewhere: done.elsewhere, ..Done::default() });
    }
    for plan in &looked.plans {
        make(target, directory, plan).await?;
        done.changed += plan.changes.len();
    }
    done.remembered = looked.remembered;
    Ok(done)
}

/// The zones that may be changed.
async fn zones(target: &Target, directory: &Directory, list: &[Wanted]) -> anyhow::Result<Vec<Domain>> {
    if !target.zones.is_empty() {
        return Ok(target.zones.clone());
    }
    let mut zones: Vec<Domain> = Vec::new();
    // Reverse zones are nearly always the hoster's: one's own is named by --zone.
    for wanted in list.iter().filter(|w| w.kind() != Kind::Ptr) {
        let zone = directory.zone_of(&wanted.name).await?;
        if !zones.contains(&zone.name) {
            zones.push(zone.name.clone());
        }
    }
    Ok(zones)
}

struct Looked {
    plans: Vec<Plan>,
    rows: Vec<Row>,
    remembered: Duration,
}

/// What the primary server says now, and what has to become of it.
async fn look(
    target: &Target,
    directory: &Directory,
    list: &[Wanted],
    zones: &[Domain],
    done: &mut Done,
) -> anyhow::Result<Looked> {
    let mut looked = Looked { plans: Vec::new(), rows: Vec::new(), remembered: Duration::ZERO };
    for wanted in list {
        let within = zones.iter().filter(|zone| wanted.name.is_within(zone));
        let Some(zone) = within.max_by_key(|zone| zone.as_str().len()) else {
            done.elsewhere.push(wanted.name.clone());
            continue;
        };
        let answer = directory.look_at(&server(target), &wanted.name, wanted.kind()).await;
        let verdict = wanted.compare(&answer.found);
        if let Found::Unknown(why) = &answer.found {
            anyhow::bail!("{} cannot be read at the server that takes changes: {why}", wanted.name);
        }
        if verdict.add.is_empty() && verdict.remove.is_empty() {
            continue;
        }
        let change = Change {
            name: wanted.name.clone(),
            seen: seen(&answer.found),
            remove: verdict.remove.clone(),
            add: verdict.add.clone(),
            ttl: TTL,
        };
        let negative = directory.zone_of(&wanted.name).await.map_or(Duration::ZERO, |zone| zone.negative_ttl);
        looked.remembered = looked.remembered.max(if change.seen.is_empty() { negative } else { answer.ttl });
        looked.rows.push(Row { wanted: wanted.clone(), verdict, servers: 1, behind: Vec::new() });
        match looked.plans.iter_mut().find(|plan| plan.zone == *zone) {
            Some(plan) => plan.changes.push(change),
            None => looked.plans.push(Plan { zone: zone.clone(), changes: vec![change] }),
        }
    }
    Ok(looked)
}

/// All that stands at the name itself: an alias is the one record there.
fn seen(found: &Found) -> Vec<repute_trust::records::Data> {
    match found {
        Found::Records { alias: Some(alias), .. } => vec![repute_trust::records::Data::Cname(alias.clone())],
        Found::Records { records, alias: None } => records.clone(),
        Found::Unknown(_) => Vec::new(),
    }
}

fn server(target: &Target) -> Server {
    let name = Domain::parse("primary").expect("a label is a name");
    Server { name, address: target.primary.address }
}

/// Makes a zone's changes. A conflict where nothing changed comes from a wildcard: what was seen
/// does not stand at the name itself, and cannot be guarded.
async fn make(target: &Target, directory: &Directory, plan: &Plan) -> anyhow::Result<()> {
    let primary = &target.primary;
    match update(primary, &plan.zone, &plan.changes, Guard::AsSeen, &SystemClock).await {
        Err(UpdateError::Conflict) if unchanged(target, directory, plan).await => {
            Ok(update(primary, &plan.zone, &plan.changes, Guard::Off, &SystemClock).await?)
        }
        result => Ok(result?),
    }
}

async fn unchanged(target: &Target, directory: &Directory, plan: &Plan) -> bool {
    for change in &plan.changes {
        let Some(kind) = change.add.first().or(change.remove.first()).map(repute_trust::records::Data::kind) else {
            continue;
        };
        if seen(&directory.look_at(&server(target), &change.name, kind).await.found) != change.seen {
            return false;
        }
    }
    true
}
