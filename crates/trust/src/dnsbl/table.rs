//! All lists that are known, those that are dead, and the keys of the user.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::list::{List, Subject};

const SHIPPED: &str = include_str!("../../data/lists.toml");

static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::parse(SHIPPED).expect("a test reads the same file with the same code"));

/// Keys of the user's subscriptions by their names in the table: `spamhaus`, `abusix`.
pub type Keys = HashMap<String, String>;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    #[serde(default, rename = "list")]
    lists: Vec<List>,
    #[serde(default)]
    dead: Vec<Dead>,
}

/// A zone that must not be asked: it is gone, or lists the world.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dead {
    /// This zone and everything below it.
    pub zone: String,
    /// `2024-06-05`, `2013`.
    pub since: String,
    pub why: String,
}

impl Table {
    /// The lists that come with the server.
    pub fn shipped() -> &'static Table {
        &TABLE
    }

    /// Reads a table. An error names the list.
    pub fn parse(text: &str) -> Result<Table, String> {
        let table: Table = toml::from_str(text).map_err(|error| error.to_string())?;
        for list in &table.lists {
            list.verify().map_err(|why| format!("list {:?}: {why}", list.name))?;
            table.refuse_dead(list)?;
        }
        Ok(table)
    }

    /// This table with a user's own lists: one of the same name takes the place of ours, and a
    /// dead zone stays dead.
    pub fn with(&self, own: &Table) -> Result<Table, String> {
        let mut all = self.clone();
        all.dead.extend(own.dead.iter().cloned());
        for list in &own.lists {
            self.refuse_dead(list)?;
            match all.lists.iter_mut().find(|ours| ours.name.eq_ignore_ascii_case(&list.name)) {
                Some(ours) => *ours = list.clone(),
                None => all.lists.push(list.clone()),
            }
        }
        all.lists.retain(|list| list.zones().all(|zone| all.dead.iter().all(|dead| !is_within(zone, &dead.zone))));
        Ok(all)
    }

    pub fn lists(&self) -> &[List] {
        &self.lists
    }

    /// The lists that can hold such a thing, most important first.
    pub fn covering(&self, subject: Subject<'_>) -> Vec<&List> {
        let mut lists: Vec<&List> = self.lists.iter().filter(|list| list.covers(subject)).collect();
        lists.sort_by_key(|list| list.tier);
        lists
    }

    /// Where to ask a list; `None` if it answers only those with a key, and there is none.
    pub fn zone(list: &List, keys: &Keys) -> Option<String> {
        let key = list.key.as_ref().and_then(|name| keys.get(name));
        match (&list.keyed_zone, key) {
            (Some(zone), Some(key)) => Some(zone.replace("{key}", key)),
            _ => list.zone.clone(),
        }
    }

    /// Why a zone must not be asked.
    pub fn dead(&self, zone: &str) -> Option<&Dead> {
        let zone = zone.strip_suffix('.').unwrap_or(zone).to_ascii_lowercase();
        self.dead.iter().find(|dead| is_within(&zone, &dead.zone))
    }

    /// The list that a receiver means by a zone, a web site or a plain name in its reply.
    pub fn named(&self, name: &str) -> Option<&List> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let by_zone = self.lists.iter().find(|list| list.zones().any(|zone| is_within(&name, zone)));
        by_zone.or_else(|| self.lists.iter().find(|list| list.name.to_ascii_lowercase().starts_with(&name)))
    }

    fn refuse_dead(&self, list: &List) -> Result<(), String> {
        match list.zones().find_map(|zone| self.dead(zone)) {
            Some(dead) => {
                Err(format!("list {:?}: {} is dead since {}: {}", list.name, dead.zone, dead.since, dead.why))
            }
            None => Ok(()),
        }
    }
}

impl List {
    fn zones(&self) -> impl Iterator<Item = &str> {
        let keyed = self.keyed_zone.as_deref().map(|zone| zone.trim_start_matches("{key}."));
        self.zone.as_deref().into_iter().chain(keyed)
    }

    fn verify(&self) -> Result<(), String> {
        let holds_addresses = self.holds == super::list::Holds::Addresses;
        if self.zone.is_none() && self.keyed_zone.is_none() {
            return Err("it has neither zone nor keyed_zone".into());
        }
        if self.keyed_zone.as_ref().is_some_and(|zone| !zone.contains("{key}") || self.key.is_none()) {
            return Err("keyed_zone needs {key} in it, and key the name of the key".into());
        }
        if holds_addresses != (self.v4 || self.v6) {
            return Err("v4 and v6 say which addresses it holds; a domain list has neither".into());
        }
        if self.codes.is_empty() && self.bits.is_empty() {
            return Err("it has no codes, so nothing could ever be listed".into());
        }
        if let Some(bit) = self.bits.iter().find(|bit| !bit.bit.is_power_of_two()) {
            return Err(format!("{} is not one bit: 1, 2, 4 … 128", bit.bit));
        }
        Ok(())
    }
}

fn is_within(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
