//! `repute account add NAME`: a password's hash and SCRAM secret, as a block for the
//! configuration. The password itself is kept nowhere.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use clap::Subcommand;
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use repute_types::Domain;

use crate::accounts::{self, Scram};
use crate::cli::{Context, Ended, Exit};
use crate::config::Config;
use crate::out;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make an account: asks for a password, prints the block for the configuration
    Add(Add),
}

#[derive(clap::Args)]
struct Add {
    /// The name to log in with
    name: String,
    /// A domain that the account may send as; may be given several times
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<Domain>,
    /// The account sends bulk mail, which goes after transactional mail
    #[arg(long)]
    bulk: bool,
    /// Make up a password and print it
    #[arg(long)]
    generate: bool,
    /// Append the block to the configuration file
    #[arg(long)]
    write: bool,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let Command::Add(add) = args.command;
    if add.name.is_empty() || add.name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Ended::usage("the name of an account has no blanks"));
    }
    let config = match (crate::config::locate(context.config.as_deref()), add.write || context.config.is_some()) {
        (Ok(_), _) | (Err(_), true) => Some(load(&add, context)?),
        (Err(_), false) => None,
    };
    if let Some(config) = &config
        && config.accounts.iter().any(|a| a.name == add.name)
    {
        let file = config.file.display();
        anyhow::bail!("there is an account `{}` already: take its block out of {file} to make a new one", add.name);
    }
    let domains = domains(&add, config.as_ref())?;
    let password = password(&add)?;
    let block = block(&add, &domains, &password)?;
    match config.filter(|_| add.write) {
        Some(config) => write(&add, context, &config.file, &password, &block)?,
        None => print(&add, context, &password, &block)?,
    }
    Ok(Exit::Done)
}

/// Without the account, also where the file names it already and is only right when it is there.
fn load(add: &Add, context: &Context) -> anyhow::Result<Config> {
    let (mut config, added) = super::load_with(context, |known| {
        let domains = if add.domains.is_empty() { known } else { &add.domains };
        block(add, domains, &accounts::generate()?)
    })?;
    config.accounts.retain(|account| !added || account.name != add.name);
    Ok(config)
}

/// Those named; else the one that is set up.
fn domains(add: &Add, config: Option<&Config>) -> anyhow::Result<Vec<Domain>> {
    if !add.domains.is_empty() {
        // A block that is only printed may be meant for another machine.
        let config = config.filter(|_| add.write);
        let is_set_up = |d: &&Domain| config.is_none_or(|c| c.domains.iter().any(|known| known.name == **d));
        return match add.domains.iter().find(|d| !is_set_up(d)) {
            Some(missing) => {
                Err(Ended::usage(format!("{missing} is not set up: run `repute domain add {missing} --write` first")))
            }
            None => Ok(add.domains.clone()),
        };
    }
    match config.map(|c| c.domains.as_slice()) {
        Some([one]) => Ok(vec![one.name.clone()]),
        _ => Err(Ended::usage("say which domain the account may send as: --domain example.com")),
    }
}

fn password(add: &Add) -> anyhow::Result<String> {
    if add.generate {
        return accounts::generate();
    }
    let password = if std::io::stdin().is_terminal() { ask(&add.name)? } else { read_line()? };
    if password.is_empty() {
        return Err(Ended::usage("the password is empty; --generate makes one up"));
    }
    Ok(password)
}

/// Asks twice, without echo.
fn ask(name: &str) -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    let before = tcgetattr(&stdin).context("the terminal cannot be asked")?;
    let mut silent = before.clone();
    silent.local_flags.remove(LocalFlags::ECHO);
    let mut asked = Vec::new();
    for prompt in [format!("Password for {name}: "), "Once more: ".to_owned()] {
        out::error(&prompt);
        let _ = std::io::stderr().flush();
        tcsetattr(&stdin, SetArg::TCSAFLUSH, &silent).context("the terminal cannot be silenced")?;
        let line = read_line();
        tcsetattr(&stdin, SetArg::TCSAFLUSH, &before).context("the terminal cannot be set back")?;
        out::error("\n");
        asked.push(line?);
    }
    if asked[0] != asked[1] {
        return Err(Ended::usage("the two passwords differ"));
    }
    Ok(asked.swap_remove(0))
}

fn read_line() -> anyhow::Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("no password could be read")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn block(add: &Add, domains: &[Domain], password: &str) -> anyhow::Result<String> {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let hash = accounts::hash(password, &accounts::salt()?)?;
    let scram = Scram::make(password, &accounts::salt()?);
    let names: Vec<String> = domains.iter().map(|d| quoted(d.as_str())).collect();
    let mut block = format!(
        "[[account]]\nname = {}\npassword = {}\nscram = {}\ndomains = [{}]\n",
        quoted(&add.name),
        quoted(&hash),
        quoted(&scram.to_string()),
        names.join(", ")
    );
    if add.bulk {
        block += "stream = \"bulk\"\n";
    }
    Ok(block)
}

/// The block goes into the file, and a password that was made up to standard output: that is what a script takes.
fn write(add: &Add, context: &Context, file: &Path, password: &str, block: &str) -> anyhow::Result<()> {
    let warning = super::warning_of_readers(file);
    let shown = match context.json {
        true => Some(in_json(add, password, block, Some((file, warning.as_deref())))),
        false => add.generate.then(|| password.to_owned()),
    };
    super::append_and_tell(file, block, || shown.as_deref().map_or(Ok(()), out::secret))?;
    if !context.json {
        let said = format!("{} may log in after a reload: written to {}", add.name, file.display());
        match add.generate {
            true => out::error(&format!("{said}. Its password was printed, this once\n")),
            false => out::line(&said),
        }
        super::tell_warning(warning.as_deref());
    }
    Ok(())
}

/// The block is what a script takes, for its file.
fn print(add: &Add, context: &Context, password: &str, block: &str) -> anyhow::Result<()> {
    let shown = match context.json {
        true => in_json(add, password, block, None),
        false => block.trim_end().to_owned(),
    };
    if add.generate && !context.json {
        out::error(&format!("password: {password}\n"));
    }
    out::secret(&shown).context("the account could not be printed")
}

fn in_json(add: &Add, password: &str, block: &str, written: Option<(&Path, Option<&str>)>) -> String {
    let warning = written.and_then(|(_, warning)| warning);
    let (password, written) = (add.generate.then_some(password), written.map(|(file, _)| file.display().to_string()));
    out::pretty(
        &serde_json::json!({ "account": add.name, "toml": block, "written": written, "warning": warning, "password": password }),
    )
}
