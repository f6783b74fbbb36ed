//! `repute message check`: one message, judged before it is sent: its own form, its signatures,
//! the hosts of its links, whether it passes DMARC; and what receivers would do with it.
//!
//! Exit code 0: all is well; 1: warnings; 2: something fails (or the configuration is wrong);
//! 3: something could not be found out. Nothing is sent.

mod sent;
pub mod told;

use std::io::Read as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Subcommand;
use repute_audit::{Arrival, Connection, Limits, Sight};
use repute_dns::{DnsSettings, HickoryResolver, Inspect};
use repute_trust::checks::catalogue::is_within;
use repute_trust::checks::{Finding, Outcome};
use repute_trust::receivers::{self, Receiver};
use repute_types::{Address, Clock as _, Content, SystemClock};

use super::check::resolver;
use crate::cli::{Context, Ended, Exit};
use crate::config::{Config, Files};
use crate::out;

const EXIT_CODES: &str = "Exit codes: 0 all is well; 1 warnings; 2 something fails, or the command line or the \
configuration is wrong; 3 something could not be found out.";

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Judge a message before it is sent, as receivers will
    #[command(after_help = EXIT_CODES)]
    Check(Box<CheckArgs>),
}

#[derive(clap::Args)]
pub struct CheckArgs {
    /// The message with its header; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// The envelope's sender, against which SPF and DMARC are judged; empty is that of a bounce
    #[arg(long, value_name = "ADDRESS")]
    mail_from: Option<String>,
    /// The address it leaves from: names, black lists and SPF are judged too
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<IpAddr>,
    /// The name said in EHLO from there
    #[arg(long, value_name = "NAME", requires = "ip")]
    helo: Option<String>,
    /// It goes to many: the rules for bulk mail hold
    #[arg(long)]
    bulk: bool,
    /// What this receiver does with it: gmail, outlook, yahoo, icloud, gmx, t-online, plain
    #[arg(long, value_name = "RECEIVER")]
    to: Option<String>,
    /// Judge what Repute would send: made whole, signed, from the first egress
    #[arg(long)]
    as_sent: bool,
    /// Try the unsubscribe link, too
    #[arg(long)]
    post: bool,
    /// Ask no DNS: what needs it is unknown
    #[arg(long)]
    offline: bool,
    /// Only these checks, by id or group: `msg`, `dkim.headers`; several with commas
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,
    /// Show what passes too
    #[arg(long, short)]
    verbose: bool,
    /// Say what is not known after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    deadline: u64,
}

/// More than any receiver takes.
const INPUT_MOST: u64 = 64 << 20;

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let Command::Check(args) = args.command;
    let to = receiver(args.to.as_deref())?;
    let arrival = Arrival {
        connection: args.ip.map(|ip| Connection {
            ip,
            helo: args.helo.clone().unwrap_or_else(|| format!("[{ip}]")),
            tls: true,
        }),
        mail_from: sender(args.mail_from.as_deref())?,
        content: content(&args)?,
        bulk: args.bulk,
    };
    // A message can be judged on a machine where nothing is set up.
    let config = match context.config.is_some() || args.as_sent {
        true => Some(context.load(Files::Ignore)?),
        false => context.load(Files::Ignore).ok(),
    };
    let (arrival, sent) = match (args.as_sent, &config) {
        (true, Some(config)) => {
            let sent = sent::as_sent(config, arrival)?;
            (sent.arrival.clone(), Some(sent))
        }
        _ => (arrival, None),
    };
    let sight = judge(&args, &arrival, config.as_ref())?;
    let sight = narrowed(sight, &args.only, args.post);
    let judged =
        told::Judged { arrival: &arrival, sight: &sight, sent: sent.as_ref(), to, whole: args.only.is_empty() };
    match context.json {
        true => out::json(&told::json(&judged)?),
        false => out::print(&told::page(&judged, args.verbose)),
    }
    Ok(Exit::Check(told::exit_code(&sight)))
}

fn receiver(name: Option<&str>) -> anyhow::Result<Option<&'static Receiver>> {
    let Some(name) = name else { return Ok(None) };
    let known: Vec<&str> = receivers::receivers().iter().map(|r| r.key.as_str()).collect();
    let found = receivers::receiver(name);
    found.map(Some).ok_or_else(|| Ended::usage(format!("no receiver is called {name}: write {}", known.join(", "))))
}

fn sender(text: Option<&str>) -> anyhow::Result<Option<String>> {
    match text {
        None => Ok(None),
        Some("" | "<>") => Ok(Some(String::new())),
        Some(text) => match Address::parse(text) {
            Ok(address) => Ok(Some(address.to_string())),
            Err(error) => Err(Ended::usage(format!("--mail-from {text}: {error}"))),
        },
    }
}

/// The octets, with line ends as mail has them where the file has those of Unix throughout.
fn content(args: &CheckArgs) -> anyhow::Result<Content> {
    let name = args.file.display();
    let mut octets = Vec::new();
    let mut read = |from: &mut dyn std::io::Read| from.take(INPUT_MOST + 1).read_to_end(&mut octets);
    match args.file.as_os_str() == "-" {
        true => read(&mut std::io::stdin().lock()).context("standard input cannot be read")?,
        false => read(&mut std::fs::File::open(&args.file).with_context(|| format!("{name}"))?)
            .with_context(|| format!("{name}"))?,
    };
    if octets.len() as u64 > INPUT_MOST {
        return Err(Ended::usage(format!("{name} is larger than {} MiB: no receiver takes it", INPUT_MOST >> 20)));
    }
    let has_crlf = octets.windows(2).any(|pair| pair == b"\r\n");
    Ok(if has_crlf { octets } else { super::send::with_crlf(&octets) }.into())
}

fn judge(args: &CheckArgs, arrival: &Arrival, config: Option<&Config>) -> anyhow::Result<Sight> {
    let dns: Arc<dyn Inspect> = match (args.offline, config) {
        (true, _) => Arc::new(repute_audit::Silent("it was not asked: --offline")),
        (false, Some(config)) => resolver(config, 53)?,
        (false, None) => Arc::new(HickoryResolver::new(&DnsSettings::default())?),
    };
    let limits = Limits { deadline: Duration::from_secs(args.deadline), lists: !args.offline, ..Limits::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok(runtime.block_on(repute_audit::judge(arrival, dns, &limits, SystemClock.now())))
}

/// What is asked for alone; and what cannot be tried, said.
fn narrowed(mut sight: Sight, only: &[String], post: bool) -> Sight {
    if post && sight.message.unsubscribe.is_some() {
        // A link that is never asked must not pass for one that was.
        let why = "this build has no HTTP client";
        let what = "whether the unsubscribe link takes a POST";
        sight.findings.push(Finding::unknown("unsub.oneclick", "the link", what, why));
    }
    if !only.is_empty() {
        sight.findings.retain(|f| only.iter().any(|wanted| is_within(f.id, wanted)));
    }
    sight.findings.sort_by_key(|f| (f.outcome == Outcome::Pass, repute_trust::checks::catalogue::place(f.id)));
    sight
}
