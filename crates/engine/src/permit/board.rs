//! What is known of permits, in memory and in the ledger, and what follows when it changes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Mutex;

use repute_ledger::{LedgerError, TrustChange};
use repute_trust::checks::Finding;
use repute_trust::permit::{Changed, Configured, Key, Permits, Record, Turn};
use repute_trust::setup::{Egress, Sending, Setup};
use repute_types::event::Level;
use repute_types::{Domain, Timestamp};
use tokio::sync::mpsc;

use super::{TrustDoors, incidents, way};
use crate::config::{SendingDomain, Settings};
use crate::works::{Works, lock};

/// Checks that were asked for and have not been made yet; more are dropped, since what is asked
/// for is in the end the same few.
const ASKED_MOST: usize = 64;

pub(crate) struct Board {
    permits: Mutex<Permits>,
    /// What the ledger has of each record: with thousands of domains their texts would take more room than all else.
    saved: tokio::sync::Mutex<BTreeMap<String, Digest>>,
    digests: RandomState,
    /// Held while what a run found is taken in and told: two runs at a time must not tell the same change twice.
    pub turn: tokio::sync::Mutex<()>,
    /// Checks that are wanted soon, for each round of the watch.
    asked: [mpsc::Sender<Vec<String>>; 2],
    asks: Mutex<Option<[Asks; 2]>>,
}

/// Of a record's text; others cannot make two alike, since nobody knows how it is keyed.
type Digest = u64;

/// What is asked for, as a round of the watch hears it.
pub(crate) type Asks = mpsc::Receiver<Vec<String>>;

impl Board {
    pub fn new() -> Board {
        let [(first, hears_first), (second, hears_second)] = [mpsc::channel(ASKED_MOST), mpsc::channel(ASKED_MOST)];
        Board {
            permits: Mutex::default(),
            saved: tokio::sync::Mutex::default(),
            digests: RandomState::new(),
            turn: tokio::sync::Mutex::default(),
            asked: [first, second],
            asks: Mutex::new(Some([hears_first, hears_second])),
        }
    }

    pub fn permits<T>(&self, touch: impl FnOnce(&mut Permits) -> T) -> T {
        touch(&mut lock(&self.permits))
    }

    /// The watch's ends of what is asked for; they are there once.
    pub fn asks(&self) -> Option<[Asks; 2]> {
        lock(&self.asks).take()
    }

    /// Wants these checks, or all of a group, made soon.
    pub fn ask(&self, checks: Vec<String>) {
        for asked in &self.asked {
            let _ = asked.try_send(checks.clone());
        }
    }
}

/// What is checked: every address and every domain.
pub(crate) fn setup(settings: &Settings) -> Setup {
    let egresses = way::egresses(settings);
    let each =
        egresses.iter().map(|egress| Egress { ehlo: egress.ehlo.clone(), addresses: way::addresses(settings, egress) });
    let addresses_at = |place: &u16| egresses.get(usize::from(*place)).map(|egress| way::addresses(settings, egress));
    let pool = |domain: &SendingDomain| Some(domain.pool.as_ref()?.iter().filter_map(addresses_at).flatten().collect());
    Setup {
        hostname: settings.hostname.clone(),
        egresses: each.collect(),
        domains: settings.domains.iter().map(|domain| sending(domain, pool(domain))).collect(),
    }
}

pub(crate) fn sending(domain: &SendingDomain, pool: Option<Vec<IpAddr>>) -> Sending {
    Sending { name: domain.name.clone(), return_path: domain.return_path.clone(), pool, keys: domain.keys.clone() }
}

/// What there is to be permitted, with what the findings about it hold for.
fn made_of(setup: &Setup, assumed: Vec<String>) -> Configured {
    let addresses = setup.sources().map(|source| (source.address, source.ehlo.to_string()));
    let domains = setup.domains.iter().map(|domain| {
        let keys: Vec<String> =
            domain.keys.iter().map(|key| format!("{}={}", key.selector(), key.public_key())).collect();
        (domain.name.clone(), format!("{} {}", domain.mail_from(), keys.join(" ")))
    });
    let pools = setup.domains.iter().filter_map(|d| Some((d.name.clone(), d.pool.as_ref()?.iter().copied().collect())));
    Configured { addresses: addresses.collect(), domains: domains.collect(), pools: pools.collect(), assumed }
}

/// Brings back what was known before the restart.
pub(crate) async fn restore(works: &Works, doors: &TrustDoors) -> Result<(), LedgerError> {
    let kept = doors.store.kept().await?;
    // A record of another version says nothing: what it knew is found out again.
    let records = kept.values().filter_map(|text| serde_json::from_str::<Record>(text).ok()).collect::<Vec<_>>();
    works.board.permits(|permits| *permits = Permits::restore(records));
    let digests = kept.into_iter().map(|(name, text)| (name, works.board.digests.hash_one(&text)));
    *works.board.saved.lock().await = digests.collect();
    Ok(())
}

