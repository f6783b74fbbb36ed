//! Publishing by DNS UPDATE or through a DNS host's interface: the difference there, shown, agreed to, made.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use repute_publish::{Api, Base, Change, Directory, Guard, Host, Primary, Server, TsigKey, UpdateError, update};
use repute_trust::records::{Found, Kind, TTL, Wanted};
use repute_types::{Domain, SystemClock};

use super::answers;
use super::survey::{self, Row};
use crate::cli::Ended;
use crate::config::Config;
use crate::config::value::{self, Socket};
use crate::out;

/// Holds the token where no file does.
const TOKEN: &str = "REPUTE_DNS_TOKEN";

/// How DNS is asked and changed; the same flags for every command that does.
#[derive(clap::Args)]
// Flattened into commands whose own group is called Args.
#[group(id = "dns")]
pub struct Args {
    /// Take what is proposed and ask nothing, also before DNS is changed
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Publish the records, and how
    #[arg(long, value_enum, value_name = "HOW")]
    publish: Option<How>,
    /// The DNS server that takes changes: the zone's primary, with or without a port; of a host, another URL than its own
    #[arg(long)]
    server: Option<String>,
    /// The name of the key, if it is not in the file
    #[arg(long, requires = "publish", value_name = "NAME")]
    key_name: Option<String>,
    /// The key that the server knows, as `tsig-keygen` writes it, or the secret in base64
    #[arg(long, requires = "publish", value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// A file whose first line is the token for the DNS host [default: what REPUTE_DNS_TOKEN holds]
    #[arg(long, requires = "publish", value_name = "FILE")]
    token_file: Option<PathBuf>,
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
    /// Cloudflare's interface
    Cloudflare,
    /// deSEC's interface
    Desec,
    /// DigitalOcean's interface
    Digitalocean,
    /// Hetzner's interface
    Hetzner,
}

impl How {
    fn host(self) -> Option<Host> {
        Some(match self {
            How::Rfc2136 => return None,
            How::Cloudflare => Host::Cloudflare,
            How::Desec => Host::Desec,
            How::Digitalocean => Host::DigitalOcean,
            How::Hetzner => Host::Hetzner,
        })
    }
}

impl Args {
    /// What does not fit together is said before anything is done.
    pub fn check(&self) -> anyhow::Result<()> {
        let key = self.key_file.is_some() || self.key_name.is_some();
        let wrong = match self.publish {
            Some(How::Rfc2136) if self.token_file.is_some() => {
                "a DNS server knows a key, not a token: --key-file".to_owned()
            }
            Some(How::Rfc2136) if self.server.is_none() || self.key_file.is_none() => {
                "say which server takes the changes, and which key it knows: --server and --key-file".to_owned()
            }
            Some(how) if key && how.host().is_some() => "a DNS host knows a token, not a key: --token-file".to_owned(),
            Some(how) => {
                return how.host().map_or_else(|| key_of(self).map(drop), |host| api(self, host).map(drop));
            }
            None => return Ok(()),
        };
        Err(Ended::usage(wrong))
    }

    pub fn patience(&self) -> anyhow::Result<Duration> {
        match &self.wait {
            Some(text) => value::duration(text).map_err(|why| Ended::usage(format!("--wait {text}: {why}"))),
            None if self.publish.is_some() || std::io::stdout().is_terminal() => Ok(Duration::from_secs(600)),
            None => Ok(Duration::ZERO),
        }
    }

    /// Who is asked for records.
    pub async fn directory(&self, config: &Config) -> anyhow::Result<Directory> {
        let directory = survey::directory(config, &self.resolver);
        match &self.server {
            Some(server) if self.publish.is_none_or(|how| how.host().is_none()) => {
                Ok(directory.with_server(address(server).await?))
            }
            _ => Ok(directory),
        }
    }
}

/// Where changes go, and what may be changed there.
pub struct Target {
    pub to: To,
    /// Empty: the zones that the configured domains are in.
    zones: Vec<Domain>,
}

pub enum To {
    Primary(Primary),
    Host(Box<Api>),
}

impl std::fmt::Display for To {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            To::Primary(primary) => primary.address.fmt(f),
            To::Host(api) => api.fmt(f),
        }
    }
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

/// What the flags say; `None` where nothing is to be published.
pub async fn target(args: &Args) -> anyhow::Result<Option<Target>> {
    let Some(how) = args.publish else { return Ok(None) };
    let to = match how.host() {
        Some(host) => To::Host(Box::new(api(args, host)?)),
        None => To::Primary(primary(args).await?),
    };
    Ok(Some(Target { to, zones: args.zones.clone() }))
}

async fn primary(args: &Args) -> anyhow::Result<Primary> {
    args.check()?;
    let Some(server) = &args.server else { anyhow::bail!("no server") };
    Ok(Primary { address: address(server).await?, key: key_of(args)? })
}

