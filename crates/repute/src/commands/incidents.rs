//! `repute incidents`: what is broken now, and what was.
//!
//! Exit codes: 0 nothing is open; 1 something is; 75 no server runs.

use repute_types::{Clock as _, SystemClock, Timestamp};
use serde::Deserialize;

use super::instant;
use crate::cli::{Context, Exit};
use crate::control::client;
use crate::control::wire::Request;
use crate::out::{self, Tone};

#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 nothing is open; 1 something is; 2 the command line is wrong; 75 no server runs."
)]
pub struct Args {
    /// The closed ones too
    #[arg(long)]
    all: bool,
    /// At most so many closed ones
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

#[derive(Deserialize)]
struct Incident {
    id: u64,
    opened: String,
    closed: Option<String>,
    what: String,
    subject: String,
    text: String,
    cure: String,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let config = context.load_to_look()?;
    let closed = if args.all { args.limit } else { 0 };
    let answer = client::ask(&config.state, &Request::IncidentsV1 { closed })?;
    let incidents = Vec::<Incident>::deserialize(&answer)?;
    if context.json {
        out::json(&answer);
    } else if incidents.is_empty() {
        out::line("nothing is open");
    } else {
        let now = SystemClock.now();
        incidents.iter().for_each(|one| out::print(&page(one, now)));
    }
    let open = incidents.iter().any(|one| one.closed.is_none());
    Ok(if open { Exit::Problem } else { Exit::Done })
}

fn page(one: &Incident, now: Timestamp) -> String {
    let when = |text: &str| instant(text).map_or_else(|| text.to_owned(), |at| out::relative(at, now));
    let state = match &one.closed {
        None => out::tone("open", Tone::Bad),
        Some(at) => out::tone(&format!("closed {}", when(at)), Tone::Good),
    };
    // Receivers' words are among them.
    let (subject, said) = (out::plain(&one.subject), out::plain(&one.text));
    let mut text = format!("{}  {} ({subject})  opened {}, {state}\n  {said}\n", one.id, one.what, when(&one.opened));
    if one.closed.is_none() && !one.cure.is_empty() {
        text += &format!("  fix  {}\n", out::plain(&one.cure));
    }
    text
}
