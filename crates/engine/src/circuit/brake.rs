//! The compromise brake: an account that suddenly writes to many strangers is stopped, because its password may be in
//! the wrong hands (docs/circuit.md).
//!
//! What is accepted is counted before it is due, in memory alone: nobody waits for a disk. Whom a delivery reached is
//! known from then on, also where it was not counted: recipients of campaigns, and what was let go after it had been held. What was
//! learnt is written with the counts of the circuits and survives a restart. Bounds: so many accounts, and so many octets of
//! what they remember together; beyond either the account that was silent for longest is forgotten whole, so that it is
//! new when it comes back and its acquaintances are not taken for strangers.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use repute_ledger::{Habits, KnownPage, LearntAccount, LearntDay};
use repute_spool::{MessageMeta, PartRecord};
use repute_types::{AccountName, Address, Domain, Map, Timestamp};
use serde::Serialize;

use super::habit::{self, Day, Habit, Terms};
use super::known::{Acquaintances, Face, Page};
use super::launch::Launched;
use super::state::SUBJECTS;
use super::{CircuitSettings, STRANGERS, Subject};
use crate::works::{Works, lock};

/// What all accounts together remember of their recipients, in octets.
const ROOM: usize = 64 << 20;

#[derive(Default)]
pub(crate) struct Brake {
    pub(super) state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub accounts: Map<AccountName, Account>,
    /// Campaigns of the last day, each account's.
    pub launched: Map<AccountName, Launched>,
    octets: usize,
    /// When this server began to learn.
    since: Option<Timestamp>,
    /// Not yet forgotten on disk.
    forgotten: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Account {
    pub habit: Habit,
    pub known: Acquaintances,
}

/// What an account is used to, as it is listed.
#[derive(Clone, Debug, Serialize)]
pub struct HabitRow {
    pub account: String,
    pub since: Timestamp,
    pub last: Timestamp,
    /// It has no habit yet.
    pub new: bool,
    /// Nothing is held because of a habit until then; where a person said so, or the server learns.
    pub until: Option<Timestamp>,
    /// That is because the server learns: it is new.
    pub learns: bool,
    /// Recipients of its busiest hour and day.
    pub habit_hour: u64,
    pub habit_day: u64,
    /// Strangers within the last hour and day.
    pub strangers_hour: u64,
    pub strangers_day: u64,
    /// More strangers than these are held; `None` where it is never held.
    pub most_hour: Option<u64>,
    pub most_day: Option<u64>,
}

impl State {
    pub fn learns(&self, now: Timestamp) -> bool {
        self.since.is_none_or(|since| now < since + habit::NEW)
    }

    /// The account, for which room is made.
    fn account(&mut self, name: &AccountName, now: Timestamp) -> &mut Account {
        self.since.get_or_insert(now);
        if !self.accounts.contains_key(name) && self.accounts.len() >= SUBJECTS {
            self.forget_quietest();
        }
        self.accounts
            .entry(name.clone())
            .or_insert_with(|| Account { habit: Habit::new(now), known: Acquaintances::default() })
    }

    fn forget_quietest(&mut self) {
        let quietest = self.accounts.iter().min_by_key(|(_, account)| account.habit.last);
        let Some(name) = quietest.map(|(name, _)| name.clone()) else { return };
        if let Some(gone) = self.accounts.remove(&name) {
            self.octets -= gone.known.octets();
            self.forgotten.push(name.to_string());
        }
    }

    /// Remembers faces for an account; whether each was a stranger's.
    fn meet(&mut self, name: &AccountName, faces: impl Iterator<Item = Face>, now: Timestamp) -> Vec<bool> {
        let account = self.account(name, now);
        let before = account.known.octets();
        let strangers = faces.map(|face| account.known.meet(face)).collect();
        // An account that only campaigns use is kept by them, too.
        account.habit.last = account.habit.last.max(now);
        let grown = account.known.octets();
        self.octets = self.octets + grown - before;
        while self.octets > ROOM && self.accounts.len() > 1 {
            self.forget_quietest();
        }
        strangers
    }
}

impl Brake {
    pub fn restored(habits: Habits) -> Brake {
        let mut state = State::default();
        let mut days: Map<String, VecDeque<Day>> = Map::default();
        for d in habits.days {
            let day = Day {
                day: d.day,
                busiest: d.busiest,
                recipients: d.recipients,
                strangers: d.strangers,
                meant: d.meant,
                changed: false,
            };
            days.entry(d.account).or_default().push_back(day);
        }
        for a in habits.accounts {
            let habit = Habit::restored(&a, days.remove(&a.account).unwrap_or_default());
            state.since = Some(state.since.map_or(a.since, |since| since.min(a.since)));
            state.accounts.insert(a.account.into(), Account { habit, known: Acquaintances::default() });
        }
        for p in habits.pages {
            if let Some(account) = state.accounts.get_mut(p.account.as_str()) {
                let page = Page { layer: p.layer, page: p.page, size: p.size, entries: p.entries, bits: p.bits };
                account.known.restore(&page);
            }
        }
        state.octets = state.accounts.values().map(|account| account.known.octets()).sum();
        Brake { state: Mutex::new(state) }
    }

    /// Until then nothing is held for the account's strangers; what it sent today was meant as well.
    pub fn mean(&self, account: &AccountName, lasts: Duration, now: Timestamp) {
        lock(&self.state).account(account, now).habit.mean(now + lasts, now);
    }

