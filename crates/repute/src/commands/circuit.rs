//! `repute circuit`: accounts and campaigns that were stopped because their mail costs our name too
//! much, and a person's word on them.

use clap::Subcommand;
use repute_types::{Clock as _, SystemClock};

use crate::cli::{Context, Exit};
use crate::config::Files;
use crate::control::client;
use crate::control::wire::Request;
use crate::out::{self, Tone};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List what is stopped, and why
    List,
    /// Let the mail of an account or campaign go on; counting starts from nothing
    Continue {
        /// As `list` has it: ACCOUNT, or ACCOUNT/CAMPAIGN
        name: String,
    },
    /// Take all waiting mail of an account or campaign out of the queue; its sender is not told
    Cancel {
        /// As `list` has it: ACCOUNT, or ACCOUNT/CAMPAIGN
        name: String,
    },
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let config = context.load(Files::Ignore)?;
    match args.command {
        Command::List => {
            let answer = client::ask(&config.state, &Request::CircuitListV1 {})?;
            let rows = answer["open"].as_array().cloned().unwrap_or_default();
            match context.json {
                true => out::json(&answer),
                false if rows.is_empty() => out::line("nothing is stopped"),
                false => rows.iter().for_each(|row| out::print(&page(row))),
            }
            Ok(Exit::Done)
        }
        Command::Continue { name } => {
            let answer = client::ask(&config.state, &Request::CircuitContinueV1 { name })?;
            told(&answer, "go on", context)
        }
        Command::Cancel { name } => {
            let answer = client::ask(&config.state, &Request::CircuitCancelV1 { name })?;
            told(&answer, "cancelled", context)
        }
    }
}

fn page(row: &serde_json::Value) -> String {
    let text = |key: &str| out::plain(row[key].as_str().unwrap_or_default());
    let since = text("since");
    let ago = super::queue::when(&since, SystemClock.now());
    format!("{}  {} {ago}\n  {}\n", out::tone(&text("name"), Tone::Strong), text("what"), text("text"))
}

fn told(answer: &serde_json::Value, done: &str, context: &Context) -> anyhow::Result<Exit> {
    let count = |key: &str| answer[key].as_u64().unwrap_or(0);
    match context.json {
        true => out::json(answer),
        false => out::line(&format!("{} {done}", count("now") + count("after_attempt"))),
    }
    Ok(Exit::Done)
}
