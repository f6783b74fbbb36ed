//! `repute permit`: which mail may leave from where, and why not; and an operator's word on it, for a
//! time and with a reason.
//!
//! Exit codes: 0 all may leave; 1 something may not; 2 the command line is wrong; 75 no server runs.

use std::net::IpAddr;
use std::time::Duration;

use clap::Subcommand;
use repute_engine::permit::operator::Say;
use repute_trust::permit::Word;
use repute_types::{Clock as _, Domain, SystemClock, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::instant;
use crate::cli::{Context, Ended, Exit};
use crate::control::client;
use crate::control::wire::Request;
use crate::out::{self, Tone};

#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 all mail may leave; 1 some may not; 2 the command line is wrong; 75 no server runs."
)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// List every permit: each address with each domain (the default)
    List,
    /// Show the permits of one domain or address, with the evidence and what to do
    Show {
        /// A domain, or an address that mail leaves from
        of: String,
    },
    /// Let mail leave although a check fails, for a time
    Allow(Which),
    /// Keep mail from leaving although all is well, for a time
    Suspend(Which),
    /// Take back what was said by `allow` or `suspend`
    Reset {
        /// An address that mail leaves from, or `all`
        #[arg(value_name = "EGRESS")]
        address: String,
        /// A domain, or `all`
        domain: String,
    },
    /// Look again now instead of at the next time
    Check,
}

#[derive(clap::Args)]
struct Which {
    /// An address that mail leaves from, or `all`
    #[arg(value_name = "EGRESS")]
    address: String,
    /// A domain, or `all`
    domain: String,
    /// For how long: `30m`, `2h`, `3d`; 30 days at most
    #[arg(long = "for", value_name = "TIME", default_value = "2h", value_parser = super::word_holds)]
    time: Duration,
    /// Why; it is kept with your name
    #[arg(long)]
    reason: String,
}

/// As far as it is shown to people.
#[derive(Deserialize)]
pub struct List {
    pub enforced: bool,
    watched: bool,
    assumed: Vec<String>,
    pub rows: Vec<Row>,
    pub waiting: usize,
}

#[derive(Deserialize)]
pub struct Row {
    address: Option<IpAddr>,
    domain: String,
    word: String,
    pub may: bool,
    why: Option<String>,
    trust: u32,
    check: Option<String>,
    because: Option<String>,
    since: Option<String>,
    #[serde(rename = "override")]
    said: Option<Said>,
}

#[derive(Deserialize)]
struct Said {
    until: String,
    reason: String,
    who: String,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let config = context.load_to_look()?;
    let mut of = None;
    let request = match args.command {
        None | Some(Command::List) => Request::PermitsV1 {},
        Some(Command::Show { of: wanted }) => {
            of = Some(wanted);
            Request::PermitsV1 {}
        }
        Some(Command::Allow(which)) => Request::SayV1(say(&which, Word::Allow)?),
        Some(Command::Suspend(which)) => Request::SayV1(say(&which, Word::Suspend)?),
        Some(Command::Reset { address, domain }) => Request::SayV1(Say {
            word: None,
            address: address_of(&address)?,
            domain: domain_of(&domain)?,
            seconds: 0,
            reason: String::new(),
            who: super::who(),
        }),
        Some(Command::Check) => {
            client::ask(&config.state, &Request::RecheckV1 { checks: Vec::new() })?;
            match context.json {
                true => out::json(&serde_json::json!({ "checking": true })),
                false => out::line("the server looks again: repute permit says in a moment what it found"),
            }
            return Ok(Exit::Done);
        }
    };
    let mut answer = client::ask(&config.state, &request)?;
    if let Some(of) = &of {
        keep_only(&mut answer, of)?;
    }
    let list = List::deserialize(&answer)?;
    match (context.json, of.is_some()) {
        (true, _) => out::json(&answer),
        (false, true) => list.rows.iter().for_each(|row| out::print(&page(row))),
        (false, false) => out::print(&table(&list, SystemClock.now())),
    }
    Ok(if list.rows.iter().all(|row| row.may) { Exit::Done } else { Exit::Problem })
}

