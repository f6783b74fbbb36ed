//! `repute check`: whether receivers will trust this server, by the five rules and what came
//! since.
//!
//! Facts come from DNS, from servers that are greeted, and from this machine; the judgement is
//! `repute_trust::checks`. Exit code 0: all is well;
//! 1: warnings; 2: something fails (or the configuration is wrong); 3: something could not be
//! found out. The last whole run is kept in the state folder, and what changed since is told.

mod left;
mod own;
pub(crate) mod screen;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use repute_audit::{Change, Doors, Options, Past, Progress, Report};
use repute_dns::{HickoryResolver, Inspect};
use repute_net::{Network, TcpNetwork, TlsClient};
use repute_trust::checks::catalogue::within;
use repute_trust::checks::{catalogue, entry};
use repute_trust::receivers::predicted;
use repute_trust::setup::{Egress, Setup};
use repute_types::{Clock as _, SystemClock, Timestamp};

use super::records;
use crate::cli::{Context, Ended, Exit};
use crate::config::{Config, Files, nearest};
use crate::{keys, out, private, state};

const EXIT_CODES: &str = "Exit codes: 0 all is well; 1 warnings; 2 something fails, or the command line or the \
configuration is wrong; 3 something could not be found out.";

#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Args {
    /// Only these checks, by id or group: `name.fcrdns`, `spf`; several with commas
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,
    /// List every check there is
    #[arg(long, conflicts_with_all = ["only", "explain"])]
    list: bool,
    /// Tell what a check is for, who refuses mail for it, and where that is written
    #[arg(long, value_name = "ID", conflicts_with = "only")]
    explain: Option<String>,
    /// Show what passes too
    #[arg(long, short)]
    verbose: bool,
    /// Say what is not known after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    deadline: u64,
    /// Ask DNS alone: connect to nobody, so that port 25, clocks, mailboxes and web pages are left out
    #[arg(long)]
    dns_only: bool,
    /// The port of authoritative servers, for tests
    #[arg(long, hide = true, default_value_t = 53)]
    dns_port: u16,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    if args.list {
        return list(context);
    }
    if let Some(id) = &args.explain {
        return explain(id, context);
    }
    let only = wanted(&args.only)?;
    let (config, setup) = set_up(context)?;
    let options = options(&config, only, Duration::from_secs(args.deadline));
    let past = read_past(&config.state);
    let now = SystemClock.now();
    let network = || -> Arc<dyn Network> { Arc::new(TcpNetwork::new(TlsClient::with_native_roots())) };
    let doors = Doors {
        dns: resolver(&config, args.dns_port)?,
        network: (!args.dns_only).then(network),
        own: Some(Arc::new(own::look(&config, &setup, past.as_ref(), now))),
        remembered: None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let report = runtime.block_on(watched(setup, doors, &options, now))?;
    let changes = past.as_ref().filter(|_| report.whole).map(|past| past.changes(&report));
    match context.json {
        true => out::json(&json(&report, past.as_ref().zip(changes.as_deref()))?),
        false => {
            out::print(&screen::page(&report, args.verbose));
            if let Some((past, changes)) = past.as_ref().zip(changes.as_deref()) {
                out::print(&screen::since(past, changes, report.at));
            }
        }
    }
    if report.whole {
        keep(&config.state, &report);
    }
    Ok(Exit::Check(report.exit_code()))
}

/// The ids that are asked for, each of them known and at least one of them built.
fn wanted(only: &[String]) -> anyhow::Result<Vec<String>> {
    for id in only {
        let of = within(id);
        if of.is_empty() {
            return Err(Ended::usage(unknown(id)));
        }
        if of.iter().all(|entry| entry.message) {
            return Err(Ended::usage(format!("{id} judges one message: repute message check FILE --only {id}")));
        }
        if of.iter().all(|entry| !entry.built) {
            let why = of.first().map_or("", |entry| entry.why_not.as_str());
            out::error(&format!("repute: {id} is not built, and left out: {why}\n"));
        }
    }
    let built = |id: &String| within(id).iter().any(|entry| entry.built);
    if !only.is_empty() && !only.iter().any(built) {
        return Err(Ended::usage("none of these checks is built: repute check --list says why"));
    }
    Ok(only.iter().filter(|id| built(id)).cloned().collect())
}

fn unknown(id: &str) -> String {
    match nearest::nearest("-", id, catalogue().iter().map(|entry| entry.id.as_str())) {
        Some(near) => format!("there is no check `{id}`; did you mean `{near}`?"),
        None => format!("there is no check `{id}`: repute check --list"),
    }
}

/// What the configuration says is to be checked. A key that cannot be read is an error here
/// too, since nothing could be said about it.
pub fn set_up(context: &Context) -> anyhow::Result<(Config, Setup)> {
    // What is wrong with other files is no reason to check nothing; the keys are read below.
    let config = match context.load(Files::Check) {
        Ok(config) => config,
        Err(_) => context.load(Files::Ignore)?,
    };
    let mut domains = Vec::new();
    for domain in &config.domains {
        domains.push(records::sending(&config, domain, keys::signing(&config.state, domain)?));
    }
    let mut egresses = records::egresses(&config);
    if egresses.iter().all(|egress| egress.addresses.is_empty()) {
        let addresses = crate::config::settings::chosen_by_system();
        egresses = vec![Egress { ehlo: config.hostname.clone(), addresses }];
    }
    let setup = Setup { hostname: config.hostname.clone(), egresses, domains };
    Ok((config, setup))
}

