//! Addresses that warm up: how far each has come with each receiver, what it may send today because of that, and what
//! becomes of it when the day is over (docs/pace.md). The numbers and the verdict on a day are `repute_trust`'s.
//!
//! Promise: what a receiver was sent is counted where its answer is read, and kept over restarts; a crash loses the last
//! minute. Nothing is counted or looked up for an address that does not warm up. A complaint counts for the address that sent
//! the message and the receiver that took it, by what the history has of both; where it has nothing, or that receiver is not
//! counted, the complaint is not.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use repute_delivery::{HostName, Route};
use repute_ledger::{StepKind, Warmth};
use repute_queue::{Rate, Terms};
use repute_trust::warm_up::{self, Day, Turn};
use repute_types::event::Level;
use repute_types::{Address, MessageId, Outcome, Timestamp, Verdict};
use serde::Serialize;
use tokio::sync::watch;

use crate::cause;
use crate::config::Settings;
use crate::pace;
use crate::permit::way::{self, Way};
use crate::works::{LaneWork, Works};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How often it is looked whether a day is over, and what was counted is written down.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Receivers that are counted, of all addresses together; what is beyond them stays on the first step.
const COUNTED: usize = 100_000;
/// A receiver on the first step that got no more in a day is forgotten: it is as if it had never been.
const WORTH_KEEPING: u64 = 10;

/// An egress by its name, and a receiver by its own or by its site.
type Pair = (Arc<str>, Arc<str>);

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    step: u16,
    /// Since 1970, in UTC.
    day: i64,
    today: Day,
}

#[derive(Default)]
struct State {
    known: HashMap<Pair, Count>,
    /// Since it was written last.
    changed: HashSet<Pair>,
    forgotten: Vec<Pair>,
}

#[derive(Default)]
pub(crate) struct WarmUps(Mutex<State>);

/// How far an address has come with a receiver, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WarmUpRow {
    pub egress: String,
    pub receiver: String,
    /// From 1.
    pub step: u16,
    pub steps: u16,
    /// Messages a day; `None`: it is warm.
    pub number: Option<u32>,
    /// Messages since midnight (UTC), and those that were put off or refused because of the address, or taken for spam.
    pub sent: u64,
    pub slowed: u64,
    /// Complaints since midnight.
    pub complaints: u64,
}

