//! `repute events`: what became of messages, as it happens, from the running server.

use std::time::Duration;

use repute_hooks::{EventId, Type};
use repute_types::{Clock as _, SystemClock, Timestamp};

use crate::cli::{Context, Ended, Exit};
use crate::config::value;
use crate::control::client;
use crate::control::wire::{EventsSince, Request};
use crate::out::{self, Tone};

/// How long the server may wait for something to happen before it answers.
const WAIT: Duration = Duration::from_secs(10);
/// Between two questions where the server did not wait: too many follow already.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
pub struct Args {
    /// Go on with what comes
    #[arg(long, short = 'f')]
    follow: bool,
    /// After an event (its id), since a time (2026-11-24T08:00:00Z), or of the last 2h
    #[arg(long, value_name = "ID|TIME|AGE", value_parser = since)]
    since: Option<EventsSince>,
    /// Only of this account
    #[arg(long)]
    account: Option<String>,
    /// Only of these types; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<Type>,
    /// Without --follow: the last so many; all where --since is given, else 100
    #[arg(long)]
    limit: Option<usize>,
}

fn since(text: &str) -> Result<EventsSince, String> {
    if let Ok(id) = text.parse::<EventId>() {
        return Ok(EventsSince::After(id));
    }
    instant_or_age(text).map(EventsSince::Time)
}

/// A time as answers carry it, or how long ago.
pub fn instant_or_age(text: &str) -> Result<Timestamp, String> {
    match (super::instant(text), value::duration(text)) {
        (Some(at), _) => Ok(at),
        (None, Ok(age)) => Ok(SystemClock.now() - age),
        (None, Err(_)) => Err("write a time (2026-11-24T08:00:00Z) or an age (2h)".to_owned()),
    }
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let config = context.load_to_look()?;
    let mut since = args.since.clone().unwrap_or(if args.follow { EventsSince::Now } else { EventsSince::Start });
    let limit = args.limit.unwrap_or(if args.since.is_some() { usize::MAX } else { 100 });
    let mut last = Vec::new();
    loop {
        let request = Request::EventsV1 {
            since: since.clone(),
            account: args.account.clone(),
            types: args.types.iter().map(|kind| kind.as_str().to_owned()).collect(),
            wait: if args.follow { WAIT.as_secs() } else { 0 },
        };
        let answer = client::ask(&config.state, &request).map_err(|error| match &since {
            EventsSince::After(id) if args.follow => {
                Ended::going_on(error, || format!("`repute events --follow --since {id}` goes on from here"))
            }
            _ => error,
        })?;
        let events = answer["events"].as_array().map(Vec::as_slice).unwrap_or_default();
        if answer["gap"].as_bool() == Some(true) {
            out::error("repute: events after that are no longer kept; these are the oldest that are\n");
        }
        if args.follow {
            events.iter().for_each(|event| print(event, context));
        } else {
            last.extend_from_slice(events);
            last.drain(..last.len().saturating_sub(limit));
        }
        let Some(position) = answer["position"].as_str().and_then(|id| id.parse().ok()) else {
            anyhow::bail!("the server answered in words unknown here: is it another version?");
        };
        since = EventsSince::After(position);
        match (args.follow, answer["more"].as_bool()) {
            (false, Some(true)) => {}
            (false, _) => break,
            (true, _) if answer["waited"].as_bool() == Some(false) && events.is_empty() => std::thread::sleep(PAUSE),
            (true, _) => {}
        }
    }
    last.iter().for_each(|event| print(event, context));
    Ok(if last.is_empty() { Exit::Problem } else { Exit::Done })
}

/// One line: JSON for programs, else time, type, message, and what matters of the rest.
fn print(event: &serde_json::Value, context: &Context) {
    if context.json {
        return out::line(&event.to_string());
    }
    let data = &event["data"];
    let text = |key: &str| out::plain(data[key].as_str().unwrap_or_default());
    let kind = event["type"].as_str().unwrap_or_default();
    let tone = match kind {
        "delivered" | "incident.closed" => Tone::Good,
        "bounced" | "complained" | "incident.opened" => Tone::Bad,
        "deferred" | "held" | "suppressed" | "unsubscribed" => Tone::Warning,
        _ => Tone::Faint,
    };
    let to = match data["recipients"].as_array().map(Vec::as_slice) {
        Some([one]) => out::plain(one.as_str().unwrap_or_default()),
        Some(_) => format!("{} recipients", data["recipient_count"]),
        None => text("recipient"),
    };
    let about = [text("message"), to, text("subject"), text("reply"), text("reason"), text("text")];
    let about = about.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join("  ");
    let (at, id) = (event["timestamp"].as_str().unwrap_or_default(), event["id"].as_str().unwrap_or_default());
    let name = out::tone(&format!("{kind:15}"), tone);
    out::line(&format!("{at}  {name}  {about}  {}", out::tone(id, Tone::Faint)));
}
