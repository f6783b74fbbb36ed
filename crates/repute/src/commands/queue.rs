//! `repute queue`: what waits, and an operator's word on it, through the running server.
//! `list` and `show` read the spool themselves where no server runs.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Subcommand;
use repute_engine::control::Selector;
use repute_types::{Address, Clock as _, Domain, SystemClock, Timestamp};
use serde::Deserialize;

use crate::cli::{Context, Ended, Exit};
use crate::config::Config;
use crate::config::value;
use crate::control::client;
use crate::control::wire::Request;
use crate::out::{self, Tone};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// By that name an empty queue is no problem, as with other mail servers.
    #[arg(skip)]
    pub called_mailq: bool,
}

#[derive(Subcommand)]
enum Command {
    /// List what waits
    List {
        #[command(flatten)]
        which: Which,
        /// At most this many
        #[arg(long, default_value = "100")]
        limit: NonZeroUsize,
    },
    /// Show messages with their recipients and what was last said about each
    Show {
        #[command(flatten)]
        which: Which,
    },
    /// Keep messages from being tried until they are released
    Hold {
        #[command(flatten)]
        which: Which,
        /// Why, for those who find it held
        #[arg(long, default_value = "held by an operator")]
        reason: String,
    },
    /// Let held messages go: they are tried now, or at the time that they were to be sent at, if it is ahead
    Release {
        #[command(flatten)]
        which: Which,
    },
    /// Try waiting messages now; those that are to be sent later only if they are named by their ID
    Retry {
        #[command(flatten)]
        which: Which,
    },
    /// Take messages out of the queue; their senders are not told
    Cancel {
        #[command(flatten)]
        which: Which,
    },
}

/// Which messages are meant; all conditions have to hold.
#[derive(clap::Args)]
pub struct Which {
    /// A message, by the id that `queue list` prints
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// The same as ID
    #[arg(long = "id", value_name = "ID")]
    more_ids: Vec<String>,
    /// The recipients' domain
    #[arg(long)]
    domain: Option<Domain>,
    /// The sender, or all of a domain: @example.com
    #[arg(long)]
    sender: Option<String>,
    /// A recipient
    #[arg(long)]
    recipient: Option<Address>,
    /// The account that sent it
    #[arg(long)]
    account: Option<String>,
    /// Waiting for longer than this: 30m, 4h, 2d
    #[arg(long, visible_alias = "older-than", value_name = "DURATION", value_parser = value::duration)]
    age: Option<Duration>,
    /// Only what is held
    #[arg(long)]
    held: bool,
    /// Everything
    #[arg(long)]
    all: bool,
}

impl Which {
    fn selector(self) -> Selector {
        let mut ids = self.ids;
        ids.extend(self.more_ids);
        Selector {
            ids,
            domain: self.domain,
            sender: self.sender,
            recipient: self.recipient,
            account: self.account,
            after: None,
            older_than: self.age.map(|d| d.as_secs()),
            held: self.held,
            all: self.all,
        }
    }

    fn selector_to_change(self) -> anyhow::Result<Selector> {
        let selector = self.selector();
        if selector.is_empty() {
            return Err(Ended::usage(
                "say which messages are meant: an ID, --domain, --sender, --age, --held, or --all",
            ));
        }
        Ok(selector)
    }
}

/// A row of the server's answer, as far as it is shown to people.
#[derive(Deserialize)]
pub struct Row {
    pub id: String,
    pub sender: String,
    pub domain: String,
    pub recipients: Vec<RowRecipient>,
    pub state: String,
    pub reason: Option<String>,
    pub next: Option<String>,
    pub attempts: u32,
    pub received: String,
    pub expires: String,
    pub size: u64,
    pub account: Option<String>,
    pub stream: String,
}

#[derive(Deserialize)]
pub struct RowRecipient {
    pub address: String,
    pub last: Option<String>,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let config = context.load_to_look()?;
    match args.command {
        Command::List { which, limit } => {
            let exit = list(&config, which.selector(), limit.get(), context)?;
            Ok(if args.called_mailq { Exit::Done } else { exit })
        }
        Command::Show { which } => show(&config, which.selector_to_change()?, context),
        Command::Hold { which, reason } => {
            change(&config, Request::HoldV1 { selector: which.selector_to_change()?, reason }, "held", context)
        }
        Command::Release { which } => {
            change(&config, Request::ReleaseV1 { selector: which.selector_to_change()? }, "released", context)
        }
        Command::Retry { which } => {
            change(&config, Request::RetryV1 { selector: which.selector_to_change()? }, "tried now", context)
        }
        Command::Cancel { which } => {
            let (selector, who) = (which.selector_to_change()?, super::who());
            change(&config, Request::CancelV1 { selector, who }, "cancelled", context)
        }
    }
}

