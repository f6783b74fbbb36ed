//! The brake at a campaign's launch: whoever has an account's token and launches a campaign to many whom the account never
//! wrote to is stopped before its first message (docs/circuit.md).
//!
//! The account's habit is here the busiest day or the largest campaign that reached its people, whichever is more. Who
//! launches at the machine itself is its operator, and no stranger. Whether a list is over the bound is asked first, so that
//! an ordinary one is not read for it. Nobody is remembered by being on a list: those are known whom the campaign reached.
//! What a restart forgets: what else was launched within the day.

use std::time::Duration;

use repute_spool::{Campaign, CampaignState, MessageMeta, Walk};
use repute_types::{AccountName, Address, Timestamp};

use super::brake::is_own;
use super::habit::{Habit, Terms};
use super::known::Face;
use super::{STRANGERS, Subject};
use crate::bulk::words::BulkError;
use crate::bulk::{self, Known};
use crate::works::{Works, lock};

const PAGE: usize = 2_000;
/// Strangers that an incident names.
const EXAMPLES: usize = 5;
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// What is older is no habit any more, and what is younger not yet: as of other mail.
const OLDEST: Duration = Duration::from_secs(91 * 24 * 3600);
const RIPE: Duration = Duration::from_secs(7 * 24 * 3600);

/// What a list is measured by.
struct Bound {
    most: u64,
    habit: u64,
    is_new: bool,
    /// Strangers of other campaigns that a client launched within the day.
    before: u64,
}

/// Opens the campaign's circuit where `who`, a client, launches it to too many strangers; durable when this answers.
pub(crate) async fn brake(works: &Works, known: &Known, meta: &MessageMeta, who: &str) -> Result<(), BulkError> {
    let stored = works.doors.spool.campaigns().await.map_err(BulkError::Spool)?;
    let taken = stored.iter().find(|one| one.id == known.id).map_or(0, |one| one.tally.taken);
    let Some(bound) = bound(works, &known.account, largest(&stored, &known.account, works.now())) else {
        return Ok(());
    };
    if bound.before + taken <= bound.most {
        // All of them may be strangers.
        note(works, &known.account, taken);
        return Ok(());
    }
    let (count, examples) = strangers(works, known, meta).await?;
    if bound.before + count <= bound.most {
        note(works, &known.account, count);
        return Ok(());
    }
    let text = words(&bound, count, taken, &examples, who);
    let subject = Subject { account: known.account.clone(), campaign: Some(known.name.clone()) };
    super::open(works, subject, STRANGERS, text);
    super::save(works).await.map_err(BulkError::Circuit)
}

/// The most people that a campaign of the account has reached.
fn largest(stored: &[Campaign], account: &AccountName, now: Timestamp) -> u64 {
    let is_habit = |one: &&Campaign| {
        let age = one.launched.map(|at| now.since(at));
        one.account == *account
            && age.is_some_and(|age| (RIPE..OLDEST).contains(&age))
            && !matches!(one.state, CampaignState::Cancelling | CampaignState::Cancelled)
    };
    stored.iter().filter(is_habit).map(|one| one.tally.delivered).max().unwrap_or(0)
}

/// `None` where nothing is held.
fn bound(works: &Works, name: &AccountName, largest: u64) -> Option<Bound> {
    let (settings, now) = (works.settings(), works.now());
    let state = lock(&works.circuits.brake.state);
    let terms =
        Terms { factor: settings.circuit.factor(name), least: settings.circuit.brake_least, learns: state.learns(now) };
    let unknown = Habit::new(now);
    let habit = state.accounts.get(name).map_or(&unknown, |account| &account.habit);
    if terms.factor == 0 || terms.learns || habit.is_meant(now) {
        return None;
    }
    Some(Bound {
        most: habit.bounds(now, terms).day.max(largest.saturating_mul(terms.factor)),
        habit: habit.level().day.max(largest),
        is_new: habit.is_new(now) && largest == 0,
        before: state.launched.get(name).map_or(0, |launched| launched.within(now)),
    })
}

/// Strangers of campaigns that clients of an account launched: within the hour from then.
#[derive(Debug, Default)]
pub(super) struct Launched(Vec<(Timestamp, u64)>);

impl Launched {
    fn within(&self, now: Timestamp) -> u64 {
        self.0.iter().filter(|(at, _)| now.since(*at) < DAY).map(|(_, count)| count).sum()
    }

    fn add(&mut self, count: u64, now: Timestamp) {
        self.0.retain(|(at, _)| now.since(*at) < DAY);
        match self.0.last_mut().filter(|(at, _)| now.since(*at) < HOUR) {
            Some((_, sum)) => *sum += count,
            None => self.0.push((now, count)),
        }
    }
}

fn note(works: &Works, account: &AccountName, strangers: u64) {
    lock(&works.circuits.brake.state).launched.entry(account.clone()).or_default().add(strangers, works.now());
}

/// How many of a campaign's recipients the account never wrote to, and some of them.
async fn strangers(works: &Works, known: &Known, meta: &MessageMeta) -> Result<(u64, Vec<String>), BulkError> {
    let (mut count, mut examples) = (0, Vec::new());
    let mut walk = Walk::starting_at(known.id);
    loop {
        let parts = bulk::page(works, known.id, &mut walk, PAGE).await?;
        if parts.is_empty() {
            return Ok((count, examples));
        }
        let recipients = parts.iter().flat_map(|(_, part)| &part.recipients).map(|pending| &pending.recipient.address);
        let others: Vec<(&Address, Face)> =
            recipients.filter(|to| !is_own(meta, to.domain())).map(|to| (to, Face::of(to))).collect();
        let met = among(works, &known.account, &others);
        count += met.len() as u64;
        let room = EXAMPLES.saturating_sub(examples.len());
        examples.extend(met.iter().take(room).map(ToString::to_string));
        tokio::task::yield_now().await;
    }
}

/// Those of them to whom the account never wrote.
fn among<'a>(works: &Works, name: &AccountName, others: &[(&'a Address, Face)]) -> Vec<&'a Address> {
    let state = lock(&works.circuits.brake.state);
    let account = state.accounts.get(name);
    let is_new = |face: Face| account.is_none_or(|account| !account.known.knows(face));
    others.iter().filter(|(_, face)| is_new(*face)).map(|(to, _)| *to).collect()
}

fn words(bound: &Bound, count: u64, taken: u64, examples: &[String], who: &str) -> String {
    let Bound { most, habit, is_new, before } = bound;
    let habit = match is_new {
        true => "the account is new".to_owned(),
        false => format!("its habit is {habit} recipients in its busiest day or largest campaign"),
    };
    let before = match before {
        0 => String::new(),
        n => format!(", after {n} of other campaigns within a day"),
    };
    format!(
        "launched by {who}, and its account never wrote to {count} of its {taken} recipients{before}; {habit}, and {most} \
         strangers are not too much: {}",
        examples.join("; ")
    )
}
