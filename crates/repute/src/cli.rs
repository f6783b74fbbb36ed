//! The command line: one subcommand, one file in `commands`.
//!
//! Exit codes, the same everywhere: 0 done; 1 a problem was found, or nothing matched; 2 the
//! command line or the configuration is wrong; 75 not now, try again (EX_TEMPFAIL).

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::commands::{
    account, bulk, check, circuit, config as config_command, demo, domain, events, explain, incidents, man, message,
    mirror, permit, queue, records, reports, send, sendmail, serve, setup, status, suppression, tls, token, trust,
    webhook, why,
};
use crate::config::{self, Config, Faults, Files};
use crate::out;

/// An outgoing mail server that recipients' spam filters trust.
#[derive(Parser)]
#[command(name = "repute", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    pub context: Context,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 a problem was found, or nothing matched; 2 the command line or the \
configuration is wrong; 75 not now, try again.";

/// What every subcommand is told.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Context {
    /// The configuration file [default: /etc/repute/repute.toml, else ./repute.toml]
    #[arg(long, short = 'c', global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Answer in JSON, for programs
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Set up from nothing: configuration, keys, DNS records
    Setup(setup::Args),
    /// Print the DNS records to publish, or how those that are there differ
    Records(records::Args),
    /// Check whether receivers will trust this server: DNS, black lists, SPF, keys
    Check(check::Args),
    /// Run the server
    Serve(serve::Args),
    /// Try everything on loopback: a playground with receivers, and 200 real messages
    Demo(demo::Args),
    /// Make accounts for applications
    Account(account::Args),
    /// Make tokens for the HTTP API
    Token(token::Args),
    /// Set up domains to send as: keys and DNS records
    Domain(domain::Args),
    /// List, hold, release, retry and cancel what waits
    Queue(queue::Args),
    /// Send one letter to a list, and look after campaigns
    Bulk(bulk::Args),
    /// Tell what became of a message, or of mail to an address
    Why(why::Args),
    /// List, add and release addresses that are not written to
    Suppression(suppression::Args),
    /// List, continue and cancel accounts and campaigns that were stopped
    Circuit(circuit::Args),
    /// Tell what a receiver's reply means, whose fault it is, and what to do
    Explain(explain::Args),
    /// Judge a message before it is sent
    Message(message::Args),
    /// What receivers report about mail in our name, and what a report or notice says
    Reports(reports::Args),
    /// Show how TLS with receivers went today, as their domains are told of it
    Tls(tls::Args),
    /// Show which mail may leave from where, and say so for a time
    Permit(permit::Args),
    /// List what is broken now, and what was
    Incidents(incidents::Args),
    /// Tell how trust changed over time
    Trust(trust::Args),
    /// Tell what becomes of messages, as it happens
    Events(events::Args),
    /// Look after the programs that are told by HTTP what happens
    Webhook(webhook::Args),
    /// Take messages as a receiver would, and say all that one sees of them
    Mirror(mirror::Args),
    /// Show what the server is doing
    Status(status::Args),
    /// Send one message and print the conversation
    Send(send::Args),
    /// Take a message as the `sendmail` command does, for cron, PHP and others
    Sendmail(sendmail::Args),
    /// Check or show the configuration
    Config(config_command::Args),
    /// Write manual pages, shell completions and the configuration reference
    Man(man::Args),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done,
    /// A problem was found, or nothing matched.
    Problem,
    /// The command line or the configuration is wrong.
    Usage,
    /// Not now, try again.
    Temporary,
    /// A code of sysexits.h, for `sendmail` alone.
    Sysexit(u8),
    /// What `check` found: 0 to 3, as its own page has them.
    Check(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Problem => 1,
            Exit::Usage => 2,
            Exit::Temporary => 75,
            Exit::Sysexit(code) | Exit::Check(code) => code,
        })
    }
}

/// An error that ends the program with another code than 1.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Ended {
    pub exit: Exit,
    pub message: String,
}

impl Ended {
    pub fn usage(message: impl Into<String>) -> anyhow::Error {
        Ended { exit: Exit::Usage, message: message.into() }.into()
    }

    pub fn temporary(message: impl Into<String>) -> anyhow::Error {
        Ended { exit: Exit::Temporary, message: message.into() }.into()
    }

