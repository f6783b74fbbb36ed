//! The watch: while the server runs, its checks are repeated, each as often as
//! `data/permit.toml` says, sooner where something fails or was contradicted, and at once where a
//! receiver's reply names a rule or a list.
//!
//! It goes two rounds: one asks DNS alone; the other, far calmer, connects to mail servers, ours and others', for the few
//! checks that the table names. They do not wait for each other: a host that is slow to answer puts no question off.
//!
//! Bounds: one run at a time in each round, few questions at once, each run with a deadline, and the confirmation of all that
//! freshly fails in it with another. It never makes mail wait for it: attempts ask a table that is there.

use std::sync::Arc;
use std::time::Duration;

use repute_audit::{Doors, Options, Progress, Remembered, contradicted};
use repute_trust::checks::{Finding, Outcome};
use repute_trust::permit::{Subject, Trail, connects, list_every, suspending};
use repute_trust::setup::Setup;
use repute_types::Timestamp;
use repute_types::event::Level;
use tokio::sync::watch;

use super::board::Asks;
use super::schedule::{Known, Schedule};
use super::{TrustDoors, board, incidents};
use crate::works::Works;

/// Questions at once: the resolver is there for mail first.
const AT_ONCE: usize = 16;
/// A run of a small set-up ends by this; each domain more gives it a little longer.
const DEADLINE: Duration = Duration::from_secs(30);
const DEADLINE_A_DOMAIN: Duration = Duration::from_millis(100);
const DEADLINE_MOST: Duration = Duration::from_secs(300);
/// It looks at the time at least this often: words of operators end, clocks jump.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// For so long a doubt is asked about again and again, should the answers stay away.
const DOUBT_ASKED: Duration = Duration::from_secs(120);
/// How often the history of trust is cut to its length.
const PRUNE_EVERY: Duration = Duration::from_secs(24 * 3600);

/// What a round asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    Dns,
    Servers,
}

impl Round {
    fn is_for(self, check: &str) -> bool {
        connects(check) == (self == Round::Servers)
    }
}

pub(crate) async fn run(works: Arc<Works>, doors: TrustDoors, stop: watch::Receiver<bool>) {
    let Some([dns, servers]) = works.board.asks() else { return };
    tokio::join!(go(&works, &doors, Round::Dns, dns, stop.clone()), go(&works, &doors, Round::Servers, servers, stop));
}

async fn go(works: &Arc<Works>, doors: &TrustDoors, round: Round, mut asks: Asks, mut stop: watch::Receiver<bool>) {
    if round == Round::Servers && doors.network.is_none() {
        return;
    }
    let mut schedule = Schedule::new(works.now(), |check| round.is_for(check));
    let mut pruned = Timestamp(0);
    let lists = Arc::new(Remembered::new(list_every));
    while !*stop.borrow() {
        let now = works.now();
        if round == Round::Dns {
            expire(works, doors, now).await;
            if now.since(pruned) >= PRUNE_EVERY {
                board::noted(works, doors.store.forget_before(now - works.settings().permit.keep).await);
                pruned = now;
            }
        }
        let due = if is_on(works, round) { schedule.due(now) } else { Vec::new() };
        if !due.is_empty() {
            tokio::select! {
                () = look(works, doors, round, &due, &lists) => {}
                _ = stop.changed() => return,
            }
            let ended = works.now();
            let known = known(works, ended);
            schedule.made(&due, |check| known(check), ended, &*works.doors.random);
            continue;
        }
        let sleep = rest(schedule.earliest(), is_on(works, round), now);
        tokio::select! {
            asked = asks.recv() => {
                lists.forget();
                heed(&mut schedule, &mut asks, asked.unwrap_or_default(), works.now());
            }
            // A millisecond more, because times are whole milliseconds.
            () = tokio::time::sleep(sleep + Duration::from_millis(1)) => {}
            _ = stop.changed() => return,
        }
    }
}

/// How long nothing is to be done, unless something is asked for. A round that is switched off makes none of what is due.
fn rest(earliest: Option<Timestamp>, is_on: bool, now: Timestamp) -> Duration {
    earliest.filter(|_| is_on).map_or(LONGEST_SLEEP, |at| at.since(now)).min(LONGEST_SLEEP)
}

fn is_on(works: &Works, round: Round) -> bool {
    let settings = works.settings();
    settings.permit.watch && (round == Round::Dns || settings.permit.connect)
}

/// Everything that was asked for. An empty wish is a new configuration.
fn heed(schedule: &mut Schedule, asks: &mut Asks, first: Vec<String>, now: Timestamp) {
    let mut next = Some(first);
    while let Some(wanted) = next {
        match wanted.is_empty() {
            true => schedule.begin_again(now),
            false => schedule.ask(&wanted, now),
        }
        next = asks.try_recv().ok();
    }
}