impl WarmUps {
    /// What was known before.
    pub fn restored(kept: Vec<Warmth>) -> WarmUps {
        let count = |w: Warmth| {
            let today = Day { sent: w.sent, slowed: w.slowed, complaints: w.complaints };
            let count = Count { step: w.step, day: w.day, today };
            ((w.egress.into(), w.receiver.into()), count)
        };
        let known = kept.into_iter().map(count).collect();
        WarmUps(Mutex::new(State { known, ..State::default() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A count that a panic cut off is one too few.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a lane of an address that warms up keeps to; `None` where it does not, or is warm.
    pub fn terms(&self, settings: &Settings, route: &Route, way: Way, now: Timestamp) -> Option<Terms> {
        let pair = pair(settings, route, way)?;
        let known = self.state().known.get(&pair).copied().unwrap_or_default();
        let rate = Rate { count: warm_up::number(known.step)?, per: DAY };
        let (egress, receiver) = pair;
        let name = format!("{receiver}, while {egress} warms up").into();
        // What was sent today, before a restart, counts as if it had gone evenly since midnight, the last a moment ago.
        let sent = if known.day == now.day() { known.today.sent } else { 0 };
        let midnight = Timestamp::of_day(now.day());
        let after = |from: Timestamp, messages: u64| from + rate.takes(usize::try_from(messages).unwrap_or(usize::MAX));
        let earliest = after(midnight, sent).max(after(now, sent.min(1)));
        Some(Terms { name, egress: way.egress, rate, ahead: DAY, earliest })
    }

    /// Whether an address may send this receiver so many a day only.
    pub fn is_limited(&self, settings: &Settings, route: &Route, way: Way) -> bool {
        let Some(pair) = pair(settings, route, way) else { return false };
        warm_up::number(self.state().known.get(&pair).map_or(0, |count| count.step)).is_some()
    }

    fn count(&self, pair: Pair, messages: u64, slowed: bool, now: Timestamp) {
        let mut state = self.state();
        if state.known.len() >= COUNTED && !state.known.contains_key(&pair) {
            return;
        }
        let fresh = Count { day: now.day(), ..Count::default() };
        let count = state.known.entry(pair.clone()).or_insert(fresh);
        count.today.sent += messages;
        count.today.slowed += if slowed { messages } else { 0 };
        state.changed.insert(pair);
    }

    /// Counts a complaint about a message that this host took from this egress.
    fn count_complaint(&self, egress: &str, host: &str) {
        let mut state = self.state();
        let State { known, changed, .. } = &mut *state;
        let receiver = warm_up::receiver(std::iter::once(host));
        // A site is known by its hosts.
        let is_of = |name: &str| match receiver {
            Some(receiver) => name == receiver,
            None => name.split([',', '>']).any(|of_site| of_site.eq_ignore_ascii_case(host)),
        };
        let mut of_egress = known.iter_mut().filter(|((of, _), _)| &**of == egress);
        if let Some((pair, count)) = of_egress.find(|((_, name), _)| is_of(name)) {
            count.today.complaints += 1;
            changed.insert(pair.clone());
        }
    }

    /// Ends the days that are over. Returns what is to be told of it.
    fn end_days(&self, now: Timestamp) -> Vec<(Pair, Count, u16, Turn)> {
        let today = now.day();
        let mut state = self.state();
        let State { known, changed, forgotten } = &mut *state;
        let mut turned = Vec::new();
        known.retain(|pair, count| {
            if count.day >= today {
                return true;
            }
            let before = *count;
            let (step, turn) = warm_up::turn(before.step, before.today);
            if step == 0 && before.today.sent < WORTH_KEEPING {
                changed.remove(pair);
                forgotten.push(pair.clone());
                return false;
            }
            *count = Count { step, day: today, today: Day::default() };
            changed.insert(pair.clone());
            turned.push((pair.clone(), before, step, turn));
            true
        });
        turned
    }

    /// Those that something was sent to today or that have come further than the first step; the busiest first.
    pub fn list(&self, settings: &Settings) -> Vec<WarmUpRow> {
        let warming: HashSet<&str> = names(settings).collect();
        let state = self.state();
        let of_one = state.known.iter().filter(|((egress, _), _)| warming.contains(&**egress));
        let row = |((egress, receiver), count): (&Pair, &Count)| WarmUpRow {
            egress: egress.to_string(),
            receiver: receiver.to_string(),
            step: count.step + 1,
            steps: warm_up::LADDER.len() as u16,
            number: warm_up::number(count.step),
            sent: count.today.sent,
            slowed: count.today.slowed,
            complaints: count.today.complaints,
        };
        let mut rows: Vec<WarmUpRow> = of_one.map(row).collect();
        rows.sort_by(|a, b| (b.sent, b.step, &a.receiver).cmp(&(a.sent, a.step, &b.receiver)));
        rows
    }
}

/// The names of the egresses that warm up.
fn names(settings: &Settings) -> impl Iterator<Item = &str> {
    let of = |place: &u16| settings.egresses.get(usize::from(*place)).map(|egress| egress.name.as_str());
    settings.warm_up.iter().filter_map(of)
}

/// Whom a message by this way is counted for; `None` where the address does not warm up, or a relay host takes it.
fn pair(settings: &Settings, route: &Route, way: Way) -> Option<Pair> {
    if !settings.warm_up.contains(&way.egress) || route.is_relay {
        return None;
    }
    let egress = settings.egresses.get(usize::from(way.egress))?;
    let hosts = route.hosts.iter().map(|host| match &host.name {
        HostName::Name(name) => name.as_str(),
        HostName::Address(_) => "",
    });
    let receiver = warm_up::receiver(hosts).map_or_else(|| route.site.clone(), Arc::from);
    Some((egress.name.as_str().into(), receiver))
}

/// Counts an attempt that a receiver answered, as so many transactions as it took.
pub(crate) fn count(works: &Works, settings: &Settings, lane: &LaneWork, outcomes: &[Outcome], transactions: u32) {
    if settings.warm_up.is_empty() || outcomes.iter().all(|outcome| outcome.reply.is_none()) {
        return;
    }
    let Some(pair) = pair(settings, &lane.route(), lane.way) else { return };
    let messages = u64::from(transactions.max(1));
    let is_slowed = cause::read(outcomes).iter().any(cause::Reading::slows_warm_up);
    works.warm_ups.count(pair, messages, is_slowed, works.now());
}

/// Somebody called a message that was sent to them spam.
pub(crate) async fn complained(works: &Works, message: MessageId, recipient: &Address) {
    let settings = works.settings();
    let (Some(history), false) = (works.doors.history.clone(), settings.warm_up.is_empty()) else { return };
    let asked = recipient.clone();
    // Who cannot be found out counts nowhere: circuits stop what is complained about in any case.
    let Ok(steps) = history.ask(move |questions| questions.steps_to(message, &asked)).await else { return };
    let took = steps.iter().rev().find_map(|step| match &step.kind {
        StepKind::Settled(settled) if settled.verdict == Verdict::Delivered.as_str() => {
            Some((settled.egress.as_deref()?.parse().ok()?, settled.peer.as_deref()?))
        }
        _ => None,
    });
    let Some((address, host)) = took else { return };
    let sent = |place: &&u16| {
        let egress = settings.egresses.get(usize::from(**place));
        egress.is_some_and(|egress| way::addresses(&settings, egress).contains(&address))
    };
    if let Some(egress) =
        settings.warm_up.iter().find(sent).and_then(|place| settings.egresses.get(usize::from(*place)))
    {
        works.warm_ups.count_complaint(&egress.name, host);
    }
}

/// Ends days and writes down what was counted, until `stop` turns true.
pub(crate) async fn run(works: Arc<Works>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = stop.changed() => break,
        }
        end_days(&works);
        save_or_tell(&works).await;
    }
}

fn end_days(works: &Works) {
    let turned = works.warm_ups.end_days(works.now());
    if turned.iter().any(|(_, before, step, _)| before.step != *step) {
        pace::tell(works);
    }
    for ((egress, receiver), before, step, turn) in turned {
        let Day { sent, slowed, complaints } = before.today;
        let today = match warm_up::number(step) {
            Some(number) => format!("{number} messages today"),
            None => "it is warm, without a limit".to_owned(),
        };
        let (level, why) = match turn {
            Turn::Up => (Level::Info, "the day went well"),
            Turn::Unproven => continue,
            Turn::Kept => (Level::Warning, "that is too much of these: the step is kept"),
            Turn::Down => (Level::Warning, "that is much of these: a step down"),
        };
        let text = format!(
            "{egress} to {receiver}: {sent} messages, {slowed} put off because of the address or taken for spam, complaints: \
             {complaints}; {why}: {today}"
        );
        works.note(level, "warm-up", text);
    }
}

pub(crate) async fn save_or_tell(works: &Works) {
    let Some(store) = &works.doors.warm_ups else { return };
    let (changed, forgotten) = {
        let mut state = works.warm_ups.state();
        let State { known, changed, forgotten } = &mut *state;
        let kept = |pair: Pair| {
            let count = known.get(&pair)?;
            let Day { sent, slowed, complaints } = count.today;
            let (egress, receiver) = (pair.0.to_string(), pair.1.to_string());
            Some(Warmth { egress, receiver, step: count.step, day: count.day, sent, slowed, complaints })
        };
        let changed: Vec<Warmth> = changed.drain().filter_map(kept).collect();
        let forgotten = forgotten.drain(..).map(|pair| (pair.0.to_string(), pair.1.to_string()));
        (changed, forgotten.collect::<Vec<_>>())
    };
    if changed.is_empty() && forgotten.is_empty() {
        return;
    }
    let again: Vec<Pair> = changed.iter().map(|w| (w.egress.as_str().into(), w.receiver.as_str().into())).collect();
    if let Err(error) = store.save(changed, forgotten).await {
        works.warm_ups.state().changed.extend(again);
        works.note(Level::Error, "warm-up", format!("what was counted cannot be written: {error}"));
    }
}