    /// Where the error is one for now, what goes on then.
    pub fn going_on(error: anyhow::Error, how: impl FnOnce() -> String) -> anyhow::Error {
        match error.downcast_ref::<Ended>() {
            Some(ended) if ended.exit == Exit::Temporary => Ended::temporary(format!("{}. {}", ended.message, how())),
            _ => error,
        }
    }
}

impl Context {
    pub fn load(&self, files: Files) -> Result<Config, Faults> {
        config::load(&config::locate(self.config.as_deref())?, files)
    }

    /// For commands that look at the server or say something to it, and need nothing but where it is.
    pub fn load_to_look(&self) -> Result<Config, Faults> {
        config::load_to_look(&config::locate(self.config.as_deref())?)
    }
}

pub fn main(line: impl Iterator<Item = OsString>) -> Exit {
    match Cli::try_parse_from(line) {
        Ok(cli) => end(cli),
        Err(wrong) => report_line(&wrong),
    }
}

/// `repute queue list` under the name that other mail servers gave it, with the options behind that name.
pub fn mailq(options: impl Iterator<Item = OsString>) -> Exit {
    let words = ["repute", "queue", "list"].into_iter().map(Into::into).chain(options);
    match Cli::try_parse_from(words) {
        Ok(mut cli) => {
            if let Command::Queue(args) = &mut cli.command {
                args.called_mailq = true;
            }
            end(cli)
        }
        Err(wrong) => report_line(&wrong),
    }
}

fn end(cli: Cli) -> Exit {
    let context = cli.context;
    match run(cli.command, &context) {
        Ok(exit) => exit,
        Err(error) => report(&error, context.json),
    }
}

/// Says what is wrong with the command line, or what it asks for: help, or the version.
fn report_line(wrong: &clap::Error) -> Exit {
    // The line could not be read, but this word of it can.
    let json = std::env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json");
    if !json || !wrong.use_stderr() {
        wrong.exit()
    }
    out::json(&serde_json::json!({ "error": sentence(wrong) }));
    Exit::Usage
}

/// Without how it is used, which `--help` says.
fn sentence(wrong: &clap::Error) -> String {
    if wrong.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a command is missing: `--help` names them".to_owned();
    }
    let text = wrong.to_string();
    let lines = text.trim_start_matches("error: ").lines().map(str::trim);
    let said = lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"));
    said.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::Setup(args) => setup::run(args, context),
        Command::Records(args) => records::run(args, context),
        Command::Check(args) => check::run(args, context),
        Command::Serve(args) => serve::run(args, context),
        Command::Demo(args) => demo::run(args, context),
        Command::Account(args) => account::run(args, context),
        Command::Token(args) => token::run(args, context),
        Command::Domain(args) => domain::run(args, context),
        Command::Queue(args) => queue::run(args, context),
        Command::Bulk(args) => bulk::run(args, context),
        Command::Why(args) => why::run(args, context),
        Command::Suppression(args) => suppression::run(args, context),
        Command::Circuit(args) => circuit::run(args, context),
        Command::Explain(args) => explain::run(args, context),
        Command::Message(args) => message::run(args, context),
        Command::Reports(args) => reports::run(args, context),
        Command::Tls(args) => tls::run(args, context),
        Command::Permit(args) => permit::run(args, context),
        Command::Incidents(args) => incidents::run(args, context),
        Command::Trust(args) => trust::run(args, context),
        Command::Events(args) => events::run(args, context),
        Command::Webhook(args) => webhook::run(args, context),
        Command::Mirror(args) => mirror::run(args, context),
        Command::Status(args) => status::run(args, context),
        Command::Send(args) => send::run(args, context),
        Command::Sendmail(args) => sendmail::run(args, context),
        Command::Config(args) => config_command::run(args, context),
        Command::Man(args) => man::run(args, context),
    }
}

/// Says what went wrong, the whole chain once, and picks the exit code.
fn report(error: &anyhow::Error, json: bool) -> Exit {
    if let Some(faults) = error.downcast_ref::<Faults>() {
        match json {
            true => out::json(&faults.to_json()),
            false => out::error(&faults.to_string()),
        }
        return Exit::Usage;
    }
    let chain = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
    match json {
        true => out::json(&serde_json::json!({ "error": chain })),
        false => out::error(&format!("repute: {chain}\n")),
    }
    error.downcast_ref::<Ended>().map_or(Exit::Problem, |e| e.exit)
}
