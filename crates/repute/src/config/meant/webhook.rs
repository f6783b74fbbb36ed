//! Programs that are told what happens, and what is kept of events.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use repute_hooks::{Bounds, Secret, Target, Type, Types, Webhook};
use toml::Spanned;

use super::{Account, Checking, Files, files, typed};

/// Longer ones are no names.
const LONGEST_NAME: usize = 64;

/// What is kept of events, and where they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Events {
    /// `None`: the last ones in memory alone.
    pub kept: Option<Bounds>,
    pub file: Option<PathBuf>,
}

pub fn events(c: &Checking, typed: typed::Events, webhooks: &[Webhook]) -> Events {
    let usual = Bounds::default();
    let wanted = typed.keep.is_some() || !webhooks.is_empty();
    let age = typed.keep.map_or(usual.age, |keep| keep.0);
    let kept = wanted.then_some(Bounds { age, octets: typed.size.octets() });
    Events { kept, file: typed.file.map(|path| c.path(&path)) }
}

pub fn check(c: &mut Checking, typed: Vec<Spanned<typed::Webhook>>, accounts: &[Account]) -> Vec<Webhook> {
    let mut webhooks: Vec<Webhook> = Vec::new();
    let known: HashSet<&str> = accounts.iter().map(|account| account.name.as_str()).collect();
    let mut seen = HashSet::new();
    for one in typed {
        let header = one.span();
        let one = one.into_inner();
        name(c, &one.name, seen.insert(one.name.get_ref().clone()));
        account(c, one.account.as_ref(), &known);
        let secrets = secrets(c, header, &one);
        let Some(target) = target(c, &one) else { continue };
        let types = match one.events {
            None => Types::ALL,
            Some(names) => names.iter().filter_map(|name| name.parse::<Type>().ok()).collect(),
        };
        webhooks.push(Webhook {
            name: one.name.into_inner(),
            target,
            secrets,
            types,
            account: one.account.map(Spanned::into_inner),
            batch: one.batch,
            batch_wait: if one.batch == 1 { Duration::ZERO } else { one.batch_wait.0 },
            timeout: one.timeout.0,
            connections: one.connections,
            allow_private: one.allow_private,
        });
    }
    webhooks
}

fn name(c: &mut Checking, name: &Spanned<String>, is_new: bool) {
    let text = name.get_ref();
    if !is_new {
        c.fault(name.span(), format!("the webhook `{text}` stands here twice"), "rename one of the two");
    }
    if text.chars().any(|ch| ch.is_control() || ch.is_whitespace()) || text.len() > LONGEST_NAME {
        let cure = format!("no blanks, at most {LONGEST_NAME} octets: `repute webhook` calls it by its name");
        c.fault(name.span(), "this cannot be the name of a webhook", cure);
    }
}

fn account(c: &mut Checking, account: Option<&Spanned<String>>, known: &HashSet<&str>) {
    let Some(account) = account else { return };
    if !known.contains(account.get_ref().as_str()) {
        let cure = match c.nearest(account.get_ref(), known.iter().copied()) {
            Some(near) => format!("write \"{near}\""),
            None => "name an [[account]] of this file, or take the key out".to_owned(),
        };
        c.fault(account.span(), format!("there is no account `{}`", account.get_ref()), cure);
    }
}

fn target(c: &mut Checking, one: &typed::Webhook) -> Option<Target> {
    let target: Target = match one.url.get_ref().parse() {
        Ok(target) => target,
        Err(error) => {
            c.fault(one.url.span(), "this cannot be called", format!("{error}"));
            return None;
        }
    };
    if let Some((what, cure)) = target.inside(one.allow_private) {
        c.fault(one.url.span(), what, cure);
    } else if !target.tls && !one.allow_private {
        let cure = "write https://, or say `allow_private = true` for a receiver on this machine or beside it";
        c.fault(one.url.span(), "who is on the way could read what is told to this URL", cure);
    }
    Some(target)
}

fn secrets(c: &mut Checking, header: std::ops::Range<usize>, one: &typed::Webhook) -> Vec<Secret> {
    let cure = "repute webhook secret";
    if let Some(file) = &one.secret_file {
        if let Some(second) = one.secret.first() {
            c.fault(second.span(), "`secret` and `secret_file` contradict each other", "take one of the two out");
        }
        if c.files == Files::Ignore {
            return Vec::new();
        }
        let path = c.path(file.get_ref());
        let Some(text) = c.take(files::read_secret(&path, file.span())) else { return Vec::new() };
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let secrets: Vec<Secret> = lines.iter().filter_map(|line| line.parse().ok()).collect();
        if secrets.is_empty() || secrets.len() != lines.len() {
            let what = format!("{} does not hold secrets of webhooks, one a line", path.display());
            c.fault(file.span(), what, cure);
        }
        return secrets;
    }
    if one.secret.is_empty() {
        c.fault(header, "the receiver could not tell our requests from a stranger's: there is no `secret`", cure);
    } else if c.files == Files::Check {
        // The secret itself stands in the configuration, which is then a secret file.
        let config = c.config.clone();
        c.take(files::secret_mode(&config, one.secret[0].span()));
    }
    let mut secrets = Vec::new();
    for secret in &one.secret {
        match secret.get_ref().parse() {
            Ok(secret) => secrets.push(secret),
            Err(_) => c.fault(secret.span(), "this is not a secret of a webhook", cure),
        }
    }
    secrets
}
