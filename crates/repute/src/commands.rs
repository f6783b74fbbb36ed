//! The subcommands, one file each.

pub mod account;
pub mod bulk;
pub mod check;
pub mod circuit;
pub mod config;
pub mod demo;
pub mod domain;
pub mod events;
pub mod explain;
pub mod incidents;
pub mod man;
pub mod message;
pub mod mirror;
pub mod permit;
pub mod queue;
pub mod records;
pub mod reports;
pub mod send;
pub mod sendmail;
pub mod serve;
pub mod setup;
pub mod status;
mod stores;
pub mod suppression;
pub mod tls;
pub mod token;
pub mod trust;
pub mod webhook;
pub mod why;

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use repute_engine::permit::operator::HOLDS;
use repute_types::Domain;

use crate::cli::Context;
use crate::config::{self as configuration, Config, Files, value};
use crate::out;
use crate::private::Beside;

/// For how long what an operator says holds, with the bounds that the server has for it.
fn word_holds(text: &str) -> Result<Duration, &'static str> {
    match value::duration(text)? {
        time if HOLDS.contains(&time.as_secs()) => Ok(time),
        _ => Err("it holds for one second to 30 days: write \"2h\", or \"30d\" at most"),
    }
}

/// Appends a block to the configuration file, if the file is still good with it. The file is
/// replaced as a whole and keeps its owner and mode.
fn append_to_config(file: &Path, block: &str) -> anyhow::Result<()> {
    append_and_tell(file, block, || Ok(()))
}

/// The same for a block with the hash of a secret, which is told when all but the last step is done: a secret that nobody
/// could be told stands in no file.
fn append_and_tell(file: &Path, block: &str, tell: impl FnOnce() -> std::io::Result<()>) -> anyhow::Result<()> {
    // Through a link to the file itself: the link stays.
    let real = std::fs::canonicalize(file).with_context(|| format!("{}", file.display()))?;
    // Of two that add something at the same time the second begins with what the first has written. The folder is locked, for the
    // file is another one then; a file system without locks does without.
    let folder = std::fs::File::open(real.parent().unwrap_or(Path::new("/")))?;
    let _ = folder.lock();
    let old = crate::config::read(file)?;
    let gap = if old.is_empty() || old.ends_with("\n\n") {
        ""
    } else if old.ends_with('\n') {
        "\n"
    } else {
        "\n\n"
    };
    let new = format!("{old}{gap}{block}");
    crate::config::parse(file, &new, Files::Ignore)?;
    let new = Beside::of(&real, new.as_bytes())?.like(&std::fs::metadata(&real)?)?;
    tell().with_context(|| format!("the secret could not be printed, so nothing is written to {}", file.display()))?;
    new.put()
}

/// Says that a file is given the hash of a secret, and everybody on this machine can read it.
fn warning_of_readers(file: &Path) -> Option<String> {
    let open = configuration::files::secret_mode(file, 0..0).err()?;
    Some(format!("{}, and it holds the hashes of secrets: {}", open.what, open.cure))
}

/// For people, on standard error.
fn tell_warning(warning: Option<&str>) {
    if let Some(warning) = warning {
        out::error(&format!("WARNING: {warning}\n"));
    }
}

/// The configuration; where something is wrong with it that `block` at its end puts right, the configuration with
/// that, and true. The block is made from the names of the domains that the file has.
fn load_with(
    context: &Context,
    block: impl FnOnce(&[Domain]) -> anyhow::Result<String>,
) -> anyhow::Result<(Config, bool)> {
    let file = configuration::locate(context.config.as_deref())?;
    let old = configuration::read(&file)?;
    let faults = match configuration::parse(&file, &old, Files::Ignore) {
        Ok(config) => return Ok((config, false)),
        Err(faults) => faults,
    };
    let new = format!("{old}\n{}", block(&configuration::domains_of(&old))?);
    // A fault that stays is told with those of the file as it is: their lines are the file's.
    match configuration::parse(&file, &new, Files::Ignore) {
        Ok(config) => Ok((config, true)),
        Err(_) => Err(faults.into()),
    }
}

/// An instant as answers carry it (RFC 3339).
fn instant(text: &str) -> Option<repute_types::Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(repute_types::Timestamp(at.as_millisecond()))
}

/// Who says it: the user that came here by `sudo`, else the user.
pub(crate) fn who() -> String {
    let sudo = std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty());
    let own = || nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map(|user| user.name);
    sudo.or_else(own).unwrap_or_else(|| format!("user {}", nix::unistd::getuid()))
}