    /// What came today was not the account's own.
    pub fn disown(&self, account: &AccountName) {
        if let Some(account) = lock(&self.state).accounts.get_mut(account) {
            account.habit.disown();
        }
    }

    /// What changed since it was written down.
    pub fn take_changed(&self) -> Habits {
        let mut state = lock(&self.state);
        let mut habits = Habits { forgotten: std::mem::take(&mut state.forgotten), ..Habits::default() };
        for (name, account) in &mut state.accounts {
            let pages = account.known.take_changed();
            if !std::mem::take(&mut account.habit.changed) && pages.is_empty() {
                continue;
            }
            let name = || name.to_string();
            let habit = &mut account.habit;
            habits.accounts.push(LearntAccount {
                account: name(),
                since: habit.since,
                last: habit.last,
                days: habit.days_sent,
                meant_until: habit.meant_until,
                first_layer: account.known.first,
            });
            for day in habit.days.iter_mut().filter(|day| day.changed) {
                day.changed = false;
                habits.days.push(LearntDay {
                    account: name(),
                    day: day.day,
                    busiest: day.busiest,
                    recipients: day.recipients,
                    strangers: day.strangers,
                    meant: day.meant,
                });
            }
            let page = |p: Page| KnownPage {
                account: name(),
                layer: p.layer,
                page: p.page,
                size: p.size,
                entries: p.entries,
                bits: p.bits,
            };
            habits.pages.extend(pages.into_iter().map(page));
        }
        habits
    }

    /// What was taken could not be written: all of it is written again.
    pub fn mark(&self, failed: &Habits) {
        let mut state = lock(&self.state);
        state.forgotten.extend(failed.forgotten.iter().cloned());
        for written in &failed.accounts {
            if let Some(account) = state.accounts.get_mut(written.account.as_str()) {
                account.habit.changed = true;
                account.habit.days.iter_mut().for_each(|day| day.changed = true);
                account.known.mark();
            }
        }
    }

    pub fn list(&self, settings: &CircuitSettings, now: Timestamp) -> Vec<HabitRow> {
        let state = lock(&self.state);
        let learns_until = state.since.map(|since| since + habit::NEW).filter(|_| state.learns(now));
        let row = |(name, account): (&AccountName, &Account)| {
            let habit = &account.habit;
            let terms = Terms { factor: settings.factor(name), least: settings.brake_least, learns: false };
            let (level, strangers, bounds) = (habit.level(), habit.strangers(now), habit.bounds(now, terms));
            let meant_until = Some(habit.meant_until).filter(|_| habit.is_meant(now));
            let most = |n: u64| Some(n).filter(|_| terms.factor > 0);
            HabitRow {
                account: name.to_string(),
                since: habit.since,
                last: habit.last,
                new: habit.is_new(now),
                until: meant_until.max(learns_until),
                learns: learns_until > meant_until,
                habit_hour: level.hour,
                habit_day: level.day,
                strangers_hour: strangers.hour,
                strangers_day: strangers.day,
                most_hour: most(bounds.hour),
                most_day: most(bounds.day),
            }
        };
        let mut rows: Vec<HabitRow> = state.accounts.iter().map(row).collect();
        rows.sort_by(|a, b| a.account.cmp(&b.account));
        rows
    }
}

/// Counts an accepted message before any part of it is due.
pub(crate) fn count_accepted(works: &Works, meta: &MessageMeta, parts: &[PartRecord], client: Option<IpAddr>) {
    let Some(name) = &meta.account else { return };
    let settings = works.settings();
    let factor = settings.circuit.factor(name);
    // What is held may be a thief's: whom it is for is not known by that.
    if works.circuits.is_open(name) {
        return;
    }
    let now = works.now();
    let recipients: Vec<&Address> =
        parts.iter().flat_map(|part| &part.recipients).map(|pending| &pending.recipient.address).collect();
    let others: Vec<&Address> = recipients.iter().copied().filter(|to| !is_own(meta, to.domain())).collect();
    let faces: Vec<Face> = others.iter().map(|to| Face::of(to)).collect();
    let too_much = {
        let mut state = lock(&works.circuits.brake.state);
        let met = state.meet(name, faces.into_iter(), now);
        let strangers: Vec<&Address> = others.into_iter().zip(met).filter_map(|(to, new)| new.then_some(to)).collect();
        let terms = Terms { factor, least: settings.circuit.brake_least, learns: state.learns(now) };
        let count = u32::try_from(recipients.len()).unwrap_or(u32::MAX);
        state.account(name, now).habit.count(count, &strangers, client, now, terms)
    };
    if let Some(text) = too_much {
        super::open(works, Subject { account: name.clone(), campaign: None }, STRANGERS, text);
    }
}

/// Who has got mail of an account is known to it.
pub(crate) fn know_delivered<'a>(works: &Works, meta: &MessageMeta, reached: impl Iterator<Item = &'a Address>) {
    let Some(name) = &meta.account else { return };
    let faces: Vec<Face> = reached.filter(|to| !is_own(meta, to.domain())).map(Face::of).collect();
    if !faces.is_empty() {
        lock(&works.circuits.brake.state).meet(name, faces.into_iter(), works.now());
    }
}

/// Whoever writes to the domain that it writes as writes to no strangers.
pub(super) fn is_own(meta: &MessageMeta, domain: &Domain) -> bool {
    meta.author.as_ref() == Some(domain) || meta.from.as_ref().is_some_and(|from| from.domain() == domain)
}