/// One run of these checks, and all that follows from it.
async fn look(works: &Works, doors: &TrustDoors, round: Round, due: &[&'static str], lists: &Arc<Remembered>) {
    let settings = works.settings();
    let setup = Arc::new(board::setup(&settings));
    let deadline = DEADLINE + DEADLINE_A_DOMAIN * u32::try_from(setup.domains.len()).unwrap_or(u32::MAX).min(10_000);
    let options = Options {
        only: due.iter().map(|id| (*id).to_owned()).collect(),
        at_once: AT_ONCE,
        deadline: deadline.min(DEADLINE_MOST),
        table: settings.permit.table.clone(),
        keys: settings.permit.keys.clone(),
        hosts: settings.permit.hosts.clone(),
        mx_port: settings.permit.mx_port,
        serving: true,
        // Permits have the points of each pair.
        pairs: false,
        ..Options::default()
    };
    let asks = Doors {
        remembered: Some(lists.clone()),
        network: doors.network.clone().filter(|_| round == Round::Servers),
        ..Doors::from(doors.dns.clone())
    };
    let report = repute_audit::run(setup.clone(), asks, &options, works.now(), Arc::new(Progress::default())).await;
    let mut findings = report.findings;
    if let (Round::Dns, Some(own)) = (round, &doors.own) {
        findings.extend(own(works.now()).into_iter().filter(|finding| due.contains(&finding.id)));
    }
    doubt(works, doors, &setup, &options, &mut findings).await;
    let _turn = works.board.turn.lock().await;
    board::learn(works, doors, &findings, due, works.now()).await;
    let now = works.now();
    let scores = works.board.permits(|permits| scores(permits, &setup));
    board::noted(works, doors.store.score(now, scores).await);
    incidents::tell(works, doors).await;
}

/// A failure that would count against a permit is believed only where the servers of the names
/// agree; else it is not known.
async fn doubt(works: &Works, doors: &TrustDoors, setup: &Setup, options: &Options, findings: &mut [Finding]) {
    let mut fresh: Vec<&mut Finding> = works.board.permits(|permits| {
        let stands = |finding: &Finding| permits.trail(&Subject::of(finding)).is_some_and(Trail::is_bad);
        findings.iter_mut().filter(|finding| counts(finding) && !stands(finding)).collect()
    });
    let contradicted = contradicted(setup, doors.dns.clone(), fresh.iter().map(|finding| &**finding), options).await;
    for (finding, why) in fresh.iter_mut().zip(contradicted) {
        if let Some(why) = why {
            finding.outcome = Outcome::Unknown;
            finding.verdict = format!("{}; but {why}", finding.verdict);
        }
    }
}

fn counts(finding: &Finding) -> bool {
    finding.outcome == Outcome::Fail && suspending().iter().any(|rule| rule.check == finding.id)
}

fn scores(permits: &repute_trust::permit::Permits, setup: &Setup) -> Vec<(String, String, u32)> {
    let points = permits.points();
    let addresses = setup.sources().map(|source| source.address);
    let pairs = addresses.flat_map(|address| setup.domains.iter().map(move |domain| (address, domain)));
    // With very many pairs their scores are not what anybody looks at.
    pairs
        .filter(|(address, domain)| domain.leaves_from(*address))
        .take(1000)
        .map(|(address, domain)| {
            let left = points.of(Some(address), Some(&domain.name));
            (address.to_string(), domain.name.to_string(), left)
        })
        .collect()
}

/// What is known of each check, for its next time.
fn known(works: &Works, now: Timestamp) -> impl Fn(&str) -> Known + use<> {
    let mut table = std::collections::HashMap::<String, Known>::new();
    works.board.permits(|permits| {
        for (subject, trail) in permits.trails() {
            let of = table.entry(subject.check.clone()).or_default();
            of.fails |= trail.is_bad();
            of.doubted |= trail.doubt.or(trail.alone).is_some_and(|at| now.since(at) < DOUBT_ASKED);
            of.open |= trail.standing.is_none();
        }
    });
    // A check that found nothing at all yet is as open as one that found nothing out.
    move |check| table.get(check).copied().unwrap_or_default()
}

/// Words of operators whose time is over.
async fn expire(works: &Works, doors: &TrustDoors, now: Timestamp) {
    let _turn = works.board.turn.lock().await;
    // With very many pairs it takes long to tell their states.
    if !works.board.permits(|permits| permits.overrides().iter().any(|said| said.is_over(now))) {
        return;
    }
    let before = board::states(works, now);
    let over = works.board.permits(|permits| permits.expire(now));
    for said in &over {
        let text = format!("an operator's word is over ({}): {}", said.word.as_str(), said.reason);
        works.note(Level::Info, "permit", text);
    }
    board::refresh(works);
    board::follow(works, doors, Vec::new(), before, now).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It woke a thousand times a second for what it does not make.
    #[test]
    fn a_round_that_is_switched_off_sleeps() {
        let now = Timestamp(1_795_485_950_000);
        let due = now - Duration::from_secs(1);
        assert_eq!(rest(Some(due), true, now), Duration::ZERO);
        assert_eq!(rest(Some(due), false, now), LONGEST_SLEEP);
        assert_eq!(rest(Some(now + Duration::from_secs(7)), true, now), Duration::from_secs(7));
        assert_eq!(rest(None, true, now), LONGEST_SLEEP);
    }
}
