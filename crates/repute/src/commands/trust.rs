//! `repute trust`: how trust changed over time: checks that failed and passed again, permits, words
//! of operators, and the points of each pair.

use std::time::Duration;

use repute_types::{Clock as _, SystemClock};
use serde::Deserialize;

use crate::cli::{Context, Exit};
use crate::config::value;
use crate::control::client;
use crate::control::wire::Request;
use crate::out;

#[derive(clap::Args)]
pub struct Args {
    /// How far back: `12h`, `30d`
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = value::duration)]
    since: Duration,
    /// At most so many changes
    #[arg(long, default_value_t = 200)]
    limit: usize,
    /// The points of each address and domain over time, instead of the changes
    #[arg(long)]
    scores: bool,
}

#[derive(Deserialize)]
struct History {
    changes: Vec<Change>,
    scores: Vec<Score>,
}

#[derive(Deserialize)]
struct Change {
    at: String,
    what: String,
    state: String,
    address: Option<String>,
    domain: Option<String>,
    text: String,
    who: Option<String>,
}

#[derive(Deserialize)]
struct Score {
    at: String,
    address: String,
    domain: String,
    points: u32,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let config = context.load_to_look()?;
    let since = SystemClock.now() - args.since;
    let answer = client::ask(&config.state, &Request::TrustV1 { since, limit: args.limit })?;
    if context.json {
        out::json(&answer);
        return Ok(Exit::Done);
    }
    let History { changes, scores } = History::deserialize(&answer)?;
    let rows: Vec<Vec<String>> = match args.scores {
        true => scores.into_iter().map(|s| vec![s.at, s.address, s.domain, s.points.to_string()]).collect(),
        false => changes.into_iter().map(cells).collect(),
    };
    match (rows.is_empty(), args.scores) {
        (true, _) => out::line("nothing changed in that time"),
        (false, true) => out::print(&out::table(&["SINCE", "EGRESS", "DOMAIN", "TRUST"], &rows)),
        (false, false) => out::print(&out::table(&["AT", "WHAT", "IS", "ABOUT", ""], &rows)),
    }
    Ok(Exit::Done)
}

fn cells(change: Change) -> Vec<String> {
    let about = [change.address, change.domain].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let text = match change.who {
        Some(who) => format!("{who}: {}", change.text),
        None => change.text,
    };
    vec![change.at, change.what, change.state, about, text]
}
