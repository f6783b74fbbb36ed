//! `repute status`: what the running server is doing.

use std::cmp::Reverse;

use repute_types::{Clock as _, SystemClock, Timestamp};
use serde::Deserialize;

use super::queue::when;
use crate::cli::{Context, Exit};
use crate::control::client;
use crate::control::wire::Request;
use crate::out;

/// Incidents, receivers of addresses that warm up (the busiest), and sites; `--json` has all.
const SHOWN: usize = 20;

#[derive(clap::Args)]
pub struct Args {}

/// The server's answer, as far as it is shown to people.
#[derive(Deserialize)]
struct Status {
    queued: usize,
    barred: usize,
    sessions: u32,
    lanes: Vec<Lane>,
    warm_up: Vec<WarmUp>,
    unwelcome: Vec<Unwelcome>,
}

/// An address of ours that a receiver takes no mail from.
#[derive(Deserialize)]
struct Unwelcome {
    address: String,
    receiver: String,
    until: String,
}

/// An address that warms up, with one receiver.
#[derive(Deserialize)]
struct WarmUp {
    egress: String,
    receiver: String,
    step: u16,
    steps: u16,
    number: Option<u32>,
    sent: u64,
    slowed: u64,
    complaints: u64,
}

impl WarmUp {
    fn cells(&self) -> Vec<String> {
        let (step, number) = match self.number {
            Some(number) => (format!("{} of {}", self.step, self.steps), format!("{number} a day")),
            None => ("warm".to_owned(), "no limit".to_owned()),
        };
        let sent = match self.complaints {
            0 => format!("{} ({} put off)", self.sent, self.slowed),
            complaints => format!("{} ({} put off, {complaints} complained)", self.sent, self.slowed),
        };
        vec![self.egress.clone(), self.receiver.clone(), step, number, sent]
    }
}

#[derive(Deserialize)]
struct Lane {
    site: String,
    from: String,
    ready: usize,
    sessions: u32,
    window: u32,
    paused_until: Option<String>,
    pace: Option<Pace>,
}

#[derive(Deserialize)]
struct Pace {
    name: String,
    rate: String,
    ready: usize,
    all_by: String,
}

impl Pace {
    /// Its rate, and when what is ready will have gone by it.
    fn told(&self, now: Timestamp) -> String {
        let Pace { name, rate, ready, all_by } = self;
        match ready {
            0 => format!("rate {rate} ({name})"),
            _ => format!("rate {rate} ({name}): {ready} ready, the last goes {}", when(all_by, now)),
        }
    }
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
    let others = incidents.as_array().into_iter().flatten().filter(|one| !text(one, "what").starts_with("circuit."));
    for one in others.clone().take(SHOWN) {
        out::line(&format!("  {} ({}): {}", text(one, "what"), text(one, "subject"), text(one, "text")));
    }
    let left = others.count().saturating_sub(SHOWN);
    if left > 0 {
        out::line(&format!("  and {left} more: repute incidents"));
    }
    for Unwelcome { address, receiver, until } in status.unwelcome.iter().take(SHOWN) {
        let until = when(until, SystemClock.now());
        out::line(&format!(
            "{receiver} refused {address}: mail to it leaves from elsewhere, and it is tried again {until}"
        ));
    }
    tell_more(status.unwelcome.len());
    let stopped = circuits["open"].as_array().map_or(&[][..], Vec::as_slice);
    if !stopped.is_empty() {
        out::line(&format!("circuits: the mail of {} is stopped", stopped.len()));
    }
    for one in stopped {
        out::line(&format!("  {}: {}", text(one, "name"), text(one, "text")));
        out::line(&format!("    fix  {}", text(one, "cure")));
    }
    if !status.warm_up.is_empty() {
        let rows: Vec<Vec<String>> = status.warm_up.iter().take(SHOWN).map(WarmUp::cells).collect();
        out::print(&out::table(&["WARMS UP", "RECEIVER", "STEP", "MAY", "SENT TODAY"], &rows));
        tell_more(status.warm_up.len());
    }
    if !status.lanes.is_empty() {
        let count = status.lanes.len();
        out::print(&lanes(status.lanes, SystemClock.now()));
        tell_more(count);
    }
    Ok(Exit::Done)
}

/// That a table has fewer lines than there are.
fn tell_more(count: usize) {
    if count > SHOWN {
        out::line(&format!("and {} more: --json has all", count - SHOWN));
    }
}

/// A line for each site, and for each way to it where there are several: where most waits first, then where sessions are.
fn lanes(mut lanes: Vec<Lane>, now: Timestamp) -> String {
    let order = |l: &Lane| (Reverse(l.ready), Reverse(l.sessions));
    lanes.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| (&a.site, &a.from).cmp(&(&b.site, &b.from))));
    let several = lanes.windows(2).any(|two| two[0].from != two[1].from);
    let cells = |l: &Lane| {
        let why = match (&l.paused_until, &l.pace) {
            (Some(until), _) => format!("tried again {}", when(until, now)),
            (None, Some(pace)) => pace.told(now),
            (None, None) => String::new(),
        };
        let from = several.then(|| l.from.clone());
        let rest = [l.ready.to_string(), format!("{}/{}", l.sessions, l.window), why];
        [l.site.clone()].into_iter().chain(from).chain(rest).collect()
    };
    let rows: Vec<Vec<String>> = lanes.iter().take(SHOWN).map(cells).collect();
    match several {
        true => out::table(&["SITE", "FROM", "READY", "SESSIONS", ""], &rows),
        false => out::table(&["SITE", "READY", "SESSIONS", ""], &rows),
    }
}

/// How many pairs may send, of how many.
fn may(permits: &serde_json::Value) -> (usize, usize) {
    let rows = permits["rows"].as_array().map_or(&[][..], Vec::as_slice);
    (rows.iter().filter(|row| row["may"] == true).count(), rows.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// They were two equal lines.
    #[test]
    fn a_site_that_is_reached_from_two_egresses_says_which_line_is_whose() {
        let lane = |from: &str| Lane {
            site: "mx.b.example".into(),
            from: from.into(),
            ready: 1,
            sessions: 0,
            window: 3,
            paused_until: None,
            pace: None,
        };
        let one = lanes(vec![lane("203.0.113.1")], Timestamp(0));
        assert!(one.ends_with("mx.b.example  1      0/3\n") && !one.contains("FROM"), "{one}");
        let two = lanes(vec![lane("203.0.113.1"), lane("203.0.113.2")], Timestamp(0));
        assert!(two.contains("mx.b.example  203.0.113.1  1      0/3\nmx.b.example  203.0.113.2  1"), "{two}");
    }
    /// They came in no order, and a thousand of them.
    #[test]
    fn sites_where_something_waits_stand_first_and_the_table_has_an_end() {
        let lane = |n: usize| Lane {
            site: format!("mx{n:02}.example"),
            from: "203.0.113.1".into(),
            ready: if n == 30 { 7 } else { 0 },
            sessions: u32::from(n == 20),
            window: 3,
            paused_until: None,
            pace: None,
        };
        let table = lanes((0..40).rev().map(lane).collect(), Timestamp(0));
        let sites: Vec<&str> = table.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(sites[..4], ["mx30.example", "mx20.example", "mx00.example", "mx01.example"]);
        assert_eq!(sites.len(), SHOWN);
    }
}
