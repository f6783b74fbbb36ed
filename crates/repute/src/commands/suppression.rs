//! `repute suppression`: who is not written to, why, and a person's word on it, through the running
//! server. `list`, `show` and `export` read the list themselves where no server runs.

pub(crate) mod file;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use repute_engine::control::suppression::{Suppressed, SuppressionList};
use repute_ledger::suppression::{Entry, NoSuchWhy, Query, Scope, Selection, Why};
use repute_types::{Address, Clock as _, Domain, SystemClock, Timestamp};
use serde::Deserialize as _;

use crate::cli::{Context, Ended, Exit};
use crate::config::{Config, value};
use crate::control::client;
use crate::control::wire::Request;
use crate::out::{self, Tone};

/// Entries in one request, well below the longest one.
const BATCH: usize = 250;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List who is not written to
    List {
        #[command(flatten)]
        which: Which,
        /// At most this many
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Show an address with cause, evidence and dates
    Show { address: Address },
    /// Write to an address no more
    Add {
        #[arg(required = true, value_name = "ADDRESS")]
        addresses: Vec<Address>,
        #[command(flatten)]
        given: Given,
    },
    /// Write to addresses again
    Release {
        #[command(flatten)]
        which: Which,
        /// Everything
        #[arg(long)]
        all: bool,
    },
    /// Add the addresses of a file: CSV with a head, a JSON object a line, or an address a line
    Import {
        /// The file; `-` is the standard input
        file: PathBuf,
        #[command(flatten)]
        given: Given,
    },
    /// Write the list to the standard output
    Export {
        #[command(flatten)]
        which: Which,
        /// The form [default: csv; with --json, json]
        #[arg(long, value_enum)]
        format: Option<Form>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    Csv,
    /// A JSON object a line
    Json,
}

/// Which entries are meant; all conditions have to hold.
#[derive(clap::Args)]
struct Which {
    /// An address
    address: Option<Address>,
    /// The domain of the address
    #[arg(long)]
    domain: Option<Domain>,
    /// Entries of this account and its lists
    #[arg(long)]
    account: Option<String>,
    /// Entries of this list of the account
    #[arg(long, requires = "account")]
    list: Option<String>,
    #[arg(long, value_parser = why)]
    why: Option<Why>,
    /// Since this long at most: 30m, 4h, 2d
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    since: Option<Duration>,
}

impl Which {
    fn selection(self) -> Selection {
        let scope = match (&self.account, &self.list) {
            (Some(account), Some(list)) => Some(Scope::of(Some(account), Some(list))),
            _ => None,
        };
        Selection {
            address: self.address,
            domain: self.domain,
            account: self.account,
            scope,
            why: self.why,
            since: self.since.map(|age| SystemClock.now() - age),
        }
    }
}

/// What is said of addresses that are added, where a file does not say it.
#[derive(clap::Args)]
struct Given {
    /// For mail of this account alone
    #[arg(long, value_parser = name)]
    account: Option<String>,
    /// For mail by this list of the account alone
    #[arg(long, requires = "account", value_parser = name)]
    list: Option<String>,
    #[arg(long, value_parser = why, default_value = "manual")]
    why: Why,
    /// A sentence for people
    #[arg(long, value_parser = sentence, default_value = "")]
    reason: String,
    /// For this long [default: for good]
    #[arg(long = "for", value_name = "DURATION", value_parser = value::duration)]
    lasts: Option<Duration>,
}

impl Given {
    fn entry(&self, address: Address, now: Timestamp) -> Entry {
        Entry {
            reason: self.reason.clone(),
            expires: self.lasts.map(|time| now + time),
            ..Entry::new(address, Scope::of(self.account.as_deref(), self.list.as_deref()), self.why, now)
        }
    }
}

/// An empty name would be taken for everybody's mail, and one with a line end could not be imported again.
fn name(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it is empty: write the name, or leave the option out".to_owned()),
        text if text.contains(char::is_control) => Err("it has control characters in it".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// Of several lines it could look like rows of an exported list, and no other way to give one takes them.
fn sentence(text: &str) -> Result<String, String> {
    match text.contains(char::is_control) {
        true => Err("it has line ends or other control characters in it: write it in one line".to_owned()),
        false => Ok(text.to_owned()),
    }
}

fn why(text: &str) -> Result<Why, String> {
    text.parse().map_err(|error: NoSuchWhy| error.to_string())
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let config = context.load_to_look()?;
    match args.command {
        Command::List { which, limit } => list(&config, which.selection(), limit, context),
        Command::Show { address } => show(&config, address, context),
        Command::Add { addresses, given } => {
            let now = SystemClock.now();
            let entries = addresses.into_iter().map(|address| given.entry(address, now)).collect();
            told(add(&config, entries)?, context)
        }
        Command::Release { which, all } => release(&config, which.selection(), all, context),
        Command::Import { file, given } => {
            let now = SystemClock.now();
            // The whole file is read first: one with a fault changes nothing.
            let entries = file::read(&file, |address| given.entry(address, now))?;
            told(add(&config, entries)?, context)
        }
        Command::Export { which, format } => {
            let usual = if context.json { Form::Json } else { Form::Csv };
            export(&config, which.selection(), format.unwrap_or(usual))
        }
    }
}

/// A page from the running server, or from the file where none runs.
fn page(config: &Config, query: Query) -> anyhow::Result<SuppressionList> {
    let answer = match client::connect(&config.state)? {
        Some(stream) => client::ask_over(stream, &Request::SuppressionListV1 { query: Box::new(query) })?,
        None => super::stores::suppressions(config, query)?,
    };
    Ok(SuppressionList::deserialize(answer)?)
}

/// All pages, one after the other; `take` says whether to go on.
fn pages(
    config: &Config,
    selection: Selection,
    limit: usize,
    mut take: impl FnMut(Vec<Entry>) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let mut left = limit;
    let mut query = Query { selection, ..Query::default() };
    loop {
        query.limit = left.min(1000);
        let SuppressionList { entries, more } = page(config, query.clone())?;
        left -= entries.len().min(left);
        query.after = entries.last().cloned();
        take(entries)?;
        if !more || left == 0 {
            return Ok(more);
        }
    }
}

fn list(config: &Config, selection: Selection, limit: usize, context: &Context) -> anyhow::Result<Exit> {
    let mut entries = Vec::new();
    let more = pages(config, selection, limit, |page| {
        entries.extend(page);
        Ok(())
    })?;
    if context.json {
        out::json(&serde_json::json!({ "entries": entries, "more": more }));
    } else if entries.is_empty() {
        out::line("nobody is suppressed");
    } else {
        out::print(&table(&entries, SystemClock.now()));
        if more {
            out::line(&format!("and more: --limit {}", limit.saturating_mul(10)));
        }
    }
    Ok(if entries.is_empty() { Exit::Problem } else { Exit::Done })
}

fn table(entries: &[Entry], now: Timestamp) -> String {
    let cells = |entry: &Entry| {
        vec![
            entry.address.to_string(),
            entry.scope.to_string(),
            entry.why.to_string(),
            out::relative(entry.at, now),
            entry.expires.map_or_else(String::new, |at| out::relative(at, now)),
            out::plain(entry.reply.as_deref().unwrap_or(&entry.reason)),
        ]
    };
    let cells: Vec<_> = entries.iter().map(cells).collect();
    out::table(&["ADDRESS", "FOR", "WHY", "SINCE", "UNTIL", "EVIDENCE"], &cells)
}

fn show(config: &Config, address: Address, context: &Context) -> anyhow::Result<Exit> {
    let selection = Selection { address: Some(address.clone()), ..Selection::default() };
    let SuppressionList { entries, .. } = page(config, Query { selection, limit: 1000, ..Query::default() })?;
    if context.json {
        out::json(&serde_json::json!({ "address": address, "entries": entries }));
    } else if entries.is_empty() {
        out::line(&format!("{address} is not suppressed"));
    } else {
        let now = SystemClock.now();
        out::print(&entries.iter().map(|entry| lines(entry, now)).collect::<Vec<_>>().join("\n"));
    }
    Ok(if entries.is_empty() { Exit::Problem } else { Exit::Done })
}

fn lines(entry: &Entry, now: Timestamp) -> String {
    let mut text = format!("{}  {}\n", out::tone(&entry.address.to_string(), Tone::Strong), entry.scope);
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            text += &format!("  {name:8} {}\n", out::plain(value));
        }
    };
    field("why", &format!("{}: {}", entry.why, entry.why.sentence()));
    field("reason", &entry.reason);
    field("evidence", entry.reply.as_deref().unwrap_or_default());
    field("message", &entry.message.map(|id| format!("{id} (repute why {id})")).unwrap_or_default());
    field("since", &format!("{} ({})", entry.at, out::relative(entry.at, now)));
    let until = entry.expires.map(|at| format!("{at} ({})", out::relative(at, now)));
    field("until", &until.unwrap_or_else(|| "released".to_owned()));
    text
}

fn add(config: &Config, entries: Vec<Entry>) -> anyhow::Result<Suppressed> {
    let mut total = Suppressed::default();
    for some in entries.chunks(BATCH) {
        let answer = client::ask(&config.state, &Request::SuppressV1 { entries: some.to_vec() })?;
        let Suppressed { added, known } = Suppressed::deserialize(answer)?;
        total.added += added;
        total.known += known;
    }
    Ok(total)
}

fn told(done: Suppressed, context: &Context) -> anyhow::Result<Exit> {
    match context.json {
        true => out::json(&serde_json::to_value(done)?),
        false if done.known > 0 => out::line(&format!("{} added, {} were there already", done.added, done.known)),
        false => out::line(&format!("{} added", done.added)),
    }
    Ok(if done == Suppressed::default() { Exit::Problem } else { Exit::Done })
}

fn release(config: &Config, selection: Selection, all: bool, context: &Context) -> anyhow::Result<Exit> {
    if selection == Selection::default() && !all {
        return Err(Ended::usage("say who is meant: an ADDRESS, --domain, --account, --why, --since, or --all"));
    }
    let answer = client::ask(&config.state, &Request::ReleaseSuppressedV1 { selection: Box::new(selection), all })?;
    let released = answer["entries"].as_u64().unwrap_or(0);
    match context.json {
        true => out::json(&answer),
        false if released == 0 => out::line("nothing matched"),
        false => out::line(&format!("{released} released")),
    }
    Ok(if released == 0 { Exit::Problem } else { Exit::Done })
}

fn export(config: &Config, selection: Selection, format: Form) -> anyhow::Result<Exit> {
    if format == Form::Csv {
        out::print(&file::head()?);
    }
    pages(config, selection, usize::MAX, |entries| {
        out::print(&match format {
            Form::Csv => file::rows(&entries)?,
            Form::Json => file::lines(&entries)?,
        });
        Ok(())
    })?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_on_the_command_line_is_one_line() {
        assert_eq!(sentence("asked by phone, wants nothing"), Ok("asked by phone, wants nothing".to_owned()));
        for several in ["asked\nann@example.net,all,,,manual,,,,2026-11-24T01:02:03Z,", "asked\r\n", "asked\0"] {
            assert!(sentence(several).unwrap_err().ends_with("write it in one line"), "{several:?}");
        }
    }
}
