//! The configuration: written where there is none, and added to where something is missing.
//!
//! Promise: what stands there is never changed; a second run with the same answers writes nothing.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use nix::unistd::User;

use super::Args;
use super::answers::Answers;
use crate::config::{self, Config, Files};
use crate::private;

/// Where the configuration is, or is to be.
pub fn place(named: Option<&Path>) -> PathBuf {
    if let Some(path) = named {
        return path.to_owned();
    }
    config::locate(None).unwrap_or_else(|_| match nix::unistd::geteuid().is_root() {
        true => PathBuf::from("/etc/repute/repute.toml"),
        false => PathBuf::from("repute.toml"),
    })
}

/// The configuration that is there.
pub fn read(file: &Path) -> anyhow::Result<Option<Config>> {
    match file.exists() {
        true => Ok(Some(config::load(file, Files::Ignore)?)),
        false => Ok(None),
    }
}

/// What was written, for people; empty where all of it was there.
pub fn write(file: &Path, old: Option<&Config>, answers: &Answers, args: &Args) -> anyhow::Result<Vec<String>> {
    let mut blocks = String::new();
    let mut told = Vec::new();
    let there: Vec<IpAddr> = old.iter().flat_map(|c| &c.egresses).flat_map(|e| e.addresses()).collect();
    let new: Vec<IpAddr> = answers.addresses.iter().copied().filter(|a| !there.contains(a)).collect();
    for egress in egresses(&new) {
        let list: Vec<String> = egress.iter().map(|a| format!("\"{a}\"")).collect();
        let value = if let [one] = &list[..] { one.clone() } else { format!("[{}]", list.join(", ")) };
        let _ = write!(blocks, "\n[[egress]]\naddress = {value}\n");
        told.push(format!("[[egress]] {}", egress.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")));
    }
    for domain in answers.domains.iter().filter(|d| old.is_none_or(|c| c.domains.iter().all(|there| there.name != **d)))
    {
        let _ = write!(blocks, "\n[[domain]]\nname = \"{domain}\"\n");
        if !args.no_return_path {
            let _ = writeln!(blocks, "return_path = \"bounces.{domain}\"");
        }
        told.push(format!("[[domain]] {domain}"));
    }
    match old {
        Some(_) if blocks.is_empty() => {}
        Some(_) => super::super::append_to_config(file, blocks.trim_start())?,
        None => {
            told.insert(0, format!("hostname {}", answers.hostname));
            create(file, &(head(file, answers, args) + &blocks))?;
        }
    }
    Ok(told)
}

/// An IPv4 and an IPv6 address share an egress; each further one has its own.
fn egresses(addresses: &[IpAddr]) -> Vec<Vec<IpAddr>> {
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = addresses.iter().partition(|a| a.is_ipv4());
    let pair = |n: usize| [v4.get(n), v6.get(n)].into_iter().flatten().copied().collect::<Vec<_>>();
    (0..v4.len().max(v6.len())).map(pair).collect()
}

fn head(file: &Path, answers: &Answers, args: &Args) -> String {
    let mut text = String::from("# Written by `repute setup`. Every other key has a default: repute config show\n\n");
    let _ = writeln!(text, "# What we say in EHLO; A, AAAA and PTR must agree with it.");
    let _ = writeln!(text, "hostname = \"{}\"", answers.hostname);
    if !file.starts_with("/etc") {
        // Beside the file: the usual folder is the system's.
        text += "state = \"state\"\n";
    }
    if !args.dns.resolver.is_empty() {
        let list: Vec<String> = args.dns.resolver.iter().map(|s| format!("\"{}\"", s.with_port(53))).collect();
        let _ = write!(text, "\n[resolver]\nservers = [{}]\n", list.join(", "));
    }
    text
}

/// A new file: the service may read it, nobody else.
fn create(file: &Path, text: &str) -> anyhow::Result<()> {
    config::parse(file, text, Files::Ignore)?;
    let folder = private::folder_of(file);
    let new_folder = !folder.exists();
    private::write(file, text.as_bytes())?;
    let Some(user) = User::from_name("repute").ok().flatten().filter(|_| nix::unistd::geteuid().is_root()) else {
        return Ok(());
    };
    let to_group = |path: &Path, mode: u32| -> anyhow::Result<()> {
        std::os::unix::fs::chown(path, None, Some(user.gid.as_raw())).with_context(|| path.display().to_string())?;
        private::set_mode(path, mode).map(|_| ())
    };
    if new_folder {
        to_group(folder, 0o750)?;
    }
    to_group(file, 0o640)
}
