//! `repute mirror`: one receiver by itself, which takes any message and says all that a receiver
//! sees of it. For trying a sender, ours or another, before the world does.
//!
//! Promise: it relays nothing and keeps nothing, except in `--folder`. Bounds: 20 connections,
//! 100 messages and ten minutes each, 25 MB a message; while a report is being written the
//! replies to others wait.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use repute_dns::{DnsSettings, HickoryResolver, Inspect};
use repute_playground::receiver::{Mirror, Offers};
use repute_playground::{Judge, Personality, Received, Receiver};
use repute_trust::receivers::scores;

use super::message::told;
use crate::cli::{Context, Exit};
use crate::config::Files;
use crate::out::{self, Tone};

#[derive(clap::Args)]
pub struct Args {
    /// Where it takes mail
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:2525")]
    listen: SocketAddr,
    /// The name that it says
    #[arg(long, value_name = "NAME", default_value = "mirror.test")]
    host: String,
    /// The name server to ask [default: that of the configuration, else of the machine]
    #[arg(long, value_name = "ADDRESS:PORT")]
    resolver: Option<SocketAddr>,
    /// Judge every message by the rules for those who send to many
    #[arg(long)]
    bulk: bool,
    /// Ask no black lists
    #[arg(long)]
    no_lists: bool,
    /// Write each message and its report to this folder, too
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Say in short what was seen in the reply to the last dot
    #[arg(long)]
    reply_report: bool,
    /// End after so many messages
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Show what passes too
    #[arg(long, short)]
    verbose: bool,
}

const CONNECTIONS: usize = 20;
const MESSAGES: u32 = 100;
const LONGEST: Duration = Duration::from_secs(600);
const SIZE: usize = 25_000_000;
/// Reports that wait to be written.
const WAITING: usize = 16;

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(mirror(&args, context))
}

async fn mirror(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let (tell, mut told) = tokio::sync::mpsc::channel(WAITING);
    let personality = Personality {
        connections: CONNECTIONS,
        messages_per_connection: Some(MESSAGES),
        longest: LONGEST,
        offers: Offers { size: SIZE, ..Offers::default() },
        bulk: args.bulk,
        mirror: Some(Mirror { tell, reply_report: args.reply_report }),
        ..Personality::default()
    };
    let judge = Judge::by(dns(args, context)?).with_lists(!args.no_lists);
    let personality = personality.with_own_certificate(&args.host);
    let receiver = Receiver::start(&args.host, args.listen, personality, Some(judge)).await;
    let receiver = receiver.with_context(|| format!("{} cannot be listened on", args.listen))?;
    out::error(&format!("repute: {} takes mail as {} until Ctrl-C\n", receiver.address(), args.host));
    let mut number = 0;
    while args.count.is_none_or(|count| number < count) {
        let received = tokio::select! {
            received = told.recv() => received,
            _ = tokio::signal::ctrl_c() => break,
        };
        let Some(received) = received else { break };
        number += 1;
        let report = report(&received, context.json, args.verbose)?;
        match context.json {
            // A line each, so that a program can follow.
            true => out::line(&serde_json::to_string(&json(number, &received)?)?),
            false => out::print(&format!("{report}\n")),
        }
        if let Some(folder) = &args.folder {
            keep(folder, number, &received)?;
        }
    }
    // The last reply is on its way.
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(Exit::Done)
}

/// Nothing is remembered: whoever mends a record and sends again wants to see what stands there now.
fn dns(args: &Args, context: &Context) -> anyhow::Result<Arc<dyn Inspect>> {
    let settings = match (args.resolver, context.load(Files::Ignore)) {
        (Some(server), _) => DnsSettings { servers: vec![server], dnssec: false, ..DnsSettings::default() },
        (None, Ok(config)) => crate::resolver::settings(&config),
        (None, Err(faults)) if context.config.is_some() => return Err(faults.into()),
        (None, Err(_)) => DnsSettings::default(),
    };
    // One that goes from the roots has to remember the way.
    let cache = if settings.own { settings.cache } else { 0 };
    Ok(Arc::new(HickoryResolver::new(&DnsSettings { cache, ..settings })?))
}

/// Everything that was seen, for people.
fn report(received: &Received, json: bool, verbose: bool) -> anyhow::Result<String> {
    let (Some(seen), false) = (&received.seen, json) else { return Ok(String::new()) };
    let facts = &received.facts;
    let sight = &seen.sight;
    let judged = told::Judged { arrival: &seen.arrival, sight, sent: None, to: None, whole: true };
    let mut text = format!("{}\n", out::tone(&"─".repeat(100), Tone::Faint));
    let sender = facts.from.as_deref().unwrap_or("");
    text += &out::plain(&format!(
        "<{sender}> to {}, {} octets, {}",
        facts.recipients.join(", "),
        received.size,
        facts.tls.as_deref().unwrap_or("in the clear"),
    ));
    text += "\n";
    text += &told::page(&judged, verbose);
    if let Some(spf) = &sight.spf {
        text += &indented("SPF, term by term", &spf.to_string());
    }
    let walk = sight.message.from.as_ref().map(|from| repute_trust::dmarc::walk(from.domain()));
    if let Some(names) = walk {
        let asked: Vec<String> = names.iter().map(|name| format!("_dmarc.{name}")).collect();
        let found = match &sight.policy {
            Some(Ok(policy)) => match &policy.found {
                Some((at, record)) => {
                    format!("the record of _dmarc.{at} holds: {}\norganisation {}", record.text, policy.organisation)
                }
                None => "no record holds".to_owned(),
            },
            Some(Err((at, why))) => format!("_dmarc.{at} was not answered ({why})"),
            None => "not asked".to_owned(),
        };
        text += &indented("DMARC, by its tree walk", &format!("asked {}\n{found}", asked.join(", ")));
    }
    for score in scores(&sight.signs, &sight.generic) {
        let lines: Vec<String> = score
            .symbols
            .iter()
            .map(|s| format!("{:>7.3}  {:<32} {} ({})", s.points, s.name, s.because, s.check))
            .collect();
        text += &indented(&format!("{} {:.3}", score.filter.as_str(), score.points), &lines.join("\n"));
    }
    Ok(text)
}

fn indented(title: &str, body: &str) -> String {
    let lines = body.lines().map(|line| format!("    {}\n", out::plain(line)));
    format!("\n  {}\n{}", out::tone(title, Tone::Strong), lines.collect::<String>())
}

/// The same for programs.
fn json(number: u64, received: &Received) -> anyhow::Result<serde_json::Value> {
    let facts = &received.facts;
    let mut value = match &received.seen {
        Some(seen) => told::seen(&seen.arrival, &seen.sight)?,
        None => serde_json::json!({}),
    };
    value["number"] = number.into();
    value["recipients"] = facts.recipients.clone().into();
    value["tls_used"] = facts.tls.clone().into();
    value["size"] = received.size.into();
    value["message_id"] = received.message_id.clone().into();
    Ok(value)
}

/// `0001.eml` and `0001.json`.
fn keep(folder: &Path, number: u64, received: &Received) -> anyhow::Result<()> {
    let write = |name: String, octets: &[u8]| -> anyhow::Result<()> {
        let path = folder.join(name);
        let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).open(&path);
        let mut file = file.with_context(|| format!("{} cannot be written", path.display()))?;
        file.write_all(octets).with_context(|| format!("{} cannot be written", path.display()))
    };
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    write(format!("{number:04}.eml"), &received.facts.content)?;
    write(format!("{number:04}.json"), serde_json::to_string_pretty(&json(number, received)?)?.as_bytes())
}