fn key_of(args: &Args) -> anyhow::Result<TsigKey> {
    let Some(file) = &args.key_file else { anyhow::bail!("no key") };
    let text = text_of("--key-file", file)?;
    let key = TsigKey::parse(args.key_name.as_deref(), &text);
    key.map_err(|why| Ended::usage(format!("--key-file {}: {why}", file.display())))
}

fn text_of(flag: &str, file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).map_err(|why| Ended::usage(format!("{flag} {}: {why}", file.display())))
}

fn api(args: &Args, host: Host) -> anyhow::Result<Api> {
    let base = args.server.as_deref().map(Base::parse).transpose();
    let base = base.map_err(|why| Ended::usage(format!("--server: {why}")))?;
    let text = match &args.token_file {
        Some(file) => text_of("--token-file", file)?,
        None => std::env::var(TOKEN).unwrap_or_default(),
    };
    let token = text.lines().next().unwrap_or_default().trim();
    if token.is_empty() {
        let cure = format!("say which token {} knows: --token-file FILE, or {TOKEN} in the environment", host.name());
        return Err(Ended::usage(cure));
    }
    Ok(Api::new(host, token, base))
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
        out::line(&format!("\nTo change at {}:\n", target.to));
        survey::show(&looked.rows);
        out::line("");
    }
    if !answers::agreed("Publish this?", args.yes)? {
        return Ok(Done { elsewhere: done.elsewhere, ..Done::default() });
    }
    for plan in &looked.plans {
        match &target.to {
            To::Primary(primary) => make(primary, directory, plan).await?,
            To::Host(api) => api.change(&plan.zone, &plan.changes).await?,
        }
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

/// What stands now where changes go. What an alias leads to is asked of DNS: it may be anybody's.
async fn read(
    target: &Target,
    directory: &Directory,
    zone: &Domain,
    wanted: &Wanted,
) -> anyhow::Result<(Found, Duration)> {
    let api = match &target.to {
        To::Primary(primary) => {
            let answer = directory.look_at(&server(primary), &wanted.name, wanted.kind()).await;
            return Ok((answer.found, answer.ttl));
        }
        To::Host(api) => api,
    };
    let (found, ttl) = api.read(zone, &wanted.name, wanted.kind()).await?;
    if let Found::Records { alias: Some(alias), .. } = &found {
        let answers = directory.look(alias, wanted.kind()).await.unwrap_or_default();
        let end = answers
            .into_iter()
            .find_map(|a| if let Found::Records { records, .. } = a.found { Some(records) } else { None });
        let records = end.unwrap_or_default();
        return Ok((Found::Records { records, alias: Some(alias.clone()) }, ttl));
    }
    Ok((found, ttl))
}

/// What stands there now, and what has to become of it.
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
        let (found, ttl) = read(target, directory, zone, wanted).await?;
        let verdict = wanted.compare(&found);
        if let Found::Unknown(why) = &found {
            anyhow::bail!("{} cannot be read where the changes go: {why}", wanted.name);
        }
        if verdict.add.is_empty() && verdict.remove.is_empty() {
            continue;
        }
        let change = Change {
            name: wanted.name.clone(),
            seen: seen(&found),
            remove: verdict.remove.clone(),
            add: verdict.add.clone(),
            ttl: TTL,
        };
        let negative = directory.zone_of(&wanted.name).await.map_or(Duration::ZERO, |zone| zone.negative_ttl);
        looked.remembered = looked.remembered.max(if change.seen.is_empty() { negative } else { ttl });
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

fn server(primary: &Primary) -> Server {
    let name = Domain::parse("primary").expect("a label is a name");
    Server { name, address: primary.address }
}

/// Makes a zone's changes. A conflict where nothing changed comes from a wildcard: what was seen
/// does not stand at the name itself, and cannot be guarded.
async fn make(primary: &Primary, directory: &Directory, plan: &Plan) -> anyhow::Result<()> {
    match update(primary, &plan.zone, &plan.changes, Guard::AsSeen, &SystemClock).await {
        Err(UpdateError::Conflict) if unchanged(primary, directory, plan).await => {
            Ok(update(primary, &plan.zone, &plan.changes, Guard::Off, &SystemClock).await?)
        }
        result => Ok(result?),
    }
}

async fn unchanged(primary: &Primary, directory: &Directory, plan: &Plan) -> bool {
    for change in &plan.changes {
        let Some(kind) = change.add.first().or(change.remove.first()).map(repute_trust::records::Data::kind) else {
            continue;
        };
        if seen(&directory.look_at(&server(primary), &change.name, kind).await.found) != change.seen {
            return false;
        }
    }
    true
}
