//! `repute token add NAME`: a token for the HTTP API, and its hash as a block for the
//! configuration. The token itself is kept nowhere.

use std::path::Path;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use repute_web::TokenHash;

use crate::cli::{Context, Ended, Exit};
use crate::config::{Config, Files};
use crate::serve::user;
use crate::{out, tokens};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a token: prints it, and the block for the configuration
    Add(Add),
    /// Print the access key id and the secret that clients of Amazon SES sign with
    Ses {
        /// What the token is called
        name: String,
    },
}

#[derive(clap::Args)]
struct Add {
    /// What the token is called
    name: String,
    /// The account whose mail it hands in and asks about; without it the mail of all accounts, and no sending
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// What it may do; several with commas [default: send,read; without an account: read]
    #[arg(long, value_name = "ACTION", value_delimiter = ',')]
    allow: Vec<Allow>,
    /// Append the block to the configuration file
    #[arg(long)]
    write: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Allow {
    /// Hand in messages
    Send,
    /// Ask what became of messages, and how the server is
    Read,
    /// Hold, release, retry and cancel what waits
    Queue,
    /// Change the list of those who are to be left alone
    Suppress,
    /// Say which mail may leave, close circuits, handle webhooks; without an account
    Operate,
    /// Read the metrics; without an account
    Metrics,
}

impl Allow {
    fn as_str(self) -> &'static str {
        match self {
            Allow::Send => "send",
            Allow::Read => "read",
            Allow::Queue => "queue",
            Allow::Suppress => "suppress",
            Allow::Operate => "operate",
            Allow::Metrics => "metrics",
        }
    }
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let add = match args.command {
        Command::Add(add) => add,
        Command::Ses { name } => return ses(&name, context),
    };
    if !tokens::is_name(&add.name) {
        return Err(Ended::usage(format!("the name of a token is {}", tokens::NAME_CURE)));
    }
    let config = match (crate::config::locate(context.config.as_deref()), add.write || context.config.is_some()) {
        (Ok(_), _) | (Err(_), true) => Some(context.load(Files::Ignore)?),
        (Err(_), false) => None,
    };
    if let Some(config) = &config {
        check(&add, config)?;
    }
    let allow = allowed(&add)?;
    let token = tokens::generate()?;
    let block = block(&add, &allow, &token);
    match config.filter(|_| add.write) {
        Some(config) => write(&add, context, &config.file, &token, &block)?,
        None => print(&add, context, &token, &block)?,
    }
    Ok(Exit::Done)
}

/// The secret is made from the token's hash and the server's key.
fn ses(name: &str, context: &Context) -> anyhow::Result<Exit> {
    let config = context.load(Files::Ignore)?;
    let Some(token) = config.tokens.iter().find(|token| token.name == name) else {
        anyhow::bail!("there is no token `{name}`: repute token add {name} --account ACCOUNT --write");
    };
    if tokens::is_lost(&config.state) {
        anyhow::bail!(
            "tokens.key is missing in {}, and no secret that was ever printed is good without it: put the file back from a \
             back-up, or start the server, which makes a new one",
            config.state.display()
        );
    }
    let is_first = !tokens::is_made(&config.state);
    let key = tokens::key(&config.state)?;
    if is_first {
        // As the server does at its start, which finds the key there.
        user::prepare_state(&config, user::choose(&config)?.as_ref())?;
    }
    let secret = tokens::signing_secret(&key, &token.hash);
    match context.json {
        true => out::json(&serde_json::json!({ "access_key_id": name, "secret_access_key": secret })),
        false => out::print(&format!("AWS_ACCESS_KEY_ID={name}\nAWS_SECRET_ACCESS_KEY={secret}\n")),
    }
    Ok(Exit::Done)
}

fn check(add: &Add, config: &Config) -> anyhow::Result<()> {
    let file = config.file.display();
    if config.tokens.iter().any(|t| t.name == add.name) {
        anyhow::bail!("there is a token `{}` already: take its block out of {file} to make a new one", add.name);
    }
    if let Some(account) = add.account.as_ref().filter(|a| config.accounts.iter().all(|known| known.name != **a)) {
        let cure = format!("repute account add {account} --write");
        return Err(Ended::usage(format!("there is no account `{account}` in {file}: {cure}")));
    }
    Ok(())
}

fn allowed(add: &Add) -> anyhow::Result<Vec<Allow>> {
    match (add.allow.is_empty(), &add.account) {
        (true, Some(_)) => Ok(vec![Allow::Send, Allow::Read]),
        (true, None) => Ok(vec![Allow::Read]),
        (false, None) if add.allow.contains(&Allow::Send) => {
            Err(Ended::usage("a token that may send has an account to send as: --account NAME"))
        }
        (false, Some(_)) if add.allow.contains(&Allow::Operate) => {
            Err(Ended::usage("a token that may operate the server is of no account: leave --account out"))
        }
        (false, Some(_)) if add.allow.contains(&Allow::Metrics) => {
            Err(Ended::usage("a token that may read the metrics is of no account: leave --account out"))
        }
        (false, _) => Ok(add.allow.clone()),
    }
}

fn block(add: &Add, allow: &[Allow], token: &str) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let actions: Vec<String> = allow.iter().map(|a| quoted(a.as_str())).collect();
    let mut block = format!("[[token]]\nname = {}\nhash = \"{}\"\n", quoted(&add.name), TokenHash::of(token));
    if let Some(account) = &add.account {
        block += &format!("account = {}\n", quoted(account));
    }
    block + &format!("allow = [{}]\n", actions.join(", "))
}

/// The block goes into the file, and the token to standard output: that is what a script takes.
fn write(add: &Add, context: &Context, file: &Path, token: &str, block: &str) -> anyhow::Result<()> {
    let warning = super::warning_of_readers(file);
    let shown =
        if context.json { in_json(add, token, block, Some((file, warning.as_deref()))) } else { token.to_owned() };
    super::append_and_tell(file, block, || out::secret(&shown))?;
    if !context.json {
        let (name, file) = (&add.name, file.display());
        out::error(&format!(
            "{name} may be used after a reload: written to {file}. Its token was printed, this once\n"
        ));
        super::tell_warning(warning.as_deref());
    }
    Ok(())
}

/// The block is what a script takes, for its file.
fn print(add: &Add, context: &Context, token: &str, block: &str) -> anyhow::Result<()> {
    let shown = if context.json { in_json(add, token, block, None) } else { block.trim_end().to_owned() };
    if !context.json {
        out::error(&format!("token: {token}\n"));
    }
    out::secret(&shown).context("the token could not be printed")
}

fn in_json(add: &Add, token: &str, block: &str, written: Option<(&Path, Option<&str>)>) -> String {
    let warning = written.and_then(|(_, warning)| warning);
    let written = written.map(|(file, _)| file.display().to_string());
    out::pretty(
        &serde_json::json!({ "name": add.name, "token": token, "toml": block, "written": written, "warning": warning }),
    )
}