/// Takes on the addresses and domains of the configuration. Returns what was bad and is gone.
pub(crate) fn configure(works: &Works) -> Vec<Changed> {
    let settings = works.settings();
    works.gate.know(&settings);
    let configured = made_of(&setup(&settings), settings.permit.assume.clone());
    let gone = works.board.permits(|permits| permits.configure(configured));
    let settings = works.settings();
    let table = works.board.permits(|permits| works.gate.build(permits, &settings, works.now()));
    works.gate.set(table);
    // Ways and routes may be others now, whatever the permits say.
    works.queue(|queue| queue.review(|_, _| false));
    gone
}

/// Makes the gate agree with what is known now, and has the queue look again where it differs.
pub(crate) fn refresh(works: &Works) {
    let (settings, now) = (works.settings(), works.now());
    let table = works.board.permits(|permits| works.gate.build(permits, &settings, now));
    if works.gate.set(table) {
        works.queue(|queue| {
            queue.review(|flow, key| works.is_way_to(&settings, flow, key));
        });
    }
}

/// Takes the findings of a run in, and does all that follows from them.
pub(crate) async fn learn(works: &Works, doors: &TrustDoors, findings: &[Finding], made: &[&str], at: Timestamp) {
    let before = states(works, at);
    let changes = works.board.permits(|permits| permits.observe(findings, |check| made.contains(&check), at));
    refresh(works);
    follow(works, doors, changes, before, at).await;
}

/// What every permit is, in a word, and why mail may not leave.
pub(crate) type States = HashMap<Key, (&'static str, String)>;

/// What every permit is now.
pub(crate) fn states(works: &Works, at: Timestamp) -> States {
    works.board.permits(|permits| {
        let of = |key: Key| {
            let rights = permits.rights(&key, at);
            let text = if rights.may() { String::new() } else { rights.why_not() };
            (key, (super::operator::word(&rights), text))
        };
        permits.keys().into_iter().map(of).collect()
    })
}

/// Writes down what changed, opens and closes incidents, and saves.
pub(crate) async fn follow(works: &Works, doors: &TrustDoors, changes: Vec<Changed>, before: States, at: Timestamp) {
    let mut told: Vec<TrustChange> = changes.iter().map(|change| of_check(change, at)).collect();
    for (key, (state, text)) in states(works, at) {
        let earlier = before.get(&key).map(|(state, _)| *state);
        let (Some(address), Some(domain)) = (key.address, key.domain) else { continue };
        if earlier != Some(state) {
            told.push(TrustChange {
                at,
                what: "permit".into(),
                state: state.into(),
                address: Some(address.to_string()),
                domain: Some(domain.to_string()),
                text,
                who: None,
            });
        }
    }
    if !told.is_empty() {
        noted(works, doors.store.note(told).await);
    }
    incidents::follow(works, doors, &changes, at).await;
    save(works, doors).await;
}

fn of_check(change: &Changed, at: Timestamp) -> TrustChange {
    let state = match change.turn {
        Some(Turn::Failed) => "fail",
        Some(Turn::Recovered) => "pass",
        None => "gone",
    };
    TrustChange {
        at,
        what: change.subject.check.clone(),
        state: state.into(),
        address: change.subject.address.map(|a| a.to_string()),
        domain: change.subject.domain.as_ref().map(Domain::to_string),
        text: change.trail.verdict.clone(),
        who: None,
    }
}

/// Records that are written to the ledger at once.
const WRITTEN_AT_ONCE: usize = 1_000;

/// Writes the records that differ from what the ledger has. What changes while it does is written the next time.
pub(crate) async fn save(works: &Works, doors: &TrustDoors) {
    let mut saved = works.board.saved.lock().await;
    let mut looked_at = 0;
    loop {
        let changed = works.board.permits(|permits| {
            let texts = permits.records(looked_at).map(|(name, record)| {
                looked_at += 1;
                (name, serde_json::to_string(&record).unwrap_or_default())
            });
            let differ = texts.filter(|(name, text)| saved.get(name) != Some(&works.board.digests.hash_one(text)));
            differ.take(WRITTEN_AT_ONCE).collect::<Vec<_>>()
        });
        if changed.is_empty() {
            break;
        }
        let digests: Vec<_> = changed.iter().map(|(n, text)| (n.clone(), works.board.digests.hash_one(text))).collect();
        let writes = changed.into_iter().map(|(name, text)| (name, Some(text))).collect();
        if let Err(error) = doors.store.keep(writes).await {
            return noted(works, Err(error));
        }
        saved.extend(digests);
    }
    // All that there is has been saved: what is saved beside it is gone.
    if saved.len() > looked_at {
        let there: HashSet<String> = works.board.permits(|permits| permits.records(0).map(|(name, _)| name).collect());
        let gone: Vec<String> = saved.keys().filter(|name| !there.contains(*name)).cloned().collect();
        match doors.store.keep(gone.iter().map(|name| (name.clone(), None)).collect()).await {
            Ok(()) => saved.retain(|name, _| there.contains(name)),
            Err(error) => noted(works, Err(error)),
        }
    }
}

/// The ledger of trust could not be written: permits go on from memory.
pub(crate) fn noted(works: &Works, result: Result<(), LedgerError>) {
    if let Err(error) = result {
        works.note(Level::Error, "trust", format!("the history of trust could not be written: {error}"));
    }
}