fn say(which: &Which, word: Word) -> anyhow::Result<Say> {
    if which.reason.trim().is_empty() {
        return Err(Ended::usage("--reason is empty: say why, for whoever finds it later"));
    }
    Ok(Say {
        word: Some(word),
        address: address_of(&which.address)?,
        domain: domain_of(&which.domain)?,
        seconds: which.time.as_secs(),
        reason: which.reason.trim().to_owned(),
        who: super::who(),
    })
}

fn address_of(text: &str) -> anyhow::Result<Option<IpAddr>> {
    match text {
        "all" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| Ended::usage(format!("{text:?} is no IP address: write an address of [[egress]], or `all`"))),
    }
}

fn domain_of(text: &str) -> anyhow::Result<Option<Domain>> {
    match text {
        "all" => Ok(None),
        text => Domain::parse(text)
            .map(Some)
            .map_err(|_| Ended::usage(format!("{text:?} is no domain: write one of [[domain]], or `all`"))),
    }
}

fn keep_only(answer: &mut Value, of: &str) -> anyhow::Result<()> {
    let wanted = of.to_ascii_lowercase();
    if let Some(rows) = answer["rows"].as_array_mut() {
        rows.retain(|row| row["domain"] == *wanted || row["address"] == *wanted);
        if rows.is_empty() {
            return Err(Ended::usage(format!("there is no permit for {of}: `repute permit` lists them")));
        }
    }
    Ok(())
}

fn coloured(row: &Row) -> String {
    out::tone(&row.word, if row.may { Tone::Good } else { Tone::Bad })
}

fn since(text: Option<&String>, now: Timestamp) -> String {
    text.and_then(|text| instant(text)).map_or(String::new(), |at| out::relative(at, now))
}

fn table(list: &List, now: Timestamp) -> String {
    let cells = |row: &Row| {
        let from = row.address.map_or("(chosen by the system)".into(), |address| address.to_string());
        let note = match (&row.said, &row.check) {
            (Some(said), _) => format!("{}: {}, until {}", said.who, said.reason, said.until),
            (None, Some(check)) => format!("{check}, {}", since(row.since.as_ref(), now)),
            (None, None) => row.why.clone().unwrap_or_default(),
        };
        vec![from, row.domain.clone(), coloured(row), format!("{}/100", row.trust), note]
    };
    let mut text =
        out::table(&["EGRESS", "DOMAIN", "PERMIT", "TRUST", ""], &list.rows.iter().map(cells).collect::<Vec<_>>());
    let mut told = Vec::new();
    for row in &list.rows {
        if let (Some(why), false) = (&row.why, row.may)
            && row.check.is_some()
            && !told.contains(&why)
        {
            text += &format!("\n  {} {why}\n", out::tone("x", Tone::Bad));
            told.push(why);
        }
    }
    if list.waiting > 0 {
        text += &format!(
            "\n{} part(s) of messages wait for a permit, and go by themselves when there is one.\n",
            list.waiting
        );
    }
    if !list.enforced {
        text += "\nNothing waits for a permit: `enforce = false` in [permit].\n";
    }
    if !list.watched {
        text += "\nNothing is checked: `enabled = false` in [watch].\n";
    }
    if !list.assumed.is_empty() {
        text += &format!("\nTaken as passed, by [permit]: {}\n", list.assumed.join(", "));
    }
    text
}

fn page(row: &Row) -> String {
    let from = row.address.map_or(String::new(), |address| format!(" from {address}"));
    let mut text = format!("{}{from}  {}  trust {}/100\n", row.domain, coloured(row), row.trust);
    if let Some(why) = &row.why {
        text += &format!("  {why}\n");
    }
    if let Some(because) = &row.because {
        text += &format!("  It stops mail because {because}.\n");
    }
    if let Some(said) = &row.said {
        text += &format!("  {} said so until {}: {}\n", said.who, said.until, said.reason);
    }
    if let Some(since) = &row.since {
        text += &format!("  since {since}\n");
    }
    text
}
