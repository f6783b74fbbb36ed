//! Reports on TLS to the domains that mail goes to (RFC 8460), on their wish.
//!
//! 1. Delivery counts sessions in memory; every minute the counts go to the ledger ([`keep`]).
//! 2. A UTC day is over: each domain of it is owed a report at a time within the next four hours (`TlsSessions::close_before`).
//! 3. At that time the domain's record is asked for. Who asks for no report gets none, and the counts are forgotten.
//! 4. The others' reports are made and handed in ([`send`]): by mail over the queue, or by POST. A place that does not take
//!    it is asked again for a day, and then it is told in the log.
//!
//! A crash loses the counts of the last minute at most, and may send a report twice, under the same id.

mod send;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use repute_delivery::{AppliedPolicy, SessionKind};
use repute_dns::Lookup;
use repute_feedback::{SessionCount, TlsPolicy};
use repute_ledger::{DomainSessions, LedgerError, OwedReport, TlsSessions};
use repute_trust::tlsrpt::{Destination, destinations};
use repute_types::event::Level;
use repute_types::{Address, Domain, Timestamp};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::config::SendingDomain;
use crate::works::Works;

const KEEP_EVERY: Duration = Duration::from_secs(60);
/// What came due while nothing ran.
const AFTER_START: Duration = Duration::from_secs(2);
/// RFC 8460 §4.1: not all of them at midnight.
const SPREAD: Duration = Duration::from_secs(4 * 3600);
/// RFC 8460 §5.5: a report that cannot be handed in is tried for a day.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);
const FIRST_PAUSE: Duration = Duration::from_secs(5 * 60);
const LONGEST_PAUSE: Duration = Duration::from_secs(4 * 3600);
/// Reports that are looked at in one go, and at the same time.
const DUE_MOST: usize = 1000;
const AT_ONCE: usize = 16;
/// Kinds of sessions of one report: who makes more has most of them told.
const KINDS_MOST: usize = 20_000;

/// What reports say of us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsReportSettings {
    pub enabled: bool,
    /// `None`: the name of the domain that reports are sent as.
    pub organisation: Option<String>,
    /// `None`: postmaster of that domain.
    pub contact: Option<Address>,
}

impl Default for TlsReportSettings {
    fn default() -> TlsReportSettings {
        TlsReportSettings { enabled: true, organisation: None, contact: None }
    }
}

/// Runs until `stop` turns true.
pub(crate) async fn run(works: Arc<Works>, mut stop: watch::Receiver<bool>) {
    let Some(store) = works.doors.tls_sessions.clone() else { return };
    let (mut closed, mut pause) = (None, AFTER_START);
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(std::mem::replace(&mut pause, KEEP_EVERY)) => {}
            changed = stop.changed() => if changed.is_err() { return } else { continue },
        }
        keep(&works).await;
        report(&works, &store, &mut closed, &stop).await;
    }
}

/// Writes down what delivery has counted.
pub(crate) async fn keep(works: &Works) {
    let settings = works.settings();
    let (Some(tally), Some(store)) = (&settings.delivery.tally, &works.doors.tls_sessions) else { return };
    let counts = tally.take();
    if counts.kinds.is_empty() && counts.left_out == 0 {
        return;
    }
    match store.add(counts.kinds.into_iter().map(counted).collect()).await {
        Ok(left_out) if left_out + counts.left_out > 0 => {
            let text =
                format!("{} sessions are of more kinds than are counted, and left out", left_out + counts.left_out);
            works.note(Level::Warning, "tls-report", text);
        }
        Ok(_) => {}
        Err(error) => failed(works, "what was counted of sessions is lost", &error),
    }
}

fn counted((kind, sessions): (SessionKind, u64)) -> DomainSessions {
    let SessionKind { day, domain, policy, host, failure } = kind;
    let AppliedPolicy { kind, domain: policy_domain, strings, hosts } = policy;
    let policy = TlsPolicy {
        policy_type: kind.to_string(),
        policy_string: strings,
        policy_domain: policy_domain.to_string(),
        mx_host: hosts,
    };
    let ip = |ip: Option<std::net::IpAddr>| ip.map(|ip| ip.to_string()).unwrap_or_default();
    let (result, reason, receiving, sending) = match failure {
        None => (None, String::new(), String::new(), String::new()),
        Some(f) => (Some(f.result.to_string()), f.reason, ip(f.receiving), ip(f.sending)),
    };
    let count = SessionCount { policy, host, result, reason, receiving, sending, sessions };
    DomainSessions { day, domain: domain.to_string(), count }
}

