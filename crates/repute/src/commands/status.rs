//! `repute status`: what the running server is doing.

use serde::Deserialize;

use super::queue::when;
use crate::cli::{Context, Exit};
use crate::config::Files;
use crate::control::client;
use crate::control::wire::Request;
use crate::out;

#[derive(clap::Args)]
pub struct Args {}

/// The server's answer, as far as it is shown to people.
#[derive(Deserialize)]
struct Status {
    queued: usize,
    sessions: u32,
    lanes: Vec<Lane>,
}

#[derive(Deserialize)]
struct Lane {
    site: String,
    ready: usize,
    sessions: u32,
    window: u32,
    paused_until: Option<String>,
}

pub fn run(_: Args, context: &Context) -> anyhow::Result<Exit> {
    let config = context.load(Files::Ignore)?;
    let answer = client::ask(&config.state, &Request::StatusV1 {})?;
    if context.json {
        out::json(&answer);
        return Ok(Exit::Done);
    }
    let status = Status::deserialize(&answer)?;
    out::line(&format!("running: {} part(s) queued, {} session(s) under way", status.queued, status.sessions));
    if !status.lanes.is_empty() {
        let now = repute_types::Clock::now(&repute_types::SystemClock);
        let cells = |l: &Lane| {
            let paused = l.paused_until.as_ref().map_or_else(String::new, |t| format!("tried again {}", when(t, now)));
            vec![l.site.clone(), l.ready.to_string(), format!("{}/{}", l.sessions, l.window), paused]
        };
        let rows: Vec<Vec<String>> = status.lanes.iter().map(cells).collect();
        out::print(&out::table(&["SITE", "READY", "SESSIONS", ""], &rows));
    }
    Ok(Exit::Done)
}
