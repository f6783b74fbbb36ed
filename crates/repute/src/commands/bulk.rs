//! `repute bulk`: one letter to a list, through the running server; and what becomes of it.
//!
//! Without a subcommand it sends: the whole list is checked first, then asked about, then loaded,
//! launched and watched. Ctrl-C stops the watching, not the sending.

mod check;
mod people;
mod preview;
mod send;
mod watch;

use std::path::PathBuf;

use clap::Subcommand;
use indicatif::ProgressBar;
use repute_engine::bulk::words::{Campaign, State};
use serde::Deserialize;

use crate::cli::{Context, Ended, Exit};
use crate::control::client::Talk;
use crate::control::wire::Request;
use crate::out;

/// Rows or domains in one question.
const BATCH: usize = 1_000;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    send: Send,
}

#[derive(clap::Args)]
pub struct Send {
    /// The list: CSV with a header row that names the fields, JSON lines (.jsonl) or a JSON array of objects; `email` is the address
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// The letter: a MIME message with merge fields as {{ first_name }}
    #[arg(long, value_name = "FILE")]
    letter: Option<PathBuf>,
    /// The account that sends it
    #[arg(long)]
    account: Option<String>,
    /// What the campaign is called [default: the letter's file name]
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,
    /// The list that recipients leave with one click [default: the list's file name]
    #[arg(long, value_name = "NAME")]
    list_name: Option<String>,
    /// Show the messages of the first N people who are written to, and send nothing
    #[arg(long, value_name = "N")]
    preview: Option<usize>,
    /// Check the list, and send nothing
    #[arg(long)]
    check: bool,
    /// Send without asking
    #[arg(long)]
    yes: bool,
    /// Write also to postmaster@, noreply@ and their like
    #[arg(long)]
    allow_roles: bool,
    /// Do not ask the name servers which domains take mail
    #[arg(long)]
    no_dns: bool,
    /// Where refused rows go, with the reasons [default: LIST.refused.csv]
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    /// Launch and come back at once
    #[arg(long)]
    no_watch: bool,
}

#[derive(Subcommand)]
enum Command {
    /// List the campaigns of the last 90 days
    List,
    /// Show one campaign, by its name or id
    Show { campaign: String },
    /// Show how far a campaign is until it is done
    Watch { campaign: String },
    /// Send nothing more of a campaign until it is resumed
    Pause {
        campaign: String,
        /// Why, for those who find it paused
        #[arg(long, default_value = "paused by an operator")]
        reason: String,
    },
    /// Go on with a paused campaign
    Resume { campaign: String },
    /// Send nothing more of it, from the answer on; who was not written to yet is taken out behind it
    Cancel { campaign: String },
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let config = context.load_to_look()?;
    let Some(command) = args.command else {
        return send::run(args.send, &config, context);
    };
    let mut server = Talk::with_server(&config.state)?;
    let request = match command {
        Command::List => return list(&mut server, context),
        Command::Watch { campaign } => return watch::run(&mut server, &campaign, context),
        Command::Show { campaign } => Request::BulkShowV1 { campaign },
        Command::Pause { campaign, reason } => Request::BulkPauseV1 { campaign, reason },
        Command::Resume { campaign } => Request::BulkResumeV1 { campaign },
        Command::Cancel { campaign } => Request::BulkCancelV1 { campaign },
    };
    let answer = server.ask(&request)?;
    match context.json {
        true => out::json(&answer),
        false => out::print(&page(&Campaign::deserialize(&answer)?)),
    }
    Ok(Exit::Done)
}

