//! `repute why ID|ADDRESS`: what became of a message, or of mail to somebody, step by step,
//! and what is tried next. Works without a running server too.

use repute_ledger::{Step, StepKind};
use repute_types::{Clock as _, MessageId, SystemClock, Timestamp};
use serde::Deserialize;

use super::queue::{Row, when};
use crate::cli::{Context, Exit};
use crate::config::Files;
use crate::control::client;
use crate::control::wire::Request;
use crate::out::{self, Tone};

#[derive(clap::Args)]
pub struct Args {
    /// A message's id, its Message-ID in <brackets>, or a recipient's address
    about: String,
    /// At most so many steps
    #[arg(long, default_value_t = 200)]
    limit: usize,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let config = context.load(Files::Ignore)?;
    let answer = match client::connect(&config.state)? {
        Some(stream) => client::ask_over(stream, &Request::WhyV1 { about: args.about.clone(), limit: args.limit })?,
        None => super::stores::why(&config, &args.about, args.limit)?,
    };
    let steps = Vec::<Step>::deserialize(&answer["steps"])?;
    let queued = Vec::<Row>::deserialize(&answer["queued"])?;
    let known = !steps.is_empty() || !queued.is_empty();
    if context.json {
        out::json(&answer);
    } else if known {
        out::print(&page(&steps, &queued, SystemClock.now()));
    } else {
        out::line(&format!(
            "nothing is known of {}: the history goes back {}",
            args.about,
            out::short(config.history_keep)
        ));
    }
    Ok(if known { Exit::Done } else { Exit::Problem })
}

/// Message by message in the order of their ids, which is that of their times.
fn page(steps: &[Step], queued: &[Row], now: Timestamp) -> String {
    let mut ids: Vec<MessageId> = steps.iter().filter_map(|s| s.message).collect();
    ids.extend(queued.iter().filter_map(|r| r.id.parse::<MessageId>().ok()));
    ids.sort();
    ids.dedup();
    let mut text = String::new();
    for id in ids {
        if !text.is_empty() {
            text.push('\n');
        }
        let age = out::relative(id.time(), now);
        text += &format!("{}  {}\n", out::tone(&id.to_string(), Tone::Strong), out::tone(&age, Tone::Faint));
        for step in steps.iter().filter(|s| s.message == Some(id)) {
            text += &step_line(step);
        }
        for row in queued.iter().filter(|r| r.id == id.to_string()) {
            text += &queued_lines(row, now);
        }
    }
    text
}

fn step_line(step: &Step) -> String {
    let said = out::plain(&step.kind.to_string());
    let tone = match &step.kind {
        StepKind::Settled(settled) => match settled.verdict.as_str() {
            "delivered" => Some(Tone::Good),
            "deferred" => Some(Tone::Warning),
            _ => Some(Tone::Bad),
        },
        StepKind::Held { .. } => Some(Tone::Warning),
        _ => None,
    };
    let said = tone.map_or(said.clone(), |tone| out::tone(&said, tone));
    format!("  {}  {said}\n", step.at)
}

fn queued_lines(row: &Row, now: Timestamp) -> String {
    let names: Vec<&str> = row.recipients.iter().map(|r| r.address.as_str()).collect();
    let mut line = format!("  now: {} for {}", row.state, names.join(", "));
    if let Some(next) = &row.next {
        line += &format!(", next attempt {}", when(next, now));
    }
    if let Some(reason) = &row.reason {
        line += &format!(": {}", out::plain(reason));
    }
    line += &format!("; given up {}\n", when(&row.expires, now));
    line
}
