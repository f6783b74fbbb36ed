//! How things stand, from the same operations of `engine` that commands ask.
//!
//! What is in memory is read at once; what is on disk is asked with a deadline, and left out beyond it.

use std::collections::BTreeMap;
use std::time::Duration;

use repute_engine::control::{EgressRow, LaneRow};
use repute_engine::permit::operator::{CheckRow, PermitRow};
use repute_metrics::{self as metric, Page, incident_of};
use tokio::time::timeout;

use crate::app::App;

/// Sites that are shown by name.
const SITES: usize = 20;
/// Receivers of addresses that warm up.
const WARMING: usize = 100;
/// Pairs of an address and a domain, and subjects of black lists, that are shown by name.
const PAIRS: usize = 200;

pub(super) async fn all(app: &App, patience: Duration, page: &mut Page) {
    queue(app, page);
    permits(app, page);
    checks(&app.control.checks(), page);
    circuits(app, page);
    let unread = [
        ("incidents", timeout(patience, incidents(app, page)).await == Ok(true)),
        ("spool", timeout(patience, spool(app, page)).await == Ok(true)),
        ("webhooks", timeout(patience, webhooks(app, page)).await == Ok(true)),
        ("machine", machine(app, patience, page).await),
    ];
    for (what, was_read) in unread {
        page.add(&metric::UNREAD, &[what], flag(!was_read));
    }
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

fn queue(app: &App, page: &mut Page) {
    for (state, count) in app.control.parts() {
        page.add(&metric::QUEUE_PARTS, &[state], count as f64);
    }
    page.set(&metric::UNSETTLED, app.control.unsettled() as f64);
    let status = app.control.status();
    page.set(&metric::SESSIONS, f64::from(status.sessions));
    for row in status.warm_up.iter().take(WARMING) {
        let labels = [row.egress.as_str(), row.receiver.as_str()];
        page.add(&metric::WARM_UP_STEP, &labels, f64::from(row.step));
        page.add(&metric::WARM_UP_SENT, &labels, row.sent as f64);
    }
    sites(status.lanes, &app.control.egresses(), app.control.now(), page);
}

fn sites(mut lanes: Vec<LaneRow>, egresses: &[EgressRow], now: repute_types::Timestamp, page: &mut Page) {
    let is_paused = |lane: &LaneRow| lane.paused_until.is_some_and(|until| until > now);
    let paused = lanes.iter().filter(|lane| is_paused(lane)).count();
    page.add(&metric::SITES, &["open"], (lanes.len() - paused) as f64);
    page.add(&metric::SITES, &["paused"], paused as f64);
    let busy = |lane: &LaneRow| (lane.ready + lane.sessions as usize, lane.ready);
    lanes.sort_by(|a, b| busy(b).cmp(&busy(a)).then_with(|| a.site.cmp(&b.site)));
    // An egress with one family alone may have two lanes to a site.
    let mut shown: BTreeMap<(&str, String), (usize, u32, u32, bool)> = BTreeMap::new();
    for lane in &lanes {
        let egress = egresses.get(usize::from(lane.egress));
        let address =
            egress.and_then(|egress| egress.v4.map(|ip| ip.to_string()).or(egress.v6.map(|ip| ip.to_string())));
        let key = (lane.site.as_str(), address.unwrap_or_else(|| "any".to_owned()));
        if shown.len() >= SITES && !shown.contains_key(&key) {
            break;
        }
        let sum = shown.entry(key).or_default();
        *sum = (sum.0 + lane.ready, sum.1 + lane.sessions, sum.2 + lane.window, sum.3 || is_paused(lane));
    }
    for ((site, egress), (ready, sessions, window, is_paused)) in shown {
        let labels = [site, egress.as_str()];
        page.add(&metric::SITE_READY, &labels, ready as f64);
        page.add(&metric::SITE_SESSIONS, &labels, f64::from(sessions));
        page.add(&metric::SITE_WINDOW, &labels, f64::from(window));
        page.add(&metric::SITE_PAUSED, &labels, flag(is_paused));
    }
}

fn permits(app: &App, page: &mut Page) {
    let list = app.control.permits();
    let mut rows = list.rows;
    for state in ["permitted", "unproven", "suspended", "allowed", "barred"] {
        page.add(&metric::PERMITS, &[state], rows.iter().filter(|row| row.word == state).count() as f64);
    }
    rows.sort_by_key(|row| row.may);
    for row in rows.iter().take(PAIRS) {
        let PermitRow { address, domain, may, trust, .. } = row;
        // Without an address of ours it goes by relay hosts, or by what is not known.
        let Some(address) = address else { continue };
        let labels = [&*address.to_string(), domain.as_str()];
        page.add(&metric::PERMIT, &labels, flag(*may || !list.enforced));
        page.add(&metric::TRUST_POINTS, &labels, f64::from(*trust));
    }
}

fn checks(rows: &[CheckRow], page: &mut Page) {
    for result in ["good", "warns", "bad", "unknown"] {
        page.add(&metric::CHECKS, &[result], rows.iter().filter(|row| row.result == result).count() as f64);
    }
    let mut failing: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in rows.iter().filter(|row| matches!(row.result, "warns" | "bad")) {
        *failing.entry((&row.check, row.result)).or_default() += 1;
    }
    for ((check, result), count) in failing {
        page.add(&metric::CHECK_FAILING, &[check, result], count as f64);
    }
    // Asked of every list, and answered by none: then nothing is said.
    let is_of_lists =
        |row: &&CheckRow| matches!(&*row.check, "bl.ip" | "bl.ip6" | "bl.domain") && row.result != "unknown";
    let mut listed: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    for row in rows.iter().filter(is_of_lists) {
        *listed.entry((&row.about, &row.check)).or_default() |= row.result == "bad";
    }
    let mut listed: Vec<_> = listed.into_iter().collect();
    listed.sort_by_key(|(_, is_listed)| !is_listed);
    for ((about, check), is_listed) in listed.into_iter().take(PAIRS) {
        page.add(&metric::BLACK_LISTED, &[about, check], flag(is_listed));
    }
}

fn circuits(app: &App, page: &mut Page) {
    let open = app.control.circuits().open;
    let campaigns = open.iter().filter(|row| row.campaign.is_some()).count();
    page.add(&metric::CIRCUITS_OPEN, &["account"], (open.len() - campaigns) as f64);
    page.add(&metric::CIRCUITS_OPEN, &["campaign"], campaigns as f64);
}

async fn incidents(app: &App, page: &mut Page) -> bool {
    let Ok(open) = app.control.incidents(0).await else { return false };
    for of in ["check", "circuit", "webhook"] {
        let count = open.iter().filter(|one| one.closed.is_none() && incident_of(&one.what) == of).count();
        page.add(&metric::INCIDENTS_OPEN, &[of], count as f64);
    }
    true
}

/// A spool that does not answer in time takes no messages.
async fn spool(app: &App, page: &mut Page) -> bool {
    let is_ready = timeout(Duration::from_secs(2), app.control.ready()).await;
    page.set(&metric::READY, flag(matches!(is_ready, Ok(Ok(())))));
    is_ready.is_ok()
}

async fn webhooks(app: &App, page: &mut Page) -> bool {
    let Ok(all) = app.hooks.list().await else { return false };
    for one in all {
        let name = one.name.as_str();
        page.add(&metric::WEBHOOK_ACTIVE, &[name], flag(one.state == "active"));
        page.add(&metric::WEBHOOK_BEHIND, &[name], one.behind as f64);
        page.add(&metric::WEBHOOK_WAITING, &[name], one.waiting as f64);
        for (end, count) in [("taken", one.taken), ("given-up", one.given_up), ("lost", one.lost)] {
            page.add(&metric::WEBHOOK_EVENTS, &[name, end], count as f64);
        }
    }
    true
}

/// What the program alone knows; it looks at files.
async fn machine(app: &App, patience: Duration, page: &mut Page) -> bool {
    let source = app.machine.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut page = Page::default();
        source.read(&mut page);
        page
    });
    match timeout(patience, read).await {
        Ok(Ok(read)) => {
            page.join(read);
            true
        }
        _ => false,
    }
}