fn list(server: &mut Talk, context: &Context) -> anyhow::Result<Exit> {
    let answer = server.ask(&Request::BulkListV1 {})?;
    if context.json {
        out::json(&answer);
        return Ok(Exit::Done);
    }
    let campaigns = Vec::<Campaign>::deserialize(&answer)?;
    if campaigns.is_empty() {
        out::line("no campaign is known");
        return Ok(Exit::Problem);
    }
    let cells = |c: &Campaign| {
        let left = c.cancelled + c.suppressed + c.left_out;
        let counts = [c.taken, c.delivered, c.deferred, c.failed, left, c.waiting].map(|n| n.to_string());
        [vec![c.campaign.clone(), c.account.clone(), state(c).to_owned()], counts.to_vec()].concat()
    };
    let rows: Vec<Vec<String>> = campaigns.iter().map(cells).collect();
    let head = ["CAMPAIGN", "ACCOUNT", "STATE", "TO", "DELIVERED", "DEFERRED", "BOUNCED", "LEFT OUT", "WAITING"];
    out::print(&out::table(&head, &rows));
    let mut stopped: Vec<_> = campaigns.iter().filter_map(|c| c.circuit.as_ref()).collect();
    stopped.sort_by(|a, b| a.name.cmp(&b.name));
    stopped.dedup();
    for circuit in stopped {
        let (text, cure) = (out::plain(&circuit.text), out::plain(&circuit.cure));
        out::line(&format!("{} is stopped: {text}\n  fix  {cure}", out::plain(&circuit.name)));
    }
    Ok(Exit::Done)
}

/// What runs and is held by a circuit is stopped.
fn state(c: &Campaign) -> &'static str {
    if c.circuit.is_some() && c.state == State::Running { "stopped" } else { c.state.as_str() }
}

fn page(c: &Campaign) -> String {
    let mut text = format!("{}  {}\n", out::tone(&c.campaign, out::Tone::Strong), state(c));
    let mut field = |name: &str, value: String| text += &format!("  {name:10} {value}\n");
    if let Some(reason) = &c.reason {
        field("because", out::plain(reason));
    }
    if let Some(circuit) = &c.circuit {
        field("stopped", format!("{} since {}: {}", circuit.name, circuit.since, out::plain(&circuit.text)));
        field("fix", out::plain(&circuit.cure));
    }
    field("id", c.id.to_string());
    field("account", c.account.clone());
    field("list", c.list.clone());
    field("begun", c.begun.to_string());
    if let Some(at) = c.launched {
        field("launched", at.to_string());
    }
    field("rows", format!("{}: {} to write to, {} refused, {} suppressed", c.rows, c.taken, c.refused, c.left_out));
    field("delivered", share(c.delivered, c.taken));
    field("bounced", share(c.failed, c.taken));
    field("waiting", format!("{}, {} of them deferred", c.waiting, c.deferred));
    if c.suppressed > 0 {
        field("suppressed", c.suppressed.to_string());
    }
    if c.cancelled > 0 {
        field("cancelled", c.cancelled.to_string());
    }
    text
}

fn share(n: u64, of: u64) -> String {
    match of {
        0 => n.to_string(),
        _ => format!("{n} ({:.1} %)", n as f64 * 100.0 / of as f64),
    }
}

fn needed<T>(value: Option<T>, name: &str) -> anyhow::Result<T> {
    value.ok_or_else(|| {
        Ended::usage(format!("say --{name}: repute bulk --list people.csv --letter letter.eml --account news"))
    })
}

fn spinner(message: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_message(message);
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_that_a_circuit_stops_says_so_with_the_command() {
        let cure = "go on with `repute circuit continue \"news/spring\"`";
        let campaign: Campaign = serde_json::from_value(serde_json::json!({
            "id": "1m7qw3g0w000h", "campaign": "spring", "account": "news", "list": "weekly", "state": "running",
            "begun": "2026-11-24T01:02:03Z", "rows": 40, "taken": 40, "refused": 0, "left_out": 0, "delivered": 0,
            "failed": 11, "suppressed": 0, "cancelled": 0, "waiting": 29, "deferred": 0,
            "circuit": {
                "name": "news/spring", "account": "news", "campaign": "spring", "what": "circuit.unknown",
                "since": "2026-11-24T01:05:00Z", "text": "11 of 11 recipients do not exist: p0@a.test", "cure": cure,
                "incident": 7,
            },
        }))
        .unwrap();
        assert_eq!(state(&campaign), "stopped");
        let page = page(&campaign);
        assert!(page.contains("11 of 11 recipients do not exist: p0@a.test") && page.contains(cure), "{page}");
        assert_eq!(state(&Campaign { circuit: None, ..campaign }), "running");
    }
}
