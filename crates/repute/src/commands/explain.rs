//! `repute explain 'REPLY'`: what a receiver's reply means, whose fault it is, what to do.
//!
//! The reply may be pasted as a log line or a bounce has it. Exit code 0: a rule fits; 1: none
//! does, and only the reply's class is told; 2: there is no reply in the text.

use std::io::Read as _;

use repute_trust::replies::{Classification, Rules, classify, parse_pasted};

use crate::cli::{Context, Ended, Exit};
use crate::out;

#[derive(clap::Args)]
pub struct Args {
    /// The reply, such as '550 5.7.25 ...'; `-` reads it from standard input
    #[arg(required = true, num_args = 1..)]
    reply: Vec<String>,
    /// The host that gave it, where the text does not tell: some codes differ by receiver
    #[arg(long, value_name = "MX")]
    host: Option<String>,
}

/// A bounce with its whole story is smaller.
const INPUT_MOST: u64 = 64 * 1024;

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let mut text = args.reply.join(" ");
    if text == "-" {
        text.clear();
        std::io::stdin().lock().take(INPUT_MOST).read_to_string(&mut text)?;
    }
    let pasted = parse_pasted(&text).ok_or_else(|| {
        Ended::usage("there is no reply in it: it begins with a code of 4 or 5 hundred, such as '550 5.7.25 ...'")
    })?;
    let named = || Rules::shipped().host_in(&pasted.reply.text()).map(str::to_owned);
    let host = args.host.or_else(|| pasted.host.clone()).or_else(named);
    let found = classify(&pasted.reply, host.as_deref());
    match context.json {
        true => out::json(&json(&found, host.as_deref(), &pasted.reply.to_string())),
        false => out::line(&found.to_string()),
    }
    Ok(if found.rule == "none" { Exit::Problem } else { Exit::Done })
}

fn json(found: &Classification<'_>, host: Option<&str>, reply: &str) -> serde_json::Value {
    serde_json::json!({
        "reply": reply,
        "host": host,
        "rule": found.rule,
        "class": found.class.as_str(),
        "fault": found.fault.as_str(),
        "cause": found.cause,
        "advice": found.advice,
        "action": found.action.as_str(),
        "pause_seconds": found.pause.map(|p| p.as_secs()),
        "suppresses": found.suppresses(),
        "checks": found.checks,
        "lists": found.lists,
        "link": found.link,
        "own_link": found.own_link,
    })
}
