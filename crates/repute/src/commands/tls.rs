//! `repute tls`: how sessions with receivers' hosts went today, as their domains are told of it (RFC 8460).
//!
//! Exit code 1 where nothing was counted.

use repute_types::Domain;

use crate::cli::{Context, Exit};
use crate::config::Files;
use crate::control::client;
use crate::control::wire::Request;
use crate::out;

#[derive(clap::Args)]
pub struct Args {
    /// Only sessions for mail to this domain
    domain: Option<Domain>,
    /// Those of yesterday (UTC), until they are reported
    #[arg(long)]
    yesterday: bool,
    /// At most so many lines
    #[arg(long, default_value_t = 200)]
    limit: usize,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let config = context.load(Files::Ignore)?;
    let Args { domain, yesterday, limit } = args;
    let answer = client::ask(&config.state, &Request::TlsSessionsV1 { domain, yesterday, limit })?;
    let rows = answer["rows"].as_array().cloned().unwrap_or_default();
    match context.json {
        true => out::json(&answer),
        false if rows.is_empty() && !config.tls_reports.enabled => {
            out::line("sessions are not counted: [tls_reports] says `enabled = false`");
        }
        false if rows.is_empty() => out::line("no session was counted"),
        false => out::print(&table(&rows)),
    }
    if !context.json && answer["more"].as_bool() == Some(true) {
        out::line("there are more: name a domain, or say --limit");
    }
    Ok(if rows.is_empty() { Exit::Problem } else { Exit::Done })
}

fn table(rows: &[serde_json::Value]) -> String {
    let line = |row: &serde_json::Value| {
        let text = |key: &str| out::plain(row[key].as_str().unwrap_or_default());
        let sessions = row["sessions"].as_u64().unwrap_or_default().to_string();
        let result = row["result"].as_str().map_or("good".to_owned(), out::plain);
        vec![text("domain"), text("policy"), text("host"), sessions, result, text("receiving"), text("reason")]
    };
    let head = ["DOMAIN", "POLICY", "HOST", "SESSIONS", "RESULT", "AT", "REASON"];
    out::table(&head, &rows.iter().map(line).collect::<Vec<_>>())
}
