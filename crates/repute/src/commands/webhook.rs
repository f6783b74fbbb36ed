//! `repute webhook`: the programs that are told what happens, through the running server.

use std::time::Duration;

use clap::Subcommand;
use repute_hooks::{EventId, Secret, Selection};
use repute_types::{Clock as _, MessageId, SystemClock, Timestamp};
use serde::Deserialize;

use super::events::instant_or_age;
use super::queue::when;
use crate::cli::{Context, Exit};
use crate::config::Config;
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
    /// List the webhooks: state, what waits, what was taken
    List,
    /// Show one webhook in full
    Show { name: String },
    /// Post a test event now, and say what came of it
    Test { name: String },
    /// Send events again that were sent before, under the ids that they had
    Redeliver {
        name: String,
        /// Events, by their ids
        #[arg(value_name = "EVENT")]
        events: Vec<EventId>,
        /// All events of a message
        #[arg(long, value_name = "ID")]
        message: Option<MessageId>,
        /// All events since a time (2026-11-24T08:00:00Z), or of the last 2h
        #[arg(long, value_name = "TIME|AGE", value_parser = instant_or_age)]
        since: Option<Timestamp>,
        /// With --since: until a time, not included
        #[arg(long, value_name = "TIME|AGE", value_parser = instant_or_age, requires = "since")]
        until: Option<Timestamp>,
    },
    /// Send nothing until it is resumed; events are kept meanwhile
    Pause { name: String },
    /// Go on, also after the webhook was disabled by itself
    Resume { name: String },
    /// Print a new secret, for the configuration and for the receiver
    Secret,
}

/// The server's answer, as far as it is shown to people.
#[derive(Deserialize)]
struct Row {
    name: String,
    url: String,
    state: String,
    reason: String,
    events: Vec<String>,
    account: Option<String>,
    batch: usize,
    behind: usize,
    waiting: usize,
    under_way: usize,
    next_attempt: Option<String>,
    rest_until: Option<String>,
    failures_in_a_row: u32,
    failing_since: Option<String>,
    taken: u64,
    given_up: u64,
    lost: u64,
    last_taken: Option<String>,
    last_failed: Option<String>,
    last_failure: String,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    if let Command::Secret = args.command {
        return secret(context);
    }
    let config = context.load_to_look()?;
    let ask = |request: Request| client::ask(&config.state, &request);
    match args.command {
        Command::List => list(&ask(Request::WebhookListV1 {})?, &config, context),
        Command::Show { name } => show(&ask(Request::WebhookShowV1 { name })?, context),
        Command::Test { name } => test(&ask(Request::WebhookTestV1 { name })?, context),
        Command::Redeliver { name, events, message, since, until } => {
            let selection = Selection { events, message, since, until };
            redelivered(&ask(Request::WebhookRedeliverV1 { name, selection })?, context)
        }
        Command::Pause { name } => done(&ask(Request::WebhookPauseV1 { name })?, "paused: events are kept", context),
        Command::Resume { name } => done(&ask(Request::WebhookResumeV1 { name })?, "active", context),
        Command::Secret => Ok(Exit::Done),
    }
}

fn secret(context: &Context) -> anyhow::Result<Exit> {
    let secret = Secret::random().ok_or_else(|| anyhow::anyhow!("this machine has no random numbers"))?.text();
    match context.json {
        true => out::json(&serde_json::json!({ "secret": secret })),
        false => out::line(&secret),
    }
    Ok(Exit::Done)
}

fn list(answer: &serde_json::Value, config: &Config, context: &Context) -> anyhow::Result<Exit> {
    let rows = Vec::<Row>::deserialize(answer)?;
    if context.json {
        out::json(answer);
        return Ok(if rows.is_empty() { Exit::Problem } else { Exit::Done });
    }
    if rows.is_empty() && config.webhooks.is_empty() {
        out::line("the server has no [[webhook]]");
    }
    if !rows.is_empty() {
        let now = SystemClock.now();
        let cells = |row: &Row| {
            vec![
                row.name.clone(),
                row.state.clone(),
                (row.behind + row.waiting).to_string(),
                row.taken.to_string(),
                (row.given_up + row.lost).to_string(),
                row.url.clone(),
                last_word(row, now),
            ]
        };
        let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
        out::print(&out::table(&["NAME", "STATE", "TO SEND", "TAKEN", "MISSED", "URL", "LAST"], &cells));
    }
    for new in config.webhooks.iter().filter(|webhook| rows.iter().all(|row| row.name != webhook.name)) {
        out::line(&not_taken_on(&new.name));
    }
    Ok(if rows.is_empty() { Exit::Problem } else { Exit::Done })
}