/// Whom to ask, as the configuration has it.
pub fn options(config: &Config, only: Vec<String>, deadline: Duration) -> Options {
    let check = &config.check;
    Options {
        only,
        deadline,
        table: Arc::new(config.lists.table.clone()),
        keys: Arc::new(config.lists.keys.clone()),
        hosts: check.hosts.clone(),
        echo: check.echo.clone(),
        clocks: check.clocks.clone(),
        rdap: check.rdap.clone(),
        rpki: check.rpki.clone(),
        mx_port: config.mx_port,
        ..Options::default()
    }
}

pub fn resolver(config: &Config, direct_port: u16) -> anyhow::Result<Arc<dyn Inspect>> {
    let settings = crate::resolver::settings(config);
    Ok(Arc::new(HickoryResolver::new(&settings)?.with_direct_port(direct_port)))
}

/// The run, with a bar on a terminal.
async fn watched(setup: Setup, doors: Doors, options: &Options, now: Timestamp) -> anyhow::Result<Report> {
    let progress = Arc::new(Progress::default());
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("  asking {bar:40.green} {pos:>4}/{len}  {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let run = repute_audit::run(setup, doors, options, now, progress.clone());
    tokio::pin!(run);
    let report = loop {
        tokio::select! {
            report = &mut run => break report,
            _ = tokio::time::sleep(Duration::from_millis(100)) => {
                bar.set_length(progress.asked());
                bar.set_position(progress.answered());
            }
            _ = tokio::signal::ctrl_c() => {
                bar.finish_and_clear();
                anyhow::bail!("interrupted; nothing was changed");
            }
        }
    };
    bar.finish_and_clear();
    Ok(report)
}

/// The last whole run; one that cannot be read is none.
fn read_past(state: &Path) -> Option<Past> {
    serde_json::from_slice(&std::fs::read(state::last_check(state)).ok()?).ok()
}

/// Keeps the run for the next one. The state folder is the server's to make.
fn keep(state: &Path, report: &Report) {
    let kept = serde_json::to_vec(&Past::of(report)).context("the run cannot be written down").and_then(|octets| {
        let folder = std::fs::metadata(state).with_context(|| format!("there is no {} yet", state.display()))?;
        private::write(&state::last_check(state), &octets)?;
        if nix::unistd::geteuid().is_root() {
            use std::os::unix::fs::MetadataExt as _;
            std::os::unix::fs::chown(state::last_check(state), Some(folder.uid()), Some(folder.gid()))?;
        }
        Ok(())
    });
    if let Err(error) = kept {
        out::error(&format!("repute: this run is not kept for the next one to compare with: {error:#}\n"));
    }
}

/// The report with what the catalogue says of each finding.
fn json(report: &Report, since: Option<(&Past, &[Change])>) -> anyhow::Result<serde_json::Value> {
    let mut value = serde_json::to_value(report)?;
    with_catalogue(&mut value["findings"]);
    value["exit_code"] = report.exit_code().into();
    if let Some((past, changes)) = since {
        value["since"] = serde_json::json!({ "at": past.at, "changes": changes });
    }
    Ok(value)
}

/// Adds to each finding what the catalogue says of its check.
pub fn with_catalogue(findings: &mut serde_json::Value) {
    for finding in findings.as_array_mut().into_iter().flatten() {
        let of = finding["id"].as_str().and_then(entry);
        let Some((entry, object)) = of.zip(finding.as_object_mut()) else { continue };
        object.insert("rule".into(), entry.rule.number().into());
        object.insert("title".into(), entry.title.as_str().into());
        object.insert("refused_by".into(), entry.refused_by.clone().into());
        object.insert("weight".into(), entry.weight.into());
        object.insert("source".into(), entry.source.as_str().into());
    }
}

fn list(context: &Context) -> anyhow::Result<Exit> {
    if context.json {
        out::json(&serde_json::to_value(catalogue())?);
        return Ok(Exit::Done);
    }
    let row = |entry: &repute_trust::checks::Entry| {
        let what = match entry.built {
            true => entry.title.clone(),
            false => format!("{} (not built: {})", entry.title, entry.why_not),
        };
        vec![entry.id.clone(), entry.rule.to_string(), what]
    };
    let rows: Vec<Vec<String>> = catalogue().iter().map(row).collect();
    out::print(&out::table(&["ID", "RULE", "WHAT"], &rows));
    Ok(Exit::Done)
}

fn explain(id: &str, context: &Context) -> anyhow::Result<Exit> {
    let Some(entry) = entry(id) else { return Err(Ended::usage(unknown(id))) };
    match context.json {
        true => {
            let mut value = serde_json::to_value(entry)?;
            value["filters"] = serde_json::to_value(predicted(&entry.id))?;
            out::json(&value);
        }
        false => out::print(&screen::explained(entry)),
    }
    Ok(Exit::Done)
}
