//! `repute domain add|list|records|rotate`: keys to sign with, and what to publish in DNS.
//!
//! Promise: `add` may be run as often as one likes. A key that is there and good is never
//! touched, since receivers look for its record; only what is missing is made, and modes and
//! owners that are wrong are set right.

mod rotate;

use std::path::Path;

use anyhow::Context as _;
use clap::Subcommand;
use nix::unistd::User;
use repute_trust::dkim::SigningKey;
use repute_types::Domain;

use crate::cli::{Context, Exit};
use crate::config::{Config, Files};
use crate::keys::{self, Algorithm};
use crate::{out, private, state};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the keys of a domain, and print its records and its block for the configuration
    Add {
        name: Domain,
        /// Append the block to the configuration file
        #[arg(long)]
        write: bool,
    },
    /// List the domains that are set up, with their keys
    List,
    /// Print the DNS records to publish for a domain
    Records { name: Domain },
    /// Exchange the keys of a domain for new ones, without a message that does not verify
    Rotate(rotate::Args),
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let config = match &args.command {
        Command::Add { name, .. } => load(name, context)?,
        _ => context.load(Files::Ignore)?,
    };
    match args.command {
        Command::Add { name, write } => add(&config, &name, write, context),
        Command::List => list(&config, context),
        Command::Records { name } => records(&config, &name, context),
        Command::Rotate(args) => rotate::run(args, &config, context),
    }
}

/// Without the domain, also where the file names it already and is only right when it is there.
fn load(name: &Domain, context: &Context) -> anyhow::Result<Config> {
    let (mut config, added) = super::load_with(context, |_| Ok(block(name)))?;
    config.domains.retain(|domain| !added || domain.name != *name);
    Ok(config)
}

fn block(name: &Domain) -> String {
    format!("[[domain]]\nname = \"{name}\"\n")
}

/// The keys of a domain made where they are missing, modes and owners set right; the selectors
/// of what was made.
pub fn prepare(config: &Config, name: &Domain) -> anyhow::Result<Vec<String>> {
    let folder = keys::folder(&config.state, name);
    let made = make_missing(&folder)?;
    set_right(config, &folder)?;
    Ok(made)
}

fn add(config: &Config, name: &Domain, write: bool, context: &Context) -> anyhow::Result<Exit> {
    let folder = keys::folder(&config.state, name);
    let made = prepare(config, name)?;
    let stored = keys::read_all(&folder)?;
    let in_config = config.domains.iter().any(|d| d.name == *name);
    let block = block(name);
    if write && !in_config {
        super::append_to_config(&config.file, &block)?;
    }
    if context.json {
        out::json(&serde_json::json!({
            "domain": name,
            "made": made,
            "records": records_json(&stored, name),
            "toml": (!in_config).then_some(&block),
            "written": write && !in_config,
        }));
        return Ok(Exit::Done);
    }
    let what =
        if made.is_empty() { "has its keys already".to_owned() } else { format!("has new keys: {}", made.join(", ")) };
    out::line(&format!("{name} {what}, in {}", folder.display()));
    out::line("\nPublish in DNS:\n");
    out::print(&records_text(&stored, name));
    if !in_config && write {
        out::line(&format!("\nWritten to {}.", config.file.display()));
    } else if !in_config {
        out::print(&format!("\nAdd to {}:\n\n{block}", config.file.display()));
    }
    Ok(Exit::Done)
}

/// A key of each algorithm, where none is there; the selectors that were made.
fn make_missing(folder: &Path) -> anyhow::Result<Vec<String>> {
    private::make_folder(folder)?;
    let there = keys::read_all(folder)?;
    let mut made = Vec::new();
    for algorithm in [Algorithm::Rsa, Algorithm::Ed25519] {
        if there.iter().any(|k| k.algorithm() == algorithm) {
            continue;
        }
        let selector = keys::free_selector(folder, algorithm);
        keys::make(folder, algorithm, &selector)?;
        made.push(selector);
    }
    Ok(made)
}

/// Folders 0700, keys 0600, all of it the service's.
fn set_right(config: &Config, folder: &Path) -> anyhow::Result<()> {
    let keys = state::keys(&config.state);
    private::set_mode(&keys, 0o700)?;
    private::set_mode(folder, 0o700)?;
    for selector in keys::selectors(folder)? {
        private::set_mode(&keys::path(folder, &selector), 0o600)?;
    }
    let Some(user) = service_user(config)? else { return Ok(()) };
    private::give(&keys, &user)?;
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(&config.state, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
    }
    Ok(())
}

/// The user that the server becomes, where it becomes one.
pub fn service_user(config: &Config) -> anyhow::Result<Option<User>> {
    let name = config.user.as_deref().unwrap_or("repute");
    let user = User::from_name(name).context("the machine's users cannot be read")?;
    if user.is_none() && config.user.is_some() {
        anyhow::bail!("this machine has no user `{name}`: useradd --system {name}");
    }
    Ok(user)
}

fn list(config: &Config, context: &Context) -> anyhow::Result<Exit> {
    let mut rows = Vec::new();
    let mut json = Vec::new();
    for domain in &config.domains {
        let stored = keys::read_all(&keys::folder(&config.state, &domain.name)).unwrap_or_default();
        let names: Vec<String> =
            stored.iter().map(|k| format!("{} ({})", k.selector(), k.algorithm().key_type())).collect();
        let keys = match (names.is_empty(), domain.danger_unsigned) {
            (_, true) => "unsigned".to_owned(),
            (true, _) => format!("none: repute domain add {}", domain.name),
            _ => names.join(", "),
        };
        rows.push(vec![domain.name.to_string(), keys]);
        json.push(serde_json::json!({
            "domain": domain.name,
            "selectors": stored.iter().map(SigningKey::selector).collect::<Vec<_>>(),
            "danger_unsigned": domain.danger_unsigned,
        }));
    }
    match context.json {
        true => out::json(&json.into()),
        false if rows.is_empty() => out::line("no domain is set up: repute domain add example.com"),
        false => out::print(&out::table(&["DOMAIN", "KEYS"], &rows)),
    }
    Ok(if config.domains.is_empty() { Exit::Problem } else { Exit::Done })
}

fn records(config: &Config, name: &Domain, context: &Context) -> anyhow::Result<Exit> {
    let stored = keys::read_all(&keys::folder(&config.state, name))?;
    if stored.is_empty() {
        anyhow::bail!("{name} has no keys: repute domain add {name}");
    }
    match context.json {
        true => out::json(&records_json(&stored, name)),
        false => out::print(&records_text(&stored, name)),
    }
    Ok(Exit::Done)
}

fn records_json(stored: &[SigningKey], domain: &Domain) -> serde_json::Value {
    let one =
        |key: &SigningKey| serde_json::json!({ "name": key.record_name(domain), "type": "TXT", "value": key.record() });
    stored.iter().map(one).collect()
}

/// Zone file form: a TXT record is a row of strings of at most 255 octets (RFC 1035 §3.3),
/// which DNS hosts that ask for one value join by themselves.
fn records_text(stored: &[SigningKey], domain: &Domain) -> String {
    let mut text = String::new();
    for key in stored {
        let record = key.record();
        let strings: Vec<String> =
            record.as_bytes().chunks(250).map(|c| format!("\"{}\"", String::from_utf8_lossy(c))).collect();
        text += &format!("{}. IN TXT {}\n", key.record_name(domain), strings.join(" "));
    }
    text
}