/// What came of the last request; of one that is disabled, and so asked no more, why, and how it goes on.
fn last_word(row: &Row, now: Timestamp) -> String {
    match (&row.last_failed, row.failures_in_a_row) {
        _ if row.state == "disabled" => format!("{}: `repute webhook resume {}`", out::plain(&row.reason), row.name),
        (Some(at), 1..) => format!("{} ({})", out::plain(&row.last_failure), when(at, now)),
        _ => row.last_taken.as_ref().map_or_else(String::new, |at| format!("taken {}", when(at, now))),
    }
}

/// It stands in the file, and the server does not have it.
fn not_taken_on(name: &str) -> String {
    format!(
        "{name} is in the configuration, and the server has not taken it on: it is told nothing yet. `systemctl reload repute` \
         does that; the first [[webhook]] of a server, without `keep` in [events], needs a restart"
    )
}

fn show(answer: &serde_json::Value, context: &Context) -> anyhow::Result<Exit> {
    let row = Row::deserialize(answer)?;
    if context.json {
        out::json(answer);
    } else {
        out::print(&page(&row, SystemClock.now()));
    }
    Ok(Exit::Done)
}

fn page(row: &Row, now: Timestamp) -> String {
    let mut text = format!("{}  {}\n", out::tone(&row.name, Tone::Strong), row.url);
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            text += &format!("  {name:10} {value}\n");
        }
    };
    let at = |at: &Option<String>| at.as_ref().map_or_else(String::new, |at| format!("{at} ({})", when(at, now)));
    field("state", &row.state);
    field("because", &out::plain(&row.reason));
    field("events", &row.events.join(", "));
    field("account", row.account.as_deref().unwrap_or("all"));
    field("batch", &if row.batch > 1 { format!("up to {}", row.batch) } else { String::new() });
    field("to send", &format!("{} new, {} again or behind such", row.behind, row.waiting));
    field("under way", &format!("{} request(s)", row.under_way));
    field("next", &at(&row.next_attempt));
    field("rests", &at(&row.rest_until));
    field("taken", &row.taken.to_string());
    field("given up", &row.given_up.to_string());
    field("lost", &row.lost.to_string());
    field("last taken", &at(&row.last_taken));
    field("failed", &at(&row.last_failed));
    field("  with", &out::plain(&row.last_failure));
    field("  since", &at(&row.failing_since));
    text
}

fn test(answer: &serde_json::Value, context: &Context) -> anyhow::Result<Exit> {
    let taken = answer["taken"].as_bool().unwrap_or(false);
    if context.json {
        out::json(answer);
    } else {
        let text = out::plain(answer["text"].as_str().unwrap_or_default());
        let took = out::short(Duration::from_millis(answer["milliseconds"].as_u64().unwrap_or(0)));
        let (mark, tone) = if taken { ("taken", Tone::Good) } else { ("not taken", Tone::Bad) };
        out::line(&format!("{}: {text}, after {took}", out::tone(mark, tone)));
    }
    Ok(if taken { Exit::Done } else { Exit::Problem })
}

fn redelivered(answer: &serde_json::Value, context: &Context) -> anyhow::Result<Exit> {
    let events = answer["events"].as_u64().unwrap_or(0);
    match context.json {
        true => out::json(answer),
        false if events == 0 => out::line("no event of that is kept that this webhook gets"),
        false => out::line(&format!("{events} event(s) are sent again")),
    }
    Ok(if events == 0 { Exit::Problem } else { Exit::Done })
}

fn done(answer: &serde_json::Value, text: &str, context: &Context) -> anyhow::Result<Exit> {
    match context.json {
        true => out::json(answer),
        false => out::line(text),
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_was_silent_about_why_a_webhook_is_disabled() {
        let row = |state: &str, reason: &str| -> Row {
            serde_json::from_value(serde_json::json!({
                "name": "shop", "url": "https://shop.example", "state": state, "reason": reason, "events": [], "account": null,
                "batch": 1, "behind": 0, "waiting": 1, "under_way": 0, "next_attempt": null, "rest_until": null,
                "failures_in_a_row": 0, "failing_since": null, "taken": 0, "given_up": 0, "lost": 0, "last_taken": null,
                "last_failed": "2026-11-24T02:05:50Z", "last_failure": "it answered 410 Gone",
            }))
            .unwrap()
        };
        let said = last_word(&row("disabled", "it answered 410 Gone: it wants no more"), SystemClock.now());
        assert_eq!(said, "it answered 410 Gone: it wants no more: `repute webhook resume shop`");
        assert_eq!(last_word(&row("active", ""), SystemClock.now()), "");
    }
}
