//! `repute status`: what the running server is doing.

use serde::Deserialize;

use super::queue::when;
use crate::cli::{Context, Exit};
use crate::control::client;
use crate::control::wire::Request;
use crate::out;

#[derive(clap::Args)]
pub struct Args {}

/// The server's answer, as far as it is shown to people.
#[derive(Deserialize)]
struct Status {
    queued: usize,
    barred: usize,
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
    let config = context.load_to_look()?;
    let mut answer = client::ask(&config.state, &Request::StatusV1 {})?;
    let permits = client::ask(&config.state, &Request::PermitsV1 {})?;
    let incidents = client::ask(&config.state, &Request::IncidentsV1 { closed: 0 })?;
    let circuits = client::ask(&config.state, &Request::CircuitListV1 {})?;
    let (may, of) = may(&permits);
    let open = incidents.as_array().map_or(0, Vec::len);
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("permits".into(), permits["rows"].clone());
        answer.insert("incidents".into(), incidents.clone());
        answer.insert("circuits".into(), circuits["open"].clone());
    }
    if context.json {
        out::json(&answer);
        return Ok(Exit::Done);
    }
    let status = Status::deserialize(&answer)?;
    out::line(&format!("running: {} part(s) queued, {} session(s) under way", status.queued, status.sessions));
    out::line(&format!(
        "permits: {may} of {of} ways are open, {} part(s) wait for one{}; {open} incident(s)",
        status.barred,
        if permits["enforced"] == false { " (`enforce = false`: all mail may leave)" } else { "" }
    ));
    // Receivers' words are among them.
    let text = |one: &serde_json::Value, key: &str| out::plain(one[key].as_str().unwrap_or_default());
    // Circuits are told beneath.
    for one in incidents.as_array().into_iter().flatten().filter(|one| !text(one, "what").starts_with("circuit.")) {
        out::line(&format!("  {} ({}): {}", text(one, "what"), text(one, "subject"), text(one, "text")));
    }
    let stopped = circuits["open"].as_array().map_or(&[][..], Vec::as_slice);
    if !stopped.is_empty() {
        out::line(&format!("circuits: the mail of {} is stopped", stopped.len()));
    }
    for one in stopped {
        out::line(&format!("  {}: {}", text(one, "name"), text(one, "text")));
        out::line(&format!("    fix  {}", text(one, "cure")));
    }
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

/// How many pairs may send, of how many.
fn may(permits: &serde_json::Value) -> (usize, usize) {
    let rows = permits["rows"].as_array().map_or(&[][..], Vec::as_slice);
    (rows.iter().filter(|row| row["may"] == true).count(), rows.len())
}