/// All that is due, until `stop` turns true. `closed`: the day before which days were closed last.
async fn report(works: &Arc<Works>, store: &Arc<TlsSessions>, closed: &mut Option<i64>, stop: &watch::Receiver<bool>) {
    let today = works.now().day();
    if *closed != Some(today) {
        let now = works.now();
        match store.close_before(today, move |day, domain| due(day, domain).max(now)).await {
            Ok(()) => *closed = Some(today),
            Err(error) => failed(works, "no report on TLS is made now", &error),
        }
    }
    while !*stop.borrow() {
        match store.due(works.now(), DUE_MOST).await {
            // Whatever is looked at is done, or due later.
            Ok(due) if due.is_empty() => return,
            Ok(due) => {
                if !each(works, store, due, stop).await {
                    return;
                }
            }
            Err(error) => return failed(works, "no report on TLS is sent now", &error),
        }
    }
}

/// Several at the same time. Whether all of it could be written down.
async fn each(
    works: &Arc<Works>,
    store: &Arc<TlsSessions>,
    due: Vec<OwedReport>,
    stop: &watch::Receiver<bool>,
) -> bool {
    let (places, mut tasks) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for owed in due {
        let (works, store, places, stop) = (works.clone(), store.clone(), places.clone(), stop.clone());
        tasks.spawn(async move {
            let _place = places.acquire_owned().await;
            if *stop.borrow() {
                return true;
            }
            let done = one(&works, &store, &owed, stop).await;
            done.inspect_err(|error| failed(&works, "a report on TLS may be sent twice", error)).is_ok()
        });
    }
    tasks.join_all().await.into_iter().all(|done| done)
}

/// When the report on a day is due: always the same time for a domain and day, spread over the hours.
fn due(day: i64, domain: &str) -> Timestamp {
    let mut hasher = DefaultHasher::new();
    (day, domain).hash(&mut hasher);
    Timestamp::of_day(day + 1) + Duration::from_secs(hasher.finish() % SPREAD.as_secs())
}

async fn one(
    works: &Works,
    store: &TlsSessions,
    owed: &OwedReport,
    stop: watch::Receiver<bool>,
) -> Result<(), LedgerError> {
    let settings = works.settings();
    if !settings.tls_reports.enabled || !settings.domains.iter().any(SendingDomain::is_usable) {
        return store.owe(owed, Vec::new(), works.now()).await;
    }
    let failed = match &owed.place {
        None => match wanted(works, &owed.domain).await {
            Ok(places) => return store.owe(owed, places.iter().map(ToString::to_string).collect(), works.now()).await,
            Err(why) => why,
        },
        Some(place) => {
            let counts = store.of_day(owed.day, Some(owed.domain.clone()), KINDS_MOST).await?;
            let counts = counts.into_iter().map(|row| row.count).collect();
            match send::send(works, owed, place, counts, stop).await {
                Ok(()) => {
                    works.note(Level::Info, "tls-report", format!("the report to {} went to {place}", owed.domain));
                    return store.done(owed).await;
                }
                Err(why) => why,
            }
        }
    };
    let now = works.now();
    let pause = (FIRST_PAUSE * 2u32.saturating_pow(owed.attempts.min(16))).min(LONGEST_PAUSE);
    let (place, domain) = (owed.place.as_deref().unwrap_or("whoever asks"), &owed.domain);
    if now + pause < owed.since + PATIENCE {
        works.note(Level::Info, "tls-report", format!("the report to {domain} waits for {place}: {failed}"));
        return store.later(owed, now + pause).await;
    }
    let text = format!("the report to {domain} could not be sent to {place} within a day, and is dropped: {failed}");
    works.note(Level::Warning, "tls-report", text);
    store.done(owed).await
}

/// Where a domain wants its reports.
async fn wanted(works: &Works, domain: &str) -> Result<Vec<Destination>, String> {
    let Ok(name) = Domain::parse(&format!("_smtp._tls.{domain}")) else { return Ok(Vec::new()) };
    match works.doors.resolver.txt(&name).await {
        Lookup::Found(texts) => Ok(destinations(&texts.items)),
        Lookup::NoData { .. } | Lookup::NoName { .. } => Ok(Vec::new()),
        Lookup::Failure(why) | Lookup::NoAnswer(why) | Lookup::NotAsked(why) => {
            Err(format!("{name} cannot be looked up: {why}"))
        }
    }
}

fn failed(works: &Works, what: &str, error: &LedgerError) {
    works.note(Level::Error, "tls-report", format!("{what}: {error}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_spread_over_the_first_hours_of_the_next_day() {
        let midnight = Timestamp::of_day(8);
        let hour = |n: u32| {
            let at = due(7, &format!("d{n}.test"));
            assert_eq!(at, due(7, &format!("d{n}.test")));
            at.since(midnight).as_secs() / 3600
        };
        let mut hours = [0; 4];
        (0..400).for_each(|n| hours[usize::try_from(hour(n)).unwrap()] += 1);
        assert!(hours.iter().all(|count| *count > 60), "{hours:?}");
    }
}
