//! The `sendmail` command as cron, PHP, mutt and a thousand scripts know it; also
//! `repute sendmail`.
//!
//! Promise: exit code 0 means that the message is on the server's disk. Everything else says
//! on standard error what is wrong: 75 (EX_TEMPFAIL) where trying again later can help, among
//! others when the server does not run; the codes of sysexits.h where it cannot. Options that
//! other implementations ignore are ignored here.

mod complete;
mod deliver;
mod flags;
mod read;

use std::ffi::OsString;
use std::path::PathBuf;

use repute_types::{Address, Content};

use crate::cli::{self, Context, Exit};
use crate::config::Files;
use crate::out;

use self::flags::{Flags, Mode};

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// The options of sendmail: -t -i -f ADDRESS -F NAME -bs -bp -B -N -R -V -v, and recipients
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
    rest: Vec<OsString>,
}

/// The codes of sysexits.h that a mail program is expected to end with.
pub mod code {
    pub const USAGE: u8 = 64;
    pub const DATAERR: u8 = 65;
    pub const UNAVAILABLE: u8 = 69;
    pub const TEMPFAIL: u8 = 75;
    pub const NOPERM: u8 = 77;
}

/// Why nothing was sent.
#[derive(Debug)]
pub struct Failed {
    pub code: u8,
    pub text: String,
}

impl Failed {
    pub fn new(code: u8, text: impl Into<String>) -> Failed {
        Failed { code, text: text.into() }
    }
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    Ok(end(send(&args.rest, context), context))
}

/// Called by the name `sendmail`.
pub fn main(args: Vec<OsString>) -> Exit {
    let context = Context::default();
    end(send(&args, &context), &context)
}

fn end(result: Result<Done, Failed>, context: &Context) -> Exit {
    match result {
        Ok(Done::Sent) => Exit::Done,
        Ok(Done::QueueAsked) => {
            let config = context.config.iter().flat_map(|file| ["--config".into(), file.into()]);
            cli::mailq(config)
        }
        Err(failed) => {
            out::error(&format!("sendmail: {}\n", failed.text));
            Exit::Sysexit(failed.code)
        }
    }
}

/// For fuzzing: to whom a message would go that comes in this way, and the message.
pub fn dry(args: &[&str], input: &[u8]) -> Result<(Vec<Address>, Content), Failed> {
    let flags = Flags::parse(args)?;
    let message = read::message(input, flags.ignore_dots)?;
    let ready = deliver::prepare(&flags, &message, "www-data", "example.com")?;
    Ok((ready.recipients, ready.content))
}

enum Done {
    /// All that there was to send.
    Sent,
    QueueAsked,
}

fn send(args: &[OsString], context: &Context) -> Result<Done, Failed> {
    let args: Option<Vec<&str>> = args.iter().map(|a| a.to_str()).collect();
    let args = args.ok_or_else(|| Failed::new(code::USAGE, "an argument is not UTF-8"))?;
    let flags = Flags::parse(&args)?;
    if flags.mode == Mode::Queue {
        return Ok(Done::QueueAsked);
    }
    let state = state(context);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Failed::new(code::TEMPFAIL, format!("no runtime: {e}")))?;
    match flags.mode {
        Mode::Deliver => {
            // Read before the server is asked: a program that writes slowly holds nothing up.
            let message = read::message(std::io::stdin().lock(), flags.ignore_dots)?;
            runtime.block_on(deliver::deliver(&state, &flags, message))?;
        }
        Mode::Smtp => {
            let spoken = runtime.block_on(deliver::pipe(&state));
            // Reading standard input cannot be called off; the runtime must not wait for it.
            runtime.shutdown_background();
            spoken?;
        }
        Mode::Queue | Mode::Nothing => {}
    }
    Ok(Done::Sent)
}

/// Where the server's socket is. Programs run as any user, and may not read the configuration,
/// which holds secrets: then it is the usual place, or what `REPUTE_STATE` says.
fn state(context: &Context) -> PathBuf {
    if let Some(state) = std::env::var_os("REPUTE_STATE") {
        return PathBuf::from(state);
    }
    match context.load(Files::Ignore) {
        Ok(config) => config.state,
        Err(_) => PathBuf::from("/var/lib/repute"),
    }
}