fn list(config: &Config, selector: Selector, limit: usize, context: &Context) -> anyhow::Result<Exit> {
    let nothing = if selector.is_empty() || selector.all { "nothing waits" } else { "nothing that waits matches" };
    let answer = rows(config, selector, limit)?;
    let (rows, more) = read(&answer)?;
    if context.json {
        out::json(&answer);
    } else if rows.is_empty() {
        out::line(nothing);
    } else {
        out::print(&table(&rows, SystemClock.now()));
        if more {
            out::line(&format!("and more: --limit {}", limit.saturating_mul(10)));
        }
    }
    Ok(if rows.is_empty() { Exit::Problem } else { Exit::Done })
}

fn show(config: &Config, selector: Selector, context: &Context) -> anyhow::Result<Exit> {
    let answer = rows(config, selector, 1000)?;
    let (rows, _) = read(&answer)?;
    if context.json {
        out::json(&answer);
    } else if rows.is_empty() {
        out::line("nothing of that waits; `repute why` tells what became of it");
    } else {
        let now = SystemClock.now();
        out::print(&rows.iter().map(|row| page(row, now)).collect::<Vec<_>>().join("\n"));
    }
    Ok(if rows.is_empty() { Exit::Problem } else { Exit::Done })
}

/// From the running server, or from the spool where none runs.
fn rows(config: &Config, selector: Selector, limit: usize) -> anyhow::Result<serde_json::Value> {
    match client::connect(&config.state)? {
        Some(stream) => client::ask_over(stream, &Request::ListV1 { selector, limit }),
        None => super::stores::list(config, &selector, limit),
    }
}

fn read(answer: &serde_json::Value) -> anyhow::Result<(Vec<Row>, bool)> {
    let rows = Vec::<Row>::deserialize(&answer["rows"])?;
    Ok((rows, answer["more"].as_bool().unwrap_or(false)))
}

/// The command has done what it was asked, and cannot promise it.
const UNWRITTEN: &str = "the disk refuses to be written: this is so while the server runs and is written as soon as the \
                         disk takes it, but is lost if the server is killed before (`repute incidents`)";

const UNFINISHED: &str = "the disk refuses to be written and no more can be kept in memory: the rest was left as it was; \
                          make room and say it again";

fn change(config: &Config, request: Request, done: &str, context: &Context) -> anyhow::Result<Exit> {
    let answer = client::ask(&config.state, &request)?;
    let count = |key: &str| answer[key].as_u64().unwrap_or(0);
    let (now, later, still) = (count("now"), count("after_attempt"), super::circuit::still(&answer));
    match context.json {
        true => out::json(&answer),
        false if now + later == 0 && still.is_empty() => out::line("nothing matched"),
        false if later > 0 => out::line(&format!("{now} {done}, {later} more when the attempt under way has ended")),
        false => out::line(&format!("{now} {done}")),
    }
    if !context.json {
        still.iter().for_each(|line| out::line(line));
        for (key, text) in [("unwritten", UNWRITTEN), ("unfinished", UNFINISHED)] {
            if answer[key] == true {
                out::line(text);
            }
        }
    }
    Ok(if now + later == 0 { Exit::Problem } else { Exit::Done })
}

/// `in 3m` for an instant of the answer; as it stands where it is none.
pub fn when(text: &str, now: Timestamp) -> String {
    super::instant(text).map_or_else(|| text.to_owned(), |at| out::relative(at, now))
}

pub fn table(rows: &[Row], now: Timestamp) -> String {
    let cells = |row: &Row| {
        let to = match row.recipients.as_slice() {
            [one] => one.address.clone(),
            several => format!("{} at {}", several.len(), row.domain),
        };
        let why = row.reason.clone().or_else(|| row.recipients.iter().find_map(|r| r.last.clone()));
        let next = row.next.as_ref().map_or_else(String::new, |next| format!(" {}", when(next, now)));
        vec![
            row.id.clone(),
            when(&row.received, now),
            out::size(row.size),
            row.sender.clone(),
            to,
            format!("{}{next}", row.state),
            row.attempts.to_string(),
            out::plain(&why.unwrap_or_default()),
        ]
    };
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    out::table(&["ID", "RECEIVED", "SIZE", "FROM", "TO", "STATE", "TRIES", "LAST"], &cells)
}

fn page(row: &Row, now: Timestamp) -> String {
    let mut text = format!("{}  {}\n", out::tone(&row.id, Tone::Strong), row.domain);
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            text += &format!("  {name:9} {value}\n");
        }
    };
    field("from", &row.sender);
    field("account", row.account.as_deref().unwrap_or_default());
    field("stream", &row.stream);
    field("size", &out::size(row.size));
    field("received", &format!("{} ({})", row.received, when(&row.received, now)));
    field("state", &row.state);
    field("because", &out::plain(row.reason.as_deref().unwrap_or_default()));
    field("next", &row.next.as_ref().map_or_else(String::new, |n| format!("{n} ({})", when(n, now))));
    field("attempts", &row.attempts.to_string());
    field("expires", &format!("{} ({})", row.expires, when(&row.expires, now)));
    for recipient in &row.recipients {
        field("to", &recipient.address);
        field("  said", &out::plain(recipient.last.as_deref().unwrap_or_default()));
    }
    text
}
